"""The circuit of a provider: every pair of state and event, and what it promises over any course of events."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.clock import SECOND, Micros
from app.paging.breaker import (
    CLOSED,
    FIRST_PAUSE,
    LONGEST_PAUSE,
    OPENS_AFTER,
    PROBE_LASTS,
    Circuit,
    asked,
    failed,
    not_made,
    pause,
    went_well,
)

NOW: Micros = 1_767_571_200_000_000
SHAKY = Circuit(failures=OPENS_AFTER - 1, reason="503")
OPEN = Circuit("open", OPENS_AFTER, 1, NOW + FIRST_PAUSE, "503")
OVER = replace(OPEN, until=NOW)
PROBING = Circuit("probing", OPENS_AFTER, 1, NOW + PROBE_LASTS, "503")
STRANDED = replace(PROBING, until=NOW)


@pytest.mark.parametrize(
    ("circuit", "may", "after"),
    [
        (CLOSED, True, CLOSED),
        (SHAKY, True, SHAKY),
        (OPEN, False, OPEN),
        (OVER, True, PROBING),
        (PROBING, False, PROBING),
        (STRANDED, True, PROBING),
    ],
    ids=["closed", "shaky", "open", "its pause is over", "probing", "its probe never came back"],
)
def test_who_asks_may_call_or_not(circuit: Circuit, may: bool, after: Circuit) -> None:
    assert asked(circuit, NOW) == (after, may)


@pytest.mark.parametrize(
    ("circuit", "after"),
    [
        (CLOSED, Circuit(failures=1, reason="no answer")),
        (SHAKY, Circuit("open", OPENS_AFTER, 1, NOW + FIRST_PAUSE, "no answer")),
        (OPEN, replace(OPEN, failures=OPENS_AFTER + 1, reason="no answer")),
        (PROBING, Circuit("open", OPENS_AFTER + 1, 2, NOW + 2 * FIRST_PAUSE, "no answer")),
    ],
    ids=["closed", "shaky", "open", "probing"],
)
def test_a_call_that_failed(circuit: Circuit, after: Circuit) -> None:
    assert failed(circuit, "no answer", NOW) == after


@pytest.mark.parametrize("circuit", [CLOSED, SHAKY, OPEN, PROBING])
def test_a_call_that_went_well_closes_the_circuit_whatever_it_was(circuit: Circuit) -> None:
    assert went_well(circuit) == CLOSED


@pytest.mark.parametrize(
    ("circuit", "after"), [(CLOSED, CLOSED), (SHAKY, SHAKY), (OPEN, OPEN), (PROBING, replace(PROBING, until=0))]
)
def test_a_call_that_was_not_made_lets_the_next_one_probe(circuit: Circuit, after: Circuit) -> None:
    assert not_made(circuit) == after


def test_a_provider_that_asks_for_a_longer_pause_gets_it_but_not_without_end() -> None:
    assert failed(SHAKY, "429", NOW, 90 * SECOND).until == NOW + 90 * SECOND
    assert failed(SHAKY, "429", NOW, 86_400 * SECOND).until == NOW + LONGEST_PAUSE


def test_pauses_double_to_five_minutes() -> None:
    assert [pause(opened) // SECOND for opened in (0, 1, 2, 3, 4, 5, 100_000)] == [15, 30, 60, 120, 240, 300, 300]


@given(st.lists(st.tuples(st.sampled_from(["ask", "well", "failed"]), st.integers(0, 400)), max_size=60))
def test_after_any_course_somebody_may_call_again_within_five_minutes(course: list[tuple[str, int]]) -> None:
    circuit, now = CLOSED, NOW
    for event, seconds in course:
        now += seconds * SECOND
        match event:
            case "ask":
                circuit, _ = asked(circuit, now)
            case "well":
                circuit = went_well(circuit)
            case _:
                circuit = failed(circuit, "503", now)
    assert asked(circuit, now + LONGEST_PAUSE)[1]

"""What pages cost, what the record proposes, what a change would have done, and what came before: pure tables."""

from __future__ import annotations

from dataclasses import replace

import pytest

from app.clock import DAY, HOUR, MINUTE, Micros
from app.noise.economics import economics, proposals
from app.noise.past import CALL_COST, LONGEST_ATTENTION, NIGHT_CALL_COST, Call, Past, check_of, masked
from app.noise.recurrence import about, recurrence
from app.noise.trial import Change, tried

BEGUN = 1_767_571_200_000_000
"""2026-01-05 00:00 UTC."""


def past(
    number: int,
    lasted: Micros | None = 3 * MINUTE,
    *,
    night: bool = False,
    calls: int = 1,
    at: Micros | None = None,
    **more: object,
) -> Past:
    """An incident an hour after the one before it, that ended by itself and that one person was called for."""
    opened = BEGUN + number * HOUR if at is None else at
    plain = Past(
        number=number,
        service_id=7,
        service="shop",
        check="DiskFull",
        title=f"Disk of db-{number} is 9{number} % full",
        key="disk",
        opened_at=opened,
        calls=tuple(Call(opened, night) for _ in range(calls)),
        over_at=None if lasted is None else opened + lasted,
        by_itself=lasted is not None,
    )
    return replace(plain, **more)  # type: ignore[arg-type]


WORKED_ON = {"acted": True, "by_itself": False, "resolved_by": "Ana", "words": "restarted the pod"}


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("Disk of db-3 is 93.5% full", "Disk of db-12 is 97% full"),
        ("pod web-7f9c8d6b5-x2 restarts", "pod web-6d5f4c3b2-x9 restarts"),
        ("10.0.0.7:9100 is down", "10.1.22.3:9100 is down"),
        ("job 0f8fad5b-d9cb-469f-a165-70867728950e failed", "job 7c9e6679-7425-40de-944b-e07fc1f90ae7 failed"),
        ("LATENCY  high", "latency high"),
    ],
)
def test_what_changes_from_time_to_time_is_masked(text: str, same: str) -> None:
    assert masked(text) == masked(same)


@pytest.mark.parametrize(
    ("text", "other"), [("disk full", "disk failed"), ("feed of ads is late", "feed of maps is late")]
)
def test_words_are_not_masked(text: str, other: str) -> None:
    assert masked(text) != masked(other)


def test_the_check_is_what_the_sender_calls_it_or_its_masked_text() -> None:
    assert check_of({"alertname": "DiskFull", "check": "other"}, "Disk 93 % full") == "DiskFull"
    assert check_of({"alertname": ""}, "Disk 93 % full") == "disk # % full"


@pytest.mark.parametrize(
    ("one", "cost"),
    [
        (past(1), CALL_COST),
        (past(1, night=True), NIGHT_CALL_COST),
        (past(1, calls=2), 2 * CALL_COST),
        (past(1, calls=0), 0),
        (past(1, 30 * MINUTE, acknowledged_at=BEGUN + HOUR + 10 * MINUTE), CALL_COST + 20 * MINUTE),
        (past(1, DAY, acknowledged_at=BEGUN + HOUR), CALL_COST + LONGEST_ATTENTION),
        (past(1, None, acknowledged_at=BEGUN + HOUR), CALL_COST + LONGEST_ATTENTION),
        (past(1, MINUTE, acknowledged_at=BEGUN + 2 * HOUR), CALL_COST),
    ],
)
def test_attention_is_each_call_and_the_work_until_it_was_over(one: Past, cost: Micros) -> None:
    assert one.attention == cost


def test_a_line_tells_calls_nights_and_what_was_for_nothing() -> None:
    pasts = [
        past(1, night=True, acknowledged_at=BEGUN + HOUR + MINUTE),
        past(2, 20 * MINUTE),
        past(3, 2 * HOUR, acknowledged_at=BEGUN + 3 * HOUR, **WORKED_ON),
        past(4, calls=0),
    ]
    (line,) = economics(pasts, "check")
    told = (line.incidents, line.calls, line.night_calls, line.acked_without_action, line.over_within_5_min)
    assert told == (4, 3, 1, 1, 1)
    assert line.attention == sum(one.attention for one in pasts)
    assert line.numbers == (4, 3, 2, 1)


def test_lines_are_by_service_and_by_each_rule_that_matched_what_takes_most_first() -> None:
    pasts = [
        past(1, rules=("tag", "to shop")),
        past(2, service_id=None, service="no service", rules=("tag",), night=True),
    ]
    assert [(line.key, line.calls) for line in economics(pasts, "service")] == [("", 1), ("7", 1)]
    assert [(line.key, line.calls) for line in economics(pasts, "rule")] == [("tag", 2), ("to shop", 1)]


@pytest.mark.parametrize(
    ("pasts", "proposed"),
    [
        pytest.param([past(1), past(2)], [], id="two say nothing"),
        pytest.param([past(number) for number in (1, 2, 3)], [("hold", 5)], id="three that end within five minutes"),
        pytest.param([past(number, MINUTE) for number in (1, 2, 3)], [("hold", 2)], id="the shortest hold that does"),
        pytest.param([past(number, 40 * MINUTE) for number in (1, 2, 3)], [], id="nobody waits forty minutes"),
        pytest.param(
            [past(number, 40 * MINUTE) for number in (1, 2, 3, 4)], [("delete", 0)], id="none was ever acted on"
        ),
        pytest.param(
            [past(1), past(2), past(3), past(4, 2 * HOUR, **WORKED_ON)],
            [("hold", 5)],
            id="a hold only delays the real one",
        ),
        pytest.param([past(number, 2 * MINUTE, **WORKED_ON) for number in (1, 2, 3)], [], id="all were acted on"),
        pytest.param(
            [past(number, 40 * MINUTE, night=True) for number in (1, 2, 3)] + [past(4, HOUR, **WORKED_ON)],
            [("silence", 0)],
            id="at night it ends by itself, by day it is worked on",
        ),
        pytest.param(
            [
                past(number, HOUR, at=BEGUN + number * MINUTE, **WORKED_ON | {"acted": number == 1})
                for number in (1, 2, 3)
            ],
            [("group", 10)],
            id="three incidents of one fault",
        ),
    ],
)
def test_a_proposal_is_made_where_the_record_speaks_for_it_and_nothing_against(
    pasts: list[Past], proposed: list[tuple[str, int]]
) -> None:
    assert [(trial.change.kind, trial.change.minutes) for trial in proposals(pasts)] == proposed


@pytest.mark.parametrize(
    ("change", "spared", "later", "missed"),
    [
        (Change("hold", 5), 2, 2, ()),
        (Change("hold", 60), 3, 1, ()),
        (Change("silence"), 1, 1, (4,)),
        (Change("delete"), 4, 0, (4,)),
        (Change("group", 60), 3, 0, (4,)),
        (Change("group", 59), 0, 0, ()),
    ],
)
def test_a_change_is_played_over_the_record(change: Change, spared: int, later: int, missed: tuple[int, ...]) -> None:
    pasts = [
        past(3, 30 * MINUTE),
        past(1, night=True),
        past(2),
        past(4, 2 * HOUR, night=True, **WORKED_ON),
    ]
    trial = tried(change, pasts)
    assert (trial.calls, trial.spared, trial.later, trial.missed) == (4, spared, later, missed)


def test_a_trial_speaks_and_says_what_is_against_it() -> None:
    pasts = [past(1, night=True), past(2, HOUR, **WORKED_ON)]
    assert tried(Change("hold", 5), pasts).words == (
        "of 2 calls 1 would not have been, 1 of them at night; 1 would have come later; no incident on which somebody "
        "acted would have been touched"
    )
    assert "people acted on 1 of the incidents that it touches (#2)" in tried(Change("delete"), pasts).words
    assert "nothing to spare" in tried(Change("delete"), [past(1, calls=0)]).words


def test_attention_is_spared_only_where_all_calls_are() -> None:
    """Of an incident that rang twice at night and once by day the morning stays."""
    one = replace(past(1, 40 * MINUTE, night=True), calls=(Call(BEGUN, True), Call(BEGUN + 9 * HOUR, False)))
    trial = tried(Change("silence"), [one])
    assert (trial.spared, trial.attention_spared) == (1, 0)


def test_the_sentence_says_how_often_how_it_ended_and_who_knew_what_to_do() -> None:
    others = [past(1, 4 * MINUTE), past(2, 2 * MINUTE), past(3, HOUR, **WORKED_ON), past(4, 6 * MINUTE)]
    found = recurrence(past(9), others)
    assert found.sentence == (
        "Seen 4 times in 30 days before this; usually ended by itself, after 4 min; last resolved by Ana (#3, 5 Jan): "
        "“restarted the pod”."
    )
    assert [one.past.number for one in found.alike] == [4, 3, 2, 1]


@pytest.mark.parametrize(
    ("other", "likeness"),
    [
        (past(1), "key"),
        (past(1, service_id=8), "key"),
        (past(1, key="other"), "check"),
        (past(1, key="other", service_id=8), None),
        (past(1, key="other", check="Full"), "text"),
        (past(1, key="other", check="Full", title="Something else"), None),
        (past(10), None),
    ],
    ids=["same key", "same key of another service", "same check", "another service", "same text", "neither", "later"],
)
def test_what_is_alike_and_why(other: Past, likeness: str | None) -> None:
    found = recurrence(past(9), [other])
    assert [one.likeness for one in found.alike] == ([likeness] if likeness else [])
    assert bool(found.sentence) == bool(likeness)


def test_one_that_is_still_open_says_only_that_it_was_seen() -> None:
    assert recurrence(past(2), [past(1, None)]).sentence == "Seen once in 30 days before this."


@pytest.mark.parametrize(
    ("span", "words"),
    [
        (0, "1 s"),
        (40_000_000, "40 s"),
        (4 * MINUTE, "4 min"),
        (90 * MINUTE, "90 min"),
        (5 * HOUR, "5 h"),
        (3 * DAY, "3 days"),
    ],
)
def test_durations_as_people_say_them(span: Micros, words: str) -> None:
    assert about(span) == words

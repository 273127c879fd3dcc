"""The doors to the providers: who may call, who waits, and that one provider's trouble is nobody else's."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.clock import SECOND, Micros
from app.incidents import turn
from app.metrics import Metrics
from app.notifiers.notifier import Accepted, Outcome, Refused, TryAgain, Unknown
from app.notifiers.pace import Pace, read_paces
from app.notifiers.registry import build
from app.paging import bucket
from app.paging.breaker import FIRST_PAUSE, OPENS_AFTER, PROBE_LASTS
from app.paging.doors import NOTIFIER_FAILED, Doors, Shut

NOW: Micros = 1_767_571_200_000_000
NOTIFIERS = build(offered=())
ANA = {"url": "https://one.example.org/secret-path"}
BEN = {"url": "https://two.example.org/secret-path"}


class Hall:
    """The doors, with jobs numbered as they ask."""

    def __init__(self, paces: Mapping[str, Pace] | None = None, hands: int = 1_000) -> None:
        self.metrics = Metrics()
        self.doors = Doors(NOTIFIERS, paces, hands=hands, metrics=self.metrics)
        self.jobs = 0

    def ask(self, address: Mapping[str, str], now: Micros = NOW, rank: int = turn.FIRST) -> Shut | int:
        self.jobs += 1
        shut = self.doors.ask("webhook", address, self.jobs, rank, now)
        return self.jobs if shut is None else shut

    def call(self, address: Mapping[str, str], outcome: Outcome, now: Micros = NOW) -> None:
        job = self.ask(address, now)
        assert isinstance(job, int), job
        self.doors.came_of(job, outcome, now)

    def metric(self, name: str) -> float | None:
        return self.metrics.registry.get_sample_value(name, {"notifier": "webhook"})


def broken() -> Hall:
    hall = Hall()
    for _ in range(OPENS_AFTER):
        hall.call(ANA, TryAgain("webhook answered 503"))
    return hall


def test_five_failures_shut_the_door_of_that_provider_and_of_no_other() -> None:
    hall = broken()
    shut = hall.ask(ANA)
    assert isinstance(shut, Shut)
    assert shut.broken
    assert shut.until == NOW + FIRST_PAUSE
    assert shut.reason.startswith("Webhook (one.example.org) does not work: it failed 5 times in a row")
    assert "secret-path" not in shut.reason
    assert isinstance(hall.ask(BEN), int)
    assert (hall.metric("tocsin_breakers_open"), hall.metric("tocsin_breaker_opened_total")) == (1, 1)


def test_one_probe_goes_through_and_opens_the_door_for_all() -> None:
    hall = broken()
    later = NOW + FIRST_PAUSE
    probe = hall.ask(ANA, later)
    assert isinstance(probe, int)
    assert isinstance(hall.ask(ANA, later), Shut)
    hall.doors.came_of(probe, Accepted(), later)
    assert isinstance(hall.ask(ANA, later), int)
    assert hall.metric("tocsin_breakers_open") == 0


def test_a_probe_whose_page_nobody_needs_any_more_leaves_the_probing_to_the_next() -> None:
    hall = broken()
    later = NOW + FIRST_PAUSE
    probe = hall.ask(ANA, later)
    assert isinstance(probe, int)
    hall.doors.give_back(probe)
    assert isinstance(hall.ask(ANA, later), int)


def test_a_probe_that_never_comes_back_is_made_again() -> None:
    hall = broken()
    assert isinstance(hall.ask(ANA, NOW + FIRST_PAUSE), int)
    assert isinstance(hall.ask(ANA, NOW + FIRST_PAUSE + PROBE_LASTS), int)


@pytest.mark.parametrize(
    "outcome",
    [Refused("404"), Unknown(f"{NOTIFIER_FAILED}: KeyError"), Accepted()],
    ids=["a wrong address", "a bug of the notifier", "went well"],
)
def test_what_says_nothing_bad_of_the_provider_never_shuts_its_door(outcome: Outcome) -> None:
    hall = Hall()
    for _ in range(3 * OPENS_AFTER):
        hall.call(ANA, outcome)
    assert isinstance(hall.ask(ANA), int)


def test_those_who_wait_come_back_one_after_the_other() -> None:
    hall = broken()
    waits = [shut.until for shut in (hall.ask(ANA) for _ in range(50)) if isinstance(shut, Shut)]
    assert waits == sorted(set(waits))
    assert len(waits) == 50


def test_only_so_many_are_on_their_way_to_one_provider() -> None:
    """Half of the hands: one provider that hangs leaves the other half for others."""
    hall = Hall(hands=8)
    assert [isinstance(hall.ask(ANA), int) for _ in range(5)] == [True, True, True, True, False]
    assert isinstance(hall.ask(BEN), int)
    hall.doors.came_of(1, Accepted(), NOW)
    assert isinstance(hall.ask(ANA), int)


def test_a_job_that_asks_twice_takes_one_place() -> None:
    """A transaction may run its deed again."""
    hall = Hall({"webhook": Pace(per_second=1, burst=2)})
    assert hall.doors.ask("webhook", ANA, 7, turn.FIRST, NOW) is None
    assert hall.doors.ask("webhook", ANA, 7, turn.FIRST, NOW) is None
    assert hall.doors.ask("webhook", ANA, 8, turn.FIRST, NOW) is None
    assert hall.doors.ask("webhook", ANA, 9, turn.FIRST, NOW) is not None
    hall.doors.give_back(8)
    assert hall.doors.ask("webhook", ANA, 9, turn.FIRST, NOW) is None


def test_a_short_budget_goes_to_first_pages() -> None:
    """Of 20 calls, repeats and next levels leave the last ones to first pages; nobody who waits is forgotten."""
    hall = Hall({"webhook": Pace(per_second=1, burst=20)})
    went = {
        rank: sum(isinstance(hall.ask(ANA, rank=rank), int) for _ in range(20))
        for rank in (turn.STATUS, turn.REPEAT, turn.NEXT, turn.FIRST)
    }
    assert went == {turn.STATUS: 10, turn.REPEAT: 5, turn.NEXT: 3, turn.FIRST: 2}
    shut = hall.ask(ANA)
    assert isinstance(shut, Shut)
    assert (shut.broken, shut.reason) == (False, "Webhook (one.example.org) gets no more than 1 messages a second")
    assert isinstance(hall.ask(ANA, NOW + SECOND), int)


def test_a_storm_of_one_team_leaves_calls_to_the_first_page_of_another() -> None:
    """500 incidents of one service and a provider that takes 20 at once: the other team's first page waits for no call."""
    hall = Hall({"webhook": Pace(per_second=1, burst=20)})
    ranks = [turn.rank(turn.FIRST, turn.crowd(before)) for before in range(500)]
    sent = sum(isinstance(hall.ask(ANA, rank=rank), int) for rank in ranks)
    assert sent == 18
    assert isinstance(hall.ask(ANA, rank=turn.rank(turn.FIRST, turn.crowd(0))), int)


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 3_000_000)), min_size=1, max_size=80))
def test_never_more_than_the_burst_and_what_time_brought(asks: list[tuple[int, int]]) -> None:
    pace = Pace(per_second=3, burst=7)
    now, left, taken = NOW, bucket.full(pace, NOW), 0
    for rank, gap in asks:
        now += gap
        left, wait = bucket.take(left, pace, rank, now)
        taken += not wait
    assert taken <= 7 + (now - NOW) / SECOND * 3 + 1e-3


@given(st.integers(1, 50), st.integers(0, 5), st.floats(0.1, 100))
def test_who_waits_as_long_as_told_is_served(burst: int, rank: int, per_second: float) -> None:
    pace = Pace(per_second=per_second, burst=burst)
    empty = bucket.Bucket(0.0, NOW)
    _, wait = bucket.take(empty, pace, rank, NOW)
    assert wait > 0
    assert bucket.take(empty, pace, rank, NOW + wait)[1] == 0


def test_thousands_of_providers_are_not_remembered_for_ever() -> None:
    hall = broken()
    for number in range(2_500):
        hall.call({"url": f"https://host-{number}.example.org/"}, Accepted(), NOW)
    assert len(hall.doors._doors) <= 1_001
    assert isinstance(hall.ask(ANA), Shut), "a broken one is remembered"


def test_the_pace_in_the_documents_can_be_read() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "delivery.md").read_text("utf-8")
    (example,) = re.findall(r"^TOCSIN_PROVIDER_PACE=(.+)$", page, re.MULTILINE)
    assert read_paces(example.split(",")) == {"telegram": Pace(20, 20), "email": Pace(5, 20, 4)}


def test_paces_are_read_or_named() -> None:
    assert read_paces(["telegram=20", "email=0.5:10:4", "ntfy=5:60"]) == {
        "telegram": Pace(20, 20, None),
        "email": Pace(0.5, 10, 4),
        "ntfy": Pace(5, 60, None),
    }
    for wrong in ("telegram", "telegram=0", "=5", "email=5:10:0", "email=5:10:4:3", "email=fast", "email=-1"):
        with pytest.raises(ValueError, match=r"TOCSIN_PROVIDER_PACE: .*can't be read; it must be KIND=PER_SECOND"):
            read_paces([wrong])

"""When a sender counts as silent, in tables; and what the outside is told."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.clock import HOUR, MINUTE, SECOND
from app.watch.health import Facts, against
from app.watch.heartbeat import expected_of
from app.watch.hold import Hold
from app.watch.silence import UNWRITTEN, Deaf, Expected, Pulse, judge, may_have_missed, silent_at

EXPECTED = Expected(5 * MINUTE, MINUTE)
NOW = 100 * HOUR
UP = Pulse("up", last_seen_at=NOW)
DUE = NOW + 6 * MINUTE + UNWRITTEN
DOWN = Pulse("down", last_seen_at=NOW, down_since=DUE)


@pytest.mark.parametrize(
    ("pulse", "at", "state", "since", "look_at"),
    [
        (Pulse("waiting"), NOW, "waiting", None, None),
        (Pulse("waiting", last_seen_at=NOW), NOW, "up", None, DUE),
        (Pulse("unwatched", last_seen_at=NOW - HOUR, counted_from=NOW), NOW, "up", None, DUE),
        (UP, DUE - 1, "up", None, DUE),
        (UP, DUE, "down", DUE, DUE + HOUR),
        (replace(UP, counted_from=NOW + HOUR), DUE, "up", None, DUE + HOUR),
        (replace(UP, failed_at=NOW), NOW, "down", NOW, NOW + HOUR),
        (DOWN, DUE + HOUR, "down", DUE, DUE + 2 * HOUR),
        (replace(DOWN, counted_from=DUE + HOUR), DUE + HOUR, "down", DUE, DUE + 2 * HOUR),
        (replace(DOWN, last_seen_at=DUE), DUE, "up", None, DUE + 6 * MINUTE + UNWRITTEN),
        (replace(DOWN, last_seen_at=DUE, failed_at=DUE), DUE + 1, "down", DUE, DUE + 1 + HOUR),
    ],
)
def test_what_a_sender_is(pulse, at, state, since, look_at):
    verdict = judge(pulse, EXPECTED, at)
    assert (verdict.state, verdict.down_since, verdict.look_at) == (state, since, look_at)


def test_of_whom_nothing_is_expected_is_never_down():
    for pulse in (UP, DOWN, replace(UP, failed_at=NOW)):
        assert judge(pulse, None, NOW + HOUR).state == "unwatched"


@given(
    st.lists(st.integers(0, 5 * MINUTE), min_size=1, max_size=40),
    st.integers(0, UNWRITTEN - 1),
)
def test_whoever_keeps_its_interval_is_never_called_silent(gaps, behind):
    """However far behind, within its bound, what is stored of the signals may be."""
    at = NOW
    for gap in gaps:
        pulse = Pulse("up", last_seen_at=at - behind)
        assert judge(pulse, Expected(5 * MINUTE, 0), at + gap).state == "up"
        at += gap


@pytest.mark.parametrize(
    ("start", "end", "missed"),
    [
        # It had half an hour: longer than the grace, so a signal may have come and gone.
        (NOW + MINUTE, NOW + 31 * MINUTE, True),
        # Forty seconds long before the next signal is expected.
        (NOW + MINUTE, NOW + MINUTE + 40 * SECOND, False),
        # Forty seconds just when it was expected.
        (NOW + 5 * MINUTE - 20 * SECOND, NOW + 5 * MINUTE + 20 * SECOND, True),
        # Before the last signal.
        (NOW - HOUR, NOW, False),
    ],
)
def test_an_outage_counts_where_a_signal_may_have_been_lost(start, end, missed):
    assert may_have_missed(UP, EXPECTED, Deaf(start, end)) == missed
    assert not may_have_missed(DOWN, EXPECTED, Deaf(start, end))
    assert not may_have_missed(Pulse("waiting"), EXPECTED, Deaf(start, end))


def test_an_integration_has_three_of_its_intervals():
    assert expected_of("integration", {"expect_every_s": None}) is None
    assert expected_of("integration", {}) is None
    found = expected_of("integration", {"expect_every_s": 60})
    assert silent_at(UP, found) == NOW + 3 * MINUTE + UNWRITTEN


WELL = Facts(audited_at=NOW, faults={"late_jobs": 0, "lost_incidents": 0}, arrived_at=NOW)


@pytest.mark.parametrize(
    ("facts", "says"),
    [
        (replace(WELL, audited_at=None), "the audit has not come to its end"),
        (replace(WELL, audited_at=NOW - 91 * SECOND), "the audit has not come to its end"),
        (replace(WELL, faults={"late_jobs": 3}), "3 jobs have been due for more than a minute"),
        (replace(WELL, arrived_at=None), "no synthetic page has arrived"),
        (replace(WELL, arrived_at=NOW - 101 * SECOND), "no synthetic page has arrived since"),
        (replace(WELL, hold=Hold(NOW - HOUR, "Ana", "restored")), "paging is held back by Ana (restored) since"),
        (replace(WELL, undelivered=(17, 18)), "nobody at all could be told of 2 open incidents (#17, #18)"),
    ],
)
def test_each_reason_stops_what_is_told_to_the_outside(facts, says):
    assert against(WELL, NOW) == []
    (reason,) = against(facts, NOW)
    assert says in reason

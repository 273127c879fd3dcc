"""The learned hold as tables: what an incident teaches of the check that opened it, and how long a check is waited for."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from app.clock import SECOND, Micros
from app.dedup.directory import Inlet, View
from app.dedup.episodes import Episode
from app.dedup.habits import Habit, taught
from app.dedup.work import Work
from app.incidents.incident import Incident, opened
from app.incidents.service import FirstPage, Hold
from app.sources.source import SourceSettings

LEARNS, LEARNS_NOT = (
    Inlet(1, "desk", "", SourceSettings(), None, first_page=FirstPage(high=Hold(learned=learned)))
    for learned in (True, False)
)
ENDED = {"state": "resolved", "resolution": "recovered", "alerts": 1}


def _work(now_s: int) -> Work:
    return Work(now_s * SECOND, {}, View(services={1: LEARNS, 2: LEARNS_NOT}))


def _incident(**changed: Any) -> Incident:
    made = opened(
        incident_id=7,
        number=1,
        service_id=1,
        title="Probe",
        severity="critical",
        impact="medium",
        grouping=b"",
        now=0,
    )
    return replace(made, **changed)


@pytest.mark.parametrize(
    ("incident", "heard_s", "ended_s", "teaches"),
    [
        (ENDED, 120, None, (1, 1, 1)),
        (ENDED, 121, None, (1, 0, 1)),
        (ENDED, 301, None, (1, 0, 0)),
        # By the sender's own account it ended in time, though it was told late.
        (ENDED, 150, 120, (1, 1, 1)),
        (ENDED, 151, 120, (1, 1, 1, True)),
        (ENDED, 900, 121, (1, 0, 1)),
        (ENDED, 900, 301, (1, 0, 0)),
        # Somebody had to do something.
        ({**ENDED, "acknowledged_at": 1}, 60, None, (1, 0, 0)),
        ({**ENDED, "resolution": "fix"}, 60, None, (1, 0, 0)),
        ({"alerts": 1}, 60, None, (1, 0, 0)),
        # It grew: how it ended says nothing of what stays alone.
        ({**ENDED, "alerts": 2}, 60, None, None),
        ({**ENDED, "alerts": 2}, 900, None, None),
        ({**ENDED, "service_id": 2}, 60, None, None),
        ({**ENDED, "service_id": None}, 60, None, None),
    ],
)
def test_what_the_end_of_an_incident_teaches(
    incident: dict[str, Any], heard_s: int, ended_s: int | None, teaches: tuple[int, ...] | None
) -> None:
    work = _work(heard_s)
    ended_at: Micros | None = ended_s * SECOND if ended_s else None
    episode = Episode(3, 1, 7, b"", "critical", 0, ended_at, None, work.now, "sender")
    work.resolves.append((episode, LEARNS, ended_at, "sender"))
    found = taught(work, {7: _incident(**incident)})
    assert found == ({7: Habit(1, 0, *teaches)} if teaches else {})


@pytest.mark.parametrize(("service_id", "alone_s", "teaches"), [(1, 300, False), (1, 301, True), (2, 301, False)])
def test_what_grew_within_minutes_teaches_nothing_and_what_was_alone_for_longer_speaks_against_waiting(
    service_id: int, alone_s: int, *, teaches: bool
) -> None:
    work = _work(alone_s)
    work.grown.append(_incident(alerts=2, service_id=service_id))
    assert taught(work, {}) == ({7: Habit(1, 0, 1)} if teaches else {})


@pytest.mark.parametrize(
    ("counts", "wait_s"),
    [
        ((0, 0, 0), 0),
        ((1, 1, 1), 0),
        ((2, 2, 2), 150),
        ((5, 3, 3), 150),
        ((6, 3, 3), 0),
        ((5, 1, 3), 330),
        ((6, 1, 3), 0),
        # What ends soon and is told of later is waited for until it is told.
        ((5, 3, 3, True), 330),
        ((5, 1, 3, True), 330),
        ((6, 3, 3, True), 0),
    ],
)
def test_a_check_is_waited_for_as_long_as_what_stayed_alone_took_to_clear(counts: tuple[int, ...], wait_s: int) -> None:
    assert Habit(1, 0, *counts).wait()[0] == wait_s

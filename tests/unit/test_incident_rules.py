"""States, priority and correlation of incidents: tables of facts."""

from __future__ import annotations

import itertools
from typing import get_args

import pytest

from app.clock import SECOND
from app.incidents import incident as moves
from app.incidents.correlate import Candidate, Join, OpenNew, grouping_key, never_pages, place
from app.incidents.incident import Incident, opened
from app.incidents.priority import MATRIX, priority_of, urgency_of, worse
from app.incidents.service import Grouping, Service
from app.incidents.states import STATES, TRANSITIONS, Move, after
from app.store.resources import Refused

NOW = 1_767_571_200_000_000


def fresh(severity: str = "critical") -> Incident:
    return opened(
        incident_id=1, number=7, service_id=None, title="t", severity=severity, impact="medium", grouping=b"", now=NOW
    )


@pytest.mark.parametrize(("state", "move"), list(itertools.product(STATES, get_args(Move))))
def test_every_pair_of_state_and_move_is_decided(state: str, move: str) -> None:
    """Each pair leads to a known state or is refused; closed and merged lead nowhere."""
    target = after(state, move)  # type: ignore[arg-type]
    assert target is None or target in STATES
    assert (target is None) == ((state, move) not in TRANSITIONS)
    if state in ("closed", "merged"):
        assert target is None


def test_acknowledge_stops_paging_and_a_second_one_by_the_same_person_changes_nothing() -> None:
    incident = fresh()
    first = moves.acknowledge(incident, "Ana", NOW, None)
    assert first is not None
    assert (incident.state, incident.acknowledged_by, incident.escalation, incident.epoch) == (
        "acknowledged",
        "Ana",
        "stopped",
        2,
    )
    assert moves.acknowledge(incident, "Ana", NOW + 1, None) is None
    assert incident.epoch == 2


def test_another_person_takes_an_acknowledged_incident_over() -> None:
    incident = fresh()
    moves.acknowledge(incident, "Ana", NOW, None)
    entry = moves.acknowledge(incident, "Ben", NOW + 1, None)
    assert entry is not None
    assert "taken over from Ana" in entry.reason
    assert incident.acknowledged_by == "Ben"


def test_what_is_resolved_can_not_be_acknowledged() -> None:
    incident = fresh()
    moves.resolve(incident, "Ana", NOW, "fix", "done")
    with pytest.raises(Refused) as refused:
        moves.acknowledge(incident, "Ben", NOW, None)
    assert refused.value.name == "already_resolved"


def test_escalating_tells_the_next_level_and_starts_a_new_epoch() -> None:
    incident = fresh()
    incident.level, incident.escalation = 1, "running"
    moves.escalate(incident, "Ana")
    assert (incident.level, incident.epoch, incident.state) == (1, 2, "triggered")


@pytest.mark.parametrize(
    ("impact", "severity", "priority"),
    [
        ("high", "critical", "P1"),
        ("medium", "error", "P2"),
        ("low", "critical", "P3"),
        ("high", "warning", "P3"),
        ("medium", "info", "P4"),
        ("low", "warning", "P4"),
    ],
)
def test_priority_is_impact_times_urgency(impact: str, severity: str, priority: str) -> None:
    assert priority_of(impact, urgency_of(severity)) == priority  # type: ignore[arg-type]


def test_the_matrix_is_complete() -> None:
    assert set(MATRIX) == set(itertools.product(("high", "medium", "low"), ("high", "low")))


def test_an_incident_gets_graver_and_never_lighter_by_itself() -> None:
    incident = fresh("warning")
    assert moves.raise_severity(incident, "info", "x") is None
    entry = moves.raise_severity(incident, "critical", "x")
    assert entry is not None
    assert (incident.severity, incident.urgency, incident.priority) == ("critical", "high", "P2")
    assert worse("info", "none") == "info"


def test_who_was_told_mildly_is_told_anew_when_it_becomes_graver() -> None:
    """Only then: what has not begun, is held by somebody, or was high already goes on as it was."""
    for state, escalation, severity, restarts in (
        ("triggered", "running", "warning", True),
        ("triggered", "exhausted", "warning", True),
        ("triggered", "held", "info", True),
        ("triggered", "waiting", "warning", False),
        ("triggered", "running", "error", False),
        ("acknowledged", "stopped", "warning", False),
    ):
        incident = fresh(severity)
        incident.state, incident.escalation, incident.level = state, escalation, 2  # type: ignore[assignment]
        entry = moves.raise_severity(incident, "critical", "x")
        assert entry is not None
        assert bool(entry.detail.get("restart")) is restarts, (state, escalation, severity)
        assert (incident.level, incident.epoch) == ((0, 2) if restarts else (2, 1))


def test_what_is_given_to_others_is_nobodys_until_they_answer() -> None:
    incident = fresh()
    moves.acknowledge(incident, "Ana", NOW, None)
    moves.reassign(incident, "Ana", {"people": ["7"]}, "Ben")
    assert (incident.state, incident.acknowledged_by, incident.escalation, incident.level) == (
        "triggered",
        None,
        "waiting",
        0,
    )
    assert incident.assigned == {"people": ["7"], "by": "Ana"}
    moves.resolve(incident, "Ben", NOW, "fix", "done")
    with pytest.raises(Refused):
        moves.reassign(incident, "Ana", {"people": ["7"]}, "Ben")
    moves.reopen(incident, "Ana", "it is back")
    assert incident.assigned is None


OFFICE = {"time_zone": "UTC", "windows": [{"weekdays": ["mon"], "start": "09:00", "end": "17:00"}]}


@pytest.mark.parametrize(
    ("document", "says"),
    [
        ({"cases": [{"hours": "outside"}]}, "there are no `support_hours`"),
        ({"support_hours": OFFICE, "cases": [{}, {"wait": True}]}, "case 2 waits for support hours"),
        (
            {"support_hours": OFFICE, "cases": [{"hours": "outside", "wait": True, "urgency": "high"}]},
            "high urgency never waits",
        ),
        ({"support_hours": {**OFFICE, "time_zone": "+02:00"}}, "IANA"),
        ({"support_hours": {**OFFICE, "windows": []}}, "at least 1"),
    ],
)
def test_a_case_that_can_mean_nothing_is_refused(document: dict[str, object], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        Service.model_validate({"name": "shop", **document})


def test_the_first_case_that_fits_counts() -> None:
    cases = [
        {"priorities": ["P1"], "policy_id": "1"},
        {"hours": "outside", "priorities": ["P1", "P2"], "policy_id": "2"},
        {"hours": "support", "policy_id": "3"},
    ]
    shop = Service.model_validate({"name": "shop", "policy_id": "9", "support_hours": OFFICE, "cases": cases})
    night, day = NOW, NOW + 10 * 3_600 * SECOND
    found = [
        (case := shop.case_at(priority, at)) and case.policy_id
        for at in (night, day)
        for priority in ("P1", "P2", "P4")
    ]
    assert found == ["1", "2", None, "1", "3", "3"]
    assert shop.policies() == {"1", "2", "3", "9"}


BY_SERVICE = Grouping(by="service")
BY_LABELS = Grouping(by="labels", labels=("cluster", "env"))
ALONE = Grouping(by="alert")


def test_alerts_of_one_service_join_inside_the_window_and_not_after_it() -> None:
    near = Candidate(5, NOW - 600 * SECOND)
    answer = place(BY_SERVICE, {}, [near], NOW)
    assert isinstance(answer, Join)
    assert (answer.incident_id, answer.name) == (5, "same_service")
    assert "600 s" in answer.sentence
    late = place(BY_SERVICE, {}, [Candidate(5, NOW - 601 * SECOND)], NOW)
    assert isinstance(late, OpenNew)
    assert late.name == "window_over"


def test_the_newest_of_several_open_incidents_is_joined() -> None:
    answer = place(BY_SERVICE, {}, [Candidate(1, NOW - 9), Candidate(2, NOW - 3), Candidate(3, NOW - 6)], NOW)
    assert isinstance(answer, Join)
    assert answer.incident_id == 2


def test_grouping_keys_differ_where_the_setting_says_so() -> None:
    eu, us = {"cluster": "eu", "env": "p"}, {"cluster": "us", "env": "p"}
    assert grouping_key(1, BY_SERVICE, eu, b"a") == grouping_key(1, BY_SERVICE, us, b"b")
    assert grouping_key(1, BY_SERVICE, eu, b"a") != grouping_key(2, BY_SERVICE, eu, b"a")
    assert grouping_key(1, BY_LABELS, eu, b"a") == grouping_key(1, BY_LABELS, eu, b"b")
    assert grouping_key(1, BY_LABELS, eu, b"a") != grouping_key(1, BY_LABELS, us, b"a")
    assert grouping_key(1, ALONE, eu, b"a") != grouping_key(1, ALONE, eu, b"b")


def test_no_label_value_can_pretend_to_be_two() -> None:
    """Values are told apart whatever separators they hold."""
    one = grouping_key(1, BY_LABELS, {"cluster": "a3:env1:b", "env": ""}, b"")
    other = grouping_key(1, BY_LABELS, {"cluster": "a", "env": "b"}, b"")
    assert one != other


def test_a_heartbeat_that_fires_for_ever_pages_nobody() -> None:
    quiet = never_pages("none", test=False)
    assert quiet is not None
    assert quiet.name == "severity_none"
    assert never_pages("critical", test=True) is not None
    assert never_pages("info", test=False) is None


@pytest.mark.parametrize(
    "grouping", [{"by": "labels"}, {"by": "service", "labels": ["x"]}, {"window_s": -1}, {"by": "magic"}]
)
def test_a_grouping_that_can_not_work_is_refused(grouping: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="grouping"):
        Service.model_validate({"name": "s", "grouping": grouping})

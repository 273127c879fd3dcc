"""When a silence is on, what it is over, what inhibits what, and how a quiet incident says why. Pure."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from app.clock import HOUR, MINUTE, from_datetime, iso
from app.oncall.walltime import walls, zone
from app.routing.alertmanager import matcher_of, said_matcher
from app.routing.index import Index
from app.routing.inhibition import Inhibiting, Inhibition, Inhibitions
from app.routing.matchers import facts_of, matcher, parse
from app.routing.quiet import Book, OpenAlert, Reason, ended, quieted, why_held
from app.routing.silence import Silence, made_ready

START = "2026-03-27T00:00:00Z"
BERLIN = "Europe/Berlin"


def at(text: str) -> int:
    """An instant of its UTC."""
    return from_datetime(datetime.fromisoformat(text).replace(tzinfo=UTC))


def silence(**more: Any) -> Silence:
    said = {
        "name": "s",
        "comment": "because",
        "matchers": ['a="1"'],
        "starts_at": START,
        "ends_at": "2026-05-01T00:00:00Z",
    }
    return Silence.model_validate(said | more)


@pytest.mark.parametrize(
    ("instant", "until"),
    [
        ("2026-03-27T22:29:59", None),  # Friday, 23:29:59 in Berlin
        ("2026-03-27T22:30:00", "2026-03-28T00:00:00"),
        ("2026-03-27T23:59:59", "2026-03-28T00:00:00"),  # Saturday there: the window began on Friday
        ("2026-03-28T00:00:00", None),
        ("2026-03-28T22:30:00", None),
        ("2026-03-30T21:30:00", "2026-03-30T23:00:00"),  # Monday after the clocks went forward: an hour earlier
    ],
)
def test_a_weekly_window_is_on_by_the_clock_of_its_place(instant: str, until: str | None) -> None:
    repeats = {"time_zone": BERLIN, "weekdays": ["mon", "fri"], "begin": "23:30", "end": "01:00"}
    found = silence(repeats=repeats).window().until(at(instant))
    assert found == (None if until is None else at(until))


@given(st.integers(0, 40 * 24 * 60), st.integers(0, 1439), st.integers(0, 1439))
def test_a_daily_window_is_on_when_the_clock_shows_its_hours(minute: int, begin: int, end: int) -> None:
    """Held against the clock itself, over the night in which an hour is missing."""
    now = at("2026-03-27T00:00:00") + minute * MINUTE
    clock = [f"{one // 60:02}:{one % 60:02}" for one in (begin, end)]
    window = silence(repeats={"time_zone": BERLIN, "begin": clock[0], "end": clock[1]}).window()
    if now >= window.ends_at:
        return
    last, first = walls(zone(BERLIN), now)
    on = False
    for days in (-1, 0, 1):
        day = datetime(first.year, first.month, first.day) + timedelta(days=days)  # noqa: DTZ001 - a wall time
        begins = day + timedelta(minutes=begin)
        ends = day + timedelta(minutes=end, days=1 if end <= begin else 0)
        on = on or (begins <= first and last < ends)
    assert (window.until(now) is not None) == on


def test_a_silence_is_pending_then_active_then_ended() -> None:
    one = silence(ends_at="2026-03-27T01:00:00Z")
    assert [one.state(at(f"2026-03-{day}")) for day in ("26T23:00", "27T00:00", "27T00:59", "27T01:00")] == [
        "pending",
        "active",
        "active",
        "ended",
    ]


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"ends_at": START}, "after `starts_at`"),
        ({"ends_at": "2027-05-01T00:00:00Z"}, "366 days"),
        ({"matchers": []}, "would silence everything"),
        ({"matchers": ['a!="1"']}, "would silence everything"),
        ({"comment": ""}, "at least 1"),
        ({"everything": True}, "leave it out"),
        ({"matchers": [], "everything": True, "comment": "short"}, "at least 10"),
        ({"matchers": [], "everything": True, "comment": "a long reason"}, "24 hours"),
        ({"repeats": {"time_zone": "Berlin", "begin": "10:00", "end": "11:00"}}, "IANA"),
        ({"repeats": {"time_zone": BERLIN, "begin": "25:00", "end": "11:00"}}, "pattern"),
    ],
)
def test_a_silence_that_can_not_be_meant_is_refused(more: dict[str, Any], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        silence(**more)


def facts(severity: str = "error", service: str = "", **labels: str) -> dict[str, str]:
    return facts_of(labels, {}, title="t", severity=severity, service=service, integration="", kind="", key="")


def test_services_and_tags_choose_and_matchers_narrow() -> None:
    services = {1: ("checkout", ("rack-7",)), 2: ("orders", ("rack-8",)), 3: ("web", ("rack-7", "eu"))}
    ready = made_ready(9, silence(service_ids=["2"], tags=["rack-7"]), services)
    on = {
        name
        for name in ("checkout", "orders", "web", "")
        if all(m.matches(facts(service=name, a="1")) for m in ready.matchers)
    }
    assert on == {"checkout", "orders", "web"}
    assert not all(one.matches(facts(service="web", a="2")) for one in ready.matchers)
    nobody = made_ready(9, silence(tags=["gone"]), services)
    assert not all(one.matches(facts(service="web", a="1")) for one in nobody.matchers)


def test_of_several_silences_the_one_that_lasts_longest_is_told() -> None:
    short, long = silence(ends_at="2026-03-27T01:00:00Z"), silence(name="long", ends_at="2026-03-27T02:00:00Z")
    ready = tuple(made_ready(place, one, {}) for place, one in enumerate((short, long), start=1))
    book = Book(silences=ready, index=Index([one.matchers for one in ready]))
    found = book.silenced(facts(a="1"), at(START[:-1]))
    assert found is not None
    assert (found.id, iso(found.until)) == (2, "2026-03-27T02:00:00.000Z")
    assert book.silenced(facts(a="2"), at(START[:-1])) is None
    assert book.silenced(facts(a="1"), at("2026-03-27T02:00:00")) is None


def rule(source: str, target: str, *equal: str) -> Inhibiting:
    said = {"name": "r", "source": [source], "target": [target], "equal": equal}
    return Inhibiting.of(1, Inhibition.model_validate(said))


def inhibits(one: Inhibiting, source: dict[str, str], target: dict[str, str]) -> bool:
    """As the look-up in the database decides it."""
    known = Inhibitions([one])
    return any(
        mine.digest == theirs.digest and not (mine.mutual and theirs.mutual)
        for mine in known.as_target(target)
        for theirs in known.as_source(source)
    )


NODE = rule('alertname="Node"', 'alertname=~"Pod.*"', "cluster", "node")


@pytest.mark.parametrize(
    ("one", "source", "target", "holds"),
    [
        (NODE, {"alertname": "Node", "node": "1"}, {"alertname": "Pod", "node": "1"}, True),
        (NODE, {"alertname": "Node", "node": "1"}, {"alertname": "Pod", "node": "2"}, False),
        (NODE, {"alertname": "Node"}, {"alertname": "Pod"}, True),  # missing on both sides is the same
        (NODE, {"alertname": "Node", "node": "1"}, {"alertname": "Pod"}, False),
        (
            NODE,
            {"alertname": "Node", "cluster": "a", "node": "bc"},
            {"alertname": "Pod", "cluster": "ab", "node": "c"},
            False,
        ),
        (NODE, {"alertname": "Pod", "node": "1"}, {"alertname": "Pod", "node": "1"}, False),
        (rule('s="1"', 't="1"'), {"s": "1", "t": "1"}, {"s": "1", "t": "1"}, False),  # both are both
        (rule('s="1"', 't="1"'), {"s": "1"}, {"s": "1", "t": "1"}, True),
        (rule('s="1"', 't="1"'), {"s": "1", "t": "1"}, {"t": "1"}, True),
    ],
)
def test_inhibition_means_what_alertmanagers_does(
    one: Inhibiting, source: dict[str, str], target: dict[str, str], holds: bool
) -> None:
    assert inhibits(one, source, target) is holds


@pytest.mark.parametrize(
    ("target", "source", "holds"),
    [
        ("Shop", "db", True),  # through orders; a name in any case
        ("shop", "orders", True),
        ("orders", "shop", False),  # what is above explains nothing below
        ("shop", "shop", False),
        ("mail", "db", False),
        ("unknown", "db", False),
    ],
)
def test_what_is_down_explains_what_needs_it(target: str, source: str, holds: bool) -> None:
    said = {"name": "r", "source": ['alertname="Down"'], "target": ['alertname="Slow"'], "needs": "service"}
    one = Inhibiting.of(1, Inhibition.model_validate(said))
    known = Inhibitions([one], {"shop": ["Orders"], "orders": ["db", "cache"], "mail": ["cache"]})
    mine = {side.digest for side in known.as_target({"alertname": "Slow", "service": target})}
    (theirs,) = known.as_source({"alertname": "Down", "service": source})
    assert (theirs.digest in mine) is holds


def test_of_a_service_that_needs_very_many_the_nearest_are_asked() -> None:
    calls = {f"s{place}": [f"s{place + 1}"] for place in range(1_000)}
    needed = Inhibitions((), calls).needed("s0")
    assert (len(needed), needed[0], needed[-1]) == (100, "s1", "s100")


def test_a_quiet_incident_says_why_and_is_asked_again_when_the_first_reason_ends() -> None:
    reasons = [
        Reason("silence", 1, 5 * HOUR, "silence 's'"),
        Reason("silence", 1, 5 * HOUR, "silence 's'"),
        Reason("inhibition", 7, 1 * HOUR, "inhibited by 'Node'"),
    ]
    found = quieted(reasons)
    assert found.says == "inhibited by 'Node'; silence 's'"
    assert (
        quieted([*reversed(reasons), *reasons]).says == found.says
    )  # more alerts for the same reasons say nothing new
    assert (found.until, found.inhibitor) == (HOUR, 7)
    assert found.detail["causes"] == [{"cause": "inhibition", "id": "7"}, {"cause": "silence", "id": "1"}]
    assert quieted(reasons[:1]).says == "silence 's'"
    many = quieted([Reason("hold", 0, 1, f"r{one}") for one in range(5)])
    assert many.says.endswith("; and 2 more reasons")


def test_a_hold_ends() -> None:
    alert = OpenAlert(1, {}, hold_until=10, said="rule 'r' holds its page for 5 s")
    assert why_held(alert, 9) is not None
    assert why_held(alert, 10) is None
    assert ended(2, 5) == "nothing keeps it quiet any more: 2 of 5 alerts still fire; 3 resolved meanwhile"


@pytest.mark.parametrize("text", ['a="1"', 'a!="1"', 'a=~"x.*"', 'a!~"x.*"'])
def test_matchers_go_to_alertmanager_and_back(text: str) -> None:
    said = said_matcher(parse(text))
    assert str(matcher_of(said)) == text
    assert matcher_of({"name": "a", "value": "1", "isRegex": False}) == matcher(
        "a", "=", "1"
    )  # as older clients send it

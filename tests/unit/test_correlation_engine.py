"""Which alerts belong together, and why: the engine by itself."""

from __future__ import annotations

import random
from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.clock import HOUR, MINUTE, SECOND, Micros
from app.correlation import correction, engine, live, rates, recent
from app.correlation import state as states
from app.correlation.echo import Echo, Said, known_of
from app.correlation.engine import Placement
from app.correlation.entities import Facets, facets
from app.correlation.graph import NO_GRAPH, Graph
from app.correlation.score import Match
from app.correlation.state import State
from app.sources.event import Event

START = 1_767_571_200 * SECOND


class Day:
    """Alerts one after another, on one engine."""

    def __init__(self, graph: Graph = NO_GRAPH, state: State | None = None) -> None:
        self.state = state or State()
        self.now = START
        self.ids = count(1)
        self.graph = graph
        self.told: list[tuple[Facets, Placement, Micros]] = []
        self.echo: Echo | None = None

    def fires(
        self, check: str, *, after_s: float = 5, text: str = "", scope: int = 0, owner: str = "", **labels: str
    ) -> Placement:
        self.now += int(after_s * SECOND)
        severity = labels.pop("severity", "critical")
        event = Event(
            "firing",
            "k",
            check,
            severity,
            {"alertname": check, **labels},
            {"description": text},  # type: ignore[arg-type]
        )
        said = facets(event, repr((check, sorted(labels.items()))), "sender", owner)
        placement = engine.decide(
            self.state, said, scope, self.now, self.ids.__next__, graph=self.graph, echo=self.echo
        )
        self.told.append((said, placement, self.now))
        return placement


def _together(one: Placement, other: Placement) -> bool:
    return one.incident_id == other.incident_id


@pytest.mark.parametrize(
    ("one", "other", "name"),
    [
        ({"host": "db-3"}, {"host": "db-3.eu.example.net"}, "same_host"),
        ({"pod": "cart-6d4b75cb6d-hx2p9"}, {"pod": "cart-6d4b75cb6d-hx2p9"}, "same_pod"),
        ({"service": "cart", "cluster": "a"}, {"app": "cart", "cluster": "a"}, "same_at"),
        ({"queue": "orders.in"}, {"topic": "orders.in"}, "same_queue"),
        ({"peer_service": "cardnet", "service": "a"}, {"provider": "cardnet", "service": "b"}, "same_party"),
    ],
)
def test_the_same_thing_seen_by_two_checks_is_one_incident(
    one: dict[str, str], other: dict[str, str], name: str
) -> None:
    day = Day()
    first = day.fires("SlowQueries", **one)
    second = day.fires("Unreachable", after_s=240, **other)
    assert _together(first, second)
    assert second.name == name


def test_what_has_nothing_in_common_stays_apart() -> None:
    day = Day()
    one = day.fires("Slow", service="cart", cluster="a")
    other = day.fires("DiskFull", after_s=240, host="db-9", cluster="b")
    assert not _together(one, other)
    assert other.opened
    assert "nothing" in other.sentence


def test_a_join_says_its_top_reasons_in_one_sentence() -> None:
    day = Day()
    day.fires("Slow", host="db-3", cluster="otter")
    said = day.fires("Down", after_s=40, host="db-3", cluster="otter").sentence
    assert said == "0.93: the same host db-3; 40 s after its last alert in otter"


def test_text_that_names_what_failed_ties_a_caller_to_it() -> None:
    day = Day()
    day.fires("Down", service="orders-db", cluster="a")
    caller = day.fires("HighErrorRate", after_s=90, service="cart", cluster="b", text="Calls to orders-db fail.")
    assert caller.name == "names_member"


def test_evidence_fades() -> None:
    day = Day()
    day.fires("Slow", host="db-3")
    assert day.fires("Down", after_s=3 * 3600, host="db-3").opened


def test_a_chatty_host_proves_less_than_a_silent_one() -> None:
    day = Day()
    for _ in range(60):
        day.fires("Cpu", after_s=120, host="chatty-host", cluster="a")
    day.now += HOUR * 2
    chatty = day.fires("Disk", host="chatty-host", cluster="a")
    silent = day.fires("Disk", host="silent", cluster="b", after_s=600)
    after_chatty = day.fires("Net", after_s=300, host="chatty-host", cluster="c")
    after_silent = day.fires("Net2", after_s=0, host="silent", cluster="d")
    assert (chatty.opened, silent.opened) == (True, True)
    assert after_silent.score > after_chatty.score


def test_surprise_is_what_is_left_of_evidence() -> None:
    known = rates.Rates()
    assert rates.surprise(known.per_micro("host:x", START), HOUR) == 1.0
    for minute in range(60):
        known.count(["host:x"], START + minute * MINUTE)
    often = known.per_micro("host:x", START + HOUR)
    assert rates.surprise(often, 10 * MINUTE) < 0.01 < rates.surprise(often, 0)


def test_a_large_incident_attracts_weakly_outside_its_region() -> None:
    day = Day()
    for one in range(8):
        day.fires("Down", after_s=1, host=f"h{one}", cluster="a", region="eu", text="uplink-9 is lost")
    day.now += 3 * MINUTE
    far = day.fires("Slow", host="far", cluster="z", region="us", text="after uplink-9 was lost")
    assert far.opened


def test_a_declared_service_ties_who_names_it_to_who_came_by_its_integration() -> None:
    """In both orders; a service that owns everything and that no alert names ties nothing."""
    named = Event("firing", "k", "Errors", "critical", {"job": "checkout", "cluster": "eu"})
    script = Event("firing", "k", "Refused", "critical", {"host": "payments-1"})
    other = Event("firing", "k", "Disk", "critical", {"host": "db-1"})
    for owner, events, joined in (
        ("Checkout", (named, script), True),
        ("Checkout", (script, named), True),
        ("Checkout", (script, other), False),
        ("Everything", (named, script), False),
    ):
        state, ids = State(), count(1)
        placements = [
            engine.decide(state, facets(one, one.title, one.title, owner), 0, START + place * SECOND, ids.__next__)
            for place, one in enumerate(events)
        ]
        assert _together(*placements) is joined, (owner, events)
        assert placements[1].name == ("same_owner" if joined else "first")


def test_people_of_another_policy_are_told_of_their_own_incident() -> None:
    day = Day()
    one = day.fires("Slow", host="db-3", scope=1)
    assert not _together(one, day.fires("Down", host="db-3", scope=2))


def test_alerts_that_tie_two_young_incidents_merge_them_and_the_urgent_one_stays() -> None:
    day = Day()
    one = day.fires("Slow", host="db-3", cluster="a", severity="warning")
    other = day.fires("Down", after_s=100, service="cart", cluster="b")
    assert not _together(one, other)
    tie = day.fires("Errors", after_s=100, host="db-3", service="cart", cluster="b")
    assert [(made.into, made.gone) for made in tie.merges] == [(other.incident_id, one.incident_id)]
    assert _together(tie, other)


def test_old_incidents_are_not_merged() -> None:
    day = Day()
    day.fires("Slow", host="db-3", cluster="a")
    day.fires("Down", after_s=5, service="cart", cluster="b")
    day.now += 6 * MINUTE
    assert not day.fires("Errors", host="db-3", service="cart", cluster="b").merges


def test_a_declared_call_ties_who_calls_to_what_failed_a_moment_before_and_is_not_enough_alone() -> None:
    calls = Graph({"Cart": ["orders-db"], "Mail": ["orders-db"]})

    def second(graph: Graph, service: str, after_s: float) -> Placement:
        day = Day(graph)
        day.fires("Down", service="orders-db", cluster="a")
        return day.fires("Errors", after_s=after_s, service=service, cluster="a")

    assert second(NO_GRAPH, "cart", 30).opened
    assert second(calls, "cart", 30).name == "calls"
    assert second(calls, "cart", 240).opened
    assert second(calls, "search", 30).opened
    siblings = Day(calls)
    siblings.fires("Slow", service="mail", cluster="a")
    assert siblings.fires("Errors", service="cart", cluster="a").opened


def test_a_flapping_alert_stays_in_its_incident() -> None:
    day = Day()
    first = day.fires("Probe", host="x")
    assert all(_together(first, day.fires("Probe", after_s=600, host="x")) for _ in range(12))


ALERTS = st.lists(
    st.tuples(
        st.sampled_from(["Slow", "Down", "Errors", "PodCrash", "NodeDown", "DnsFail"]),
        st.integers(0, 400),
        st.sampled_from(["cart", "orders-db", "pay"]),
        st.sampled_from(["n-1", "n-2", "db-1"]),
        st.sampled_from(["a", "b"]),
    ),
    max_size=40,
)


def _told(alerts: list[tuple[str, int, str, str, str]]) -> Day:
    day = Day()
    for check, after_s, service, host, cluster in alerts:
        text = f"while {service} fails on {host}"
        day.fires(check, after_s=after_s, service=service, host=host, cluster=cluster, text=text)
    return day


@settings(max_examples=60, deadline=None)
@given(ALERTS)
def test_same_stream_same_result_and_what_is_recalled_is_what_was_decided(
    alerts: list[tuple[str, int, str, str, str]],
) -> None:
    one, other = _told(alerts), _told(alerts)
    assert [placement for _, placement, _ in one.told] == [placement for _, placement, _ in other.told]
    recalled = State()
    for said, placement, at in one.told:
        merges = [(made.into, made.gone) for made in placement.merges]
        engine.recall(recalled, said, placement.incident_id, 0, at, merges)
    assert {key: set(having) for key, having in recalled.index.items()} == {
        key: set(having) for key, having in one.state.index.items()
    }


def _storm(seed: int, *, echoing: bool) -> list[tuple[int, bool, list[tuple[int, int]]]]:
    """Where alerts go that come many at one instant, some of things that nobody heard of: incident, opened, merges."""
    chance = random.Random(seed)
    day = Day()
    places = chance.choice([["a"], ["a", "b"], ["a", "b", "c", "d"]])
    for batch in range(chance.randrange(2, 7)):
        day.now += chance.choice([1, 20, 90, 300, 900, 5000]) * SECOND
        day.echo = Echo() if echoing else None
        for one in range(chance.randrange(1, 40)):
            known = chance.choice([{}, {}, {"service": chance.choice(["cart", "pay", "mail"])}, {"queue": "orders"}])
            host = chance.choice(["n-1", "db-1", *[f"new-{batch}x{one}"] * 6])
            text = chance.choice(["", "", "", "while cart fails", "db-1 is gone", f"without new-{batch}x{one + 3}"])
            check = chance.choice(["Slow", "Down", "NodeDown", "PodCrash"])
            severity = chance.choice(["critical", "warning"])
            scope = chance.randrange(20) // 18
            own = chance.choice(["", "cart", "pay"])
            labels = {"host": host, "cluster": chance.choice(places), "severity": severity, **known}
            day.fires(check, after_s=0, text=text, scope=scope, owner=own, **labels)
    return [(one.incident_id, one.opened, [made[:2] for made in one.merges]) for _, one, _ in day.told]


def test_what_is_known_by_the_same_things_goes_where_it_would_have_gone() -> None:
    for seed in range(60):
        assert _storm(seed, echoing=True) == _storm(seed, echoing=False), seed


def test_an_echo_is_heard_of_one_live_incident_that_is_not_about_to_be_merged() -> None:
    near, strong = Match(2, 0.69, ()), Match(3, 0.7, ())
    said = Said(1, 0.9, "same_host", "why", [near])
    echo = Echo()
    echo.keep("known", 1, said)
    echo.keep("tied", 1, said._replace(others=[near, strong]))
    echo.keep(None, 1, said)
    assert echo.get("known", {1, 2}) is said
    assert echo.get("known", {2}) is None
    assert echo.get("tied", {1}) is None
    assert echo.get(None, {1}) is None
    echo.keep(None, 2)
    assert echo.get("known", {1, 2}) is None


def test_a_burst_that_begins_is_something_else_to_be_known_by() -> None:
    day = Day()
    known = []
    for one in range(12):
        day.fires("Down", after_s=0, cluster="a", host=f"host-of-{one}x")
        event = Event("firing", "k", "Down", "critical", {"host": "fresh", "cluster": "a"})
        known.append(known_of(day.state, day.state.see(facets(event, "new", "sender")), 0, old_news=False))
    assert len(set(known)) == 2
    assert known[0] != known[-1]


def _known(day: Day, *, old_news: bool = False, **labels: str) -> object:
    event = Event("firing", "k", "NobodyHeardOf", "critical", labels)  # type: ignore[arg-type]
    return known_of(day.state, day.state.see(facets(event, "new", "sender")), 0, old_news=old_news)


def test_what_a_glance_does_not_tell_is_weighed() -> None:
    day = Day()
    day.fires("Down", cluster="a", host="db-1")
    assert _known(day, cluster="a", host="fresh") is not None
    assert _known(day, cluster="a", host="fresh") != _known(day, cluster="b", host="fresh")
    assert _known(day, cluster="a", host="fresh") != _known(day, cluster="a", host="fresh", old_news=True)
    # A service that nobody has named yet may be declared, and own an integration that an alert came by.
    assert _known(day, cluster="a", service="fresh") is None
    day.state.index["says:host:fresh"] = {1: None}
    assert _known(day, cluster="a", host="fresh") is None


def test_what_a_person_put_somewhere_ends_the_echo() -> None:
    """The incident it was put into speaks for the next one as well now, and is the older."""
    day = Day()
    elsewhere = day.fires("Slow", service="mail", cluster="z")
    day.echo = Echo()
    told = [day.fires("Down", after_s=0, cluster="a", host=f"host-of-{one}x") for one in range(3)]
    assert not _together(elsewhere, told[-1])
    moved = {"cluster": "a", "host": "moved"}
    day.state.pin(repr(("Down", sorted(moved.items()))), elsewhere.incident_id)
    assert day.fires("Down", after_s=0, cluster="a", host="moved").name == "pinned"
    assert _together(elsewhere, day.fires("Down", after_s=0, cluster="a", host="host-of-9x"))


def test_in_a_storm_most_alerts_are_not_weighed_again() -> None:
    day = Day()
    day.echo = Echo()
    day.fires("Down", cluster="a", host="first")
    day.fires("Down", after_s=0, cluster="a", host="second")
    told = [day.fires("Down", after_s=0, cluster="a", host=f"host-of-{one}x") for one in range(20)]
    assert len({id(one.sentence) for one in told[10:]}) == 1


@settings(max_examples=40, deadline=None)
@given(ALERTS)
def test_the_index_names_exactly_the_incidents_that_live(alerts: list[tuple[str, int, str, str, str]]) -> None:
    state = _told(alerts).state
    assert state.known == sum(len(one.members) for one in state.live.values())
    indexed = {incident_id for having in state.index.values() for incident_id in having}
    assert indexed == set(state.live)
    for incident_id in list(state.live):
        state.drop(incident_id)
    assert not state.index


def test_a_storm_of_distinct_alerts_is_remembered_within_bounds() -> None:
    day = Day()
    for one in range(states.MAX_LIVE + 200):
        day.fires(f"Check{one}", after_s=0.3, host=f"host-of-{one}x", cluster=f"c{one}")
    assert len(day.state.live) <= states.MAX_LIVE
    assert max(len(one.members) for one in day.state.live.values()) <= live.MAX_MEMBERS


def test_one_incident_in_thousands_of_places_is_remembered_within_bounds() -> None:
    day = Day()
    for one in range(states.MAX_PLACES + 100):
        day.fires("Unreachable", after_s=0.01, host="core-switch", cluster=f"c{one}")
    assert len(day.state.live) == 1
    assert len(next(iter(day.state.live.values())).places) == live.MAX_MEMBERS
    assert len(day.state.bursts) == states.MAX_PLACES
    assert len(day.state.index) < 2 * live.MAX_MEMBERS + 10


def test_of_too_many_entities_those_of_the_quietest_incident_are_forgotten() -> None:
    day = Day(state=State(most_known=100))
    placed = [day.fires(f"Check{one}", host=f"host-of-{one}x", cluster=f"c{one}") for one in range(60)]
    members = sum(len(one.members) for one in day.state.live.values())
    assert day.state.known == members <= 104
    assert placed[-1].incident_id in day.state.live
    assert placed[0].incident_id not in day.state.live


def test_the_last_half_of_what_was_seen_is_known_and_never_more_than_the_bound() -> None:
    names = recent.Recent[int](100)
    for one in range(1_000):
        names.put(f"n{one}", one)
        assert len(names) <= 100
    assert all(names.get(f"n{one}") == one for one in range(950, 1_000))
    assert names.get("n0") is None


def test_what_a_person_moved_stays_moved_and_draws_its_like() -> None:
    day = Day()
    one = day.fires("Slow", host="db-3", service="cart", cluster="a")
    other = day.fires("Down", host="db-3", service="orders", cluster="a")
    assert _together(one, other)
    said = day.told[-1][0]
    correction.move(day.state, [said], one.incident_id, 77, 0, day.now)
    assert day.fires("Down", host="db-3", service="orders", cluster="a").incident_id == 77
    like = day.fires("Errors", after_s=200, service="orders", cluster="a")
    assert like.incident_id == 77
    assert _together(one, day.fires("Errors", service="cart", cluster="a"))
    assert not day.fires("Both", host="db-3", service="orders", cluster="a").merges


def test_what_a_person_merged_is_one() -> None:
    day = Day()
    one = day.fires("Slow", host="db-3", cluster="a")
    other = day.fires("Down", after_s=300, service="cart", cluster="b")
    correction.merge(day.state, other.incident_id, one.incident_id, 0, day.now)
    assert _together(one, day.fires("Errors", service="cart", cluster="b"))


def test_nothing_joins_a_pinned_incident_but_its_own_alerts() -> None:
    day = Day()
    one = day.fires("Slow", host="db-3")
    correction.seal(day.state, one.incident_id, sealed=True)
    assert day.fires("Down", host="db-3").opened
    back = day.fires("Slow", host="db-3")
    assert (back.incident_id, back.name) == (one.incident_id, "pinned")
    correction.seal(day.state, one.incident_id, sealed=False)
    assert not day.fires("Net", host="db-3").opened


def test_a_checks_name_and_the_time_never_join_two_declared_services() -> None:
    def second(one: str, other: str) -> Placement:
        day = Day()
        placements = []
        for owner in (one, other):
            event = Event("firing", "k", "Down", "critical", {"alertname": "Down"})
            said = facets(event, owner, "sender", owner)
            placements.append(engine.decide(day.state, said, 0, day.now, day.ids.__next__))
        return placements[1]

    assert second("cart", "pay").opened
    assert not second("cart", "cart").opened

"""Whom a policy reaches ahead of time: each kind of finding, its sentence, and that every instant is judged as it is."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.clock import DAY, HOUR, MINUTE, Micros
from app.oncall.resolve import on_call
from app.oncall.rota import Rota
from app.oncall.schedule import Schedule
from app.rota.gap_words import notice_text, sentence, warnings
from app.rota.reach import Contact, Facts, Finding, Lead, Lost, Named, OnDuty, Posted, reach, weight
from tests.harness.rotas import ANA, BEN, CLEO, ROLES, at, daily, override, situations, turning, window

START = at("2026-01-05T00:00:00Z")  # a Monday
END = START + 7 * DAY

GOOD, UNPROVED, MUTE = Contact("Ana", True, True), Contact("Ben", True, False), Contact("Cleo", False, False)
PEOPLE = {int(ANA): GOOD, int(BEN): UNPROVED, int(CLEO): MUTE}
DAYS = Rota.of(
    Schedule("Europe/Berlin", (daily("days", "2026-01-01", "08:00", ANA, only=(window("08:00", "20:00"),)),))
)
BENS = Rota.of(Schedule("Europe/Berlin", (daily("always", "2026-01-01", "08:00", BEN),)))
CLEOS = Rota.of(Schedule("Europe/Berlin", (daily("always", "2026-01-01", "08:00", CLEO),)))
PAIR = Rota.of(
    Schedule("UTC", (turning("pair", "day", (1,), "2026-01-01", "00:00", ANA, BEN, roles=("primary", "secondary")),))
)
NEVER = Rota.of(Schedule("UTC", ()))
ROTAS = {1: DAYS, 2: BENS, 3: CLEOS, 4: PAIR, 5: NEVER}
NAMES = {1: "Days", 2: "Bens", 3: "Cleos", 4: "Pair", 5: "Never"}
A, B, C, ROOM = Named((int(ANA),)), Named((int(BEN),)), Named((int(CLEO),)), Posted("room")


def facts(*levels: list[Lead], fallback: tuple[Lead, ...] = (), **more: Any) -> Facts:
    return Facts(
        tuple(map(tuple, levels)), fallback, **({"contacts": PEOPLE, "rotas": ROTAS, "schedules": NAMES} | more)
    )


def brief(found: Finding) -> str:
    return f"{found.kind} {(found.starts_at - START) / HOUR:g} {(found.ends_at - START) / HOUR:g}"


def test_where_somebody_proved_is_reached_there_is_nothing_to_say():
    assert reach(facts([A], [B]), START, END) == ()


def test_a_channel_is_somebody():
    assert reach(facts([ROOM]), START, END) == ()
    assert reach(facts([C], [ROOM, B]), START, END) == ()


def test_a_schedule_with_nights_off_is_a_gap_each_night_cut_at_the_ends():
    """08:00 to 20:00 in Berlin is 07:00 to 19:00 UTC."""
    found = reach(facts([OnDuty(1)]), START, START + 2 * DAY)
    assert [brief(one) for one in found] == ["nobody 0 7", "nobody 19 31", "nobody 43 48"]
    assert found[0].causes == ("level 1: nobody is on call in Days (no layer is active at this hour)",)
    assert {(one.caught, one.fallback) for one in found} == {(False, "there is no fallback")}


def test_an_override_closes_the_gap_it_covers():
    cover = override(1, "2026-01-05T19:00:00Z", "2026-01-06T01:00:00Z", ANA)
    covered = Rota.of(DAYS.eras[0].schedule, cover)
    found = reach(facts([OnDuty(1)], rotas={1: covered}), START, START + 2 * DAY)
    assert [brief(one) for one in found] == ["nobody 0 7", "nobody 25 31", "nobody 43 48"]


def test_another_level_that_reaches_somebody_closes_it_too():
    assert reach(facts([OnDuty(1)], [A, B]), START, END) == ()


def test_who_has_no_contact_method_reaches_nobody_and_is_named():
    (found,) = reach(facts([OnDuty(3), Lost("a channel in the policy was deleted")], [C]), START, END)
    assert brief(found) == "nobody 0 168"
    mute = "Cleo has no contact method that is enabled"
    assert found.causes == (f"level 1: a channel in the policy was deleted and {mute}; level 2: {mute}",)


def test_somebody_who_was_deleted_is_nobody():
    (found,) = reach(facts([Named((99,))]), START, END)
    assert found.causes == ("level 1: somebody who was deleted",)


@pytest.mark.parametrize(
    ("fallback", "caught", "says"),
    [
        ((), False, "there is no fallback"),
        ((C,), False, "the fallback reaches nobody either: Cleo has no contact method that is enabled"),
        (
            (OnDuty(5),),
            False,
            "the fallback reaches nobody either: nobody is on call in Never (the schedule has no layers)",
        ),
        ((B, ROOM), True, "the fallback is told: Ben, room"),
        ((OnDuty(2),), True, "the fallback is told: Ben"),
    ],
)
def test_it_is_said_whether_the_fallback_catches_a_gap(fallback, caught, says):
    (found,) = reach(facts([OnDuty(5)], fallback=fallback), START, END)
    assert (found.kind, found.caught, found.fallback) == ("nobody", caught, says)


def test_a_gap_is_cut_where_the_fallback_begins_to_catch_it():
    found = reach(facts([OnDuty(5)], fallback=(OnDuty(1),)), START, START + DAY)
    assert [(brief(one), one.caught) for one in found] == [
        ("nobody 0 7", False),
        ("nobody 7 19", True),
        ("nobody 19 24", False),
    ]


def test_only_unproved_people_are_a_finding_with_all_their_names():
    (found,) = reach(facts([OnDuty(2), B, C]), START, END)
    assert (found.kind, found.causes) == ("unverified", ("Ben",))
    found = reach(facts([OnDuty(4, "primary")]), START, END)
    # Ana, who is proved, has every other day.
    assert [brief(one) for one in found] == [f"unverified {day * 24} {day * 24 + 24}" for day in (1, 3, 5)]


def test_a_role_leads_to_those_who_have_it_only():
    (found,) = reach(facts([OnDuty(4, "tertiary")]), START, END)
    assert found.causes == ("level 1: nobody is on call as tertiary in Pair",)
    found = reach(facts([OnDuty(4, "primary")], [OnDuty(4, "secondary")]), START, END)
    assert found == ()


@pytest.mark.parametrize(
    ("levels", "is_one"),
    [
        (([A], [A]), True),
        (([A], [A, C]), True),
        (([OnDuty(1)], [A]), True),
        (([A],), False),
        (([A], [B]), False),
        (([A], [C]), False),
        (([A], [A, ROOM]), False),
        (([A, B], [A]), False),
    ],
)
def test_the_same_person_on_every_level_is_a_finding(levels, is_one):
    start = at("2026-01-05T09:00:00Z")
    found = reach(facts(*levels), start, start + HOUR)
    assert [(one.kind, one.causes) for one in found] == ([("same_person", ("Ana",))] if is_one else [])


def test_two_kinds_at_once_are_two_findings_the_worst_first():
    found = reach(facts([B], [OnDuty(2)]), START, END)
    assert [one.kind for one in found] == ["unverified", "same_person"]


def test_an_empty_interval_has_no_findings():
    assert reach(facts([C]), START, START) == ()


def test_sentences_are_on_the_clock_of_the_schedule():
    found = reach(facts([OnDuty(1)], fallback=(B,)), START, START + 2 * DAY)
    night, on = (sentence(one, "Europe/Berlin", START + 2 * DAY) for one in found[1:])
    rest = "nobody is reached: level 1: nobody is on call in Days (no layer is active at this hour); the fallback is told: Ben."
    assert night == f"Mon 5 Jan 20:00 to Tue 6 Jan 08:00, Berlin, {rest}"
    assert on == f"From Tue 6 Jan 20:00, Berlin, {rest}"


def test_a_warning_tells_the_first_of_a_kind_and_counts_the_rest():
    found = reach(facts([OnDuty(1)]), START, START + 3 * DAY)
    (said,) = warnings("Night", found, "UTC", START + 3 * DAY)
    assert said.startswith("Policy 'Night': Mon 5 Jan 00:00 to 07:00, UTC, nobody is reached")
    assert said.endswith("And 3 more such times until Thu 8 Jan 00:00, UTC.")


def test_a_notice_of_several_findings_counts_them_and_says_once_what_to_do():
    told = [("nobody", START + HOUR, "one."), ("nobody", START + DAY, "two."), ("unverified", START, "three.")]
    title, text = notice_text("Night", told, "UTC", START)
    assert title == "Nobody will be reached by policy 'Night' from Mon 5 Jan 01:00, UTC (3 findings)"
    assert text.splitlines()[:3] == ["- one.", "- two.", "- three."]
    assert len(text.splitlines()) == 5
    title, text = notice_text("Night", told[:1], "UTC", START + HOUR)
    assert title == "Nobody is reached by policy 'Night'"
    assert text.splitlines()[0] == "one."


def test_the_weight_of_a_rota_is_about_its_changes():
    """An edit lays out what is light only."""
    hourly = Rota.of(Schedule("UTC", (turning("h", "hour", (1,), "2026-01-01", "00:00", ANA, BEN),)))
    assert 700 < weight(hourly, START, START + 30 * DAY) < 800
    assert weight(PAIR, START, START + 30 * DAY) < 50
    assert 60 < weight(DAYS, START, START + 30 * DAY) < 120


def _reached(known: Facts, leads: tuple[Lead, ...], now: Micros) -> tuple[set[int], bool]:
    """Straight from who is on call at the instant."""
    people: set[int] = set()
    channel = False
    for lead in leads:
        match lead:
            case Posted():
                channel = True
            case Named(found):
                people |= set(found)
            case OnDuty(schedule, role):
                duties = on_call(known.rotas[schedule], now).people
                people |= {int(duty.person) for duty in duties if role in (None, duty.role)}
            case Lost():
                pass
    return {one for one in people if one in known.contacts and known.contacts[one].reachable}, channel


def _wrong(known: Facts, now: Micros) -> set[tuple[str, bool]]:
    levels = [_reached(known, level, now) for level in known.levels]
    if not any(people or channel for people, channel in levels):
        people, channel = _reached(known, known.fallback, now)
        return {("nobody", bool(people or channel))}
    everybody = set().union(*(people for people, _ in levels))
    if any(channel for _, channel in levels):
        return set()
    found = set()
    if not any(known.contacts[one].verified for one in everybody):
        found.add(("unverified", False))
    if len(levels) > 1 and all(people == everybody for people, _ in levels) and len(everybody) == 1:
        found.add(("same_person", False))
    return found


_leads = st.one_of(
    st.builds(OnDuty, st.just(1), st.none() | st.sampled_from(ROLES)),
    st.builds(OnDuty, st.just(1), st.none() | st.sampled_from(ROLES)),
    st.sampled_from((A, B, C, Lost("gone"))),
)
_contacts = st.dictionaries(
    st.integers(1, 5), st.builds(lambda up, ok: Contact("x", up, up and ok), st.booleans(), st.booleans())
)


@settings(max_examples=300, deadline=None)
@given(
    situations(),
    st.lists(st.lists(_leads, min_size=1, max_size=2).map(tuple), min_size=1, max_size=3),
    st.lists(_leads, max_size=1),
    _contacts,
    st.lists(st.integers(0, 192 * 60), max_size=30),
)
def test_every_instant_is_judged_as_it_is(situation, levels, fallback, contacts, minutes):
    """Inside a finding it is so by who is on call at that instant, and outside it is not; findings of a kind never touch."""
    rota, start, end = situation
    known = Facts(tuple(levels), tuple(fallback), contacts, {1: rota}, {1: "Any"})
    found = reach(known, start, end)
    edges = {edge for one in found for edge in (one.starts_at, one.ends_at - 1, one.ends_at, one.starts_at - 1)}
    for now in sorted({start + minute * MINUTE for minute in minutes} | edges):
        if start <= now < end:
            told = {(one.kind, one.caught) for one in found if one.starts_at <= now < one.ends_at}
            assert told == _wrong(known, now), now
    assert all(start <= one.starts_at < one.ends_at <= end for one in found)
    for kind in ("nobody", "unverified", "same_person"):
        of_kind = [one for one in found if one.kind == kind]
        for one, other in pairwise(of_kind):
            assert one.ends_at < other.starts_at or (one.ends_at == other.starts_at and one.caught != other.caught)

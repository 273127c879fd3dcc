"""What holds of any rotation and any absences, for a few thousand of them: nobody is lost, nothing owed is forgotten."""

from collections import Counter
from dataclasses import replace
from datetime import date, timedelta
from itertools import pairwise
from random import Random

import pytest

from app.clock import DAY, HOUR, to_datetime
from app.oncall.resolve import on_call, standings
from app.oncall.rota import Away, ByLayer, Era, Rota
from app.oncall.rotation import owners, turn_at, turn_start
from app.oncall.schedule import Layer, Limits, Schedule
from app.oncall.shifts import gaps, shifts
from app.oncall.turns import plans
from app.oncall.walltime import instant, walls, zone
from tests.harness.rotas import ANA, BEN, CLEO, DAN, EVA, ROLES, ZONES, at, clock, window

PEOPLE = (ANA, BEN, CLEO, DAN, EVA)
START = at("2026-03-01T00:00:00Z")
ROUNDS = range(150)
"""Times eight of each below; numbered, so that one that fails can be looked at again."""


def any_layer(rng, name="layer"):
    people = [rng.choice(PEOPLE) for _ in range(rng.randint(1, 6))]
    unit = rng.choice(("hour", "day", "day", "week", "week", "month"))
    lengths = [rng.randint(1, 3) * (6 if unit == "hour" else 1) for _ in range(rng.choice((1, 1, 2, 3)))]
    only = rng.choice(((), (), (), (window("22:00", "06:00"),), (window("09:00", "17:00", 0, 1, 2, 3, 4),)))
    at_once = rng.choice((1, 1, 2, 3))
    return Layer(
        name,
        tuple(people),
        unit,
        tuple(lengths),
        date(2026, 3, 1) + timedelta(days=rng.randint(-40, 10)),
        clock(rng.choice(("00:00", "02:30", "10:00", "23:30"))),
        only,
        START + rng.randint(0, 30) * DAY if rng.random() < 0.1 else None,
        START + rng.randint(31, 60) * DAY if rng.random() < 0.1 else None,
        tuple(rng.choice(ROLES) for _ in range(min(at_once, len(set(people))))),
        rng.randint(1, 3),
    )


def any_absences(rng, most=8):
    made = []
    for _ in range(rng.randint(0, most)):
        starts_at = START + rng.randint(-10 * 24, 70 * 24) * HOUR
        length = rng.choice((1, 8, 24, 24, 48, 72, 7 * 24, 7 * 24, 14 * 24, 30 * 24, 40 * 24)) * HOUR
        made.append(Away(rng.choice(PEOPLE), starts_at, starts_at + length, rng.choice("ab"), rng.random() < 0.2))
    return tuple(made)


def any_rota(seed, eras=1):
    rng = Random(seed)
    borders = [0, *sorted(START + rng.randint(0, 60 * 24) * HOUR for _ in range(eras - 1)), None]
    layer, made = any_layer(rng), []
    zone_name, limits = rng.choice(ZONES), Limits(rng.choice((None, 0, 2, 3)))
    for since, until in pairwise(borders):
        made.append(Era(since, until, Schedule(zone_name, (layer,), limits)))
        other = any_layer(rng)
        kept = replace(layer, participants=(*layer.participants[1:], rng.choice(PEOPLE), *layer.participants))
        layer = rng.choice((layer, kept, other))
    return Rota(
        tuple(era for era in made if era.ends_at is None or era.starts_at < era.ends_at), away=any_absences(rng)
    )


def absent(rota, person, start, end, *, soft=False):
    """Whether the person has an absence, looked up without the planner."""
    return any(
        one.person == person and one.starts_at < end and start < one.ends_at and (soft or not one.soft)
        for one in rota.away
    )


def blocks_of(layer, rules, turn):
    """(block, start, end) of each block of the turn with what the layer is active in it, without the planner."""
    day, begun, ended = timedelta(days=1), turn_start(layer, turn), turn_start(layer, turn + 1)
    count = -((begun - ended) // day)
    return [(begun + place * day, min(begun + (place + 1) * day, ended)) for place in range(count)]


@pytest.mark.parametrize("eighth", range(8))
def test_nobody_who_is_away_is_on_call_while_somebody_else_could_be(eighth):
    """And a turn's people are all different, outside of repeated hours."""
    for number in ROUNDS:
        rota = any_rota(number * 8 + eighth)
        (layer,), rules = rota.eras[0].schedule.layers, zone(rota.eras[0].schedule.time_zone)
        rng = Random(number)
        for _ in range(25):
            moment = START + rng.randint(0, 70 * 24 * 4) * HOUR // 4
            last, first = walls(rules, moment)
            duties = on_call(rota, moment).people
            if last != first or not duties:
                continue
            assert len({duty.person for duty in duties}) == len(duties) == len(layer.roles)
            turn = turn_at(layer, first)
            for duty in duties:
                if not absent(rota, duty.person, moment, moment + 1):
                    continue
                assert duty.why.how == "nobody_else"
                others = set(layer.participants) - set(owners(layer, turn)) - {other.person for other in duties}
                begun = turn_start(layer, turn)
                block = begun + (first - begun) // timedelta(days=1) * timedelta(days=1)
                ends = min(block + timedelta(days=1), turn_start(layer, turn + 1))
                for other in others:
                    assert absent(rota, other, instant(rules, block), instant(rules, ends)) or busy(
                        rota, layer, turn, other
                    )


def busy(rota, layer, turn, person):
    """Whether somebody has something to do in the turn already."""
    return any(stint.person == person for stint in plans(rota, 0)[layer.name].stints(turn))


@pytest.mark.parametrize("eighth", range(8))
def test_from_any_standing_on_the_future_is_the_same(eighth):
    """Settling is writing down, and forgetting all else: who is on call later never depends on when it was done."""
    for number in ROUNDS[::4]:
        rota = any_rota(10_000 + number * 8 + eighth, eras=1 + number % 3)
        end = START + 80 * DAY
        expected = shifts(rota, START, end)
        rng = Random(number)
        known = rng.random() < 0.5
        settled = rota
        cuts = [START + rng.randint(1, 75 * 24 * 4) * HOUR // 4 for _ in range(2)]
        for cut in sorted((*cuts, *(era.starts_at for era in rota.eras if era.starts_at > START))):
            settled = replace(
                settled,
                record=shifts(settled, START, cut),
                standings=standings(settled, cut),
                settled_until=cut,
            )
            settled = replace(
                settled,
                eras=tuple(era for era in rota.eras if known or era.ends_at is None or era.ends_at >= cut),
                away=tuple(one for one in rota.away if one.ends_at > cut - 100 * DAY),
            )
            assert shifts(settled, START, end) == expected
            assert gaps(settled, cut, end) == gaps(rota, cut, end)
            assert standings(settled, end) == standings(rota, end)


@pytest.mark.parametrize("eighth", range(8))
def test_absences_that_are_further_off_than_the_longest_turn_change_nothing(eighth):
    """So it is enough to load what touches the turns of an interval, however long the interval is."""
    for number in ROUNDS[::2]:
        rota = any_rota(15_000 + number * 8 + eighth)
        (layer,) = rota.eras[0].schedule.layers
        reach = max(layer.lengths) * {"hour": 1, "day": 1, "week": 7, "month": 31}[layer.unit] * DAY + 2 * DAY
        cut = START + Random(number).randint(0, 70 * 24) * HOUR
        settled = replace(rota, settled_until=cut, standings=standings(rota, cut))
        near = (one for one in rota.away if one.ends_at > cut - reach and one.starts_at < cut + 1 + reach)
        assert on_call(replace(settled, away=tuple(near)), cut) == on_call(rota, cut)


def owed_and_paid(rota, layer, last):
    """What each standing lists: nothing appears or goes without a turn in which it was handed over or paid back."""
    plan = plans(rota, 0).get(layer.name)
    if plan is None:
        return
    before = plan.standing(1).debts
    for turn in range(1, last):
        stints, after = plan.stints(turn), plan.standing(turn + 1).debts
        for debt in before:
            paid = [
                s for s in stints if (s.how, s.person, s.because) == ("pays_back", debt.debtor, f"turn {debt.turn}")
            ]
            still = [d for d in after if (d.debtor, d.creditor, d.turn) == (debt.debtor, debt.creditor, debt.turn)]
            assert paid or still == [debt]
            assert len(still) <= 1
        for debt in after:
            if debt.turn == turn:
                assert any((s.how, s.person) == ("stands_in", debt.creditor) for s in stints)
                assert owners(layer, turn).count(debt.debtor) == 1
        assert {d.turn for d in after} <= {d.turn for d in before} | {turn}
        before = after


@pytest.mark.parametrize("eighth", range(8))
def test_what_is_owed_is_listed_until_it_is_paid(eighth):
    for number in ROUNDS:
        rota = any_rota(20_000 + number * 8 + eighth)
        (layer,) = rota.eras[0].schedule.layers
        owed_and_paid(rota, layer, min(60, max(2, turn_at(layer, to_datetime(START + 80 * DAY).replace(tzinfo=None)))))


@pytest.mark.parametrize("eighth", range(8))
def test_when_all_is_paid_back_everybody_has_served_what_the_rotation_gave_them(eighth):
    """Of rotations in which all can be paid back: somebody is free in each turn, and nobody misses more than they may owe."""
    compared = 0
    for number in ROUNDS:
        rng = Random(30_000 + number * 8 + eighth)
        people = list(PEOPLE[: rng.randint(3, 5)])
        rng.shuffle(people)
        unit, length = rng.choice((("hour", 12), ("day", 1), ("day", 3), ("week", 1), ("week", 2)))
        roles = ROLES[: rng.choice((1, 1, 2)) if len(people) > 3 else 1]
        day = date(2026, 3, 2)
        layer = Layer("layer", tuple(people), unit, (length,), day, clock("10:00"), roles=roles)
        turn_length = {"hour": HOUR, "day": DAY, "week": 7 * DAY}[unit] * length
        absences = []
        for person in people:
            starts_at = START + rng.randint(0, 20 * 12) * HOUR * 2
            most = max(1, min(30 * DAY, len(people) * turn_length) // HOUR)
            if rng.random() < 0.7:
                absences.append(Away(person, starts_at, starts_at + rng.randint(1, most) * HOUR, "on leave"))
        rota = Rota.of(Schedule("UTC", (layer,)), away=tuple(absences))
        last = 10 * len(people) + 1 + (60 * DAY) // turn_length
        plan = plans(rota, 0).get("layer")
        kept = plan and any(s.how == "nobody_else" for turn in range(1, last) for s in plan.stints(turn))
        if plan is None or kept:
            continue
        assert plan.standing(last).debts == ()
        served, given = Counter(), Counter()
        for turn in range(1, last):
            blocks = blocks_of(layer, zone("UTC"), turn)
            for place in range(len(blocks)):
                have = list(owners(layer, turn))
                given.update(have)
                for stint in plan.stints(turn):
                    if stint.first <= place < stint.until:
                        have[stint.role] = stint.person
                served.update(have)
        assert served == given
        compared += 1
    assert compared > len(ROUNDS) // 3


def test_what_the_planner_says_is_what_is_on_call():
    """The stints of the plan, laid over the rotation, are the duties of the instant: block by block."""
    for seed in range(100):
        rota = any_rota(40_000 + seed)
        (layer,), rules = rota.eras[0].schedule.layers, zone(rota.eras[0].schedule.time_zone)
        plan = plans(rota, 0).get(layer.name)
        for turn in range(1, 12):
            for place, (since, until) in enumerate(blocks_of(layer, rules, turn)):
                moment = instant(rules, since + (until - since) / 2)
                last, first = walls(rules, moment)
                expected = list(owners(layer, turn))
                for stint in plan.stints(turn) if plan else ():
                    if stint.first <= place < stint.until:
                        expected[stint.role] = stint.person
                duties = on_call(rota, moment).people
                if duties and last == first and turn_at(layer, first) == turn:
                    assert Counter(duty.person for duty in duties) == Counter(expected)
                    assert all(isinstance(duty.why, ByLayer) and duty.why.turn == turn for duty in duties)

"""The pure rules of overrides and of taking over: what lies over what, what the schedule answers, whose place it is."""

from __future__ import annotations

from datetime import date, time
from typing import Any

import pytest

from app.clock import DAY, HOUR, Micros
from app.ids import PersonId
from app.oncall.rota import Rota
from app.oncall.schedule import PRIMARY, BadField, Layer, Override, OverrideId, Restriction, Schedule
from app.rota.cover import FURTHEST, LONGEST, TakeOver, advice, misplaced, roles_of, taken, touch
from app.store.resources import Refused

ANA, BEN, CAT, DAN = (PersonId(number) for number in (1, 2, 3, 4))
NAMES = {1: "Ana", 2: "Ben", 3: "Cat", 4: "Dan"}
NOW: Micros = 1_767_571_200_000_000
"""2026-01-05T00:00:00Z, a Monday."""
OFFICE = (Restriction(frozenset(range(7)), time(9), time(17)),)


def override(
    person: PersonId, replaces: PersonId | None = None, role: str | None = None, start_h: int = 1, end_h: int = 2
) -> Override:
    return Override(OverrideId(1), NOW + start_h * HOUR, NOW + end_h * HOUR, person, replaces, role)


def rota(*people: PersonId, **more: Any) -> Rota:
    layer = Layer("daily", people, "day", (1,), date(2026, 1, 5), time(0), **more)
    return Rota.of(Schedule("UTC", (layer,)))


TWO = rota(ANA, BEN, roles=("primary", "secondary"))


@pytest.mark.parametrize(
    ("above", "below", "touches"),
    [
        (override(CAT), override(DAN), True),
        (override(CAT), override(DAN, ANA), True),
        # Cat stands in for Ana, and Dan has taken everything: Cat's changes nothing.
        (override(CAT, ANA), override(DAN), True),
        (override(CAT, DAN), override(DAN, ANA), True),
        (override(CAT, ANA), override(DAN, ANA), True),
        (override(CAT, ANA), override(DAN, BEN), False),
        (override(CAT, role="primary"), override(DAN, role="secondary"), False),
        (override(CAT, role="primary"), override(DAN), True),
        (override(CAT, ANA, "primary"), override(DAN, role="primary"), True),
    ],
)
def test_an_override_is_laid_over_those_that_it_changes_or_that_change_it(
    above: Override, below: Override, touches: bool
) -> None:
    assert touch(above, below) == touches


@pytest.mark.parametrize(
    ("starts_at", "ends_at", "field"),
    [
        (NOW - 2, NOW, "ends_at"),
        (NOW - DAY, NOW + LONGEST + 1, "ends_at"),
        (NOW + DAY, NOW + DAY + LONGEST + 1, "ends_at"),
        (NOW + FURTHEST + 1, NOW + FURTHEST + 2, "starts_at"),
        (NOW - DAY, NOW + LONGEST, None),
        (NOW + FURTHEST, NOW + FURTHEST + LONGEST, None),
    ],
)
def test_an_override_is_to_come_a_year_long_at_most_and_not_too_far(
    starts_at: Micros, ends_at: Micros, field: str | None
) -> None:
    found = misplaced(Override(OverrideId(1), starts_at, ends_at, CAT), NOW)
    assert (found.field if found else None) == field


@pytest.mark.parametrize(
    ("said", "fault", "codes"),
    [
        (override(CAT), False, []),
        (override(CAT, ANA), False, []),
        (override(CAT, BEN), False, []),
        (override(CAT, DAN), False, ["replaces_nobody"]),
        (override(CAT, ANA, "primary"), False, []),
        (override(CAT, ANA, "secondary"), False, ["replaces_nobody"]),
        (override(CAT, ANA, "secondary", end_h=25), False, []),
        (override(CAT, role="third"), True, []),
    ],
)
def test_the_schedule_says_what_an_override_would_not_do(said: Override, fault: bool, codes: list[str]) -> None:
    found = advice(TWO, said, NOW)
    assert (found.fault is not None, [one.code for one in found.warned]) == (fault, codes)


def test_a_role_that_is_not_there_is_answered_with_those_that_are() -> None:
    found = advice(TWO, override(CAT, role="third"), NOW)
    assert "it has primary, secondary" in str(found.fault)
    assert roles_of(Rota.of(Schedule("UTC", ()))) == (PRIMARY,)


@pytest.mark.parametrize(
    ("known", "said", "role", "replaces"),
    [
        (rota(ANA, BEN), TakeOver(CAT), "primary", ANA),
        (rota(ANA, BEN), TakeOver(CAT, "primary"), "primary", ANA),
        (TWO, TakeOver(CAT, "secondary"), "secondary", BEN),
        (TWO, TakeOver(CAT, replaces=BEN), "secondary", BEN),
        # Somebody who has one role takes over another: the pages of both are theirs then.
        (TWO, TakeOver(BEN, "primary"), "primary", ANA),
        (rota(ANA, BEN, restrictions=OFFICE), TakeOver(CAT), "primary", None),
        (rota(ANA, BEN, restrictions=OFFICE), TakeOver(ANA), "primary", None),
        (rota(ANA, BEN, CAT, roles=("primary", "primary")), TakeOver(DAN, replaces=BEN), "primary", BEN),
        (Rota.of(Schedule("UTC", ())), TakeOver(CAT), "primary", None),
    ],
)
def test_it_is_taken_over_from_whoever_has_it(
    known: Rota, said: TakeOver, role: str, replaces: PersonId | None
) -> None:
    place = taken(known, said, NOW, NAMES)
    assert (place.role, place.replaces) == (role, replaces)


@pytest.mark.parametrize(
    ("known", "said", "name"),
    [
        (rota(ANA, BEN), TakeOver(ANA), "already_on_call"),
        (TWO, TakeOver(BEN, "secondary"), "already_on_call"),
        (TWO, TakeOver(BEN), "already_on_call"),
        (TWO, TakeOver(CAT), "several_on_call"),
        (rota(ANA, BEN, CAT, roles=("primary", "primary")), TakeOver(DAN, "primary"), "several_on_call"),
    ],
)
def test_what_can_not_be_taken_over_has_a_name(known: Rota, said: TakeOver, name: str) -> None:
    with pytest.raises(Refused) as caught:
        taken(known, said, NOW, NAMES)
    assert caught.value.name == name


@pytest.mark.parametrize(
    ("said", "field"), [(TakeOver(CAT, "third"), "role"), (TakeOver(CAT, replaces=DAN), "replaces")]
)
def test_what_is_not_there_can_not_be_taken_over(said: TakeOver, field: str) -> None:
    with pytest.raises(BadField) as caught:
        taken(TWO, said, NOW, NAMES)
    assert caught.value.field == field

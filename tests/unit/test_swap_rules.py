"""The pure rules of swaps: which shifts change hands, what can be asked for, and when an answer comes too late."""

from __future__ import annotations

import pytest

from app.clock import DAY, HOUR, Micros
from app.ids import PersonId
from app.oncall.rota import ByLayer, Shift
from app.oncall.schedule import BadField
from app.rota.hands import FURTHEST, LONGEST, Hand, Interval, begins, check, doubled, handed, refusal
from app.rota.swap_words import SHOWN, Names, answered_text, asked_text, withdrawn_text
from app.rota.swaps import Asking, State, Swap
from app.store.resources import Refused

ANA, BEN, CAT = PersonId(1), PersonId(2), PersonId(3)
NOW: Micros = 1_767_571_200_000_000
"""2026-01-05T00:00:00Z."""


def shift(start_h: int, end_h: int, person: PersonId, role: str = "primary", layer: str = "daily") -> Shift:
    return Shift(NOW + start_h * HOUR, NOW + end_h * HOUR, person, ByLayer(layer, 1), role)


def hand(start_h: int, end_h: int, gives: PersonId, takes: PersonId, role: str = "primary") -> Hand:
    return Hand(NOW + start_h * HOUR, NOW + end_h * HOUR, role, gives, takes)


def hours(start: float, end: float) -> Interval:
    return Interval(NOW + int(start * HOUR), NOW + int(end * HOUR))


@pytest.mark.parametrize(
    ("shifts", "hands"),
    [
        ([], []),
        ([shift(0, 24, BEN)], []),
        ([shift(0, 24, ANA)], [hand(0, 24, ANA, CAT)]),
        # Ben's shift in between stays his.
        ([shift(0, 24, ANA), shift(24, 48, BEN), shift(48, 72, ANA)], [hand(0, 24, ANA, CAT), hand(48, 72, ANA, CAT)]),
        # Two shifts in a row stay two: nobody merges what has a boundary.
        (
            [shift(0, 8, ANA, layer="days"), shift(8, 24, ANA, layer="nights")],
            [hand(0, 8, ANA, CAT), hand(8, 24, ANA, CAT)],
        ),
        # Two roles at a time go over together, each as what it is.
        (
            [shift(0, 24, ANA, "secondary"), shift(0, 12, ANA)],
            [hand(0, 12, ANA, CAT), hand(0, 24, ANA, CAT, "secondary")],
        ),
    ],
)
def test_every_shift_of_the_giver_changes_hands_by_itself_and_nobody_elses(
    shifts: list[Shift], hands: list[Hand]
) -> None:
    assert list(handed(shifts, ANA, CAT)) == hands


@pytest.mark.parametrize(
    ("gives", "takes", "field"),
    [
        (hours(2, 2), None, "gives.to"),
        (hours(2, 1), None, "gives.to"),
        (hours(2, 3), hours(5, 4), "takes.to"),
        (Interval(NOW + HOUR, NOW + HOUR + LONGEST + 1), None, "gives.to"),
        (Interval(NOW + FURTHEST + 1, NOW + FURTHEST + HOUR), None, "gives.from"),
    ],
)
def test_an_interval_that_can_not_be_is_refused_by_field(gives: Interval, takes: Interval | None, field: str) -> None:
    with pytest.raises(BadField) as caught:
        check(gives, takes, NOW)
    assert caught.value.field == field


@pytest.mark.parametrize(
    ("gives", "takes", "name"),
    [
        (hours(0, 1), None, "in_the_past"),
        (hours(-1, 1), None, "in_the_past"),
        (hours(1, 2), hours(-2, -1), "in_the_past"),
        (hours(1, 3), hours(2, 4), "intervals_overlap"),
        (hours(1, 9), hours(2, 4), "intervals_overlap"),
        (hours(2, 4), hours(1, 9), "intervals_overlap"),
    ],
)
def test_what_can_not_be_asked_for_has_a_name(gives: Interval, takes: Interval | None, name: str) -> None:
    with pytest.raises(Refused) as caught:
        check(gives, takes, NOW)
    assert caught.value.name == name


@pytest.mark.parametrize(
    ("gives", "takes"),
    [
        (hours(0.001, 1), None),
        (hours(1, 2), hours(2, 3)),
        (hours(2, 3), hours(1, 2)),
        (Interval(NOW + FURTHEST, NOW + FURTHEST + LONGEST), None),
    ],
)
def test_intervals_that_touch_and_the_longest_and_furthest_can_be_asked_for(
    gives: Interval, takes: Interval | None
) -> None:
    check(gives, takes, NOW)


@pytest.mark.parametrize(
    ("then", "now", "stands"),
    [
        ([hand(0, 24, ANA, BEN)], [hand(0, 24, ANA, BEN)], True),
        ([hand(0, 24, ANA, BEN)], [], False),
        ([hand(0, 24, ANA, BEN)], [hand(0, 12, ANA, BEN)], False),
        ([hand(0, 24, ANA, BEN)], [hand(1, 24, ANA, BEN)], False),
        ([hand(0, 24, ANA, BEN)], [hand(0, 24, ANA, BEN, "secondary")], False),
        ([hand(0, 24, ANA, BEN)], [hand(0, 24, ANA, BEN), hand(48, 72, ANA, BEN)], False),
        ([hand(0, 24, ANA, BEN), hand(48, 72, BEN, ANA)], [hand(0, 24, ANA, BEN)], False),
    ],
)
def test_a_swap_stands_only_while_exactly_the_same_shifts_would_change_hands(
    then: list[Hand], now: list[Hand], stands: bool
) -> None:
    refused = refusal(then, now)
    assert (refused is None) == stands
    assert refused is None or refused.name == "shifts_changed"


def test_whoever_would_be_on_call_twice_at_a_time_is_found() -> None:
    hands = [hand(0, 24, ANA, BEN), hand(24, 48, ANA, BEN)]
    assert doubled([shift(12, 20, BEN, "secondary"), shift(0, 48, CAT, "secondary")], hands) == (hands[0],)
    assert doubled([shift(48, 72, BEN)], hands) == ()


def _swap(state: State = "asked") -> Swap:
    asking = Asking(9, ANA, BEN, hours(48, 72), hours(24, 48))
    return Swap(7, asking, (), state, NOW, "api key bot", None, None)


def test_a_swap_begins_with_whichever_side_is_first() -> None:
    assert begins(hours(48, 72), hours(24, 48)) == NOW + DAY
    assert begins(hours(48, 72), None) == NOW + 2 * DAY
    assert _swap().begins_at == NOW + DAY


def test_what_nobody_answered_before_it_begins_is_expired() -> None:
    assert _swap().state_at(NOW + DAY - 1) == "asked"
    assert _swap().state_at(NOW + DAY) == "expired"
    assert _swap("declined").state_at(NOW + DAY) == "declined"
    assert not _swap("accepted").open_at(NOW)


NAMES = Names("Primary", {1: "Ana", 2: "Ben"}, {1: "Europe/Berlin", 2: "No/Where"})


def test_the_asked_person_reads_who_asks_for_what_in_their_own_time() -> None:
    asking = Asking(9, BEN, ANA, hours(48, 72), hours(24, 48), "at a wedding")
    title, text = asked_text(asking, [hand(48, 72, BEN, ANA), hand(24, 48, ANA, BEN)], NAMES)
    assert title == "Ben asks you to swap in Primary"
    assert text.splitlines() == [
        "Ben asks you to be on call in Primary:",
        "- Wed 2026-01-07 01:00 Berlin to Thu 2026-01-08 01:00 Berlin (primary)",
        "In return Ben takes from you:",
        "- Tue 2026-01-06 01:00 Berlin to Wed 2026-01-07 01:00 Berlin (primary)",
        "Reason: at a wedding",
    ]


def test_a_cover_says_that_nothing_is_given_in_return_and_a_lost_zone_is_utc() -> None:
    asking = Asking(9, ANA, BEN, hours(48, 72))
    title, text = asked_text(asking, [hand(48, 72, ANA, BEN)], NAMES)
    assert title == "Ana asks you to cover in Primary"
    assert "- Wed 2026-01-07 00:00 UTC to Thu 2026-01-08 00:00 UTC (primary)" in text
    assert text.endswith("Nothing is given in return.")


def test_many_shifts_are_counted_not_listed() -> None:
    hands = [hand(at, at + 1, ANA, BEN) for at in range(1, 100, 2)]
    _, text = asked_text(Asking(9, ANA, BEN, hours(1, 100)), hands, NAMES)
    assert f"- and {50 - SHOWN} more" in text
    assert len(text.splitlines()) == SHOWN + 3


def test_whoever_asked_reads_what_was_answered_and_by_whom() -> None:
    asking = Asking(9, ANA, BEN, hours(48, 72), hours(24, 48))
    hands = [hand(48, 72, ANA, BEN), hand(24, 48, BEN, ANA)]
    title, text = answered_text(asking, hands, NAMES, "accepted", "Ben")
    assert title == "Ben accepted your swap in Primary"
    assert text.splitlines()[0] == "Ben is on call in your place:"
    assert text.endswith("Answered by Ben.")
    title, text = answered_text(asking, hands, NAMES, "declined", "api key bot")
    assert (title, "You stay on call" in text) == ("Ben declined your swap in Primary", True)
    assert withdrawn_text(asking, NAMES)[0] == "Ana no longer asks you to swap in Primary"

"""Whose turn it is: a first page never waits behind a storm, and a storm's first ones are first pages too."""

from __future__ import annotations

import pytest

from app.incidents import turn
from app.store.claims import RANKS


@pytest.mark.parametrize(
    ("level", "round_", "what"),
    [(0, 0, turn.FIRST), (1, 0, turn.NEXT), (7, 0, turn.NEXT), (0, 1, turn.REPEAT), (3, 2, turn.REPEAT)],
)
def test_what_a_level_is(level: int, round_: int, what: int) -> None:
    assert turn.of(level, round_) == what


@pytest.mark.parametrize(
    ("before", "crowded"), [(0, 0), (15, 0), (16, 1), (127, 1), (128, 2), (1_023, 2), (1_024, 3), (1_000_000, 3)]
)
def test_how_crowded_a_service_is(before: int, crowded: int) -> None:
    assert turn.crowd(before) == crowded


def test_a_first_page_goes_before_the_next_level_a_repeat_and_what_can_wait() -> None:
    order = [turn.FIRST, turn.NEXT, turn.REPEAT, turn.STATUS]
    assert sorted(order, key=turn.rank) == order
    assert len({turn.rank(what) for what in order}) == 4


def test_every_rank_is_one_that_is_claimed() -> None:
    ranks = {turn.rank(what, crowd) for what in range(4) for crowd in range(4)}
    assert ranks == set(range(RANKS))
    assert max(ranks) == turn.LAST


def test_the_nth_of_a_small_storm_waits_for_few_of_a_large_one() -> None:
    """Two services, one with 10,000 incidents: before the n-th of the other come at most 16, and 8 for each of its own."""
    large = [turn.rank(turn.FIRST, turn.crowd(before)) for before in range(10_000)]
    for nth in (1, 16, 17, 100, 128, 129, 1_000):
        mine = turn.rank(turn.FIRST, turn.crowd(nth - 1))
        assert sum(rank <= mine for rank in large) <= max(16, 8 * nth)

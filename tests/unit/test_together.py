"""What waits is done together, and a bad one fails alone."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from app.paging.together import MOST, Alone, Together
from app.store.errors import Unavailable


class Doer:
    """Doubles numbers; odd ones only alone. Notes how many it was given at a time."""

    def __init__(self) -> None:
        self.groups: list[int] = []
        self.poison: int | None = None
        self.away = False
        self.go = asyncio.Event()

    async def one(self, number: int) -> int:
        self.groups.append(1)
        await self.go.wait()
        if number == self.poison:
            raise LookupError(number)
        return number * 2

    async def many(self, numbers: Sequence[int]) -> list[int | Alone]:
        self.groups.append(len(numbers))
        if self.away:
            raise Unavailable("away")
        if self.poison in numbers:
            raise LookupError("one of them")
        return [Alone() if number % 2 else number * 2 for number in numbers]


async def _asked(doer: Doer, many: int) -> list[int | BaseException]:
    """The first is under way while the others come."""
    together = Together(doer.one, doer.many)
    calls = [asyncio.create_task(together(number)) for number in range(many)]
    await asyncio.sleep(0)
    doer.go.set()
    return await asyncio.gather(*calls, return_exceptions=True)


async def test_one_that_comes_alone_is_done_by_itself_and_those_that_wait_together() -> None:
    doer = Doer()
    assert await _asked(doer, 9) == [number * 2 for number in range(9)]
    assert doer.groups[:2] == [1, 8]


async def test_no_transaction_carries_more_than_a_bound() -> None:
    doer = Doer()
    assert await _asked(doer, 3 * MOST) == [number * 2 for number in range(3 * MOST)]
    assert max(doer.groups) <= MOST


async def test_a_bad_one_fails_alone() -> None:
    doer = Doer()
    doer.poison = 4
    answers = await _asked(doer, 9)
    assert isinstance(answers.pop(4), LookupError)
    assert answers == [0, 2, 4, 6, 10, 12, 14, 16]


async def test_when_the_database_is_away_nobody_is_tried_again_one_by_one() -> None:
    doer = Doer()
    doer.away = True
    answers = await _asked(doer, 20)
    assert [isinstance(answer, Unavailable) for answer in answers] == [False] + [True] * 19
    assert doer.groups == [1, 19]


async def test_those_whose_group_is_cut_short_hear_of_it() -> None:
    """Nobody waits for ever when the one whose turn it was is cancelled."""
    doer = Doer()
    together = Together(doer.one, doer.many)
    first = asyncio.create_task(together(1))
    others = [asyncio.create_task(together(number)) for number in (3, 5)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    doer.go.set()
    answers = await asyncio.gather(*others, return_exceptions=True)
    assert answers == [6, 10]

"""What comes while the last transaction runs goes into the next one, together. Knows no page and no database.

Alone, an item waits for nothing and is done by itself. In a storm many share the statements and the flush of one
transaction. What can't be done together, and every item of a group that failed, is done by itself: a bad one fails alone.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from app.store.errors import StoreError, Unavailable

T = TypeVar("T")
R = TypeVar("R")

MOST = 64
"""Items of one transaction."""


@dataclass(frozen=True, slots=True)
class Alone:
    """The answer for an item that nothing was done for: it is done by itself."""


@dataclass(slots=True)
class _Waiting(Generic[T, R]):
    item: T
    answer: asyncio.Future[R]

    def give(self, answer: R) -> None:
        if not self.answer.done():
            self.answer.set_result(answer)

    def fail(self, error: Exception) -> None:
        if not self.answer.done():
            self.answer.set_exception(error)


class Together(Generic[T, R]):
    """Call it with an item; it returns or raises what `one` would."""

    def __init__(
        self, one: Callable[[T], Awaitable[R]], many: Callable[[Sequence[T]], Awaitable[Sequence[R | Alone]]]
    ) -> None:
        self._one = one
        self._many = many
        self._waiting: deque[_Waiting[T, R]] = deque()
        self._turn = asyncio.Lock()

    async def __call__(self, item: T) -> R:
        """Does the item, with all that wait."""
        mine = _Waiting[T, R](item, asyncio.get_running_loop().create_future())
        self._waiting.append(mine)
        try:
            while not mine.answer.done():
                async with self._turn:
                    # Whoever has the turn takes along all that wait; most find theirs done when they get it.
                    if not mine.answer.done():
                        await self._do(self._take())
            return mine.answer.result()
        finally:
            mine.answer.cancel()

    def _take(self) -> list[_Waiting[T, R]]:
        taken = [self._waiting.popleft() for _ in range(min(MOST, len(self._waiting)))]
        return [waiting for waiting in taken if not waiting.answer.done()]

    async def _do(self, group: list[_Waiting[T, R]]) -> None:
        try:
            alone = group if len(group) == 1 else await self._do_together(group)
            for waiting in alone:
                await self._do_alone(waiting)
        finally:
            # Cut short: whether it was committed is not known.
            for waiting in group:
                waiting.fail(Unavailable("the process was stopped in the middle"))

    async def _do_together(self, group: list[_Waiting[T, R]]) -> list[_Waiting[T, R]]:
        """Does what it can; answers the rest."""
        try:
            answers = await self._many([waiting.item for waiting in group])
        except StoreError as error:
            for waiting in group:
                waiting.fail(error)
            return []
        except Exception:  # noqa: BLE001 - whose fault it was shows when each is done by itself
            return group
        rest = []
        for waiting, answer in zip(group, answers, strict=True):
            if isinstance(answer, Alone):
                rest.append(waiting)
            else:
                waiting.give(answer)
        return rest

    async def _do_alone(self, waiting: _Waiting[T, R]) -> None:
        try:
            waiting.give(await self._one(waiting.item))
        except Exception as error:  # noqa: BLE001 - raised where it was called
            waiting.fail(error)

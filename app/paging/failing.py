"""Ways that don't work just now: those whose last try did not go well, put together by notifier and reason. Reads only.

What one process has found out of a provider is in its memory (doors.py); this is in the tries, so everybody can ask for it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import select

from app.clock import HOUR, Micros
from app.paging.tables import attempts, pages
from app.store.database import Reading

BACK: Micros = HOUR
MOST_TRIES = 5_000
NAMED = 3
_WELL = ("delivered", "accepted")


@dataclass(slots=True)
class Failing:
    """Ways by one notifier that fail for one reason."""

    notifier: str
    reason: str
    since: Micros
    """The first try that failed, and none went well after it."""
    tries: int = 0
    people: dict[str, None] = field(default_factory=dict)
    """And channels, by name."""

    @property
    def whom(self) -> str:
        """The first few, and how many more."""
        names = list(self.people)
        more = len(names) - NAMED
        return ", ".join(names[:NAMED]) + (f" and {more} more" if more > 0 else "")


async def failing(view: Reading) -> list[Failing]:
    """By the tries of the last hour; what concerns most people first."""
    question = (
        select(
            attempts.c.started_at,
            attempts.c.outcome,
            attempts.c.detail,
            pages.c.notifier,
            pages.c.recipient,
            pages.c.method_id,
        )
        .join(pages, pages.c.id == attempts.c.page_id)
        .where(attempts.c.started_at > view.now - BACK, attempts.c.outcome.is_not(None))
        .order_by(attempts.c.started_at.desc(), attempts.c.id.desc())
        .limit(MOST_TRIES)
    )
    return put_together(await view.conn.execute(question))


def put_together(tries: Iterable[Any]) -> list[Failing]:
    """From tries, the last one first. Pure."""
    found: dict[tuple[str, str], Failing] = {}
    by_way: dict[tuple[str, str, str], Failing | None] = {}
    for one in tries:
        way = (one.notifier, one.recipient, one.method_id)
        if one.outcome in _WELL:
            by_way[way] = None  # what failed before is over
            continue
        if way not in by_way:
            by_way[way] = found.setdefault(
                (one.notifier, one.detail), Failing(one.notifier, one.detail, one.started_at)
            )
        if (known := by_way[way]) is not None:
            known.tries += 1
            known.since = min(known.since, one.started_at)
            known.people[one.recipient] = None
    return sorted(found.values(), key=lambda one: -len(one.people))

"""What is told to people beside pages: a shift that begins, a gap ahead, a swap, a drill, a code. Deeds.

A notice is written in the transaction that decided it and sent by a job, like a page: by the person's contact methods,
the next when one fails. It is never as urgent as a page, and one that comes too late to be of use is not sent.
Must never know how a notice is sent (notify.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import insert, select

from app.clock import HOUR, Micros
from app.incidents import turn
from app.paging.tables import notices
from app.people.person import Urgency
from app.store import jobs, resources
from app.store.database import Reading, Writing
from app.store.jobs import NewJob

NoticeKind = Literal["shift", "gap", "swap", "drill", "drill_failed", "code", "test", "calendar"]

MAX_TITLE = 500
MAX_TEXT = 8_000
"""In code points; longer texts are cut, because each notifier cuts much earlier anyway."""


@dataclass(frozen=True, slots=True)
class Notice:
    """Something to tell one person or one channel; exactly one of `person_id` and `channel_id` is set."""

    kind: NoticeKind
    title: str
    text: str
    person_id: int | None = None
    channel_id: int | None = None
    once: str | None = None
    """What it is about: a second notice of that name is never written."""
    url: str = ""
    urgency: Urgency = "low"
    due_at: Micros = 0
    """From when it is sent; 0: at once."""
    useful: Micros = 12 * HOUR
    """For how long after `due_at` it is worth sending."""
    method_id: str | None = None
    """By this contact method only."""

    def __post_init__(self) -> None:
        if (self.person_id is None) == (self.channel_id is None):
            raise ValueError("a notice is for one person or for one channel")


async def tell(tx: Writing, new: Iterable[Notice]) -> list[int]:
    """Writes notices and the jobs that send them; answers the ids of those that were not written before."""
    wanted = await _not_told_yet(tx, list(new))
    names = await _names(tx, wanted)
    rows: list[dict[str, Any]] = [
        {
            "id": tx.new_id(),
            "kind": notice.kind,
            "once": notice.once,
            "person_id": notice.person_id,
            "channel_id": notice.channel_id,
            "method_id": notice.method_id,
            "recipient": names.get(notice.person_id or notice.channel_id, "(deleted)"),
            "title": notice.title[:MAX_TITLE],
            "text": notice.text[:MAX_TEXT],
            "url": notice.url,
            "urgency": notice.urgency,
            "created_at": tx.now,
            "due_at": max(notice.due_at, tx.now),
            "expires_at": max(notice.due_at, tx.now) + notice.useful,
            "state": "waiting",
            "used": [],
        }
        for notice in wanted
    ]
    if rows:
        await tx.conn.execute(insert(notices), rows)
    await jobs.add(
        tx,
        [NewJob("notice", row["id"], row["due_at"], once=f"notice:{row['id']}", rank=turn.STATUS) for row in rows],
    )
    return [row["id"] for row in rows]


async def told(view: Reading, names: Iterable[str]) -> set[str]:
    """Which of these names were used: what they are about was told, or is about to be."""
    wanted = sorted(set(names))
    if not wanted:
        return set()
    return set((await view.conn.execute(select(notices.c.once).where(notices.c.once.in_(wanted)))).scalars())


async def _not_told_yet(tx: Writing, new: Sequence[Notice]) -> list[Notice]:
    """Those whose name was not used; of two with one name the first."""
    used = await told(tx, (notice.once for notice in new if notice.once is not None))
    left = []
    for notice in new:
        if notice.once is not None:
            if notice.once in used:
                continue
            used.add(notice.once)
        left.append(notice)
    return left


async def _names(view: Reading, new: Sequence[Notice]) -> dict[int | None, str]:
    """What people and channels are called, also when they were deleted meanwhile."""
    found: dict[int | None, str] = {}
    for kind, ids in (
        ("person", [notice.person_id for notice in new if notice.person_id is not None]),
        ("channel", [notice.channel_id for notice in new if notice.channel_id is not None]),
    ):
        found |= {item: one.name for item, one in (await resources.load(view, kind, ids, deleted=True)).items()}
    return found

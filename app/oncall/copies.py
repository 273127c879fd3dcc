"""The last good copies of calendars that are read from elsewhere, in the store. Must never know how a calendar is read."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import insert, select, update

from app.clock import Micros
from app.oncall.tables import calendar_copies
from app.store.database import Reading, Writing


@dataclass(frozen=True, slots=True)
class Copy:
    """The last good copy of a calendar, and how reading it went since."""

    tried_at: Micros
    read_at: Micros | None = None
    changed_at: Micros | None = None
    etag: str = ""
    last_modified: str = ""
    trouble: str = ""
    failures: int = 0
    notes: dict[str, Any] = field(default_factory=dict)
    """`expanded_at`, `events`, `left_out` (at most 100) and `more`."""


_COPY = tuple(calendar_copies.c[name] for name in Copy.__slots__)


async def copy_of(view: Reading, calendar_id: int) -> Copy | None:
    """The copy of a calendar, without its body; None when it was never tried."""
    row = (await view.conn.execute(select(*_COPY).where(calendar_copies.c.calendar_id == calendar_id))).first()
    return Copy(*row) if row else None


async def body_of(view: Reading, calendar_id: int) -> bytes | None:
    """The last good file of a calendar."""
    found = await view.conn.execute(select(calendar_copies.c.body).where(calendar_copies.c.calendar_id == calendar_id))
    body = found.scalar()
    return None if body is None else bytes(body)


async def keep(tx: Writing, calendar_id: int, copy: Copy, body: bytes | None) -> None:
    """Writes a copy in the place of the one before; its body only when there is another one."""
    values = {name: getattr(copy, name) for name in Copy.__slots__}
    values |= {} if body is None else {"body": body}
    this = calendar_copies.c.calendar_id == calendar_id
    done = await tx.conn.execute(update(calendar_copies).where(this).values(values))
    if not done.rowcount:
        await tx.conn.execute(insert(calendar_copies).values(calendar_id=calendar_id, **values))

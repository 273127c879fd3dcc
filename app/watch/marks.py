"""Small facts that all replicas share, one row each: when somebody last listened, whose turn it was, what went well."""

from __future__ import annotations

from sqlalchemy import bindparam, delete, insert, select, update

from app.clock import Micros
from app.store.database import Reading, Writing
from app.store.tables import instance

# Made once: paging asks these before it pages.
_MARK = select(instance.c.value).where(instance.c.name == bindparam("mark"))
_MARK_SHARED = _MARK.with_for_update(read=True)


async def marked(view: Reading, name: str, *, share: bool = False) -> str | None:
    """What `name` says. With `share` nobody changes it until the transaction ends."""
    return (await view.conn.execute(_MARK_SHARED if share else _MARK, {"mark": name})).scalar()


async def marked_at(view: Reading, name: str) -> Micros | None:
    """The instant that `name` says."""
    found = await marked(view, name)
    return None if found is None else int(found)


async def mark(tx: Writing, name: str, value: str) -> None:
    """Writes what `name` says."""
    done = await tx.conn.execute(update(instance).where(instance.c.name == name).values(value=value))
    if not done.rowcount:
        await tx.conn.execute(insert(instance).values(name=name, value=value))


async def swap(tx: Writing, name: str, before: str | None, after: str) -> bool:
    """Writes `after` if `name` still says `before`: of several that try, one succeeds."""
    if before is None:
        await tx.conn.execute(insert(instance).values(name=name, value=after))
        return True
    done = await tx.conn.execute(
        update(instance).where(instance.c.name == name, instance.c.value == before).values(value=after)
    )
    return bool(done.rowcount)


async def unmark(tx: Writing, name: str) -> str | None:
    """Takes `name` away; answers what it said."""
    done = await tx.conn.execute(delete(instance).where(instance.c.name == name).returning(instance.c.value))
    return done.scalar()

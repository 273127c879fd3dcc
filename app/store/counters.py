"""Numbers that people read out to each other, counted under a row lock so that none is given twice."""

from __future__ import annotations

from sqlalchemy import bindparam, insert, update

from app.store.database import Writing
from app.store.tables import counters

_TAKE = (
    update(counters)
    .where(counters.c.name == bindparam("called"))
    .values(value=counters.c.value + bindparam("many"))
    .returning(counters.c.value)
)


async def take(tx: Writing, name: str, many: int) -> int:
    """Takes `many` numbers of the counter `name`; answers the first."""
    last = (await tx.conn.execute(_TAKE, {"called": name, "many": many})).scalar()
    if last is None:
        await tx.conn.execute(insert(counters).values(name=name, value=many))
        return 1
    return int(last) - many + 1

"""The secret of this installation, made once and kept in the database so that every replica signs alike."""

from __future__ import annotations

from sqlalchemy import insert, select

from app.store.database import Writing
from app.store.tables import instance


async def signing_secret(tx: Writing) -> str:
    """The secret; made from 32 random bytes at the first call ever."""
    known = (await tx.conn.execute(select(instance.c.value).where(instance.c.name == "signing_secret"))).scalar()
    if known:
        return str(known)
    made = tx.ids.secret(32)
    await tx.conn.execute(insert(instance).values(name="signing_secret", value=made))
    return made

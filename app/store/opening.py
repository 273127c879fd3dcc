"""Opens the kind of database that an address names."""

from __future__ import annotations

from sqlalchemy import make_url

from app.clock import Clock
from app.ids import Ids
from app.store.database import Store
from app.store.sqlite import Sqlite


def open_store(url: str, clock: Clock, ids: Ids, *, pool_size: int = 8) -> Store:
    """Opens `sqlite:///file` or `postgresql+asyncpg://...`; connects at first use.

    Raises ValueError for any other kind of address.
    """
    parsed = make_url(url)
    if parsed.drivername == "sqlite":
        return Store(Sqlite(parsed, pool_size), clock, ids)
    if parsed.drivername == "postgresql+asyncpg":
        from app.store.postgres import Postgres

        if "sslmode" in parsed.query:  # what everything but SQLAlchemy's asyncpg calls it
            parsed = parsed.difference_update_query(["sslmode"]).update_query_dict({"ssl": parsed.query["sslmode"]})
        return Store(Postgres(parsed, pool_size), clock, ids)
    raise ValueError(
        f"TOCSIN_DATABASE_URL starts with {parsed.drivername!r}; it must start with sqlite:/// or postgresql+asyncpg://"
    )

"""The one MetaData that every domain's tables hang on, and the column types they share.

Tables live in their own domain's `tables.py`; the names of constraints are fixed here so that migrations can name them.
"""

from __future__ import annotations

from typing import Any

import orjson
from sqlalchemy import BigInteger, Dialect, Integer, LargeBinary, MetaData, Text
from sqlalchemy.types import TypeDecorator

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)

Id = BigInteger().with_variant(Integer, "sqlite")
"""Ids of app/ids.py. INTEGER on SQLite, because only an INTEGER PRIMARY KEY is the row's own address there."""

Instant = BigInteger
"""Microseconds since the epoch, UTC (app/clock.py)."""

Digest = LargeBinary
"""16 bytes of BLAKE2b."""


class Document(TypeDecorator[Any]):
    """A JSON document, read and written whole; never searched inside."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        return None if value is None else orjson.dumps(value).decode()

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:
        return None if value is None else orjson.loads(value)

"""The one MetaData that every domain's tables hang on, and the column types they share.

Tables live in their own domain's `tables.py`; the names of constraints are fixed here so that migrations can name them.
"""

from __future__ import annotations

from typing import Any

import orjson
from sqlalchemy import (
    ARRAY,
    BigInteger,
    BindParameter,
    ColumnElement,
    Dialect,
    Integer,
    LargeBinary,
    MetaData,
    Text,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeDecorator, TypeEngine

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


class Ids(TypeDecorator[Any]):
    """Many ids in one parameter, for `Among`."""

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        kind: TypeEngine[Any] = Text() if dialect.name == "sqlite" else ARRAY(BigInteger)
        return dialect.type_descriptor(kind)

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:
        return orjson.dumps(value).decode() if dialect.name == "sqlite" else value


class Among(FunctionElement[int]):
    """Whether a column is one of many ids. One text however many they are: IN is written anew for each number of them."""

    # Of a Boolean SQLite would be asked whether it equals 1, and would look at every row to find out.
    type = Integer()
    inherit_cache = True

    def __init__(self, column: ColumnElement[int], ids: BindParameter[Any]) -> None:
        super().__init__(column, ids)


@compiles(Among, "postgresql")
def _among_array(among: Among, compiler: SQLCompiler, **named: Any) -> str:
    column, ids = among.clauses
    return f"{compiler.process(column, **named)} = ANY ({compiler.process(ids, **named)})"


@compiles(Among, "sqlite")
def _among_json(among: Among, compiler: SQLCompiler, **named: Any) -> str:
    column, ids = among.clauses
    return f"{compiler.process(column, **named)} IN (SELECT value FROM json_each({compiler.process(ids, **named)}))"  # noqa: S608 - a column and the mark of a parameter

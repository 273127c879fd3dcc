"""Statements that carry hundreds of rows: one call of the database where a loop would make hundreds.

The rows become a table `t` in front of a statement, the same on both databases:

    WITH t(id, count) AS (<rows>) UPDATE alerts SET count = alerts.count + t.count FROM t WHERE alerts.id = t.id

On PostgreSQL the rows come as one array a column. On SQLite they are VALUES, in chunks of fixed sizes so that each text is
prepared once. There it matters twice: SQLite's driver lets go of Python's lock once for each row it steps over, and takes
it back behind whatever else is running; with the event loop busy, one statement a row ran at 2,300 rows/s and one
statement a hundred rows at 17,000 (measured on two cores). So answers come back as one JSON row, too.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from typing import Any

import orjson
from sqlalchemy import BigInteger, Integer, LargeBinary, Table, Text, TextClause, text

from app.store.database import Reading, Writing

CHUNKS = (256, 128, 64, 32, 16, 8, 4, 2, 1)
_WIDEST = 32_000
"""Parameters of one statement; both databases take at least 32,766."""

_TYPES: tuple[tuple[type, str], ...] = (
    (LargeBinary, "bytea"),
    (BigInteger, "bigint"),
    (Integer, "integer"),
    (Text, "text"),
)


@dataclass(frozen=True, slots=True)
class Rows:
    """The shape of `t`: its columns and their PostgreSQL types."""

    names: tuple[str, ...]
    types: tuple[str, ...]

    @classmethod
    def of(cls, table: Table, names: Sequence[str]) -> Rows:
        """The shape of some columns of a table."""
        types = []
        for name in names:
            kind = getattr(table.c[name].type, "impl", table.c[name].type)
            types.append(next(word for known, word in _TYPES if isinstance(kind, known)))
        return cls(tuple(names), tuple(types))


@lru_cache(maxsize=256)
def _sqlite(names: tuple[str, ...], many: int, statement: str, *, numbered: bool) -> str:
    marks = ", ".join("?" * len(names))
    values = ", ".join(f"({place}, {marks})" if numbered else f"({marks})" for place in range(many))
    columns = ", ".join(("i", *names) if numbered else names)
    return f"WITH t({columns}) AS (VALUES {values}) {statement}"


@lru_cache(maxsize=256)
def _postgres(shape: Rows, statement: str, *, numbered: bool) -> TextClause:
    arrays = ", ".join(f"CAST(:{name} AS {kind}[])" for name, kind in zip(shape.names, shape.types, strict=True))
    columns = ", ".join((*shape.names, "i") if numbered else shape.names)
    ordinal = " WITH ORDINALITY" if numbered else ""
    # Kept as a clause: looking through a long text for its parameters costs as much as sending it.
    return text(f"WITH t({columns}) AS (SELECT * FROM unnest({arrays}){ordinal}) {statement}")  # noqa: S608 - names of columns


def _chunks(rows: Sequence[Sequence[Any]], width: int) -> Iterable[Sequence[Sequence[Any]]]:
    start = 0
    while start < len(rows):
        left = len(rows) - start
        size = next(size for size in CHUNKS if size == 1 or (size <= left and size * width <= _WIDEST))
        yield rows[start : start + size]
        start += size


async def write(tx: Writing, shape: Rows, statement: str, rows: Sequence[Sequence[Any]]) -> None:
    """Runs `statement` over `t`. The order of rows is the order of writing."""
    if not rows:
        return
    if tx.postgres:
        columns = zip(*rows, strict=True)
        values = dict(zip(shape.names, map(list, columns), strict=True))
        await tx.conn.execute(_postgres(shape, statement, numbered=False), values)
        return
    for chunk in _chunks(rows, len(shape.names)):
        question = _sqlite(shape.names, len(chunk), statement, numbered=False)
        await tx.conn.exec_driver_sql(question, tuple(chain.from_iterable(chunk)))


async def insert(tx: Writing, table: Table, rows: Sequence[dict[str, Any]]) -> None:
    """Adds rows; all must have the same keys."""
    if not rows:
        return
    shape, statement = _insertion(table, tuple(rows[0]))
    await write(tx, shape, statement, [tuple(row.values()) for row in rows])


@lru_cache(maxsize=256)
def _insertion(table: Table, names: tuple[str, ...]) -> tuple[Rows, str]:
    columns = ", ".join(names)
    return Rows.of(table, names), f"INSERT INTO {table.name} ({columns}) SELECT {columns} FROM t"  # noqa: S608 - names of columns


async def ask(
    view: Reading, shape: Rows, statement: str, rows: Sequence[Sequence[Any]], answer: Sequence[str]
) -> list[list[Any]]:
    """One answer for each row of `t` that has one: its place in `rows`, then the expressions `answer`.

    `statement` is what follows SELECT's list: FROM t JOIN ... Bytes must be asked for as hex text.
    """
    if not rows:
        return []
    if view.postgres:
        question = f"SELECT t.i - 1, {', '.join(answer)} {statement}"
        values = dict(zip(shape.names, map(list, zip(*rows, strict=True)), strict=True))
        found = await view.conn.execute(_postgres(shape, question, numbered=True), values)
        return [list(row) for row in found]
    question = f"SELECT json_group_array(json_array(t.i, {', '.join(answer)})) {statement}"
    answers: list[list[Any]] = []
    for start in range(0, len(rows), CHUNKS[0]):
        asked = rows[start : start + CHUNKS[0]]
        # Asked again for the last row until the chunk is full: one text to prepare, and an answer more costs nothing.
        size = next(size for size in reversed(CHUNKS) if size >= len(asked))
        padded = [*asked, *([asked[-1]] * (size - len(asked)))]
        made = _sqlite(shape.names, size, question, numbered=True)
        cursor = await view.conn.exec_driver_sql(made, tuple(chain.from_iterable(padded)))
        for place, *found_here in orjson.loads(cursor.scalar_one()):
            if place < len(asked):
                answers.append([start + place, *found_here])
    return answers

"""Tables as CSV (RFC 4180), safe to open in a spreadsheet program. Pure: must never know what stands in them.

A program that opens such a file runs a cell that begins like a formula, and names are written by anybody: such a text gets
an apostrophe in front, by which programs know a text. Numbers are written by us and stay as they are.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping

from starlette.responses import Response

MEDIA_TYPE = "text/csv; charset=utf-8"
_RISKY = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""How a formula may begin; the last four are the wide forms that some programs take for the same."""

Cell = str | int | float | None


def csv_text(columns: Iterable[str], rows: Iterable[Mapping[str, Cell]]) -> str:
    """The table with its header; a row that has no such column has an empty cell there.

    Numbers have at most six decimals and no exponent.
    """
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, tuple(columns), restval="", extrasaction="raise", lineterminator="\r\n")
    writer.writeheader()
    writer.writerows({name: _cell(value) for name, value in row.items()} for row in rows)
    return text.getvalue()


def _cell(value: Cell) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return f"'{value}" if value.startswith(_RISKY) else value
    return f"{value:.6f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)


def csv_file(name: str, text: str) -> Response:
    """The answer by which a browser keeps the table as a file of this name, which is plain ASCII of ours."""
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(text.encode(), headers=headers, media_type=MEDIA_TYPE)

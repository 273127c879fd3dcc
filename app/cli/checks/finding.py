"""One line of the doctor's report."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Mark = Literal["ok", "warn", "wrong"]
"""ok: as it must be; warn: works, but look at it; wrong: an alert or a page can get lost or reach nobody."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What was looked at, what was seen, and what to do about it (empty when there is nothing to do)."""

    mark: Mark
    about: str
    says: str
    do: str = ""


def ok(about: str, says: str) -> Finding:
    """As it must be."""
    return Finding("ok", about, says)


def warn(about: str, says: str, do: str) -> Finding:
    """Works, but somebody should look at it."""
    return Finding("warn", about, says, do)


def wrong(about: str, says: str, do: str) -> Finding:
    """A promise does not hold like this."""
    return Finding("wrong", about, says, do)

"""The times that senders write -> Micros. Pure: knows no clock and no time zone database.

A time that can't be read is None, which means "the sender does not say": nobody may lose a page over a date.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from functools import lru_cache

from app.clock import DAY, SECOND, Micros, from_datetime

_MILLISECONDS = 10**11
_MICROSECONDS = 10**14
_NANOSECONDS = 10**17
"""An epoch number from here on is in that unit. Below the first it is seconds: 1e11 s is the year 5138."""

_EARLIEST: Micros = 100_000_000 * SECOND
"""March 1973. What is before that is a zero, a year 0001 or a mistake, never the start of an alert."""

_LATEST: Micros = 253_402_300_800 * SECOND
"""The end of the year 9999, in UTC: beyond it nothing can be shown."""

_NUMBER = re.compile(r"\d{1,20}(?:\.\d{1,9})?")


def parse(value: object) -> Micros | None:
    """The instant that `value` names, or None for what is unset (year 0001, 0, "", null) or can't be read.

    RFC 3339 with any offset (`Z`, `+02:00`, `+0000`) and up to nanoseconds, which are cut; no zone means UTC. Or an
    epoch number, as a number or as text, in seconds, milliseconds, microseconds or nanoseconds.
    """
    if type(value) is str:
        return _text(value)
    if type(value) is int or type(value) is float:
        return _epoch(value)
    return None


def zoned(value: object) -> Micros | None:
    """As `parse`, but None for a date that names no zone: for senders that write the local time of their own server."""
    if type(value) is str and not _NUMBER.fullmatch(value.strip()):
        try:
            named = datetime.fromisoformat(value.strip().upper()).tzinfo is not None
        except ValueError:
            return None
        return _text(value) if named else None
    return parse(value)


def sane(at: Micros | None, now: Micros) -> Micros | None:
    """`at`, or None when it lies more than a day ahead: an end in the year 9999 must not swallow the alerts until then."""
    return at if at is None or at <= now + DAY else None


# The alerts of one group share their times, and each comes again with every repeat.
@lru_cache(maxsize=8_192)
def _text(text: str) -> Micros | None:
    if len(text) > 64 or text.startswith("0001-"):
        return None
    text = text.strip()
    if _NUMBER.fullmatch(text):
        return _epoch(float(text) if "." in text else int(text))
    try:
        at = datetime.fromisoformat(text.upper())
        instant = from_datetime(at if at.tzinfo else at.replace(tzinfo=UTC))
    except (ValueError, OverflowError):
        return None
    return instant if _EARLIEST <= instant < _LATEST else None


def _epoch(number: float) -> Micros | None:
    if not 0 < number < 10**19:
        return None
    if number < _MILLISECONDS:
        at = int(number * SECOND)
    elif number < _MICROSECONDS:
        at = int(number * 1_000)
    elif number < _NANOSECONDS:
        at = int(number)
    else:
        at = int(number) // 1_000
    return at if at >= _EARLIEST else None

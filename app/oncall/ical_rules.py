"""How an event of a calendar file repeats, judged before anybody lays it out: what is refused, and what it costs at most.

A rule is laid out step by step from its beginning, and one that never comes true is followed to the year 9999. So the
steps are counted beforehand, and a file gets a budget of them. Pure; must never know people.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

MAX_COST: Final = 2_000_000
"""For all events of a file, in days stepped over: four to eight seconds of one core."""
_MAX_TIMES_A_DAY: Final = 24
_PERIOD_DAYS: Final = {"DAILY": 1, "WEEKLY": 7, "MONTHLY": 30, "YEARLY": 365}
_STEP: Final = {"DAILY": 1, "WEEKLY": 3, "MONTHLY": 4, "YEARLY": 20}
"""What one step costs, as measured: 2 microseconds a day, 37 a year."""
_RAREST: Final = 400
"""Of so many steps of a rule that surely comes true, at least one does: the days of one month in the year."""
_END_OF_TIME: Final = date(9999, 12, 31)
_FILTERS: Final = ("BYMONTH", "BYMONTHDAY", "BYYEARDAY", "BYWEEKNO", "BYDAY", "BYSETPOS", "BYEASTER")


@dataclass(frozen=True, slots=True)
class Judged:
    """What laying a rule out costs at most, or why it is not laid out."""

    cost: int = 0
    refused: str = ""


def judge(rule: Mapping[str, Any], start: date, end: date) -> Judged:
    """Judges one RRULE of an event that begins on `start`, laid out until `end`. Keys are in upper case, values lists."""
    parts = _parts(rule)
    frequency = str(next(iter(parts.get("FREQ", [])), "")).upper()
    if frequency not in _PERIOD_DAYS:
        return Judged(refused=f"it repeats {frequency or 'without a frequency'}; DAILY is the most that is read")
    interval = _number(parts.get("INTERVAL", [1]))
    if interval is None or interval < 1:
        return Judged(refused="it repeats every 0 days, or by something that is no number")
    times = _times_a_day(parts)
    if times > _MAX_TIMES_A_DAY:
        return Judged(refused=f"it repeats {times} times a day; {_MAX_TIMES_A_DAY} is the most that is read")
    sure = _comes_true(frequency, interval, parts, start)
    until = min(end, last_day(parts)) if sure else _END_OF_TIME
    steps = max(0, (until - min(start, until)).days) // (_PERIOD_DAYS[frequency] * interval) + 1
    count = _number(parts.get("COUNT", []))
    if sure and count is not None and count > 0:
        steps = min(steps, count * (_RAREST if any(parts.get(name) for name in _FILTERS) else 1))
    return Judged(cost=steps * (_STEP[frequency] + times - 1))


def last_day(rule: Mapping[str, Any]) -> date:
    """The day of a rule's UNTIL; the end of time when it has none."""
    said = next(iter(_parts(rule).get("UNTIL", [])), None)
    return date(said.year, said.month, said.day) if isinstance(said, date) else _END_OF_TIME


def _parts(rule: Mapping[str, Any]) -> dict[str, list[Any]]:
    return {str(key).upper(): list(value) if isinstance(value, list) else [value] for key, value in rule.items()}


def _times_a_day(parts: Mapping[str, list[Any]]) -> int:
    times = 1
    for name in ("BYHOUR", "BYMINUTE", "BYSECOND"):
        times *= max(1, len(parts.get(name, [])))
    return times


def _number(values: list[Any]) -> int | None:
    try:
        return int(values[0])
    except (ValueError, TypeError, IndexError):
        return None


def _comes_true(frequency: str, interval: int, parts: Mapping[str, list[Any]], start: date) -> bool:
    """Whether the rule is of a kind that surely comes true again and again; the others may or may not."""
    used = {name for name in _FILTERS if parts.get(name)}
    if any((_number([month]) or 0) not in range(1, 13) for month in parts.get("BYMONTH", [])):
        return False
    if frequency == "DAILY":
        return not used or (interval == 1 and used in ({"BYDAY"}, {"BYMONTH"}))
    if frequency == "WEEKLY":
        return used <= {"BYDAY"}
    every = interval == 1
    if frequency == "MONTHLY" and "BYMONTH" in used and not every:
        return False
    if used <= {"BYMONTH", "BYMONTHDAY"}:
        days = [_number([day]) for day in parts.get("BYMONTHDAY", [start.day])]
        shortest = any(day is not None and 1 <= abs(day) <= 28 for day in days)
        return shortest or (every and "BYMONTH" not in used and any(day and abs(day) <= 31 for day in days))
    if used <= {"BYMONTH", "BYDAY"}:
        return any(_often(str(day)) for day in parts["BYDAY"])
    if used == {"BYDAY", "BYSETPOS"}:
        return all(not _nth(str(day)) for day in parts["BYDAY"]) and parts["BYSETPOS"] in ([1], [-1])
    return False


def _nth(day: str) -> str:
    """The number in "2MO" or "-1FR"."""
    return day.strip().rstrip("ADEFHMORSTUWadefhmorstuw")


def _often(day: str) -> bool:
    """Whether each month has such a day: the first to fourth, or every one."""
    nth = _nth(day)
    return not nth or (nth.lstrip("+-").isdecimal() and 1 <= int(nth.lstrip("+-")) <= 4)

"""What stands in a calendar file, as times of people: bytes in, events of an interval out.

Files come from anybody, so everything is counted before it is believed: size, events, depth, and what laying a repetition
out may cost. What is wrong with one event leaves out that event, with a note that names it; what is wrong with the file is
Unreadable. Takes up to some seconds of CPU: run it in a thread. Must never know the database, the network or what time it
is.

The parser keeps the zones it has met in one place for the whole process; the lock keeps one file's zones from another.
"""

from __future__ import annotations

import threading
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Any, Final

from icalendar import Calendar
from icalendar.timezone import tzp
from recurring_ical_events import CalendarQuery

from app.clock import Micros, to_datetime
from app.ids import PersonId
from app.oncall.ical_lines import Unreadable, wanted_lines
from app.oncall.ical_people import Match
from app.oncall.ical_rules import MAX_COST, judge, last_day
from app.oncall.ical_zones import BadZone, FileZones, first_instant, known_zone, last_instant
from app.oncall.schedule import LAST_INSTANT
from app.oncall.walltime import zone

__all__ = ["Found", "Note", "Occurrence", "Unreadable", "read"]

MAX_OCCURRENCES: Final = 20_000
"""Times of people in the interval: an event of two people counts twice."""
MAX_NOTES: Final = 100
MAX_TITLE: Final = 200
_MARGIN: Final = timedelta(days=2)
"""More than any zone is away from UTC: an event is laid out on its own clock, and judged as an instant afterwards."""

Event = Any
"""One of icalendar's components: what stands in it is of any type until it was looked at."""

_BROKEN: Final = (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RuntimeError, AssertionError)
"""What the libraries raise for what they did not expect."""

_lock = threading.Lock()


@dataclass(frozen=True, slots=True)
class Occurrence:
    """One time that an event happens, and whose it is."""

    starts_at: Micros
    ends_at: Micros
    """Exclusive."""
    people: tuple[PersonId, ...]
    event: str
    """Its title, cut at 200 characters."""
    first_day: date | None = None
    last_day: date | None = None
    """For an all-day event: its days, both included."""


@dataclass(frozen=True, slots=True)
class Note:
    """What was left out, and why."""

    event: str
    reason: str
    times: int = 1


@dataclass(frozen=True, slots=True)
class Found:
    """What a file says about an interval."""

    occurrences: tuple[Occurrence, ...]
    """In order."""
    notes: tuple[Note, ...] = ()
    """At most 100; `notes_more` says how many there are beyond."""
    notes_more: int = 0


@dataclass(slots=True)
class _Reading:
    """One file being read."""

    start: Micros
    end: Micros
    match: Match
    zone: tzinfo
    cost_left: int = MAX_COST
    times: int = 0
    found: list[Occurrence] = field(default_factory=list)
    notes: Counter[tuple[str, str]] = field(default_factory=Counter)

    def note(self, event: str, reason: str) -> None:
        key = (event, reason)
        # Past ten times what is shown only the number matters.
        self.notes[key if key in self.notes or len(self.notes) < 10 * MAX_NOTES else ("", "")] += 1


def read(body: bytes, start: Micros, end: Micros, zone_name: str, match: Match) -> Found:
    """The events that touch [start, end).

    `zone_name`: the IANA zone in which days, and times without a zone, are meant when the file does not name one.
    Raises Unreadable for what is no calendar, or is too large or too costly a one.
    """
    lines = wanted_lines(body)
    reading = _Reading(start, end, match, zone(zone_name))
    for calendar in _parsed(lines):
        reading.zone = _own_zone(calendar, reading) or zone(zone_name)
        for group in _groups(calendar):
            _lay_out(reading, group)
    found = sorted(reading.found, key=lambda one: (one.starts_at, one.ends_at, one.event, one.people))
    shown = [Note(event, reason, times) for (event, reason), times in reading.notes.items() if reason]
    return Found(tuple(found), tuple(shown[:MAX_NOTES]), len(shown[MAX_NOTES:]) + reading.notes[("", "")])


def _parsed(lines: str) -> list[Event]:
    with _lock:
        tzp.use(FileZones())
        try:
            return list(Calendar.from_ical(lines, multiple=True))
        except BadZone as error:
            raise Unreadable(f"the calendar can't be used: {error}") from None
        except _BROKEN as error:
            raise Unreadable(f"the calendar is not well formed ({type(error).__name__})") from None


def _own_zone(calendar: Event, reading: _Reading) -> tzinfo | None:
    """What X-WR-TIMEZONE names."""
    said = str(calendar.get("X-WR-TIMEZONE", "")).strip()
    found = known_zone(said) if said else None
    if said and found is None:
        reading.note("", f"the calendar's time zone {said[:80]!r} is not known; the one that was set is used")
    return found


def _groups(calendar: Event) -> Iterator[list[Event]]:
    """The events, each with its moved and cancelled instances."""
    groups: dict[object, list[Event]] = defaultdict(list)
    for place, event in enumerate(calendar.subcomponents):
        if event.name == "VEVENT":
            groups[str(event["UID"]) if "UID" in event else place].append(event)
    yield from groups.values()


def _lay_out(reading: _Reading, group: list[Event]) -> None:
    title = _title(group[0])
    try:
        if all(_is_over(reading, event) for event in group):
            return
        reason = _reason_against(reading, group)
        if reason:
            reading.note(title, reason)
            return
        for event in group:
            _bound(event)
        _note_namesakes(reading, group)
        for event in _occurrences(reading, group):
            _take(reading, event)
    except Unreadable:
        raise
    except _BROKEN as error:
        # One event that can't be read must not hide all others.
        reading.note(title, f"it can't be read ({type(error).__name__})")


def _title(event: Event) -> str:
    said = event.get("SUMMARY", "")
    first = said[0] if isinstance(said, list) and said else said
    return " ".join("".join(one if one.isprintable() else " " for one in str(first)[:1_000]).split())[:MAX_TITLE]


def _is_over(reading: _Reading, event: Event) -> bool:
    """Whether all of it surely ended before the interval, as most of an old calendar did."""
    if "RDATE" in event or "DURATION" in event:
        return False
    begin = _day(event["DTSTART"].dt)
    length = _day(event["DTEND"].dt) - begin if "DTEND" in event else timedelta(days=1)
    last = max([begin, *map(last_day, _rules(event))])
    return last < _day(to_datetime(reading.start)) - abs(length) - _MARGIN


def _rules(event: Event) -> list[Any]:
    rules = event.get("RRULE", [])
    return rules if isinstance(rules, list) else [rules]


def _reason_against(reading: _Reading, group: list[Event]) -> str:
    """Why these events are not even laid out; empty when they are. Takes their cost from what is left."""
    cost = 1
    # Each moved instance that repeats itself looks the whole repetition through once more.
    looks = 1 + sum("RECURRENCE-ID" in event and "RRULE" in event for event in group)
    for event in group:
        for name in ("DTSTART", "DTEND", "RECURRENCE-ID"):
            prop = event.get(name)
            if prop is not None and "TZID" in prop.params and getattr(prop.dt, "tzinfo", None) is None:
                return f"its time zone {str(prop.params['TZID'])[:80]!r} is not known; use an IANA name"
        if "DTSTART" not in event:
            return "it has no start"
        for rule in _rules(event):
            judged = judge(rule, _day(event["DTSTART"].dt), _day(to_datetime(reading.end)) + _MARGIN)
            if judged.refused:
                return judged.refused
            cost += judged.cost * looks
    if cost > reading.cost_left:
        return "laying out how it repeats takes too long; give it a later start or an end"
    reading.cost_left -= cost
    return ""


def _note_namesakes(reading: _Reading, group: list[Event]) -> None:
    """Of several events with one UID only one is read: the last version, or of the same version the first."""
    first, *others = [event for event in group if "RECURRENCE-ID" not in event] or group[:1]
    for event in others:
        same_version = event.get("SEQUENCE", 0) == first.get("SEQUENCE", 0)
        if same_version and event["DTSTART"].dt != first["DTSTART"].dt:
            reading.note(_title(event), "an event before it has the same UID")


def _bound(event: Event) -> None:
    """A repetition of times until a day has that day too: the libraries would end it at its midnight."""
    begin = event["DTSTART"].dt
    for rule in _rules(event):
        if isinstance(begin, datetime) and (until := [_end_of(day, begin) for day in rule.get("UNTIL", [])]):
            rule["UNTIL"] = until


def _end_of(day: date, begin: datetime) -> date:
    """The last second of the day on the clock of the event."""
    if isinstance(day, datetime):
        return day
    last = datetime(day.year, day.month, day.day, 23, 59, 59, tzinfo=begin.tzinfo)
    return last.astimezone(UTC) if begin.tzinfo else last


def _day(at: date) -> date:
    return date(at.year, at.month, at.day)


def _occurrences(reading: _Reading, group: list[Event]) -> Iterator[Event]:
    holder = Calendar()
    holder.subcomponents = group
    since, until = to_datetime(reading.start) - _MARGIN, to_datetime(reading.end) + _MARGIN
    for series in CalendarQuery(holder).series:
        for occurrence in series.between(since, until):
            # Those that belong to nobody count too: they cost the same.
            reading.times += 1
            if reading.times > MAX_OCCURRENCES:
                raise Unreadable(f"the calendar has more than {MAX_OCCURRENCES:,} events in the time that is read")
            yield occurrence.as_component(keep_recurrence_attributes=False)


def _take(reading: _Reading, event: Event) -> None:
    if str(event.get("STATUS", "")).strip().upper() == "CANCELLED":
        return
    since, until = event["DTSTART"].dt, event["DTEND"].dt
    if until == since and not isinstance(since, datetime):
        # Many a program writes the last day in place of the one after it; calendars show such an event as that day.
        until += timedelta(days=1)
    starts_at, ends_at = _instant(reading, since, last=False), _instant(reading, until, last=True)
    title = _title(event)
    if starts_at >= ends_at:
        reading.note(title, "it has no length")
        return
    starts_at, ends_at = max(starts_at, 0), min(ends_at, LAST_INSTANT)
    if ends_at <= reading.start or starts_at >= reading.end:
        return
    people = _people(reading.match, event)
    if not people:
        reading.note(title, "no known person's e-mail address, mapped text or name stands in it")
        return
    reading.times += len(people) - 1
    days = (since, until - timedelta(days=1)) if not isinstance(since, datetime) else (None, None)
    reading.found.append(Occurrence(starts_at, ends_at, people, title, *days))


def _instant(reading: _Reading, at: date, *, last: bool) -> Micros:
    """A day begins at its first instant; where the clock shows a time twice, a start is the first and an end the last."""
    shown = at if isinstance(at, datetime) else datetime(at.year, at.month, at.day)  # noqa: DTZ001 - a wall clock's
    rules = shown.tzinfo or reading.zone
    return last_instant(rules, shown) if last and isinstance(at, datetime) else first_instant(rules, shown)


def _people(match: Match, event: Event) -> tuple[PersonId, ...]:
    said = event.get("ATTENDEE", [])
    attendees = [
        str(one)
        for one in (said if isinstance(said, list) else [said])
        if str(getattr(one, "params", {}).get("PARTSTAT", "")).upper() != "DECLINED"
    ]
    return match.people(
        str(event.get("SUMMARY", "")), attendees, str(event.get("ORGANIZER", "")), str(event.get("X-TOCSIN-PERSON", ""))
    )

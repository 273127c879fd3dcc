"""The time zones that a calendar file names, by our own rules where the name is known, by the file's own where it is not.

A known name (IANA, Windows, or either behind a maker's prefix) means the zone of the tzdata package that this release
pins, whatever the file says about it: one zone, one answer. Only a name that nobody knows ("Customized Time Zone") is read
from the file's own VTIMEZONE, and only for the file it stands in. Pure: must never know events or people.
"""

from __future__ import annotations

from bisect import bisect_right
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any, Final, cast
from zoneinfo import ZoneInfo

from icalendar.timezone.windows_to_olson import WINDOWS_TO_OLSON
from icalendar.timezone.zoneinfo import ZONEINFO

from app.clock import Micros
from app.oncall import walltime
from app.oncall.walltime import zone, zone_names

MAX_OWN_ZONES: Final = 20
"""Zones that one file may define for itself."""
_LAST: Final = datetime(2100, 1, 1, tzinfo=UTC)
"""Until when the rules of such a zone are laid out."""
_NONE: Final = timedelta(0)
_PREFIXES: Final = ("tzone://Microsoft/",)


class BadZone(ValueError):
    """The file's own definition of a zone can't be used; the text says why."""


def known_zone(name: str) -> ZoneInfo | None:
    """The zone that a file means by this name, when it is one that everybody knows."""
    plain = name.strip().strip('"').strip("/")
    for prefix in _PREFIXES:
        plain = plain.removeprefix(prefix)
    plain = WINDOWS_TO_OLSON.get(plain, plain)
    # "/freeassociation.sourceforge.net/Europe/Berlin": the maker stands in front.
    parts = plain.split("/")
    tails = ("/".join(parts[place:]) for place in range(min(len(parts), 8)))
    found = next((tail for tail in tails if tail in zone_names()), None)
    return zone(found) if found else None


def first_instant(rules: tzinfo, shown: datetime) -> Micros:
    """The first instant at which the zone's clock shows this time, or the one at which it jumped over it."""
    return walltime.instant(cast(ZoneInfo, rules), shown.replace(tzinfo=None, fold=0))


def last_instant(rules: tzinfo, shown: datetime) -> Micros:
    """As `first_instant`, but the second time when the clock shows it twice."""
    return walltime.last_instant(cast(ZoneInfo, rules), shown.replace(tzinfo=None, fold=0))


class OwnZone(tzinfo):
    """A zone as a file defines it: the instants at which its clock is put forward or back, and to what."""

    def __init__(self, name: str, changes: list[tuple[datetime, timedelta]], first: timedelta) -> None:
        """`changes`: the UTC instant (without a zone) and the offset from then on, in order; `first`: the one before."""
        self._name = name
        self._offsets = [first, *(offset for _, offset in changes)]
        self._utc = [at for at, _ in changes]
        around = [(at, before, after) for (at, after), before in zip(changes, self._offsets, strict=False)]
        # In a gap or a repeated hour both offsets are possible: fold 0 means the one before the change, fold 1 after it.
        self._walls = (
            [at + max(before, after) for at, before, after in around],
            [at + min(before, after) for at, before, after in around],
        )

    def utcoffset(self, dt: datetime | None) -> timedelta:
        if dt is None:
            return self._offsets[-1]
        return self._offsets[bisect_right(self._walls[dt.fold], dt.replace(tzinfo=None, fold=0))]

    def dst(self, dt: datetime | None) -> timedelta:
        return _NONE

    def tzname(self, dt: datetime | None) -> str:
        return self._name

    def fromutc(self, dt: datetime) -> datetime:
        utc = dt.replace(tzinfo=None)
        place = bisect_right(self._utc, utc)
        local = (utc + self._offsets[place]).replace(tzinfo=self)
        # The second time that the clock shows it.
        again = place > 0 and local.replace(tzinfo=None) < self._utc[place - 1] + self._offsets[place - 1]
        return local.replace(fold=1) if again else local


class FileZones(ZONEINFO):
    """What icalendar asks for the zones of one file. Build one for each file, because it counts."""

    def __init__(self) -> None:
        self._made = 0

    @property
    def utc(self) -> ZoneInfo:
        return zone("UTC")

    def timezone(self, name: str) -> tzinfo | None:
        return known_zone(name)

    def knows_timezone_id(self, tzid: str) -> bool:
        return known_zone(str(tzid)) is not None

    def fix_rrule_until(self, rrule: Any, ical_rrule: Any) -> None:
        if not {"UNTIL", "COUNT"} & {str(key).upper() for key in ical_rrule}:
            rrule._until = _LAST  # noqa: SLF001 - as icalendar's own providers do; there is no other way to bound it

    def create_timezone(self, tz: Any) -> tzinfo:  # type: ignore[override] # declared otherwise than it is called
        """Raises BadZone, for what would be endless work too."""
        self._made += 1
        if self._made > MAX_OWN_ZONES:
            raise BadZone(f"it defines more than {MAX_OWN_ZONES} time zones of its own")
        name = str(tz.get("TZID", ""))[:80]
        if not tz.subcomponents or any(not _plain(part) for part in tz.subcomponents):
            raise BadZone(f"its time zone {name!r} changes by rules that can't be followed; use an IANA name")
        try:
            times, offsets = tz.get_transitions()
            firsts = sorted((part["DTSTART"].dt, part["TZOFFSETFROM"].td) for part in tz.subcomponents)
        except (KeyError, AttributeError, TypeError, ValueError, OverflowError):
            raise BadZone(
                f"its time zone {name!r} is not defined as a calendar program would; use an IANA name"
            ) from None
        changes = [(at, offset) for at, (offset, _, _) in zip(times, offsets, strict=True)]
        return OwnZone(name, changes, firsts[0][1])


def _plain(part: Any) -> bool:
    """Whether a STANDARD or DAYLIGHT repeats once a year, which is all that a zone needs."""
    rules = part.get("RRULE", [])
    for rule in rules if isinstance(rules, list) else [rules]:
        keys = {str(key).upper() for key in rule}
        if [str(one).upper() for one in rule.get("FREQ", [])] != ["YEARLY"]:
            return False
        if "INTERVAL" in keys and [str(one) for one in rule["INTERVAL"]] != ["1"]:
            return False
        # Notes says the hour of the change beside its start.
        clock = {"BYHOUR", "BYMINUTE", "BYSECOND"} & keys
        if any(isinstance(rule[key], list) and len(rule[key]) > 1 for key in clock):
            return False
        if keys - clock - {"FREQ", "INTERVAL", "BYMONTH", "BYDAY", "BYMONTHDAY", "UNTIL", "COUNT", "WKST"}:
            return False
    return True

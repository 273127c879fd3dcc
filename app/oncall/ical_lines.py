"""The lines of a calendar file that matter, out of bytes that anybody may have sent. Pure.

Everything that says neither when nor whose (descriptions, attachments, alarms, tasks) is left out before the parser sees
it: most of a large file, and most of what a hostile one could hide in. Must never know what the lines mean together.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

MAX_BODY: Final = 5 * 1024 * 1024
MAX_EVENTS: Final = 5_000
MAX_LINES: Final = 100_000
"""Of those that matter: twenty an event."""
MAX_LINE: Final = 100_000
"""Characters of one; a list of that many exceptions is no calendar of people."""

_FOLD: Final = re.compile(rb"\r?\n[ \t]")
"""Of bytes: a line may be folded in the middle of a letter (RFC 5545, 3.1)."""
_NAME: Final = re.compile(r"[A-Za-z0-9-]+")
_WHEN: Final = {"DTSTART", "RRULE", "RDATE"}
_KEPT: Final = {
    "VCALENDAR": {"X-WR-TIMEZONE", "CALSCALE"},
    "VEVENT": _WHEN
    | {
        "UID", "SUMMARY", "DTEND", "DURATION", "EXDATE", "RECURRENCE-ID", "SEQUENCE", "STATUS", "ATTENDEE", "ORGANIZER",
        "X-TOCSIN-PERSON",
    },
    "VTIMEZONE": {"TZID"},
    "STANDARD": _WHEN | {"TZOFFSETFROM", "TZOFFSETTO"},
    "DAYLIGHT": _WHEN | {"TZOFFSETFROM", "TZOFFSETTO"},
}  # fmt: skip
_INSIDE: Final = {
    "VCALENDAR": "",
    "VEVENT": "VCALENDAR",
    "VTIMEZONE": "VCALENDAR",
    "STANDARD": "VTIMEZONE",
    "DAYLIGHT": "VTIMEZONE",
}
"""Each component that matters, and where it has to stand: nothing is deeper than three."""


class Unreadable(ValueError):
    """What was sent is no calendar that can be read; the text says why and fits behind "the calendar ..."."""


def wanted_lines(body: bytes) -> str:
    """The file without what does not matter, each line whole. Raises Unreadable."""
    if len(body) > MAX_BODY:
        raise Unreadable(f"the calendar is larger than {MAX_BODY // 1024 // 1024} MB")
    text = _FOLD.sub(b"", body).decode("utf-8-sig", "replace").lstrip()
    if text[:15].upper() != "BEGIN:VCALENDAR":
        web = text[:200].lower().startswith(("<!doctype html", "<html"))
        raise Unreadable(
            "what was answered is a web page and no calendar: perhaps the address asks for a login" if web
            else "what was answered is no calendar: it does not begin with BEGIN:VCALENDAR"
        )  # fmt: skip
    return "\r\n".join(_kept(re.split(r"\r?\n", text))) + "\r\n"


@dataclass(slots=True)
class _Walk:
    """Where in the file we are: the components that matter, and inside them those that do not."""

    stack: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    events: int = 0

    def begin(self, what: str) -> bool:
        """Whether the component matters where it stands."""
        if self.skipped or _INSIDE.get(what) != (self.stack[-1] if self.stack else ""):
            self.skipped.append(what)
            return False
        self.stack.append(what)
        self.events += what == "VEVENT"
        return True

    def end(self, what: str) -> bool:
        """Whether a component that matters ends. Raises Unreadable."""
        inner = self.skipped or self.stack
        if not inner or inner[-1] != what:
            raise Unreadable(f"the calendar is not well formed: END:{what[:40]} stands where nothing of it began")
        inner.pop()
        return inner is self.stack

    def keeps(self, line: str) -> bool:
        """Whether the line matters."""
        found = _NAME.match(line)
        name = found[0].upper() if found else ""
        if name in ("BEGIN", "END"):
            what = line.rpartition(":")[2].strip().upper()
            return self.begin(what) if name == "BEGIN" else self.end(what)
        return not self.skipped and bool(self.stack) and name in _KEPT[self.stack[-1]]


def _kept(lines: list[str]) -> list[str]:
    kept: list[str] = []
    walk = _Walk()
    for line in filter(walk.keeps, lines):
        if walk.events > MAX_EVENTS:
            raise Unreadable(f"the calendar has more than {MAX_EVENTS:,} events")
        if len(kept) >= MAX_LINES or len(line) > MAX_LINE:
            raise Unreadable("the calendar says more about its events than can be read")
        kept.append(line)
    if walk.stack or walk.skipped:
        raise Unreadable("the calendar is cut off: its end is missing")
    return kept

"""Times, names and other people's words, as an explanation says them. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from app.clock import DAY, HOUR, MINUTE, SECOND, Micros, to_datetime
from app.notifiers.text import cut, one_line

LONGEST_QUOTE = 300
"""What others wrote (titles, notes, what a provider said) is told by its beginning."""


def clock(at: Micros, since: Micros) -> str:
    """An instant to the second, with its day where that is not the day of `since`: "02:56:12 UTC", "30 Mar 02:56:12 UTC"."""
    then, begun = to_datetime(at), to_datetime(since)
    if then.date() == begun.date():
        return f"{then:%H:%M:%S} UTC"
    year = f" {then.year}" if then.year != begun.year else ""
    return f"{then.day} {then:%b}{year} {then:%H:%M:%S} UTC"


def day_and_clock(at: Micros) -> str:
    """An instant with its weekday and day: "Sun 29 Mar 2026 02:56:12 UTC"."""
    then = to_datetime(at)
    return f"{then:%a} {then.day} {then:%b %Y %H:%M:%S} UTC"


def relative(gap: Micros) -> str:
    """How long after the beginning: "+00:12", "+1:02:03", "+2d 01:02:03"."""
    sign, seconds = ("-" if gap < 0 else "+"), abs(gap) // SECOND
    days, rest = divmod(seconds, DAY // SECOND)
    hours, rest = divmod(rest, HOUR // SECOND)
    minutes, seconds = divmod(rest, MINUTE // SECOND)
    if days:
        return f"{sign}{days}d {hours:02}:{minutes:02}:{seconds:02}"
    return f"{sign}{hours}:{minutes:02}:{seconds:02}" if hours else f"{sign}{minutes:02}:{seconds:02}"


def took(gap: Micros) -> str:
    """A duration to the second: "0.2 s", "40 s", "3 min 10 s", "2 h 5 min"."""
    gap = max(0, gap)
    if gap < 10 * SECOND:
        tenths = gap * 10 // SECOND
        return f"{tenths // 10}.{tenths % 10} s" if tenths % 10 else f"{tenths // 10} s"
    if gap < MINUTE:
        return f"{gap // SECOND} s"
    if gap < HOUR:
        return _two(gap // MINUTE, "min", gap % MINUTE // SECOND, "s")
    if gap < DAY:
        return _two(gap // HOUR, "h", gap % HOUR // MINUTE, "min")
    days = gap // DAY
    return _two(days, "day" if days == 1 else "days", gap % DAY // HOUR, "h")


def _two(many: int, unit: str, few: int, small: str) -> str:
    return f"{many} {unit} {few} {small}" if few else f"{many} {unit}"


def level_name(level: int, round_: int) -> str:
    """As people count: "level 1", "level 1, round 2"."""
    return f"level {level + 1}" + (f", round {round_ + 1}" if round_ else "")


def names(found: Iterable[str], most: int = 6) -> str:
    """Names in a sentence: "Ana", "Ana and Ben", "Ana, Ben and 4 more"."""
    unique = [quote(name, 80) for name in dict.fromkeys(found)]
    if len(unique) > most:
        return f"{', '.join(unique[: most - 1])} and {len(unique) - most + 1} more"
    return joined(unique)


def joined(parts: Sequence[str], last: str = "and") -> str:
    """The parts with commas, and a word before the last."""
    if len(parts) < 2:
        return "".join(parts)
    return f"{', '.join(parts[:-1])} {last} {parts[-1]}"


def shortened(parts: Sequence[str], most: int = 3) -> str:
    """The first few of a list, and how many more."""
    rest = len(parts) - most
    return ", ".join(parts[:most]) + (f" and {many(rest, 'more time')}" if rest > 0 else "")


def quote(text: str, limit: int = LONGEST_QUOTE) -> str:
    """Somebody else's words, on one line and not too many."""
    return cut(one_line(text), limit)


def sentence(text: str) -> str:
    """With a capital at its beginning and a full stop at its end."""
    text = text.strip()
    end = "" if text.endswith((".", "!", "?")) else "."
    return text[:1].upper() + text[1:] + end


def why_quiet(says: str) -> str:
    """Why an incident does not page now."""
    return sentence(f"It does not page now: {quote(says, 600)}")


def many(count: int, one: str, more: str = "") -> str:
    """A number of things: "1 page", "3 pages"."""
    return f"{count:,} {one if count == 1 else more or one + 's'}"


def a_way(notifier: str, label: str) -> str:
    """A contact method: its kind, and what its person calls it."""
    return f"{notifier} ({quote(label, 60)})" if label and label != notifier else notifier

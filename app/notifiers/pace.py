"""How fast a provider may be called: what a notifier knows of it, and what the operator sets. Pure. Knows no provider."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass

FORM = "KIND=PER_SECOND, KIND=PER_SECOND:BURST or KIND=PER_SECOND:BURST:AT_ONCE, such as telegram=20:20 or email=5:10:4"


@dataclass(frozen=True, slots=True)
class Pace:
    """`burst` calls at once, `per_second` after that, `at_once` on their way at a time.

    A notifier that knows its provider's limits says so in a class variable `pace`; TOCSIN_PROVIDER_PACE goes before it.
    """

    per_second: float | None = None
    """None: as fast as there is work."""
    burst: int = 1
    at_once: int | None = None
    """None: half of the hands there are, so that one provider that hangs leaves hands for the others."""


def read_paces(entries: Iterable[str]) -> dict[str, Pace]:
    """The paces of TOCSIN_PROVIDER_PACE by kind of notifier; without a burst it is what goes in a second. Raises ValueError, which names the entry and the form."""
    return dict(_read(entry) for entry in entries)


_ENTRY = re.compile(r"([A-Za-z0-9_-]+)=([0-9]{1,6}(?:\.[0-9]{1,6})?)(?::([0-9]{1,6}))?(?::([0-9]{1,4}))?")


def _read(entry: str) -> tuple[str, Pace]:
    found = _ENTRY.fullmatch(entry)
    per_second, burst, at_once = (float(found[2]), int(found[3] or 0), found[4]) if found else (0.0, 0, None)
    if found is None or not per_second or at_once == "0":
        raise ValueError(f"TOCSIN_PROVIDER_PACE: {entry!r} can't be read; it must be {FORM}")
    return found[1], Pace(per_second, max(1, burst or math.ceil(per_second)), int(at_once) if at_once else None)

"""Whether all is well, as the outside is told: the reasons against it, each a sentence. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from app.clock import SECOND, Micros, lasting, spoken
from app.watch.hold import Hold

AUDIT_TRUSTED: Micros = 90 * SECOND
SYNTHETIC_TRUSTED: Micros = 100 * SECOND
"""One that fails is noticed by the next time the outside is told. An audit or a synthetic page that went well says nothing about what is longer ago."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known when the outside is to be told."""

    audited_at: Micros | None
    """When the last audit ended."""
    faults: Mapping[str, int] = field(default_factory=dict)
    undelivered: tuple[int, ...] = ()
    arrived_at: Micros | None = None
    """When the last synthetic page arrived."""
    hold: Hold | None = None


_WORDS = {
    "late_jobs": "jobs have been due for more than a minute",
    "expired_leases": "claims ended and nobody took the work over",
    "left_away": "jobs are still put away after a hold",
    "lost_incidents": "incidents had nothing left that would page anybody",
}


def against(facts: Facts, now: Micros) -> list[str]:
    """Why it is not well; empty when it is."""
    found = []
    if facts.audited_at is None or now - facts.audited_at > AUDIT_TRUSTED:
        found.append("the audit has not come to its end")
    found += [f"{many} {_WORDS[kind]}" for kind, many in facts.faults.items() if many]
    if facts.arrived_at is None or now - facts.arrived_at > SYNTHETIC_TRUSTED:
        since = f" since {spoken(facts.arrived_at)}" if facts.arrived_at else ""
        found.append(f"no synthetic page has arrived{since}")
    if facts.hold is not None:
        found.append(said_of(facts.hold, now))
    if facts.undelivered:
        numbers = ", ".join(f"#{number}" for number in facts.undelivered[:5])
        found.append(f"nobody at all could be told of {len(facts.undelivered)} open incidents ({numbers})")
    return found


def said_of(hold: Hold, now: Micros) -> str:
    """A hold in one sentence, for whoever may not know of it."""
    why = f" ({hold.why})" if hold.why else ""
    return f"paging is held back by {hold.by}{why} since {spoken(hold.since)}, {lasting(now - hold.since)}: nobody is paged"

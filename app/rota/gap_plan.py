"""Which findings are told to teams, and when to look again: a week ahead and a day ahead, each once. Pure.

A finding that a look finds again is the same one when it is of the same kind and begins at the same instant. One that is on
already began when an earlier look saw it begin, because a look cannot see further back than its own time.
Must never know who is told, nor in which words.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from app.clock import DAY, Micros
from app.rota.reach import Finding, FindingKind

WEEK_AHEAD: Micros = 7 * DAY
DAY_AHEAD: Micros = DAY

Stage = Literal["", "week", "day"]
"""What a team was told of a finding so far; who was told a day ahead needs not be told a week ahead any more."""


@dataclass(frozen=True, slots=True)
class Kept:
    """What an earlier look left behind of a finding."""

    kind: FindingKind
    starts_at: Micros
    ends_at: Micros
    told: Stage


@dataclass(frozen=True, slots=True)
class Known:
    """A finding, and what a team was told of it."""

    finding: Finding
    told: Stage = ""


def recognized(before: Sequence[Kept], found: Sequence[Finding], now: Micros) -> tuple[Known, ...]:
    """The findings of a look at `now`, with what the looks before it know of them."""
    return tuple(_recognized(before, one, now) for one in found)


def _recognized(before: Sequence[Kept], finding: Finding, now: Micros) -> Known:
    for kept in before:
        if kept.kind != finding.kind:
            continue
        if kept.starts_at == finding.starts_at:
            return Known(finding, kept.told)
        if finding.starts_at == now and kept.starts_at <= now <= kept.ends_at:
            return Known(replace(finding, starts_at=kept.starts_at), kept.told)
    return Known(finding)


def to_tell(known: Known, now: Micros) -> Stage:
    """What is to be told of it now; empty: nothing."""
    ahead = known.finding.starts_at - now
    if known.finding.kind == "same_person":
        return "week" if not known.told and ahead <= WEEK_AHEAD else ""
    if known.told != "day" and ahead <= DAY_AHEAD:
        return "day"
    return "week" if not known.told and ahead <= WEEK_AHEAD else ""


def next_look(known: Sequence[Known], now: Micros, daily: Micros) -> Micros:
    """When there is something to tell next, or the daily look, whichever is first."""
    stages = (one.finding.starts_at - ahead for one in known for ahead in (WEEK_AHEAD, DAY_AHEAD))
    return min([daily, *(at for at in stages if at > now)])


def daily_look(subject: int, now: Micros) -> Micros:
    """When this policy has its daily look next: each at its own time of the day, so that they do not come at once."""
    # Fibonacci hashing: ids that follow each other lie far apart.
    spot = (subject * 0x9E3779B97F4A7C15 & 0xFFFF_FFFF) * DAY >> 32
    return now + DAY - (now - spot) % DAY

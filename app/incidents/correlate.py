"""Which incident an alert belongs to, and why. Pure.

An alert joins the open incident with the same grouping (of its service's setting) whose last alert came within the
window; otherwise it opens one. Each answer carries its reason as a name and a sentence: the name is a metric label, the
sentence is what a person reads on the incident.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b

from app.clock import SECOND, Micros
from app.incidents.service import Grouping


@dataclass(slots=True)
class Candidate:
    """An open incident an alert may join. `last_alert_at` moves as alerts of the same transaction join."""

    id: int
    last_alert_at: Micros


@dataclass(frozen=True, slots=True)
class Join:
    """The alert belongs to an incident that is open."""

    incident_id: int
    name: str
    sentence: str


@dataclass(frozen=True, slots=True)
class OpenNew:
    """The alert is the first of a new incident."""

    name: str
    sentence: str


@dataclass(frozen=True, slots=True)
class Suppress:
    """The alert is stored and visible, belongs to no incident and pages nobody."""

    name: str
    sentence: str


Placement = Join | OpenNew | Suppress


def grouping_key(service_id: int | None, grouping: Grouping, labels: Mapping[str, str], alert_key: bytes) -> bytes:
    """16 bytes that are equal for alerts which may join one incident. Label values are hashed, so any text will do."""
    parts = [str(service_id or 0), grouping.by]
    if grouping.by == "labels":
        for name in grouping.labels:
            parts += (name, labels.get(name, ""))
    elif grouping.by == "alert":
        parts.append(alert_key.hex())
    # Lengths before texts: no two lists of parts give the same bytes.
    text = "".join(f"{len(part)}:{part}" for part in parts)
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def place(
    grouping: Grouping, labels: Mapping[str, str], candidates: Sequence[Candidate], now: Micros
) -> Join | OpenNew:
    """Joins the candidate with the newest alert inside the window, or opens a new incident.

    `candidates` are the open incidents with the alert's grouping key.
    """
    newest = max(candidates, key=lambda candidate: candidate.last_alert_at, default=None)
    if newest is None:
        return OpenNew("first", "no incident of this group was open")
    quiet_s = max(0, now - newest.last_alert_at) // SECOND
    if quiet_s > grouping.window_s:
        return OpenNew(
            "window_over",
            f"the open incident of this group had no new alert for {quiet_s} s; the window is {grouping.window_s} s",
        )
    what = {
        "service": "the same service",
        "labels": "the same " + ", ".join(f"{name}={labels.get(name, '')}" for name in grouping.labels),
        "alert": "the same alert",
    }[grouping.by]
    return Join(newest.id, f"same_{grouping.by}", f"{what}, {quiet_s} s after the last alert")


def never_pages(severity: str, *, test: bool) -> Suppress | None:
    """The alerts that by their nature concern nobody."""
    if test:
        return Suppress("test", "a test message: it arrived, and nobody is paged for it")
    if severity == "none":
        return Suppress("severity_none", "severity none: a signal that fires for ever by design")
    return None

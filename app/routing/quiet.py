"""Why an incident does not page now: all of its open alerts are silenced, inhibited or held. Pure.

One alert that is none of these is enough, and it pages. What has no open alert (a person reported it) is never quiet.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from app.clock import MINUTE, Micros
from app.routing.index import Index
from app.routing.inhibition import Inhibitions
from app.routing.matchers import Facts, all_match, facts_of
from app.routing.silence import Silencing

Cause = Literal["silence", "inhibition", "hold"]
LOOK_AGAIN: Micros = 5 * MINUTE
"""How soon an inhibited incident is looked at again by itself. The end of the alert that inhibits it wakes it at once."""
TOLD = 3
"""Reasons that are told; the rest are counted."""


@dataclass(frozen=True, slots=True)
class OpenAlert:
    """An alert that fires."""

    id: int
    facts: Facts
    hold_until: Micros | None = None
    said: str = ""
    """What rules did to it, for one that is held."""


@dataclass(frozen=True, slots=True)
class Reason:
    """Why an alert does not page, and until when at least."""

    cause: Cause
    id: int
    """Of the silence, of the alert that inhibits, or 0."""
    until: Micros
    says: str


@dataclass(frozen=True, slots=True)
class Quiet:
    """Why an incident does not page, and when it is to be asked again."""

    until: Micros
    reasons: tuple[Reason, ...]
    says: str

    @property
    def inhibitor(self) -> int | None:
        """The alert whose end wakes it."""
        return next((one.id for one in self.reasons if one.cause == "inhibition"), None)

    @property
    def detail(self) -> dict[str, Any]:
        """For the timeline."""
        causes = sorted({(one.cause, str(one.id)) for one in self.reasons})
        return {"causes": [{"cause": cause, "id": item} for cause, item in causes[:20]], "until": self.until}


@dataclass(frozen=True, slots=True)
class Book:
    """Everything that may keep an incident quiet, at one version of the configuration."""

    version: str = ""
    silences: tuple[Silencing, ...] = ()
    inhibitions: Inhibitions = field(default_factory=Inhibitions)
    holds: bool = False
    """A rule holds pages."""
    services: Mapping[int, str] = field(default_factory=dict)
    senders: Mapping[int, tuple[str, str]] = field(default_factory=dict)
    """Name and kind of each integration."""
    index: Index = field(default_factory=lambda: Index(()))
    """Of the silences."""

    def __bool__(self) -> bool:
        return bool(self.silences or self.inhibitions or self.holds)

    def silenced(self, facts: Facts, at: Micros) -> Reason | None:
        """The silence that lasts longest of those that are over an alert."""
        best: Reason | None = None
        for place in self.index.candidates(facts):
            one = self.silences[place]
            until = one.window.until(at)
            if until is not None and (best is None or until > best.until) and all_match(one.matchers, facts):
                best = Reason("silence", one.id, until, one.says(until))
        return best

    def silences_on(self, at: Micros) -> int:
        """How many silences are on."""
        return sum(one.window.until(at) is not None for one in self.silences)

    def over_everything(self, at: Micros) -> list[Silencing]:
        """The silences over everything that are on."""
        return [one for one in self.silences if one.over_everything and one.window.until(at) is not None]

    def facts(
        self,
        labels: Mapping[str, str],
        annotations: Mapping[str, str],
        *,
        title: str,
        severity: str,
        service_id: int | None,
        integration_id: int,
        key: str,
    ) -> dict[str, str]:
        """What matchers read of an alert that is stored."""
        name, kind = self.senders.get(integration_id, ("", ""))
        service = self.services.get(service_id or 0, "")
        return facts_of(
            labels,
            annotations,
            title=title,
            severity=severity,
            service=service,
            integration=name,
            kind=kind,
            key=key,
        )


def why_held(alert: OpenAlert, at: Micros) -> Reason | None:
    """Why a rule holds an alert's page."""
    if alert.hold_until is None or alert.hold_until <= at:
        return None
    return Reason("hold", 0, alert.hold_until, alert.said or "a rule holds its page")


def quieted(reasons: Sequence[Reason]) -> Quiet:
    """Of an incident each of whose open alerts has a reason not to page.

    What it says changes only when the reasons do: not with each alert that joins for a reason that is told already.
    """
    first = {one.says: one for one in reversed(reasons)}
    told = sorted(first)
    more = len(told) - TOLD
    says = "; ".join(told[:TOLD]) + (f"; and {more} more reasons" if more > 0 else "")
    return Quiet(min(one.until for one in reasons), tuple(first[one] for one in told), says)


def ended(open_alerts: int, alerts: int) -> str:
    """What the timeline says when nothing keeps an incident quiet any more."""
    over = alerts - open_alerts
    meanwhile = f"; {over} resolved meanwhile" if over > 0 else ""
    return f"nothing keeps it quiet any more: {open_alerts} of {alerts} alerts still fire{meanwhile}"


def ids(reasons: Iterable[Reason], cause: Cause) -> set[int]:
    """What caused it."""
    return {one.id for one in reasons if one.cause == cause}

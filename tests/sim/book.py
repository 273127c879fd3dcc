"""What the world outside knows: what was answered to whom, and what providers got. The oracle's own record.

It believes no table: an answer counts because somebody got it, a page because it arrived.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from app.clock import Micros
from app.notifiers.notifier import Accepted, Delivered
from tests.sim.providers import KINDS, Call


@dataclass(slots=True)
class Promise:
    """Somebody was told that an incident is theirs, or over: nothing that begins after that pages."""

    answered_at: float
    until: Micros | None
    """The wall time at which it may page again by itself; None for never."""
    who: str
    said: str


@dataclass
class Book:
    """The record of one run."""

    promises: dict[int, Promise] = field(default_factory=dict)
    """By number of incident: the last promise that still holds."""
    counted: dict[tuple[int, str, int], float] = field(default_factory=dict)
    """Who was told that their own acknowledgement counts, of which incident (by number) and epoch, and when."""
    stir: set[int] = field(default_factory=set)
    """Incidents that somebody asked to escalate or reopen, whether or not it was answered."""
    deliveries: Counter[str] = field(default_factory=Counter)
    """How often each page reached a device, but for those a provider disowned."""
    calls_about: Counter[int] = field(default_factory=Counter)
    """How many calls each incident (by number) has cost."""
    answered_yes: set[str] = field(default_factory=set)
    """Pages a provider took with a positive answer."""
    promised: dict[str, bool] = field(default_factory=dict)
    """Pages for which their provider has promised a receipt, and whether one was taken since the last promise."""
    shut: dict[str, tuple[int, float]] = field(default_factory=dict)
    """Devices that were disabled, or whose person was removed: the person, and when that was answered."""
    edits: Counter[tuple[str, int]] = field(default_factory=Counter)
    held_since: float | None = None
    """Since when paging has been held back, where nothing stops a process in the middle of what it began before."""
    accepted: int = 0
    refused: int = 0

    def edited(self, kind: str, place: int, document: dict[str, Any] | None) -> Callable[[float], None]:
        """An edit was sent; the answer is to be called with the instant at which it was answered."""
        self.edits[kind, place] += 1
        mine = self.edits[kind, place]
        if kind != "person":
            return lambda _: None
        for device in [device for device, (owner, _) in self.shut.items() if owner == place]:
            del self.shut[device]

        def answered(at: float) -> None:
            if self.edits[kind, place] == mine:
                methods = document["contact_methods"] if document else ()
                enabled = {method["address"]["to"] for method in methods if method.get("enabled", True)}
                every = {f"person-{place}-{way}" for way in KINDS}
                self.shut.update(dict.fromkeys(sorted(every - enabled), (place, at)))

        return answered

    def called(self, call: Call) -> None:
        """A provider has decided what it does with a call."""
        self.calls_about[call.incident] += 1
        positive = isinstance(call.answer, Delivered | Accepted)
        if positive:
            self.answered_yes.add(call.page)
        # One that delivers and then says that it did not makes duplicates which nobody could avoid.
        if call.mode != "doubts" and (call.delivered or positive):
            self.deliveries[call.page] += 1

"""What happened in one incident, as far as it says whether its pages were worth it. Pure values; must never know the store."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from app.clock import MINUTE, Micros

CHECK_LABELS = ("alertname", "check", "check_name", "monitor", "rulename", "rule", "trigger", "event_id")
"""Under which of its labels a sender names the check; the first that is there counts."""

CALL_COST = 5 * MINUTE
NIGHT_CALL_COST = 20 * MINUTE
"""What being called takes, whatever it was about: coming back to one's work, at night back to sleep."""
LONGEST_ATTENTION = 60 * MINUTE
"""From acknowledging until it was over counts no longer: nobody looks at one incident all day."""

_CHANGING = re.compile(
    r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|\b(?=[a-f]*\d)[0-9a-f]{7,}\b|\d+(?:[.,:]\d+)*%?",
    re.IGNORECASE,
)


def masked(text: str) -> str:
    """The text with what changes from time to time (numbers, ids, addresses) as `#`: the same problem reads the same."""
    return " ".join(_CHANGING.sub("#", text).lower().split())


def check_of(labels: Mapping[str, str], title: str) -> str:
    """What the sender calls the check; without a name its masked title."""
    return next((labels[name] for name in CHECK_LABELS if labels.get(name)), masked(title))


@dataclass(frozen=True, slots=True)
class Call:
    """One level told to one person, however many ways were tried."""

    at: Micros
    night: bool
    """By the clock of whoever was called."""


@dataclass(frozen=True, slots=True)
class Past:
    """One incident."""

    number: int
    service_id: int | None
    service: str
    check: str
    title: str
    key: str
    """Stands for the dedup key of its first alert; the same at each return of the same problem."""
    opened_at: Micros
    calls: tuple[Call, ...] = ()
    rules: tuple[str, ...] = ()
    """The routing rules that its first alert matched, by name."""
    acknowledged_at: Micros | None = None
    """The first time."""
    acted: bool = False
    """A person did more than acknowledge or snooze: wrote, resolved, escalated, reopened or closed."""
    over_at: Micros | None = None
    by_itself: bool = False
    """Over because its alerts ended, not because a person said so."""
    resolved_by: str = ""
    words: str = ""
    """The last note of whoever worked on it."""

    @property
    def lasted(self) -> Micros | None:
        """How long it was open. None: it still is."""
        return None if self.over_at is None else self.over_at - self.opened_at

    @property
    def idle(self) -> bool:
        """Somebody was called and acknowledged, did nothing else, and it ended by itself."""
        return bool(self.calls) and self.acknowledged_at is not None and not self.acted and self.by_itself

    def ended_itself_within(self, span: Micros) -> bool:
        """Whether it was over by itself, and so soon."""
        return self.by_itself and self.lasted is not None and self.lasted <= span

    @property
    def attention(self) -> Micros:
        """People's time: each call, and the work from the first acknowledgement until it was over."""
        called = sum(NIGHT_CALL_COST if call.night else CALL_COST for call in self.calls)
        if self.acknowledged_at is None:
            return called
        end = self.over_at if self.over_at is not None else self.acknowledged_at + LONGEST_ATTENTION
        return called + min(LONGEST_ATTENTION, max(0, end - self.acknowledged_at))

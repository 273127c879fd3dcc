"""A sender of one problem behind a bad network, and a model of what anybody would conclude from what was heard of it.

`story` makes the sender's messages from a seed: flapping and long episodes, repeats, and what becomes of them on the way:
lost, doubled, late, in any order. `Heard` is written from the promises, not from the code: it keeps the newest beginning
and the newest end that were heard, by the sender's own clock, and nothing else of the past.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Literal, NamedTuple

from app.clock import HOUR, MINUTE, SECOND, Micros
from app.sources.event import Event

START: Micros = 1_767_571_200_000_000
LATEST: Micros = 14 * MINUTE
"""No message is under way for longer."""
PATIENCE: Micros = 5 * MINUTE
"""For how long what a person declared over may go on firing."""
RETRIES: Micros = MINUTE
"""The same where the sender says nothing of time: it may have failed anew, and says so once."""
SILENCE: Micros = 10 * MINUTE
"""After so long without a word an alert ends, where it expires."""

Times = Literal["both", "ends", "none"]
"""What a sender says of time: both ends in each resolve, its end alone, or nothing at all."""


class Message(NamedTuple):
    """One that arrives."""

    at: Micros
    event: Event


def story(chance: random.Random, key: str = "k") -> list[Message]:
    """What arrives of one problem's messages, in the order of arrival."""
    times: Times = chance.choice(("both", "both", "ends", "none"))
    # Who says no times can be understood in the order of speaking alone.
    late = LATEST if times != "none" else 0
    sent: list[tuple[Micros, Event]] = []
    at = START + chance.randrange(10 * MINUTE)
    for _ in range(chance.randint(1, 6)):
        end = at + (chance.randint(5, 200) * SECOND if chance.random() < 0.6 else chance.randint(4, 90) * MINUTE)
        every = chance.choice((30 * SECOND, 4 * MINUTE, 12 * MINUTE))
        firing = Event("firing", key, "t", starts_at=at if times != "none" else None)
        sent += [(moment, firing) for moment in range(at, min(end, at + 6 * every), every)]
        began, ended = (at if times == "both" else None, end if times != "none" else None)
        over = Event("resolved", key, "t", starts_at=began, ends_at=ended)
        sent += [(end, over)] * chance.choice((0, 1, 1, 1, 2))
        at = end + (chance.randint(5, 200) * SECOND if chance.random() < 0.6 else chance.randint(4, 120) * MINUTE)
    arrived = []
    for moment, event in sent:
        for _ in range(chance.choice((0, 1, 1, 1, 1, 2))):
            lag = chance.randint(1, late) if late and chance.random() < 0.3 else 0
            arrived.append(Message(moment + lag, event))
    return sorted(arrived, key=lambda one: one.at)


@dataclass
class Heard:
    """What is known of one problem from what was heard, whatever the order."""

    expires: bool = False
    open: bool = False
    opened: int = 0
    """Times that it began to be open: alerts that somebody may be told of."""
    told: int = 0
    """Firings of the alert that is open, or was last."""
    _newest: Micros = -1
    _ended: Micros = -1
    _last: Micros = 0
    _by_hand: Micros = -HOUR

    def hears(self, event: Event, now: Micros) -> None:
        """A message came."""
        self.passes(now)
        if event.status == "resolved":
            self._ended = max(self._ended, event.ends_at or 0)
            self.open = self.open and self._newest > self._ended and event.ends_at is not None
            return
        over = event.starts_at is not None and (event.starts_at <= self._ended or event.starts_at < self._newest)
        news = event.starts_at is not None and event.starts_at > self._newest
        patience = RETRIES if event.starts_at is None else PATIENCE
        if not self.open and not over and (news or now - self._by_hand > patience):
            self.open, self.opened, self.told, self._by_hand = True, self.opened + 1, 0, -HOUR
        self._newest = max(self._newest, event.starts_at or 0)
        if self.open:
            self.told, self._last = self.told + 1, now

    def passes(self, now: Micros) -> None:
        """Nothing came until now."""
        if self.expires and now - self._last >= SILENCE:
            self.open = False

    def declared_over(self, now: Micros) -> None:
        """A person said that it is over."""
        if self.open:
            self.open, self._by_hand = False, now

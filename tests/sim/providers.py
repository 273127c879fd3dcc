"""Ways to reach people that work as badly as the script says: real notifiers by their form, with no network under them.

What a provider got and what it answered is written down by the provider, outside of every process: that is what the
oracle believes. Several kinds, so that one may be down while another works.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from contextvars import Context
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from app.notifiers.notifier import Accepted, Address, Delivered, Limits, Message, Outcome, Refused, TryAgain, Unknown
from app.notifiers.outbound import Outbound
from tests.sim.chance import chance, pick
from tests.sim.loop import LIFE, VirtualLoop

KINDS = ("push", "sms", "chat")
"""The providers; each has its own weather."""
PROMISES = "sms"
"""The one that promises receipts, where any does."""

Mode = Literal[
    "fine",  # takes it and says so
    "slow",  # the same, after seconds
    "down",  # no connection: surely not sent
    "busy",  # says come again, and when
    "refuses",  # says never
    "hangs",  # no answer before anybody's patience ends; not delivered
    "lost",  # delivered, and the answer is lost
    "dropped",  # not delivered, and the answer is lost
    "loses",  # says that it took it and loses it
    "doubts",  # delivered, and says that it was not
    "breaks",  # the notifier itself has a bug
]
WEATHERS: tuple[Mode, ...] = (
    "slow", "down", "down", "refuses", "busy", "refuses", "hangs", "lost", "dropped", "loses", "doubts", "breaks",
)  # fmt: skip


class SimAddress(Address):
    """A device."""

    to: str


class ConsoleAddress(Address):
    """There is one console."""


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a provider: what it was asked, what it did, what it answered (None: nothing)."""

    at: float
    began: float
    page: str
    incident: int
    kind: str
    to: str
    mode: Mode
    late_s: int
    delivered: bool
    answer: Outcome | None


@dataclass
class Weather:
    """What a provider does for a while: `mode` with the likelihood `share`, else it is fine."""

    kind: str
    mode: Mode
    share: float
    until: float


@dataclass
class Providers:
    """All of them, and what they got."""

    loop: VirtualLoop
    seed: int
    on_call: Callable[[Call, Message], None]
    """Told of each call when the provider has decided what it does with it."""
    receipts: bool = False
    """Whether one of them says later what became of what it took."""
    weather: list[Weather] = field(default_factory=list)
    calls: dict[str, list[Call]] = field(default_factory=dict)
    """By page, in the order in which they came in."""
    asked: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    """How often each (problem, kind, device) was asked for: names a call whatever happened before it elsewhere."""

    def mode(self, kind: str, key: str) -> Mode:
        """What this provider does now."""
        for weather in reversed(self.weather):
            if (
                weather.kind == kind
                and self.loop.time() < weather.until
                and chance(self.seed, "weather", key) < weather.share
            ):
                return weather.mode
        return "fine"

    def ways(self) -> dict[str, Any]:
        """The notifiers of one process."""
        sims = {kind: SimNotifier(kind, self) for kind in KINDS}
        return {**sims, "console": SimConsole(self)}

    def name(self, kind: str, to: str, message: Message) -> str:
        """The name of the next call."""
        about = (message.title.partition(" ")[2], kind, to)
        return "/".join((*about, str(self.asked[about])))

    async def take(self, kind: str, to: str, message: Message) -> Outcome:
        """One call, as the process sees it; the provider goes on when the process is stopped or dead."""
        key = self.name(kind, to, message)
        mode: Mode = "fine" if kind == "console" else self.mode(kind, key)
        answer: asyncio.Future[Outcome] = self.loop.create_future()
        there_s = 0.01 + 0.2 * chance(self.seed, "there", key)
        back_s = (2 + 7 * chance(self.seed, "slow", key)) if mode == "slow" else 0.02 + chance(self.seed, "back", key)
        if mode == "down":
            there_s = 0.001
        if kind == "console":
            there_s = back_s = 0.0
        self.asked[message.title.partition(" ")[2], kind, to] += 1
        outside = Context()
        began = self.loop.time()
        delivered = mode in ("fine", "slow", "lost", "doubts")
        said = _said(mode, key, self.seed)
        if self.receipts and kind == PROMISES and isinstance(said, Delivered | Accepted):
            said = Accepted(said.receipt, awaits_receipt=True)

        def arrives() -> None:
            call = Call(
                self.loop.time(),
                began,
                message.id,
                message.incident or 0,
                kind,
                to,
                mode,
                message.late_s,
                delivered,
                said,
            )
            self.calls.setdefault(message.id, []).append(call)
            self.on_call(call, message)
            if said is not None:
                self.loop.call_later(back_s, _answer, answer, said, context=outside)

        life = LIFE.get()
        assert life is not None, "only a process calls a provider"
        await life.effect()
        self.loop.call_later(there_s, arrives, context=outside)
        got = await answer
        await life.effect()
        return got


def _answer(answer: asyncio.Future[Outcome], said: Outcome) -> None:
    if not answer.done():
        answer.set_result(said)


def _said(mode: Mode, key: str, seed: int) -> Outcome | None:
    match mode:
        case "fine" | "slow" | "loses":
            return Delivered(f"r-{key}") if chance(seed, "receipt", key) < 0.3 else Accepted(f"r-{key}")
        case "down":
            return TryAgain("no connection")
        case "doubts":
            return TryAgain("500")
        case "busy":
            return TryAgain("429", pick((1.0, 20.0, 120.0, 4_000.0), seed, "after", key))
        case "refuses":
            return Refused("410")
        case "dropped" | "lost":
            return Unknown("the connection was lost")
        case "hangs" | "breaks":
            return None


class SimNotifier:
    """Implements app.notifiers.notifier.Notifier for one kind."""

    title: ClassVar[str] = "Simulated"
    limits: ClassVar[Limits] = Limits(title=200, text=4_000)
    Address: ClassVar[type[Address]] = SimAddress

    def __init__(self, kind: str, providers: Providers) -> None:
        self.kind = kind
        self._providers = providers

    async def send(self, address: SimAddress, message: Message, outbound: Outbound) -> Outcome:
        """One call. Raises when the weather is that the notifier itself is broken."""
        providers = self._providers
        if providers.mode(self.kind, providers.name(self.kind, address.to, message)) == "breaks":
            providers.asked[message.title.partition(" ")[2], self.kind, address.to] += 1
            raise ZeroDivisionError("a bug of the notifier")
        return await providers.take(self.kind, address.to, message)


class SimConsole:
    """The console of the machine: always there."""

    kind: ClassVar[str] = "console"
    title: ClassVar[str] = "Console"
    limits: ClassVar[Limits] = Limits(title=200, text=4_000)
    Address: ClassVar[type[Address]] = ConsoleAddress

    def __init__(self, providers: Providers) -> None:
        self._providers = providers

    async def send(self, address: ConsoleAddress, message: Message, outbound: Outbound) -> Outcome:
        """Printed."""
        return await self._providers.take("console", "console", message)

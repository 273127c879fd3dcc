"""The form every way of reaching somebody has: one file a notifier, one line in registry.py.

A notifier sends once, through the `Outbound` it was handed and nothing else, and answers one of five outcomes.
It never retries (retries are rows with a due time), never raises for what a provider does, never logs an address.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Generic, Literal, Protocol, TypeVar

from pydantic import BaseModel, ConfigDict

from app.notifiers.outbound import Outbound


@dataclass(frozen=True, slots=True)
class Delivered:
    """The provider says that it reached the person's device. `receipt` is the provider's name for the message."""

    receipt: str = ""


@dataclass(frozen=True, slots=True)
class Accepted:
    """The provider took the message with a final positive answer; whether it arrived is not known (yet)."""

    receipt: str = ""
    awaits_receipt: bool = False
    """The provider has promised to say whether it arrived, at the message's `receipt_url`."""


@dataclass(frozen=True, slots=True)
class Refused:
    """It will never succeed like this (wrong address, revoked token, bad request)."""

    reason: str


@dataclass(frozen=True, slots=True)
class TryAgain:
    """It was surely not sent (no connection, 429, 5xx). `after_s` is what the provider asked for."""

    reason: str
    after_s: float | None = None


@dataclass(frozen=True, slots=True)
class Unknown:
    """It may or may not have been sent (no answer after the request went out)."""

    reason: str


Outcome = Delivered | Accepted | Refused | TryAgain | Unknown


@dataclass(frozen=True, slots=True)
class Action:
    """A button of a message: where a person goes to do it."""

    name: Literal["acknowledge", "resolve", "escalate", "snooze"]
    label: str
    url: str


@dataclass(frozen=True, slots=True)
class Message:
    """What is to be said, already decided and in full; a notifier only cuts it to its limits and dresses it."""

    id: str
    """The page's number for the world: the same for every attempt, so that a receiver can drop a duplicate."""
    kind: Literal["page", "update", "test"]
    title: str
    """One line: what is broken."""
    text: str
    """A few lines of plain text: service, severity, why you, since when. Hostile content; dress it, never trust it."""
    url: str
    """Where the page is answered (the signed link); empty where there is nothing to answer."""
    priority: str = ""
    severity: str = ""
    """Of the incident; both are empty in what is about no incident, and then nothing is said of them."""
    urgency: Literal["high", "low"] = "high"
    incident: int | None = None
    """The incident's number."""
    service: str = ""
    to: str = ""
    """The person's or channel's name."""
    links: tuple[tuple[str, str], ...] = ()
    actions: tuple[Action, ...] = ()
    late_s: int = 0
    """How many seconds later than meant it goes out; shown when it is a minute or more."""
    receipt_url: str = ""
    """Where a provider that promises receipts says what became of it (docs/delivery.md); empty where nobody waits."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What the provider takes, in code points. A longer text is cut, never sent whole, never refused."""

    title: int
    text: int


class Address(BaseModel):
    """Where to send: the settings of one contact method or channel. Secrets are SecretStr, addresses are validated."""

    model_config = ConfigDict(extra="forbid", frozen=True)


A_contra = TypeVar("A_contra", bound=Address, contravariant=True)


class Notifier(Protocol, Generic[A_contra]):
    """One way to reach somebody.

    It may also have a class variable `pace` (pace.py: how fast its provider may be called), and a method
    `provider(address) -> str` where its addresses lead to different providers (registry.provider_of).
    """

    kind: ClassVar[str]
    title: ClassVar[str]
    limits: ClassVar[Limits]
    Address: ClassVar[type[Address]]

    async def send(self, address: A_contra, message: Message, outbound: Outbound) -> Outcome:
        """Sends once, within `outbound.timeout_s`, and says what came of it."""

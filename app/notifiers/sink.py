"""The end of synthetic pages: a notifier inside the process that reaches nobody. Never in the registry, so that nobody can
choose it by mistake; only the process itself knows it.
"""  # noqa: D205 - one sentence for what it is, one for why it stands alone

from __future__ import annotations

from typing import ClassVar, Final

from app.notifiers.notifier import Address, Delivered, Limits, Message, Outcome
from app.notifiers.outbound import Outbound

KIND: Final = "synthetic"


class SinkAddress(Address):
    """There is one, and it needs no settings."""


class Sink:
    """Takes every message and keeps none."""

    kind: ClassVar[str] = KIND
    title: ClassVar[str] = "Synthetic page"
    limits: ClassVar[Limits] = Limits(title=200, text=4_000)
    Address: ClassVar[type[Address]] = SinkAddress

    async def send(self, address: SinkAddress, message: Message, outbound: Outbound) -> Outcome:
        """Delivered, always."""
        return Delivered()

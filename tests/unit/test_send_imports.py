"""A page on its way out looks for nothing on the disk."""

from __future__ import annotations

import sys
from typing import Any

from app.notifiers.outbound import Outbound, OutboundSettings
from tests.harness.providers import provider


class Asked:
    """An importer that finds nothing and remembers what it was asked for."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def find_spec(self, name: str, *_: Any) -> None:
        self.names.append(name)


async def test_the_second_message_to_a_provider_imports_nothing() -> None:
    """The library for HTTP tried to import a library that is not installed six times a request, through every folder of the path."""
    async with provider() as phone:
        outbound = Outbound(OutboundSettings(allow=("127.0.0.1/32",)), now=lambda: 0)
        asked = Asked()
        await outbound.post(phone.url("/warm"), json={})
        sys.meta_path.insert(0, asked)
        try:
            await outbound.post(phone.url("/measured"), json={})
        finally:
            sys.meta_path.remove(asked)
            await outbound.aclose()
    assert asked.names == []

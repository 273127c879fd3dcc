"""Who is there: neither deleted nor disabled. Such people are told and may act; of all others only the name is known."""

from __future__ import annotations

from collections.abc import Iterable

from app.store import resources
from app.store.database import Reading
from app.store.resources import Resource

GONE = "this link's person was removed or disabled"


async def active(view: Reading, people: Iterable[int]) -> dict[int, Resource]:
    """Those of these people who are there, by id."""
    found = await resources.load(view, "person", people)
    return {item: person for item, person in found.items() if not person.document.get("disabled")}

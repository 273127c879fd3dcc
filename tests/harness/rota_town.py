"""A rota of a story: people with phones, a schedule made by the API, and what it says, in words short enough for a table.

    async with rota_town(database, "Ana", "Ben") as rota:
        await rota.cover(person="Cat", replaces="Ana", start="01-05T06:00", end="01-05T12:00")
        assert await rota.shifts("01-05", "01-07") == ["Ana 05T00 05T06", "Cat 05T06 05T12", ...]

The year is 2026, where the story begins, and times without a zone are UTC.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from tests.harness.api_world import Asked, Client, api
from tests.harness.town import Resident

PEOPLE = ("Ana", "Ben", "Cat", "Dan")


@dataclass
class RotaTown:
    """One schedule, and everybody whether they take turns in it or not."""

    asked: Asked
    schedule: str = ""
    people: dict[str, Resident] = field(default_factory=dict)

    @property
    def responder(self) -> Client:
        return self.asked.responder

    @property
    def path(self) -> str:
        return f"/schedules/{self.schedule}"

    def id(self, name: str) -> str:
        return str(self.people[name].id)

    def name(self, person_id: str) -> str:
        return next(name for name, one in self.people.items() if str(one.id) == person_id)

    def layer(self, *names: str, **more: Any) -> dict[str, Any]:
        """A daily layer of these people from the day on which the story begins."""
        daily = {"name": "daily", "unit": "day", "length": 1, "start_date": "2026-01-05", "handoff": "00:00"}
        return {**daily, "participants": [self.id(name) for name in names], **more}

    def document(self, *layers: dict[str, Any], **more: Any) -> dict[str, Any]:
        return {"name": "Primary", "time_zone": "UTC", "layers": list(layers), **more}

    async def on_call(self, at: str | None = None) -> list[str]:
        """Who is, now or at an instant."""
        query = {"schedule_id": self.schedule, **({"at": instant(at)} if at else {})}
        (found,) = (await self.asked.reader.get("/oncall", params=query))["items"]
        return [one["person"] for one in found["people"]]

    async def laid_out(self, start: str, end: str) -> dict[str, Any]:
        """The whole answer about an interval."""
        query = {"from": instant(start), "to": instant(end)}
        return dict(await self.asked.reader.get(f"{self.path}/shifts", params=query))

    async def shifts(self, start: str, end: str, role: str | None = None) -> list[str]:
        """Each shift as "Ana 05T00 06T00"; with a minute that is not zero as "Ana 05T00:30 06T00"."""
        found = (await self.laid_out(start, end))["items"]
        return [
            f"{one['person']} {brief(one['starts_at'])} {brief(one['ends_at'])}"
            for one in found
            if role in (None, one["role"])
        ]

    async def cover(self, *, person: str, start: str, end: str, replaces: str | None = None, **more: Any) -> Any:
        """An override; answers what was answered."""
        return await self.responder.create(
            f"{self.path[1:]}/overrides", self.override(person, start, end, replaces, **more)
        )

    def override(self, person: str, start: str, end: str, replaces: str | None = None, **more: Any) -> dict[str, Any]:
        span = {"person": self.id(person), "starts_at": instant(start), "ends_at": instant(end)}
        return {**span, **({"replaces": self.id(replaces)} if replaces else {}), **more}

    def swap(
        self, asked_by: str, asked: str, gives: tuple[str, str], takes: tuple[str, str] | None = None, **more: Any
    ) -> dict[str, Any]:
        """The document of a swap."""
        return {
            "asked_by": self.id(asked_by),
            "asked": self.id(asked),
            "gives": {"from": instant(gives[0]), "to": instant(gives[1])},
            "takes": {"from": instant(takes[0]), "to": instant(takes[1])} if takes else None,
            **more,
        }

    async def asks(self, *who_and_when: Any, **more: Any) -> Any:
        """A swap is asked for; answers what was answered."""
        return await self.responder.create(f"{self.path[1:]}/swaps", self.swap(*who_and_when, **more))

    def changes(self, found: list[dict[str, Any]]) -> list[str]:
        """What a swap changes, each as "05T00 06T00 Ana>Ben"."""
        return [
            f"{brief(one['starts_at'])} {brief(one['ends_at'])} {self.name(one['before'])}>{self.name(one['after'])}"
            for one in found
        ]

    async def reads_notices(self) -> None:
        """Everybody has read what their phones say, whatever it is."""
        await self.asked.story.settled()
        for resident in self.people.values():
            resident.phone.taken = len(resident.phone.inbox())


def instant(text: str) -> str:
    """RFC 3339 from "01-05", "01-05T06" or "01-05T06:30", or as it is."""
    if text.endswith("Z") or "+" in text:
        return text
    day, _, clock = text.partition("T")
    hour, _, minute = (clock or "00").partition(":")
    return f"2026-{day}T{hour}:{minute or '00'}:00Z"


def brief(text: str) -> str:
    """As in 05T06, of an answered instant; with its minutes where they are not zero."""
    short = text[8:16]
    return short[:5] if short.endswith(":00") else short


@asynccontextmanager
async def rota_town(
    database: str, *names: str, more: dict[str, Any] | None = None, **layer: Any
) -> AsyncIterator[RotaTown]:
    """A running Tocsin with a daily rotation of these people, and everybody else there too."""
    async with api(database) as asked:
        rota = RotaTown(asked)
        for name in PEOPLE:
            rota.people[name] = await asked.story.person(name)
        document = rota.document(rota.layer(*names, **layer), **(more or {}))
        rota.schedule = (await asked.admin.create("schedules", document))["id"]
        yield rota
        await rota.reads_notices()

"""The kinds of configuration, one entry each: what a document looks like, how it is made ready to be stored, and how it
is shown. Adding a kind is one entry here and its references in references.py. Must never know a route.
"""  # noqa: D205 - one sentence for what it is, one for how it grows

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import BaseModel, Field

from app.api import addresses
from app.api.problems import FieldError, Invalid, invalid
from app.incidents.service import Service
from app.notifiers.registry import Notifiers
from app.oncall.codec import from_document
from app.oncall.document import ScheduleDocument
from app.oncall.schedule import Schedule
from app.paging.policy import Channel, Policy
from app.people.person import Person
from app.people.team import Team
from app.sources.integration import Integration
from app.sources.registry import BadSettings, UnknownKind, parse_settings
from app.store.database import Writing
from app.store.resources import Refused, Resource
from app.world import World

D = TypeVar("D", bound=BaseModel)


class NamedSchedule(ScheduleDocument):
    """Who is on call, by layers of turns in local wall time."""

    name: str = Field(min_length=1, max_length=200)

    def schedule(self) -> Schedule:
        """The value that everything is computed from."""
        return from_document(self.model_dump(exclude={"name"}))


Ready = Callable[[Writing, Any, Resource | None], Mapping[str, Any]]
Show = Callable[[Mapping[str, Any]], Mapping[str, Any]]
Born = Callable[[Writing, Resource], Awaitable[dict[str, str]]]


def _as_sent(_: Writing, document: BaseModel, __: Resource | None) -> Mapping[str, Any]:
    return document.model_dump(mode="json")


def _as_stored(document: Mapping[str, Any]) -> Mapping[str, Any]:
    return document


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of configuration."""

    name: str
    """In tables and sentences."""
    path: str
    """In addresses, and as the tag of its routes."""
    document: type[BaseModel]
    about: str
    ready: Ready = _as_sent
    """Makes a document, and the one it replaces, what is stored. Raises Invalid, Refused."""
    show: Show = _as_stored
    """What is shown of a stored document: no secret."""
    born: Born | None = None
    """What else happens when one is created; answers fields that are shown this once."""
    born_shown: type[BaseModel] | None = None
    """Those fields."""


def kinds(world: World, *, issue_key: Born, key_shown: type[BaseModel]) -> tuple[Kind, ...]:
    """All of them."""
    return (
        Kind("person", "people", Person, "People who may be on call, and how each is reached.", *_people(world)),
        Kind("team", "teams", Team, "People who own services together."),
        Kind("service", "services", Service, "What can break: who owns it, how its alerts are grouped, who is told."),
        Kind("schedule", "schedules", NamedSchedule, "Who is on call: rotations in local wall time, and overrides."),
        Kind("policy", "policies", Policy, "Who is told, in which order, how long between."),
        Kind("channel", "channels", Channel, "Places that a team reads.", *_channels(world)),
        Kind(
            "integration",
            "integrations",
            Integration,
            "Ways in for senders of alerts, and their keys.",
            ready=_integrations(world),
            born=issue_key,
            born_shown=key_shown,
        ),
    )


def _people(world: World) -> tuple[Ready, Show]:
    def ready(tx: Writing, person: Person, old: Resource | None) -> Mapping[str, Any]:
        before = {method["id"]: method for method in old.document["contact_methods"]} if old else {}
        document = person.model_dump(mode="json")
        taken: set[str] = set()
        for place, method in enumerate(document["contact_methods"]):
            where = f"contact_methods.{place}."
            method["id"] = method["id"] or str(tx.new_id())
            if method["id"] in taken:
                raise invalid(f"{where}id", "stands here twice; leave it empty for a new contact method")
            taken.add(method["id"])
            known = before.get(method["id"], {})
            kept = known["address"] if known.get("kind") == method["kind"] else {}
            method["address"] = addresses.checked(world.notifiers, method["kind"], method["address"], kept, where)
        return document

    def show(document: Mapping[str, Any]) -> Mapping[str, Any]:
        methods = [_shown(world.notifiers, method) for method in document["contact_methods"]]
        return {**document, "contact_methods": methods}

    return ready, show


def _channels(world: World) -> tuple[Ready, Show]:
    def ready(_: Writing, channel: Channel, old: Resource | None) -> Mapping[str, Any]:
        kept = old.document["address"] if old and old.document["kind"] == channel.kind else {}
        address = addresses.checked(world.notifiers, channel.kind, channel.address, kept)
        return {**channel.model_dump(mode="json"), "address": address}

    def show(document: Mapping[str, Any]) -> Mapping[str, Any]:
        return _shown(world.notifiers, document)

    return ready, show


def _shown(notifiers: Notifiers, holder: Mapping[str, Any]) -> dict[str, Any]:
    return {**holder, "address": addresses.shown(notifiers, holder["kind"], holder["address"])}


def _integrations(world: World) -> Ready:
    def ready(_: Writing, integration: Integration, old: Resource | None) -> Mapping[str, Any]:
        if old and old.document["kind"] != integration.kind:
            raise Refused("kind_fixed", "an integration keeps its kind, which is part of its address; create another")
        try:
            parse_settings(integration.kind, integration.settings, world.sources)
        except UnknownKind as error:
            raise invalid("kind", str(error)) from None
        except BadSettings as error:
            faults = (one.partition(": ") for one in error.errors)
            raise Invalid(
                *(FieldError(where="body", field=f"settings.{field}", message=said) for field, _, said in faults)
            ) from None
        return integration.model_dump(mode="json")

    return ready

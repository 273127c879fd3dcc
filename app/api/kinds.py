"""The kinds of configuration, one entry each: what a document looks like, how it is made ready to be stored, and how it
is shown. Adding a kind is one entry here and its references in references.py. Must never know a route.
"""  # noqa: D205 - one sentence for what it is, one for how it grows

from __future__ import annotations

from collections.abc import Awaitable, Callable, Container, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from app.api import addresses, edits, rules, silences
from app.api.problems import FieldError, Invalid, invalid
from app.incidents.graph import Aliases, ServiceGraph
from app.incidents.service import Service
from app.notifiers.registry import Notifiers
from app.oncall import calendar, holidays
from app.oncall.calendar import CalendarSource
from app.oncall.codec import read_instant
from app.oncall.document import InstantText, ScheduleDocument
from app.oncall.facts import schedule_of
from app.oncall.pay import Pay
from app.oncall.schedule import Schedule
from app.paging.policy import Channel, Policy
from app.people.person import Person
from app.people.team import Team
from app.rota import forewarn
from app.rota.calendars import after_calendar
from app.routing.inhibition import Inhibition
from app.routing.inhibitors import after_inhibition
from app.routing.rule import Rule, Table, stored_table
from app.routing.silence import Silence
from app.sources.integration import Integration
from app.sources.registry import HIDDEN, BadSettings, UnknownKind, parse_settings, secrets_of
from app.store.database import Reading, Writing
from app.store.resources import Refused, Resource
from app.watch.heartbeat import Heartbeat
from app.watch.signals import after_edit
from app.world import World

D = TypeVar("D", bound=BaseModel)


class ShiftNotices(BaseModel):
    """What people are told of their shifts."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    before_minutes: int | None = Field(
        default=60, ge=5, le=10_080, description="How long before a shift its person is told; null: not at all."
    )
    at_handoff: bool = Field(default=True, description="Tell who comes on call, and the team's channel.")


class NamedSchedule(ScheduleDocument):
    """Who is on call, by layers of turns in local wall time."""

    name: str = Field(min_length=1, max_length=200)
    team_id: str | None = Field(default=None, description="Whose rota it is: who hears of handoffs and gaps.")
    effective_at: InstantText | None = Field(
        default=None,
        description="From when this version is in force; null: from when it is saved. Until then the version before "
        "stays in force; what was is never changed. Saving again takes back versions that are not in force yet.",
    )
    notices: ShiftNotices = ShiftNotices()
    drill: bool = Field(default=False, description="Send a test page to whoever comes on call, and ask for an answer.")
    pay: Pay | None = Field(default=None, description="What an hour on call is worth, for the fairness report.")

    def schedule(self) -> Schedule:
        """The value that everything is computed from."""
        return schedule_of(self.model_dump())


Ready = Callable[[Writing, Any, Resource | None], Mapping[str, Any]]
Show = Callable[[Mapping[str, Any]], Mapping[str, Any]]
Born = Callable[[Writing, Resource], Awaitable[dict[str, str]]]
Changing = Callable[[Writing, Resource], Awaitable[None]]
Saved = Callable[[Writing, Resource | None, Resource | None], Awaitable[None]]
Warn = Callable[[Reading, Resource], Awaitable[list[str]]]


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
    changing: Changing | None = None
    """What has to be done before one is replaced or deleted, while all is still as it was."""
    saved: Saved | None = None
    """What follows of an edit, in its transaction; handed the one before and the one after it, None where there is none."""
    warn: Warn | None = None
    """What whoever saves one is warned of, in the answer; asked in the transaction of the edit, when all is saved."""
    born: Born | None = None
    """What else happens when one is created; answers fields that are shown this once."""
    signed: bool = False
    """Its document names who created it, in `created_by`."""
    born_shown: type[BaseModel] | None = None
    """Those fields."""


def kinds(world: World, *, issue_key: Born, key_shown: type[BaseModel]) -> tuple[Kind, ...]:
    """All of them."""
    return (
        Kind(
            "person",
            "people",
            Person,
            "People who may be on call, and how each is reached.",
            *_people(world),
            changing=edits.before_person,
            saved=edits.after_person,
        ),
        Kind("team", "teams", Team, "People who own services together.", saved=edits.after_anything),
        Kind(
            "service",
            "services",
            Service,
            "What can break: who owns it, how its alerts are grouped, who is told.",
            ready=_service,
            saved=edits.after_service,
        ),
        Kind(
            "schedule",
            "schedules",
            NamedSchedule,
            "Who is on call: rotations in local wall time, and overrides.",
            ready=_schedule,
            changing=edits.before_schedule,
            saved=edits.after_schedule,
            warn=_warning(world, forewarn.of_schedule),
        ),
        Kind(
            "policy",
            "policies",
            Policy,
            "Who is told, in which order, how long between.",
            saved=edits.after_policy,
            warn=_warning(world, forewarn.of_policy),
        ),
        Kind(
            "channel", "channels", Channel, "Places that a team reads.", *_channels(world), saved=edits.after_anything
        ),
        Kind(
            "integration",
            "integrations",
            Integration,
            "Ways in for senders of alerts, and their keys.",
            *_integrations(world),
            saved=silences.after_integration,
            born=issue_key,
            born_shown=key_shown,
        ),
        Kind(
            "heartbeat",
            "heartbeats",
            Heartbeat,
            "Signals that must keep coming: their absence is the alert.",
            saved=after_edit,
            born=issue_key,
            born_shown=key_shown,
        ),
        Kind(
            "calendar",
            "calendars",
            CalendarSource,
            "Calendars read from elsewhere: shifts for a layer, or absences.",
            *_calendars(),
            saved=after_calendar,
        ),
        Kind(
            "rule",
            "rules",
            Rule,
            "What becomes of events on their way in: service, severity, labels, links; or no page, or no alert.",
            saved=rules.after_rule,
            warn=rules.warn,
        ),
        Kind(
            "graph",
            "graphs",
            ServiceGraph,
            "Which service calls which, as evidence for what belongs together.",
        ),
        Kind(
            "aliases",
            "aliases",
            Aliases,
            "Labels of your own that name services, hosts, places, ..., for what belongs together.",
        ),
        Kind(
            "table",
            "tables",
            Table,
            "Facts by which rules enrich events: rows of texts, as JSON or CSV.",
            ready=_table,
            saved=rules.after_table,
        ),
        Kind(
            "silence",
            "silences",
            Silence,
            "Silences and maintenance windows: what does not page for a while, until when, and who said so.",
            ready=silences.ready,
            saved=silences.after_silence,
            warn=silences.warn,
            signed=True,
        ),
        Kind(
            "inhibition",
            "inhibitions",
            Inhibition,
            "Rules by which alerts don't page while another alert fires that explains them.",
            saved=after_inhibition,
        ),
    )


def _warning(world: World, look: Callable[[Reading, Resource, Container[str]], Awaitable[list[str]]]) -> Warn:
    async def warn(view: Reading, resource: Resource) -> list[str]:
        return await look(view, resource, world.notifiers)

    return warn


def _people(world: World) -> tuple[Ready, Show]:
    def ready(tx: Writing, person: Person, old: Resource | None) -> Mapping[str, Any]:
        _check_holidays(person)
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


def _check_holidays(person: Person) -> None:
    """Raises Invalid for a place whose public holidays nobody here knows: it would have none, and nobody would see why."""
    if not person.country:
        if person.subdivision or person.off_on_public_holidays:
            raise invalid("country", "must say whose public holidays are meant, such as DE")
        return
    if trouble := holidays.known(person.country):
        raise invalid("country", trouble)
    if trouble := holidays.known(person.country, person.subdivision):
        raise invalid("subdivision", trouble)


def _service(_: Writing, service: Service, __: Resource | None) -> Mapping[str, Any]:
    hours = service.support_hours
    if hours is not None:
        if hours.subdivision and not hours.country:
            raise invalid("support_hours.country", "must say whose public holidays are meant, such as DE")
        if hours.country and (trouble := holidays.known(hours.country, hours.subdivision)):
            raise invalid("support_hours.country", trouble)
    return service.model_dump(mode="json")


def _schedule(tx: Writing, schedule: NamedSchedule, _: Resource | None) -> Mapping[str, Any]:
    document = schedule.model_dump(mode="json")
    said = document["effective_at"]
    # A version that is read and sent back says when it came into force: that it is in force from now on is what is meant.
    if said and read_instant("effective_at", said) <= tx.now:
        document["effective_at"] = None
    return document


def _table(_: Writing, table: Table, __: Resource | None) -> Mapping[str, Any]:
    return stored_table(table)


def _channels(world: World) -> tuple[Ready, Show]:
    def ready(_: Writing, channel: Channel, old: Resource | None) -> Mapping[str, Any]:
        kept = old.document["address"] if old and old.document["kind"] == channel.kind else {}
        address = addresses.checked(world.notifiers, channel.kind, channel.address, kept)
        return {**channel.model_dump(mode="json"), "address": address}

    def show(document: Mapping[str, Any]) -> Mapping[str, Any]:
        return _shown(world.notifiers, document)

    return ready, show


def _calendars() -> tuple[Ready, Show]:
    def ready(_: Writing, sent: CalendarSource, old: Resource | None) -> Mapping[str, Any]:
        url = calendar.stored_address(sent.url, old.document["url"] if old else None)
        if url is None:
            raise invalid("url", "*** keeps the address that is stored, on the same host; send the whole address")
        return {**sent.model_dump(mode="json"), "url": url}

    def show(document: Mapping[str, Any]) -> Mapping[str, Any]:
        return {**document, "url": calendar.shown_address(document["url"])}

    return ready, show


def _shown(notifiers: Notifiers, holder: Mapping[str, Any]) -> dict[str, Any]:
    return {**holder, "address": addresses.shown(notifiers, holder["kind"], holder["address"])}


def _integrations(world: World) -> tuple[Ready, Show]:
    def ready(_: Writing, integration: Integration, old: Resource | None) -> Mapping[str, Any]:
        if old and old.document["kind"] != integration.kind:
            raise Refused("kind_fixed", "an integration keeps its kind, which is part of its address; create another")
        settings = _with_secrets(integration, old, secrets_of(world.sources, integration.kind))
        try:
            parse_settings(integration.kind, settings, world.sources)
        except UnknownKind as error:
            raise invalid("kind", str(error)) from None
        except BadSettings as error:
            faults = (one.partition(": ") for one in error.errors)
            raise Invalid(
                *(FieldError(where="body", field=f"settings.{field}", message=said) for field, _, said in faults)
            ) from None
        return {**integration.model_dump(mode="json"), "settings": settings}

    def show(document: Mapping[str, Any]) -> Mapping[str, Any]:
        secret = secrets_of(world.sources, document["kind"])
        settings = {name: HIDDEN if name in secret and said else said for name, said in document["settings"].items()}
        return {**document, "settings": settings}

    return ready, show


def _with_secrets(integration: Integration, old: Resource | None, secret: Container[str]) -> dict[str, Any]:
    """The settings with the secrets that `***` stands for. Raises Invalid where there is none to keep."""
    kept = old.document["settings"] if old else {}
    settings = dict(integration.settings)
    for name, said in integration.settings.items():
        if name in secret and said == HIDDEN:
            if not kept.get(name):
                raise invalid(f"settings.{name}", addresses.NOTHING_KEPT)
            settings[name] = kept[name]
    return settings

"""Whether alerts can come in, and whether what is due gets done: integrations, keys, and the queue of jobs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from sqlalchemy import exists, func, or_, select

from app.cli.checks.configured import Configured
from app.cli.checks.finding import Finding, ok, warn, wrong
from app.clock import SECOND, Micros
from app.dedup.tables import alerts, integration_keys, unparsed
from app.incidents.tables import incidents
from app.notifiers.text import one_line
from app.store import jobs
from app.store.database import Reading
from app.store.jobs import Backlog
from app.store.tables import api_keys
from app.watch.tables import pulses

LATE_S: Final = 60


@dataclass(frozen=True, slots=True)
class Facts:
    """What the rows say."""

    now: Micros
    backlog: Backlog
    seen: frozenset[int]
    """Integrations that have said anything, ever."""
    keyed: frozenset[int]
    """Integrations with a key that opens."""
    admins: int
    given_up: int
    """Incidents nobody has although their policy has ended."""


async def gather(view: Reading, configured: Configured) -> Facts:
    """Asks the rows. One question an integration: it stops at the first alert. What raises none, as a change, leaves a pulse."""
    said = set()
    for integration_id in configured.integrations:
        question = select(
            or_(
                exists().where(alerts.c.integration_id == integration_id),
                exists().where(unparsed.c.integration_id == integration_id),
                exists().where(pulses.c.resource_id == integration_id, pulses.c.last_seen_at.is_not(None)),
            )
        )
        if (await view.conn.execute(question)).scalar():
            said.add(integration_id)
    valid = or_(integration_keys.c.expires_at.is_(None), integration_keys.c.expires_at > view.now)
    keyed = (await view.conn.execute(select(integration_keys.c.integration_id).where(valid))).scalars()
    admins = select(func.count()).where(api_keys.c.role == "admin", api_keys.c.revoked_at.is_(None))
    given_up = select(func.count()).where(incidents.c.state == "triggered", incidents.c.escalation == "exhausted")
    return Facts(
        view.now,
        await jobs.backlog(view),
        frozenset(said),
        frozenset(keyed),
        int((await view.conn.execute(admins)).scalar_one()),
        int((await view.conn.execute(given_up)).scalar_one()),
    )


def judge(facts: Facts, configured: Configured) -> list[Finding]:
    """Integrations, keys, jobs. Pure."""
    return [*_integrations(facts, configured), *_keys(facts), *_work(facts)]


def _integrations(facts: Facts, configured: Configured) -> Iterator[Finding]:
    if not configured.integrations:
        yield warn("integrations", "there is none, so no alert can come in", "make one: POST /v1/integrations")
        return
    for integration_id, integration in configured.integrations.items():
        about = f"integration {one_line(integration.name)}"
        service = integration.service_id
        if integration_id not in facts.keyed:
            yield wrong(about, "it has no key that opens it: its sender is answered 401", "rotate its key")
        elif service is None or int(service) not in configured.services:
            yield warn(about, "it belongs to no service: its alerts page the server's console", "set its service_id")
        elif integration_id not in facts.seen:
            yield warn(about, "it has never said anything", "send a test alert from it")
        else:
            yield ok(about, "it has been heard of")


def _keys(facts: Facts) -> Iterator[Finding]:
    if not facts.admins:
        yield warn("API keys", "no admin key exists", "tocsin key create --name NAME --role admin")


def _work(facts: Facts) -> Iterator[Finding]:
    oldest = facts.backlog.oldest_due_at
    waited_s = (facts.now - oldest) / SECOND if oldest is not None else 0.0
    if waited_s > LATE_S:
        says = f"{facts.backlog.due} jobs are due and the oldest has waited {waited_s:.0f} s: pages are late"
        yield wrong("jobs", says, "is `tocsin serve` running? See its log and /livez")
    else:
        yield ok("jobs", "nothing is late")
    if facts.given_up:
        says = f"{facts.given_up} open incidents have told everybody and nobody acknowledged"
        yield warn("incidents", says, "look at them: GET /v1/incidents?state=triggered")

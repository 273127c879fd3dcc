"""A page that reaches nobody, each minute, by the way of every page: ingest, incident, job, escalation, delivery, outcome.

Everything about it is real but its end (app/notifiers/sink.py). It is told apart by signs alone: its service, policy,
channel and integration have ids below zero, which no list of configuration reaches; its incident is number 0, so no number
that people read out is used up. When it has arrived, or before the next one, all of its rows are deleted: it leaves
nothing behind. One is sent a minute however many replicas there are, by whoever's turn it is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Column, Table, delete, func, insert, select

from app.clock import MINUTE, SECOND, Micros
from app.dedup.arrival import Arrival, prepare
from app.dedup.directory import Inlet
from app.dedup.tables import alerts, sightings
from app.incidents.service import Grouping, Service
from app.incidents.tables import incidents
from app.notifiers.sink import KIND
from app.paging.policy import Channel, Level, Policy, Target
from app.paging.tables import attempts, pages
from app.sources.event import Event
from app.sources.source import SourceSettings
from app.store.database import Reading, Writing
from app.store.metadata import metadata
from app.store.tables import jobs, resources
from app.watch.marks import mark, marked, swap

SERVICE, POLICY, CHANNEL, INTEGRATION = -1, -2, -3, -4
NAME = "tocsin/synthetic"
BEGUN, ARRIVED = "synthetic_begun_at", "synthetic_arrived_at"
TURN: Micros = MINUTE - 5 * SECOND
"""A page that another replica began so recently is the one of this minute."""

INLET = Inlet(INTEGRATION, NAME, KIND, SourceSettings(), SERVICE, Grouping(by="alert"))


def _documents() -> Mapping[int, tuple[str, Any]]:
    level = Level(targets=(Target(kind="channel", id=str(CHANNEL)),), delay_s=86_400)
    return {
        SERVICE: ("service", Service(name=NAME, policy_id=str(POLICY), grouping=INLET.grouping)),
        POLICY: ("policy", Policy(name=NAME, levels=(level,), repeat=0)),
        CHANNEL: ("channel", Channel(name=NAME, kind=KIND)),
    }


def arrival() -> Arrival:
    """What its sender says."""
    event = Event(status="firing", key=NAME, title="A synthetic page: nothing is broken", severity="critical")
    return Arrival(INLET, prepare(INLET, (event,)))


async def begin(tx: Writing) -> bool:
    """Makes room for a new one; False when this minute's is another replica's."""
    said = await marked(tx, BEGUN)
    # Clocks of two replicas differ a little: what the other began may lie ahead of ours.
    if said is not None and abs(tx.now - int(said)) < TURN:
        return False
    if not await swap(tx, BEGUN, said, str(tx.now)):
        return False
    await sweep(tx)
    there = set((await tx.conn.execute(select(resources.c.id).where(resources.c.id < 0))).scalars())
    rows = [
        {
            "id": item,
            "kind": kind,
            "name": NAME,
            "document": document.model_dump(mode="json"),
            "version": 1,
            "created_at": tx.now,
            "updated_at": tx.now,
        }
        for item, (kind, document) in _documents().items()
        if item not in there
    ]
    if rows:
        await tx.conn.execute(insert(resources), rows)
    return True


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the page has come: when it was ingested, when its sending began, whether its outcome is recorded."""

    ingested_at: Micros
    sent_at: Micros | None
    recorded: bool


async def progress(view: Reading) -> Progress | None:
    """How far the page has come; None when there is none."""
    question = (
        select(incidents.c.opened_at, func.min(attempts.c.started_at), func.min(pages.c.state))
        .outerjoin(pages, pages.c.incident_id == incidents.c.id)
        .outerjoin(attempts, attempts.c.page_id == pages.c.id)
        .where(incidents.c.service_id == SERVICE)
        .group_by(incidents.c.opened_at)
    )
    row = (await view.conn.execute(question)).first()
    return None if row is None else Progress(row[0], row[1], row[2] == "sent")


async def end(tx: Writing) -> None:
    """It has arrived: that is written down, and nothing else of it is left."""
    await sweep(tx)
    await mark(tx, ARRIVED, str(tx.now))


async def sweep(tx: Writing) -> None:
    """Deletes every row of synthetic pages."""
    mine = select(incidents.c.id).where(incidents.c.service_id == SERVICE).with_for_update()
    ids = list((await tx.conn.execute(mine)).scalars())
    if not ids:
        return
    of_alerts = select(alerts.c.id).where(alerts.c.incident_id.in_(ids))
    await tx.conn.execute(delete(sightings).where(sightings.c.alert_id.in_(of_alerts)))
    await tx.conn.execute(delete(alerts).where(alerts.c.incident_id.in_(ids)))
    await tx.conn.execute(delete(jobs).where(jobs.c.subject.in_(ids)))
    await _delete(tx, incidents, ids)


async def _delete(tx: Writing, table: Table, ids: Sequence[int]) -> None:
    """Deletes rows by id, and before them all that point to them, in whatever table."""
    for child, column in _pointing_at(table):
        if "id" in child.c:
            below = list((await tx.conn.execute(select(child.c.id).where(column.in_(ids)))).scalars())
            if below:
                await _delete(tx, child, below)
        else:
            await tx.conn.execute(delete(child).where(column.in_(ids)))
    await tx.conn.execute(delete(table).where(table.c.id.in_(ids)))


def _pointing_at(table: Table) -> list[tuple[Table, Column[Any]]]:
    return [
        (child, column)
        for child in metadata.sorted_tables
        for column in child.columns
        if any(key.column is table.c.id for key in column.foreign_keys)
    ]

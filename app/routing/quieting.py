"""Is an incident quiet now? Reads the configuration, once a version, and the open alerts of the incident.

An incident with thousands of alerts is read newest first and in parts, and only as far as the first alert that pages.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import orjson
from sqlalchemy import bindparam, text

from app.clock import Micros
from app.incidents.incident import Incident
from app.incidents.service import Service
from app.incidents.tables import OPEN
from app.routing.index import Index
from app.routing.inhibition import Inhibiting, Inhibition, Inhibitions
from app.routing.quiet import LOOK_AGAIN, Book, OpenAlert, Quiet, Reason, ids, quieted, why_held
from app.routing.silence import Silence, made_ready
from app.routing.tables import silenced
from app.store import bulk
from app.store.database import Reading, Writing
from app.store.resources import config_version, listed, readable

FIRST, PART = 10, 500
"""Open alerts that are read at first, and then at a time: mostly one of the newest pages, and the rest is not read."""


class Quieting:
    """The Book of one process: remembered, and never older than the transaction that asks."""

    def __init__(self) -> None:
        self._book = Book()

    async def book(self, view: Reading) -> Book:
        """Everything that may keep an incident quiet, as it is now."""
        if await config_version(view) != self._book.version:
            self._book = await read_book(view)
        return self._book


async def read_book(view: Reading) -> Book:
    """Everything that may keep an incident quiet."""
    version = await config_version(view)
    silences = readable(await listed(view, "silence"), Silence)
    inhibitions = await read_inhibitions(view)
    holds = any(one.document["enabled"] and one.document["then"]["hold_s"] for one in await listed(view, "rule"))
    if not silences and not inhibitions and not holds:
        return Book(version)
    return await _named(view, Book(version, (), inhibitions, holds), silences)


async def read_all_names(view: Reading) -> Book:
    """A book of names alone: what matchers of something that is not saved need."""
    return await _named(view, Book(), {})


async def _named(view: Reading, book: Book, silences: Mapping[int, Silence]) -> Book:
    services = readable(await listed(view, "service"), Service)
    tagged = {item: (one.name, one.tags) for item, one in services.items()}
    senders = {one.id: (one.name, str(one.document["kind"])) for one in await listed(view, "integration")}
    senders |= {one.id: (one.name, one.kind) for one in await listed(view, "heartbeat")}
    lasting = [made_ready(item, one, tagged) for item, one in silences.items() if one.state(view.now) != "ended"]
    return replace(
        book,
        silences=tuple(lasting),
        services={item: one.name for item, one in services.items()},
        senders=senders,
        index=Index([one.matchers for one in lasting]),
    )


async def read_inhibitions(view: Reading) -> Inhibitions:
    """All rules of inhibition that are enabled."""
    found = readable(await listed(view, "inhibition"), Inhibition)
    ready = [Inhibiting.of(item, rule) for item, rule in found.items() if rule.enabled]
    return Inhibitions(ready, await _calls(view) if any(rule.needs for rule in ready) else None)


async def _calls(view: Reading) -> dict[str, list[str]]:
    """Which services each needs, by all graphs that are declared."""
    calls: dict[str, list[str]] = {}
    for graph in await listed(view, "graph"):
        for name, node in graph.document["services"].items():
            calls.setdefault(name, []).extend(node["calls"])
    return calls


_ALERTS = (
    "SELECT a.id, a.service_id, a.integration_id, a.dedup_key, a.title, a.severity, a.labels, a.annotations, "
    "r.hold_until, r.said FROM alerts a LEFT JOIN routings r ON r.alert_id = a.id "
)
_OPEN = text(
    f"{_ALERTS} WHERE a.incident_id = :incident AND a.resolved_at IS NULL AND a.id < :before ORDER BY a.id DESC LIMIT :part"
)
_OF_INCIDENTS = text(f"{_ALERTS} WHERE a.incident_id IN :incidents AND a.resolved_at IS NULL").bindparams(
    bindparam("incidents", expanding=True)
)
_INCIDENTS = text(f"SELECT id FROM incidents WHERE {OPEN} AND id > :after ORDER BY id LIMIT :part")  # noqa: S608 - our own words


async def quiet_of(view: Reading, book: Book, incident: Incident, at: Micros | None = None) -> Quiet | None:
    """Why an incident does not page at an instant (now); None when it does."""
    if not book or not incident.open_alerts or (incident.service_id or 0) < 0:
        return None
    reasons: list[Reason] = []
    before, part = 2**63 - 1, FIRST
    while True:
        asked = {"incident": incident.id, "before": before, "part": part}
        rows = (await view.conn.execute(_OPEN, asked)).mappings().all()
        found = await reasons_of(view, book, [alert_of(book, row) for row in rows], view.now if at is None else at)
        if found is None:
            return None
        reasons += found
        if len(rows) < part:
            return quieted(reasons) if reasons else None
        before, part = rows[-1]["id"], PART


async def alerts_after(view: Reading, book: Book, after: int, part: int) -> tuple[list[OpenAlert], int | None]:
    """What fires in the next open incidents by id; and the last of these when there may be more."""
    found = list((await view.conn.execute(_INCIDENTS, {"after": after, "part": part})).scalars())
    rows = (await view.conn.execute(_OF_INCIDENTS, {"incidents": found})).mappings().all() if found else []
    return [alert_of(book, row) for row in rows], found[-1] if len(found) == part else None


async def note_silenced(tx: Writing, incident_id: int, quiet_: Quiet) -> None:
    """Writes down which silences keep an incident from paging."""
    by = sorted(ids(quiet_.reasons, "silence"))
    await bulk.write(tx, _NOTED, _NOTE, [(silence_id, incident_id, tx.now) for silence_id in by])


_NOTED = bulk.Rows.of(silenced, ("silence_id", "incident_id", "since"))
_NOTE = (
    "INSERT INTO silenced (silence_id, incident_id, since) SELECT silence_id, incident_id, since FROM t WHERE true "
    "ON CONFLICT (silence_id, incident_id) DO NOTHING"
)


def alert_of(book: Book, row: Mapping[Any, Any]) -> OpenAlert:
    """An alert of its columns, with `hold_until` and `said` of its routing."""
    facts = book.facts(
        orjson.loads(row["labels"]),
        orjson.loads(row["annotations"]),
        title=row["title"],
        severity=row["severity"],
        service_id=row["service_id"],
        integration_id=row["integration_id"],
        key=row["dedup_key"],
    )
    said = "; ".join(orjson.loads(row["said"])) if row["said"] else ""
    return OpenAlert(row["id"], facts, row["hold_until"], said)


async def reasons_of(view: Reading, book: Book, alerts: Sequence[OpenAlert], at: Micros) -> list[Reason] | None:
    """Why each of these alerts does not page; None when one of them does."""
    reasons: list[Reason] = []
    left: list[OpenAlert] = []
    for alert in alerts:
        reason = book.silenced(alert.facts, at) or why_held(alert, at)
        if reason is not None:
            reasons.append(reason)
        elif book.inhibitions:
            left.append(alert)
        else:
            return None
    found = await _inhibited(view, book, left, at)
    return None if len(found) < len(left) else reasons + found


_ASKED = bulk.Rows(("digest", "alert_id", "mutual"), ("bytea", "bigint", "bigint"))
_SOURCE = (
    "(SELECT i.alert_id FROM inhibitors i JOIN alerts a ON a.id = i.alert_id WHERE i.digest = t.digest "
    "AND i.alert_id <> t.alert_id AND i.mutual * t.mutual = 0 AND a.resolved_at IS NULL LIMIT 1)"
)
_TITLES = text("SELECT id, title FROM alerts WHERE id IN :ids").bindparams(bindparam("ids", expanding=True))


async def _inhibited(view: Reading, book: Book, alerts: Sequence[OpenAlert], at: Micros) -> list[Reason]:
    """The reason of each of these that another alert inhibits."""
    asked = [(alert, side) for alert in alerts for side in book.inhibitions.as_target(alert.facts)]
    rows = [(side.digest, alert.id, int(side.mutual)) for alert, side in asked]
    answers = await bulk.ask(view, _ASKED, "FROM t", rows, [_SOURCE])
    sources: dict[int, tuple[int, str]] = {}
    for place, source in answers:
        if source is not None:
            alert, side = asked[place]
            sources.setdefault(alert.id, (source, side.rule.name))
    titles = await _titles(view, {source for source, _ in sources.values()})
    return [
        Reason(
            "inhibition", source, at + LOOK_AGAIN, f"inhibited by {titles.get(source, 'an alert')!r} (rule {rule!r})"
        )
        for source, rule in sources.values()
    ]


async def _titles(view: Reading, alert_ids: set[int]) -> dict[int, str]:
    if not alert_ids:
        return {}
    return {row.id: row.title for row in await view.conn.execute(_TITLES, {"ids": sorted(alert_ids)})}

"""The deeds around silences: what a new one is checked for, what its end sets going, what it has done and would have done.

Old ones that have ended are put out of the list when another is created; their history stays.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import select, text

from app.clock import DAY, Micros, iso
from app.ids import first_id
from app.incidents import ledger
from app.incidents.service import Service
from app.oncall.codec import read_instant
from app.routing.matchers import matcher
from app.routing.quiet import Book
from app.routing.silence import Silence, made_ready
from app.routing.tables import silenced
from app.store import resources
from app.store.database import Reading, Writing
from app.store.resources import Refused, Resource

KIND = "silence"
SHOWN_AFTER: Micros = 5 * DAY
"""For how long a silence that has ended stays in the list, as in Alertmanager."""
SWEPT = 50
"""Ended silences that are put out of the list at most, when another is created."""
LOOKED_AT = 20_000
"""Alerts that a preview looks at: the newest of its days."""
NAMED = 20
"""Alerts that a preview names."""
_LEAST: Micros = 1_000
"""What a document can tell apart."""


def stored(silence: Silence, now: Micros, old: Mapping[str, Any] | None) -> dict[str, Any]:
    """A silence as it is kept, with the instant from which it is on. Raises Refused(`ended`, `ends_in_the_past`)."""
    document = silence.model_dump(mode="json")
    if document["starts_at"] is None:
        document["starts_at"] = old["starts_at"] if old else iso(now)
    checked = Silence.model_validate(document)
    if old is not None and Silence.model_validate(old).state(now) == "ended":
        raise Refused("ended", "this silence has ended, and what was is not changed; create another")
    if checked.window().ends_at <= now:
        raise Refused("ends_in_the_past", "`ends_at` has passed; to end a silence now, POST to its address with /end")
    return document


async def after_silence(tx: Writing, old: Resource | None, new: Resource | None) -> None:
    """What an edit sets going: what the silence kept quiet is asked at once whether it pages."""
    if old is not None:
        held = "id IN (SELECT incident_id FROM silenced WHERE silence_id = :silence)"
        await ledger.ask_again(tx, held, silence=old.id)
    elif new is not None:
        await _sweep(tx)


async def sender_renamed(tx: Writing, old: str, new: str) -> None:
    """Silences over the alerts of one integration follow it to its new name, and so do their authors."""
    was, now = (str(matcher("@integration", "=", name)) for name in (old, new))
    for one in await resources.listed(tx, KIND):
        said = one.document["matchers"]
        if was not in said:
            continue
        author, mark, _ = one.document["created_by"].rpartition(f" ({old})")
        document = {
            **one.document,
            "matchers": [now if text == was else text for text in said],
            "created_by": f"{author} ({new})" if mark else one.document["created_by"],
        }
        await resources.replace(tx, one, one.name, document, "tocsin", seen=one.version)


async def _sweep(tx: Writing) -> None:
    ended = [
        one
        for one in await resources.listed(tx, KIND)
        if read_instant("ends_at", one.document["ends_at"]) <= tx.now - SHOWN_AFTER
    ]
    for one in ended[:SWEPT]:
        await resources.remove(tx, one, "tocsin", seen=one.version)


async def end(tx: Writing, found: Resource, by: str) -> Resource:
    """Ends a silence now; one that has ended stays as it is, and one that lay ahead has been on for a millisecond."""
    silence = found.as_a(Silence)
    if silence.state(tx.now) == "ended":
        return found
    starts_at = min(read_instant("starts_at", found.document["starts_at"]), tx.now - _LEAST)
    document = {**found.document, "starts_at": iso(starts_at), "ends_at": iso(tx.now)}
    made = await resources.replace(tx, found, found.name, document, by, seen=found.version)
    await after_silence(tx, found, made)
    return made


@dataclass(frozen=True, slots=True)
class Effect:
    """What a silence has done."""

    incidents: int
    """That it kept from paging."""
    quiet: int
    """Of those, still quiet."""
    resolved: int
    """Of those, over without a page since."""
    paged: int
    """Of those, paged after it."""


_EFFECT = text(
    "SELECT i.state, i.quiet_until IS NOT NULL AS quiet, EXISTS (SELECT 1 FROM pages p WHERE p.incident_id = i.id "
    "AND p.created_at >= s.since) AS paged FROM silenced s JOIN incidents i ON i.id = s.incident_id "
    "WHERE s.silence_id = :silence"
)


async def effect(view: Reading, silence_id: int) -> Effect:
    """What a silence has done so far."""
    rows = (await view.conn.execute(_EFFECT, {"silence": silence_id})).all()
    return Effect(
        incidents=len(rows),
        quiet=sum(bool(row.quiet) for row in rows),
        resolved=sum(row.state in ("resolved", "closed") and not row.paged for row in rows),
        paged=sum(bool(row.paged) for row in rows),
    )


async def silences_of(view: Reading, incident_id: int) -> Sequence[int]:
    """The silences that kept an incident from paging."""
    question = select(silenced.c.silence_id).where(silenced.c.incident_id == incident_id)
    return (await view.conn.execute(question)).scalars().all()


@dataclass(frozen=True, slots=True)
class Past:
    """An alert of the days before."""

    id: int
    title: str
    first_seen_at: Micros
    incident_id: int | None
    number: int | None
    matched: bool


_PAST = text(
    "SELECT a.id, a.service_id, a.integration_id, a.dedup_key, a.title, a.severity, a.labels, a.annotations, "
    "a.first_seen_at, a.incident_id, i.number FROM alerts a LEFT JOIN incidents i ON i.id = a.incident_id "
    "WHERE a.id >= :since AND a.integration_id > 0 ORDER BY a.id DESC LIMIT :most"
)


async def past(view: Reading, days: int) -> tuple[Sequence[Any], bool]:
    """The newest alerts of the last days, and whether there were more."""
    asked = {"since": first_id(view.now - days * DAY), "most": LOOKED_AT + 1}
    rows = (await view.conn.execute(_PAST, asked)).all()
    return rows[:LOOKED_AT], len(rows) > LOOKED_AT


async def tagged_services(view: Reading) -> dict[int, tuple[str, Iterable[str]]]:
    """Name and tags of each service."""
    found = resources.readable(await resources.listed(view, "service"), Service)
    return {item: (one.name, one.tags) for item, one in found.items()}


def would_silence(
    book: Book, silence: Silence, services: Mapping[int, tuple[str, Iterable[str]]], rows: Iterable[Any]
) -> list[Past]:
    """Which of these alerts it would have been over; one that repeats, in its hours only. Pure, and slow: a thread's work."""
    ready = made_ready(0, silence, services)
    weekly = ready.window.weekly
    found = []
    for row in rows:
        facts = book.facts(
            orjson.loads(row.labels),
            orjson.loads(row.annotations),
            title=row.title,
            severity=row.severity,
            service_id=row.service_id,
            integration_id=row.integration_id,
            key=row.dedup_key,
        )
        matched = all(one.matches(facts) for one in ready.matchers) and (
            weekly is None or weekly.until(row.first_seen_at) is not None
        )
        found.append(Past(row.id, row.title, row.first_seen_at, row.incident_id, row.number, matched))
    return found


async def pages_of(view: Reading, incident_ids: Iterable[int]) -> int:
    """How many pages there were for these incidents."""
    wanted = sorted(incident_ids)
    total = 0
    for start in range(0, len(wanted), 500):
        some = ", ".join(str(int(one)) for one in wanted[start : start + 500])
        found = await view.conn.execute(text(f"SELECT count(*) FROM pages WHERE incident_id IN ({some})"))  # noqa: S608 - numbers
        total += int(found.scalar_one())
    return total

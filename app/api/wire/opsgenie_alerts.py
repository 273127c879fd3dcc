"""Alerts of one integration as Opsgenie tells them: finding one by any of its names, searching, showing. Read only.

An alert's id is ours; its tiny id is the number of its incident, which is what people call it by; its alias is the dedup key.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID

import orjson
from sqlalchemy import Select

from app.api.alerts import alerts_with_numbers
from app.api.wire.newest import newest
from app.api.wire.opsgenie_query import Test
from app.clock import DAY, Micros, iso
from app.dedup.arrival import digest_shown, key_digest
from app.dedup.directory import Inlet
from app.dedup.tables import alerts, last_seen, times_seen
from app.ids import first_id
from app.incidents.tables import incidents, timeline
from app.sources.opsgenie import USUAL, severity_of
from app.sources.tags import tags
from app.store.database import Reading

MOST = 5_000
"""Open alerts, and ended ones, that a search looks through: the newest."""
SEARCHED = 30 * DAY
"""How far back a search looks for ended ones."""
SORTS = frozenset(
    [
        "createdAt",
        "updatedAt",
        "tinyId",
        "alias",
        "message",
        "status",
        "acknowledged",
        "isSeen",
        "snoozed",
        "snoozedUntil",
        "count",
        "lastOccurredAt",
        "source",
        "owner",
        "integration.name",
        "integration.type",
        "report.ackTime",
        "report.closeTime",
        "report.acknowledgedBy",
        "report.closedBy",
    ]
)

_PRIORITIES = {"critical": "P1", "error": "P2", "warning": "P3", "info": "P4", "none": "P5"}
_OWN_LABELS = frozenset({"entity", "source"})
_OWN_WORDS = frozenset(["description", "tags", "responders", "actions", "note", "user", "priority", "severity_raw"])
_RESPONDERS = frozenset({"team", "user", "escalation", "schedule"})
_REQUEST = re.compile(r"([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})-(\d{13})(\d{2})")

ACTIONS = (
    ("Create", "Created alert"),
    ("Close", "Closed alert"),
    ("Acknowledge", "Acknowledged alert"),
    ("UnAcknowledge", "UnAcknowledged alert"),
    ("Snooze", "Snoozed alert"),
    ("AddNote", "Added note"),
    ("AddTags", "Added tags"),
    ("RemoveTags", "Removed tags"),
    ("UpdateMessage", "Updated message"),
    ("UpdateDescription", "Updated description"),
    ("UpdatePriority", "Updated priority"),
    ("Assign", "Assigned ownership"),
    ("EscalateToNext", "Escalated to next"),
    ("AddDetails", "Added details"),
    ("RemoveDetails", "Removed details"),
    ("Delete", "Deleted alert"),
    ("AddResponder", "Added responder"),
    ("AddTeam", "Added team"),
    ("CustomAction", "Noted custom action"),
)
"""Each action and what is said when it is done. A request's id holds the place in this list: add at its end only."""
Action = Literal[
    "Create", "Close", "Acknowledge", "UnAcknowledge", "Snooze", "AddNote", "AddTags", "RemoveTags", "UpdateMessage",
    "UpdateDescription", "UpdatePriority", "Assign", "EscalateToNext", "AddDetails", "RemoveDetails", "Delete",
    "AddResponder", "AddTeam", "CustomAction",
]  # fmt: skip
_PLACES = {name: place for place, (name, _) in enumerate(ACTIONS)}


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that was answered, read back from its own id: nothing is stored for it."""

    digest: bytes
    """Of the key of its alert."""
    action: str
    status: str
    at: Micros


def request_id(digest: bytes, action: Action, now: Micros) -> str:
    """The id of a request: which alert, when, and what was to be done."""
    return f"{UUID(bytes=digest)}-{now // 1_000:013d}{_PLACES[action]:02d}"


def request_of(text: str) -> Asked | None:
    """The request that has this id; None for what was never one."""
    found = _REQUEST.fullmatch(text)
    if found is None or int(found[3]) >= len(ACTIONS):
        return None
    return Asked(UUID(found[1]).bytes, *ACTIONS[int(found[3])], int(found[2]) * 1_000)


def _of(inlet: Inlet) -> Select[Any]:
    """The alerts of an integration, with their incidents."""
    return (
        alerts_with_numbers()
        .add_columns(
            incidents.c.state.label("incident_state"),
            incidents.c.acknowledged_at,
            incidents.c.acknowledged_by,
            incidents.c.ack_until,
            incidents.c.resolved_by.label("incident_resolved_by"),
        )
        .where(alerts.c.integration_id == inlet.integration_id)
    )


async def by_digest(view: Reading, inlet: Inlet, digest: bytes) -> Any:
    """The last alert of a key, or None."""
    question = _of(inlet).where(alerts.c.key_digest == digest).order_by(alerts.c.episode.desc()).limit(1)
    return (await view.conn.execute(question)).first()


async def find(view: Reading, inlet: Inlet, identifier: str, kind: str) -> Any:
    """The alert that is meant, or None. By id also the id of the request that made it, and, when it is neither, its alias.

    A long alias is good in full and as it is shown.
    """
    found = None
    if kind == "tiny":
        found = await _by_tiny(view, inlet, identifier)
    elif kind != "alias" and is_number(identifier):
        found = (await view.conn.execute(_of(inlet).where(alerts.c.id == int(identifier)))).first()
    elif kind != "alias" and (asked := request_of(identifier)):
        found = await by_digest(view, inlet, asked.digest)
    if found is None and kind != "tiny":
        found = await by_digest(view, inlet, key_digest(inlet.integration_id, identifier))
    if found is None and kind != "tiny" and (digest := digest_shown(identifier)):
        found = await by_digest(view, inlet, digest)
    return found


def is_number(text: str) -> bool:
    """Whether it may be an id."""
    return text.isascii() and text.isdigit() and int(text) < 1 << 63 if len(text) < 20 else False


async def _by_tiny(view: Reading, inlet: Inlet, identifier: str) -> Any:
    """Of the incident's alerts an open one, the newest; an alert without an incident has its own id for a tiny one."""
    if not is_number(identifier):
        return None
    best = _of(inlet).order_by(alerts.c.resolved_at.is_not(None), alerts.c.id.desc()).limit(1)
    for named in (incidents.c.number == int(identifier), alerts.c.id == int(identifier)):
        if found := (await view.conn.execute(best.where(named))).first():
            return found
    return None


async def candidates(view: Reading, inlet: Inlet) -> Sequence[Any]:
    """What a search looks through: the newest open ones, and the newest ended ones of the last month."""
    still = await newest(view, _of(inlet).where(alerts.c.resolved_at.is_(None)), MOST)
    since = alerts.c.id >= first_id(view.now - SEARCHED)
    over = await newest(view, _of(inlet).where(alerts.c.resolved_at.is_not(None), since), MOST)
    return [*still, *over]


def searched(rows: Sequence[Any], inlet: Inlet, test: Test, now: Micros) -> list[dict[str, Any]]:
    """Those that pass the test, as they are shown in full."""
    return [one for row in rows if test(one := shown(row, inlet, now))]


def ordered(found: list[dict[str, Any]], sort: str, order: str) -> list[dict[str, Any]]:
    """By one of SORTS; of equals the newer first."""

    def value(one: Mapping[str, Any]) -> tuple[int, str]:
        outer, _, inner = sort.partition(".")
        content = one.get(outer, "")
        content = content.get(inner, "") if inner else content
        return (
            (content, "") if isinstance(content, int) else (int(content), "") if sort == "tinyId" else (0, str(content))
        )

    return sorted(sorted(found, key=lambda one: -int(one["id"])), key=value, reverse=order != "asc")


def brief(one: Mapping[str, Any]) -> dict[str, Any]:
    """An alert as it stands in a list."""
    return {name: value for name, value in one.items() if name not in ("actions", "entity", "description", "details")}


def shown(row: Any, inlet: Inlet, now: Micros) -> dict[str, Any]:
    """An alert in full."""
    labels: dict[str, str] = orjson.loads(row.labels)
    words: dict[str, str] = orjson.loads(row.annotations)
    still = row.resolved_at is None
    held = still and row.incident_state == "acknowledged"
    quiet = held and row.ack_until is not None and row.ack_until > now
    tagged = _split(words.get("tags", ""))
    found = {
        "id": str(row.id),
        "tinyId": str(row.number or row.id),
        "alias": row.dedup_key,
        "message": row.title,
        "status": "open" if still else "closed",
        "acknowledged": held,
        "isSeen": held,
        "tags": tagged,
        "snoozed": quiet,
        "count": max(1, times_seen(row)),
        "lastOccurredAt": iso(last_seen(row)),
        "createdAt": iso(row.first_seen_at),
        "updatedAt": iso(max(last_seen(row), row.resolved_at or 0, row.acknowledged_at or 0)),
        "source": labels.get("source", ""),
        "owner": row.acknowledged_by or "" if held else "",
        "priority": _priority(row.severity, words.get("priority", "")),
        "responders": _responders(words.get("responders", "")),
        "integration": {"id": str(inlet.integration_id), "name": inlet.name, "type": "API"},
        "report": _report(row),
        "actions": _split(words.get("actions", "")),
        "entity": labels.get("entity", ""),
        "description": words.get("description", ""),
        "details": _details(labels, words, tagged),
    }
    return found | ({"snoozedUntil": iso(row.ack_until)} if quiet else {})


def _split(text: str) -> list[str]:
    return [one for one in text.split(", ") if one]


def _priority(severity: str, said: str) -> str:
    """The sender's own word, unless it is graver by now."""
    own = said.upper()
    if own in _PRIORITIES.values() and severity_of(own) == severity:
        return own
    return _PRIORITIES.get(severity, USUAL)


def _responders(text: str) -> list[dict[str, str]]:
    """Libraries fail on one without an id: as such stands what the sender called it."""
    named = (one.partition(" ") for one in _split(text))
    return [{"type": kind, "id": name, "name": name} for kind, _, name in named if kind in _RESPONDERS]


def _report(row: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if row.acknowledged_at:
        found |= {"ackTime": (row.acknowledged_at - row.first_seen_at) // 1_000, "acknowledgedBy": row.acknowledged_by}
    if row.resolved_at:
        closed_by = row.incident_resolved_by if row.resolved_by == "person" else row.resolved_by
        found |= {"closeTime": (row.resolved_at - row.first_seen_at) // 1_000, "closedBy": closed_by}
    return found


def _details(labels: Mapping[str, str], words: Mapping[str, str], tagged: Sequence[str]) -> dict[str, str]:
    """What is neither a tag nor a field of its own."""
    of_tags = tags(list(tagged))
    own = {name: value for name, value in labels.items() if name not in _OWN_LABELS and of_tags.get(name) != value}
    return own | {name: value for name, value in words.items() if name not in _OWN_WORDS}


async def notes(view: Reading, incident_id: int | None, limit: int, order: str, after: str) -> list[dict[str, Any]]:
    """What people said about the incident of an alert: the newest first, or the oldest (`asc`); `after` a note's offset."""
    up = order == "asc"
    question = (
        timeline.select()
        .where(timeline.c.incident_id == incident_id, timeline.c.kind == "note")
        .order_by(timeline.c.id.asc() if up else timeline.c.id.desc())
        .limit(limit)
    )
    if is_number(after):
        question = question.where(timeline.c.id > int(after) if up else timeline.c.id < int(after))
    return [
        {"note": row.reason, "owner": row.actor, "createdAt": iso(row.at), "offset": str(row.id)}
        for row in await view.conn.execute(question)
    ]

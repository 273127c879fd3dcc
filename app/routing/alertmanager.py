"""Silences as Alertmanager's API (v2) says them, and back. Its meaning is in docs/silences.md.

    id, matchers [{name, value, isRegex, isEqual}], startsAt, endsAt, createdBy, comment

An id that is sent replaces that silence: in place while only its end and its words change, and otherwise by ending it and
creating another, whose id is answered. Must never know HTTP.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from app.clock import Micros, iso
from app.oncall.codec import read_instant
from app.routing import silencing
from app.routing.matchers import Matcher, Op, matcher, parse
from app.routing.silence import Silence, made_ready
from app.store import resources
from app.store.database import Reading, Writing
from app.store.resources import Resource

_OPS: Mapping[tuple[bool, bool], Op] = {
    (False, True): "=",
    (False, False): "!=",
    (True, True): "=~",
    (True, False): "!~",
}
_STATES = {"pending": "pending", "active": "active", "ended": "expired"}


@dataclass(frozen=True, slots=True)
class Sent:
    """A silence as Alertmanager's clients send it."""

    matchers: Sequence[Mapping[str, Any]]
    starts_at: Micros
    ends_at: Micros
    created_by: str
    comment: str
    id: str = ""


def matcher_of(said: Mapping[str, Any]) -> Matcher:
    """One of its matchers; `isEqual` is true where it is absent, as in older clients. Raises BadMatcher."""
    op = _OPS[bool(said.get("isRegex", False)), bool(said.get("isEqual", True))]
    return matcher(str(said.get("name", "")), op, str(said.get("value", "")))


def said_matcher(one: Matcher) -> dict[str, Any]:
    """A matcher as Alertmanager says it."""
    return {
        "name": one.name,
        "value": one.value,
        "isRegex": one.op in ("=~", "!~"),
        "isEqual": one.op in ("=", "=~"),
    }


def shown(found: Resource, services: Mapping[int, tuple[str, Iterable[str]]], now: Micros) -> dict[str, Any]:
    """A silence as Alertmanager shows it. What it has of services and tags is a matcher of @service there."""
    silence = found.as_a(Silence)
    ready = made_ready(found.id, silence, services)
    return {
        "id": str(found.id),
        "status": {"state": _STATES[silence.state(now)]},
        "matchers": [said_matcher(one) for one in ready.matchers],
        "startsAt": iso(ready.window.starts_at),
        "endsAt": iso(ready.window.ends_at),
        "updatedAt": iso(found.updated_at),
        "createdBy": silence.created_by,
        "comment": silence.comment,
    }


async def put(tx: Writing, sent: Sent, by: str) -> Resource:
    """Creates or replaces a silence. `by`: whose request it is.

    Raises BadMatcher, pydantic's ValidationError, NoSuchSilence, Refused(`ended`, `ends_in_the_past`).
    """
    await resources.touch_config(tx)
    old = await one(tx, sent.id) if sent.id else None
    author = f"{sent.created_by} ({by})" if sent.created_by else by
    matchers = [str(matcher_of(said)) for said in sent.matchers]
    if old is not None and _in_place(old, matchers, sent, tx.now):
        document = {**old.document, "ends_at": iso(sent.ends_at), "comment": sent.comment}
        ready = silencing.stored(Silence.model_validate(document), tx.now, old.document)
        made = await resources.replace(tx, old, old.name, {**ready, "created_by": author}, by, seen=old.version)
    else:
        if old is not None:
            await silencing.end(tx, old, by)
        name = f"{sent.comment[:80]} ({tx.new_id()})"
        said = {
            "name": name,
            "comment": sent.comment,
            "matchers": matchers,
            "starts_at": iso(max(sent.starts_at, tx.now)),
            "ends_at": iso(sent.ends_at),
        }
        silence = Silence.model_validate(said)
        made = await resources.create(
            tx, silencing.KIND, name, {**silencing.stored(silence, tx.now, None), "created_by": author}, by
        )
        old = None
    await silencing.after_silence(tx, old, made)
    return made


def _in_place(old: Resource, matchers: Sequence[str], sent: Sent, now: Micros) -> bool:
    """Whether a silence may keep its id: what it is over and its start stay, and it has not ended."""
    silence = old.as_a(Silence)
    same = tuple(str(parse(text)) for text in silence.matchers) == tuple(matchers)
    named = silence.service_ids or silence.tags or silence.repeats
    starts_at = read_instant("starts_at", str(silence.starts_at))
    return same and not named and silence.state(now) != "ended" and (starts_at == sent.starts_at or starts_at <= now)


class NoSuchSilence(Exception):
    """There is no silence with that id."""


async def one(view: Reading, silence_id: str) -> Resource:
    """The silence. Raises NoSuchSilence."""
    known = silence_id.isdigit() and len(silence_id) < 20
    found = await resources.load(view, silencing.KIND, [int(silence_id)]) if known else {}
    if not found:
        raise NoSuchSilence(f"there is no silence with the id {silence_id[:40]!r}")
    return found[int(silence_id)]


async def expire(tx: Writing, silence_id: str, by: str) -> Resource:
    """Ends a silence now, as DELETE does there; its row stays. Raises NoSuchSilence."""
    await resources.touch_config(tx)
    return await silencing.end(tx, await one(tx, silence_id), by)


async def listed(view: Reading) -> list[dict[str, Any]]:
    """All silences as Alertmanager shows them, those that ended lately too."""
    services = await silencing.tagged_services(view)
    return [shown(found, services, view.now) for found in await resources.listed(view, silencing.KIND)]

"""Silences by Alertmanager's API. Through one integration's key they are over that integration's alerts, and no others'.

A matcher `@integration="NAME"` says so: it is added to what is sent, and tells which silences the key may see and end. They are
shown as they were sent, without it and without the key's name behind the author: programs look for what they wrote.
Must never decide what a silence is over (app/routing).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from app.dedup.directory import Inlet
from app.routing import alertmanager
from app.routing.alertmanager import NoSuchSilence, Sent
from app.routing.matchers import parse
from app.sources import times
from app.sources.decode import decode
from app.sources.fields import said
from app.store.database import Reading, Writing

OWN = "@integration"
MAX_AUTHOR = 90
"""Characters of who made it: with the name of the integration behind it that is what a silence may have."""


class BadSilence(ValueError):
    """A silence that can't be taken; the text says why."""


def read(body: bytes, inlet: Inlet) -> Sent:
    """What was sent, bound to the integration. Raises BadSilence, BadMatcher, Unreadable."""
    given = decode(body).value
    matchers = given.get("matchers") if type(given) is dict else None
    if type(matchers) is not list or not matchers or not all(type(one) is dict for one in matchers):
        raise BadSilence("A silence needs matchers: a list of objects with name, value and isRegex.")
    others = [one for one in matchers if one.get("name") != OWN]
    if all(alertmanager.matcher_of(one).holds("") for one in others):
        raise BadSilence("At least one matcher must not match the empty string.")
    starts, ends = times.parse(given.get("startsAt")), times.parse(given.get("endsAt"))
    if ends is None:
        raise BadSilence("endsAt is missing or no RFC 3339 time: a silence always has an end.")
    if not said(given, "comment"):
        raise BadSilence("comment is missing: people who look for a page read it.")
    return Sent(
        [*others, _own(inlet)],
        starts or 0,
        ends,
        said(given, "createdBy")[:MAX_AUTHOR],
        said(given, "comment"),
        said(given, "id"),
    )


async def put(tx: Writing, sent: Sent, inlet: Inlet) -> str:
    """Creates or replaces a silence of this integration; answers its id. Raises BadSilence, NoSuchSilence, Refused."""
    if sent.id:
        await one(tx, sent.id, inlet)
    try:
        return str((await alertmanager.put(tx, sent, inlet.name)).id)
    except ValidationError as error:
        raise BadSilence("; ".join(fault["msg"].removeprefix("Value error, ") for fault in error.errors())) from None


async def listed(view: Reading, inlet: Inlet, filters: list[str], states: Mapping[str, bool]) -> list[dict[str, Any]]:
    """The integration's own, of these states, that have the very matchers of the filters. Raises BadMatcher."""
    wanted = [alertmanager.said_matcher(parse(text)) for text in filters]
    found = [silence for silence in await alertmanager.listed(view) if _own(inlet) in silence["matchers"]]
    return [
        _as_sent(silence, inlet)
        for silence in found
        if states.get(silence["status"]["state"], True) and all(one in silence["matchers"] for one in wanted)
    ]


async def one(view: Reading, silence_id: str, inlet: Inlet) -> dict[str, Any]:
    """A silence of this integration. Raises NoSuchSilence."""
    for silence in await listed(view, inlet, [], {}):
        if silence["id"] == silence_id:
            return silence
    raise NoSuchSilence(f"This integration has no silence with the id {silence_id[:40]!r}.")


async def expire(tx: Writing, silence_id: str, inlet: Inlet) -> None:
    """Ends a silence of this integration now. Raises NoSuchSilence."""
    await one(tx, silence_id, inlet)
    await alertmanager.expire(tx, silence_id, inlet.name)


def _own(inlet: Inlet) -> dict[str, Any]:
    return {"name": OWN, "value": inlet.name, "isRegex": False, "isEqual": True}


def _as_sent(silence: Mapping[str, Any], inlet: Inlet) -> dict[str, Any]:
    others = [one for one in silence["matchers"] if one != _own(inlet)]
    author = silence["createdBy"].removesuffix(f" ({inlet.name})")
    return {**silence, "matchers": others or [_own(inlet)], "createdBy": author, "annotations": {}}

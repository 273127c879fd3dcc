"""What Opsgenie's API does to an alert that is there: an answer of a person, or a change of what the alert shows.

`deed_of` reads a request into a deed, or says which field it can't take. Must never know HTTP.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

from app.api.wire.opsgenie_alerts import Action
from app.clock import DAY, MINUTE, Micros
from app.dedup.amend import Change, amend
from app.incidents import respond
from app.paging import joining, joint, redirect
from app.sources import times
from app.sources.event import Event
from app.sources.fields import facts_and_words, part, said
from app.sources.limits import one_line, text
from app.sources.opsgenie import severity_of, tag_list
from app.sources.tags import tags
from app.store import resources
from app.store.database import Reading, Writing
from app.store.resources import Refused

VERBS: Mapping[tuple[str, str], Action] = {
    ("POST", "close"): "Close",
    ("POST", "acknowledge"): "Acknowledge",
    ("POST", "unacknowledge"): "UnAcknowledge",
    ("POST", "snooze"): "Snooze",
    ("POST", "notes"): "AddNote",
    ("POST", "tags"): "AddTags",
    ("DELETE", "tags"): "RemoveTags",
    ("PUT", "message"): "UpdateMessage",
    ("POST", "message"): "UpdateMessage",
    ("PUT", "description"): "UpdateDescription",
    ("POST", "description"): "UpdateDescription",
    ("PUT", "priority"): "UpdatePriority",
    ("POST", "priority"): "UpdatePriority",
    ("POST", "assign"): "Assign",
    ("POST", "escalate"): "EscalateToNext",
    ("POST", "details"): "AddDetails",
    ("DELETE", "details"): "RemoveDetails",
    ("POST", "responders"): "AddResponder",
    ("POST", "teams"): "AddTeam",
    ("POST", "actions"): "CustomAction",
    ("DELETE", ""): "Delete",
}
LONGEST_SNOOZE: Micros = 7 * DAY
PRIORITIES = frozenset({"P1", "P2", "P3", "P4", "P5"})

Deed = Callable[[Writing, Any, str], Awaitable[None]]
"""Takes the alert's row and who does it."""


class Unprocessable(Exception):
    """A field that can't be taken: its name, and why."""

    def __init__(self, field: str, why: str) -> None:
        super().__init__(why)
        self.field = field


def deed_of(action: Action, body: Mapping[str, Any], query: Sequence[str], now: Micros) -> Deed | None:
    """What is to be done beside ending the alert, if anything. `query`: the tags or keys to be removed. Raises Unprocessable."""
    note = said(body, "note")
    match action:
        case "Acknowledge":
            return partial(_respond, partial(_acknowledge, said(body, "user")), note)
        case "UnAcknowledge":
            return partial(_respond, respond.unacknowledge, note)
        case "EscalateToNext":
            return partial(_respond, redirect.escalate, note)
        case "Snooze":
            return partial(_respond, partial(_snooze, _end_time(body, now)), note)
        case "Assign":
            return partial(_respond, partial(_give, _named(body, "owner")), note)
        case "AddResponder":
            return partial(_respond, partial(_ask, _named(body, "responder"), note), "")
        case "AddTeam" | "CustomAction":
            team = action == "AddTeam"
            wish = f"asked for the team {_named(body, 'team')}" if team else f"custom action {_needed(body, 'action')}"
            return partial(_respond, None, f"{wish}: {note}" if note else wish)
        case "AddNote" if not note:
            raise Unprocessable("note", "Note can not be empty.")
        case "AddNote" | "Create" | "Close" | "Delete":
            return partial(_respond, None, note) if note else None
        case _:
            return partial(_amend, _change(action, body, query), note)


async def _respond(
    deed: Callable[[Writing, int, str], Awaitable[object]] | None, note: str, tx: Writing, row: Any, actor: str
) -> None:
    """An answer to the alert's incident. What is too late, since it is over, changes nothing."""
    if row.number is None:
        return
    if deed is not None:
        with suppress(Refused):
            await deed(tx, row.number, actor)
    if note:
        await _note(tx, row.number, actor, note)


async def _note(tx: Writing, number: int, actor: str, words: str) -> None:
    await respond.note(tx, number, actor, words[: respond.MAX_NOTE])


async def _snooze(until: Micros, tx: Writing, number: int, actor: str) -> None:
    await respond.snooze_until(tx, number, actor, max(tx.now + MINUTE, min(until, tx.now + LONGEST_SNOOZE)))


async def _amend(change: Change, note: str, tx: Writing, row: Any, actor: str) -> None:
    await amend(tx, row.id, change)
    await _respond(None, note, tx, row, actor)


async def _acknowledge(user: str, tx: Writing, number: int, actor: str) -> None:
    """Where each of several people must acknowledge, it counts for the one who is named, if Tocsin knows them."""
    try:
        await joint.acknowledge(tx, number, actor)
    except Refused as refused:
        person = await _person(tx, user) if refused.name == "each_must_acknowledge" and user else None
        if person is not None:
            await joint.acknowledge(tx, number, actor, person)


async def _give(whom: str, tx: Writing, number: int, actor: str) -> None:
    """The incident is given to a person Tocsin knows; anybody else is noted, and paging goes on as it was."""
    person = await _person(tx, whom)
    if person is None:
        await _note(tx, number, actor, f"assigned to {whom}, whom Tocsin does not know")
    else:
        await redirect.to_people(tx, number, actor, [person])


async def _ask(whom: str, message: str, tx: Writing, number: int, actor: str) -> None:
    person = await _person(tx, whom)
    if person is None:
        await _note(tx, number, actor, f"asked for {whom}, whom Tocsin does not know. {message}".strip())
    else:
        await joining.ask(tx, number, actor, [person], message)


async def _person(view: Reading, whom: str) -> int | None:
    """The one person with this name, id or mail address."""
    wanted = whom.strip().lower()
    found = [
        one.id
        for one in await resources.listed(view, "person")
        if wanted in (one.name.lower(), str(one.id))
        or any(
            text(value).lower() == wanted
            for way in one.document.get("contact_methods", ())
            for value in way.get("address", {}).values()
        )
    ]
    return found[0] if len(found) == 1 else None


def _end_time(body: Mapping[str, Any], now: Micros) -> Micros:
    until = times.parse(body.get("endTime"))
    if until is None:
        raise Unprocessable("endTime", "endTime is not a date and time such as 2026-03-29T01:00:00Z.")
    if until <= now:
        raise Unprocessable("endTime", "endTime must be in the future.")
    return until


def _named(body: Mapping[str, Any], field: str) -> str:
    """Whom a request names."""
    whom = one_line(said(part(body, field), "username", "name", "id"))
    if not whom:
        raise Unprocessable(field, f"{field} must name somebody.")
    return whom


def _change(action: Action, body: Mapping[str, Any], query: Sequence[str]) -> Change:
    match action:
        case "UpdateMessage":
            return partial(_with_title, _needed(body, "message"))
        case "UpdateDescription":
            return partial(_with_words, {"description": said(body, "description")})
        case "UpdatePriority":
            priority = _needed(body, "priority").upper()
            if priority not in PRIORITIES:
                raise Unprocessable("priority", "Priority must be one of [P1, P2, P3, P4, P5].")
            return partial(_with_priority, priority)
        case "AddTags":
            return partial(_with_tags, tag_list(body.get("tags")), ())
        case "RemoveTags":
            return partial(_with_tags, (), query)
        case "AddDetails":
            return partial(_with_details, *facts_and_words(body.get("details")))
        case _:
            return partial(_without, frozenset(query))


def _needed(body: Mapping[str, Any], field: str) -> str:
    found = one_line(said(body, field))
    if not found:
        raise Unprocessable(field, f"{field.capitalize()} can not be empty.")
    return found


def _with_title(title: str, event: Event) -> Event:
    return event._replace(title=title)


def _with_words(words: Mapping[str, str], event: Event) -> Event:
    return event._replace(annotations={**event.annotations, **words})


def _with_priority(priority: str, event: Event) -> Event:
    return _with_words({"priority": priority}, event._replace(severity=severity_of(priority)))


def _with_tags(added: Sequence[str], removed: Sequence[str], event: Event) -> Event:
    before = [one for one in event.annotations.get("tags", "").split(", ") if one]
    now = [one for one in dict.fromkeys((*before, *added)) if one not in removed]
    of_tags = tags(before)
    kept = {name: value for name, value in event.labels.items() if of_tags.get(name) != value}
    return _with_words({"tags": ", ".join(now)}, event._replace(labels={**kept, **tags(now)}))


def _with_details(labels: Mapping[str, str], words: Mapping[str, str], event: Event) -> Event:
    return _with_words(words, event._replace(labels={**event.labels, **labels}))


def _without(names: frozenset[str], event: Event) -> Event:
    return event._replace(
        labels={name: value for name, value in event.labels.items() if name not in names},
        annotations={name: value for name, value in event.annotations.items() if name not in names},
    )

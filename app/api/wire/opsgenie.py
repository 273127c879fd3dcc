"""Opsgenie's Alert API v2 as its senders and libraries know it. A key sees and changes the alerts of its own integration.

Everything that changes something is answered 202 with the id of a request, once it is committed. What that request did is
asked by its id at once, and known at once: the id itself says which alert it was about.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, ClassVar
from urllib.parse import quote, urlencode

from app.api.ingest import Reply
from app.api.intake import Intake
from app.api.wire import opsgenie_alerts as known
from app.api.wire.call import JSON, RETRY_AFTER, Call, value_of
from app.api.wire.opsgenie_acts import VERBS, Unprocessable, deed_of
from app.api.wire.opsgenie_query import BadQuery, parse
from app.clock import iso
from app.dedup.amend import shown
from app.dedup.arrival import Arrival, Prepared, content_of, key_digest, prepare
from app.dedup.directory import Inlet
from app.sources.decode import clean
from app.sources.event import Event, Received, Unreadable
from app.sources.fields import said
from app.sources.limits import one_line
from app.world import World

ROOTS = (("v2", "alerts"), ("jsm", "ops", "integration", "v2", "alerts"))
MAX_LIMIT = 100
MAX_OFFSET = 20_000
_LACKING = frozenset({"attachments", "logs", "recipients", "saved-searches"})
"""What Opsgenie has of an alert, or beside it, and Tocsin has not."""
_OTHERS = frozenset(
    {"account", "escalations", "heartbeats", "integrations", "logs", "policies", "schedules", "teams", "users"}
)
"""Opsgenie's other APIs."""
_VERBS = frozenset(verb for _, verb in VERBS if verb)


class OpsgenieDoor:
    """api.opsgenie.com, as far as alerts go."""

    kind: ClassVar[str] = "opsgenie"

    def __init__(self, world: World, intake: Intake) -> None:
        self._world = world
        self._intake = intake

    def claims(self, path: Sequence[str]) -> bool:
        """See Door."""
        return any(tuple(path[: len(root)]) == root for root in ROOTS) or _other(path) in _OTHERS

    async def answer(self, call: Call) -> Reply:
        """See Door."""
        inlet = await self._intake.inlet(self.kind, call.key)
        if inlet is None:
            return self.failed(call, 401, "Could not authenticate: the key opens no integration of the kind opsgenie.")
        if _other(call.path) in _OTHERS:
            return self.failed(
                call, 404, f"Opsgenie's {_other(call.path)} are not here; docs/opsgenie.md lists what is."
            )
        below = call.path[call.path.index("alerts") + 1 :]
        try:
            if call.method == "GET":
                return await self._look(inlet, call, below)
            if call.method == "POST" and not below:
                return await self._create(inlet, call)
            return await self._change(inlet, call, below)
        except (Unprocessable, BadQuery) as error:
            return self._unprocessable(error)

    def failed(self, call: Call, status: int, sentence: str) -> Reply:
        """See Door."""
        return Reply(status, {"message": sentence, **self._about()}, JSON)

    def busy(self, call: Call) -> Reply:
        """See Door."""
        return Reply(503, {"message": "Nothing of this was done. Please retry.", **self._about()}, (*JSON, RETRY_AFTER))

    def _about(self, request_id: str = "") -> dict[str, Any]:
        now = self._world.clock.now()
        return {"took": 0.001, "requestId": request_id or str(self._world.ids.new(now))}

    def _unprocessable(self, error: Unprocessable | BadQuery) -> Reply:
        field = error.field if isinstance(error, Unprocessable) else "query"
        said = "Request body is not processable. Please check the errors."
        return Reply(422, {"message": said, "errors": {field: str(error)}, **self._about()}, JSON)

    def _accepted(self, digest: bytes, action: known.Action) -> Reply:
        request = known.request_id(digest, action, self._world.clock.now())
        return Reply(202, {"result": "Request will be processed", **self._about(request)}, JSON)

    async def _create(self, inlet: Inlet, call: Call) -> Reply:
        _, broken = await value_of(call.body)
        received = Received(call.body, call.content_type)
        try:
            found = await self._intake.accept(inlet, received)
        except Unreadable as error:
            if broken is not None:
                return self.failed(call, 400, f"{error} It was kept.")
            raise Unprocessable("message", "Message can not be empty.") from None
        return self._accepted(found.prepared[0].key_digest, "Create")

    async def _change(self, inlet: Inlet, call: Call, below: Sequence[str]) -> Reply:
        """Whatever is done to an alert. One that is not there is answered the same; its request tells."""
        custom = below[-1] if below[-2:-1] == ("actions",) else ""
        identifier, verb = _named(below[:-1] if custom else below)
        action = VERBS.get((call.method, verb))
        beside = action == "Delete" and len(below) > 1 and not _LACKING.isdisjoint(below)
        if action is None or beside or not identifier:
            return self.failed(call, 404, f"{call.method} on this path is not here; docs/opsgenie.md lists what is.")
        body, _ = await value_of(call.body) if call.body.strip() else ({}, None)
        if type(body) is not dict:
            return self.failed(call, 400, "The body is no JSON object.")
        if custom:
            body = {**body, "action": clean(custom)}
        removed = [one for name, value in call.query if name in ("tags", "keys") for one in value.split(",")]
        deed = deed_of(action, body, removed, self._world.clock.now())
        kind = call.asked("identifierType", "id").lower()
        row = await self._world.store.read(known.find, inlet, identifier, kind)
        digest = bytes(row.key_digest) if row else key_digest(inlet.integration_id, identifier)
        if row is not None and deed is not None:
            await self._world.store.write(deed, row, _actor(inlet, body))
            self._world.wake.set()
        if action in ("Close", "Delete"):
            await self._end(inlet, identifier, row)
        return self._accepted(digest, action)

    async def _end(self, inlet: Inlet, identifier: str, row: Any) -> None:
        """The alert ends as by any sender's resolve; one that never was is kept as an orphan."""
        if row is None:
            ended = prepare(inlet, [Event("resolved", identifier, one_line(f"Closed: {identifier}"))])
        else:
            event = shown(row, status="resolved")
            ended = (Prepared(event, bytes(row.key_digest), content_of(event)),)
        await self._world.committer.commit(Arrival(inlet, ended))

    async def _look(self, inlet: Inlet, call: Call, below: Sequence[str]) -> Reply:
        match tuple(below):
            case ():
                return await self._list(inlet, call)
            case ("count",):
                found = await self._search(inlet, call)
                return Reply(200, {"data": {"count": len(found)}, **self._about()}, JSON)
            case ("requests", request):
                return await self._status(inlet, call, request)
        identifier, verb = _named(below)
        row = await self._world.store.read(known.find, inlet, identifier, call.asked("identifierType", "id").lower())
        if row is None:
            lacking = sorted(_LACKING.intersection(below))
            if lacking:
                return self.failed(call, 404, f"There are no {lacking[0]} here; docs/opsgenie.md lists what is.")
            return self.failed(call, 404, f"Alert with identifier [{identifier[:200]}] does not exist.")
        if verb == "notes":
            return await self._notes(call, row.incident_id)
        if verb:
            return self.failed(call, 404, "This is not here; docs/opsgenie.md lists what is.")
        return Reply(200, {"data": known.shown(row, inlet, self._world.clock.now()), **self._about()}, JSON)

    async def _notes(self, call: Call, incident_id: int | None) -> Reply:
        """A page of notes; the offset is that of the last note of the page before it."""
        limit, after = _limit(call, MAX_LIMIT), call.asked("offset")
        if call.asked("direction", "next") != "next":
            raise Unprocessable("direction", "direction can only be next here; for the other end set order.")
        found = await self._world.store.read(known.notes, incident_id, limit + 1, call.asked("order", "desc"), after)
        pages = {"first": _at(call, self._world.base_url, limit=limit)}
        if len(found) > limit:
            pages["next"] = _at(call, self._world.base_url, limit=limit, offset=found[limit - 1]["offset"])
        return Reply(200, {"data": found[:limit], "paging": pages, **self._about()}, JSON)

    async def _status(self, inlet: Inlet, call: Call, request: str) -> Reply:
        asked = known.request_of(request)
        if asked is None:
            return self.failed(call, 404, "Request not found. It might not be processed, yet.")
        row = await self._world.store.read(known.by_digest, inlet, asked.digest)
        data = {
            "success": row is not None,
            "isSuccess": row is not None,
            "action": asked.action,
            "status": asked.status if row else "Alert does not exist",
            "processedAt": iso(asked.at),
            "integrationId": str(inlet.integration_id),
            "alertId": str(row.id) if row else "",
            "alias": row.dedup_key if row else "",
        }
        return Reply(200, {"data": data, **self._about(request)}, JSON)

    async def _search(self, inlet: Inlet, call: Call) -> list[dict[str, Any]]:
        if call.asked("searchIdentifier"):
            # To answer with everything would be worse: some close what they find.
            raise Unprocessable("searchIdentifier", "There are no saved searches here; send the query itself.")
        test = parse(call.asked("query"))
        rows = await self._world.store.read(known.candidates, inlet)
        return await asyncio.to_thread(known.searched, rows, inlet, test, self._world.clock.now())

    async def _list(self, inlet: Inlet, call: Call) -> Reply:
        limit, offset = _limit(call, 20), _whole(call, "offset", 0, 0, MAX_OFFSET)
        sort, order = call.asked("sort", "createdAt"), call.asked("order", "desc")
        if sort not in known.SORTS:
            raise Unprocessable("sort", f"sort must be one of {', '.join(sorted(known.SORTS))}")
        found = known.ordered(await self._search(inlet, call), sort, order)
        pages = _paging(call, self._world.base_url, limit, offset, len(found))
        shown_here = [known.brief(one) for one in found[offset : offset + limit]]
        return Reply(200, {"data": shown_here, "paging": pages, **self._about()}, JSON)


def _other(path: Sequence[str]) -> str:
    return path[1] if len(path) > 1 and path[0] == "v2" else ""


def _named(below: Sequence[str]) -> tuple[str, str]:
    """The identifier and the verb after it. A slash in an identifier may have come without its percent sign."""
    verb = below[-1] if len(below) > 1 and below[-1] in _VERBS else ""
    return clean("/".join(below[:-1] if verb else below)).strip(), verb


def _actor(inlet: Inlet, body: dict[str, Any]) -> str:
    """Who did it: the person the sender names, by way of the integration."""
    person = one_line(said(body, "user"))[:200]
    return f"{person} ({inlet.name})" if person else inlet.name


def _limit(call: Call, usual: int) -> int:
    """What is asked for, but no more than there is on a page: who asks for thousands follows `next`."""
    return min(_whole(call, "limit", usual, 1, 10**9), MAX_LIMIT)


def _whole(call: Call, field: str, usual: int, least: int, most: int) -> int:
    said = call.asked(field, str(usual))
    if not (said.isascii() and said.isdigit() and len(said) < 10 and least <= int(said) <= most):
        raise Unprocessable(field, f"{field} must be a number from {least} to {most}.")
    return int(said)


def _at(call: Call, base_url: str, **place: Any) -> str:
    """The address of another page of the same."""
    rest = [(name, value) for name, value in call.query if name not in ("limit", "offset", "key")]
    return f"{base_url}/{'/'.join(quote(step, safe='') for step in call.path)}?{urlencode([*rest, *place.items()])}"


def _paging(call: Call, base_url: str, limit: int, offset: int, total: int) -> dict[str, str]:
    def at(start: int) -> str:
        return _at(call, base_url, limit=limit, offset=start)

    pages = {"first": at(0), "last": at(max(0, (total - 1) // limit * limit))}
    if offset:
        pages["prev"] = at(max(0, offset - limit))
    if offset + limit < total:
        pages["next"] = at(offset + limit)
    return pages

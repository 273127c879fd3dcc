"""Alertmanager's API v2: what Prometheus, vmalert, Grafana's ruler and amtool post their alerts to, and ask about them.

A key sees the open alerts of its own integration. An incident is a group; its service is the receiver. Errors are JSON
texts, success is exactly 200. An alert is a lease: it ends at `endsAt` unless it is sent again (app/dedup/expire.py).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, ClassVar, TypeVar

import orjson
from sqlalchemy import ColumnElement, or_

from app import __version__
from app.api.alerts import alerts_with_numbers
from app.api.ingest import Reply
from app.api.intake import Intake
from app.api.wire import alertmanager_silences as silences
from app.api.wire.alertmanager_silences import BadSilence
from app.api.wire.call import JSON, RETRY_AFTER, Call
from app.api.wire.newest import newest
from app.clock import MINUTE, Micros, iso
from app.dedup.directory import Inlet
from app.dedup.tables import alerts, last_seen
from app.routing.alertmanager import NoSuchSilence
from app.routing.matchers import BadMatcher, Matcher, all_match, matcher, parse
from app.routing.quiet import Book
from app.routing.quieting import read_book
from app.sources.event import Received, Unreadable
from app.store import resources
from app.store.database import Reading
from app.store.resources import Refused
from app.world import World

T = TypeVar("T")

ROOT = ("api", "v2")
PROBES = (("-", "healthy"), ("-", "ready"))
MOST = 5_000
"""Alerts that are shown at most, the newest: Alertmanager's API has no pages."""
UNNAMED_END = 5 * MINUTE
"""How far ahead the end of an alert is shown that has none: Alertmanager's resolve_timeout."""

CONFIG = "route:\n  receiver: tocsin\nreceivers:\n- name: tocsin\n"
"""What tools that insist on reading a configuration are shown: Tocsin's own is not Alertmanager's."""

_OK = Reply(200, b"")
_NO = frozenset({"false", "f", "0", "no", "n", "off"})


class AlertmanagerDoor:
    """An Alertmanager of version 0.16 or later."""

    kind: ClassVar[str] = "alertmanager"

    def __init__(self, world: World, intake: Intake) -> None:
        self._world = world
        self._intake = intake
        self._began = world.clock.now()

    def claims(self, path: Sequence[str]) -> bool:
        """See Door."""
        return tuple(path[:2]) == ROOT or tuple(path) in PROBES

    async def answer(self, call: Call) -> Reply:
        """See Door."""
        if call.path in PROBES:
            return Reply(200, b"OK", ((b"content-type", b"text/plain; charset=utf-8"),))
        inlet = await self._intake.inlet(self.kind, call.key)
        if inlet is None:
            return self.failed(call, 401, "This key opens no integration of the kind alertmanager.")
        try:
            return await self._asked(inlet, call)
        except (BadMatcher, BadSilence, Refused, Unreadable) as error:
            return self.failed(call, 400, str(error))
        except NoSuchSilence as error:
            return self.failed(call, 404, str(error))

    def failed(self, call: Call, status: int, sentence: str) -> Reply:
        """See Door."""
        more = ((b"www-authenticate", b'Basic realm="tocsin"'),) if status == 401 else ()
        return Reply(status, sentence, (*JSON, *more))

    def busy(self, call: Call) -> Reply:
        """See Door. Prometheus sends everything again at its next turn, whatever the status."""
        return Reply(503, "Nothing of this was stored; send it again.", (*JSON, RETRY_AFTER))

    async def _asked(self, inlet: Inlet, call: Call) -> Reply:
        match (call.method, *call.path[2:]):
            case ("POST", "alerts"):
                return await self._post(inlet, call)
            case ("GET", "alerts"):
                return await _listing(list, await self._found(inlet, call))
            case ("GET", "alerts", "groups"):
                return await _listing(_groups, await self._found(inlet, call))
            case ("GET", "silences"):
                filters = [value for name, value in call.query if name == "filter"]
                states = {state: _asks_for(call, state) for state in ("active", "pending", "expired")}
                return Reply(200, await self._world.store.read(silences.listed, inlet, filters, states), JSON)
            case ("POST", "silences"):
                made = await self._change(silences.put, silences.read(call.body, inlet), inlet)
                return Reply(200, {"silenceID": made}, JSON)
            case ("GET", "silence", silence_id):
                return Reply(200, await self._world.store.read(silences.one, silence_id, inlet), JSON)
            case ("DELETE", "silence", silence_id):
                await self._change(silences.expire, silence_id, inlet)
                return _OK
            case ("GET", "status"):
                return Reply(200, self._status(), JSON)
            case ("GET", "receivers"):
                return Reply(200, [{"name": await self._world.store.read(_receiver, inlet)}], JSON)
        return self.failed(
            call, 404, f"{call.method} /{'/'.join(call.path)} is not here; docs/alertmanager.md lists what is."
        )

    async def _post(self, inlet: Inlet, call: Call) -> Reply:
        """The good ones of a mixed batch are stored all the same; the answer is 400 then, as Alertmanager's."""
        received = Received(call.body, call.content_type)
        found = await self._intake.accept(inlet, received)
        return self.failed(call, 400, found.unread[0].reason) if found.unread else _OK

    async def _change(self, deed: Callable[..., Awaitable[T]], *said: Any) -> T:
        """Commits it, and lets the worker look: what a silence held may page now."""
        done = await self._world.store.write(deed, *said)
        self._world.wake.set()
        return done

    def _status(self) -> dict[str, Any]:
        return {
            "cluster": {"name": "", "status": "disabled", "peers": []},
            "config": {"original": CONFIG},
            "uptime": iso(self._began),
            "versionInfo": {
                "version": __version__,
                "revision": "",
                "branch": "tocsin",
                "buildUser": "",
                "buildDate": "",
                "goVersion": "",
            },
        }

    async def _found(self, inlet: Inlet, call: Call) -> list[dict[str, Any]]:
        """The open alerts, the newest first, each with the number of its incident."""
        matchers = [parse(value) for name, value in call.query if name == "filter"]
        wanted = matcher("receiver", "=~", call.asked("receiver") or ".*")
        rows, receiver, book = await self._world.store.read(open_alerts, inlet, matchers)
        if not wanted.holds(receiver):
            return []
        return await asyncio.to_thread(_chosen, rows, receiver, book, matchers, self._world.clock.now(), call)


async def _listing(arranged: Callable[[list[dict[str, Any]]], Any], found: list[dict[str, Any]]) -> Reply:
    return Reply(200, await asyncio.to_thread(lambda: orjson.dumps(arranged(found))), JSON)


async def _receiver(view: Reading, inlet: Inlet) -> str:
    """Where alerts of an integration go: to its service."""
    if inlet.service_id is None:
        return inlet.name
    found = await resources.load(view, "service", [inlet.service_id], deleted=True)
    return found[inlet.service_id].name if inlet.service_id in found else inlet.name


async def open_alerts(view: Reading, inlet: Inlet, matchers: Sequence[Matcher]) -> tuple[Sequence[Any], str, Book]:
    """The newest MOST open alerts that these matchers may hold of, the integration's receiver, and its silences."""
    question = alerts_with_numbers().where(
        alerts.c.integration_id == inlet.integration_id,
        alerts.c.resolved_at.is_(None),
        *(_may_hold(one) for one in matchers if one.words and not one.name.startswith("@")),
    )
    rows = await newest(view, question, MOST)
    return rows, await _receiver(view, inlet), await read_book(view)


def _may_hold(one: Matcher) -> ColumnElement[bool]:
    """Says one of its words: so that it is found among more than MOST. `_chosen` looks closer."""
    said = (orjson.dumps({one.name: word}).decode()[1:-1] for word in sorted(one.words))
    return or_(*(alerts.c.labels.contains(pair, autoescape=True) for pair in said))


def _chosen(
    rows: Iterable[Any], receiver: str, book: Book, matchers: Sequence[Matcher], now: Micros, call: Call
) -> list[dict[str, Any]]:
    shown = (_shown(row, receiver, book, now) for row in rows)
    return [one for one in shown if _wanted(one, call) and all_match(matchers, one["labels"])]


def _wanted(one: dict[str, Any], call: Call) -> bool:
    if one["status"]["state"] == "suppressed":
        return _asks_for(call, "silenced")
    return _asks_for(call, "active")


def _asks_for(call: Call, state: str) -> bool:
    return (call.asked(state) or "true").lower() not in _NO


def _shown(row: Any, receiver: str, book: Book, now: Micros) -> dict[str, Any]:
    labels, annotations = orjson.loads(row.labels), orjson.loads(row.annotations)
    links: dict[str, str] = dict(orjson.loads(row.links))
    facts = book.facts(
        labels,
        annotations,
        title=row.title,
        severity=row.severity,
        service_id=row.service_id,
        integration_id=row.integration_id,
        key=row.dedup_key,
    )
    silence = book.silenced(facts, now)
    return {
        "labels": labels,
        "annotations": annotations,
        "startsAt": iso(row.starts_at or row.first_seen_at),
        "endsAt": iso(row.expires_at or now + UNNAMED_END),
        "updatedAt": iso(last_seen(row)),
        "fingerprint": bytes(row.key_digest[:8]).hex(),
        "generatorURL": links.get("Source", ""),
        "receivers": [{"name": receiver}],
        "status": {
            "state": "suppressed" if silence else "active",
            "silencedBy": [str(silence.id)] if silence else [],
            "inhibitedBy": [],
            "mutedBy": [],
        },
        "incident": row.number,
    }


def _groups(found: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """The alerts by incident; those that have none, such as a Watchdog, together."""
    groups: dict[int | None, list[dict[str, Any]]] = {}
    for one in found:
        groups.setdefault(one["incident"], []).append(one)
    return [
        {
            "labels": {} if number is None else {"incident": str(number)},
            "routeLabels": {},
            "receiver": members[0]["receivers"][0],
            "alerts": members,
        }
        for number, members in groups.items()
    ]

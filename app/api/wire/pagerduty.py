"""PagerDuty's Events APIs as senders know them: version 2, change events, version 1, and its Nagios plugin's form.

The key stands in the body: `routing_key`, `service_key`, or CONTACTPAGER of Nagios. Answers as PagerDuty's, with the
statuses that make each kind of sender come again: of a version 2 sender everybody retries 429 and not all 503; version 1
and Nagios are told 503, because a 4xx is final there.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, ClassVar

from app.api.ingest import Reply
from app.api.intake import Intake
from app.api.wire.call import JSON, RETRY_AFTER, Call, value_of
from app.dedup.directory import Inlet
from app.incidents import changes
from app.sources.change import Change
from app.sources.event import Received, Unreadable
from app.sources.limits import text
from app.sources.pagerduty import read_change
from app.world import World

V2 = ("v2", "enqueue")
CHANGE = ("v2", "change", "enqueue")
V1 = ("generic", "2010-04-15", "create_event.json")
NAGIOS = ("nagios", "2010-04-15", "create_event")
_PATHS = frozenset({V2, CHANGE, V1, NAGIOS})

_KEYS = ("routing_key", "service_key", "CONTACTPAGER")
_KEY_IN_TEXT = re.compile(rb'"?(?:routing_key|service_key|CONTACTPAGER)"?\s*[:=]\s*"?([\w.~+/-]{1,200})')
"""Where the key stands in a body that is broken: so that it can be kept, and seen by the right people."""


class PagerDutyDoor:
    """events.pagerduty.com."""

    kind: ClassVar[str] = "pagerduty"

    def __init__(self, world: World, intake: Intake) -> None:
        self._world = world
        self._intake = intake

    def claims(self, path: Sequence[str]) -> bool:
        """See Door."""
        return tuple(path) in _PATHS

    async def answer(self, call: Call) -> Reply:
        """See Door."""
        if call.method != "POST":
            return self.failed(call, 405, "Events are sent by POST.")
        try:
            return await self._take(call)
        except Unreadable as error:
            return self.failed(call, 400, str(error))

    def failed(self, call: Call, status: int, sentence: str) -> Reply:
        """See Door."""
        if status >= 500:
            body = {"status": "error", "message": sentence, "errors": [sentence]}
        else:
            body = {"status": "invalid event", "message": "Event object is invalid", "errors": [sentence]}
        return Reply(status, body, (*JSON, (b"allow", b"POST")) if status == 405 else JSON)

    def busy(self, call: Call) -> Reply:
        """See Door."""
        status, said = (429, "throttle exceeded") if call.path in (V2, CHANGE) else (503, "retry later")
        sentence = "Nothing of this was stored. Please retry later."
        return Reply(status, {"status": said, "message": sentence, "errors": [sentence]}, (*JSON, RETRY_AFTER))

    async def _take(self, call: Call) -> Reply:
        value, broken = await value_of(call.body)
        inlet = await self._intake.inlet(self.kind, _key(call, value))
        if inlet is None:
            if broken is not None:
                raise broken
            return self.failed(call, 400, "Invalid routing key: no PagerDuty integration of this Tocsin has it.")
        if call.path == CHANGE:
            return await self._change(inlet, call)
        key = await self._event(inlet, call)
        if call.path == V2:
            return Reply(202, {"status": "success", "message": "Event processed", "dedup_key": key}, JSON)
        return Reply(200, {"status": "success", "message": "Event processed", "incident_key": key}, JSON)

    async def _event(self, inlet: Inlet, call: Call) -> str:
        """Commits it; answers its key, empty for what holds no event."""
        received = Received(call.body, call.content_type)
        found = await self._intake.accept(inlet, received)
        return found.prepared[0].event.key if found.prepared else ""

    async def _change(self, inlet: Inlet, call: Call) -> Reply:
        try:
            change: Change = read_change(call.body, self._world.clock.now())
        except Unreadable as error:
            await self._intake.keep(inlet, str(error), call.content_type, call.body, len(call.body))
            raise
        await self._world.store.write(changes.record, inlet.integration_id, inlet.service_id, change)
        return Reply(202, {"status": "success", "message": "Change event processed"}, JSON)


def _key(call: Call, value: Any) -> str:
    """The body's key; else that of the X-Routing-Key header, of the path, or of what looks like one in a broken body."""
    if type(value) is dict:
        for name in _KEYS:
            if key := text(value.get(name)).strip():
                return key
    if routed := call.headers.get(b"x-routing-key"):
        return routed.decode("latin-1").strip()
    found = _KEY_IN_TEXT.search(call.body) if value is None else None
    return found[1].decode() if found else call.key

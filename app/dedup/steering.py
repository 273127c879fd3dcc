"""What rules make of one event on its way in: another service, other labels, no page, or no alert at all.

The digest of what the sender said stays the sender's: a repeat is one whatever rules add. Knows no rule (app/routing).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import orjson

from app.clock import SECOND
from app.dedup.arrival import Prepared, shown_key
from app.dedup.directory import Inlet
from app.dedup.lifecycle import Change
from app.dedup.work import Work
from app.routing.matchers import facts_of
from app.routing.rulebook import Routed
from app.routing.tally import Dropped
from app.sources.event import Event, Severity
from app.sources.limits import links


def steer(work: Work, inlet: Inlet, item: Prepared) -> tuple[Inlet, Prepared, Routed | None]:
    """The event and its way in as rules leave them; the same when none of them matches."""
    event = item.event
    routed = work.view.rules.run(_facts(inlet, event))
    if routed is None:
        return inlet, item, None
    work.written.tally.matched(routed.hits)
    changed = event._replace(
        severity=cast(Severity, routed.facts["@severity"]),
        labels=routed.labels(),
        links=links(*event.links, *routed.links),
    )
    return _inlet(work, inlet, routed), item._replace(event=changed), routed


def _facts(inlet: Inlet, event: Event) -> dict[str, str]:
    return facts_of(
        event.labels,
        event.annotations,
        title=event.title,
        severity=event.severity,
        service=inlet.service_name,
        integration=inlet.name,
        kind=inlet.kind,
        key=event.key,
    )


def inhibit(work: Work, inlet: Inlet, item: Prepared, alert_id: int) -> None:
    """Notes what an alert stands for, as the source of rules of inhibition."""
    for side in work.view.inhibitions.as_source(_facts(inlet, item.event)):
        work.inhibitors.append({"digest": side.digest, "alert_id": alert_id, "mutual": int(side.mutual)})


def _inlet(work: Work, inlet: Inlet, routed: Routed) -> Inlet:
    chosen = work.view.services.get(routed.service_id) if routed.service_id is not None else None
    if chosen is not None:
        inlet = replace(
            chosen,
            integration_id=inlet.integration_id,
            name=inlet.name,
            kind=inlet.kind,
            settings=inlet.settings,
            made_at=inlet.made_at,
        )
    return inlet if routed.impact is None else replace(inlet, impact=routed.impact)


def drop(work: Work, inlet: Inlet, item: Prepared, routed: Routed) -> Change:
    """Counts an event that is not kept, and keeps it to be shown."""
    event = item.event
    work.written.tally.drop(
        Dropped(
            rule_id=routed.hits[-1],
            integration_id=inlet.integration_id,
            at=work.now,
            dedup_key=shown_key(event.key, item.key_digest),
            title=event.title,
            severity=event.severity,
            labels=orjson.dumps(event.labels).decode(),
            reason=routed.reason,
        )
    )
    return Change("nothing", "dropped", "; ".join(routed.said))


def routing(work: Work, alert_id: int, routed: Routed) -> dict[str, Any]:
    """The row that says what rules did to an alert."""
    return {
        "alert_id": alert_id,
        "said": orjson.dumps(routed.said).decode(),
        "hold_until": work.now + routed.hold_s * SECOND if routed.hold_s else None,
    }

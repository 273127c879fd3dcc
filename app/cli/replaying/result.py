"""What came of a replay, as one document: which incident each alert went to and why, and who would have been paged when."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from typing import Any

from sqlalchemy import select

from app.clock import SECOND, Micros
from app.dedup.tables import alerts
from app.incidents.tables import incidents
from app.paging.tables import pages
from app.store.database import Reading

Named = Mapping[str, tuple[bytes, Micros]]
"""What a sender calls an episode -> its dedup key's digest, and when it was first heard of."""


async def document(view: Reading, named: Named, base: Micros) -> dict[str, Any]:
    """The result; times are seconds of the stream."""
    numbers, homes = await _incidents(view)
    found: dict[bytes, list[tuple[Micros, int | None, str, str]]] = {}
    question = select(
        alerts.c.key_digest, alerts.c.first_seen_at, alerts.c.incident_id, alerts.c.reason, alerts.c.because
    ).order_by(alerts.c.id)
    for digest, at, incident_id, reason, because in await view.conn.execute(question):
        found.setdefault(bytes(digest), []).append((at, incident_id, reason, because))
    went: dict[str, str] = {}
    why: dict[str, dict[str, str]] = {}
    for name, (digest, at) in named.items():
        episodes = found.get(digest, [])
        if not episodes:
            continue
        _, incident_id, reason, because = episodes[max(0, bisect_right([one[0] for one in episodes], at) - 1)]
        why[name] = {"reason": reason, "because": because}
        if incident_id is not None:
            went[name] = f"#{numbers[homes[incident_id]]}"
    urgent: list[dict[str, Any]] = []
    mild: list[dict[str, Any]] = []
    for at, is_urgent, told in await _calls(view):
        names = [f"#{numbers[one]}" for one in dict.fromkeys(homes[one] for one in told)]
        about = {"incident": names[0]} if len(names) == 1 else {"incidents": names}
        (urgent if is_urgent else mild).append({**about, "at": round((at - base) / SECOND, 3)})
    return {"alert_to_incident": went, "pages": urgent, "low_pages": mild, "reasons": why}


async def _calls(view: Reading) -> list[tuple[Micros, bool, list[int]]]:
    """Each message that went out: when, whether it was urgent, about which incidents; in a bundle the gravest first."""
    question = (
        select(pages.c.done_at, pages.c.bundle_id, pages.c.id, pages.c.incident_id, pages.c.urgency)
        .join(incidents, incidents.c.id == pages.c.incident_id)
        .where(pages.c.state == "sent")
        .order_by(pages.c.done_at, incidents.c.priority, pages.c.id)
    )
    calls: dict[int, tuple[Micros, bool, list[int]]] = {}
    for at, bundle_id, page_id, incident_id, urgency in await view.conn.execute(question):
        before = calls.get(bundle_id or page_id, (at, False, []))
        calls[bundle_id or page_id] = (before[0], before[1] or urgency != "low", [*before[2], incident_id])
    return list(calls.values())


async def _incidents(view: Reading) -> tuple[dict[int, int], dict[int, int]]:
    """Numbers by id, and in which incident each lives on."""
    rows = (await view.conn.execute(select(incidents.c.id, incidents.c.number, incidents.c.merged_into))).all()
    into = {row.id: row.merged_into for row in rows}
    homes = {}
    for row in rows:
        home = row.id
        while into[home]:
            home = into[home]
        homes[row.id] = home
    return {row.id: row.number for row in rows}, homes

"""The deed of expiry: alerts that their sender stopped repeating end, with their incidents. A job that re-arms itself."""

from __future__ import annotations

from sqlalchemy import select, text

from app.dedup import episodes
from app.dedup.directory import Directory, Inlet
from app.dedup.ingest import EXPIRY_GRACE
from app.dedup.placing import recovered
from app.dedup.tables import alerts
from app.incidents import ledger
from app.routing.inhibitors import no_longer_inhibits
from app.store import jobs
from app.store.database import Writing

BATCH = 500
_WAITING = text("resolved_at IS NULL AND expires_at IS NOT NULL")


async def expire(tx: Writing, directory: Directory, job: jobs.Job) -> int:
    """Ends alerts whose expiry has passed, and asks to be called again for the next one; answers how many ended."""
    view = await directory.refresh(tx)
    due = (
        await tx.conn.execute(
            select(alerts.c.id, alerts.c.incident_id, alerts.c.integration_id, alerts.c.expires_at)
            .where(_WAITING, alerts.c.expires_at <= tx.now - EXPIRY_GRACE)
            .order_by(alerts.c.expires_at)
            .limit(BATCH)
            .with_for_update()
        )
    ).all()
    await episodes.resolve_alerts(
        tx,
        [{"id": row.id, "resolved_at": tx.now, "resolved_by": "expiry", "ended_at": None} for row in due],
    )
    if view.inhibitions:
        await no_longer_inhibits(tx, [row.id for row in due])
    loaded = await ledger.load(tx, (row.incident_id for row in due if row.incident_id), lock=True)
    for row in due:
        if incident := loaded.get(row.incident_id or 0):
            # Its own service says so, wherever the alert came in.
            says: Inlet | None = view.services.get(incident.service_id or 0) or view.by_id.get(row.integration_id)
            auto_resolve = says.auto_resolve if says else True
            await ledger.record(tx, recovered(incident, "expiry", tx.now, auto_resolve=auto_resolve))
    await ledger.save(tx, list(loaded.values()))
    upcoming = (
        await tx.conn.execute(select(alerts.c.expires_at).where(_WAITING).order_by(alerts.c.expires_at).limit(1))
    ).scalar()
    if upcoming is None:
        await jobs.finish(tx, job)
    else:
        await jobs.put_back(tx, job, max(tx.now, upcoming + EXPIRY_GRACE))
    return len(due)

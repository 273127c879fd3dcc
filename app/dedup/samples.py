"""Messages kept for people to look at: the newest of each integration that asks for it, at most one a minute."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import delete, insert, select

from app.clock import MINUTE, Micros
from app.dedup.arrival import Arrival
from app.dedup.directory import Inlet
from app.dedup.tables import samples
from app.store.database import Writing

EVERY: Micros = MINUTE


class Sampler:
    """When one process last kept a message of each integration: a storm costs one a minute."""

    def __init__(self) -> None:
        self._kept_at: dict[int, Micros] = {}

    def due(self, inlet: Inlet, now: Micros) -> bool:
        """Whether a message that comes now is to be kept; if so, the next one is not for a while."""
        if not inlet.settings.samples or now - self._kept_at.get(inlet.integration_id, 0) < EVERY:
            return False
        self._kept_at[inlet.integration_id] = now
        return True


async def keep_samples(tx: Writing, arrivals: Sequence[Arrival]) -> None:
    """Writes the samples among these, and takes away what is more than each integration keeps."""
    for arrival in arrivals:
        if arrival.sample is None:
            continue
        integration_id = arrival.inlet.integration_id
        await tx.conn.execute(
            insert(samples).values(
                id=tx.new_id(),
                integration_id=integration_id,
                received_at=tx.now,
                content_type=arrival.sample.content_type,
                body=arrival.sample.body,
                size=arrival.sample.size,
                events=len(arrival.prepared),
            )
        )
        mine = samples.c.integration_id == integration_id
        older = select(samples.c.id).where(mine).order_by(samples.c.id.desc()).offset(arrival.inlet.settings.samples)
        stale = (await tx.conn.execute(older.limit(1_000))).scalars().all()
        if stale:
            await tx.conn.execute(delete(samples).where(samples.c.id.in_(stale)))

"""Signed deliveries that were taken before. Written in the transaction that takes one: what was not committed is not known."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import delete, insert, select

from app.clock import DAY, Micros
from app.dedup.arrival import Arrival
from app.dedup.tables import proofs
from app.store.database import Reading, Writing

KEPT: Micros = 30 * DAY
"""Longer than any signature with a time is believed; for those without one, how long a replay is recognized."""


async def taken_before(view: Reading, digest: bytes) -> bool:
    """Whether this delivery was taken."""
    return (await view.conn.execute(select(proofs.c.digest).where(proofs.c.digest == digest))).first() is not None


async def keep_proofs(tx: Writing, arrivals: Sequence[Arrival]) -> None:
    """Remembers what is taken with this transaction, and forgets what is too old."""
    digests = {arrival.proof for arrival in arrivals if arrival.proof}
    if not digests:
        return
    await tx.conn.execute(delete(proofs).where(proofs.c.expires_at <= tx.now))
    question = select(proofs.c.digest).where(proofs.c.digest.in_(sorted(digests)))
    known = {bytes(digest) for digest in (await tx.conn.execute(question)).scalars()}
    if new := sorted(digests - known):
        await tx.conn.execute(insert(proofs), [{"digest": digest, "expires_at": tx.now + KEPT} for digest in new])

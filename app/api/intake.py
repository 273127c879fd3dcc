"""What every way in for senders shares: whose key, reading within limits, committing, and keeping what nobody could read.

A way in (ingest.py, and the foreign APIs of wire/) asks `inlet`, then `take`, and says the outcome in its sender's own
words. `take` returns only what is committed. Must never choose an answer.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import structlog

from app.api.certificates import Certificates
from app.clock import Micros
from app.dedup import arrival
from app.dedup.arrival import Arrival, Sample
from app.dedup.committer import Overloaded
from app.dedup.directory import Inlet
from app.dedup.episodes import last_episodes
from app.dedup.proofs import taken_before
from app.dedup.samples import Sampler
from app.ids import first_id
from app.sources.event import Received, Unreadable
from app.sources.made import MADE, MADE_FOR
from app.sources.redaction import redacted
from app.sources.source import Certified, Source
from app.store.database import Reading
from app.store.errors import StoreError, Unavailable
from app.world import World

log = structlog.get_logger(__name__)

IN_THREAD_BYTES = 1024 * 1024
"""A larger body is read in a thread: others are answered meanwhile."""

EVENTS_A_SECOND = 500
"""So much longer than `answer_within_s` the commit of a large message may take.

A sender is told to come again when the database has not answered by then: many senders give up after five or ten seconds,
and a connection that has gone silent is noticed only after fifteen. What was being written may still be committed; sent
again, it is a repeat.
"""


class Unprocessed(Exception):
    """Our own code could not write it: it was kept as it came, and a person is told. `found` is what it said."""

    def __init__(self, found: Arrival) -> None:
        super().__init__("could not be written")
        self.found = found


class Replayed(Exception):
    """A signed delivery that was taken before came again: it is kept to be seen, and nothing is done."""

    SENTENCE = "A replay: this very message, with this signature, was taken before."


class Intake:
    """From a request whose body is there to a commit."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._certificates = Certificates(world.outbound)
        self._sampler = Sampler()
        self._certified = frozenset(kind for kind, source in world.sources.items() if isinstance(source, Certified))

    async def inlet(self, kind: str, key: str) -> Inlet | None:
        """The integration of this kind that the key opens; None for none. Raises StoreError.

        It is noted as heard, unless only one alert of it is a sign of life (see `commit`).
        """
        found = self._world.directory.remembered(kind, key) or await self._look_up(kind, key)
        if found is not None and not found.expects:
            self._world.heard.note(found.integration_id, self._world.clock.now())
        return found

    async def _look_up(self, kind: str, key: str) -> Inlet | None:
        limit_s = self._world.settings.answer_within_s
        try:
            async with asyncio.timeout(limit_s):
                return await self._world.directory.inlet(kind, key) if key else None
        except TimeoutError as error:
            raise Unavailable(f"the database has not answered within {limit_s:g} s") from error

    async def read(self, inlet: Inlet, received: Received) -> Arrival:
        """The events of a request, digested; of one that is not readable at all, kept first. Raises Unreadable and as `keep`."""
        now = self._world.clock.now()
        try:
            found = await self._read(inlet, received, now)
            if not _is_made(found):
                return found
            # A retry that met the turn of the minute: the same message, made of the minute before.
            earlier = await self._read(inlet, received, now - MADE_FOR)
            return earlier if await self._world.store.read(_began_since, earlier, now - MADE_FOR) else found
        except Unreadable as error:
            await self.keep(inlet, str(error), received.content_type, received.body, len(received.body))
            raise

    async def _read(self, inlet: Inlet, received: Received, now: Micros) -> Arrival:
        source: Source[Any] = self._world.sources[inlet.kind]
        if inlet.kind in self._certified:
            received = await self._with_certificate(source, inlet, received)
        if len(received.body) > IN_THREAD_BYTES:
            return await asyncio.to_thread(arrival.read, source, inlet, received, now)
        return arrival.read(source, inlet, received, now)

    async def _with_certificate(self, source: Any, inlet: Inlet, received: Received) -> Received:
        url = source.certificate(received, inlet.settings)
        return replace(received, certificate=await self._certificates.at(url)) if url else received

    async def commit(self, found: Arrival, received: Received) -> None:
        """Returns once it is on disk. Raises Unprocessed, Overloaded, StoreError."""
        try:
            await self._commit(found)
        except (Overloaded, StoreError):
            raise
        except Exception as error:
            log.exception("ingest_kept_unprocessed", integration=found.inlet.name)
            reason = f"It could not be processed ({type(error).__name__}); this is a fault of Tocsin."
            await self.keep(found.inlet, reason, received.content_type, received.body, len(received.body))
            raise Unprocessed(found) from error
        if found.inlet.expects and arrival.shows_life(found.inlet, found.prepared):
            self._world.heard.note(found.inlet.integration_id, self._world.clock.now())

    async def take(self, inlet: Inlet, received: Received) -> Arrival:
        """Reads and commits. Raises Replayed, Unobtainable, and as `read` and `commit`."""
        found = await self.read(inlet, received)
        if found.proof:
            await self._refuse_replay(found, received)
        if found.confirm:
            await self._certificates.confirm(found.confirm)
        if self._sampler.due(inlet, self._world.clock.now()):
            sample = Sample(received.content_type, redacted(received.body), len(received.body))
            found = replace(found, sample=sample)
        await self.commit(found, received)
        return found

    async def accept(self, inlet: Inlet, received: Received) -> Arrival:
        """As `take`, for senders to whom what was kept is as good as done."""
        try:
            return await self.take(inlet, received)
        except Unprocessed as kept:
            return kept.found

    async def _refuse_replay(self, found: Arrival, received: Received) -> None:
        if await self._world.store.read(taken_before, found.proof):
            kept = arrival.refused(found.inlet, Replayed.SENTENCE, received.content_type, received.body)
            await self._commit(kept)
            raise Replayed

    async def keep(self, inlet: Inlet, reason: str, content_type: str, body: bytes, size: int) -> None:
        """Stores what could not be read, and makes it seen: one coarse alert a key and hour. Raises Overloaded, StoreError."""
        now = self._world.clock.now()
        await self._commit(arrival.unread(inlet, reason, content_type, body, size, now))

    async def _commit(self, found: Arrival) -> None:
        within_s = self._world.settings.answer_within_s + len(found.prepared) / EVENTS_A_SECOND
        await self._world.committer.commit(found, within_s)


def _is_made(found: Arrival) -> bool:
    return len(found.prepared) == 1 and found.prepared[0].event.key.startswith(MADE)


async def _began_since(view: Reading, found: Arrival, since: Micros) -> bool:
    digest = found.prepared[0].key_digest
    known = (await last_episodes(view, [digest])).get(digest)
    return known is not None and known.id >= first_id(since)

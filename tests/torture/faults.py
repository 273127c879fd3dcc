"""The faults. Each runs a storm through real servers, breaks something as often as it is asked to, and hands in the account.

A fault is done to processes, sockets and disks, never to the code. What must hold is in the account (tests/harness/storm.py);
what is special about one fault is asserted in it.
"""

from __future__ import annotations

import asyncio
import random
import resource
import shutil
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from app.clock import SystemClock
from app.ids import ProcessIds
from app.store.database import Store
from app.store.migrate import migrate
from app.store.opening import open_store
from tests.harness.machine import INSIDE as IN_ROOM
from tests.harness.machine import OUTSIDE, STORE, fill, require_root, room, small_disk
from tests.harness.postgres import Cluster, cluster
from tests.harness.process import Served, served
from tests.harness.providers import Answering, FakeProvider, provider
from tests.harness.silence import relay
from tests.harness.storm import Account, Storm, account, quiet, seed

LEASE_S = 15
"""The shortest that can be set."""
SLACK_S = 10.0
"""What a busy machine may add."""
ANSWERED_WITHIN_S = 5.0 + SLACK_S / 4
"""A sender is answered by then, with 503 where the database says nothing: five seconds, and what a busy machine adds."""


class Broken(AssertionError):
    """A promise was not kept."""


@dataclass(frozen=True)
class Place:
    """Where a fault is tried out."""

    url: str
    folder: Path
    cluster: Cluster | None = None
    """The PostgreSQL server of `url`, where it is the fault's own."""

    @property
    def server(self) -> Cluster:
        """The PostgreSQL server, to be broken."""
        assert self.cluster is not None, "this fault is one of PostgreSQL"
        return self.cluster


@dataclass
class Scene:
    """A seeded database, a phone, and a storm that blows."""

    store: Store
    phone: FakeProvider
    storm: Storm
    place: Place

    @asynccontextmanager
    async def server(self, url: str | None = None, **settings: str) -> AsyncIterator[Served]:
        """A replica; senders are sent to it."""
        async with served(url or self.place.url, self.place.folder, lease_s=str(LEASE_S), **settings) as running:
            self.storm.url = running.url
            yield running

    async def end(self) -> Account:
        """When nothing waits any more: what came of it. Raises Broken."""
        await quiet(self.store)
        found = await account(self.store, self.phone, self.storm)
        if not found.kept:
            raise Broken(str(found))
        return found


@asynccontextmanager
async def scene(
    place: Place, *, rate: float = 50, slow_s: float = 0.0, host: str = "127.0.0.1"
) -> AsyncIterator[Scene]:
    """A storm, for the length of the block. `slow_s`: how long the phone takes to answer."""
    store = open_store(place.url, SystemClock(), ProcessIds())
    try:
        await migrate(store)
        async with provider(Answering(200, b"{}", slow_s=slow_s), host=host) as phone:
            await store.write(seed, phone.url("/ana", host))
            yield Scene(store, phone, Storm(rate), place)
    finally:
        await store.close()


async def kill(place: Place, times: int) -> Account:
    """Kill -9 at any instant, again and again (T02)."""
    chance = random.Random(20_261_121)
    async with scene(place) as on:
        async with on.storm.blowing():
            for _ in range(times):
                async with on.server() as server:
                    await asyncio.sleep(chance.uniform(0.05, 0.5))
                    await on.storm.more()
                    await server.kill()
        async with on.server() as server:
            found = await on.end()
            await _ends_well(server)
        return found


async def crash_postgres(place: Place, times: int) -> Account:
    """PostgreSQL is shut down at once and started again, under a server that stays (T05)."""
    async with scene(place) as on, on.server() as server:
        async with on.storm.blowing():
            for _ in range(times):
                await on.storm.more(20)
                place.server.crash()
                await asyncio.sleep(0.3)
                await asyncio.to_thread(place.server.start)
            await on.storm.more(20)
        found = await on.end()
        await _ends_well(server)
        return found


async def freeze(place: Place, times: int, for_s: float = LEASE_S + 2) -> Account:
    """SIGSTOP of one of two replicas, with pages on their way (T04): the other has them when the lease ends."""
    async with scene(place, slow_s=0.2, rate=10) as on, on.server() as frozen, on.server() as other:
        async with on.storm.blowing():
            for _ in range(times):
                await on.storm.more(20)
                frozen.freeze()
                try:
                    await asyncio.sleep(for_s)
                finally:
                    frozen.thaw()
            await on.storm.more(20)
            stood_s = await frozen.metric("tocsin_loop_lag_seconds")
        found = await on.end()
        await _ends_well(frozen)
        await _ends_well(other)
    if stood_s < for_s - 1:
        raise Broken(f"a replica that stood still for {for_s:.1f} s says that it was {stood_s:.1f} s")
    return _in_time(found)


async def replace(place: Place, times: int) -> Account:
    """One replica after the other is ended and begun anew, as an upgrade does (T26): no page is cut off, nothing comes twice."""
    async with scene(place, slow_s=0.2) as on:
        running = on.server()
        old = await running.__aenter__()
        async with on.storm.blowing():
            for _ in range(times):
                await on.storm.more(20)
                after = on.server()
                new = await after.__aenter__()
                # As a load balancer does: senders are led away first, and those that were there get their answer.
                await on.storm.more(20)
                await _ends_well(old)
                await running.__aexit__(None, None, None)
                running, old = after, new
        found = await on.end()
        await _ends_well(old)
        await running.__aexit__(None, None, None)
    if found.extra or found.unknown:
        raise Broken(f"an orderly change of replicas doubles nothing: {found}")
    return found


async def silence(place: Place, times: int, for_s: float = 8.0) -> Account:
    """Between one of two replicas and PostgreSQL nothing comes through, and nobody is told (T07). By a relay, as any user."""
    async with scene(place, rate=10) as on, relay(place.server.socket) as line:
        cut_off = _over(place.url, line.host, line.port)
        return await _silenced(on, on.server(cut_off), line.silence, line.heal, times, for_s)


async def silence_in_a_room(place: Place, times: int, for_s: float = 30.0) -> Account:
    """The same, where the kernel itself loses the packets: in a network namespace. Needs root."""
    allow = {"outbound_allow": f"127.0.0.1/32,{OUTSIDE}/32"}
    with room() as space:
        async with scene(place, rate=10, host=OUTSIDE) as on, relay(place.server.socket, STORE) as line:
            cut_off = _over(place.url, line.host, line.port)
            inside = served(cut_off, place.folder, inside=space.inside, host=IN_ROOM, lease_s=str(LEASE_S), **allow)
            return await _silenced(on, inside, space.silence, space.heal, times, for_s, allow)


def _over(url: str, host: str, port: int) -> str:
    """The address of the same database by another way."""
    return url.partition("?")[0].replace("@/", f"@{host}:{port}/")


async def _silenced(
    on: Scene,
    behind: object,
    silence: Callable[[], None],
    heal: Callable[[], None],
    times: int,
    for_s: float,
    settings: dict[str, str] | None = None,
) -> Account:
    async with on.server(**(settings or {})) as other, behind as cut_off:  # type: ignore[attr-defined] # of a Served
        async with on.storm.blowing():
            for _ in range(times):
                on.storm.url = cut_off.url
                await on.storm.more(40)
                silence()
                await asyncio.sleep(for_s / 2)
                on.storm.url = other.url
                await asyncio.sleep(for_s / 2)
                heal()
            on.storm.url = cut_off.url
            await on.storm.more(20)
        found = await on.end()
        await _ends_well(cut_off)
        await _ends_well(other)
    if found.slowest_s > ANSWERED_WITHIN_S:
        raise Broken(f"a sender waited {found.slowest_s:.1f} s for its answer")
    return _in_time(found)


async def disk_full(place: Place, times: int) -> Account:
    """The disk that the database is on is full, and then it is not any more (T11). Needs root: a file system of its own."""
    require_root("a disk that can be filled")
    with small_disk(place.folder / "disk", 64) as disk:
        there = Place(f"sqlite:///{disk}/tocsin.db", place.folder)
        return await _refused(there, times, lambda _: _filled(disk))


async def disk_full_of_postgres(place: Place, times: int) -> Account:
    """The disk of PostgreSQL is full, and then it is not any more (T11). Needs root; a server that gave up is started again."""
    require_root("a disk that can be filled")
    folder = Path(tempfile.mkdtemp(prefix="tocsin-disk-", dir="/tmp"))
    folder.chmod(0o755)
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        disk = stack.enter_context(small_disk(folder / "disk", 384))
        server = await asyncio.to_thread(stack.enter_context, cluster("fsync=on", "max_wal_size=64MB", disk=disk))
        there = Place(await asyncio.to_thread(server.fresh), place.folder, server)
        return await _refused(there, times, lambda _: _filled(disk, server))


@contextmanager
def _filled(disk: Path, server: Cluster | None = None) -> Iterator[None]:
    ballast = fill(disk)
    try:
        yield
    finally:
        ballast.unlink()
    if server is not None and server.ended:
        server.start()


async def no_more_bytes(place: Place, times: int) -> Account:
    """Every write that makes a file longer fails, and then it does not any more (T11). By the process's limits, as any user."""
    return await _refused(place, times, _limited)


@contextmanager
def _limited(server: Served) -> Iterator[None]:
    before = resource.prlimit(server.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (0, before[1]))
    yield
    resource.prlimit(server.pid, resource.RLIMIT_FSIZE, before)


async def _refused(place: Place, times: int, trouble: Callable[[Served], AbstractContextManager[None]]) -> Account:
    """While there is trouble senders are told to come again; when it is over all goes on."""
    async with scene(place) as on, on.server() as server:
        async with on.storm.blowing():
            for _ in range(times):
                await on.storm.more(20)
                with trouble(server):
                    await _until_refused(on.storm)
                await on.storm.more(20)
        found = await on.end()
        await _ends_well(server)
        return found


def _in_time(found: Account) -> Account:
    if found.latest_s > LEASE_S + SLACK_S:
        raise Broken(f"a page came {found.latest_s:.1f} s late; the lease is {LEASE_S} s: {found}")
    return found


async def _until_refused(storm: Storm, many: int = 20) -> None:
    """The fault is felt: so many were told to come again."""
    wanted = storm.statuses[503] + many
    async with asyncio.timeout(60):
        while storm.statuses[503] < wanted:
            await asyncio.sleep(0.05)


async def _ends_well(server: Served) -> None:
    status = await server.stop()
    if status != 0:
        raise Broken(f"the server ended with {status}:\n{server.log.read_text()[-2_000:]}")


Fault = Callable[[Place, int], Awaitable[Account]]

ON_SQLITE: dict[str, Fault] = {"kill": kill, "disk_full": disk_full, "no_more_bytes": no_more_bytes}
ON_POSTGRESQL: dict[str, Fault] = {
    "kill": kill,
    "crash_postgres": crash_postgres,
    "freeze": freeze,
    "replace": replace,
    "silence": silence,
    "silence_in_a_room": silence_in_a_room,
    "disk_full": disk_full_of_postgres,
}

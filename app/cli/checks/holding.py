"""Whether anybody is paged at all, whether senders that should be heard are, and whether an outside watch is set up."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from sqlalchemy import select

from app.cli.checks.finding import Finding, ok, warn, wrong
from app.clock import Micros
from app.notifiers.text import one_line
from app.routing.quieting import read_book
from app.store.database import Reading
from app.store.tables import resources
from app.watch.health import said_of
from app.watch.hold import Hold, hold_of
from app.watch.tables import pulses

SHOWN: Final = 5


@dataclass(frozen=True, slots=True)
class Facts:
    """What the rows say."""

    now: Micros
    hold: Hold | None
    down: tuple[str, ...]
    """Names of senders that are silent, or have reported a failure."""
    silenced: tuple[str, ...] = ()
    """Silences over everything that are on."""


async def gather(view: Reading) -> Facts:
    """Asks the rows."""
    question = (
        select(resources.c.name)
        .join(pulses, pulses.c.resource_id == resources.c.id)
        .where(pulses.c.state == "down", resources.c.deleted_at.is_(None))
        .order_by(resources.c.name)
    )
    down = tuple((await view.conn.execute(question)).scalars())
    everything = (await read_book(view)).over_everything(view.now)
    return Facts(view.now, await hold_of(view), down, tuple(one.says(one.window.ends_at) for one in everything))


def judge(facts: Facts, *, heartbeat_url: bool) -> Iterator[Finding]:
    """Hold, silent senders, the outside watch. Pure."""
    if facts.hold is not None:
        yield wrong("paging", said_of(facts.hold, facts.now), "tocsin paging release")
    elif facts.silenced:
        yield wrong("paging", f"everything is silenced: {one_line(facts.silenced[0])}", "end the silence")
    else:
        yield ok("paging", "it is on")
    if facts.down:
        names = ", ".join(one_line(name) for name in facts.down[:SHOWN])
        yield warn("heartbeats", f"{len(facts.down)} senders are silent or have failed: {names}", "look at them")
    if heartbeat_url:
        yield ok("outside watch", "it is called each minute while all is well")
    else:
        does = "set TOCSIN_HEARTBEAT_URL to a check of another service that pages you when it is not called"
        yield warn("outside watch", "nobody outside notices when Tocsin is gone", does)

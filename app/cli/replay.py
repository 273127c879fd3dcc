"""`tocsin replay`: a recorded or generated stream of alerts through the real pipeline, on a virtual clock."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import click

from app.cli.trouble import Trouble

if TYPE_CHECKING:
    from app.clock import Micros
    from app.incidents.service import FirstPage


SHM = Path("/dev/shm")  # noqa: S108 - the folder itself is made by tempfile
ROOM = 2 << 30


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--out", metavar="FILE", type=click.File("wb"), default="-", help="Where to write the result.")
@click.option("--base", metavar="INSTANT", help="When second 0 of the stream was. Left out: read from its messages.")
@click.option("--hold-alone", metavar="S", type=click.IntRange(0, 600), default=0, help="Wait, while one thing failed.")
@click.option("--hold-confirmed", metavar="S", type=click.IntRange(0, 600), default=0, help="Wait, once two have.")
@click.option("--hold-learned", is_flag=True, help="Wait longer for checks whose incidents mostly ended by themselves.")
@click.option("--graph", metavar="FILE", type=click.File("rb"), help="A declared service graph, as for the API.")
@click.option("--with", "tried", metavar="FILE", type=click.File("rb"), help="Rules to try, a list as for the API.")
def replay(
    file: Path,
    out: IO[bytes],
    base: str | None,
    hold_alone: int,
    hold_confirmed: int,
    hold_learned: bool,
    graph: IO[bytes] | None,
    tried: IO[bytes] | None,
) -> None:
    """Which incident would each alert of FILE have gone to, and who would have been paged when?

    FILE has one message a line: {"at": seconds, "source": kind, "integration": name, "payload": body}. It goes through
    ingest, correlation, escalation and delivery on a database of its own; nobody is told anything.
    """
    import asyncio
    import tempfile

    import orjson
    from pydantic import ValidationError

    from app import logs
    from app.cli.oncall import read_at
    from app.cli.replaying import given
    from app.incidents.service import FirstPage, Hold

    try:
        first_page = FirstPage(high=Hold(alone_s=hold_alone, confirmed_s=hold_confirmed, learned=hold_learned))
    except ValidationError as error:
        raise Trouble(error.errors()[0]["msg"].removeprefix("Value error, ")) from None
    logs.set_up("auto", "warning", sys.stderr)
    documents = [("graph", given.graph(graph.read()))] if graph else []
    documents += [("rule", one) for one in given.rules(tried.read())] if tried else []
    with tempfile.TemporaryDirectory(prefix="tocsin-replay-", dir=_memory(), ignore_cleanup_errors=True) as folder:
        found = asyncio.run(_replayed(file, Path(folder), read_at(base), first_page, documents))
    out.write(orjson.dumps(found, option=orjson.OPT_INDENT_2))
    out.write(b"\n")
    said = found["figures"]
    click.echo(
        f"{said['messages']} messages, {said['incidents']} incidents, {len(found['pages'])} pages, "
        f"{len(found['low_pages'])} of low urgency; {said['seconds']:.0f} s of alerts in {said['took_s']:.1f} s",
        err=True,
    )


def _memory() -> str | None:
    """A folder in memory with room for a database that is thrown away; None where there is none."""
    import shutil

    roomy = SHM.is_dir() and os.access(SHM, os.W_OK) and shutil.disk_usage(SHM).free > ROOM
    return str(SHM) if roomy else None


async def _replayed(
    file: Path, folder: Path, asked: Micros | None, first_page: FirstPage, documents: list[tuple[str, dict[str, Any]]]
) -> dict[str, Any]:
    from app.cli.replaying import result
    from app.cli.replaying.stage import stage
    from app.cli.replaying.stream import began_at, name_of, posts
    from app.clock import HOUR, SECOND, SystemClock
    from app.sources import registry

    steady = SystemClock()
    began_s = steady.monotonic()
    sources = registry.installed()
    base = began_at(file, sources) if asked is None else asked
    named: dict[str, tuple[bytes, int]] = {}
    many, last = 0, 0
    async with stage(folder, base, first_page, documents) as theatre:
        for post in posts(file):
            if post.source not in sources:
                raise Trouble(f"message {many + 1}: there is no source {post.source!r}; there are {', '.join(sources)}")
            last = base + int(post.at_s * SECOND)
            await theatre.passes_to(last)
            said = await theatre.posts(post.source, post.integration, post.body)
            many += 1
            for item in said.prepared:
                if item.event.status == "firing" and (name := name_of(item.event)):
                    named.setdefault(name, (item.key_digest, last))
        # What was held, or came back, at the end of the stream still pages.
        await theatre.passes_to(last + HOUR)
        found = await theatre.world.store.read(result.document, named, base)
    incidents = len(set(found["alert_to_incident"].values()))
    took_s = steady.monotonic() - began_s
    found["figures"] = {"messages": many, "incidents": incidents, "seconds": (last - base) / SECOND, "took_s": took_s}
    return found

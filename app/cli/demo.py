"""`tocsin demo`: the main job, shown in a terminal. A real server, real messages, a page, and somebody who answers it."""

from __future__ import annotations

import contextlib
import signal
import sys
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from app.cli.demonstration.stage import Stage


@click.command()
@click.option("--once", is_flag=True, help="Acknowledge by itself and end, instead of waiting for you.")
def demo(*, once: bool) -> None:
    """Start a server, send it alerts, page you here. Nothing is left behind.

    It runs on a free port of this machine and on a database in a temporary folder; your settings are not used.
    """
    from app.cli.demonstration.stage import Stage

    # SIGINT too: whoever was begun in the background by a script inherits that it is ignored.
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), _interrupt)
    stage = Stage(pauses=not once)
    with contextlib.suppress(KeyboardInterrupt):  # enough seen
        _show(stage, once=once)
    stage.space()
    stage.say("The demo has ended. Its server is stopped and its folder is gone.")
    sys.exit(0)


def _interrupt(_: int, __: Any) -> None:
    """A closed terminal is a way to end the demo too, and it leaves nothing behind either."""
    raise KeyboardInterrupt


def _show(stage: Stage, *, once: bool) -> None:
    import tempfile
    from pathlib import Path

    from app.cli.demonstration import running
    from app.cli.demonstration.story import Story
    from app.clock import SystemClock

    clock = SystemClock()
    stage.space()
    stage.say("Tocsin demo: a real server, on a database that is thrown away at the end.", "bold")
    with tempfile.TemporaryDirectory(prefix="tocsin-demo-", ignore_cleanup_errors=True) as folder:
        began_s = clock.monotonic()
        with running.server(Path(folder), clock) as server:
            took_s = clock.monotonic() - began_s
            stage.say(f"{server.address} is ready after {took_s:.1f} s. Its log is {folder}/{running.LOG}")
            story = Story(stage, server, clock)
            story.set_up()
            pages = story.raise_alerts()
            if once:
                story.answer(pages)
            else:
                story.follow()

"""`tocsin serve`: the server, in the foreground, until it is told to stop."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from app.cli.trouble import Trouble

if TYPE_CHECKING:
    import socket

    from app.settings import Settings


@click.command()
@click.option("--host", help="Address to listen on, instead of TOCSIN_HOST.")
@click.option(
    "--port", type=click.IntRange(0, 65_535), help="Port to listen on, instead of TOCSIN_PORT; 0: a free one."
)
def serve(host: str | None, port: int | None) -> None:
    """Start the server. Pages on the console go to standard output, logs to standard error.

    SIGTERM or Ctrl-C stops it: what was begun is finished, and the exit status is 0.
    """
    from app.cli.environment import read_settings

    run(read_settings(host=host, port=port))


def run(settings: Settings) -> None:
    """Serves until stopped. Raises Trouble when it can't start."""
    _on_stop(lambda: None)
    import asyncio
    import gc
    import sys

    # What is loaded stays: a quarter of the start went to looking for what of it could be thrown away.
    gc.disable()

    from app import logs, server
    from app.cli.storage import database_trouble

    bound, mail = listening(settings), listening_for_mail(settings)
    logs.set_up(settings.log_format, settings.log_level, sys.stderr)
    _on_stop(lambda: bound)
    with database_trouble(settings), asyncio.Runner(loop_factory=_quick_loop()) as runner:
        runner.run(server.serve(settings, bound=bound, mail=mail))


def listening(settings: Settings) -> socket.socket:
    """The socket to serve on. Raises Trouble when the address can't be had."""
    import errno

    from app import server

    where = f"{settings.host}:{settings.port}"
    try:
        return server.listen(settings)
    except OSError as error:
        why = {
            errno.EADDRINUSE: "another program listens there; stop it, or choose another with --port or TOCSIN_PORT",
            errno.EACCES: "this user may not listen there; choose a port above 1023 with --port or TOCSIN_PORT",
            errno.EADDRNOTAVAIL: "this machine has no such address; see --host or TOCSIN_HOST",
        }.get(error.errno or 0, f"{error.strerror or error}; see --host or TOCSIN_HOST")
        raise Trouble(f"can't listen on {where}: {why}") from None


def listening_for_mail(settings: Settings) -> socket.socket | None:
    """The socket to take mail on; None when none is to be taken. Raises Trouble when the address can't be had."""
    from app.api.mail_in import BadCertificate, listen_for_mail

    try:
        return listen_for_mail(settings)
    except BadCertificate as error:
        raise Trouble(f"can't take mail: {error}") from None
    except OSError as error:
        where = f"{settings.mail_in_host}:{settings.mail_in_port}"
        why = f"{error.strerror or error}; choose another with TOCSIN_MAIL_IN_PORT or TOCSIN_MAIL_IN_HOST"
        raise Trouble(f"can't take mail on {where}: {why}") from None


def _on_stop(bound: Callable[[], socket.socket | None]) -> None:
    """SIGTERM and SIGINT end this process with status 0.

    While the server runs, uvicorn takes the signals; when it has stopped it hands them on to whoever had them before. By
    then its socket is closed, and the rest of the drain must not be cut short. A signal before that finds nothing begun.
    """

    def on_signal(_: int, __: Any) -> None:
        listening_at = bound()
        if listening_at is None or listening_at.fileno() != -1:
            os._exit(0)  # nothing was answered yet; a way out with all courtesies would have to wait for the migration

    signal.signal(signal.SIGTERM, on_signal)
    signal.signal(signal.SIGINT, on_signal)


def _quick_loop() -> Callable[[], Any] | None:
    """The loop of uvloop where there is one (not on Windows)."""
    from importlib.util import find_spec

    if find_spec("uvloop") is None:
        return None
    import uvloop

    factory: Callable[[], Any] = uvloop.new_event_loop
    return factory

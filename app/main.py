"""The command `tocsin`. Each subcommand is one file of app/cli, which imports what it needs only when it runs."""

from __future__ import annotations

import click

from app import __version__
from app.cli.demo import demo
from app.cli.doctor import doctor
from app.cli.dry_run import dry_run
from app.cli.explain import explain
from app.cli.key import key
from app.cli.migrate import migrate
from app.cli.oncall import oncall
from app.cli.openapi import openapi
from app.cli.paging import paging
from app.cli.replay import replay
from app.cli.senders import senders
from app.cli.serve import serve
from app.cli.settings import settings


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="tocsin", message="%(prog)s %(version)s")
def cli() -> None:
    """Turns alerts into incidents, and incidents into the right person, awake.

    Settings come from the environment (TOCSIN_...); `tocsin settings` lists them.
    """


for command in (
    serve,
    demo,
    migrate,
    doctor,
    oncall,
    explain,
    dry_run,
    key,
    openapi,
    paging,
    replay,
    senders,
    settings,
):
    cli.add_command(command)

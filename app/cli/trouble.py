"""What a person at the terminal can put right, told in one line and with exit code 2. Never a traceback."""

from __future__ import annotations

from typing import IO, Any

import click


class Trouble(click.ClickException):
    """One sentence: what is wrong, and what to do about it."""

    exit_code = 2

    def show(self, file: IO[Any] | None = None) -> None:
        """On standard error, on one line whatever the text holds."""
        click.echo(f"tocsin: {' '.join(self.format_message().split())}", file=file, err=True)

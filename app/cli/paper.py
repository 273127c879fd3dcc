"""Sentences on a terminal of 80 columns: wrapped, each beside its time. Must never know what they say."""

from __future__ import annotations

import textwrap

import click

from app.clock import Micros, to_datetime
from app.explain.wording import relative
from app.notifiers.text import clean

WIDTH = 80


class Paper:
    """Prints on standard output, times counted from `since`."""

    def __init__(self, since: Micros) -> None:
        self._since = since
        self._day = to_datetime(since).date()

    def text(self, *sentences: str) -> None:
        """Each on lines of its own."""
        for said in sentences:
            self._wrapped(said, "", "")

    def title(self, said: str) -> None:
        """Over what follows."""
        click.echo(f"\n{said}\n{'-' * len(said)}")

    def item(self, mark: str, said: str) -> None:
        """One of a list."""
        self._wrapped(said, f"{mark} ", "  ")

    def timed(self, at: Micros, said: str) -> None:
        """Beside the clock, in UTC, and the time since the beginning; a new day stands on a line of its own."""
        then = to_datetime(at)
        if then.date() != self._day:
            self._day = then.date()
            click.echo(f"{then:%a} {then.day} {then:%b %Y}")
        margin = f"{then:%H:%M:%S} {relative(at - self._since):>9}  "
        self._wrapped(said, margin, " " * len(margin))

    def _wrapped(self, said: str, first: str, rest: str) -> None:
        # A sentence may quote a label, and a label may hold what moves a terminal's cursor or names its window.
        said = clean(said)
        lines = textwrap.wrap(
            said, WIDTH, initial_indent=first, subsequent_indent=rest, break_on_hyphens=False, break_long_words=True
        )
        click.echo("\n".join(lines))

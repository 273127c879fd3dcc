"""How the demo looks: quiet lines, one colour a meaning, and the pages framed as the console notifier wrote them.

Works without a terminal and without colour. Must never know HTTP or the database.
"""

from __future__ import annotations

import textwrap
import threading
from typing import Final

from rich.console import Console
from rich.text import Text

from app.cli.screen import screen

BETWEEN_LINES_S: Final = 0.12
BEFORE_SECTION_S: Final = 0.4


class Stage:
    """Where the demo is shown. On a terminal it takes its time, so that eyes can follow."""

    def __init__(self, *, pauses: bool, out: Console | None = None) -> None:
        self._out = out or screen()
        self._pauses = pauses and self._out.is_terminal
        self._never = threading.Event()

    def section(self, title: str) -> None:
        """A new part of the story."""
        self._pause(BEFORE_SECTION_S)
        self._out.print()
        self._out.print(Text(title, "bold"))
        self._out.print()

    def say(self, text: str, style: str = "") -> None:
        """A sentence of telling; it goes on under its beginning when the terminal is narrow."""
        margin = " " * (2 + len(text) - len(text.lstrip()))
        self._out.print(Text("\n".join(self._lines(text.lstrip(), margin)), style))

    def space(self) -> None:
        """An empty line."""
        self._out.print()

    def request(self, what: str, status: int, meaning: str) -> None:
        """One request and its answer."""
        self._pause(BETWEEN_LINES_S)
        colour = "green" if status < 400 else "red"
        self._out.print(Text.assemble(f"  {what:<28} ", (str(status), colour), f"  {meaning}"))

    def page(self, framed: str, note: str) -> None:
        """A page as it was written, with a word on how it came to be here."""
        self._out.print()
        self.say(note, "dim")
        for line in framed.rstrip("\n").split("\n"):
            self._out.print(Text(line, _style_of(line)))
        self._out.print()

    def news(self, after_s: float, text: str, style: str = "") -> None:
        """Something that happened while we were looking."""
        when = f"  +{after_s:>3.0f} s  "
        first, *rest = self._lines(text, " " * len(when))
        self._out.print(Text.assemble((when, "dim"), ("\n".join((first.lstrip(), *rest)), style)))

    def _lines(self, text: str, margin: str) -> list[str]:
        """At the width of the terminal; one line, where it is none."""
        width = self._out.width if self._out.is_terminal else len(margin) + len(text)
        return textwrap.wrap(
            text,
            max(width, 40),
            initial_indent=margin,
            subsequent_indent=margin,
            break_long_words=False,
            break_on_hyphens=False,
        )

    def _pause(self, seconds: float) -> None:
        if self._pauses:
            self._never.wait(seconds)


def _style_of(line: str) -> str:
    if line.startswith(("┌", "+-")):
        return "bold red"
    return "bold" if line[:3] in ("│ #", "| #") else ""

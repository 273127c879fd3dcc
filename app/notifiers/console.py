"""Pages on a text stream: what a person sees in `tocsin demo`, and a notifier that needs no third party.

Lines are framed on the left only, because the width of hostile text is not known. Knows no terminal beyond `isatty`.
"""

from __future__ import annotations

import textwrap
from typing import ClassVar, TextIO

from app.notifiers.notifier import Address, Delivered, Limits, Message, Outcome, TryAgain
from app.notifiers.outbound import Outbound
from app.notifiers.text import buttons_of, one_line, text_of, title_of

_WIDTH = 78
_BOLD, _RED, _YELLOW, _PLAIN = "\x1b[1m", "\x1b[31m", "\x1b[33m", "\x1b[0m"


class ConsoleAddress(Address):
    """There is one console and it needs no settings."""


class Console:
    """Writes each page to the stream it was given."""

    kind: ClassVar[str] = "console"
    title: ClassVar[str] = "Console"
    limits: ClassVar[Limits] = Limits(title=200, text=4_000)
    Address: ClassVar[type[Address]] = ConsoleAddress

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    async def send(self, address: ConsoleAddress, message: Message, outbound: Outbound) -> Outcome:
        """Delivered once it is written and flushed; TryAgain when the stream is gone."""
        try:
            self._stream.write(self._fitted(message))
            self._stream.flush()
        except (OSError, ValueError) as error:  # ValueError: the stream was closed
            return TryAgain(f"the console can't be written: {type(error).__name__}")
        return Delivered()

    def _fitted(self, message: Message) -> str:
        """In colour on a terminal, without lines and accents where the stream's encoding has none."""
        framed = page(message, self.limits, colour=self._stream.isatty())
        encoding = getattr(self._stream, "encoding", None) or "utf-8"
        try:
            framed.encode(encoding)
        except UnicodeEncodeError:
            plain = framed.translate({ord("┌"): "+", ord("└"): "+", ord("│"): "|", ord("─"): "-", ord("·"): "-"})
            return plain.encode(encoding, "replace").decode(encoding)
        return framed


def page(message: Message, limits: Limits, *, colour: bool) -> str:
    """The framed page, ending with a newline. Pure."""
    loud = _RED if message.urgency == "high" else _YELLOW
    word = {"page": "PAGE", "update": "UPDATE", "test": "TEST"}[message.kind]
    number = f"incident #{message.incident}" if message.incident is not None else ""
    to = f"to {one_line(message.to)}" if message.to else ""
    head = " · ".join(part for part in (word, one_line(message.priority), number, to) if part)
    title = title_of(message, limits.title)
    body = [line for long in text_of(message, limits.text).split("\n") for line in textwrap.wrap(long, _WIDTH) or [""]]
    buttons = [f"{label}: {url}" for label, url in buttons_of(message, 40)]
    if colour:
        head, title = f"{loud}{head}{_PLAIN}", f"{_BOLD}{title}{_PLAIN}"
    rows = [
        f"┌─ {head}",
        f"│ {title}",
        *(f"│ {line}".rstrip() for line in body),
        "│",
        *(f"│ {line}" for line in buttons),
    ]
    return "\n".join((*rows, "└" + "─" * _WIDTH)) + "\n"

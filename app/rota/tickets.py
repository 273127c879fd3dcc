"""Signed links to pages where somebody answers what is no incident: a swap they are asked for, a drill. Pure.

A ticket says what it is about, whose it is and until when, and is signed over all of it (app/paging/tokens.py); about 70
characters with its address. Must never know whether its subject exists, nor read a clock: `now` is handed in.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Literal, get_args

from app.clock import HOUR, SECOND, Micros
from app.paging.tokens import Expired, opened, signed

Purpose = Literal["swap", "drill"]
PURPOSES: tuple[Purpose, ...] = get_args(Purpose)
"""Their order is part of the format: add at the end only."""

SALT = "tocsin.ticket.1"
"""Keeps these signatures apart from any other made with the same secret. The number is that of the format."""
MAX_TOKEN = 100
"""Every ticket is as long as every other, and shorter."""

PATH = "/t/"
"""Where tickets are answered."""

_FORM = struct.Struct(">BQQI")
"""Purpose, subject, person, end in seconds."""


@dataclass(frozen=True, slots=True)
class Door:
    """What is needed to send somebody a ticket: the secret that signs it, and where it leads."""

    secret: str
    base_url: str
    """Without a slash at its end."""

    def address(self, token: str) -> str:
        """What is opened in a browser."""
        return f"{self.base_url}{PATH}{token}"


@dataclass(frozen=True, slots=True)
class Ticket:
    """What a ticket says."""

    purpose: Purpose
    subject: int
    """The id of the swap or the drill."""
    person_id: int
    """Who may answer by it."""
    expires_at: Micros


def make(secret: str, *, purpose: Purpose, subject: int, person_id: int, now: Micros, hours: int) -> str:
    """The token of a ticket that can be used for `hours` from `now`. The same facts give the same token."""
    # Whole seconds, so that a token read and written again is the same token.
    return write(secret, Ticket(purpose, subject, person_id, (now + hours * HOUR) // SECOND * SECOND))


def write(secret: str, ticket: Ticket) -> str:
    """The token that says exactly `ticket`. Raises ValueError without a secret."""
    packed = _FORM.pack(PURPOSES.index(ticket.purpose), ticket.subject, ticket.person_id, ticket.expires_at // SECOND)
    return signed(secret, SALT, packed)


def read(secret: str, token: str, now: Micros) -> Ticket:
    """What a token says. Raises Forged or Expired; nothing in either tells more than that."""
    purpose, subject, person_id, end_s = _FORM.unpack(opened(secret, SALT, token, MAX_TOKEN))
    ticket = Ticket(PURPOSES[purpose], subject, person_id, end_s * SECOND)
    if now >= ticket.expires_at:
        raise Expired("this link's time is over")
    return ticket

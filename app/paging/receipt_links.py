"""The signed address to which a provider says what became of one message. Made and read here. Pure."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Literal, get_args

from app.clock import DAY, SECOND, Micros
from app.paging.tokens import Expired, opened, signed

About = Literal["page", "bundle"]
_ABOUT: tuple[About, ...] = get_args(About)
"""Their order is part of the format: add at the end only."""

SALT = "tocsin.receipt.1"
MAX_TOKEN = 200
LIVES: Micros = 2 * DAY
_FORM = struct.Struct(">BQI")
"""What it is about, its id, end in seconds."""


@dataclass(frozen=True, slots=True)
class ReceiptLink:
    """What an address says."""

    about: About
    id: int


def write(secret: str, link: ReceiptLink, now: Micros) -> str:
    """The token that says exactly `link`, for a while. Raises ValueError without a secret."""
    return signed(secret, SALT, _FORM.pack(_ABOUT.index(link.about), link.id, (now + LIVES) // SECOND))


def read(secret: str, token: str, now: Micros) -> ReceiptLink:
    """What a token says. Raises Forged or Expired; nothing in either tells more than that."""
    about, item_id, end_s = _FORM.unpack(opened(secret, SALT, token, MAX_TOKEN))
    if now >= end_s * SECOND:
        raise Expired("this address's time is over")
    return ReceiptLink(_ABOUT[about], item_id)

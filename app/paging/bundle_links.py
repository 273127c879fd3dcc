"""The signed link of a bundle: one person's list of what was told to them together. Made and read here. Pure.

It is one person's, not one bundle's: whichever of them is opened, the list is whole and as it is now.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from app.clock import HOUR, SECOND, Micros
from app.paging.tokens import Expired, opened, signed

SALT = "tocsin.bundle.1"
MAX_TOKEN = 1_400
_HEAD = struct.Struct(">QI")
"""Person, end in seconds. The name follows as UTF-8."""


@dataclass(frozen=True, slots=True)
class BundleLink:
    """What a link says."""

    person_id: int
    recipient: str
    expires_at: Micros


def write(secret: str, link: BundleLink) -> str:
    """The token that says exactly `link`. Raises ValueError without a secret."""
    head = _HEAD.pack(link.person_id, link.expires_at // SECOND)
    return signed(secret, SALT, head + link.recipient.encode("utf-8", "replace"))


def read(secret: str, token: str, now: Micros) -> BundleLink:
    """What a token says. Raises Forged or Expired; nothing in either tells more than that."""
    packed = opened(secret, SALT, token, MAX_TOKEN)
    person_id, end_s = _HEAD.unpack_from(packed)
    link = BundleLink(person_id, packed[_HEAD.size :].decode(), end_s * SECOND)
    if now >= link.expires_at:
        raise Expired("this link's time is over")
    return link


def ends_at(now: Micros, hours: int) -> Micros:
    """When a link that is made now ends, in whole seconds."""
    return (now + hours * HOUR) // SECOND * SECOND

"""The signed links by which a page is answered: made here, read here, and worth nothing anywhere else. Pure.

A link says which incident, whose it is, what it may do and until when, and is signed over all of it. It is packed as
bytes, because it has to fit into one SMS: about 75 characters for a short name. Each link has exactly one spelling (a
text that only decodes to the same bytes is refused), and it always ends in a letter, so that no program that finds
links in plain text leaves its last character out.

    LinkError
    ├── Forged    we never made this, or somebody changed it
    └── Expired   we made it, and its time is over

Must never know whether the incident exists, nor read a clock: `now` is handed in.
"""

from __future__ import annotations

import hashlib
import hmac
import struct
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal, get_args

from itsdangerous import Signer
from itsdangerous.encoding import base64_decode, base64_encode
from itsdangerous.signer import HMACAlgorithm

from app.clock import HOUR, SECOND, Micros

LinkAction = Literal["acknowledge", "resolve", "escalate", "snooze"]
ACTIONS: tuple[LinkAction, ...] = get_args(LinkAction)
"""Their order is part of the format: add at the end only."""

SALT = "tocsin.link.1"
"""Keeps these signatures apart from any other made with the same secret. The number is that of the format."""
SIGNATURE_BYTES = 16
"""HMAC-SHA256 cut to 128 bits: as hard to forge as ever anybody needs, and 21 characters shorter."""
MAX_TOKEN = 1_400
"""A name of 200 code points fits; whatever is longer is not looked at."""

_HEAD = struct.Struct(">BQQIII")
"""Action, incident, person (0: none), number, epoch, end in seconds. The name follows as UTF-8."""


class LinkError(Exception):
    """This link opens nothing."""


class Forged(LinkError):
    """We never made this, or somebody changed it."""


class Expired(LinkError):
    """We made it, and its time (or its person's) is over."""


@dataclass(frozen=True, slots=True)
class Link:
    """What a link says. `epoch` is set on links that may act only on what their page showed; 0 otherwise."""

    action: LinkAction
    incident_id: int
    number: int
    recipient: str
    person_id: int | None
    expires_at: Micros
    epoch: int = 0

    @property
    def actor(self) -> str:
        """Who acts by this link, for the timeline. A channel's link is in many hands, and says so."""
        return self.recipient if self.person_id is not None else f"someone via {self.recipient}"


class _Cut(HMACAlgorithm):
    def get_signature(self, key: bytes, value: bytes) -> bytes:
        return super().get_signature(key, value)[:SIGNATURE_BYTES]


@lru_cache(maxsize=4)
def _signer(secret: str) -> Signer:
    if not secret:
        raise ValueError("links can't be signed without a secret")
    return Signer(
        secret, salt=SALT, key_derivation="hmac", digest_method=hashlib.sha256, algorithm=_Cut(hashlib.sha256)
    )


def make(
    secret: str,
    *,
    incident_id: int,
    number: int,
    recipient: str,
    person_id: int | None,
    action: LinkAction,
    now: Micros,
    hours: int,
) -> str:
    """The token of a link that can be used for `hours` from `now`. The same facts give the same token."""
    # Whole seconds, so that a token read and written again is the same token.
    expires_at = (now + hours * HOUR) // SECOND * SECOND
    return write(secret, Link(action, incident_id, number, recipient, person_id, expires_at))


def write(secret: str, link: Link) -> str:
    """The token that says exactly `link`. Raises ValueError without a secret."""
    head = _HEAD.pack(
        ACTIONS.index(link.action),
        link.incident_id,
        link.person_id or 0,
        link.number,
        link.epoch,
        link.expires_at // SECOND,
    )
    return _signer(secret).sign(base64_encode(head + link.recipient.encode("utf-8", "replace"))).decode()


def beside(secret: str, link: Link, action: LinkAction, epoch: int = 0) -> str:
    """The token of another action with the same incident, person and end."""
    return write(secret, replace(link, action=action, epoch=epoch))


def read(secret: str, token: str, now: Micros) -> Link:
    """What a token says. Raises Forged or Expired; nothing in either tells more than that."""
    value, dot, _ = token.rpartition(".")
    if not dot or len(token) > MAX_TOKEN or not token.isascii():
        raise Forged("not a link of ours")
    # Signed again and compared as text, not decoded and compared as bytes: base64 spells the same bytes in many ways.
    if not hmac.compare_digest(_signer(secret).sign(value), token.encode()):
        raise Forged("not a link of ours")
    packed = base64_decode(value)
    action, incident_id, person_id, number, epoch, end_s = _HEAD.unpack_from(packed)
    link = Link(
        action=ACTIONS[action],
        incident_id=incident_id,
        number=number,
        recipient=packed[_HEAD.size :].decode(),
        person_id=person_id or None,
        expires_at=end_s * SECOND,
        epoch=epoch,
    )
    if now >= link.expires_at:
        raise Expired("this link's time is over")
    return link

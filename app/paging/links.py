"""The signed links by which a page is answered: made here, read here, and worth nothing anywhere else. Pure.

A link says which incident, whose it is, what it may do and until when, and is signed over all of it. It is packed as
bytes (tokens.py), because it has to fit into one SMS: about 75 characters for a short name.

Must never know whether the incident exists, nor read a clock: `now` is handed in.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, replace
from typing import Literal, get_args

from app.clock import HOUR, SECOND, Micros
from app.paging.tokens import Expired, Forged, LinkError, opened, signed

__all__ = ["ACTIONS", "Expired", "Forged", "Link", "LinkAction", "LinkError", "beside", "make", "read", "write"]

LinkAction = Literal["acknowledge", "resolve", "escalate", "snooze", "join", "decline", "help"]
ACTIONS: tuple[LinkAction, ...] = get_args(LinkAction)
"""Their order is part of the format: add at the end only."""

SALT = "tocsin.link.1"
"""Keeps these signatures apart from any other made with the same secret. The number is that of the format."""
MAX_TOKEN = 1_400
"""A name of 200 code points fits; whatever is longer is not looked at."""

_HEAD = struct.Struct(">BQQIII")
"""Action, incident, person (0: none), number, epoch, end in seconds. The name follows as UTF-8."""


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
    return signed(secret, SALT, head + link.recipient.encode("utf-8", "replace"))


def beside(secret: str, link: Link, action: LinkAction, epoch: int = 0) -> str:
    """The token of another action with the same incident, person and end."""
    return write(secret, replace(link, action=action, epoch=epoch))


def read(secret: str, token: str, now: Micros) -> Link:
    """What a token says. Raises Forged or Expired; nothing in either tells more than that."""
    packed = opened(secret, SALT, token, MAX_TOKEN)
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

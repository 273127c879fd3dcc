"""Signatures of senders that share a secret with an integration: HMAC-SHA256 over the raw body. Pure.

Without a secret in the settings nothing is checked: then the key in the address is all that a sender proves itself by.
A signature over a time cannot be used again later; where the time is not signed, the same signature with the same time is
taken once.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import NamedTuple, Self

from pydantic import Field, SecretStr

from app.clock import MINUTE, Micros
from app.sources import times
from app.sources.event import Received, Unproven
from app.sources.source import SourceSettings

FRESH = 5 * MINUTE
"""How far the time of a signature may be from ours."""


class SignedSettings(SourceSettings):
    """What an integration can set whose sender can sign."""

    secret: SecretStr | None = Field(
        default=None,
        min_length=8,
        max_length=500,
        description="The secret that the sender signs with. Set: what is not signed with it is refused.",
    )

    def unsigned(self) -> Self:
        """See SourceSettings."""
        return self.model_copy(update={"secret": None})


class Scheme(NamedTuple):
    """How a sender signs."""

    header: str
    prefix: str = ""
    """What stands before the hex digits, such as `sha256=`."""
    time_header: str = ""
    """The header with the seconds since 1970 of the sending; empty: it sends none."""
    time_signed: bool = False
    """Whether the signed bytes are `TIME:BODY`."""
    unique: bool = True
    """Whether no two deliveries have the same signature (and time): the same again is a replay."""


def proof_of(received: Received, settings: SignedSettings, scheme: Scheme, now: Micros) -> str:
    """What is unique to this delivery; empty where nothing is signed. Raises Unproven."""
    if settings.secret is None:
        return ""
    given = received.header(scheme.header)
    if not given:
        raise Unproven(f"The signature is missing: the header {scheme.header} was expected.")
    said = received.header(scheme.time_header) if scheme.time_header else ""
    signed = said.encode() + b":" + received.body if scheme.time_signed else received.body
    wanted = hmac.new(settings.secret.get_secret_value().encode(), signed, hashlib.sha256).hexdigest()
    if not hmac.compare_digest(given.removeprefix(scheme.prefix).lower().encode(), wanted.encode()):
        raise Unproven(f"The signature in {scheme.header} is wrong: the secrets differ, or the body was changed.")
    if scheme.time_header:
        check_age(times.parse(said), now, scheme.time_header)
    return f"{wanted}/{said}" if scheme.unique else ""


def check_age(at: Micros | None, now: Micros, where: str, fresh: Micros = FRESH) -> None:
    """Raises Unproven for a time that is missing or further than `fresh` from now."""
    if at is None:
        raise Unproven(f"The signature has no time: {where} was expected.")
    if abs(now - at) > fresh:
        raise Unproven(f"The signature is old: {where} is more than {fresh // MINUTE} minutes from our time.")

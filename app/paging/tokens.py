"""Bytes that we signed and can know again: what links are made of. Pure.

Each token has exactly one spelling (a text that only decodes to the same bytes is refused), and it always ends in a
letter, so that no program that finds links in plain text leaves its last character out. Each kind of token has a salt of
its own: signatures of one kind are worth nothing as another.

    LinkError
    ├── Forged    we never made this, or somebody changed it
    └── Expired   we made it, and its time is over

Must never know what a token says.
"""

from __future__ import annotations

import hashlib
import hmac
from functools import lru_cache

from itsdangerous import Signer
from itsdangerous.encoding import base64_decode, base64_encode
from itsdangerous.signer import HMACAlgorithm

SIGNATURE_BYTES = 16
"""HMAC-SHA256 cut to 128 bits: as hard to forge as ever anybody needs, and 21 characters shorter."""


class LinkError(Exception):
    """This link opens nothing."""


class Forged(LinkError):
    """We never made this, or somebody changed it."""


class Expired(LinkError):
    """We made it, and its time (or its person's) is over."""


class _Cut(HMACAlgorithm):
    def get_signature(self, key: bytes, value: bytes) -> bytes:
        return super().get_signature(key, value)[:SIGNATURE_BYTES]


@lru_cache(maxsize=8)
def _signer(secret: str, salt: str) -> Signer:
    if not secret:
        raise ValueError("links can't be signed without a secret")
    return Signer(
        secret, salt=salt, key_derivation="hmac", digest_method=hashlib.sha256, algorithm=_Cut(hashlib.sha256)
    )


def signed(secret: str, salt: str, packed: bytes) -> str:
    """The token of these bytes. Raises ValueError without a secret."""
    return _signer(secret, salt).sign(base64_encode(packed)).decode()


def opened(secret: str, salt: str, token: str, longest: int) -> bytes:
    """The bytes of a token of this salt, of at most `longest` characters. Raises Forged, which tells no more."""
    value, dot, _ = token.rpartition(".")
    if not dot or len(token) > longest or not token.isascii():
        raise Forged("not a link of ours")
    # Signed again and compared as text, not decoded and compared as bytes: base64 spells the same bytes in many ways.
    if not hmac.compare_digest(_signer(secret, salt).sign(value), token.encode()):
        raise Forged("not a link of ours")
    return base64_decode(value)

"""Fetching a file from an address that somebody wrote into the configuration: asked for conditionally, bounded, guarded.

At most three redirects are followed, each dialled by the same guard as the first address and never from https down to
http. Nothing but the two conditions goes along: no cookie, no password. Why it failed is a sentence for people that names
hosts, never paths: the address of a private calendar is a secret. Knows no calendar.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urljoin, urlsplit

from app.notifiers.errors import Forbidden, OutboundError
from app.notifiers.outbound import Got, Outbound

MAX_REDIRECTS: Final = 3
MAX_CONDITION: Final = 500
"""Characters of an ETag or a date that is kept and sent back."""
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})


@dataclass(frozen=True, slots=True)
class Fetched:
    """The file, and what to ask with the next time."""

    body: bytes
    etag: str = ""
    last_modified: str = ""


@dataclass(frozen=True, slots=True)
class NotModified:
    """It is still as it was when `etag` and `last_modified` were given."""


@dataclass(frozen=True, slots=True)
class Failed:
    """It did not come; `reason` is one sentence for people."""

    reason: str


Outcome = Fetched | NotModified | Failed


async def fetch(
    outbound: Outbound, url: str, *, accept: str, limit_bytes: int, etag: str = "", last_modified: str = ""
) -> Outcome:
    """Asks once for the file, within the outbound's time for fetching. Never raises for what the other side does."""
    headers = {"Accept": accept}
    headers |= {"If-None-Match": etag} if etag else {}
    headers |= {"If-Modified-Since": last_modified} if last_modified else {}
    deadline = outbound.fetch_deadline()
    said = ""
    for _ in range(MAX_REDIRECTS + 1):
        try:
            got = await outbound.get(url, headers=headers, limit_bytes=limit_bytes, deadline=deadline)
        except Forbidden as error:
            return Failed(f"{said}it is not allowed to go there: {error}")
        except OutboundError as error:
            return Failed(f"{said}{error}")
        if got.status not in _REDIRECTS:
            return _outcome(got, url, conditional=bool(etag or last_modified), limit_bytes=limit_bytes)
        following = _following(url, got.headers)
        if following is None:
            return Failed(f"{_host(url)} redirects to nothing that is followed: only http and https, and never to less")
        said, url = f"{_host(url)} redirects elsewhere: ", following
    return Failed(f"{_host(url)} still redirects after {MAX_REDIRECTS} redirects; give the final address")


def _outcome(got: Got, url: str, *, conditional: bool, limit_bytes: int) -> Outcome:
    if got.status == 304 and conditional:
        return NotModified()
    if got.status != 200:
        return Failed(f"{_host(url)} answered {got.status}{_HINTS.get(got.status, '')}")
    if not got.whole:
        return Failed(f"what {_host(url)} answered is larger than {limit_bytes // 1024 // 1024} MB")
    if got.headers.get("content-encoding", "identity").strip().lower() not in ("", "identity"):
        return Failed(f"{_host(url)} answered in a compressed form that was not asked for")
    return Fetched(got.body, _condition(got.headers, "etag"), _condition(got.headers, "last-modified"))


_HINTS: Final = {
    401: ": it wants a login; give an address that is secret by itself",
    403: ": it does not let us read; perhaps the address was taken back",
    404: ": nothing is there; perhaps the address was taken back",
    410: ": it is gone for good",
}


def _condition(headers: Mapping[str, str], name: str) -> str:
    """Kept only when it can be sent back as it came."""
    value = headers.get(name, "").strip()
    return value if len(value) <= MAX_CONDITION and value.isascii() and value.isprintable() else ""


def _following(url: str, headers: Mapping[str, str]) -> str | None:
    """Where a redirect leads; None when it is not followed."""
    try:
        following = urljoin(url, headers.get("location", ""))
        scheme = urlsplit(following).scheme
        if not urlsplit(following).hostname or following == url:
            return None
    except ValueError:
        return None
    return following if scheme == "https" or (scheme == "http" == urlsplit(url).scheme) else None


def _host(url: str) -> str:
    return urlsplit(url).hostname or "the address"

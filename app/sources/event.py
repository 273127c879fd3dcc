"""The words in which every sender's message is told to the rest of Tocsin.

`Event` is a NamedTuple and not a dataclass: a storm makes tens of thousands a second, and it is frozen all the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

from app.clock import Micros

Status = Literal["firing", "resolved", "acknowledged"]
Severity = Literal["critical", "error", "warning", "info", "none"]
"""`none` is for signals that fire for ever by design (Watchdog): stored, never paged."""

MAX_TITLE = 300
MAX_VALUE = 8_192
MAX_LABELS = 200
"""Limits of what one event keeps; a source cuts on code points and adds the label `tocsin_truncated` = "true"."""


class Event(NamedTuple):
    """One thing a sender said about one problem."""

    status: Status
    key: str
    """What makes two events speak of the same problem, within one integration. Any length, never empty."""
    title: str
    severity: Severity = "error"
    labels: Mapping[str, str] = {}
    """What matchers and grouping read. Values are text; an empty value is an absent label."""
    annotations: Mapping[str, str] = {}
    """What people read: description, runbook, raw severity word, ..."""
    links: tuple[tuple[str, str], ...] = ()
    """(text, http or https address), checked to be nothing else."""
    starts_at: Micros | None = None
    """When the problem began, as the sender says; None when it does not say."""
    ends_at: Micros | None = None
    """When it ended, for a resolved event; None when the sender does not say."""
    expires_at: Micros | None = None
    """A firing event counts as resolved at this instant unless the sender repeats it."""
    once: bool = False
    """The sender never uses this key again after its resolve (Zabbix event ids): a later firing is a late one."""
    test: bool = False
    """A test button: recorded and answered, nobody is paged."""


@dataclass(frozen=True, slots=True)
class Received:
    """One request of a sender, after its key was checked."""

    body: bytes
    content_type: str = ""
    """A hint only: senders lie (curl -d, SNS, Netdata)."""
    query: Mapping[str, str] | None = None
    headers: tuple[tuple[bytes, bytes], ...] = ()
    """As they came, names in lower case. Only signatures are read from them."""
    certificate: bytes = b""
    """The certificate that a source asked for (`Certified`), as PEM."""

    def header(self, name: str) -> str:
        """The first header of this name, or nothing."""
        wanted = name.lower().encode("latin-1", "replace")
        return next((value.decode("latin-1") for known, value in self.headers if known == wanted), "").strip()


@dataclass(frozen=True, slots=True)
class Reading:
    """What one request said: its events, and what in it could not be read while the rest could."""

    events: tuple[Event, ...]
    problems: tuple[str, ...] = ()
    proof: str = ""
    """What a signed delivery has that no other has: the same once more is a replay. Empty: nothing is signed."""
    confirm: str = ""
    """An https address that must be asked once, so that the sender begins to send; checked to be the sender's own."""


class Unreadable(Exception):
    """The whole body can't be read; the text says what was wrong and what was expected, in one sentence."""


class Unproven(Unreadable):
    """It is not proven that the sender sent this: the signature is missing, wrong or old. The text says which."""

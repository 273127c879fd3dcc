"""What one event does to one alert: the table of facts (test_heard.py asks a model)."""

from __future__ import annotations

import pytest

from app.clock import MINUTE
from app.dedup.lifecycle import HAND_GRACE, LATE, RETRY, Known, decide
from app.sources.event import Event

NOW = 1_767_571_200_000_000
T0, T1, T2 = NOW - 60 * MINUTE, NOW - 30 * MINUTE, NOW - 10 * MINUTE
A, B = b"a" * 16, b"b" * 16


def firing(starts_at: int | None = T0, *, once: bool = False) -> Event:
    return Event("firing", "k", "t", starts_at=starts_at, once=once)


def resolved(starts_at: int | None = T0, ends_at: int | None = None) -> Event:
    return Event("resolved", "k", "t", starts_at=starts_at, ends_at=ends_at)


def open_(starts_at: int | None = T0, content: bytes = A) -> Known:
    return Known(True, content, starts_at, None, None, None)


def ended(
    by: str = "sender", starts_at: int | None = T0, ended_at: int | None = T1, resolved_at: int = NOW - MINUTE
) -> Known:
    return Known(False, A, starts_at, ended_at, resolved_at, by)


ACK = Event("acknowledged", "k", "t")

TABLE: list[tuple[str, Known | None, Event, str, str]] = [
    ("nothing known, fires", None, firing(), "open", "first"),
    ("nothing known, resolves", None, resolved(), "orphan", "orphan_resolve"),
    ("nothing known, acknowledged", None, ACK, "nothing", "ack_of_nothing"),
    ("open, the same again", open_(), firing(), "repeat", "repeated"),
    ("open, the same without times", open_(None), firing(None), "repeat", "repeated"),
    ("open, other text", open_(content=B), firing(), "update", "changed"),
    ("open, newer start: a flap inside one group interval", open_(), firing(T1), "update", "restarted"),
    ("open, older start (a second Alertmanager)", open_(T1), firing(T0), "repeat", "repeated"),
    ("open, resolves", open_(), resolved(), "resolve", "resolved"),
    ("open, resolves without times", open_(None), resolved(None), "resolve", "resolved"),
    ("open, resolve of the episode before", open_(T1), resolved(T0, T0 + MINUTE), "nothing", "late_resolve"),
    ("open, resolve of an older start without an end", open_(T1), resolved(T0), "nothing", "late_resolve"),
    ("open, resolve that ends later although it began earlier", open_(T1), resolved(T0, T2), "resolve", "resolved"),
    ("open, acknowledged in the tool", open_(), ACK, "acknowledge", "acknowledged_there"),
    ("resolved, resolves again", ended(), resolved(), "nothing", "already_resolved"),
    ("resolved, resolve of an episode never seen", ended(), resolved(T2), "orphan", "orphan_resolve"),
    ("resolved, late copy of its firing", ended(), firing(), "nothing", "late_firing"),
    ("resolved, fires anew", ended(), firing(T2), "open", "again"),
    ("resolved, fires anew without times", ended(), firing(None), "open", "again"),
    ("resolved, firing that began before it ended", ended(starts_at=None), firing(T0), "nothing", "late_firing"),
    ("resolved long ago, the same start again", ended(resolved_at=NOW - LATE - 1), firing(), "open", "again"),
    (
        "resolved, a key that is never used twice",
        ended(resolved_at=NOW - 60 * LATE),
        firing(None, once=True),
        "nothing",
        "late_firing",
    ),
    ("resolved, the sender says that it ended later", ended(), resolved(None, T2), "end", "ended_later"),
    ("expired, sent again", ended("expiry", ended_at=None), firing(), "open", "back_after_expiry"),
    ("expired, a copy of an older firing", ended("expiry", T1, None), firing(T0), "nothing", "late_firing"),
    ("expired, then resolved", ended("expiry", ended_at=None), resolved(T0, T1), "end", "ended_later"),
    ("expired and resolved, a late copy of its firing", ended("expiry"), firing(), "nothing", "late_firing"),
    ("resolved by a person, a repeat under way", ended("person", ended_at=None), firing(), "nothing", "late_firing"),
    (
        "resolved by a person, still firing later",
        ended("person", ended_at=None, resolved_at=NOW - HAND_GRACE - 1),
        firing(),
        "open",
        "still_firing",
    ),
    (
        "resolved by a person, a retry without times",
        ended("person", ended_at=None),
        firing(None),
        "nothing",
        "late_firing",
    ),
    (
        "resolved by a person, sent without times after that: it may be a new failure",
        ended("person", ended_at=None, resolved_at=NOW - RETRY - 1),
        firing(None),
        "open",
        "still_firing",
    ),
    ("resolved by a person, fires anew at once", ended("person"), firing(T2), "open", "again"),
    ("resolved, acknowledged", ended(), ACK, "nothing", "ack_of_nothing"),
]


@pytest.mark.parametrize(("known", "event", "kind", "name"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE])
def test_each_case_has_one_answer_with_its_name(known: Known | None, event: Event, kind: str, name: str) -> None:
    change = decide(known, event, A, NOW)
    assert (change.kind, change.name) == (kind, name)
    assert change.sentence

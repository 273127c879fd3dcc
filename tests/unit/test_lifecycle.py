"""What one event does to one alert: the table of facts, and a model of a sender that nothing may confuse for ever."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.clock import MINUTE
from app.dedup.lifecycle import HAND_GRACE, LATE, Change, Known, decide
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
    ("expired, sent again", ended("expiry"), firing(), "open", "back_after_expiry"),
    ("resolved by a person, a repeat under way", ended("person"), firing(), "nothing", "late_firing"),
    (
        "resolved by a person, still firing later",
        ended("person", resolved_at=NOW - HAND_GRACE - 1),
        firing(),
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


def apply(known: Known | None, event: Event, change: Change, now: int) -> Known | None:
    """The model of what ingest writes."""
    if change.kind == "open":
        return Known(True, A, event.starts_at, None, None, None)
    if change.kind == "orphan":
        return Known(False, A, event.starts_at, event.ends_at, now, "sender")
    if known is not None and change.kind == "update" and change.name == "restarted":
        return known._replace(starts_at=event.starts_at)
    if known is not None and change.kind == "resolve":
        return known._replace(open=False, ended_at=event.ends_at, resolved_at=now, resolved_by="sender")
    return known


@given(st.integers(1, 5), st.randoms(use_true_random=False))
def test_a_sender_with_times_is_understood_whatever_is_lost_doubled_or_late(episodes: int, random: object) -> None:
    """Messages of past episodes in any order, any number of times; then the last word of the last episode is heard."""
    past = [(T0 + place * MINUTE, T0 + place * MINUTE + MINUTE // 2) for place in range(episodes)]
    messages = [firing(start) for start, _ in past] + [resolved(start, end) for start, end in past]
    random.shuffle(messages)  # type: ignore[attr-defined]
    kept = [message for message in messages for _ in range(random.choice((0, 1, 2)))]  # type: ignore[attr-defined]
    last_start, last_end = past[-1]
    for final, is_open in ((resolved(last_start, last_end), False), (firing(last_start + MINUTE), True)):
        known: Known | None = None
        for message in (*kept, final):
            known = apply(known, message, decide(known, message, A, NOW), NOW)
        assert known is not None
        assert known.open is is_open


@given(st.randoms(use_true_random=False))
def test_what_resolved_never_stays_open_and_what_fires_last_is_never_missed(random: object) -> None:
    """One episode, its two messages in either order with copies: once both came, it is over."""
    messages = [firing(T0), resolved(T0, T1)] * 2
    random.shuffle(messages)  # type: ignore[attr-defined]
    known: Known | None = None
    opened = 0
    for message in messages:
        change = decide(known, message, A, NOW)
        opened += change.kind == "open"
        known = apply(known, message, change, NOW)
    assert known is not None
    assert not known.open
    assert opened <= 1

"""What people are told when they come on call, word for word."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from app.clock import DAY, HOUR, MINUTE, from_datetime
from app.oncall.wording import span, when
from app.rota.handoff_words import Arrival, Load, arrived_text, before_text, handoff_text

NOON = from_datetime(datetime(2026, 1, 5, 12, tzinfo=UTC))
ANA = Arrival("Ana", "Shop", "primary", "on call in Shop (layer daily, turn 3)", ("Ben",), NOON, NOON + 8 * HOUR)
QUIET = Load((), 0, 0, 0, 0, 0, NOON - 7 * DAY, 0, 0)


def test_ahead_of_a_shift() -> None:
    title, text = before_text(ANA, QUIET, "Europe/Berlin", NOON - 58 * MINUTE)
    assert title == "Your on-call in Shop begins in 58 min"
    assert text.splitlines() == [
        "Mon 5 Jan 13:00 to 21:00, Berlin (primary)",
        "Why: on call in Shop (layer daily, turn 3)",
        "You take over from Ben.",
        "No incident is open.",
        "Quiet: no page and no incident in the last 7 days.",
    ]


def test_at_the_handoff() -> None:
    busy = Load(((12, "Disk full"), (14, "x" * 500)), 5, 2, 9, 1, 4, NOON - 3 * DAY, 4, 2)
    title, text = arrived_text(replace(ANA, role="secondary", handing_over=()), busy, "UTC", NOON)
    assert title == "You are on call in Shop (secondary) now"
    assert text.splitlines() == [
        "Mon 5 Jan 12:00 to 20:00, UTC (secondary)",
        "Why: on call in Shop (layer daily, turn 3)",
        "Since your last shift, 3 days ago: 4 incidents opened, 2 resolved.",
        "5 incidents open:",
        "- #12 Disk full",
        "- #14 " + "x" * 120,
        "- and 3 more",
        "Busy: 2 pages and 1 incident in the last 24 h; 9 pages and 4 incidents in the last 7 days.",
    ]


@pytest.mark.parametrize(
    ("late", "ends_at", "handing_over", "expected"),
    [
        (False, ANA.ends_at, ("Ben",), "Ana is on call in Shop now (until Mon 5 Jan 20:00, UTC), taking over from Ben"),
        (False, ANA.ends_at, (), "Ana is on call in Shop now (until Mon 5 Jan 20:00, UTC)"),
        (False, None, ("Ben", "Cleo"), "Ana is on call in Shop now, taking over from Ben and Cleo"),
        (True, None, (), "Ana is on call in Shop since Mon 5 Jan 12:00, UTC"),
    ],
)
def test_for_the_channel(late: bool, ends_at: int | None, handing_over: tuple[str, ...], expected: str) -> None:
    arrival = replace(ANA, ends_at=ends_at, handing_over=handing_over)
    assert handoff_text(arrival, QUIET, "UTC", NOON, late=late)[0] == expected


def test_a_shift_without_an_end_in_sight_says_so() -> None:
    text = before_text(replace(ANA, ends_at=None), QUIET, "UTC", NOON - HOUR)[1]
    assert text.startswith("From Mon 5 Jan 12:00, UTC, for a long time (primary)")


def test_a_week_with_pages_and_a_day_without_is_quiet_lately() -> None:
    text = before_text(ANA, replace(QUIET, pages_week=1, incidents_week=1), "UTC", NOON - HOUR)[1]
    assert text.endswith(
        "Quiet lately: 0 pages and 0 incidents in the last 24 h; 1 page and 1 incident in the last 7 days."
    )


@pytest.mark.parametrize(
    ("zone", "expected"),
    [
        ("UTC", "Mon 5 Jan 12:00, UTC"),
        ("America/New_York", "Mon 5 Jan 07:00, New York"),
        ("Asia/Kathmandu", "Mon 5 Jan 17:45, Kathmandu"),
        ("Nowhere/AtAll", "Mon 5 Jan 12:00, UTC"),
    ],
)
def test_instants_are_told_where_the_person_lives(zone: str, expected: str) -> None:
    assert when(NOON, zone) == expected


def test_an_interval_within_one_local_day_names_the_day_once() -> None:
    assert span(NOON, NOON + 10 * HOUR, "UTC") == "Mon 5 Jan 12:00 to 22:00, UTC"
    assert span(NOON, NOON + 10 * HOUR, "Asia/Tokyo") == "Mon 5 Jan 21:00 to Tue 6 Jan 07:00, Tokyo"

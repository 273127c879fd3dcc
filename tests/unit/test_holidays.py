"""Public holidays: of the right place, on the right days, from midnight to midnight on the person's clock."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest

from app.clock import DAY, HOUR
from app.ids import PersonId
from app.oncall.holidays import holiday_away, known, public_holidays
from app.oncall.rota import Away
from tests.harness.rotas import at

ANA = PersonId(1)


def days(country: str, subdivision: str, first: str, last: str) -> list[tuple[str, str]]:
    found = public_holidays(country, subdivision, date.fromisoformat(first), date.fromisoformat(last))
    return [(day.isoformat(), name) for day, name in found]


@pytest.mark.parametrize(
    ("country", "subdivision", "first", "last", "expected"),
    [
        ("DE", "BY", "2025-12-27", "2026-01-31", [("2026-01-01", "New Year's Day"), ("2026-01-06", "Epiphany")]),
        ("DE", "BE", "2025-12-27", "2026-01-31", [("2026-01-01", "New Year's Day")]),
        ("DE", "", "2026-01-02", "2026-01-31", []),
        # Saturday the 4th is observed on the Friday before it.
        (
            *("US", "", "2026-07-01", "2026-07-31"),
            [("2026-07-03", "Independence Day (observed)"), ("2026-07-04", "Independence Day")],
        ),
        # New Year's Day of 2022 was observed in the year before.
        ("US", "", "2021-12-30", "2021-12-31", [("2021-12-31", "New Year's Day (observed)")]),
        ("GB", "SCT", "2026-11-30", "2026-11-30", [("2026-11-30", "Saint Andrew's Day")]),
        ("GB", "ENG", "2026-11-30", "2026-11-30", []),
    ],
)
def test_the_holidays_of_a_place(
    country: str, subdivision: str, first: str, last: str, expected: list[tuple[str, str]]
) -> None:
    assert days(country, subdivision, first, last) == expected


@pytest.mark.parametrize(
    ("country", "subdivision", "year"),
    [("DE", "", 1800), ("DE", "", 2150), ("XX", "", 2026), ("DE", "XX", 2026), ("", "", 2026), ("", "BY", 2026)],
)
def test_what_is_not_known_has_no_holidays(country: str, subdivision: str, year: int) -> None:
    """An update of the package may drop a place; the rotas of its people go on."""
    assert public_holidays(country, subdivision, date(year, 1, 1), date(year, 12, 31)) == ()


@pytest.mark.parametrize(
    ("country", "subdivision"), [("DE", ""), ("DE", "BY"), ("GB", "ENG"), ("US", "CA"), ("VA", "")]
)
def test_places_that_are_known(country: str, subdivision: str) -> None:
    assert known(country, subdivision) is None


@pytest.mark.parametrize(
    ("country", "subdivision", "said"),
    [
        ("UK", "", "write one such as DE, GB or US"),
        ("XX", "BY", "write one such as DE, GB or US"),
        ("DE", "Bayern", "BB, BE, BW, BY,"),
        ("VA", "RM", "must be empty"),
    ],
)
def test_a_place_that_is_not_known_is_told_what_could_be_written(country: str, subdivision: str, said: str) -> None:
    assert said in (known(country, subdivision) or "")


def test_away_from_midnight_to_midnight_where_the_person_lives() -> None:
    found = holiday_away(ANA, "GB", "ENG", "Europe/London", at("2026-05-01T00:00:00Z"), at("2026-05-31T00:00:00Z"))
    assert found == (
        Away(ANA, at("2026-05-04T00:00:00+01:00"), at("2026-05-05T00:00:00+01:00"), "public holiday (May Day)"),
        Away(
            *(ANA, at("2026-05-25T00:00:00+01:00"), at("2026-05-26T00:00:00+01:00")),
            "public holiday (Spring Bank Holiday)",
        ),
    )


def test_a_holiday_on_which_the_clocks_change_is_as_long_as_that_day() -> None:
    """In Brandenburg Easter Sunday is one, and in 2027 it has 23 hours."""
    (found,) = holiday_away(ANA, "DE", "BB", "Europe/Berlin", at("2027-03-28T10:00:00Z"), at("2027-03-28T11:00:00Z"))
    assert found.ends_at - found.starts_at == 23 * HOUR


def test_only_what_touches_the_interval() -> None:
    start, end = at("2026-01-06T00:00:00+01:00"), at("2026-01-07T00:00:00+01:00")
    where = ("DE", "BY", "Europe/Berlin")
    assert len(holiday_away(ANA, *where, start, end)) == 1
    assert len(holiday_away(ANA, *where, start - HOUR, start + 1)) == 1
    assert len(holiday_away(ANA, *where, end - 1, end + HOUR)) == 1
    assert holiday_away(ANA, *where, start - DAY, start) == ()
    assert holiday_away(ANA, *where, end, end + DAY) == ()


def test_over_the_turn_of_the_year_on_the_persons_clock() -> None:
    """When it is still the old year in UTC, New Year's Day has begun in Auckland."""
    (found,) = holiday_away(ANA, "NZ", "", "Pacific/Auckland", at("2025-12-31T12:00:00Z"), at("2025-12-31T13:00:00Z"))
    assert found.why == "public holiday (New Year's Day)"


def test_a_date_that_a_zone_left_out_is_no_holiday() -> None:
    """Apia had no 30 December 2011; the day is not stretched over another."""
    found = holiday_away(ANA, "WS", "", "Pacific/Apia", at("2011-12-01T00:00:00Z"), at("2012-01-15T00:00:00Z"))
    assert all(one.ends_at - one.starts_at == DAY for one in found)


def test_a_zone_that_is_not_known_any_more_counts_as_utc() -> None:
    (found,) = holiday_away(ANA, "DE", "", "Mars/Base", at("2026-01-01T10:00:00Z"), at("2026-01-01T11:00:00Z"))
    assert (found.starts_at, found.ends_at) == (at("2026-01-01T00:00:00Z"), at("2026-01-02T00:00:00Z"))


def test_the_package_is_loaded_at_the_first_question_and_speaks_english_everywhere() -> None:
    """It costs 0.1 s and 12 MB; and replicas on machines with other languages say the same."""
    code = (
        "import sys, datetime, app.oncall.holidays as h\n"
        "before = 'holidays' in sys.modules\n"
        "print(before, h.public_holidays('DE', 'BY', datetime.date(2026, 1, 6), datetime.date(2026, 1, 6))[0][1])\n"
    )
    environment = {**os.environ, "LANGUAGE": "de", "LANG": "de_DE.UTF-8", "LC_ALL": "de_DE.UTF-8"}
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=root, env=environment, capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.split("\n")[0] == "False Epiphany"

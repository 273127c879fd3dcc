"""Wall time and instants: missing hours move on, repeated hours overlap, and the order of times is never lost."""

import zoneinfo
from bisect import bisect_left
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from importlib.resources import files

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.clock import SECOND, to_datetime
from app.oncall.walltime import TZDATA_VERSION, UnknownZone, instant, last_instant, wall, walls, zone, zone_names
from tests.harness.rotas import ZONES, at

USUAL, MISSING, REPEATED = "usual", "missing", "repeated"


@pytest.mark.parametrize(
    ("name", "shown", "expected", "kind"),
    [
        ("Europe/Berlin", "2026-01-15 10:00", "2026-01-15T09:00:00Z", USUAL),
        ("Europe/Berlin", "2026-07-15 10:00", "2026-07-15T08:00:00Z", USUAL),
        ("Europe/Berlin", "2026-03-29 01:59", "2026-03-29T00:59:00Z", USUAL),
        ("Europe/Berlin", "2026-03-29 02:00", "2026-03-29T01:00:00Z", MISSING),
        ("Europe/Berlin", "2026-03-29 02:30", "2026-03-29T01:00:00Z", MISSING),
        ("Europe/Berlin", "2026-03-29 02:59", "2026-03-29T01:00:00Z", MISSING),
        ("Europe/Berlin", "2026-03-29 03:00", "2026-03-29T01:00:00Z", USUAL),
        ("Europe/Berlin", "2026-10-25 02:00", "2026-10-25T00:00:00Z", REPEATED),
        ("Europe/Berlin", "2026-10-25 02:30", "2026-10-25T00:30:00Z", REPEATED),
        ("Europe/Berlin", "2026-10-25 03:00", "2026-10-25T02:00:00Z", USUAL),
        ("America/New_York", "2026-03-08 02:30", "2026-03-08T07:00:00Z", MISSING),
        ("America/New_York", "2026-11-01 01:30", "2026-11-01T05:30:00Z", REPEATED),
        # Lord Howe turns by half an hour.
        ("Australia/Lord_Howe", "2026-10-04 02:15", "2026-10-03T15:30:00Z", MISSING),
        ("Australia/Lord_Howe", "2026-10-04 02:30", "2026-10-03T15:30:00Z", USUAL),
        ("Australia/Lord_Howe", "2026-04-05 01:45", "2026-04-04T14:45:00Z", REPEATED),
        ("Australia/Lord_Howe", "2026-04-05 02:00", "2026-04-04T15:30:00Z", USUAL),
        # Apia went from 2011-12-29 24:00 at -10 to 2011-12-31 00:00 at +14.
        ("Pacific/Apia", "2011-12-29 23:59", "2011-12-30T09:59:00Z", USUAL),
        ("Pacific/Apia", "2011-12-30 00:00", "2011-12-30T10:00:00Z", MISSING),
        ("Pacific/Apia", "2011-12-30 17:00", "2011-12-30T10:00:00Z", MISSING),
        ("Pacific/Apia", "2011-12-31 00:00", "2011-12-30T10:00:00Z", USUAL),
        # Lebanon turns at midnight; in 2023 it did so on the old date after all.
        ("Asia/Beirut", "2023-03-26 00:00", "2023-03-25T22:00:00Z", MISSING),
        ("Asia/Beirut", "2023-03-26 00:30", "2023-03-25T22:00:00Z", MISSING),
        ("Asia/Beirut", "2023-04-10 09:00", "2023-04-10T06:00:00Z", USUAL),
        ("Asia/Beirut", "2023-10-28 23:30", "2023-10-28T20:30:00Z", REPEATED),
        ("Asia/Beirut", "2023-10-29 00:00", "2023-10-28T22:00:00Z", USUAL),
        # St John's went back at 00:01, from one day into the day before.
        ("America/St_Johns", "2010-11-06 23:30", "2010-11-07T02:00:00Z", REPEATED),
        ("America/St_Johns", "2010-11-07 00:00", "2010-11-07T02:30:00Z", REPEATED),
        ("America/St_Johns", "2010-11-07 00:01", "2010-11-07T03:31:00Z", USUAL),
        # Troll turns by two hours; Casablanca turns back for Ramadan; Caracas moved for good.
        ("Antarctica/Troll", "2026-03-29 02:45", "2026-03-29T01:00:00Z", MISSING),
        ("Africa/Casablanca", "2026-02-15 02:30", "2026-02-15T01:30:00Z", REPEATED),
        ("America/Caracas", "2016-05-01 02:45", "2016-05-01T07:00:00Z", MISSING),
    ],
)
def test_a_missing_time_is_the_next_valid_instant_and_a_repeated_one_its_first_occurrence(name, shown, expected, kind):
    moment = instant(zone(name), datetime.fromisoformat(shown))
    assert moment == at(expected)
    shown_then = to_datetime(moment).astimezone(zone(name)).replace(tzinfo=None)
    assert (shown_then > datetime.fromisoformat(shown)) == (kind == MISSING)


@pytest.mark.parametrize(
    ("name", "shown", "expected"),
    [
        ("Europe/Berlin", "2026-01-15 10:00", "2026-01-15T09:00:00Z"),
        ("Europe/Berlin", "2026-03-29 02:30", "2026-03-29T01:00:00Z"),
        ("Europe/Berlin", "2026-10-25 01:59", "2026-10-24T23:59:00Z"),
        ("Europe/Berlin", "2026-10-25 02:00", "2026-10-25T01:00:00Z"),
        ("Europe/Berlin", "2026-10-25 02:30", "2026-10-25T01:30:00Z"),
        ("Europe/Berlin", "2026-10-25 03:00", "2026-10-25T02:00:00Z"),
        ("America/New_York", "2026-11-01 01:30", "2026-11-01T06:30:00Z"),
        ("Australia/Lord_Howe", "2026-04-05 01:45", "2026-04-04T15:15:00Z"),
        ("Asia/Beirut", "2023-10-28 23:30", "2023-10-28T21:30:00Z"),
        ("America/St_Johns", "2010-11-07 00:00", "2010-11-07T03:30:00Z"),
        ("America/St_Johns", "2010-11-06 23:30", "2010-11-07T03:00:00Z"),
        ("Pacific/Apia", "2011-12-30 17:00", "2011-12-30T10:00:00Z"),
        ("Africa/Casablanca", "2026-02-15 02:30", "2026-02-15T02:30:00Z"),
    ],
)
def test_the_last_instant_of_a_repeated_time_is_its_second_occurrence_and_of_any_other_its_only_one(
    name, shown, expected
):
    moment = last_instant(zone(name), datetime.fromisoformat(shown))
    assert moment == at(expected)
    assert moment >= instant(zone(name), datetime.fromisoformat(shown))


@pytest.mark.parametrize(
    ("moment", "last", "first"),
    [
        ("2026-10-24T23:59:59Z", "2026-10-25 01:59:59", "2026-10-25 01:59:59"),
        ("2026-10-25T00:00:00Z", "2026-10-25 01:59:59.999999", "2026-10-25 02:00:00"),
        ("2026-10-25T00:30:00Z", "2026-10-25 01:59:59.999999", "2026-10-25 02:30:00"),
        ("2026-10-25T01:00:00Z", "2026-10-25 02:00:00", "2026-10-25 02:59:59.999999"),
        ("2026-10-25T01:30:00Z", "2026-10-25 02:30:00", "2026-10-25 02:59:59.999999"),
        ("2026-10-25T02:00:00Z", "2026-10-25 03:00:00", "2026-10-25 03:00:00"),
        ("2026-03-29T00:59:59Z", "2026-03-29 01:59:59", "2026-03-29 01:59:59"),
        ("2026-03-29T01:00:00Z", "2026-03-29 03:00:00", "2026-03-29 03:00:00"),
    ],
)
def test_the_last_clock_stands_through_the_first_of_a_repeated_hour_and_the_first_clock_through_the_second(
    moment, last, first
):
    expected = (datetime.fromisoformat(last), datetime.fromisoformat(first))
    assert walls(zone("Europe/Berlin"), at(moment)) == expected


@pytest.mark.parametrize(
    ("moment", "shown"),
    [
        ("2026-10-25T00:30:00Z", "2026-10-25 02:30:00"),
        ("2026-10-25T00:59:59Z", "2026-10-25 02:59:59"),
        ("2026-10-25T01:00:00Z", "2026-10-25 02:59:59.999999"),
        ("2026-10-25T01:59:59Z", "2026-10-25 02:59:59.999999"),
        ("2026-10-25T02:00:00Z", "2026-10-25 03:00:00"),
        ("2026-03-29T00:59:59Z", "2026-03-29 01:59:59"),
        ("2026-03-29T01:00:00Z", "2026-03-29 03:00:00"),
    ],
)
def test_the_clock_jumps_over_a_missing_hour_and_stands_through_the_second_of_a_repeated_one(moment, shown):
    assert wall(zone("Europe/Berlin"), at(moment)) == datetime.fromisoformat(shown)


def _changes(name: str, first_year: int, last_year: int) -> list[int]:
    """Every second at which the zone's offset changed, found by looking at each day and halving."""
    rules, day = zone(name), 86_400

    def offset(second: int) -> timedelta | None:
        return datetime.fromtimestamp(second, rules).utcoffset()

    start = int(datetime(first_year, 1, 1, tzinfo=UTC).timestamp())
    end = int(datetime(last_year + 1, 1, 1, tzinfo=UTC).timestamp())
    return [
        low + bisect_left(range(day), True, key=lambda second, low=low: offset(low + second) != offset(low))
        for low in range(start, end, day)
        if offset(low) != offset(low + day)
    ]


CHANGES = [(name, second) for name in ZONES for second in _changes(name, 2009, 2012) + _changes(name, 2022, 2027)]


@given(
    change=st.sampled_from(CHANGES),
    before=st.integers(-26 * 3600 * SECOND, 26 * 3600 * SECOND),
    shown=st.timedeltas(timedelta(hours=-50), timedelta(hours=50)),
)
def test_a_wall_time_has_come_exactly_when_the_clock_has_reached_it(change, before, shown):
    name, second = change
    moment = second * SECOND + before
    time_asked = wall(zone(name), second * SECOND) + shown
    last, first = walls(zone(name), moment)
    assert (instant(zone(name), time_asked) <= moment) == (time_asked <= first)
    assert (last_instant(zone(name), time_asked) <= moment) == (time_asked <= last)


@given(st.sampled_from(ZONES), st.integers(at("2014-01-01T00:00:00Z"), at("2037-01-01T00:00:00Z")))
def test_an_instant_is_found_again_to_the_microsecond_unless_the_clock_stands_then(name, moment):
    last, first = walls(zone(name), moment)
    if last == first:
        assert instant(zone(name), first) == last_instant(zone(name), last) == moment
    elif to_datetime(moment).astimezone(zone(name)).fold:
        assert instant(zone(name), first) < moment == last_instant(zone(name), last)
    else:
        assert instant(zone(name), first) == moment < last_instant(zone(name), first)


@given(change=st.sampled_from(CHANGES), steps=st.lists(st.integers(0, 9 * 3600), min_size=2, max_size=20))
def test_neither_clock_ever_goes_back(change, steps):
    name, second = change
    moments = [second - 26 * 3600 + sum(steps[:count]) for count in range(len(steps))]
    for held in (0, 1):
        shown = [walls(zone(name), moment * SECOND)[held] for moment in moments]
        assert shown == sorted(shown)


def test_every_zone_of_the_package_can_be_read():
    assert {zone(name).key for name in zone_names()} == zone_names()
    assert {"Europe/Berlin", "US/Eastern", "UTC", "Asia/Kolkata"} <= zone_names()


def test_the_version_of_the_zone_rules_is_named_as_iana_names_it():
    year, release = version("tzdata").split(".")[:2]
    assert f"{year}{chr(ord('a') + int(release) - 1)}" == TZDATA_VERSION


def test_zones_never_come_from_the_files_of_the_machine(tmp_path):
    """The stdlib looks there first, so that two replicas could disagree and the named version would be wrong."""
    (tmp_path / "Europe").mkdir()
    with files("tzdata").joinpath("zoneinfo", "Asia", "Tokyo").open("rb") as tokyo:
        (tmp_path / "Europe" / "Berlin").write_bytes(tokyo.read())
    zoneinfo.reset_tzpath(to=[str(tmp_path)])
    try:
        fresh = zone.__wrapped__("Europe/Berlin")
    finally:
        zoneinfo.reset_tzpath()
    assert instant(fresh, datetime.fromisoformat("2026-01-15 10:00")) == at("2026-01-15T09:00:00Z")


@pytest.mark.parametrize(
    "name", ["", "Berlin", "europe/berlin", "+02:00", "Factory", "../zones", "/etc/localtime", "Europe", "x" * 5000]
)
def test_what_is_no_zone_is_refused_by_name(name):
    with pytest.raises(UnknownZone) as refused:
        zone(name)
    assert repr(name[:80]) in str(refused.value)
    assert len(str(refused.value)) < 250

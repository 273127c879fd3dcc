"""What calendar files say: those that the usual programs write, and those that nobody should have to read."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from app.clock import DAY, HOUR, Micros, iso
from app.ids import PersonId
from app.oncall.ical_people import Match
from app.oncall.ical_read import Found, Unreadable, read
from tests.harness.rotas import at

SAMPLES = Path(__file__).parent.parent / "data" / "ical"
ANA, BEN, CLEO, DAN, BOB = map(PersonId, range(1, 6))
PEOPLE = (
    (ANA, "Ana", "ana@example.org"),
    (BEN, "Ben", "ben@example.org"),
    (CLEO, "Cleo", "cleo@example.org"),
    (DAN, "Dan", ""),
    (BOB, "Robert Miller", "b.miller@example.org"),
)
START, END = at("2026-03-01T00:00:00Z"), at("2026-05-01T00:00:00Z")
NOBODY = "no known person's e-mail address, mapped text or name stands in it"

Row = tuple[str, str, tuple[int, ...], str]


def sample(name: str, **how: Any) -> Found:
    return read((SAMPLES / f"{name}.ics").read_bytes(), START, END, "Europe/Berlin", Match.of(PEOPLE, **how))


def rows(found: Found) -> list[Row]:
    return [(iso(one.starts_at)[:16], iso(one.ends_at)[:16], one.people, one.event) for one in found.occurrences]


def said(found: Found) -> list[tuple[str, str]]:
    return [(note.event, note.reason) for note in found.notes]


def event(*lines: str, uid: object = 1, title: str = "Ana", start: str = "20260305T100000Z", hours: int = 1) -> str:
    end = f"{start[:9]}{int(start[9:11]) + hours:02}{start[11:]}"
    return "\r\n".join(
        ["BEGIN:VEVENT", f"UID:{uid}", f"DTSTART:{start}", f"DTEND:{end}", f"SUMMARY:{title}", *lines, "END:VEVENT", ""]
    )


def file(*parts: str) -> bytes:
    return f"BEGIN:VCALENDAR\r\n{''.join(parts)}END:VCALENDAR\r\n".encode()


def reading(*parts: str, zone: str = "Europe/Berlin", start: Micros = START, end: Micros = END) -> Found:
    return read(file(*parts), start, end, zone, Match.of(PEOPLE))


def test_a_google_calendar() -> None:
    """Every other week with one left out and one moved; local time over a change of the clocks; days in its own zone."""
    found = sample("google")
    assert rows(found) == [
        ("2026-03-02T09:00", "2026-03-09T09:00", (ANA,), "On call"),
        ("2026-03-10T09:00", "2026-03-10T17:00", (BEN,), "Ben covers the day"),
        ("2026-03-11T23:00", "2026-03-13T23:00", (CLEO, BEN), "Cleo and Ben: release days"),
        ("2026-03-17T09:00", "2026-03-23T09:00", (ANA,), "On call (a day later)"),
        ("2026-03-30T08:00", "2026-04-06T08:00", (ANA,), "On call"),
        ("2026-04-27T08:00", "2026-05-04T08:00", (ANA,), "On call"),
    ]
    assert said(found) == [("Offsite, office closed", NOBODY)]


def test_an_exchange_calendar() -> None:
    """Windows names of zones, a zone that only the file knows, one that nobody knows; who declined is not on call."""
    found = sample("exchange")
    assert rows(found) == [
        ("2026-03-04T23:00", "2026-03-05T23:00", (ANA,), "Ana, all day"),
        ("2026-03-10T13:00", "2026-03-10T21:00", (CLEO,), "Watch"),
        ("2026-03-27T21:00", "2026-03-28T05:00", (BEN,), "Night watch: Ben"),
        ("2026-03-28T21:00", "2026-03-29T04:00", (BEN,), "Night watch: Ben"),
        ("2026-03-29T20:00", "2026-03-30T04:00", (BEN,), "Night watch: Ben"),
        ("2026-03-30T20:00", "2026-03-31T04:00", (BEN,), "Night watch: Ben"),
    ]
    assert said(found) == [
        ("Ana in a place nobody knows", "its time zone 'Atlantis Standard Time' is not known; use an IANA name")
    ]


def test_a_nextcloud_calendar() -> None:
    """A duration in place of an end, an instance called off, a floating time in the zone that was set, tasks left out."""
    assert rows(sample("nextcloud")) == [
        ("2026-03-08T01:00", "2026-03-08T12:00", (CLEO,), "nights / cleo"),
        ("2026-03-09T00:00", "2026-03-09T12:00", (CLEO,), "nights / cleo"),
        ("2026-03-10T08:00", "2026-03-10T16:00", (DAN,), "day / dan"),
        ("2026-03-16T00:00", "2026-03-16T12:00", (CLEO,), "nights / cleo"),
    ]


@pytest.mark.parametrize(
    ("name", "people"), [("pagerduty", [(ANA,), (BEN,)]), ("opsgenie", [(ANA,), (BOB,)])], ids=["pagerduty", "opsgenie"]
)
def test_exports_of_other_tools(name: str, people: list[tuple[int, ...]]) -> None:
    """Addresses find people, as attendees or in the title."""
    found = sample(name)
    assert [one.people for one in found.occurrences] == people
    assert not found.notes


def test_a_calendar_of_leave() -> None:
    """Whole days keep their dates, both included; who wrote an event is whose leave it is, in a calendar of absences."""
    found = sample("leave", organizers=True)
    days = [
        (one.first_day and one.first_day.isoformat(), one.last_day and one.last_day.isoformat())
        for one in found.occurrences
    ]
    assert days == [
        ("2026-03-06", "2026-03-06"),
        ("2026-03-13", "2026-03-13"),
        ("2026-03-20", "2026-03-20"),
        ("2026-03-27", "2026-03-31"),
    ]
    assert [one.people for one in found.occurrences] == [(BEN,), (BEN,), (BEN,), (ANA,)]
    assert said(found) == [("Company holiday", NOBODY)]
    # The clocks go forward on 29 March: five days and an hour less.
    assert found.occurrences[-1].ends_at - found.occurrences[-1].starts_at == 5 * DAY - HOUR


def test_who_writes_shifts_for_all_is_not_on_call() -> None:
    assert ("Vacation", NOBODY) in said(sample("leave"))


def test_a_file_of_its_own_zones_says_nothing_about_the_next() -> None:
    """Two files may call two zones by one name."""
    zone = (
        "BEGIN:VTIMEZONE\r\nTZID:Here\r\nBEGIN:STANDARD\r\nDTSTART:19700101T000000\r\n"
        "TZOFFSETFROM:{0}\r\nTZOFFSETTO:{0}\r\nEND:STANDARD\r\nEND:VTIMEZONE\r\n"
    )
    one = event().replace("DTSTART:20260305T100000Z", "DTSTART;TZID=Here:20260305T100000")
    starts = [reading(zone.format(offset), one).occurrences[0].starts_at for offset in ("+0100", "+0500", "+0100")]
    assert starts == [at("2026-03-05T09:00:00Z"), at("2026-03-05T05:00:00Z"), at("2026-03-05T09:00:00Z")]
    assert said(reading(one))[0][1].startswith("its time zone 'Here' is not known")


def test_a_known_zone_is_ours_whatever_the_file_says_of_it() -> None:
    lying = (
        "BEGIN:VTIMEZONE\r\nTZID:Europe/Berlin\r\nBEGIN:STANDARD\r\nDTSTART:19700101T000000\r\n"
        "TZOFFSETFROM:+0900\r\nTZOFFSETTO:+0900\r\nEND:STANDARD\r\nEND:VTIMEZONE\r\n"
    )
    for name in ("Europe/Berlin", "/freeassociation.sourceforge.net/Europe/Berlin", "W. Europe Standard Time"):
        one = event().replace("DTSTART:20260305T100000Z", f"DTSTART;TZID={name}:20260305T100000")
        assert reading(lying, one).occurrences[0].starts_at == at("2026-03-05T09:00:00Z"), name


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        # Berlin, 29 March 2026: 02:00 to 03:00 is missing. The next valid instant is 03:00, 01:00 UTC.
        ("20260329T023000", "20260329T060000", ("2026-03-29T01:00", "2026-03-29T04:00")),
        ("20260329T000000", "20260329T023000", ("2026-03-28T23:00", "2026-03-29T01:00")),
        # 25 October 2026: 02:00 to 03:00 comes twice. A start is the first of them, an end the second.
        ("20261025T023000", "20261025T060000", ("2026-10-25T00:30", "2026-10-25T05:00")),
        ("20261025T000000", "20261025T023000", ("2026-10-24T22:00", "2026-10-25T01:30")),
    ],
)
@pytest.mark.parametrize("how", ["floating", "iana", "own"])
def test_times_that_are_missing_or_come_twice(start: str, end: str, expected: tuple[str, str], how: str) -> None:
    zone = (SAMPLES / "exchange.ics").read_text().partition("BEGIN:VEVENT")[0].replace("\n", "\r\n")
    zone = zone[zone.index("BEGIN:VTIMEZONE") :].replace("W. Europe Standard Time", "Mine")
    tzid = {"floating": "", "iana": ";TZID=Europe/Berlin", "own": ";TZID=Mine"}[how]
    one = f"BEGIN:VEVENT\r\nUID:1\r\nSUMMARY:Ana\r\nDTSTART{tzid}:{start}\r\nDTEND{tzid}:{end}\r\nEND:VEVENT\r\n"
    found = reading(zone if how == "own" else "", one, end=at("2026-12-01T00:00:00Z"))
    assert [row[:2] for row in rows(found)] == [expected]


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York", ""])
def test_a_repetition_of_times_until_a_day_has_that_day_too(zone: str) -> None:
    tzid = f";TZID={zone}" if zone else ""
    one = f"BEGIN:VEVENT\r\nUID:1\r\nSUMMARY:Ana\r\nDTSTART{tzid}:20260302T220000\r\nDTEND{tzid}:20260303T060000\r\n"
    found = reading(f"{one}RRULE:FREQ=DAILY;UNTIL=20260304\r\nEND:VEVENT\r\n")
    assert len(found.occurrences) == 3


def test_a_day_that_ends_on_itself_is_that_day() -> None:
    """So many programs write a leave of one day: DTEND should be the day after."""
    one = "BEGIN:VEVENT\r\nUID:1\r\nSUMMARY:Ana\r\nDTSTART;VALUE=DATE:20260305\r\nDTEND;VALUE=DATE:20260305\r\nEND:VEVENT\r\n"
    found = reading(one)
    assert rows(found) == [("2026-03-04T23:00", "2026-03-05T23:00", (ANA,), "Ana")]
    (day,) = found.occurrences
    assert (day.first_day, day.last_day) == (date(2026, 3, 5), date(2026, 3, 5))


def test_a_line_folded_in_the_middle_of_a_letter_is_put_together() -> None:
    """RFC 5545, 3.1: simple programs count bytes."""
    body = file(event(title="Jürgen")).replace("ü".encode(), b"\xc3\r\n \xbc")
    found = read(body, START, END, "UTC", Match.of([(ANA, "Jürgen", "")]))
    assert [(one.people, one.event) for one in found.occurrences] == [((ANA,), "Jürgen")]


def test_an_event_that_another_of_its_uid_hides_is_named() -> None:
    """A new version of an event replaces the one before; two that are equal are a fault of the file."""
    earlier, later = event(title="Ana"), event(title="Ben", start="20260306T100000Z")
    assert said(reading(earlier, later)) == [("Ben", "an event before it has the same UID")]
    newer = event("SEQUENCE:1", title="Ben", start="20260306T100000Z")
    assert (said(found := reading(earlier, newer)), [one.people for one in found.occurrences]) == ([], [(BEN,)])


def test_an_endless_repetition_is_read_for_the_interval() -> None:
    found = reading(event("RRULE:FREQ=DAILY", start="20100101T100000Z"))
    assert len(found.occurrences) == 61


def test_a_cancelled_series_and_an_empty_event_count_for_nobody() -> None:
    assert rows(reading(event("RRULE:FREQ=DAILY", "STATUS:CANCELLED"))) == []
    assert said(reading(event(hours=0))) == [("Ana", "it has no length")]


REFUSED = {
    "SECONDLY": "it repeats SECONDLY; DAILY is the most that is read",
    "MINUTELY;COUNT=999999999": "it repeats MINUTELY; DAILY is the most that is read",
    "HOURLY": "it repeats HOURLY; DAILY is the most that is read",
    "DAILY;INTERVAL=0": "it repeats every 0 days, or by something that is no number",
    "DAILY;BYHOUR=1,2,3;BYMINUTE=1,2,3,4,5,6,7,8,9": "it repeats 27 times a day; 24 is the most that is read",
}


@pytest.mark.parametrize("rule", REFUSED)
def test_a_repetition_without_end_in_reach_is_refused(rule: str) -> None:
    """One event is left out with its reason; its neighbour counts."""
    found = reading(event(f"RRULE:FREQ={rule}", uid=1, title="Ben"), event(uid=2))
    assert said(found) == [("Ben", REFUSED[rule])]
    assert [one.people for one in found.occurrences] == [(ANA,)]


@pytest.mark.parametrize(
    "rule",
    [
        "DAILY;INTERVAL=7;BYDAY=TU",
        "MONTHLY;INTERVAL=12;BYMONTH=1;BYMONTHDAY=5",
        "YEARLY;BYMONTH=13",
    ],
)
def test_repetitions_that_never_come_true_are_few(rule: str) -> None:
    """Each is followed to the year 9999: a file of a thousand of them would take hours."""
    found = reading(*(event(f"RRULE:FREQ={rule}", uid=uid) for uid in range(1_000)))
    assert [reason for _, reason in said(found)] == [
        "laying out how it repeats takes too long; give it a later start or an end"
    ]
    assert found.notes[0].times > 900


def test_old_repetitions_that_have_ended_cost_nothing() -> None:
    old = (event("RRULE:FREQ=WEEKLY;UNTIL=20110101T000000Z", uid=uid, start="20000305T100000Z") for uid in range(3_000))
    found = reading(*old, event(uid="now"))
    assert len(found.occurrences) == 1
    assert not found.notes


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "it does not begin with BEGIN:VCALENDAR"),
        (bytes(range(256)) * 100, "it does not begin with BEGIN:VCALENDAR"),
        (b"\n<!DOCTYPE html><html>Sign in</html>", "a web page and no calendar"),
        (b"BEGIN:VCALENDAR\r\n" + b"X" * 50_000_000, "larger than 5 MB"),
        (file(event())[:-20], "not well formed"),
        (file(event())[:-17], "cut off"),
        (b"BEGIN:VCALENDAR\r\n" + b"BEGIN:VEVENT\r\n" * 300_000, "cut off"),
        (b"BEGIN:VCALENDAR\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n", "not well formed"),
        (b"BEGIN:VCALENDAR" + b"\r\n " * 1_500_000, "cut off"),
        (file(event("ATTENDEE;" + "A=" * 60_000 + ":x")), "more about its events than can be read"),
        (file(event(*["ATTENDEE:x"] * 100_001)), "more about its events than can be read"),
    ],
    ids=["empty", "bytes", "web page", "50 MB", "bad end", "cut off", "depth", "end", "folds", "long line", "lines"],
)
def test_what_is_no_calendar_is_said_so(body: bytes, reason: str) -> None:
    with pytest.raises(Unreadable, match=reason):
        read(body, START, END, "UTC", Match.of(PEOPLE))


def test_ten_thousand_events_are_too_many() -> None:
    with pytest.raises(Unreadable, match="more than 5,000 events"):
        reading(*(event(uid=uid) for uid in range(10_000)))


def test_so_are_twenty_thousand_times() -> None:
    with pytest.raises(Unreadable, match="more than 20,000 events in the time that is read"):
        reading(*(event("RRULE:FREQ=DAILY", uid=uid) for uid in range(400)))


def test_nested_events_are_not_events() -> None:
    """Whatever is not where it belongs is not even looked at."""
    inner = event(uid=2, title="Ben")
    deep = "BEGIN:VEVENT\r\n" * 5_000 + "END:VEVENT\r\n" * 5_000
    found = reading(event(inner.rstrip("\r\n")), f"BEGIN:VTODO\r\n{deep}END:VTODO\r\n")
    assert [one.people for one in found.occurrences] == [(ANA,)]


@pytest.mark.parametrize(
    "broken",
    [
        "BEGIN:VEVENT\r\nUID:2\r\nSUMMARY:Ben\r\nEND:VEVENT\r\n",
        "BEGIN:VEVENT\r\nUID:2\r\nSUMMARY:Ben\r\nDTSTART:yesterday\r\nEND:VEVENT\r\n",
        "BEGIN:VEVENT\r\nUID:2\r\nSUMMARY:Ben\r\nDTSTART:20260305T100000Z\r\nDTEND:99999999\r\nEND:VEVENT\r\n",
        "BEGIN:VEVENT\r\nUID:2\r\nSUMMARY:Ben\r\nDTSTART:20260305T100000Z\r\nDURATION:P99999999D\r\nEND:VEVENT\r\n",
        event("RRULE:FREQ=WEEKLY;BYDAY=XX", uid=2, title="Ben"),
        event("RRULE:FREQ=DAILY;UNTIL=never", uid=2, title="Ben"),
        event("EXDATE:nonsense", "RRULE:FREQ=DAILY", uid=2, title="Ben"),
        event("RECURRENCE-ID:nonsense", uid=2, title="Ben"),
    ],
)
def test_one_broken_event_hides_no_other(broken: str) -> None:
    found = reading(broken, event(uid=1))
    assert (ANA,) in [one.people for one in found.occurrences]
    assert {note.event for note in found.notes} <= {"Ben"}


def test_a_zone_of_notes_says_the_hour_of_its_changes() -> None:
    """HCL (Lotus) Notes calls its zones by names of its own, so its rules are followed."""
    part = "BEGIN:{0}\r\nDTSTART:1950{1}T020000\r\nTZOFFSETFROM:{2}\r\nTZOFFSETTO:{3}\r\n"
    rule = "RRULE:FREQ=YEARLY;BYMINUTE=0;BYHOUR=2;BYDAY={4};BYMONTH={5}\r\nEND:{0}\r\n"
    standard = (part + rule).format("STANDARD", "1105", "-0700", "-0800", "1SU", "11")
    daylight = (part + rule).format("DAYLIGHT", "0312", "-0800", "-0700", "2SU", "3")
    zone = f"BEGIN:VTIMEZONE\r\nTZID:Pacific\r\n{standard}{daylight}END:VTIMEZONE\r\n"
    one = event().replace("DTSTART:20260305T100000Z", 'DTSTART;TZID="Pacific":20260305T100000')
    one = one.replace("DTEND:20260305T110000Z", 'DTEND;TZID="Pacific":20260310T100000')
    assert [row[:2] for row in rows(reading(zone, one))] == [("2026-03-05T18:00", "2026-03-10T17:00")]


def test_a_zone_that_changes_every_second_is_refused() -> None:
    zone = (
        "BEGIN:VTIMEZONE\r\nTZID:Mine\r\nBEGIN:STANDARD\r\nDTSTART:16010101T000000\r\nTZOFFSETFROM:+0100\r\n"
        "TZOFFSETTO:+0200\r\nRRULE:FREQ={}\r\nEND:STANDARD\r\nEND:VTIMEZONE\r\n"
    )
    for rule in ("SECONDLY", "YEARLY;BYHOUR=1,2,3", "YEARLY;INTERVAL=0"):
        with pytest.raises(Unreadable, match="its time zone 'Mine' changes by rules that can't be followed"):
            reading(zone.format(rule), event())
    many = (zone.format("YEARLY").replace("Mine", f"Mine {place}") for place in range(21))
    with pytest.raises(Unreadable, match="more than 20 time zones"):
        reading(*many, event())


def test_notes_are_few_however_many_events_are_left_out() -> None:
    found = reading(*(event(uid=uid, title=f"Stranger {uid}") for uid in range(2_500)))
    assert len(found.notes) == 100
    assert found.notes_more == 2_400


def test_titles_are_cut_and_carry_no_control_characters() -> None:
    found = reading(event(title="Ana\x1b[2J\x00 " + "x" * 5_000))
    (one,) = found.occurrences
    assert len(one.event) == 200
    assert one.event.isprintable()


TITLES = (
    ("ana", (ANA,)),
    ("On call: ANA (primary)", (ANA,)),
    ("Ana/Ben", (ANA, BEN)),
    ("Robert   Miller!", (BOB,)),
    ("Robert", ()),
    ("Anastasia", ()),
    ("Banana", ()),
    ("Duty B.Miller@example.org, please", (BOB,)),
    ("the SRE of the week", ()),
)


@pytest.mark.parametrize(("title", "people"), TITLES)
def test_names_count_as_whole_words(title: str, people: tuple[int, ...]) -> None:
    assert Match.of(PEOPLE).people(title) == people


def test_texts_come_before_names_and_the_longest_first() -> None:
    match = Match.of(PEOPLE, {"Ana": CLEO, "Ana B": DAN, "the new one": BEN})
    assert match.people("Ana") == (CLEO,)
    assert match.people("Ana B.") == (DAN,)
    assert match.people("Ana, the NEW one") == (CLEO, BEN)
    assert match.people("Dan") == (DAN,)
    assert match.people("Ana", ["mailto:BEN@example.org"]) == (BEN,)


def test_a_personal_calendar_is_all_theirs() -> None:
    """Ben's farewell in Ana's calendar is not Ben's absence."""
    match = Match.of(PEOPLE, {"cover": DAN}, everything=ANA)
    assert match.people("Ben's farewell", ["ben@example.org"]) == (ANA,)
    assert match.people("Cover for Ben") == (DAN,)


def test_what_two_people_share_finds_neither() -> None:
    match = Match.of([(ANA, "Ana", "team@example.org"), (BEN, "Ben", "team@example.org"), (CLEO, "ANA", "")])
    assert match.people("shift", ["team@example.org"]) == ()
    assert match.people("Ana") == ()
    assert match.people("Ben") == (BEN,)

"""A schedule as a document: what was written is read back the same, and what is wrong is refused by its path."""

from copy import deepcopy
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from app.oncall.codec import (
    from_document,
    override_from_document,
    override_to_document,
    standing_from_document,
    standing_to_document,
    to_document,
    why_from_document,
    why_to_document,
)
from app.oncall.document import OverrideDocument, ScheduleDocument
from app.oncall.rota import ByCalendar, ByLayer, ByOverride, Debt, Duty, Standing, Stint
from app.oncall.schedule import MAX_LAYERS, BadField, CalendarLayer, Limits, Override, OverrideId, Schedule
from tests.harness.rotas import (
    ANA,
    BEN,
    DAN,
    NIGHTS_OF_CHANGE,
    SAT,
    SUN,
    at,
    daily,
    override,
    override_sets,
    schedules,
    turning,
    weekly,
    window,
)

LARGE_ID = 395_000_000_000_000_003
"""Above 2^53: a JSON number that a browser would round."""
LARGE_CALENDAR = 395_000_000_000_000_007

DOCUMENT = {
    "time_zone": "Europe/Berlin",
    "layers": [
        {
            "name": "primary",
            "participants": ["1", "2", "395000000000000003"],
            "unit": "week",
            "length": 1,
            "start_date": "2026-01-05",
            "handoff": "10:00",
            "restrictions": [],
            "starts_at": None,
            "ends_at": "2026-06-30T22:00:00.000001Z",
            "roles": ["primary"],
            "advance": 1,
        },
        {
            "name": "weekend nights",
            "participants": ["2", "4", "1"],
            "unit": "month",
            "length": [2, 1],
            "start_date": "2026-01-03",
            "handoff": "00:00",
            "restrictions": [{"weekdays": ["sat", "sun"], "start": "22:00", "end": "06:00"}],
            "starts_at": "2026-01-01T00:00:00Z",
            "ends_at": None,
            "roles": ["primary", "primary", "backup"],
            "advance": 3,
        },
        {
            "name": "from the wiki",
            "calendar": "395000000000000007",
            "role": "expert",
            "starts_at": None,
            "ends_at": "2026-06-30T22:00:00Z",
        },
    ],
    "limits": {"nights_in_7_days": 3, "rest_after_paged_night_h": None},
}

SCHEDULE = Schedule(
    "Europe/Berlin",
    (
        replace(
            weekly("primary", "2026-01-05", "10:00", ANA, BEN, LARGE_ID),
            ends_at=at("2026-06-30T22:00:00.000001Z"),
        ),
        replace(
            turning(
                "weekend nights",
                "month",
                (2, 1),
                "2026-01-03",
                "00:00",
                BEN,
                DAN,
                ANA,
                only=(window("22:00", "06:00", SAT, SUN),),
                roles=("primary", "primary", "backup"),
                advance=3,
            ),
            starts_at=at("2026-01-01T00:00:00Z"),
        ),
        CalendarLayer("from the wiki", LARGE_CALENDAR, "expert", ends_at=at("2026-06-30T22:00:00Z")),
    ),
    Limits(nights_in_7_days=3),
)


def test_the_keys_of_the_document_stay_what_they_are():
    assert to_document(SCHEDULE) == DOCUMENT
    assert from_document(DOCUMENT) == SCHEDULE


def test_what_may_be_left_out_has_a_plain_meaning():
    """No restrictions is always, no weekdays is every day, no validity is for ever; ids may be numbers."""
    short = {
        "time_zone": "UTC",
        "layers": [
            {
                "name": "a",
                "participants": [1],
                "unit": "day",
                "length": 1,
                "start_date": "2026-01-01",
                "handoff": "00:00",
                "restrictions": [{"start": "09:00", "end": "17:00"}],
            }
        ],
    }
    expected = Schedule("UTC", (daily("a", "2026-01-01", "00:00", ANA, only=(window("09:00", "17:00"),)),))
    assert from_document(short) == expected
    assert ScheduleDocument.model_validate(short).schedule() == expected


def test_instants_may_be_written_with_any_offset_and_mean_the_same():
    document = deepcopy(DOCUMENT)
    document["layers"][1]["starts_at"] = "2026-01-01 01:00:00+01:00"
    assert from_document(document) == SCHEDULE


def test_a_schedule_names_everybody_who_takes_turns():
    assert SCHEDULE.people() == {ANA, BEN, DAN, LARGE_ID}
    assert SCHEDULE.calendars() == {LARGE_CALENDAR}
    assert SCHEDULE.roles() == ("primary", "backup", "expert")


OLD = {
    "time_zone": "Europe/Berlin",
    "layers": [
        {
            "name": "primary",
            "participants": ["1", "2"],
            "unit": "week",
            "length": 1,
            "start_date": "2026-01-05",
            "handoff": "10:00",
            "restrictions": [],
            "starts_at": None,
            "ends_at": None,
        }
    ],
}
"""As it was written before layers had roles."""


def test_a_document_without_the_newer_keys_means_what_it_meant():
    schedule = from_document(OLD)
    assert schedule == Schedule("Europe/Berlin", (weekly("primary", "2026-01-05", "10:00", ANA, BEN),))
    assert ScheduleDocument.model_validate(OLD).schedule() == schedule
    written = to_document(schedule)["layers"][0]
    assert {key: written[key] for key in OLD["layers"][0]} == OLD["layers"][0]


WHYS = [
    (
        ByLayer("primary", 12),
        {"layer": "primary", "turn": 12, "how": "turn", "instead_of": None, "because": ""},
    ),
    (
        ByLayer("primary", 12, "stands_in", LARGE_ID, "on leave"),
        {"layer": "primary", "turn": 12, "how": "stands_in", "instead_of": str(LARGE_ID), "because": "on leave"},
    ),
    (ByOverride(OverrideId(LARGE_ID), None), {"override": str(LARGE_ID), "replaces": None, "beneath": ""}),
    (
        ByOverride(OverrideId(7), ANA, "primary"),
        {"override": "7", "replaces": "1", "beneath": "primary"},
    ),
    (ByCalendar("from the wiki", "Duty: Ana"), {"layer": "from the wiki", "event": "Duty: Ana"}),
]


@pytest.mark.parametrize(("why", "document"), WHYS)
def test_why_somebody_was_on_call_is_read_back_from_the_record(why, document):
    """What was written can always be read: these documents stay what they are."""
    assert why_to_document(why) == document
    assert why_from_document(document) == why
    assert why_from_document({**document, "of a later version": 1}) == why
    assert Duty(ANA, why_from_document(document)).source == Duty(ANA, why).source


def test_the_shortest_reasons_of_the_record_are_a_turn_and_an_override():
    assert why_from_document({"layer": "primary", "turn": 3}) == ByLayer("primary", 3)
    assert why_from_document({"override": "7"}) == ByOverride(OverrideId(7), None)


def test_what_a_layer_remembers_is_read_back():
    standing = Standing(
        12,
        (Debt(ANA, LARGE_ID, 10, 7, whole=True), Debt(BEN, ANA, 11, 2)),
        (Stint(11, 1, 0, 2, ANA),),
    )
    document = standing_to_document(standing)
    assert standing_from_document(document) == standing
    assert standing_from_document({"turn": 3, "debts": [[1, 2, 2, 7]]}) == Standing(3, (Debt(ANA, BEN, 2, 7),))


@given(st.sampled_from(NIGHTS_OF_CHANGE).flatmap(schedules))
def test_a_document_says_all_of_its_schedule(schedule):
    assert from_document(to_document(schedule)) == schedule
    assert ScheduleDocument.of(schedule).schedule() == schedule
    assert ScheduleDocument.of(schedule).model_dump(mode="json") == to_document(schedule)


@given(st.sampled_from(NIGHTS_OF_CHANGE).flatmap(override_sets))
def test_a_document_says_all_of_its_override_but_the_id(overrides):
    for made in overrides:
        assert override_from_document(override_to_document(made), made.id) == made
        assert OverrideDocument.of(made).override(made.id) == made
        assert OverrideDocument.of(made).model_dump(mode="json") == override_to_document(made)


LAYER = ("layers", 1)
WINDOW = (*LAYER, "restrictions", 0)

WRONG = [
    (("time_zone",), "Berlin", "time_zone is wrong: 'Berlin' is not an IANA time zone name"),
    (("time_zone",), "+02:00", "time_zone is wrong: '+02:00' is not an IANA"),
    (("time_zone",), None, "time_zone must be text, not None"),
    (("layers",), {}, "layers must be a list, not {}"),
    (("layers",), ["primary"], "layers[0] must be an object, not 'primary'"),
    (("colour",), "red", "document has no field 'colour'; it has time_zone, layers, limits"),
    ((*LAYER, "Name"), "x", "layers[1] has no field 'Name'; it has name, participants"),
    ((*LAYER, "name"), "", "layers[1].name must be 1 to 100 characters long"),
    ((*LAYER, "name"), "x" * 101, "layers[1].name must be 1 to 100 characters long"),
    ((*LAYER, "name"), "   ", "layers[1].name must be 1 to 100 characters long"),
    ((*LAYER, "name"), "primary", "layers must have different names; ['primary'] stand there more than once"),
    ((*LAYER, "participants"), "1", "layers[1].participants must be a list, not '1'"),
    ((*LAYER, "participants"), ["1"] * 501, "layers[1].participants must be at most 500"),
    ((*LAYER, "participants"), ["1", "Ana"], "layers[1].participants[1] must be the id of a person, not 'Ana'"),
    ((*LAYER, "participants"), [0], "layers[1].participants[0] must be the id of a person, not 0"),
    ((*LAYER, "participants"), [-1], "layers[1].participants[0] must be the id of a person, not -1"),
    ((*LAYER, "participants"), [True], "layers[1].participants[0] must be the id of a person, not True"),
    ((*LAYER, "participants"), [1.0], "layers[1].participants[0] must be the id of a person, not 1.0"),
    ((*LAYER, "participants"), ["\u0661"], "layers[1].participants[0] must be the id of a person"),
    ((*LAYER, "unit"), "year", "layers[1].unit must be one of hour, day, week, month, not 'year'"),
    ((*LAYER, "unit"), ["day"], "layers[1].unit must be one of hour, day, week, month, not ['day']"),
    ((*LAYER, "length"), 0, "layers[1].length must be between 1 and 366"),
    ((*LAYER, "length"), 367, "layers[1].length must be between 1 and 366"),
    ((*LAYER, "length"), "1", "layers[1].length must be a whole number, not '1'"),
    ((*LAYER, "length"), [], "layers[1].length must be one length, or a list of 1 to 50"),
    ((*LAYER, "length"), [1] * 51, "layers[1].length must be one length, or a list of 1 to 50"),
    ((*LAYER, "length"), [1, 0], "layers[1].length must be between 1 and 366"),
    ((*LAYER, "length"), [1, "2"], "layers[1].length[1] must be a whole number, not '2'"),
    ((*LAYER, "roles"), [], "layers[1].roles must be 1 to 20"),
    ((*LAYER, "roles"), "primary", "layers[1].roles must be a list, not 'primary'"),
    ((*LAYER, "roles"), [1], "layers[1].roles[0] must be text, not 1"),
    ((*LAYER, "roles"), [" "], "layers[1].roles must be 1 to 50 characters long"),
    ((*LAYER, "roles"), ["r"] * 4, "layers[1].roles must be at most as many as participants: 3 can't be 4 at once"),
    ((*LAYER, "advance"), 0, "layers[1].advance must be between 1 and 500"),
    ((*LAYER, "advance"), 1.5, "layers[1].advance must be a whole number, not 1.5"),
    (("layers", 2, "calendar"), "wiki", "layers[2].calendar must be the id of a calendar, not 'wiki'"),
    (("layers", 2, "participants"), ["1"], "layers[2] has no field 'participants'; it has name, calendar, role"),
    (("layers", 2, "role"), "", "layers[2].role must be 1 to 50 characters long"),
    (("limits", "nights_in_7_days"), 8, "limits.nights_in_7_days must be between 0 and 7"),
    (("limits", "nights_in_7_days"), "3", "limits.nights_in_7_days must be a whole number, not '3'"),
    (("limits", "rest_after_paged_night_h"), 0, "limits.rest_after_paged_night_h must be between 1 and 72 hours"),
    (("limits", "nights"), 3, "limits has no field 'nights'; it has nights_in_7_days, rest_after_paged_night_h"),
    ((*LAYER, "length"), True, "layers[1].length must be a whole number, not True"),
    ((*LAYER, "start_date"), "2026-02-29", "layers[1].start_date must be a date as text"),
    ((*LAYER, "start_date"), "05.01.2026", "layers[1].start_date must be a date as text"),
    ((*LAYER, "start_date"), "2026-W01-1", "layers[1].start_date must be a date as text"),
    ((*LAYER, "start_date"), "2026-01-05\n", "layers[1].start_date must be a date as text"),
    ((*LAYER, "start_date"), "1969-12-31", "layers[1].start_date must be in the years 1970 to 2199"),
    # What YAML makes of an unquoted 10:00.
    ((*LAYER, "handoff"), 600, 'layers[1].handoff must be a time as text, "00:00" to "23:59", not 600 (YAML: put'),
    ((*LAYER, "handoff"), "9:00", "layers[1].handoff must be a time as text"),
    ((*LAYER, "handoff"), "24:00", "layers[1].handoff must be a time as text"),
    ((*LAYER, "handoff"), "09:00:00", "layers[1].handoff must be a time as text"),
    ((*LAYER, "handoff"), "09:00\n", "layers[1].handoff must be a time as text"),
    ((*LAYER, "restrictions"), None, "layers[1].restrictions must be a list, not None"),
    ((*LAYER, "restrictions"), [{"start": "09:00", "end": "10:00"}] * 51, "layers[1].restrictions must be at most 50"),
    ((*WINDOW, "weekdays"), [], "layers[1].restrictions[0].weekdays must name at least one day"),
    ((*WINDOW, "weekdays"), ["Monday"], "layers[1].restrictions[0].weekdays[0] must be one of mon, tue"),
    ((*WINDOW, "weekdays"), [0], "layers[1].restrictions[0].weekdays[0] must be one of mon, tue"),
    ((*WINDOW, "end"), "24:00", "layers[1].restrictions[0].end must be a time as text"),
    ((*LAYER, "starts_at"), "2026-01-01T00:00:00", "layers[1].starts_at must be an instant with its offset"),
    ((*LAYER, "starts_at"), 1767225600, "layers[1].starts_at must be an instant with its offset"),
    ((*LAYER, "starts_at"), "2026-01-01T00:00:60Z", "layers[1].starts_at must be an instant with its offset"),
    ((*LAYER, "starts_at"), "0001-01-01T00:00:00+14:00", "layers[1].starts_at must be "),
    ((*LAYER, "starts_at"), "1969-12-31T23:59:59Z", "layers[1].starts_at must be in the years 1970 to 2199"),
    ((*LAYER, "ends_at"), "2200-01-01T00:00:01Z", "layers[1].ends_at must be in the years 1970 to 2199"),
    ((*LAYER, "ends_at"), "2026-01-01T00:00:00Z", "layers[1].ends_at must be after starts_at"),
]


def _with(path, value):
    document = deepcopy(DOCUMENT)
    inner = document
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    return document


@pytest.mark.parametrize(("path", "value", "said"), WRONG)
def test_what_is_wrong_is_refused_in_a_sentence_that_names_the_field(path, value, said):
    with pytest.raises(BadField) as refused:
        from_document(_with(path, value))
    assert str(refused.value).startswith(said)
    assert len(str(refused.value)) < 300


@pytest.mark.parametrize(("path", "value", "said"), WRONG)
def test_the_api_refuses_the_same_and_says_where(path, value, said):
    with pytest.raises(ValidationError) as refused:
        ScheduleDocument.model_validate(_with(path, value))
    first = refused.value.errors()[0]
    assert first["loc"] == () or first["loc"] == path[: len(first["loc"])] or first["loc"][: len(path)] == path


@pytest.mark.parametrize("path", [("time_zone",), ("layers",), (*LAYER, "name"), (*LAYER, "unit"), (*WINDOW, "end")])
def test_a_field_that_is_missing_is_named(path):
    document = _with(path, None)
    inner = document
    for key in path[:-1]:
        inner = inner[key]
    del inner[path[-1]]
    with pytest.raises(BadField, match=f"must have the field '{path[-1]}'"):
        from_document(document)
    with pytest.raises(ValidationError, match="Field required"):
        ScheduleDocument.model_validate(document)


@pytest.mark.parametrize("document", [None, [], "UTC", 1])
def test_what_is_no_object_at_all_is_refused(document):
    with pytest.raises(BadField, match="document must be an object"):
        from_document(document)


def test_a_schedule_has_a_limit_of_layers():
    with pytest.raises(BadField, match="layers must be at most 50"):
        Schedule("UTC", tuple(daily(f"{n}", "2026-01-01", "00:00") for n in range(MAX_LAYERS + 1)))


OVERRIDE = override_to_document(override(7, "2026-01-14T00:00:00Z", "2026-01-15T00:00:00Z", DAN, BEN))


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("ends_at", "2026-01-14T00:00:00Z", "ends_at must be after starts_at"),
        ("starts_at", "tomorrow", "starts_at must be an instant with its offset"),
        ("starts_at", None, "starts_at must be an instant with its offset"),
        ("person", None, "person must be the id of a person, not None"),
        ("replaces", str(DAN), "replaces must be somebody else than person"),
        ("role", "", "role must be 1 to 50 characters long"),
        ("role", 1, "role must be text, not 1"),
        ("id", 7, "document has no field 'id'; it has starts_at, ends_at, person, replaces, role"),
    ],
)
def test_a_wrong_override_is_refused_in_a_sentence_that_names_the_field(field, value, said):
    with pytest.raises(BadField) as refused:
        override_from_document({**OVERRIDE, field: value}, OverrideId(7))
    assert str(refused.value).startswith(said)
    with pytest.raises(ValidationError):
        OverrideDocument.model_validate({**OVERRIDE, field: value})


def test_an_override_without_replaces_is_for_anybody():
    document = {key: value for key, value in OVERRIDE.items() if key != "replaces"}
    expected = Override(OverrideId(7), at("2026-01-14T00:00:00Z"), at("2026-01-15T00:00:00Z"), DAN)
    assert override_from_document(document, OverrideId(7)) == expected
    assert OverrideDocument.model_validate(document).override(OverrideId(7)) == expected


def test_the_api_describes_every_field():
    definitions = ScheduleDocument.model_json_schema()
    shapes = [definitions, *definitions["$defs"].values(), OverrideDocument.model_json_schema()]
    for shape in shapes:
        assert shape["additionalProperties"] is False
        for name, field in shape["properties"].items():
            assert len(field["description"]) > 10, name

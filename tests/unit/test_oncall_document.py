"""A schedule as a document: what was written is read back the same, and what is wrong is refused by its path."""

from copy import deepcopy
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from app.oncall.codec import from_document, override_from_document, override_to_document, to_document
from app.oncall.document import OverrideDocument, ScheduleDocument
from app.oncall.schedule import MAX_LAYERS, BadField, Override, OverrideId, Schedule
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
    weekly,
    window,
)

LARGE_ID = 395_000_000_000_000_003
"""Above 2^53: a JSON number that a browser would round."""

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
        },
        {
            "name": "weekend nights",
            "participants": ["2"],
            "unit": "day",
            "length": 2,
            "start_date": "2026-01-03",
            "handoff": "00:00",
            "restrictions": [{"weekdays": ["sat", "sun"], "start": "22:00", "end": "06:00"}],
            "starts_at": "2026-01-01T00:00:00Z",
            "ends_at": None,
        },
    ],
}

SCHEDULE = Schedule(
    "Europe/Berlin",
    (
        replace(
            weekly("primary", "2026-01-05", "10:00", ANA, BEN, LARGE_ID),
            ends_at=at("2026-06-30T22:00:00.000001Z"),
        ),
        replace(
            daily("weekend nights", "2026-01-03", "00:00", BEN, only=(window("22:00", "06:00", SAT, SUN),)),
            length=2,
            starts_at=at("2026-01-01T00:00:00Z"),
        ),
    ),
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
    assert SCHEDULE.people() == {ANA, BEN, LARGE_ID}


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
    (("colour",), "red", "document has no field 'colour'; it has time_zone, layers"),
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
    ((*LAYER, "unit"), "month", "layers[1].unit must be one of day, week, not 'month'"),
    ((*LAYER, "unit"), ["day"], "layers[1].unit must be one of day, week, not ['day']"),
    ((*LAYER, "length"), 0, "layers[1].length must be between 1 and 366"),
    ((*LAYER, "length"), 367, "layers[1].length must be between 1 and 366"),
    ((*LAYER, "length"), "1", "layers[1].length must be a whole number, not '1'"),
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
        ("id", 7, "document has no field 'id'; it has starts_at, ends_at, person, replaces"),
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

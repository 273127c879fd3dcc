"""Schedules and overrides as the HTTP API takes and shows them: the shapes with their descriptions, for pydantic.

Only shapes live here. What they mean, and the rules that join several fields, are codec.py's and schedule.py's, so that a
document from a file, a row or a request means the same. Must never know endpoints or the database.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    TypeAdapter,
    WrapValidator,
    model_validator,
)

from app.oncall.codec import (
    CLOCK,
    DATE,
    INSTANT,
    PERSON,
    from_document,
    override_from_document,
    override_to_document,
    read_date,
    read_instant,
    to_document,
)
from app.oncall.schedule import (
    MAX_AT_ONCE,
    MAX_LAYERS,
    MAX_LENGTH,
    MAX_LENGTHS,
    MAX_NAME,
    MAX_PARTICIPANTS,
    MAX_RESTRICTIONS,
    MAX_ROLE,
    PRIMARY,
    Override,
    OverrideId,
    Schedule,
)
from app.oncall.walltime import zone


def _a_zone(name: str) -> str:
    zone(name)
    return name


def _a_date(text: str) -> str:
    read_date("the date", text)
    return text


def _an_instant(text: str) -> str:
    read_instant("the instant", text)
    return text


def _id_text(value: object) -> object:
    """Ids may come as JSON numbers; they always leave as text."""
    return str(value) if isinstance(value, int) else value


ZoneName = Annotated[str, AfterValidator(_a_zone)]
ClockText = Annotated[str, Field(pattern=CLOCK, examples=["09:00"])]
DateText = Annotated[str, Field(pattern=DATE, json_schema_extra={"format": "date"}), AfterValidator(_a_date)]
InstantText = Annotated[
    str, Field(pattern=INSTANT, json_schema_extra={"format": "date-time"}), AfterValidator(_an_instant)
]
PersonText = Annotated[
    str,
    BeforeValidator(_id_text, json_schema_input_type=str | int),
    Field(pattern=PERSON, description="The id of a person. As text, because browsers round numbers this large."),
]
CalendarText = Annotated[
    str,
    BeforeValidator(_id_text, json_schema_input_type=str | int),
    Field(pattern=PERSON, description="The id of a calendar of the configuration whose events are the shifts."),
]
NameText = Annotated[
    str,
    Field(min_length=1, max_length=MAX_NAME, pattern=r"\S", description="Unique in the schedule; shown as the reason."),
]
RoleText = Annotated[str, Field(min_length=1, max_length=MAX_ROLE, pattern=r"\S", examples=["primary", "secondary"])]
LengthNumber = Annotated[int, Field(ge=1, le=MAX_LENGTH, strict=True)]
Lengths = Annotated[list[LengthNumber], Field(min_length=1, max_length=MAX_LENGTHS)]
_ONE_LENGTH: TypeAdapter[int] = TypeAdapter(LengthNumber)
_LENGTHS: TypeAdapter[list[int]] = TypeAdapter(Lengths)


def _length(value: object, _: object) -> int | list[int]:
    return _LENGTHS.validate_python(value) if isinstance(value, list) else _ONE_LENGTH.validate_python(value)


ValidFrom = Annotated[
    InstantText | None,
    Field(description="The layer is not active before this instant. Turns count from `start_date` all the same."),
]
ValidUntil = Annotated[InstantText | None, Field(description="The layer is not active from this instant on.")]
WeekdayText = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]


class _Shape(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class RestrictionDocument(_Shape):
    """A window of local time in which the layer is active."""

    weekdays: list[WeekdayText] = Field(
        default=["mon", "tue", "wed", "thu", "fri", "sat", "sun"],
        min_length=1,
        max_length=7,
        description="The days on which the window starts.",
    )
    start: ClockText = Field(description="Local time at which the window opens.")
    end: ClockText = Field(
        description="Local time at which it closes. At or before `start` it is on the next day: "
        "22:00 to 06:00 is a night, 00:00 to 00:00 a whole day."
    )


class LayerDocument(_Shape):
    """One rotation. Where a layer is active, it covers the layers before it in the list, role by role."""

    name: NameText
    participants: list[PersonText] = Field(
        max_length=MAX_PARTICIPANTS,
        description="People in the order of their turns; somebody named twice takes two turns a round.",
    )
    unit: Literal["hour", "day", "week", "month"] = Field(description="What the length of a turn is counted in.")
    length: Annotated[LengthNumber | Lengths, WrapValidator(_length)] = Field(
        description="How many units one turn lasts. A list is gone through round and round: `[4, 3]` with days is four "
        "days, then three."
    )
    start_date: DateText = Field(
        description="Local date on which the first turn starts. A weekly layer hands over on the weekday of this date, a "
        "monthly one on its day of the month, or on the last day of a shorter month."
    )
    handoff: ClockText = Field(
        description="Local time at which turns change. Where the clocks skip it, they change at the next valid instant; "
        "where it comes twice, the next turn starts at its first occurrence and the one before ends at its last."
    )
    restrictions: list[RestrictionDocument] = Field(
        default=[],
        max_length=MAX_RESTRICTIONS,
        description="The layer is active while any of these windows is open; with none, always.",
    )
    starts_at: ValidFrom = None
    ends_at: ValidUntil = None
    roles: list[RoleText] = Field(
        default=[PRIMARY],
        min_length=1,
        max_length=MAX_AT_ONCE,
        description="One for each person who is on call at once: the first is taken by the participant whose turn it is, "
        "the next by the participant after. The same role may stand here more than once.",
    )
    advance: int = Field(
        default=1,
        ge=1,
        le=MAX_PARTICIPANTS,
        strict=True,
        description="By how many participants the rotation moves on from turn to turn.",
    )


class CalendarLayerDocument(_Shape):
    """A layer whose shifts are read from a calendar; active while an event of somebody known is on."""

    name: NameText
    calendar: CalendarText
    role: RoleText = Field(default=PRIMARY, description="What its people are on call as.")
    starts_at: ValidFrom = None
    ends_at: ValidUntil = None


def _layer(value: object, _: object) -> LayerDocument | CalendarLayerDocument:
    if isinstance(value, LayerDocument | CalendarLayerDocument):
        return value
    shape = CalendarLayerDocument if isinstance(value, dict) and "calendar" in value else LayerDocument
    return shape.model_validate(value)


AnyLayerDocument = Annotated[LayerDocument | CalendarLayerDocument, WrapValidator(_layer)]
"""Which of them it is meant to be says its key `calendar`. A tagged union would do the same, but name its tag in errors."""


class LimitsDocument(_Shape):
    """What people should not be asked for when somebody is needed in the place of another. Wishes: never a gap."""

    nights_in_7_days: int | None = Field(
        default=None,
        ge=0,
        le=7,
        strict=True,
        description="At most so many nights (on call at 03:00 local time) in any seven days.",
    )
    rest_after_paged_night_h: int | None = Field(
        default=None,
        ge=1,
        le=72,
        strict=True,
        description="After a night with pages, so many hours from the end of that night without a turn.",
    )


class ScheduleDocument(_Shape):
    """Who is on call, by layers of turns in local wall time."""

    time_zone: ZoneName = Field(
        description="IANA name of the zone whose clock and calendar all layers mean.", examples=["Europe/Berlin"]
    )
    layers: list[AnyLayerDocument] = Field(max_length=MAX_LAYERS, description="From the bottom up.")
    limits: LimitsDocument = Field(
        default=LimitsDocument(), description="What people should not be asked for when they stand in for others."
    )

    @model_validator(mode="after")
    def _makes_a_schedule(self) -> Self:
        self.schedule()
        return self

    def schedule(self) -> Schedule:
        """The value that everything is computed from."""
        return from_document(self.model_dump())

    @classmethod
    def of(cls, schedule: Schedule) -> Self:
        """The document that shows this schedule."""
        return cls.model_validate(to_document(schedule))


class OverrideDocument(_Shape):
    """One person takes over for a while, whatever the layers say."""

    starts_at: InstantText = Field(description="From this instant on.")
    ends_at: InstantText = Field(description="Until just before this instant.")
    person: PersonText = Field(description="Who takes over.")
    replaces: PersonText | None = Field(
        default=None,
        description="Only while this person would be on call. Unset: instead of whoever is, and where nobody is.",
    )
    role: RoleText | None = Field(
        default=None,
        description="Only in this role. With neither `role` nor `replaces`: instead of everybody, in the schedule's "
        "first role.",
    )

    @model_validator(mode="after")
    def _makes_an_override(self) -> Self:
        self.override(OverrideId(0))
        return self

    def override(self, override_id: OverrideId) -> Override:
        """The value that everything is computed from, under its id in the store."""
        return override_from_document(self.model_dump(), override_id)

    @classmethod
    def of(cls, override: Override) -> Self:
        """The document that shows this override, without its id."""
        return cls.model_validate(override_to_document(override))

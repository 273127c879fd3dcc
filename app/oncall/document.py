"""Schedules and overrides as the HTTP API takes and shows them: the shapes with their descriptions, for pydantic.

Only shapes live here. What they mean, and the rules that join several fields, are codec.py's and schedule.py's, so that a
document from a file, a row or a request means the same. Must never know endpoints or the database.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

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
    MAX_LAYERS,
    MAX_LENGTH,
    MAX_NAME,
    MAX_PARTICIPANTS,
    MAX_RESTRICTIONS,
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
    """One rotation. Where a layer is active, it covers the layers before it in the list."""

    name: str = Field(
        min_length=1, max_length=MAX_NAME, pattern=r"\S", description="Unique in the schedule; shown as the reason."
    )
    participants: list[PersonText] = Field(
        max_length=MAX_PARTICIPANTS,
        description="People in the order of their turns; somebody named twice takes two turns a round.",
    )
    unit: Literal["day", "week"] = Field(description="What the length of a turn is counted in.")
    length: int = Field(ge=1, le=MAX_LENGTH, strict=True, description="How many units one turn lasts.")
    start_date: DateText = Field(
        description="Local date on which the first turn starts. A weekly layer hands over on the weekday of this date."
    )
    handoff: ClockText = Field(
        description="Local time at which turns change. Where the clocks skip it, they change at the next valid instant; "
        "where it comes twice, at its first occurrence."
    )
    restrictions: list[RestrictionDocument] = Field(
        default=[],
        max_length=MAX_RESTRICTIONS,
        description="The layer is active while any of these windows is open; with none, always.",
    )
    starts_at: InstantText | None = Field(
        default=None,
        description="The layer is not active before this instant. Turns count from `start_date` all the same.",
    )
    ends_at: InstantText | None = Field(default=None, description="The layer is not active from this instant on.")


class ScheduleDocument(_Shape):
    """Who is on call, by layers of turns in local wall time."""

    time_zone: ZoneName = Field(
        description="IANA name of the zone whose clock and calendar all layers mean.", examples=["Europe/Berlin"]
    )
    layers: list[LayerDocument] = Field(max_length=MAX_LAYERS, description="From the bottom up.")

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

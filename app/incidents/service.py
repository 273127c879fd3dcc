"""A service: what is broken, who owns it, how its alerts are grouped and who is told."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from app.clock import Micros
from app.incidents.priority import Impact, Priority, Urgency
from app.oncall.document import RestrictionDocument, ZoneName
from app.oncall.windows import Windows, is_open, opens_at, restriction


class Grouping(BaseModel):
    """Which alerts of a service join one incident."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    by: Literal["evidence", "service", "labels", "alert"] = Field(
        default="evidence",
        description="evidence: by what the alerts have in common, across all services with the same escalation policy; "
        "the others are rules: service: all alerts of the service; labels: those with the same values of `labels`; "
        "alert: each alone.",
    )
    labels: tuple[str, ...] = Field(default=(), max_length=10)
    window_s: int = Field(
        default=600,
        ge=0,
        le=7 * 86_400,
        description="By a rule, an alert joins an open incident whose last alert came within this many seconds.",
    )

    @model_validator(mode="after")
    def _labels_where_needed(self) -> Grouping:
        if self.by == "labels" and not self.labels:
            raise ValueError("grouping by labels needs at least one label name in `labels`")
        if self.by != "labels" and self.labels:
            raise ValueError(
                f"`labels` has no meaning when grouping by {self.by}; set `by` to labels or leave them out"
            )
        return self


class SupportHours(BaseModel):
    """When people work on a service, in local wall time."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    time_zone: ZoneName
    windows: tuple[RestrictionDocument, ...] = Field(min_length=1, max_length=20)
    country: str = Field(
        default="", pattern=r"^([A-Z]{2})?$", description="ISO 3166-1: on its public holidays nobody works."
    )
    subdivision: str = Field(default="", max_length=40, description="ISO 3166-2 without the country: BY, CA, ENG.")

    def in_time(self) -> Windows:
        """The value that instants are computed from."""
        spans = tuple(restriction(one.weekdays, one.start, one.end) for one in self.windows)
        return Windows(self.time_zone, spans, self.country, self.subdivision)


class Case(BaseModel):
    """What is different for incidents of some priorities, in or outside support hours."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    priorities: tuple[Priority, ...] = Field(default=(), max_length=4, description="Of these; none named: of all.")
    hours: Literal["any", "support", "outside"] = Field(default="any", description="Only in support hours, or outside.")
    policy_id: str | None = Field(default=None, description="This policy is followed instead of the service's.")
    urgency: Urgency | None = Field(default=None, description="By this urgency people's own rules are chosen.")
    wait: bool = Field(
        default=False,
        description="With low urgency nobody is told before support hours begin. High urgency never waits.",
    )

    def fits(self, priority: str, open_: bool) -> bool:
        """Whether it is for an incident of this priority, at an instant in support hours or not."""
        hours = {"any": True, "support": open_, "outside": not open_}[self.hours]
        return hours and (not self.priorities or priority in self.priorities)


class Hold(BaseModel):
    """For how long the first page of an incident waits, in case it clears by itself."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    alone_s: int = Field(default=0, ge=0, le=600, description="While one thing alone has failed. 0: at once.")
    confirmed_s: int = Field(default=0, ge=0, le=600, description="Once a second thing that failed confirms it.")
    learned: bool = Field(
        default=False,
        description="Wait longer, 330 s at most, while one alert is alone and most incidents in which its check stayed "
        "alone in this service ended by themselves that soon.",
    )

    @model_validator(mode="after")
    def _confirmed_is_sooner(self) -> Hold:
        if self.confirmed_s > self.alone_s:
            raise ValueError(
                f"`confirmed_s` ({self.confirmed_s}) may not be longer than `alone_s` ({self.alone_s}): "
                "an incident that a second thing confirms never waits longer than a lone one"
            )
        return self


class FirstPage(BaseModel):
    """When the first page of an incident goes out, by its urgency."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    high: Hold = Hold()
    low: Hold = Hold()
    returned_s: int = Field(
        default=300,
        ge=0,
        le=3_600,
        description="An incident that recovered and comes back pages again at once, the first time; each further time "
        "only if it then stays for this long.",
    )


class Service(BaseModel):
    """What is broken."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(min_length=1, max_length=200)
    description: str = Field(default="", max_length=2_000)
    team_id: str | None = Field(default=None, description="The team that owns it.")
    policy_id: str | None = Field(default=None, description="The escalation policy that is followed for its incidents.")
    tags: tuple[Annotated[str, Field(min_length=1, max_length=100)], ...] = Field(
        default=(), max_length=50, description="Words by which silences choose it with others, such as a data centre."
    )
    impact: Impact = Field(
        default="medium", description="How much is hit when it is down; with urgency it gives the priority."
    )
    grouping: Grouping = Grouping()
    first_page: FirstPage = FirstPage()
    auto_resolve: bool = Field(default=True, description="Resolve an incident when all of its alerts have resolved.")
    ack_timeout_s: int | None = Field(
        default=None,
        ge=60,
        le=7 * 86_400,
        description="An acknowledged incident pages again after this long. Unset: never.",
    )
    support_hours: SupportHours | None = Field(default=None, description="Unset: at all hours.")
    cases: tuple[Case, ...] = Field(
        default=(),
        max_length=20,
        description="Of those that fit the first counts; asked anew before each level. None fits: `policy_id` is followed, "
        "by the incident's own urgency.",
    )

    @model_validator(mode="after")
    def _cases_make_sense(self) -> Service:
        for place, case in enumerate(self.cases, start=1):
            if case.hours != "any" and self.support_hours is None:
                raise ValueError(f"case {place} is for hours {case.hours}, and there are no `support_hours`")
            if case.wait and case.hours != "outside":
                raise ValueError(f"case {place} waits for support hours, so its `hours` must be outside")
            if case.wait and case.urgency == "high":
                raise ValueError(f"case {place} can't wait: its urgency is high, and high urgency never waits")
        return self

    def policies(self) -> set[str]:
        """Every policy that may be followed."""
        return {one for one in (self.policy_id, *(case.policy_id for case in self.cases)) if one is not None}

    def case_at(self, priority: str, at: Micros) -> Case | None:
        """The case that counts for an incident of this priority at an instant; None: none."""
        open_ = self.is_open(at)
        return next((case for case in self.cases if case.fits(priority, open_)), None)

    def is_open(self, at: Micros) -> bool:
        """Whether an instant is in support hours."""
        return self.support_hours is None or is_open(self.support_hours.in_time(), at)

    def opens_at(self, at: Micros) -> Micros | None:
        """When support hours begin, from an instant on; None: not within two weeks."""
        return at if self.support_hours is None else opens_at(self.support_hours.in_time(), at)

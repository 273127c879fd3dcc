"""Silences and maintenance windows, as configured, and ready to be asked. Pure.

A silence always has an end and an author. One that names nothing, and so is over everything, must say so, say why, and end
within a day.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import time
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from app.clock import DAY, HOUR, Micros, spoken
from app.oncall.codec import WEEKDAYS, read_instant
from app.oncall.document import ClockText, InstantText, WeekdayText, ZoneName
from app.oncall.walltime import zone
from app.routing.matchers import Matcher, contradiction, narrows, parse
from app.routing.rule import MatcherText
from app.routing.windows import Weekly, Window

LONGEST: Micros = 366 * DAY
LONGEST_OVER_ALL: Micros = 24 * HOUR
REASON = 10
"""Characters of a reason for silencing everything."""

State = Literal["pending", "active", "ended"]


class Repeats(BaseModel):
    """The same hours each week, on the clock of a place."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    time_zone: ZoneName = Field(examples=["Europe/Berlin"])
    weekdays: tuple[WeekdayText, ...] = Field(
        default=("mon", "tue", "wed", "thu", "fri", "sat", "sun"),
        min_length=1,
        max_length=7,
        description="On which a window begins.",
    )
    begin: ClockText
    end: ClockText = Field(description="Not after `begin`: on the next day.")


class Silence(BaseModel):
    """Alerts that don't page for a while."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(min_length=1, max_length=200)
    comment: str = Field(min_length=1, max_length=2_000, description="Why: people who look for a page read it.")
    matchers: tuple[MatcherText, ...] = Field(default=(), max_length=30, description="All must hold.")
    service_ids: tuple[str, ...] = Field(default=(), max_length=200, description="Alerts of these services.")
    tags: tuple[str, ...] = Field(default=(), max_length=50, description="And of services with one of these tags.")
    everything: bool = Field(
        default=False,
        description="Must be true for one that names nothing: it needs a reason and ends within a day.",
    )
    starts_at: InstantText | None = Field(default=None, description="null: when it is saved.")
    ends_at: InstantText
    repeats: Repeats | None = Field(
        default=None, description="On only in these hours between `starts_at` and `ends_at`: a maintenance window."
    )
    created_by: str = Field(default="", max_length=300, description="Set by the server.")

    @model_validator(mode="after")
    def _names_something(self) -> Self:
        matchers = [parse(text) for text in self.matchers]
        if why := contradiction(matchers):
            raise ValueError(f"the silence can never match: {why}")
        named = bool(self.service_ids or self.tags) or any(narrows(one) for one in matchers)
        if named and self.everything:
            raise ValueError("`everything` has no meaning for a silence that names something; leave it out")
        if not named and not self.everything:
            raise ValueError(
                "this would silence everything: name a matcher that is not met by every alert, a service or a tag, or set "
                "`everything` and say why"
            )
        if self.everything and (len(self.comment.strip()) < REASON or self.repeats is not None):
            raise ValueError(
                f"a silence over everything needs a `comment` of at least {REASON} characters and can't repeat"
            )
        return self

    @model_validator(mode="after")
    def _ends(self) -> Self:
        if self.starts_at is None:
            return self
        lasts = read_instant("ends_at", self.ends_at) - read_instant("starts_at", self.starts_at)
        if lasts <= 0:
            raise ValueError("`ends_at` must be after `starts_at`")
        if self.everything and lasts > LONGEST_OVER_ALL:
            raise ValueError("a silence over everything may last 24 hours; it can be renewed")
        if lasts > LONGEST:
            raise ValueError("a silence may last 366 days; it can be renewed")
        return self

    def window(self) -> Window:
        """When it is on; one that was saved has a start."""
        weekly = None
        if self.repeats is not None:
            days = frozenset(WEEKDAYS.index(day) for day in self.repeats.weekdays)
            begin, end = (time.fromisoformat(text) for text in (self.repeats.begin, self.repeats.end))
            weekly = Weekly(zone(self.repeats.time_zone), days, begin, end)
        starts_at = read_instant("starts_at", self.starts_at) if self.starts_at else 0
        return Window(starts_at, read_instant("ends_at", self.ends_at), weekly)

    def state(self, now: Micros) -> State:
        """How it stands. Between its hours, one that repeats is pending."""
        window = self.window()
        if now >= window.ends_at:
            return "ended"
        return "active" if window.until(now) is not None else "pending"


@dataclass(frozen=True, slots=True)
class Silencing:
    """A silence, ready to be asked."""

    id: int
    name: str
    comment: str
    by: str
    over_everything: bool
    matchers: tuple[Matcher, ...]
    window: Window

    def says(self, until: Micros) -> str:
        """Why an alert does not page."""
        return f"silence {self.name!r} of {self.by} until {spoken(until)}: {self.comment}"


def made_ready(silence_id: int, silence: Silence, services: Mapping[int, tuple[str, Iterable[str]]]) -> Silencing:
    """The silence of a document. `services`: name and tags by id; those it names become one matcher."""
    matchers = tuple(parse(text) for text in silence.matchers)
    if silence.service_ids or silence.tags:
        chosen = {
            name
            for item, (name, tags) in services.items()
            if str(item) in silence.service_ids or not set(silence.tags).isdisjoint(tags)
        }
        matchers = (Matcher("@service", "=~", "|".join(sorted(chosen)), frozenset(chosen)), *matchers)
    return Silencing(
        silence_id, silence.name, silence.comment, silence.created_by, silence.everything, matchers, silence.window()
    )

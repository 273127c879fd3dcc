"""A service: what is broken, who owns it, how its alerts are grouped and who is told."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from app.incidents.priority import Impact


class Grouping(BaseModel):
    """Which alerts of a service join one incident."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    by: Literal["service", "labels", "alert"] = Field(
        default="service",
        description="service: all alerts of the service; labels: those with the same values of `labels`; alert: each alone.",
    )
    labels: tuple[str, ...] = Field(default=(), max_length=10)
    window_s: int = Field(
        default=600,
        ge=0,
        le=7 * 86_400,
        description="An alert joins an open incident whose last alert came within this many seconds.",
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


class Service(BaseModel):
    """What is broken."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(min_length=1, max_length=200)
    description: str = Field(default="", max_length=2_000)
    team_id: str | None = Field(default=None, description="The team that owns it.")
    policy_id: str | None = Field(default=None, description="The escalation policy that is followed for its incidents.")
    impact: Impact = Field(
        default="medium", description="How much is hit when it is down; with urgency it gives the priority."
    )
    grouping: Grouping = Grouping()
    auto_resolve: bool = Field(default=True, description="Resolve an incident when all of its alerts have resolved.")
    ack_timeout_s: int | None = Field(
        default=None,
        ge=60,
        le=7 * 86_400,
        description="An acknowledged incident pages again after this long. Unset: never.",
    )

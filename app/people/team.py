"""A team: people who own services together."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class Member(BaseModel):
    """One person's place in a team."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    person_id: str
    role: Literal["member", "lead"] = "member"


class Team(BaseModel):
    """People who own services together."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(min_length=1, max_length=200)
    description: str = Field(default="", max_length=2_000)
    members: tuple[Member, ...] = Field(default=(), max_length=500)
    channel_id: str | None = Field(
        default=None, description="Where the team reads: handoffs, gaps ahead, failed drills."
    )

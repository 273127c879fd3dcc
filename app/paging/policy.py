"""Escalation policies and channels, as configured."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from app.oncall.schedule import MAX_ROLE


class Target(BaseModel):
    """Who is told: a person, whoever is on call in a schedule, every member of a team, or a channel."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["person", "schedule", "team", "channel"]
    id: str
    role: str | None = Field(
        default=None,
        min_length=1,
        max_length=MAX_ROLE,
        description="Of a schedule: only who is on call in this role, such as secondary. None: everybody on call in it.",
    )
    pick: Literal["all", "next"] = Field(
        default="all",
        description="Of a team: every member, or one, in turns: whoever was told least lately and can be reached.",
    )

    @model_validator(mode="after")
    def _fits_its_kind(self) -> Target:
        if self.role is not None and self.kind != "schedule":
            raise ValueError(f"`role` has a meaning for schedules only; leave it out for a {self.kind}")
        if self.pick != "all" and self.kind != "team":
            raise ValueError(f"`pick` has a meaning for teams only; leave it out for a {self.kind}")
        return self


class Level(BaseModel):
    """Targets that are told together; the next level follows after `delay_s` without an acknowledgement."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    targets: tuple[Target, ...] = Field(min_length=1, max_length=20)
    delay_s: int = Field(default=300, ge=10, le=86_400)
    ack: Literal["any", "all"] = Field(
        default="any",
        description="all: each of its people must acknowledge; until then the levels after it are told too.",
    )

    @model_validator(mode="after")
    def _people_acknowledge(self) -> Level:
        if self.ack == "all" and all(target.kind == "channel" for target in self.targets):
            raise ValueError("`ack: all` needs people: a channel can't acknowledge for itself")
        return self


class Policy(BaseModel):
    """Who is told, in which order, how long between."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(min_length=1, max_length=200)
    description: str = Field(default="", max_length=2_000)
    levels: tuple[Level, ...] = Field(min_length=1, max_length=20)
    repeat: int = Field(default=2, ge=0, le=9, description="How often all levels are gone through again.")
    fallback: tuple[Target, ...] = Field(
        default=(),
        max_length=10,
        description="Told rather than nobody: when the policy has ended and no page of it could be sent.",
    )


class Channel(BaseModel):
    """A place a team reads: a chat channel, a topic, a webhook."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(min_length=1, max_length=200)
    kind: str = Field(description="Which notifier.")
    address: dict[str, Any] = Field(default_factory=dict)

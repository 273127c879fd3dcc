"""An integration: one sender's way in, as configured. Pure; its keys are rows of app/dedup/tables.py."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class Integration(BaseModel):
    """One sender's way in."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(min_length=1, max_length=200)
    kind: str = Field(description="Which sender: one of the registered sources.")
    service_id: str | None = Field(default=None, description="The service its alerts belong to.")
    expect_every_s: int | None = Field(
        default=None,
        ge=60,
        le=30 * 86_400,
        description="Something comes from this sender at least this often: when nothing came for three times as long, people are told. Unset: silence is well.",
    )
    expect_alert: str | None = Field(
        default=None,
        min_length=1,
        max_length=300,
        description="Only a message in which this alert fires counts for expect_every_s: by its label alertname, its title or its key. Such as Watchdog: then a Prometheus that died is missed although others still send.",
    )
    settings: dict[str, Any] = Field(default_factory=dict, description="Settings of this kind of source.")

"""Heartbeats as configured: a signal that must keep coming, and what is said of it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from app.clock import SECOND
from app.sources.limits import is_web
from app.watch.silence import Expected

KIND = "heartbeat"
"""Of the resource, and in its address: /v1/in/heartbeat/KEY."""
MISSED = 3
"""An integration is called silent when nothing came for so many of its intervals: senders of alerts beat irregularly."""


class Heartbeat(BaseModel):
    """A signal that must keep coming: its absence is the alert (a dead man's switch)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(min_length=1, max_length=200)
    description: str = Field(default="", max_length=2_000, description="What it means when it is missing; in the page.")
    service_id: str | None = Field(default=None, description="The service whose policy tells people of its absence.")
    interval_s: int = Field(ge=30, le=400 * 86_400, description="A signal comes at least this often.")
    grace_s: int = Field(
        default=60, ge=0, le=30 * 86_400, description="How much later than that it may come before somebody is told."
    )
    severity: Literal["critical", "error", "warning", "info"] = Field(
        default="error", description="How bad its absence is: critical and error page at once."
    )
    runbook_url: str | None = Field(default=None, max_length=2_000, description="What to do; a link in the page.")

    @field_validator("runbook_url")
    @classmethod
    def _opens(cls, url: str | None) -> str | None:
        if url is not None and not is_web(url):
            raise ValueError("must be an http or https address")
        return url


def expected_of(kind: str, document: Mapping[str, Any]) -> Expected | None:
    """What is expected of a heartbeat or an integration; None: nothing."""
    if kind == KIND:
        return Expected(document["interval_s"] * SECOND, document["grace_s"] * SECOND)
    every_s = document.get("expect_every_s")
    return Expected(every_s * SECOND, (MISSED - 1) * every_s * SECOND) if every_s else None

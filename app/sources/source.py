"""The form every sender's dialect has. One file a sender, one line in registry.py, samples in tests/data/<kind>/."""

from __future__ import annotations

from typing import ClassVar, Generic, Protocol, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from app.clock import Micros
from app.sources.event import Reading, Received


class SourceSettings(BaseModel):
    """What an integration of any kind can set. A kind with more settings of its own extends this."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    expire_after_s: int | None = Field(
        default=None,
        ge=60,
        le=30 * 86_400,
        description="Resolve an alert that was not re-sent for this long. Unset: alerts never expire by silence.",
    )


S_contra = TypeVar("S_contra", bound=SourceSettings, contravariant=True)


class Source(Protocol, Generic[S_contra]):
    """One sender's dialect: bytes in, events out. Pure and quick (a storm comes through here)."""

    kind: ClassVar[str]
    """The path segment of `/v1/in/<kind>`, lower case."""
    title: ClassVar[str]
    """The sender's own name, for people."""
    Settings: ClassVar[type[SourceSettings]]

    def read(self, received: Received, settings: S_contra, now: Micros) -> Reading:
        """The events of one request. Raises Unreadable when the body is not this sender's at all."""

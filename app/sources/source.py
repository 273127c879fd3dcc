"""The form every sender's dialect has. One file a sender, one line in registry.py, samples in tests/data/<kind>/."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Generic, Protocol, Self, TypeVar, runtime_checkable

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, model_validator

from app.clock import Micros
from app.sources.event import Reading, Received, Severity, Status
from app.sources.mapping import Lookup, Path, printable

Word = Annotated[str, StringConstraints(min_length=1, max_length=200, strip_whitespace=True), AfterValidator(printable)]
"""A sender's own word, or a name of a label."""


class SourceSettings(BaseModel):
    """What an integration of any kind can set. A kind with more settings of its own extends this.

    Paths are those of `mapping`: from the message itself (`labels.host`), or from the whole body (`/groupKey`).
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    expire_after_s: int | None = Field(
        default=None,
        ge=60,
        le=30 * 86_400,
        description="Resolve an alert that was not re-sent for this long. Unset: alerts never expire by silence.",
    )
    key: Lookup = Field(
        default=(), description="What makes two messages speak of the same problem, where the sender's own is no good."
    )
    key_parts: tuple[Path, ...] = Field(
        default=(), max_length=20, description="As `key`, from several places together, such as the host and the check."
    )
    status: Lookup = Field(default=(), description="Whether it fires, is resolved or was acknowledged.")
    statuses: dict[Word, Status] = Field(
        default={}, max_length=100, description="What the sender's own words for the status mean, in any case."
    )
    severity: Lookup = Field(default=(), description="How bad it is.")
    severities: dict[Word, Severity] = Field(
        default={}, max_length=100, description="What the sender's own words for the severity mean, in any case."
    )
    samples: int = Field(
        default=0,
        ge=0,
        le=50,
        description="How many messages are kept as they came, the newest, at most one a minute, without their secrets.",
    )

    @property
    def remaps(self) -> bool:
        """Whether this integration reads anything otherwise than its kind does."""
        return bool(self.key or self.key_parts or self.status or self.statuses or self.severity or self.severities)

    def unsigned(self) -> Self:
        """The same, but taking what is not signed: for messages that a person pastes, and our own tests."""
        return self

    @model_validator(mode="after")
    def _is_clear(self) -> Self:
        if self.key and self.key_parts:
            raise ValueError("set either key or key_parts, not both")
        for name, table in (("statuses", self.statuses), ("severities", self.severities)):
            if len({word.lower() for word in table}) < len(table):
                raise ValueError(f"{name} has the same word twice, in different case")
        return self


@runtime_checkable
class Certified(Protocol):
    """A source whose messages are proven by a certificate that has to be fetched first."""

    def certificate(self, received: Received, settings: Any) -> str:
        """The https address of the certificate, which can only be the sender's own; empty for none. Raises Unproven."""


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

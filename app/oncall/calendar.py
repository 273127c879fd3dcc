"""A calendar that is read from elsewhere: where it is, what its events mean, and whose they are. The document.

The address is a secret: whoever has it reads the calendar. It leaves as `https://host/***`; that sent back keeps the one
that is stored. Must never know HTTP, the database, or how a calendar is read.
"""

from __future__ import annotations

from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator

from app.oncall.ical_people import MAX_WORDS, words
from app.oncall.walltime import UnknownZone, zone

MAX_URL = 2_000
HIDDEN = "***"

Purpose = Literal["shifts", "absences"]


class CalendarSource(BaseModel):
    """A calendar read from elsewhere (iCalendar): of shifts, for a schedule's layer, or of absences."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(min_length=1, max_length=200)
    url: str = Field(
        max_length=MAX_URL,
        description="Its http(s) address in iCalendar form. A secret: shown as https://host/***, and that sent back keeps "
        "what is stored.",
        examples=["https://calendar.example.com/private-4f7a/basic.ics"],
    )
    purpose: Purpose = Field(
        default="shifts",
        description="shifts: a schedule's layer is read from it. absences: its people's turns move on to others.",
    )
    people: dict[str, str] = Field(
        default_factory=dict,
        max_length=500,
        description="Words that stand in the title of an event, and the id of the person it is then of. Without them an "
        "event is of whose e-mail address or name stands in it.",
        examples=[{"AK": "8012345678901234"}],
    )
    person_id: str | None = Field(
        default=None,
        description="Whose the whole calendar is: every event without words of `people` is theirs, whoever else it names.",
    )
    time_zone: str = Field(
        default="UTC",
        description="IANA zone in which days, and times without a zone, are meant when the calendar names none.",
    )
    refresh_minutes: int = Field(default=15, ge=5, le=1_440, description="How often it is read.")

    @field_validator("url")
    @classmethod
    def _shaped(cls, value: str) -> str:
        if value != HIDDEN and not value.endswith(f"/{HIDDEN}"):
            check_address(value)
        return value

    @field_validator("people")
    @classmethod
    def _words(cls, value: dict[str, str]) -> dict[str, str]:
        for text in value:
            if not 1 <= len(words(text)) <= MAX_WORDS or len(text) > 200:
                raise ValueError(f"each text must have 1 to {MAX_WORDS} words, and at most 200 characters")
        return value

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        try:
            zone(value)
        except UnknownZone as error:
            raise ValueError(str(error)) from None
        return value


def check_address(url: str) -> None:
    """Raises ValueError, which says what the address must be and does not repeat it."""
    try:
        parts = urlsplit(url)
        right = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        raise ValueError("must be an address such as https://calendar.example.com/private-4f7a/basic.ics") from None
    if parts.scheme in ("webcal", "webcals"):
        raise ValueError("must begin with https:// in place of webcal://")
    if not right or not url.isascii() or any(not one.isprintable() or one == " " for one in url):
        raise ValueError("must be an address such as https://calendar.example.com/private-4f7a/basic.ics")
    if parts.username or parts.password:
        raise ValueError("must not have a user name or password in it; most calendars have a secret address instead")


def shown_address(url: str) -> str:
    """What people see of it: its host."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}/{HIDDEN}"


def stored_address(url: str, kept: str | None) -> str | None:
    """The address to store when `url` was sent and `kept` is stored; None when *** stands for nothing that is kept."""
    if url != HIDDEN and not url.endswith(f"/{HIDDEN}"):
        return url
    return kept if kept is not None and url in (HIDDEN, shown_address(kept)) else None


def person_ids(document: dict[str, Any]) -> list[int]:
    """Everybody whom a stored document names."""
    named = [*document.get("people", {}).values(), document.get("person_id")]
    return sorted({int(one) for one in named if one is not None})

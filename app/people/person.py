"""A person, how to reach them, and in which order. The document as configured, and what it means.

A contact method's address is checked by its notifier when it is saved; here it is only a document.
"""

from __future__ import annotations

from typing import Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

Urgency = Literal["high", "low"]


class ContactMethod(BaseModel):
    """One way to reach a person."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str = Field(
        default="", max_length=40, description="Given by the server when empty; keep it when you edit the person."
    )
    kind: str = Field(description="Which notifier: console, webhook, email, slack, ntfy, telegram, apprise, ...")
    label: str = Field(default="", max_length=100, description="What the person calls it: 'work phone'.")
    address: dict[str, Any] = Field(default_factory=dict, description="Where to send, as the notifier asks.")
    enabled: bool = True


class NotificationRule(BaseModel):
    """After `delay_s` without an acknowledgement, use this contact method."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    contact_method: str = Field(description="The id or the label of one of the person's contact methods.")
    delay_s: int = Field(default=0, ge=0, le=86_400)
    urgency: Urgency = "high"


class Person(BaseModel):
    """Somebody who may be on call."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(min_length=1, max_length=200)
    email: str = Field(
        default="", max_length=320, description="For people to know; a page goes to contact methods only."
    )
    time_zone: str = "UTC"
    country: str = Field(default="", pattern=r"^([A-Z]{2})?$", description="ISO 3166-1, for public holidays: DE.")
    subdivision: str = Field(default="", max_length=40, description="ISO 3166-2 without the country: BY, CA, ENG.")
    off_on_public_holidays: bool = Field(
        default=False, description="On those days the turns of rotations move on to somebody else, as on leave."
    )
    contact_methods: tuple[ContactMethod, ...] = Field(default=(), max_length=20)
    rules: tuple[NotificationRule, ...] = Field(
        default=(),
        max_length=40,
        description="Without rules every enabled contact method is tried in the order given, the next when one fails.",
    )

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        # A look-up that is remembered: a list of all zones is a walk through the file system, on the way of each page.
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError(f"{value!r} is no IANA time zone; write one such as Europe/Berlin") from None
        return value

    @model_validator(mode="after")
    def _rules_name_methods(self) -> Person:
        known = {method.id for method in self.contact_methods if method.id}
        known |= {method.label for method in self.contact_methods if method.label}
        for rule in self.rules:
            if rule.contact_method not in known:
                raise ValueError(
                    f"rule names the contact method {rule.contact_method!r}, which this person does not have; "
                    f"known: {', '.join(sorted(known)) or 'none'}"
                )
        return self


class Step(BaseModel):
    """One contact method to be used at a time after the level began."""

    model_config = ConfigDict(frozen=True)

    method: ContactMethod
    delay_s: int
    fallback: bool = False
    """Used only when those before it failed."""


def steps(person: Person, urgency: Urgency) -> tuple[Step, ...]:
    """How to reach a person for an urgency: their rules in order of delay, or all methods as fallbacks of the first."""
    usable = [method for method in person.contact_methods if method.enabled]
    named = {method.id: method for method in usable} | {method.label: method for method in usable if method.label}
    rules = sorted((rule for rule in person.rules if rule.urgency == urgency), key=lambda rule: rule.delay_s)
    chosen = [
        Step(method=named[rule.contact_method], delay_s=rule.delay_s) for rule in rules if rule.contact_method in named
    ]
    if chosen:
        return tuple(chosen)
    return tuple(Step(method=method, delay_s=0, fallback=place > 0) for place, method in enumerate(usable))

"""A person, how to reach them, and in which order. The document as configured, and what it means.

A contact method's address is checked by its notifier when it is saved; here it is only a document.
"""

from __future__ import annotations

from typing import Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

Urgency = Literal["high", "low"]
Hours = Literal["any", "quiet", "other"]
CLOCK = r"^([01][0-9]|2[0-3]):[0-5][0-9]$"
_Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]


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
    hours: Hours = Field(default="any", description="Followed only in the person's quiet hours, or only in all others.")


class QuietHours(BaseModel):
    """A window of the person's own local time."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    weekdays: tuple[_Weekday, ...] = Field(
        default=("mon", "tue", "wed", "thu", "fri", "sat", "sun"),
        min_length=1,
        max_length=7,
        description="The days on which the window starts.",
    )
    start: str = Field(pattern=CLOCK, examples=["22:00"])
    end: str = Field(pattern=CLOCK, examples=["07:00"], description="At or before `start` it is on the next day.")


class Person(BaseModel):
    """Somebody who may be on call."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(min_length=1, max_length=200)
    disabled: bool = Field(
        default=False,
        description="Is told nothing and does nothing: no pages, no notices, no links; their turns move on to somebody else.",
    )
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
    quiet_hours: tuple[QuietHours, ...] = Field(
        default=(),
        max_length=20,
        description="Pages of low urgency wait until they end, unless a rule for low urgency says `hours: quiet`. Pages of "
        "high urgency never wait.",
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
            if rule.hours != "any" and not self.quiet_hours:
                raise ValueError(f"a rule for {rule.hours} hours has no meaning without `quiet_hours`")
        return self


class Step(BaseModel):
    """One contact method to be used at a time after the level began."""

    model_config = ConfigDict(frozen=True)

    method: ContactMethod
    delay_s: int
    fallback: bool = False
    """Used only when those before it failed."""


def steps(person: Person, urgency: Urgency, *, quiet: bool = False) -> tuple[Step, ...]:
    """How to reach a person for an urgency, in their quiet hours or in others.

    Their rules in order of delay; where none fits, all methods as fallbacks of the first: nothing silences a person whole.
    """
    usable = [method for method in person.contact_methods if method.enabled and not person.disabled]
    named = {method.id: method for method in usable} | {method.label: method for method in usable if method.label}
    fitting = ("any", "quiet" if quiet else "other")
    rules = sorted(
        (rule for rule in person.rules if rule.urgency == urgency and rule.hours in fitting),
        key=lambda rule: rule.delay_s,
    )
    chosen = [
        Step(method=named[rule.contact_method], delay_s=rule.delay_s) for rule in rules if rule.contact_method in named
    ]
    if chosen:
        return tuple(chosen)
    return tuple(Step(method=method, delay_s=0, fallback=place > 0) for place, method in enumerate(usable))


def waits(person: Person, urgency: Urgency) -> bool:
    """Whether a page of this urgency waits while the person has quiet hours."""
    return urgency == "low" and not any(rule.urgency == "low" and rule.hours == "quiet" for rule in person.rules)

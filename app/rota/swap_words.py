"""What people are told about a swap, in the time of the place where each lives. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from app.clock import Micros
from app.ids import PersonId
from app.oncall import wording
from app.rota.hands import Hand

SHOWN = 10
"""More shifts than these are counted, not listed: a message has to fit on a phone."""


@dataclass(frozen=True, slots=True)
class Names:
    """What the schedule and the two people are called, and the time zones of the people, by id."""

    schedule: str
    people: Mapping[int, str]
    zones: Mapping[int, str]


class Asked(Protocol):
    """Who asks whom, and why."""

    @property
    def asked_by(self) -> PersonId: ...
    @property
    def asked(self) -> PersonId: ...
    @property
    def reason(self) -> str: ...


Text = tuple[str, str]
"""A title and what stands below it."""


def asked_text(asked: Asked, hands: Sequence[Hand], names: Names) -> Text:
    """For the person who is asked."""
    asker, zone_name = names.people[int(asked.asked_by)], names.zones[int(asked.asked)]
    given = [hand for hand in hands if hand.gives == asked.asked_by]
    taken = [hand for hand in hands if hand.gives == asked.asked]
    lines = [f"{asker} asks you to be on call in {names.schedule}:", *_lines(given, zone_name)]
    lines += (
        [f"In return {asker} takes from you:", *_lines(taken, zone_name)] if taken else ["Nothing is given in return."]
    )
    lines += [f"Reason: {asked.reason}"] if asked.reason else []
    title = (
        f"{asker} asks you to swap in {names.schedule}" if taken else f"{asker} asks you to cover in {names.schedule}"
    )
    return title, "\n".join(lines)


def answered_text(asked: Asked, hands: Sequence[Hand], names: Names, state: str, by: str) -> Text:
    """For the person who asked."""
    other, zone_name = names.people[int(asked.asked)], names.zones[int(asked.asked_by)]
    title = f"{other} {state} your swap in {names.schedule}"
    if state != "accepted":
        return title, f"You stay on call as it was planned. Answered by {by}."
    given = [hand for hand in hands if hand.gives == asked.asked_by]
    taken = [hand for hand in hands if hand.gives == asked.asked]
    lines = [f"{other} is on call in your place:", *_lines(given, zone_name)]
    lines += [f"You are on call in place of {other}:", *_lines(taken, zone_name)] if taken else []
    return title, "\n".join([*lines, f"Answered by {by}."])


def withdrawn_text(asked: Asked, names: Names) -> Text:
    """For the person who had been asked."""
    asker = names.people[int(asked.asked_by)]
    return f"{asker} no longer asks you to swap in {names.schedule}", "Nothing changes, and nothing is to be answered."


def _lines(hands: Sequence[Hand], zone_name: str) -> Iterable[str]:
    for hand in hands[:SHOWN]:
        yield f"- {_when(hand.starts_at, zone_name)} to {_when(hand.ends_at, zone_name)} ({hand.role})"
    if len(hands) > SHOWN:
        yield f"- and {len(hands) - SHOWN} more"


def _when(at: Micros, zone_name: str) -> str:
    """As in Mon 2026-03-02 09:00 Berlin."""
    local, place = wording.clock(at, zone_name)
    return f"{local:%a %Y-%m-%d %H:%M} {place}"

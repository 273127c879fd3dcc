"""What the page behind a ticket says and offers. Pure: facts in, names for the template out.

Texts go to the template as they are and are escaped there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from app.api.moments import ago, moment, span
from app.clock import lasting
from app.rota.answers import DrillFacts, Facts, Said, SwapFacts, Word
from app.rota.hands import Hand
from app.rota.swaps import State
from app.rota.tickets import Ticket

SHOWN = 20
"""More shifts than these are counted, not listed."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How it stands. `look` is open, mine, theirs or over; `who` is a name before `says`."""

    look: str
    says: str
    more: str = ""
    who: str = ""


@dataclass(frozen=True, slots=True)
class Button:
    """What can be pressed."""

    word: Word
    label: str
    calm: bool = False


def context(facts: Facts, ticket: Ticket, token: str, said: Said | None, refused: str = "") -> dict[str, Any]:
    """Everything the template asks for. `refused` says why what was pressed was not done."""
    shown = _swap(facts) if isinstance(facts, SwapFacts) else _drill(facts)
    return {
        "token": token,
        "notice": refused or (_ALREADY if said == "already" else ""),
        "me": facts.me,
        "expires": moment(ticket.expires_at, facts.zone),
        **shown,
    }


_ALREADY = "You had answered that already. Nothing was changed."


def words_of(ticket: Ticket) -> tuple[Word, ...]:
    """What may be done by a ticket; the first is meant by a form that says nothing."""
    return ("here",) if ticket.purpose == "drill" else ("accept", "decline")


def _swap(facts: SwapFacts) -> dict[str, Any]:
    deed = "swap" if facts.gives else "cover"
    groups = [_group(_FOR_YOU.get(facts.state, "What was asked of you"), facts.takes, facts.zone)]
    groups += [_group("In return you give", facts.gives, facts.zone)] if facts.gives else []
    may = facts.state == "asked"
    return {
        "badge": "Swap" if facts.gives else "Cover",
        "who": facts.asker,
        "heading": f"asks you to {deed} in {facts.schedule}",
        "lines": [] if facts.gives else ["Nothing is given in return."],
        "reason": facts.reason,
        "groups": groups,
        "state": _of_swap(facts),
        "buttons": [Button("accept", "Accept"), Button("decline", "Decline", calm=True)] if may else [],
    }


_FOR_YOU: dict[State, str] = {"asked": "You would be on call", "accepted": "You are on call"}


def _of_swap(facts: SwapFacts) -> Standing:
    when = f"{ago(facts.answered_at, facts.now)}." if facts.answered_at is not None else ""
    match facts.state:
        case "asked":
            left = f"You can answer for {lasting(facts.begins_at - facts.now)} more, until it begins."
            return Standing("theirs", "It waits for your answer", left)
        case "accepted":
            return Standing("mine", "Accepted", f"By {facts.answered_by}, {when} The shifts have changed hands.")
        case "declined":
            return Standing("over", "Declined", f"By {facts.answered_by}, {when} Nothing changes.")
        case "withdrawn":
            return Standing("over", "It is not asked for any more", f"Withdrawn by {facts.answered_by}, {when}")
        case "expired":
            return Standing("over", "It was to begin already", "Nobody answered in time, so nothing has changed.")


def _group(title: str, hands: Sequence[Hand], zone: str) -> dict[str, Any]:
    rows = [
        {"when": span(hand.starts_at, hand.ends_at, zone), "utc": span(hand.starts_at, hand.ends_at), "role": hand.role}
        for hand in hands[:SHOWN]
    ]
    return {"title": title, "rows": rows, "more": f"and {len(hands) - SHOWN} more" if len(hands) > SHOWN else ""}


def _drill(facts: DrillFacts) -> dict[str, Any]:
    return {
        "badge": "Drill",
        "who": "",
        "heading": "Are you there?",
        "lines": [
            "This is a drill: nothing is broken. It tries out whether a page would reach you.",
            f"You are on call in {facts.schedule} ({facts.role}).",
        ],
        "reason": "",
        "groups": [],
        "state": _of_drill(facts),
        "buttons": [Button("here", "I am here")] if facts.answered_at is None else [],
    }


def _of_drill(facts: DrillFacts) -> Standing:
    took = lasting(facts.answered_at - facts.created_at) if facts.answered_at is not None else ""
    limit = lasting(facts.answer_by - facts.created_at)
    if facts.answered_at is not None and facts.failed_at is None and facts.answered_at < facts.answer_by:
        return Standing("mine", "Thank you", f"You answered after {took}. There is nothing else to do.")
    if facts.answered_at is not None:
        return Standing(
            "mine", "Thank you", f"You answered after {took}. That was later than {limit}, so it counts as failed."
        )
    if facts.now < facts.answer_by:
        left = lasting(facts.answer_by - facts.now)
        return Standing("theirs", "It waits for your answer", f"You have {left} more. Then your team is told.")
    return Standing(
        "open", "The time to answer is over", "Your team was told. Answer all the same: it shows that you read here."
    )

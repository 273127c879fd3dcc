"""By which way a notice is sent next: a person's contact methods one after the other, or a channel. Pure.

Unlike a page, a notice never goes by two ways at once: the next one is used when the one before has failed. What is
tried follows the configuration as it is now, so an edit counts at once. Must never know the database.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, assert_never

from app.notifiers.notifier import Outcome, Unknown
from app.paging.retry import Again, Awaits, Blocked, Done, Failed, Next, outcome_name
from app.people.contacts import address_digest
from app.people.person import ContactMethod, Person, Urgency, steps

MAX_DETAIL = 500
INTERRUPTED = "the process stopped while it was sending"


@dataclass(frozen=True, slots=True)
class Way:
    """One way that a notice was tried by, and how it went so far."""

    method: str
    """The id of the contact method; of a channel its own id."""
    notifier: str
    label: str
    state: Literal["trying", "sent", "failed"] = "trying"
    tries: int = 0
    outcome: str | None = None
    """Of the last try; None while it is under way."""
    detail: str = ""
    address: str = ""
    """Of the address that was used, its digest (app/people/contacts.py)."""
    perhaps: bool = False
    """A try of it came to nothing known: it may have arrived by this way, whatever was tried after it."""

    @property
    def name(self) -> str:
        """How people call it."""
        return self.label or self.notifier


Ways = tuple[Way, ...]


def read_ways(document: Iterable[dict[str, Any]]) -> Ways:
    """The ways as they are stored."""
    return tuple(Way(**one) for one in document)


def methods_of(person: Person, urgency: Urgency, only: str | None) -> tuple[ContactMethod, ...]:
    """The contact methods for a notice, in order, each once. One that is asked for by its id may be switched off."""
    if only is not None and not person.disabled:
        return tuple(method for method in person.contact_methods if method.id == only)
    found = {step.method.id: step.method for step in steps(person, urgency)}
    return tuple(found.values())


def as_now(used: Ways, methods: Sequence[ContactMethod]) -> Ways:
    """The ways as the configuration has them now.

    One whose contact method is gone has failed; the last try of one may never have come back (the process died), and then
    what came of it is unknown.
    """
    there = {_which(method) for method in methods}
    return tuple(_as_now(way, (way.method, way.address) in there) for way in used)


def _which(method: ContactMethod) -> tuple[str, str]:
    """A contact method whose address was changed is another one."""
    return method.id, address_digest(method).hex()


def _as_now(way: Way, there: bool) -> Way:
    if way.state != "trying":
        return way
    if way.outcome is None:
        way = replace(way, outcome="unknown", detail=INTERRUPTED, perhaps=True)
    return way if there else replace(way, state="failed", detail=f"{way.detail}; it was changed or removed since")


def next_way(known: Ways, methods: Sequence[ContactMethod]) -> tuple[Ways, ContactMethod | None]:
    """The ways (as they are now) with a new try begun in the last of them, and its contact method; None: nothing is left."""
    if known and known[-1].state == "trying":
        last = replace(known[-1], tries=known[-1].tries + 1, outcome=None)
        return (*known[:-1], last), next(method for method in methods if method.id == last.method)
    spent = {(way.method, way.address) for way in known}
    method = next((method for method in methods if _which(method) not in spent), None)
    if method is None:
        return known, None
    return (*known, Way(method.id, method.kind, method.label, tries=1, address=_which(method)[1])), method


def passed_over(known: Ways, used: Ways, reason: str) -> Ways:
    """The ways (`known` before, `used` with a new try) when that try is not made, because its provider does not work."""
    last = known[-1] if len(known) == len(used) else replace(used[-1], tries=0)
    return (*used[:-1], replace(last, state="failed", detail=reason[:MAX_DETAIL]))


def after_try(used: Ways, outcome: Outcome, follows: Next) -> Ways:
    """The ways with what came of the last one's try."""
    *before, last = used
    last = replace(last, outcome=outcome_name(outcome), perhaps=last.perhaps or isinstance(outcome, Unknown))
    match follows:
        case Done() | Awaits():
            last = replace(last, state="sent", detail="")
        case Failed(reason) | Blocked(_, reason):
            last = replace(last, state="failed", detail=reason[:MAX_DETAIL])
        case Again(_, reason, _):
            last = replace(last, detail=reason[:MAX_DETAIL])
        case _:
            assert_never(follows)
    return (*before, last)


def how_it_went(used: Ways) -> str:
    """Each way and why it failed, in one line: "phone: the number is wrong; mail: no answer"."""
    return "; ".join(f"{way.name}: {way.detail or INTERRUPTED}" for way in used)[:MAX_DETAIL]


def surely_by(used: Ways) -> Way | None:
    """The only way by which the notice can have arrived; None when it was none, or may have been another."""
    sent = [way for way in used if way.state == "sent"]
    perhaps = [way for way in used if way.state != "sent" and way.perhaps]
    return sent[0] if len(sent) == 1 and not perhaps else None

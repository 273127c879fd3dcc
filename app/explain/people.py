"""One after another: who was paged, by what, what came of it; and who was not, and why. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from app.clock import Micros
from app.explain.deeds import LEVELS, level_of
from app.explain.facts import Facts, PageSeen, Unreached
from app.explain.stopped import Stopped, stopped, why_stopped
from app.explain.tries import not_needed, outcome
from app.explain.wording import clock, level_name, many, quote, relative, sentence, shortened, took

STILL = ("waiting", "blocked")
"""States of pages that are sent, or tried again, unless somebody has it before."""
_ANSWERS = {
    "acknowledged": "acknowledged",
    "acknowledged_by_one": "acknowledged",
    "snoozed": "asked for quiet",
    "resolved": "resolved it",
    "responder_accepted": "joined",
    "responder_declined": "said that they can't join",
}
"""Entries by which somebody answers a page, and how that is told."""
FALLBACKS = ("fallback_told", "fallback_reached_nobody")


@dataclass(frozen=True, slots=True)
class OnePerson:
    """A person, or a channel, and all there is to say of why they were paged or not."""

    name: str
    person_id: int | None
    channel_id: int | None
    paged: bool
    brief: str
    """For the summary, without a full stop."""
    sentences: tuple[str, ...]


def people(facts: Facts) -> tuple[OnePerson, ...]:
    """First those for whom there are pages, in the order of these; then those for whom there are none."""
    by_one: dict[tuple[str, int | str], list[PageSeen]] = {}
    for page in facts.pages:
        by_one.setdefault(page.whom, []).append(page)
    paged = [_paged(facts, own) for own in by_one.values()]
    known = {one.person_id for one in paged if one.person_id is not None} | facts.told_before
    return (*paged, *_not_told(facts, known))


def _paged(facts: Facts, own: list[PageSeen]) -> OnePerson:
    sent = [page for page in own if page.state == "sent"]
    first = own[0]
    name = quote(first.recipient, 80)
    brief = _sent(facts, name, sent) if sent else _not_sent(facts, name, own)
    sentences = [f"{brief}: {quote(first.reason)}." if sent else f"{brief}."]
    if len(sent) > 1:
        last = sent[-1]
        at = clock(_first_try(last), facts.incident.opened_at)
        sentences.append(f"{many(len(sent), 'page')} were sent, the last at {at} by {last.way}.")
    sentences += [_failed(page) for page in own if page.state == "failed" and sent]
    sentences += [
        f"Page {page.number} by {page.way} was not sent: {not_needed(facts, page)}."
        for page in own
        if page.state == "not_needed" and sent
    ]
    sentences += [_still(facts, page) for page in own if page.state in STILL and page.due_at and sent]
    answered = _answered(facts, own, sent)
    sentences += [f"{name} {answered}."] if answered else []
    return OnePerson(
        first.recipient,
        first.person_id,
        first.channel_id,
        bool(sent),
        f"{brief} and {answered}" if answered and sent else brief,
        tuple(sentences),
    )


def _first_try(page: PageSeen) -> Micros:
    return page.tries[0].started_at if page.tries else page.due_at


def _sent(facts: Facts, name: str, sent: list[PageSeen]) -> str:
    at, begun = _first_try(sent[0]), facts.incident.opened_at
    return f"{name} was paged at {clock(at, begun)} ({relative(at - begun)}) by {sent[0].way}"


def _not_sent(facts: Facts, name: str, own: list[PageSeen]) -> str:
    """Why nothing was sent to somebody for whom there are pages: what says most comes first."""
    tried = [page for page in own if page.tries]
    if failed := [page for page in own if page.state == "failed"]:
        return f"{name} was not reached: {'; '.join(_how_it_failed(page) for page in failed[:3])}"
    if tried:
        return (
            f"{name} was not reached so far: page {tried[-1].number} by {tried[-1].way} {outcome(tried[-1].tries[-1])}"
        )
    if blocked := [page for page in own if page.state == "blocked"]:
        return f"{name} was not reached so far: page {blocked[0].number} by {blocked[0].way} waits: {quote(blocked[0].detail)}"
    if put_off := [page for page in own if page.state == "not_needed"]:
        return f"{name} was not paged: {not_needed(facts, put_off[0])}"
    waiting = min((page.due_at for page in own if page.due_at), default=0)
    return f"{name} is paged at {clock(waiting, facts.incident.opened_at)} unless somebody has it before"


def _failed(page: PageSeen) -> str:
    return sentence(_how_it_failed(page))


def _how_it_failed(page: PageSeen) -> str:
    said = outcome(page.tries[-1]) if page.tries else f"could not be tried: {quote(page.detail)}"
    return f"page {page.number} by {page.way} {said}"


def _still(facts: Facts, page: PageSeen) -> str:
    at = clock(page.next_try_at or page.due_at, facts.incident.opened_at)
    again = "is tried again" if page.tries else "follows"
    return f"Page {page.number} by {page.way} {again} at {at} unless somebody has it before."


def _answered(facts: Facts, own: list[PageSeen], sent: list[PageSeen]) -> str:
    """What they did about it, or that they did nothing; empty where nothing was asked of them."""
    name = own[0].recipient
    begun = facts.incident.opened_at
    for entry in facts.timeline:
        if entry.kind in _ANSWERS and entry.actor in (name, f"someone via {name}"):
            tries = [attempt.started_at for page in sent for attempt in page.tries if attempt.started_at <= entry.at]
            after = f", {took(entry.at - min(tries))} after the first page" if tries else ""
            return f"{_ANSWERS[entry.kind]} at {clock(entry.at, begun)}{after}"
    return "did not answer" if sent and own[0].person_id is not None else ""


def _not_told(facts: Facts, known: set[int] | frozenset[int]) -> Iterator[OnePerson]:
    """Those who were meant and for whom there is no page."""
    seen = set(known)
    for person_id, why in [*_missed(facts), *_not_reached(facts)]:
        if person_id in seen:
            continue
        seen.add(person_id)
        name = facts.names.get(person_id, "Somebody who was deleted")
        brief = f"{quote(name, 80)} was not paged: {why}"
        yield OnePerson(name, person_id, None, paged=False, brief=brief, sentences=(f"{brief}.",))


def _missed(facts: Facts) -> Iterator[tuple[int, str]]:
    for entry in facts.timeline:
        if entry.kind not in (*LEVELS, *FALLBACKS):
            continue
        where = "the fallback" if entry.kind in FALLBACKS else level_of(entry)
        for one in entry.detail.get("missed", ()):
            if one.get("person_id") is not None:
                at = clock(entry.at, facts.incident.opened_at)
                yield int(one["person_id"]), f"{quote(str(one['reason']))} ({where}, {at})"


def _not_reached(facts: Facts) -> Iterator[tuple[int, str]]:
    by = stopped(facts.timeline)
    for one in facts.unreached:
        if by is not None and one.person_id is not None:
            yield one.person_id, _unreached(facts, by, one)


def _unreached(facts: Facts, by: Stopped, one: Unreached) -> str:
    """As in "level 3 (on call in Primary) was not reached, because Ana acknowledged 40 s before it was due"."""
    meant = f" ({quote(one.reason)})" if one.reason else ""
    return f"{level_name(one.level, 0)}{meant} was not reached, because {why_stopped(facts, by, one.level)}"


def nobody(facts: Facts) -> tuple[str, ...]:
    """Targets that led to nobody in particular: a gap in a schedule, a team without members."""
    said: dict[str, list[str]] = {}
    for entry in facts.timeline:
        if entry.kind not in (*LEVELS, *FALLBACKS):
            continue
        where = "the fallback" if entry.kind in FALLBACKS else level_of(entry)
        at = clock(entry.at, facts.incident.opened_at)
        for one in entry.detail.get("missed", ()):
            if one.get("person_id") is None:
                said.setdefault(quote(str(one["reason"])), []).append(f"{where} at {at}")
    return tuple(sentence(f"{reason} ({shortened(places)})") for reason, places in said.items())

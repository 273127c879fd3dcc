"""What an escalation will do if nobody stops it, in sentences: at which instant, who, by which ways, why. Pure.

The same for an incident that is open and for one that does not exist (a dry run).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from app.clock import SECOND, Micros
from app.explain.wording import a_way, clock, joined, level_name, names, quote, relative, sentence, took
from app.paging.ahead import Ahead, Step
from app.paging.course import Rules
from app.paging.plan import PlannedPage


@dataclass(frozen=True, slots=True)
class Way:
    """One contact method and when it is used."""

    notifier: str
    label: str
    at: Micros
    if_others_fail: bool
    """Only when those before it have failed, and then at once."""


@dataclass(frozen=True, slots=True)
class Told:
    """Somebody who is told."""

    name: str
    person_id: int | None
    channel_id: int | None
    reason: str
    ways: tuple[Way, ...]


@dataclass(frozen=True, slots=True)
class Expected:
    """What happens at an instant."""

    at: Micros
    kind: str
    """level, fallback, console, wait, end."""
    level: int | None
    """Counted from 0."""
    round: int
    told: tuple[Told, ...]
    missed: tuple[str, ...]
    sentence: str
    again: bool = False
    """A level of a later round that tells the same people as before."""


def expected(ahead: Ahead, since: Micros) -> tuple[Expected, ...]:
    """All of it in order. A level that tells the same people as in the round before is told in a few words."""
    first: dict[int, Step] = {}
    for step in ahead.steps:
        if step.kind == "level":
            first.setdefault(step.position.level, step)
    found = [_step(step, since, again=_repeats(step, first)) for step in ahead.steps]
    return (*found, *_end(ahead, since))


def gaps(found: Iterable[Expected]) -> tuple[str, ...]:
    """What is to be said loudly: where nobody, or not everybody who was meant, would be told."""
    said: dict[str, None] = {}
    for one in found:
        where = "the fallback" if one.kind == "fallback" else level_name(one.level or 0, one.round)
        if one.again:
            continue
        if one.kind == "console":
            said[sentence(f"{one.sentence}")] = None
        elif one.missed and not one.told:
            said[f"{sentence(where)[:-1]} would reach nobody at that hour: {'; '.join(one.missed)}."] = None
        elif one.missed:
            said[f"{sentence(where)[:-1]} would not tell everybody: {'; '.join(one.missed)}."] = None
    return tuple(said)


def _whom(step: Step) -> list[tuple[str, str]]:
    return [(page.recipient, page.method_id) for page in step.plan.pages]


def _repeats(step: Step, first: Mapping[int, Step]) -> bool:
    """Whether it is a later round's and tells just those whom its level told when it was laid out first."""
    other = first.get(step.position.level)
    if step.kind != "level" or other is None or other is step or other.rules.id != step.rules.id:
        return False
    missed = [[one.reason for one in found.plan.missed] for found in (step, other)]
    return _whom(step) == _whom(other) and missed[0] == missed[1]


def _step(step: Step, since: Micros, *, again: bool) -> Expected:
    told = tuple(_told(step))
    missed = tuple(quote(one.reason) for one in step.plan.missed)
    one = Expected(step.at, step.kind, step.position.level, step.position.round, told, missed, "", again)
    if step.kind != "level":
        one = replace(one, level=None, round=0)
    return replace(one, sentence=_briefly(one) if again else " ".join(_sentences(step, one, since)))


def _briefly(one: Expected) -> str:
    """A level that does what it did in the round before."""
    does = f"tells {names(each.name for each in one.told)} again" if one.told else "reaches nobody again"
    return f"{sentence(level_name(one.level or 0, one.round))[:-1]} {does}."


def _sentences(step: Step, one: Expected, since: Micros) -> Iterator[str]:
    rules = step.rules
    if step.kind == "wait":
        yield f"Nobody is told before {clock(step.until, since)}: urgency is low and this is {rules.because}."
        return
    if step.kind == "console":
        yield sentence(step.plan.pages[0].reason)
        return
    policy = _by(rules)
    name = (
        "The fallback"
        if step.kind == "fallback"
        else sentence(level_name(step.position.level, step.position.round))[:-1]
    )
    if not one.told:
        yield f"{name}{policy} reaches nobody: {'; '.join(one.missed)}."
        return
    yield f"{name}{policy} tells {names(each.name for each in one.told)}."
    for each in one.told:
        yield f"{quote(each.name, 80)} {ways_said(each, step.at)}. Why: {quote(each.reason)}."
    if step.each:
        yield "Each of them must acknowledge; until then the levels after it are told too."
    if one.missed:
        yield f"Not told: {'; '.join(one.missed)}."


def _by(rules: Rules) -> str:
    """Which policy is followed, and why that one."""
    if rules.policy is None or rules.id is None:
        return ""
    because = f", {rules.because}" if rules.because else ""
    return f" ({quote(rules.policy.name, 80)}, version {rules.version}{because})"


def ways_said(told: Told, at: Micros) -> str:
    """By what and when: "by ntfy (phone) at once and by sms after 2 min"."""
    timed = [way for way in told.ways if not way.if_others_fail]
    said = joined([f"by {a_way(way.notifier, way.label)} {_when(way.at - at)}" for way in timed])
    rest = [a_way(way.notifier, way.label) for way in told.ways if way.if_others_fail]
    return said + (f"; should that fail, at once by {joined(rest, 'then by')}" if rest else "")


def _when(gap: Micros) -> str:
    return f"after {took(gap)}" if gap else "at once"


def _told(step: Step) -> Iterator[Told]:
    by_one: dict[tuple[int | None, int | None, str], list[PlannedPage]] = {}
    for page in step.plan.pages:
        by_one.setdefault((page.person_id, page.channel_id, page.recipient), []).append(page)
    for (person_id, channel_id, name), planned in by_one.items():
        ways = tuple(Way(page.notifier, page.label, step.at + page.delay_s * SECOND, page.fallback) for page in planned)
        yield Told(name, person_id, channel_id, planned[0].reason, ways)


def _end(ahead: Ahead, since: Micros) -> Iterator[Expected]:
    last = ahead.steps[-1] if ahead.steps else None
    if ahead.cut:
        assert last is not None
        said = f"There is more: only the first {len(ahead.steps)} steps are laid out."
        yield Expected(last.at, "end", None, last.position.round, (), (), said)
    elif ahead.ends_at is not None and not (last and last.kind == "console"):
        at = f"{clock(ahead.ends_at, since)} ({relative(ahead.ends_at - since)})"
        said = f"If nobody has it by {at}, the policy has ended: nobody else is told, and the incident stays open."
        yield Expected(ahead.ends_at, "end", None, last.position.round if last else 0, (), (), said)

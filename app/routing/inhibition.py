"""Inhibition: alerts that don't page while another alert fires that explains them. Alertmanager's semantics. Pure.

A *source* that fires inhibits a *target* when both have the same values of the labels in `equal` (a missing one is the empty
text). An alert that is source and target of one rule is not inhibited by another that is both, so nothing inhibits itself.
What a source stands for is a digest of the rule and those values: whether a target is inhibited is one look-up a rule.

With `needs`, the source's service must be one that the target's needs, itself or through others, by the service graphs: what is
above a service that is down does not page. Such a target asks one look-up for each service that it needs, at most `FARTHEST`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import NamedTuple, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from app.routing.index import Index
from app.routing.matchers import Facts, Matcher, all_match, contradiction, parse
from app.routing.rule import MatcherText, Name

FARTHEST = 100
"""Services that one needs that are asked about."""


class Inhibition(BaseModel):
    """One rule of inhibition."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(min_length=1, max_length=200)
    description: str = Field(default="", max_length=2_000)
    enabled: bool = True
    source: tuple[MatcherText, ...] = Field(min_length=1, max_length=30, description="What must fire.")
    target: tuple[MatcherText, ...] = Field(min_length=1, max_length=30, description="What does not page meanwhile.")
    equal: tuple[Name, ...] = Field(
        default=(), max_length=20, description="Labels, or @fields, that must have the same value on both sides."
    )
    needs: Name | None = Field(
        default=None,
        description="The label, or @field, that names the service: the source's must be one that the target's needs, "
        "itself or through others, by the service graphs.",
    )

    @model_validator(mode="after")
    def _can_match(self) -> Self:
        for side in ("source", "target"):
            if why := contradiction([parse(text) for text in getattr(self, side)]):
                raise ValueError(f"`{side}` can never match: {why}")
        return self


@dataclass(frozen=True, slots=True)
class Inhibiting:
    """A rule, ready to be asked."""

    id: int
    name: str
    source: tuple[Matcher, ...]
    target: tuple[Matcher, ...]
    equal: tuple[str, ...]
    needs: str | None = None

    @classmethod
    def of(cls, rule_id: int, rule: Inhibition) -> Inhibiting:
        """The rule of a document."""
        source, target = (tuple(parse(text) for text in side) for side in (rule.source, rule.target))
        return cls(rule_id, rule.name, source, target, rule.equal, rule.needs)

    def digest(self, facts: Facts, service: str = "") -> bytes:
        """16 bytes that are equal for a source and a target that belong together; `service`: the source's, where it counts."""
        parts = [str(self.id), *(facts.get(name, "") for name in self.equal), service]
        # Lengths before texts: no two lists of parts give the same bytes.
        text = "".join(f"{len(part)}:{part}" for part in parts)
        return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()


class Side(NamedTuple):
    """What an alert is to a rule."""

    rule: Inhibiting
    digest: bytes
    mutual: bool
    """It is source and target of the rule."""


class Inhibitions:
    """All rules of inhibition."""

    def __init__(self, rules: Iterable[Inhibiting] = (), calls: Mapping[str, Iterable[str]] | None = None) -> None:
        self.rules = list(rules)
        self._calls = {one.lower(): [other.lower() for other in others] for one, others in (calls or {}).items()}
        self._needed: dict[str, tuple[str, ...]] = {}
        self._sources = Index([rule.source for rule in self.rules])
        self._targets = Index([rule.target for rule in self.rules])

    def __bool__(self) -> bool:
        return bool(self.rules)

    def as_source(self, facts: Facts) -> Iterator[Side]:
        """The rules by which an alert inhibits others."""
        for place in self._sources.candidates(facts):
            rule = self.rules[place]
            if all_match(rule.source, facts):
                service = facts.get(rule.needs, "").lower() if rule.needs else ""
                yield Side(rule, rule.digest(facts, service), all_match(rule.target, facts))

    def as_target(self, facts: Facts) -> Iterator[Side]:
        """The rules by which others may inhibit it."""
        for place in self._targets.candidates(facts):
            rule = self.rules[place]
            if all_match(rule.target, facts):
                mutual = all_match(rule.source, facts)
                services = ("",) if rule.needs is None else self.needed(facts.get(rule.needs, "").lower())
                for service in services:
                    yield Side(rule, rule.digest(facts, service), mutual)

    def needed(self, service: str) -> tuple[str, ...]:
        """The services that one needs, itself or through others, nearest first; at most `FARTHEST`."""
        known = self._needed.get(service)
        if known is None:
            found = dict.fromkeys(self._calls.get(service, ()))
            waiting = list(found)
            while waiting and len(found) < FARTHEST:
                fresh = [one for one in self._calls.get(waiting.pop(0), ()) if one not in found and one != service]
                found.update(dict.fromkeys(fresh))
                waiting += fresh
            known = self._needed[service] = tuple(found)[:FARTHEST]
        return known

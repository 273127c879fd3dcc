"""What all rules together make of one event, and the sentence each of them says about it. Pure.

Rules are asked in order. What one changes, the next ones see. A rule that stops ends it; `drop` and `suppress` stop too.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import quote

from app.incidents.priority import Impact
from app.routing.index import Index
from app.routing.matchers import Facts, Matcher, all_match, facts_of, parse
from app.routing.rule import RAISED, Example, LookUp, Rule, Table, Then
from app.sources.event import MAX_LABELS, MAX_VALUE

_SLOT = re.compile(r"\{([^{}]{1,300})\}")
"""A place in a configured text that stands for a label: our own grammar, on texts that are bounded."""


@dataclass(frozen=True, slots=True)
class Known:
    """What rules speak of beside events: services by name and id, tables by id."""

    services: Mapping[str, int] = field(default_factory=dict)
    names: Mapping[int, str] = field(default_factory=dict)
    tables: Mapping[int, Table] = field(default_factory=dict)
    rows: Mapping[int, Mapping[str, Mapping[str, str]]] = field(default_factory=dict)

    @classmethod
    def of(cls, services: Mapping[int, str], tables: Mapping[int, Table]) -> Known:
        """From what is configured."""
        rows = {item: {row[table.key]: row for row in table.read()} for item, table in tables.items()}
        return cls({name: item for item, name in services.items()}, services, tables, rows)


@dataclass(frozen=True, slots=True)
class Ready:
    """A rule, ready to be asked."""

    id: int
    name: str
    when: tuple[Matcher, ...]
    then: Then
    stop: bool

    @classmethod
    def of(cls, rule_id: int, rule: Rule) -> Ready:
        """The rule of a document."""
        then = rule.then
        stop = rule.stop or then.drop is not None or then.suppress is not None
        return cls(rule_id, rule.name, tuple(parse(text) for text in rule.when), then, stop)


@dataclass(slots=True)
class Routed:
    """What rules made of an event. `facts` are what they were after the last of them."""

    facts: dict[str, str]
    service_id: int | None = None
    """The service chosen; None: that of the integration stays."""
    impact: Impact | None = None
    links: tuple[tuple[str, str], ...] = ()
    hold_s: int = 0
    verdict: Literal["", "drop", "suppress"] = ""
    reason: str = ""
    """Why it is dropped or suppressed."""
    hits: list[int] = field(default_factory=list)
    """The rules that matched."""
    said: list[str] = field(default_factory=list)
    """What each did, in one sentence."""

    def labels(self) -> dict[str, str]:
        """The labels of the event now."""
        kept = {name: value for name, value in self.facts.items() if value and name[:1] != "@"}
        if len(kept) > MAX_LABELS:
            kept = {name: kept[name] for name in sorted(kept)[:MAX_LABELS]}
        return kept


class Rulebook:
    """All rules, in their order."""

    def __init__(self, rules: Iterable[tuple[int, Rule]] = (), known: Known = Known()) -> None:
        enabled = [(rule.place, rule_id, rule) for rule_id, rule in rules if rule.enabled]
        self.rules: Sequence[Ready] = [
            Ready.of(rule_id, rule) for _, rule_id, rule in sorted(enabled, key=lambda one: one[:2])
        ]
        self.known = known
        self._index = Index([rule.when for rule in self.rules])

    def __bool__(self) -> bool:
        return bool(self.rules)

    def run(self, facts: dict[str, str]) -> Routed | None:
        """What the rules make of an event; None when none of them matches. `facts` are changed."""
        routed: Routed | None = None
        waiting = self._index.candidates(facts)
        while waiting:
            place, waiting = waiting[0], waiting[1:]
            rule = self.rules[place]
            if not all_match(rule.when, facts):
                continue
            if routed is None:
                routed = Routed(facts)
            apply(rule, routed, self.known)
            if rule.stop:
                break
            waiting = [later for later in self._index.candidates(facts) if later > place]
        return routed

    def hidden_behind(self, rule_id: int) -> Ready | None:
        """A rule before this one that stops whatever this one could match."""
        mine = next((rule for rule in self.rules if rule.id == rule_id), None)
        for rule in self.rules if mine else ():
            if rule is mine:
                return None
            if rule.stop and mine is not None and set(rule.when) <= set(mine.when):
                return rule
        return None


def apply(rule: Ready, routed: Routed, known: Known) -> None:
    """Does what a rule that matches says."""
    then, facts, did = rule.then, routed.facts, []
    if then.look_up is not None:
        did.append(_look_up(then.look_up, facts, known))
    for name, text in then.labels.items():
        facts[name] = filled(text, facts)[:MAX_VALUE]
        did.append(f"set {name}={facts[name][:80]!r}" if facts[name] else f"took {name} away")
    if then.category is not None:
        facts["category"] = then.category
        did.append(f"put it into the category {then.category!r}")
    for link in then.links:
        routed.links += ((link.text, filled(link.url, facts, escape=True)),)
        did.append(f"added the link {link.text!r}")
    severity = then.severity or facts["@severity"]
    severity = RAISED[then.urgency].get(severity, severity) if then.urgency else severity
    if severity != facts["@severity"]:
        did.append(f"made {facts['@severity']} {severity}")
        facts["@severity"] = severity
    if then.impact is not None:
        routed.impact = then.impact
        did.append(f"set the impact {then.impact}")
    did += _service(then, routed, known)
    if then.hold_s is not None:
        routed.hold_s = then.hold_s
        did.append(f"holds its page for {then.hold_s} s")
    if then.drop is not None or then.suppress is not None:
        routed.verdict = "drop" if then.drop is not None else "suppress"
        routed.reason = then.drop or then.suppress or ""
        did.append(f"{'dropped' if routed.verdict == 'drop' else 'suppressed'} it: {routed.reason}")
    routed.hits.append(rule.id)
    routed.said.append(f"rule {rule.name!r} {', '.join(did) or 'matched and changed nothing'}")


def _look_up(look: LookUp, facts: dict[str, str], known: Known) -> str:
    table_id, value = int(look.table_id), facts.get(look.by, "")
    table = known.tables.get(table_id)
    row = known.rows.get(table_id, {}).get(value)
    name = table.name if table else "that is gone"
    if row is None:
        return f"found no row for {look.by}={value[:80]!r} in the table {name!r}"
    took = {column: row[column] for column in look.take if row.get(column)}
    facts.update((column, text) for column, text in took.items() if column[:1] != "@")
    return f"took {', '.join(took) or 'nothing'} from the table {name!r}"


def _service(then: Then, routed: Routed, known: Known) -> list[str]:
    if then.service_id is not None:
        chosen = int(then.service_id)
        if chosen not in known.names:
            return ["could not choose a service that is gone"]
    elif then.service_from is not None:
        said = routed.facts.get(then.service_from, "")
        if said not in known.services:
            return [f"found no service called {said[:80]!r}"]
        chosen = known.services[said]
    else:
        return []
    routed.service_id = chosen
    routed.facts["@service"] = known.names[chosen]
    return [f"chose the service {known.names[chosen]!r}"]


def filled(text: str, facts: Facts, *, escape: bool = False) -> str:
    """A configured text with what its {names} stand for; what is absent stands for nothing."""

    def slot(found: re.Match[str]) -> str:
        value = facts.get(found[1], "")
        return quote(value[:MAX_VALUE], safe="") if escape else value

    return _SLOT.sub(slot, text)


def tried(rule_id: int, rule: Rule, known: Known) -> list[tuple[str, str]]:
    """(field, message) of each example that the rule does not make what it says. Pure."""
    ready, wrong = Ready.of(rule_id, rule), []
    for place, example in enumerate(rule.examples):
        if said := _tried(ready, example, known):
            wrong.append((f"examples.{place}", said))
    return wrong


def _tried(ready: Ready, example: Example, known: Known) -> str:
    facts: dict[str, Any] = facts_of(
        example.labels,
        example.annotations,
        title=example.title,
        severity=example.severity,
        service=example.service,
        integration=example.integration,
        kind=example.kind,
        key="",
    )
    failed = next((one for one in ready.when if not one.matches(facts)), None)
    if example.matches != (failed is None):
        return f"does not match: {failed} does not hold" if failed else "matches, and must not"
    if failed is not None:
        return ""
    routed = Routed(facts)
    apply(ready, routed, known)
    for name, value in example.gives.items():
        if facts.get(name, "") != value:
            return f"gives {name}={facts.get(name, '')[:80]!r} and not {value[:80]!r}: {routed.said[0]}"
    return ""

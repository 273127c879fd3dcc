"""What happens in a run, written down before it begins: the configuration, and the steps of everybody outside Tocsin.

All of it follows from the seed. A step is a value, so a run can be told again without some of them (tests/sim/shrink.py).
What people do when a page reaches them is no step: it follows from the seed and the page (tests/sim/people.py).
"""

from __future__ import annotations

import copy
import random
from dataclasses import dataclass, field
from typing import Any

from tests.sim import faults
from tests.sim.chance import chance as by_name
from tests.sim.providers import KINDS

DAY_S = 86_400.0
LEVELS_S = (60, 120, 300, 300, 900, 1_800)
"""How long levels have."""


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that happens at `at` (seconds after the beginning)."""

    at: float
    what: str
    args: tuple[Any, ...] = ()

    def __str__(self) -> str:
        return f"{told(self.at)} {self.what} {' '.join(map(str, self.args))}"


def told(at: float) -> str:
    """An instant of a run for people: day and time to the millisecond."""
    whole = int(at)
    return f"{whole // 3600:02d}:{whole // 60 % 60:02d}:{at - whole // 60 * 60:06.3f}"


@dataclass(frozen=True, slots=True)
class Script:
    """A whole run."""

    seed: int
    replicas: int
    documents: tuple[tuple[str, dict[str, Any]], ...]
    """(kind, document) in the order in which they are made; "@person:3" stands for the id of the fourth person."""
    steps: tuple[Step, ...]
    features: tuple[str, ...]


@dataclass
class Draft:
    """A script while it is made."""

    chance: random.Random
    features: set[str]
    documents: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    steps: list[Step] = field(default_factory=list)

    def has(self, feature: str) -> bool:
        return feature in self.features

    def add(self, at: float, what: str, *args: Any) -> None:
        self.steps.append(Step(round(at, 3), what, args))


FEATURES = (
    "alerts by label", "storm", "twins", "edits", "acts", "races", "strangers", "fallbacks", "watching", "holds",
    *faults.FEATURES,
)  # fmt: skip
"""`twins`: a pair of senders says everything twice. `races`: people answer when something else is about to happen.
`watching`: each process audits itself and sends a synthetic page now and then. `holds`: paging is held back for a while.
`receipts`: a provider says later what became of a page."""


def write(seed: int) -> Script:
    """The script of a seed."""
    chance = random.Random(f"tocsin {seed}")
    # Half of what may happen, chosen anew for each seed: a run with everything in it hides what two things do together.
    features = {feature for feature in FEATURES if chance.random() < 0.55}
    if chance.random() < 0.6:
        features.discard("watching")  # dear: a synthetic page goes all the way
    # Chosen past the draws of the others, so that days without it are what they were before.
    if by_name(seed, "receipts") < 0.4:
        features.add("receipts")
    draft = Draft(chance, features)
    _configure(draft)
    _alerts(draft)
    if draft.has("twins"):
        _twins(draft)
    if draft.has("edits"):
        _edits(draft)
    if draft.has("acts"):
        _acts(draft)
    if draft.has("strangers"):
        for _ in range(3):
            draft.add(chance.uniform(0, DAY_S), "stranger", chance.choice(("key", "link", "old link")))
    if draft.has("holds") and chance.random() < 0.3:
        draft.add(chance.uniform(0, 0.9 * DAY_S), "hold", chance.choice((60, 900, 3_600)) * chance.uniform(0.5, 1.5))
    faults.write(draft)
    order = ("person", "team", "schedule", "channel", "policy", "service", "integration")
    documents = tuple((kind, document) for kind in order for document in draft.documents.get(kind, ()))
    steps = tuple(sorted(draft.steps, key=lambda step: step.at))
    return Script(seed, 2 if draft.has("replicas") else 1, documents, steps, tuple(sorted(features)))


def _configure(draft: Draft) -> None:
    chance = draft.chance
    many = chance.randint(3, 7)
    documents = draft.documents
    documents["person"] = [_person(chance, number) for number in range(many)]
    documents["team"] = [
        {"name": f"team {number}", "members": [{"person_id": f"@person:{one}"} for one in _some(chance, many, 0, 3)]}
        for number in range(chance.randint(0, 2))
    ]
    documents["schedule"] = [_schedule(chance, number, many) for number in range(chance.randint(1, 3))]
    documents["channel"] = [
        {"name": f"channel {number}", "kind": "chat", "address": {"to": f"channel-{number}"}}
        for number in range(chance.randint(0, 1))
    ]
    documents["policy"] = [_policy(draft, number) for number in range(chance.randint(1, 3))]
    documents["service"] = [_service(draft, number) for number in range(chance.randint(2, 4))]
    documents["integration"] = [
        {
            "name": f"sender {number}",
            "kind": "alertmanager",
            "service_id": f"@service:{chance.randrange(len(documents['service']))}",
            "settings": {"expire_after_s": chance.choice((900, 3_600, 7_200))} if chance.random() < 0.3 else {},
        }
        for number in range(chance.randint(2, 4))
    ]


def _some(chance: random.Random, among: int, least: int, most: int) -> list[int]:
    return chance.sample(range(among), min(among, chance.randint(least, most)))


def _person(chance: random.Random, number: int) -> dict[str, Any]:
    many = chance.choice((0, 1, 1, 1, 2, 2, 2, 3))
    methods = [
        {"id": f"m{place}", "kind": kind, "label": kind, "address": {"to": f"person-{number}-{kind}"}}
        for place, kind in enumerate(chance.sample(KINDS, many))
    ]
    rules: list[dict[str, Any]] = []
    if methods and chance.random() < 0.5:
        for place, method in enumerate(methods):
            delay_s = 0 if place == 0 and chance.random() < 0.8 else chance.choice((60, 120, 300, 900))
            rules.append({"contact_method": method["id"], "delay_s": delay_s})
    return {"name": f"person {number}", "contact_methods": methods, "rules": rules}


def _schedule(chance: random.Random, number: int, people: int) -> dict[str, Any]:
    layers = [
        {
            "name": f"layer {place}",
            "participants": [f"@person:{one}" for one in _some(chance, people, 1, 3)],
            "unit": chance.choice(("day", "week")),
            "length": 1,
            "start_date": "2026-01-01",
            "handoff": f"{chance.randrange(24):02d}:00",
            "restrictions": [{"start": "08:00", "end": "20:00"}] if chance.random() < 0.25 else [],
        }
        for place in range(chance.randint(1, 2))
    ]
    zone = chance.choice(("UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata"))
    return {"name": f"schedule {number}", "time_zone": zone, "layers": layers}


def _target(draft: Draft) -> dict[str, str]:
    kinds = [kind for kind in ("person", "person", "schedule", "schedule", "team", "channel") if draft.documents[kind]]
    kind = draft.chance.choice(kinds)
    return {"kind": kind, "id": f"@{kind}:{draft.chance.randrange(len(draft.documents[kind]))}"}


def _policy(draft: Draft, number: int) -> dict[str, Any]:
    chance = draft.chance
    levels = [
        {
            "targets": [_target(draft) for _ in range(chance.choice((1, 1, 2, 3)))],
            "delay_s": chance.choice(LEVELS_S),
        }
        for _ in range(chance.randint(1, 4))
    ]
    fallback = [_target(draft)] if draft.has("fallbacks") and chance.random() < 0.7 else []
    return {
        "name": f"policy {number}",
        "levels": levels,
        "repeat": chance.choice((0, 0, 0, 1, 2)),
        "fallback": fallback,
    }


def _twins(draft: Draft) -> None:
    """The other of a pair of Alertmanagers says the same, mostly at the same moment."""
    chance = draft.chance
    for step in tuple(draft.steps):
        draft.add(step.at + chance.choice((0, 0.001, 0.01, 2)) * chance.random(), step.what, *step.args)


def _service(draft: Draft, number: int) -> dict[str, Any]:
    chance = draft.chance
    by = chance.choice(
        ("service", "alert", "alert", "labels") if draft.has("alerts by label") else ("service", "alert")
    )
    grouping: dict[str, Any] = {"by": by, "window_s": chance.choice((0, 300, 600, 3_600))}
    if by == "labels":
        grouping["labels"] = ["zone"]
    return {
        "name": f"service {number}",
        "policy_id": f"@policy:{chance.randrange(len(draft.documents['policy']))}" if chance.random() < 0.92 else None,
        "grouping": grouping,
        "impact": chance.choice(("high", "medium", "low")),
        "auto_resolve": chance.random() < 0.9,
        "ack_timeout_s": chance.choice((None, None, None, 600, 1_800, 3_600)),
    }


def _alerts(draft: Draft) -> None:
    """The stream: each problem begins, is repeated, ends or does not, and comes back; some messages come out of order."""
    chance = draft.chance
    senders = len(draft.documents["integration"])
    severities = ("critical", "critical", "error", "warning", "none")
    problems = [
        (f"p{number}", chance.randrange(senders), chance.choice(severities)) for number in range(chance.randint(6, 12))
    ]
    for name, sender, severity in problems:
        at = chance.uniform(0, 0.8 * DAY_S)
        for _ in range(chance.choice((1, 1, 2, 3))):
            if at > DAY_S - 600:
                break
            at = _episode(draft, name, sender, severity, at)
    if draft.has("storm"):
        sender, start = chance.randrange(senders), chance.uniform(1_000, 0.9 * DAY_S)
        # Where each alert is an incident of its own, a storm is as many pages to as many levels.
        alone = _grouping(draft, sender) == "alert"
        names = [f"storm{number}" for number in range(chance.randint(4, 8) if alone else chance.randint(8, 25))]
        for name in names:
            draft.add(start + chance.uniform(0, 30), "post", sender, ((name, start, "firing", None, "critical", ""),))
        end = start + chance.uniform(120, 7_200)
        for place in range(0, len(names), 8):
            ended = tuple((name, start, "resolved", end, "critical", "") for name in names[place : place + 8])
            draft.add(end + chance.uniform(0, 60), "post", sender, ended)


def _grouping(draft: Draft, sender: int) -> str:
    service = int(draft.documents["integration"][sender]["service_id"].rpartition(":")[2])
    return str(draft.documents["service"][service]["grouping"]["by"])


def _episode(draft: Draft, name: str, sender: int, severity: str, at: float) -> float:
    """One episode of a problem; answers when the next one may begin."""
    chance = draft.chance
    start = round(at, 3)
    lasts = chance.choice((20, 120, 600, 1_800, 5_400, 14_400)) * chance.uniform(0.5, 1.5)
    end = round(at + lasts, 3)
    ends = chance.random() < 0.85
    late = chance.random() < 0.1
    if not late:
        draft.add(at, "post", sender, ((name, start, "firing", None, severity, ""),))
    every = chance.choice((0, 240, 600, 1_800))
    again = at + every
    while every and again < min(end, at + 12 * every, DAY_S):
        text = chance.choice(("", "", "", "the number in the text has changed"))
        draft.add(again, "post", sender, ((name, start, "firing", None, severity, text),))
        again += every
    if ends:
        draft.add(end, "post", sender, ((name, start, "resolved", end, severity, ""),))
        if chance.random() < 0.2:
            draft.add(end + chance.uniform(0, 30), "post", sender, ((name, start, "resolved", end, severity, ""),))
    if late:
        # The resolve came first; the firing it speaks of comes within what retries of senders take.
        draft.add(end + chance.uniform(1, 300), "post", sender, ((name, start, "firing", None, severity, ""),))
    return end + chance.choice((5, 60, 1_200, 7_200)) * chance.uniform(0.5, 1.5)


def _acts(draft: Draft) -> None:
    """What people do without a page in hand: from the list of incidents."""
    chance = draft.chance
    deeds = ("acknowledge", "acknowledge", "resolve", "escalate", "escalate to", "snooze", "reopen", "close", "report")
    for _ in range(chance.randint(4, 16)):
        person = chance.randrange(len(draft.documents["person"]))
        draft.add(chance.uniform(0, DAY_S), "act", person, chance.choice(deeds), round(chance.random(), 6))


def _edits(draft: Draft) -> None:
    """Configuration that changes under way. Each edit begins from what the one before it left."""
    chance = draft.chance
    now = {(kind, place): one for kind, many in draft.documents.items() for place, one in enumerate(many)}
    for at in sorted(chance.uniform(600, DAY_S) for _ in range(chance.randint(3, 10))):
        kind = chance.choice(("person", "person", "person", "policy", "schedule", "service", "team", "channel"))
        places = [place for known, place in now if known == kind]
        if not places:
            continue
        place = chance.choice(places)
        document = copy.deepcopy(now[kind, place])
        if kind in ("person", "channel", "schedule", "policy") and chance.random() < 0.25:
            del now[kind, place]
            draft.add(at, "edit", kind, place, None)
            continue
        _change(draft, kind, document)
        now[kind, place] = document
        draft.add(at, "edit", kind, place, document)


def _change(draft: Draft, kind: str, document: dict[str, Any]) -> None:
    chance = draft.chance
    match kind:
        case "person":
            for method in document["contact_methods"]:
                method["enabled"] = chance.random() < 0.6
        case "policy":
            if chance.random() < 0.5 and len(document["levels"]) > 1:
                document["levels"].pop(chance.randrange(len(document["levels"])))
            else:
                document["levels"].append({"targets": [_target(draft)], "delay_s": chance.choice((60, 300))})
        case "schedule":
            many = len(draft.documents["person"])
            for layer in document["layers"]:
                layer["participants"] = [f"@person:{one}" for one in _some(chance, many, 0, 2)]
        case "service":
            document["policy_id"] = f"@policy:{chance.randrange(len(draft.documents['policy']))}"
        case "team":
            many = len(draft.documents["person"])
            document["members"] = [{"person_id": f"@person:{one}"} for one in _some(chance, many, 0, 3)]
        case "channel":
            document["address"] = {"to": f"{document['address']['to']}x"}

"""Who is there in a run and how they are to be told: people, teams, schedules, policies, services, senders; and edits of them."""

from __future__ import annotations

import copy
import random
from typing import Any

from tests.sim.providers import KINDS
from tests.sim.script import DAY_S, LEVELS_S, Draft


def configure(draft: Draft) -> None:
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
    levels: list[dict[str, Any]] = [
        {
            "targets": [_target(draft) for _ in range(chance.choice((1, 1, 2, 3)))],
            "delay_s": chance.choice(LEVELS_S),
        }
        for _ in range(chance.randint(1, 4))
    ]
    for level in levels if draft.has("joint acks") else ():
        if all(target["kind"] != "channel" for target in level["targets"]):
            level["ack"] = chance.choice(("any", "all"))
    fallback = [_target(draft)] if draft.has("fallbacks") and chance.random() < 0.7 else []
    return {
        "name": f"policy {number}",
        "levels": levels,
        "repeat": chance.choice((0, 0, 0, 1, 2)),
        "fallback": fallback,
    }


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


def edits(draft: Draft) -> None:
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

"""The demo's team: two people, who take turns by the week; two services; four monitoring tools. Documents only."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any, Final

from app.clock import HOUR, Micros, to_datetime

HANDOFF: Final = "09:00"
LEVEL_1_S: Final = 20
LEVEL_2_S: Final = 60

TOOLS: Final = (
    ("alertmanager", "Alertmanager", "checkout"),
    ("generic", "Payment script", "checkout"),
    ("datadog", "Datadog", "database"),
    ("zabbix", "Zabbix", "database"),
)
"""(kind, name, service) of each monitoring tool, in the order in which they speak."""


def person(name: str, email: str) -> dict[str, Any]:
    """Paged on the server's console, which the demo shows."""
    return {"name": name, "email": email, "contact_methods": [{"kind": "console", "label": "this terminal"}]}


def team(name: str, members: list[str]) -> dict[str, Any]:
    """People by id."""
    return {"name": name, "members": [{"person_id": member} for member in members]}


def schedule(name: str, people: list[str], now: Micros) -> dict[str, Any]:
    """Turns of a week, from Monday 09:00; the first of `people` is on call this week."""
    layer = {
        "name": "weekly",
        "participants": people,
        "unit": "week",
        "length": 1,
        "start_date": monday(now).isoformat(),
        "handoff": HANDOFF,
    }
    return {"name": name, "time_zone": "UTC", "layers": [layer]}


def monday(now: Micros) -> date:
    """The Monday whose 09:00 was the last to have passed."""
    today = to_datetime(now - 9 * HOUR).date()
    return today - timedelta(days=today.weekday())


def policy(name: str, schedule_id: str, last: str) -> dict[str, Any]:
    """Who is on call first; after LEVEL_1_S without an acknowledgement, the person `last`."""
    return {
        "name": name,
        "levels": [
            {"targets": [{"kind": "schedule", "id": schedule_id}], "delay_s": LEVEL_1_S},
            {"targets": [{"kind": "person", "id": last}], "delay_s": LEVEL_2_S},
        ],
        "repeat": 0,
    }


def service(name: str, team_id: str, policy_id: str) -> dict[str, Any]:
    """Its alerts join one incident by what they have in common (the default)."""
    return {"name": name, "team_id": team_id, "policy_id": policy_id, "impact": "high"}


def integration(name: str, kind: str, service_id: str) -> dict[str, Any]:
    """One monitoring tool's way in."""
    return {"name": name, "kind": kind, "service_id": service_id}

"""What a replay is to be tried with: a declared graph, and rules, each checked as the API would. Raises Trouble."""

from __future__ import annotations

from typing import Any

import orjson
from pydantic import ValidationError

from app.cli.trouble import Trouble
from app.incidents.graph import ServiceGraph
from app.routing.rule import Rule

GRAPH = '{"services": {"cart": {"calls": ["orders-db"]}, "orders-db": {}}}'
RULES = '[{"name": "slow", "when": ["alertname=\\"Slow\\""], "then": {"hold_s": 300}}]'


def graph(body: bytes) -> dict[str, Any]:
    """A graph document, or any map with `services` whose `calls` or `deps` name others."""
    try:
        services = orjson.loads(body)["services"]
        nodes = {name: {"calls": list(one.get("calls", one.get("deps", ())))} for name, one in services.items()}
        return ServiceGraph.model_validate({"name": "replay", "services": nodes}).model_dump(mode="json")
    except ValidationError as error:
        raise Trouble(f"--graph: {_said(error)}") from None
    except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError):
        raise Trouble(f"--graph: expected {GRAPH}") from None


def rules(body: bytes) -> list[dict[str, Any]]:
    """A list of rules, as they are sent to /v1/rules."""
    try:
        found = [Rule.model_validate(one) for one in orjson.loads(body)]
    except ValidationError as error:
        raise Trouble(f"--with: {_said(error)}") from None
    except (orjson.JSONDecodeError, TypeError):
        raise Trouble(f"--with: expected a list of rules, such as {RULES}") from None
    for rule in found:
        if rule.then.look_up or rule.then.service_id:
            raise Trouble(f"--with: rule {rule.name!r} speaks of a table or a service, and a replay has none")
    return [rule.model_dump(mode="json") for rule in found]


def _said(error: ValidationError) -> str:
    first = error.errors()[0]
    return f"{'.'.join(map(str, first['loc']))}: {first['msg'].removeprefix('Value error, ')}".removeprefix(": ")

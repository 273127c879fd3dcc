"""What a deployment tells the engine: its service graph, and names of its labels."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from app.incidents.graph import Aliases, ServiceGraph, circle_in


def _graph(**calls: list[str]) -> ServiceGraph:
    return ServiceGraph.model_validate(
        {"name": "g", "services": {name: {"calls": others} for name, others in calls.items()}}
    )


def test_a_graph_without_faults_is_taken() -> None:
    assert _graph(web=["cart", "pay"], cart=["db"], pay=["db"], db=[]).services["web"].calls == ("cart", "pay")


def test_a_call_of_an_unknown_service_is_named() -> None:
    with pytest.raises(ValidationError, match="web calls crat, which is not in the graph; add crat"):
        _graph(web=["crat"], cart=[])


def test_a_circle_is_shown_whole() -> None:
    with pytest.raises(ValidationError, match="in a circle: a -> b -> c -> a; take one of the calls out"):
        _graph(a=["b"], b=["c"], c=["a"])
    assert circle_in({"a": ["a"]}) == ["a", "a"]
    assert circle_in({"a": ["b", "c"], "b": ["d"], "c": ["d"], "d": []}) == []


def test_a_long_chain_is_no_circle_and_no_recursion() -> None:
    assert circle_in({str(n): [str(n + 1)] for n in range(5_000)}) == []


def test_an_alias_of_an_unknown_kind_is_refused() -> None:
    assert Aliases(name="ours", labels={"x-system": "service", "job": "ignore"}).labels["job"] == "ignore"
    with pytest.raises(ValidationError, match="is no kind of thing"):
        Aliases(name="ours", labels={"x": "sytem"})

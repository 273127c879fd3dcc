"""What rules make of an event: in order, each seeing what those before it did, with a sentence from each."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from app.routing.rule import Rule, Table, stored_table
from app.routing.rulebook import Known, Rulebook, tried

HOSTS = Table(name="hosts", key="host", csv="host,team,service\ndb-1,storage,orders\ndb-2,,\n")
KNOWN = Known.of({1: "checkout", 2: "orders"}, {7: HOSTS})


def rule(*when: str, name: str = "r", **more: Any) -> Rule:
    then = {one: more.pop(one) for one in list(more) if one not in ("place", "stop", "enabled", "examples")}
    return Rule.model_validate({"name": name, "when": when, "then": then, **more})


def run(*rules: Rule, **facts: str) -> Any:
    start = {"@severity": "error", "@service": "", "@title": "Disk full", **facts}
    return Rulebook(enumerate(rules, start=1), KNOWN).run(start)


def test_no_rule_matches_and_nothing_changes() -> None:
    assert run(rule('a="1"', severity="info"), a="2") is None


def test_rules_are_asked_in_their_order_and_see_what_those_before_them_did() -> None:
    found = run(
        rule('team="storage"', name="last", place=3, severity="critical"),
        rule(
            'host=~"db.*"', name="first", place=1, look_up={"table_id": "7", "by": "host", "take": ["team", "service"]}
        ),
        rule(name="second", place=2, service_from="service"),
        host="db-1",
    )
    assert found.hits == [2, 3, 1]
    assert found.service_id == 2
    assert found.facts["@severity"] == "critical"
    assert found.said == [
        "rule 'first' took team, service from the table 'hosts'",
        "rule 'second' chose the service 'orders'",
        "rule 'last' made error critical",
    ]


def test_a_rule_that_stops_ends_it_and_so_does_one_that_drops() -> None:
    assert run(rule(category="one", stop=True), rule(category="two")).hits == [1]
    found = run(rule(drop="noise of the lab"), rule(category="two"))
    assert (found.verdict, found.reason, found.hits) == ("drop", "noise of the lab", [1])
    assert found.said == ["rule 'r' dropped it: noise of the lab"]
    assert run(rule(suppress="known"), rule(category="two")).verdict == "suppress"


def test_a_rule_that_is_switched_off_is_not_asked() -> None:
    assert run(rule(category="one", enabled=False)) is None


@pytest.mark.parametrize(
    ("then", "facts", "gives"),
    [
        ({"severity": "info"}, {}, {"@severity": "info"}),
        ({"urgency": "high"}, {"@severity": "warning"}, {"@severity": "error"}),
        ({"urgency": "high"}, {"@severity": "critical"}, {"@severity": "critical"}),
        ({"urgency": "low"}, {"@severity": "critical"}, {"@severity": "warning"}),
        ({"urgency": "low"}, {"@severity": "info"}, {"@severity": "info"}),
        ({"labels": {"where": "{zone}/{host}"}}, {"zone": "a", "host": "b"}, {"where": "a/b"}),
        ({"labels": {"where": "{gone}"}}, {}, {"where": ""}),
        ({"labels": {"zone": ""}}, {"zone": "a"}, {"zone": ""}),
        ({"category": "storage"}, {}, {"category": "storage"}),
        ({"service_from": "app"}, {"app": "nobody's", "@service": "checkout"}, {"@service": "checkout"}),
        ({"look_up": {"table_id": "7", "by": "host", "take": ["team"]}}, {"host": "db-9"}, {"team": ""}),
    ],
)
def test_what_a_rule_sets(then: dict[str, Any], facts: dict[str, str], gives: dict[str, str]) -> None:
    found = run(rule(**then), **facts)
    assert {name: found.facts.get(name, "") for name in gives} == gives


def test_text_of_an_alert_stays_text_in_a_link() -> None:
    """What stands for a label can't leave its place in the address, and is no template again."""
    found = run(
        rule(links=[{"text": "Runbook", "url": "https://w.example/{alertname}?q={x}"}]),
        alertname="../{host}?a=1#b",
        host="h",
    )
    assert found.links == (("Runbook", "https://w.example/..%2F%7Bhost%7D%3Fa%3D1%23b?q="),)


@pytest.mark.parametrize(
    ("document", "why"),
    [
        ({"then": {}}, "does nothing"),
        ({"then": {"drop": "a", "suppress": "b"}}, "exclude each other"),
        ({"then": {"service_id": "1", "service_from": "x"}}, "exclude each other"),
        ({"then": {"severity": "info"}, "when": ['a="1"', 'a="2"']}, "can never match"),
        ({"then": {"severity": "info"}, "when": ['a=~"("']}, "can't be used"),
        ({"then": {"links": [{"text": "x", "url": "https://{host}/x"}]}}, "host is written out"),
        ({"then": {"links": [{"text": "x", "url": "javascript:alert(1)"}]}}, "http or https"),
        ({"then": {"severity": "worst"}}, "critical"),
        ({"then": {"severity": "info"}, "when": ["x"] * 31}, "30"),
    ],
)
def test_a_rule_that_can_not_be_meant_is_refused(document: dict[str, Any], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        Rule.model_validate({"name": "r", **document})


@pytest.mark.parametrize(
    ("document", "why"),
    [
        ({"key": "host"}, "either"),
        ({"key": "host", "rows": [{"a": "b"}]}, "row 1 has nothing"),
        ({"key": "host", "csv": "host,a\nx,1\nx,2\n"}, "stands there twice"),
        ({"key": "host", "csv": "host,a\nx,1,2\n"}, "another number of columns"),
        ({"key": "host", "csv": 'host,a\n"x,1\n'}, "can't be read"),
        ({"key": "host", "csv": "host\n" + "".join(f"h{n}\n" for n in range(5_001))}, "5000 rows"),
    ],
)
def test_a_table_that_can_not_be_meant_is_refused(document: dict[str, Any], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        Table.model_validate({"name": "t", **document})


def test_a_table_is_the_same_however_it_was_sent() -> None:
    rows = [{"host": "db-1", "team": "storage", "service": "orders"}, {"host": "db-2"}]
    sent = Table.model_validate({"name": "hosts", "key": "host", "rows": rows})
    assert stored_table(sent) == stored_table(HOSTS)


@pytest.mark.parametrize(
    ("example", "said"),
    [
        ({"labels": {"a": "1"}, "gives": {"@severity": "info"}}, ""),
        ({"labels": {"a": "2"}, "matches": False}, ""),
        ({"labels": {"a": "2"}}, "does not match"),
        ({"labels": {"a": "1"}, "matches": False}, "must not"),
        ({"labels": {"a": "1"}, "gives": {"@severity": "error"}}, "gives @severity='info' and not 'error'"),
    ],
)
def test_examples_are_tried(example: dict[str, Any], said: str) -> None:
    wrong = tried(1, rule('a="1"', severity="info", examples=[example]), KNOWN)
    assert [field for field, _ in wrong] == (["examples.0"] if said else [])
    assert said in "".join(message for _, message in wrong)


def test_a_rule_that_is_never_asked_is_seen() -> None:
    hidden = rule('a="1"', 'b="2"', name="hidden", category="x", place=2)
    book = Rulebook([(1, rule('a="1"', name="first", category="y", place=1, stop=True)), (2, hidden)], KNOWN)
    found = book.hidden_behind(2)
    assert found is not None
    assert found.name == "first"
    assert Rulebook([(1, rule('a="1"', category="y", place=1)), (2, hidden)], KNOWN).hidden_behind(2) is None

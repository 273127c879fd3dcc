"""Matchers mean what Alertmanager's mean, refuse what they can't keep, and nothing makes one run away."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.routing.index import Index
from app.routing.matchers import BadMatcher, Matcher, all_match, contradiction, facts_of, matcher, narrows, parse

HOLDS = [
    ('severity="critical"', {"severity": "critical"}, True),
    ('severity="critical"', {"severity": "critical2"}, False),
    ("severity = critical", {"severity": "critical"}, True),
    ('severity!="critical"', {}, True),
    ('severity=""', {}, True),
    ('severity=""', {"severity": "x"}, False),
    ('host=~"db-.*"', {"host": "db-1"}, True),
    ('host=~"db-.*"', {"host": "my-db-1"}, False),  # anchored at both ends
    ('host=~"db"', {"host": "db-1"}, False),
    ('host=~"a|b"', {"host": "b"}, True),
    ('host=~"a|b"', {"host": "ab"}, False),
    ('host=~"a|b|"', {}, True),
    ('host!~"a|b"', {"host": "b"}, False),
    ('host!~"db-.*"', {"host": "web"}, True),
    ('host!~"db-.*"', {}, True),
    ('host=~".*"', {}, True),
    ('host=~".+"', {}, False),
    ('host=~"(?i)DB.*"', {"host": "db-1"}, True),
    ('"the host"="a \\"b\\" \\\\ c"', {"the host": 'a "b" \\ c'}, True),
    ('host="ü"', {"host": "ü"}, True),
    ('host=~"ü+"', {"host": "üü"}, True),
    ('@severity="info"', {"severity": "info"}, False),
    ('@severity="info"', {"@severity": "info"}, True),
]


@pytest.mark.parametrize(("text", "facts", "holds"), HOLDS)
def test_a_matcher_holds_as_alertmanagers_does(text: str, facts: dict[str, str], holds: bool) -> None:
    assert parse(text).matches(facts) is holds


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("severity", "no matcher"),
        ('="x"', "no matcher"),
        ('severity=="x"', "no matcher"),
        ('severity="x" or', "no matcher"),
        ('host=~"(a"', r"missing \)"),
        ('host=~"(?=a)b"', "no look-around"),
        ('host=~"(a)\\\\1"', "RE2"),
        ('host=~"((x{100}){100}){100}"', "can't be used"),
        ('@sevrity="info"', "there are @title"),
        (f'host="{"x" * 3_000}"', "no matcher"),
    ],
)
def test_what_can_not_be_used_is_refused_with_what_to_do(text: str, why: str) -> None:
    with pytest.raises(BadMatcher, match=why):
        parse(text)


def test_no_expression_runs_away() -> None:
    """The pattern with which Python's own `re` does not come to an end, on a text as long as any may be."""
    assert not parse('host=~"(a+)+$"').holds("a" * 8_000 + "!")


def test_a_lone_surrogate_in_a_value_is_no_trouble() -> None:
    assert parse('host=~"a.*"').holds("a\ud800")


@given(st.text(max_size=20), st.sampled_from(["=", "!=", "=~", "!~"]), st.text(max_size=20))
def test_a_matcher_reads_back_as_it_was_written(name: str, op: str, value: str) -> None:
    try:
        one = matcher(name, op, value)  # type: ignore[arg-type]
    except BadMatcher:
        return
    again = parse(str(one))
    assert (again.name, again.op, again.value) == (name, op, value)


@pytest.mark.parametrize(
    ("matchers", "why"),
    [
        (['a="1"', 'a="2"'], "at once"),
        (['a="1"', 'a!="1"'], "at once"),
        (['a="1"', 'a=~"2.*"'], "at once"),
        (['a=~"1|2"', 'a!~"[12]"'], "at once"),
        (['@severity="catastrophic"'], "it is one of critical"),
        (['@severity=~"crit.*"'], ""),
        (['a="1"', 'b="2"', 'a=~".*"'], ""),
        (['a=~"x.*"', 'a=~"y.*"'], ""),  # not seen; matching nothing is all it costs
        ([], ""),
    ],
)
def test_what_can_never_match_is_seen(matchers: list[str], why: str) -> None:
    found = contradiction([parse(text) for text in matchers])
    assert why in found
    assert bool(found) == bool(why)


@pytest.mark.parametrize(
    ("text", "limits"),
    [
        ('host="a"', True),
        ('host=~"a.*"', True),
        ('host=~".*"', False),
        ('host=~".+"', False),
        ('host!="a"', False),
        ('host!~"a.*"', False),
        ('host=""', False),
    ],
)
def test_what_is_no_limit_is_told_from_what_is(text: str, limits: bool) -> None:
    assert narrows(parse(text)) is limits


NAMES, WORDS = st.sampled_from(["a", "b", "@severity"]), st.sampled_from(["", "1", "2", "1|2", "x.*", "3|"])
ONE = st.builds(matcher, NAMES, st.sampled_from(["=", "!=", "=~", "!~"]), WORDS)


@given(
    st.lists(st.lists(ONE, max_size=3), max_size=12),
    st.dictionaries(NAMES, st.sampled_from(["1", "2", "xy", "3"])),
)
def test_the_index_never_loses_a_list_that_matches(lists: list[list[Matcher]], facts: dict[str, str]) -> None:
    found = Index(lists).candidates(facts)
    assert found == sorted(set(found))
    assert {place for place, one in enumerate(lists) if all_match(one, facts)} <= set(found)


def test_lists_that_do_not_concern_an_alert_are_not_asked() -> None:
    lists = [[parse('severity="critical"'), parse(f'alertname="Alert{place}"')] for place in range(10_000)]
    assert Index(lists).candidates({"alertname": "Alert77", "severity": "critical"}) == [77]


def test_a_label_can_not_pass_for_a_field() -> None:
    facts = facts_of(
        {"@severity": "info", "a": "1"},
        {"summary": "s"},
        title="t",
        severity="critical",
        service="",
        integration="",
        kind="",
        key="",
    )
    assert (facts["@severity"], facts["a"], facts["@annotation.summary"]) == ("critical", "1", "s")

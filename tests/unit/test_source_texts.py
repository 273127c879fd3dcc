"""Tags, limits and links: what an event keeps of hostile text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.sources.event import MAX_LABELS, MAX_TITLE, MAX_VALUE, Event
from app.sources.limits import bounded, digest, fitted, is_web, one_line, text
from app.sources.mapping import find
from app.sources.tags import tags

JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text()),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@pytest.mark.parametrize(
    ("value", "labels"),
    [
        ("a:b,c:d:e,monitor", {"a": "b", "c": "d:e", "monitor": "true"}),
        ("a:b,a:c,a:b", {"a": "b,c"}),
        (" a : b , , :x", {"a": "b"}),
        (["a:b", "c", 7], {"a": "b", "c": "true", "7": "true"}),
        ([{"tag": "a", "value": "b"}, {"key": "c", "value": 1}, {"name": "d"}, {}], {"a": "b", "c": "1", "d": "true"}),
        ({"a": "b", "c": None, "d": {"e": 1}}, {"a": "b", "c": "true", "d": '{"e":1}'}),
        ('[{"tag":"a","value":"b"}]', {"a": "b"}),
        ('{"a":"b\\u0000"}', {"a": "b\ufffd"}),
        ("[broken", {"[broken": "true"}),
        ("", {}),
        (None, {}),
        (7, {}),
    ],
)
def test_tags_in_every_shape(value, labels):
    assert tags(value) == labels


def test_tags_are_bounded():
    assert len(tags(",".join(f"t{number}:1" for number in range(5_000)))) == 1_000


@given(JSON)
def test_tags_and_text_take_any_value(value):
    assert all(isinstance(part, str) and part for pair in tags(value).items() for part in pair)
    assert isinstance(text(value), str)


def test_a_value_nested_too_deep_to_show_says_so():
    value: list = []
    for _ in range(600):
        value = [value]
    assert text(value) == "(nested too deep to show)"


@pytest.mark.parametrize(
    ("value", "line"),
    [
        (" a ", "a"),
        ("a\r\n\tb\x00c\x1b[31m\x85d", "a b c [31m d"),
        ("\u2028\u2029", ""),
        ("👨‍👩‍👧 family", "👨‍👩‍👧 family"),
    ],
)
def test_a_title_is_one_line(value, line):
    assert one_line(value) == line


@given(st.dictionaries(st.text(), st.text()), st.dictionaries(st.text(), st.text()))
def test_digest_is_equal_only_for_equal_maps_in_any_order(one, other):
    assert digest(one) == digest(dict(reversed(one.items())))
    assert (digest(one) == digest(other)) == (one == other)


def test_bounded_keeps_what_fits_untouched():
    pairs = {"a": "x" * MAX_VALUE, "b": ""}
    assert bounded(pairs) == ({"a": "x" * MAX_VALUE}, False)
    assert bounded({"a": "x" * (MAX_VALUE + 1)}) == ({"a": "x" * MAX_VALUE}, True)
    assert bounded({"n" * (MAX_VALUE + 1): "x"}) == ({"n" * MAX_VALUE: "x"}, True)
    kept, cut = bounded({f"{number:03}": "x" for number in range(MAX_LABELS + 1)})
    assert (list(kept), cut) == ([f"{number:03}" for number in range(MAX_LABELS)], True)


def test_fitted_leaves_the_key_whole_and_marks_a_cut_title():
    event = fitted(Event("firing", "k" * 99_999, "t" * (MAX_TITLE + 1)))
    assert (len(event.key), len(event.title), event.labels) == (99_999, MAX_TITLE, {"tocsin_truncated": "true"})


@pytest.mark.parametrize(
    "address", ["http://a", "https://a", "http://a:9/x?y=<z>&q=%20#f", "https://ü.example/ö", "http://u:p@h/"]
)
def test_web_addresses(address):
    assert is_web(address)


@pytest.mark.parametrize(
    "address",
    [
        "http:/a",
        "http:a",
        "//a",
        "HTTP://a",
        "http://",
        "https://",
        "http://?",
        "http://#",
        "http:///a",
        "http://\\a",
        "http:// a",
        "http://a\u00a0b",
        "http://a\u200b",
        "http://a\n",
        "javascript://a",
        " http://a",
        "http://a\ufffd",
        "http://" + "a" * (MAX_VALUE - 7),
    ],
)
def test_other_addresses(address):
    assert not is_web(address)


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("a.b", 1),
        ("a.c.d", 2),
        ("list.1.x", 3),
        ("dotted.key", 4),
        ("a.e.f.g", 5),
        ("/top/0", "r"),
        ("/", None),
        ("a", {"b": 1, "c.d": 2, "e": {"f.g": 5}}),
        ("a.b.c", None),
        ("list.2", None),
        ("list.x", None),
        ("none.x", None),
    ],
)
def test_paths(path, found):
    event = {"a": {"b": 1, "c.d": 2, "e": {"f.g": 5}}, "list": [0, {"x": 3}], "dotted.key": 4, "none": None}
    assert find(path, event, {"top": ["r"]}) == found

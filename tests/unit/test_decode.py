"""Bytes to JSON: whatever is sent, a value or one clear Unreadable."""

from __future__ import annotations

import html
import json
from urllib.parse import quote, urlencode

import pytest

from app.sources import decode as module
from app.sources.decode import MAX_DEPTH, MAX_KEYS, clean, decode, unescaped
from app.sources.event import Unreadable


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (b'{"a":[1,2.5,true,null,"x"]}', {"a": [1, 2.5, True, None, "x"]}),
        (b'  \r\n\t{"a":1}\n ', {"a": 1}),
        (b'\xef\xbb\xbf{"a":1}', {"a": 1}),
        (b'\xef\xbb\xbf  "x"', "x"),
        ('{"a":"ä"}'.encode("utf-16"), {"a": "ä"}),
        ('{"a":"ä"}'.encode("utf-16-le"), {"a": "ä"}),
        (b'{"a":1,"a":2}', {"a": 2}),
        (b'{"a":1,"a":2,"b":NaN}', {"a": 2, "b": "NaN"}),
        (b"[NaN,Infinity,-Infinity]", ["NaN", "Infinity", "-Infinity"]),
        (b'{"groupKey":5615590933959184469}', {"groupKey": 5615590933959184469}),
        (b"[NaN,123456789012345678901234567890]", ["NaN", "123456789012345678901234567890"]),
        (b'{"a":"two\nlines\ttab"}', {"a": "two\nlines\ttab"}),
        (b'{"a":"\\ud83d\\ude00"}', {"a": "😀"}),
        (b'"text"', "text"),
    ],
)
def test_reads_json_however_it_comes(body, value):
    assert decode(body) == (value, False)


def test_a_number_of_any_length_is_read_in_time():
    (value,) = decode(b"[%s]" % (b"9" * 400_000)).value
    assert value == "9" * 400_000


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (b'{"a":"x\\u0000y"}', {"a": "x\ufffdy"}),
        (b'{"a\\u0000":{"b":["\\u0000"]}}', {"a\ufffd": {"b": ["\ufffd"]}}),
        (b'{"a":"x\x00y"}', {"a": "x\ufffdy"}),
        (b'{"a":"\\ud800"}', {"a": "\ufffd"}),
        (b'{"a":"\\ud800\\u0041"}', {"a": "\ufffdA"}),
        (b'{"a":"\\ude00\\ud83d"}', {"a": "\ufffd\ufffd"}),
        (b'{"a":"\xff\xfe"}', {"a": "\ufffd\ufffd"}),
        (b'{"a":"caf\xe9"}', {"a": "caf\ufffd"}),
        (b'{"a":"\\u202Eevil\\u2066"}', {"a": "\ufffdevil\ufffd"}),
        ('{"a":"\u202eevil"}'.encode(), {"a": "\ufffdevil"}),
        (b"a=x%00y", {"a": "x\ufffdy"}),
        (b"a=%ff", {"a": "\ufffd"}),
    ],
)
def test_replaces_and_flags_what_cannot_be_stored_or_would_mislead(body, value):
    document = decode(body)
    assert document.value == value
    assert document.scrubbed or b"%ff" in body


@pytest.mark.parametrize(
    "text",
    [
        "no mark at all",
        "https://a/x?from_ts=1&to_ts=2&query=3&not=4&copy=5",
        "a &amp; b &lt;b&gt; &quot;x&quot; &#39;y&#x27; &amp;lt;",
        "&notit; &notin; &frac1 &frac12x &lt=1 &;&&",
        "&#0; &#x202e; &#xD800; &#1234567890123456789012345678901234567890; &#x; &#",
    ],
)
def test_an_entity_means_what_it_means_in_html_and_never_what_would_mislead(text):
    assert unescaped(text) == clean(html.unescape(text))


@pytest.mark.parametrize(
    "body",
    [
        b'"\\\\u0000"',
        '"\u2018\u201cümlaut\u201d \u2013 中文"'.encode(),
        b'"\\u0026 \\u003c \\u2028 \\u2019"',
        b'"a\\u0001"',
    ],
)
def test_flags_nothing_that_is_harmless(body):
    document = decode(body)
    assert not document.scrubbed
    assert document.value == json.loads(body)


MISLEADING = (*range(0x202A, 0x202F), *range(0x2066, 0x206A))
"""Overrides, embeddings and isolates of the direction of text."""


@pytest.mark.parametrize("mark", [*range(0x2026, 0x2034), *range(0x2062, 0x206E), 0xAE, 0x1F6A8])
def test_of_all_marks_just_those_that_turn_text_round_are_replaced(mark):
    """Written out and as an escape, at either end of a long text."""
    text = chr(mark) + "·" * 3_000 + chr(mark)
    meant = text.replace(chr(mark), "\ufffd") if mark in MISLEADING else text
    for body in (json.dumps(text), json.dumps(text, ensure_ascii=False)):
        assert decode(body.encode()) == (meant, mark in MISLEADING)


class TestForms:
    DOCUMENT = {"title": "a & b + c = d", "list": [1, {"x": "ü"}]}  # noqa: RUF012 - read only

    @pytest.mark.parametrize("wrapper", ["payload", "data", "json", "body"])
    def test_json_wrapped_in_a_form_field_is_the_json(self, wrapper):
        text = json.dumps(self.DOCUMENT)
        for body in (
            urlencode({wrapper: text, "other": "1"}),
            urlencode({"other": "1", wrapper: text}),
            f"{wrapper}={quote(text)}",
            f"{wrapper}={text}",
            f"  {wrapper}={json.dumps(self.DOCUMENT, indent=2)}\n",
        ):
            assert decode(body.encode()).value == self.DOCUMENT

    def test_fields_are_a_map_and_the_last_of_a_name_wins(self):
        assert decode(b"a=1&b=&a=2&c=x%20y+z%26").value == {"a": "2", "b": "", "c": "x y z&"}

    def test_a_wrapper_that_holds_no_json_is_a_field(self):
        assert decode(b"payload=%7Bbroken&title=t").value == {"payload": "{broken", "title": "t"}

    def test_too_many_fields_are_refused(self):
        with pytest.raises(Unreadable, match="more than 1000 fields"):
            decode(b"&".join(b"f%d=1" % number for number in range(1_001)))


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "empty"),
        (b" \n\t\x00 ", "empty"),
        (b"\xef\xbb\xbf", "empty"),
        (b"plain text", "Expecting value, line 1, column 1"),
        (b'{"a":1,}', "line 1, column 8"),
        (b"[1,2", "delimiter"),
        (b'{"a":1} {"b":2}', "Extra data"),
        (b"<xml/>", "neither JSON"),
        (b"{'a': 1}", "neither JSON"),
        (b"\xff\xfe", "empty"),
        (b"\x00\x01\x02\x03", "neither JSON"),
        (b'"\\u00"', "escape"),
    ],
)
def test_says_what_is_wrong_with_what_is_no_json_and_where(body, says):
    with pytest.raises(Unreadable, match=says):
        decode(body)


class TestBombs:
    @pytest.mark.parametrize(
        ("opening", "closing"),
        [
            (b"[", b"]"),
            (b'{"a":', b"}"),
            (b'[{"a":', b"}]"),
            (b'{"a":[', b"]}"),
            (b" [ \n", b" ]"),
            (b"[NaN,", b"]"),
            (b'{"\\ud800":', b"}"),
        ],
    )
    @pytest.mark.parametrize("depth", [MAX_DEPTH + 1, 990, 1_025, 20_000, 400_000])
    @pytest.mark.parametrize("wrapper", [b"", b"payload=", b"\xef\xbb\xbf"])
    def test_any_depth_of_nesting_ends_in_unreadable_also_where_it_is_cut_off(self, opening, closing, depth, wrapper):
        for body in (opening * depth + b"1" + closing * depth, opening * depth):
            if wrapper == b"payload=" and not body.endswith(closing):
                continue  # a field that holds no JSON is a field
            with pytest.raises(Unreadable):
                decode(wrapper + body)

    def test_a_bomb_in_percent_signs_is_one_too(self):
        for depth in (100, 5_000):
            with pytest.raises(Unreadable, match="more than 64 levels"):
                decode(b"a=1&payload=" + b"%5B" * depth + b"%5D" * depth)

    @pytest.mark.parametrize("opening", [b"[", b'{"a":'])
    def test_depth_up_to_the_limit_is_fine_and_one_more_is_not(self, opening):
        closing = b"]" if opening == b"[" else b"}"
        assert decode(opening * MAX_DEPTH + b"1" + closing * MAX_DEPTH)
        with pytest.raises(Unreadable, match="more than 64 levels"):
            decode(opening * (MAX_DEPTH + 1) + b"1" + closing * (MAX_DEPTH + 1))

    def test_many_brackets_in_texts_and_many_shallow_lists_are_no_depth(self):
        value = {"text": "[[[" * 500, "rows": [[{"a": "}"}]] * 500, "log": "{" * 500}
        assert decode(json.dumps(value).encode()).value == value

    def test_brackets_in_texts_that_hide_the_depth_do_no_harm(self):
        hidden = b'["]",' * 900 + b'"%s"' + b',"["]' * 900
        assert decode(hidden % b"x")
        with pytest.raises(Unreadable, match="more than 64 levels"):
            decode(hidden % b"\\u0000")

    @pytest.mark.parametrize(
        "body",
        [
            b"{" + b",".join(b'"%d":0' % number for number in range(MAX_KEYS + 1)) + b"}",
            b"{" + b",".join(b'"%d" \n: 0' % number for number in range(MAX_KEYS + 1)) + b"}",
            b"[" + b"{}," * MAX_KEYS + b"{}]",
            b"[" + b"[]," * MAX_KEYS + b"[]]",
            b"[" + b"1," * module.MAX_COMMAS + b"1,1]",
        ],
    )
    def test_bombs_of_keys_and_lists_are_refused_before_they_are_parsed(self, body):
        with pytest.raises(Unreadable, match="more than 200000 keys or lists"):
            decode(body)

    def test_a_big_honest_group_is_not_a_bomb(self):
        alert = {
            "labels": {f"label{n}": "http://host:9090/path" for n in range(12)},
            "startsAt": "2026-07-25T17:00:00Z",
        }
        body = json.dumps({"alerts": [alert] * 5_000}).encode()
        assert len(body) > 2_000_000
        assert len(decode(body).value["alerts"]) == 5_000

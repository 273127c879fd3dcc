"""Properties of the words of a message: whatever text comes in, what goes out is safe and fits."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.notifiers.notifier import Message
from app.notifiers.text import (
    ELLIPSIS,
    clean,
    cut,
    lateness,
    name_of,
    one_line,
    plain_of,
    safe_url,
    text_of,
    title_of,
    utf8_size,
    utf16_size,
    without,
)

unhurried = settings(deadline=None)
"""The machine is shared: a slow moment is no failure."""
anything = st.text(st.characters(exclude_categories=()), max_size=300)
"""Every code point, lone surrogates too."""
BIDI = set("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def message(**more) -> Message:
    return Message(**({"id": "1", "kind": "page", "title": "t", "text": "x", "url": "https://t.test/p"} | more))


@unhurried
@given(anything)
def test_clean_text_has_no_control_character_but_the_newline(text):
    assert {unicodedata.category(character) for character in clean(text).replace("\n", "")}.isdisjoint({"Cc", "Cs"})


@unhurried
@given(anything)
def test_clean_text_has_no_direction_override(text):
    assert not set(clean(text)) & BIDI


@unhurried
@given(anything)
def test_cleaning_twice_changes_nothing(text):
    assert clean(clean(text)) == clean(text)
    assert one_line(one_line(text)) == one_line(text)


@unhurried
@given(anything)
def test_clean_text_can_be_written_as_utf8(text):
    clean(text).encode()


@unhurried
@given(anything)
def test_one_line_is_one_line(text):
    assert len(one_line(text).splitlines()) <= 1


@unhurried
@given(st.text(st.characters(categories=["L", "N", "P", "S"]), max_size=50))
def test_ordinary_text_of_any_script_stays_as_it_is(text):
    assert clean(text) == text.strip()


@pytest.mark.parametrize("emoji", ["👩‍🚒", "🏴󠁧󠁢󠁥󠁮󠁧󠁿", "☎️", "🇩🇪", "می‌خواهم"])
def test_joined_emoji_and_scripts_that_need_joiners_survive(emoji):
    assert one_line(emoji) == emoji


@unhurried
@given(anything, st.integers(0, 400))
def test_cut_text_fits_and_is_a_beginning(text, limit):
    short = cut(text, limit)
    assert len(short) <= limit
    assert short == text or text.startswith(short.removesuffix(ELLIPSIS))


@unhurried
@given(st.text(max_size=300), st.integers(0, 1_000), st.sampled_from([utf8_size, utf16_size]))
def test_cut_text_fits_in_the_providers_own_measure(text, limit, size):
    assert sum(map(size, cut(text, limit, size))) <= limit


@unhurried
@given(st.text(max_size=100))
def test_what_fits_is_not_cut(text):
    assert cut(text, len(text)) == text


@unhurried
@given(anything)
def test_measures_are_the_real_sizes(text):
    text = clean(text)
    assert sum(map(utf8_size, text)) == len(text.encode())
    assert sum(map(utf16_size, text)) == len(text.encode("utf-16-le")) // 2


@unhurried
@given(anything, anything, st.integers(60, 10**9))
def test_that_it_is_a_test_and_late_survives_every_cut(title, text, late_s):
    told = message(kind="test", title=title, text=text * 50, late_s=late_s)
    assert title_of(told, 30).startswith("[Test] ")
    assert "This is a test." in text_of(told, 200)
    assert lateness(late_s) in text_of(told, 200)


@unhurried
@given(anything)
def test_the_plainest_form_always_holds_the_address(title):
    assert plain_of(message(title=title), 1_000).endswith("https://t.test/p")


@unhurried
@given(anything)
def test_a_title_is_never_empty(title):
    assert title_of(message(title=title), 100)


@pytest.mark.parametrize(
    ("late_s", "words"),
    [
        (60, "late by 1 min"),
        (200, "late by 3 min"),
        (3_599, "late by 59 min"),
        (3_600, "late by 1 h"),
        (7_500, "late by 2 h 5 min"),
    ],
)
def test_lateness_is_told_in_hours_and_minutes(late_s, words):
    assert lateness(late_s) == words


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "data:text/html,x",
        "file:///etc/passwd",
        "//x.test",
        "x.test",
        "https://",
        "https://x y",
        'https://x"y',
        "https://x'y",
        "https://x<y",
        "https://x|y",
        "https://x\\y",
        "https://x\ny",
        "https://x\x00y",
        "https://x\u202ey",
        "https://x\u00a0y",
        " https://x",
        "https://x/" + "a" * 2_000,
    ],
)
def test_an_address_that_could_be_anything_else_is_no_address(url):
    assert safe_url(url) is None


@pytest.mark.parametrize("url", ["https://x.test", "HTTP://x.test:8080/a?b=c&d=%20#e", "https://[2001:db8::1]/p"])
def test_a_plain_web_address_stays_as_it_is(url):
    assert safe_url(url) == url


@unhurried
@given(anything)
def test_a_name_can_stand_in_a_header(text):
    name = name_of(message(id=text))
    assert name
    assert name.isascii()
    assert name.isprintable()
    assert " " not in name


@unhurried
@given(st.text(min_size=1, max_size=20), st.text(max_size=20), st.text(max_size=20))
def test_a_secret_is_blotted_out_wherever_it_stands(secret, before, after):
    told = without(before + secret + after, (secret,))
    assert secret not in told or secret in "***"


def test_the_longer_secret_is_blotted_out_first():
    assert without("token 123:abcdef", ("abcdef", "123:abcdef", "")) == "token ***"

"""What the page behind a link says: addresses that may stand in it, the words of each state, and that it can be read."""

from __future__ import annotations

import base64
import hashlib
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from app.api import screens
from app.api.link_screen import cut, safe_link, unmarked
from app.api.moments import ago, brief, moment
from app.clock import DAY, HOUR, MINUTE, SECOND, from_datetime, lasting

MIDNIGHT = 1_767_571_200 * SECOND
"""2026-01-05T00:00:00Z."""


@pytest.mark.parametrize(
    "url",
    [
        "https://wiki.example.com/runbook?x=1&y=2#top",
        "http://grafana.internal:3000/d/abc",
        "HTTPS://EXAMPLE.com/",
        "https://[2001:db8::1]/x",
        "https://example.com/a'b\"c<d>",
    ],
)
def test_http_and_https_addresses_are_links(url: str) -> None:
    found = safe_link("Runbook", url)
    assert found is not None
    assert found.url == url


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "JaVaScRiPt:alert(1)",
        "java\nscript:alert(1)",
        " javascript:alert(1)",
        "\x01javascript:alert(1)",
        "data:text/html,<script>alert(1)</script>",
        "vbscript:x",
        "file:///etc/passwd",
        "ftp://example.com/",
        "//example.com/",
        "/a/token",
        "mailto:a@example.com",
        "https:",
        "https://",
        "https:///path",
        "https:example.com",
        "https://bank.example@evil.example/",
        "https://user:password@evil.example/",
        "https://evil.example\\@bank.example/",
        "https://exa mple.com/",
        "https://example.com/\u202egpj.exe",
        "https://example.com/\n",
        "https://[::1",
        "https://example.com/" + "x" * 3_000,
        "",
    ],
)
def test_anything_else_is_no_link(url: str) -> None:
    assert safe_link("Runbook", url) is None


def test_a_link_says_where_it_leads_and_has_words_even_when_the_alert_gave_none() -> None:
    found = safe_link("  ", "https://Wiki.Example.com/x")
    assert found is not None
    assert (found.text, found.host) == ("wiki.example.com", "wiki.example.com")


@pytest.mark.parametrize(
    ("gap", "text"),
    [
        (-SECOND, "0 s"),
        (0, "0 s"),
        (59 * SECOND, "59 s"),
        (MINUTE, "1 min"),
        (HOUR - 1, "59 min"),
        (HOUR, "1 h"),
        (2 * HOUR + 5 * MINUTE, "2 h 5 min"),
        (DAY, "1 day"),
        (3 * DAY + 4 * HOUR + 59 * MINUTE, "3 days 4 h"),
    ],
)
def test_durations_are_told_in_at_most_two_units(gap: int, text: str) -> None:
    assert lasting(gap) == text


def test_instants_are_told_in_utc_and_in_the_persons_own_time() -> None:
    assert moment(MIDNIGHT).text == "2026-01-05 00:00 UTC"
    assert moment(MIDNIGHT, "Europe/Berlin").text == "2026-01-05 00:00 UTC (01:00 in Berlin)"
    assert moment(MIDNIGHT, "America/New_York").text == "2026-01-05 00:00 UTC (19:00 in New York)"
    assert moment(MIDNIGHT, "No/Where").text == "2026-01-05 00:00 UTC"
    assert moment(MIDNIGHT).iso == "2026-01-05T00:00:00.000Z"


def test_times_of_today_are_brief_and_those_of_other_days_are_not() -> None:
    assert brief(MIDNIGHT, MIDNIGHT + HOUR).text == "00:00 UTC"
    assert brief(MIDNIGHT, MIDNIGHT + HOUR, "Europe/Berlin").text == "00:00 UTC (01:00 in Berlin)"
    assert brief(MIDNIGHT - MINUTE, MIDNIGHT).text == "2026-01-04 23:59 UTC"
    assert ago(MIDNIGHT, MIDNIGHT + 2 * SECOND) == "just now"
    assert ago(MIDNIGHT, MIDNIGHT + 90 * SECOND) == "1 min ago"


def test_a_cut_text_says_that_something_is_missing() -> None:
    assert cut("abc", 3) == "abc"
    assert cut("abcd", 3) == "ab…"


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("**system.mem.usable** was **<= 500000000.0**", "system.mem.usable was <= 500000000.0"),
        (
            "low\n[[Monitor Status](https://a.example/m?x=1)] \u00b7 [[Edit](https://a.example/e)]",
            "low\nMonitor Status \u00b7 Edit",
        ),
        ("see [the runbook](https://wiki.example/a).", "see the runbook."),
        ("[![Metric Graph](https://p.example/1.png)](https://a.example/m)\nlow", "Metric Graph\nlow"),
        ("2**3 ** 2, /var/**/x.log, a[0](1), [x](javascript:y), f(**kw)", None),
        ("[a](https://x" * 500, None),
    ],
)
def test_a_description_is_shown_unmarked_and_what_is_no_markdown_as_it_is(said: str, shown: str | None) -> None:
    """Datadog marks its texts up; see tests/data/datadog."""
    assert unmarked(said) == (said[:2_000] if shown is None else shown)


def test_text_that_turns_the_direction_of_writing_or_hides_is_not_shown_as_such() -> None:
    shown = screens.markup("notice.html", {"heading": "gpj\u202eexe.\u2066x\u2069\x00\x1b[1m\ufeff", "lines": ()})
    assert not set(shown) & set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\x00\x1b\ufeff")


@pytest.mark.parametrize(
    "payload",
    [
        "<script>alert(1)</script>",
        "</style><script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        '"><svg onload=alert(1)>',
        "' autofocus onfocus=alert(1) '",
        "{{ 7 * 7 }}{% raw %}",
        "<!--",
        "&lt;script&gt;",
        "</title><script>alert(1)</script>",
    ],
)
def test_every_value_is_escaped_where_it_is_printed(payload: str) -> None:
    shown = screens.markup("notice.html", {"heading": payload, "lines": (payload,)})
    plain = screens.markup("notice.html", {"heading": "x", "lines": ("x",)})
    assert re.findall(r"<[^>]*>", re.sub(r"<style>.*?</style>", "", shown, flags=re.DOTALL)) == re.findall(
        r"<[^>]*>", re.sub(r"<style>.*?</style>", "", plain, flags=re.DOTALL)
    )
    assert "49" not in re.sub(r"<style>.*?</style>|<path[^>]*>", "", shown, flags=re.DOTALL)


def test_the_policy_allows_the_style_sheet_that_is_really_in_the_page_and_no_script() -> None:
    page = screens.markup("notice.html", {"heading": "x", "lines": ()})
    style = re.findall(r"<style>(.*?)</style>", page, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style[0].encode()).digest()).decode()
    policy = screens.HEADERS["Content-Security-Policy"]
    assert len(style) == 1
    assert f"style-src 'sha256-{digest}'" in policy
    assert policy.startswith("default-src 'none';")
    assert "script" not in policy
    assert "unsafe" not in policy


STYLE = (Path(screens.__file__).parent / "templates" / "style.css").read_text("utf-8")
LIGHT, DARK = (dict(re.findall(r"--([\w-]+): (#\w{6});", block)) for block in STYLE.split("@media", 2)[:2])


def _contrast(one: str, other: str) -> float:
    def light(colour: str) -> float:
        parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    high, low = sorted((light(one), light(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("colours", [LIGHT, DARK], ids=["light", "dark"])
def test_everything_on_the_page_can_be_read_at_three_in_the_morning(colours: dict[str, str]) -> None:
    """WCAG 2: 7:1 for what is read, 4.5:1 for what stands beside it."""
    for ground in ("ground", "card", "quiet", "wash-red", "wash-green", "wash-blue"):
        assert _contrast(colours["ink"], colours[ground]) >= 7, ground
    for name in ("soft", "link", "red", "amber", "blue", "grey", "green"):
        for ground in ("ground", "card"):
            assert _contrast(colours[name], colours[ground]) >= 4.5, (name, ground)
    for name in ("red", "amber", "blue", "grey"):
        assert _contrast(colours["on"], colours[name]) >= 4.5, name
    assert _contrast(colours["go-ink"], colours["go"]) >= 4.5


def test_people_are_shown_the_clock_on_the_wall_in_the_hour_that_comes_twice() -> None:
    """The clock that turns are computed by is held still; people's are not."""
    the_second_half_past_two = from_datetime(datetime(2026, 10, 25, 1, 30, tzinfo=UTC))
    assert moment(the_second_half_past_two, "Europe/Berlin").text == "2026-10-25 01:30 UTC (02:30 in Berlin)"

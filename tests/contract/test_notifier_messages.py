"""What a message looks like when it arrives: cut to the provider's limits, marked when it is a test or late, and harmless."""

from __future__ import annotations

import hashlib
import hmac
import html
import io
import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from app.notifiers.notifier import Accepted, Action, Delivered, Message
from app.notifiers.ntfy import priority_of
from app.notifiers.outbound import Outbound, OutboundSettings
from app.notifiers.registry import build
from tests.harness.reach import CANARY, HTTP, MESSAGE, NOW, no_trust, reach

REMOTE = (*HTTP, "email")
LONG = replace(MESSAGE, title="🔥" * 1_000, text="🧨é" * 20_000)

HOSTILE = replace(
    MESSAGE,
    title="<b>x</b>\r\nBcc: evil@x.test\u202egpj.exe <!channel> & \x1b[31m",
    text="<script>alert(1)</script>\n<!everyone> <https://evil.test|click> [x](https://evil.test) *b* &amp; \x00\u2066",
    service="</i><img src=x onerror=alert(1)>",
    to='"><svg onload=alert(1)>',
    links=(
        ("fine", "https://wiki.test/a?b=c&d=e"),
        ("script", "javascript:alert(1)"),
        ("quote", 'https://x.test/" onmouseover="alert(1)'),
        ("pipe", "https://x.test/|<!channel>"),
        ("newline", "https://x.test/\r\nBcc: evil@x.test"),
        ("file", "file:///etc/passwd"),
    ),
    actions=(Action("acknowledge", "<b>Ack</b>\u202e", "https://tocsin.test/p/abc?do=ack"),),
)


async def arrived(kind: str, message: Message):
    """What the fake was sent: the JSON document, or the mail."""
    async with reach(kind) as to:
        assert isinstance(await to.send(message), Accepted)
        if to.mail is not None:
            return to.mail.mails[0].message
        return to.http.seen[0].json


def words(kind: str, body) -> tuple[str, str]:
    """Title and text as the provider shows them."""
    if kind == "email":
        return body["Subject"], body.get_body(("plain",)).get_content()
    if kind == "slack":
        blocks = {block["type"]: block for block in body["blocks"]}
        return html.unescape(blocks["header"]["text"]["text"]), html.unescape(blocks["section"]["text"]["text"])
    if kind == "telegram":
        first, _, rest = body["text"].partition("</b>")
        return html.unescape(first.removeprefix("<b>")), html.unescape(rest.partition("</i>\n")[2])
    return body["title"], body.get("text", body.get("message", ""))


@pytest.mark.parametrize("kind", REMOTE)
async def test_a_long_text_is_cut_to_the_declared_limits_on_whole_characters(kind):
    limits = build(offered=())[kind].limits
    title, text = words(kind, await arrived(kind, LONG))
    title = title.removeprefix("[P1] ")
    assert 10 < len(title) <= limits.title
    assert title.endswith("🔥…")
    if kind != "email":  # the mail's text holds the title and the links too
        assert 10 < len(text) <= limits.text + (len(MESSAGE.url) + 1 if kind == "apprise" else 0)
        assert text.endswith("… (shortened)")
    assert "\ufffd" not in title + text


@pytest.mark.parametrize("text", ["&" * 20_000, "🧨" * 20_000, "<" * 20_000, "é" * 20_000, "a" * 20_000])
async def test_the_providers_own_measure_is_kept_too(text):
    """Slack counts escapes, Telegram UTF-16 units, ntfy bytes: none may complain about a text of any sort."""
    message = replace(MESSAGE, title=text, text=text)
    slack = await arrived("slack", message)
    for block in slack["blocks"]:
        shown = [block["text"]] if "text" in block else block["elements"]
        for one in shown:
            most = 150 if block["type"] == "header" else 3_000
            assert len(one["text"] if isinstance(one["text"], str) else one["text"]["text"]) <= most
    telegram = await arrived("telegram", message)
    assert len(telegram["text"].encode("utf-16-le")) // 2 <= 4_096
    ntfy = await arrived("ntfy", message)
    assert len(ntfy["message"].encode()) <= 4_096
    assert len(ntfy["title"].encode()) <= 1_024


@pytest.mark.parametrize("kind", REMOTE)
async def test_a_test_says_that_it_is_one_and_a_late_page_that_it_is_late(kind):
    title, text = words(kind, await arrived(kind, replace(LONG, kind="test", late_s=7_500)))
    assert "[Test]" in title
    assert "This is a test. Nothing is broken." in text
    assert "late by 2 h 5 min" in text


@pytest.mark.parametrize("kind", REMOTE)
async def test_a_page_less_than_a_minute_late_is_not_called_late(kind):
    _, text = words(kind, await arrived(kind, replace(MESSAGE, late_s=59)))
    assert "late by" not in text


@pytest.mark.parametrize("kind", REMOTE)
async def test_no_control_character_or_bidi_override_arrives(kind):
    body = await arrived(kind, HOSTILE)
    shown = body.as_string() if kind == "email" else json.dumps(body, ensure_ascii=False)
    if kind == "email":
        shown += body.get_body(("plain",)).get_content() + body.get_body(("html",)).get_content()
    assert not re.search("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\x80-\x9f\u202a-\u202e\u2066-\u2069]", shown)


@pytest.mark.parametrize("kind", [kind for kind in REMOTE if kind != "apprise"])
async def test_only_plain_web_addresses_can_be_pressed(kind):
    body = await arrived(kind, HOSTILE)
    expected = {MESSAGE.url, "https://tocsin.test/p/abc?do=ack", "https://wiki.test/a?b=c&d=e"}
    assert set(pressable(kind, body)) == expected


def pressable(kind: str, body) -> list[str]:
    if kind == "email":
        return [value for name, value in _tags(body) if name == "href"]
    if kind == "slack":
        return [button["url"] for block in body["blocks"] if block["type"] == "actions" for button in block["elements"]]
    if kind == "telegram":
        return [button["url"] for row in body["reply_markup"]["inline_keyboard"] for button in row]
    if kind == "ntfy":
        return [body["click"], *(action["url"] for action in body["actions"])]
    return [body["url"], *(one["url"] for one in body["actions"] + body["links"])]


def _tags(mail) -> list[tuple[str, str]]:
    """Every tag (as ("tag", name)) and attribute of the mail's HTML."""
    found: list[tuple[str, str]] = []

    class Reader(HTMLParser):
        def handle_starttag(self, tag, attrs):
            found.append(("tag", tag))
            found.extend((name, value or "") for name, value in attrs)

    Reader().feed(mail.get_body(("html",)).get_content())
    return found


async def test_mail_has_no_tag_or_handler_that_is_not_ours():
    mail = await arrived("email", HOSTILE)
    names = {name for name, _ in _tags(mail)}
    assert {value for name, value in _tags(mail) if name == "tag"} <= {
        "html",
        "head",
        "meta",
        "title",
        "body",
        "div",
        "p",
        "h1",
        "a",
    }
    assert names <= {"tag", "lang", "charset", "name", "content", "style", "href", "rel"}


async def test_mail_headers_are_ours_alone():
    """A newline in a title starts no header, and a page has the same Message-ID on every attempt."""
    mail = await arrived("email", HOSTILE)
    assert mail["Bcc"] is None
    assert set(mail.keys()) == {
        "From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "References", "Importance", "MIME-Version",
        "Content-Type",
    }  # fmt: skip
    assert mail["From"] == "Tocsin <tocsin@example.org>"
    assert mail["To"] == "ana@example.org"
    assert mail["Message-ID"] == "<8231-2@example.org>"
    assert mail["References"] == "<incident-8231@example.org>"
    assert mail["Date"].datetime.timestamp() == NOW / 1_000_000


async def test_mail_is_text_first_and_html_second():
    mail = await arrived("email", MESSAGE)
    assert [part.get_content_type() for part in mail.iter_parts()] == ["text/plain", "text/html"]
    assert MESSAGE.url in mail.get_body(("plain",)).get_content()


async def test_mail_of_any_script_arrives_as_seven_bit_lines_of_legal_length():
    async with reach("email") as to:
        await to.send(replace(MESSAGE, title="Ärger im Kühlhaus 🔥" * 9, text="Ошибка " * 900))
        content = to.mail.mails[0].content
        assert content.isascii()
        assert max(map(len, content.split(b"\r\n"))) <= 998
        assert "Ошибка Ошибка" in to.mail.mails[0].message.get_body(("plain",)).get_content()


async def test_slack_gets_no_control_character_of_its_own():
    """Everything hostile is plain_text with & < > as entities, so there is no mention, link or format in it."""
    body = await arrived("slack", HOSTILE)
    texts: list[dict] = []

    def collect(value):
        if isinstance(value, dict):
            if isinstance(value.get("text"), str) and "type" in value:
                texts.append(value)
            for one in value.values():
                collect(one)
        if isinstance(value, list):
            for one in value:
                collect(one)

    collect(body["blocks"])
    assert {one["type"] for one in texts} == {"plain_text"}
    for text in (*(one["text"] for one in texts), body["text"]):
        assert not set(text) & set("<>")
        assert "&" not in re.sub("&(amp|lt|gt);", "", text)
    assert body["unfurl_links"] is body["unfurl_media"] is body["mrkdwn"] is False


async def test_slack_buttons_are_told_apart():
    body = await arrived("slack", MESSAGE)
    names = [one["action_id"] for block in body["blocks"] if block["type"] == "actions" for one in block["elements"]]
    assert len(names) == len(set(names)) == 3


async def test_telegram_gets_only_our_own_tags():
    body = await arrived("telegram", HOSTILE)
    assert re.findall(r"<[^>]*>?", body["text"]) == ["<b>", "</b>", "<i>", "</i>"]
    assert body["parse_mode"] == "HTML"
    assert body["link_preview_options"] == {"is_disabled": True}


async def test_telegram_is_silent_for_low_urgency_only():
    assert (await arrived("telegram", MESSAGE))["disable_notification"] is False
    assert (await arrived("telegram", replace(MESSAGE, urgency="low")))["disable_notification"] is True


async def test_telegram_plain_form_is_not_parsed_as_anything():
    async with reach("telegram") as to:
        to.http.script.append(replace(to.http.usual, status=400, body=b'{"ok":false,"error_code":400}'))
        assert await to.send(HOSTILE) == Accepted("77")
        assert "parse_mode" not in to.http.seen[1].json
        assert to.http.seen[1].path == f"/bot123456:{CANARY}/sendMessage"


async def test_a_webhooks_signature_can_be_checked_with_nothing_but_its_documentation():
    async with reach("webhook") as to:
        await to.send()
        seen = to.http.seen[0]
        stamp, given = (part.partition("=")[2] for part in seen.headers["tocsin-signature"].split(","))
        expected = hmac.new(f"k{CANARY}".encode(), stamp.encode() + b"." + seen.body, hashlib.sha256).hexdigest()
        assert given == expected
        assert int(stamp) == NOW // 1_000_000
        assert seen.headers["authorization"] == f"Bearer {CANARY}"


async def test_every_attempt_of_a_webhook_carries_the_same_key():
    async with reach("webhook") as to:
        await to.send()
        await to.send(replace(MESSAGE, late_s=90))
        assert [seen.headers["idempotency-key"] for seen in to.http.seen] == ["8231-2", "8231-2"]


async def test_a_webhook_says_everything_there_is():
    body = await arrived("webhook", MESSAGE)
    assert body == {
        "id": "8231-2",
        "kind": "page",
        "title": "Checkout answers 5xx",
        "text": MESSAGE.text,
        "url": "https://tocsin.test/p/abc",
        "priority": "P1",
        "severity": "critical",
        "urgency": "high",
        "incident": 8231,
        "service": "Checkout",
        "to": "Ana",
        "late_s": 0,
        "notes": [],
        "actions": [{"name": "acknowledge", "label": "Acknowledge", "url": "https://tocsin.test/p/abc?do=ack"}],
        "links": [{"label": "Runbook", "url": "https://wiki.test/checkout"}],
    }


@pytest.mark.parametrize(
    ("urgency", "priority", "kind", "expected"),
    [
        ("high", "P1", "page", 5),
        ("high", "P2", "page", 5),
        ("high", "P3", "page", 4),
        ("low", "P1", "page", 3),
        ("low", "P4", "page", 2),
        ("high", "P1", "test", 3),
    ],
)
def test_ntfy_rings_as_loud_as_the_page_is_urgent(urgency, priority, kind, expected):
    assert priority_of(replace(MESSAGE, urgency=urgency, priority=priority, kind=kind)) == expected


async def test_ntfy_gets_its_token_and_a_sequence_id_that_makes_a_duplicate_one_notification():
    async with reach("ntfy") as to:
        assert await to.send() == Accepted("xE73Iyuabi")
        assert to.http.seen[0].headers["authorization"] == f"Bearer tk_{CANARY}"
        assert to.http.seen[0].json["sequence_id"] == "8231-2"
        assert to.http.seen[0].json["topic"] == "oncall-ana"
        assert all(action["action"] == "view" for action in to.http.seen[0].json["actions"])


async def test_apprise_puts_the_address_where_no_cut_reaches_it():
    body = await arrived("apprise", LONG)
    assert body["message"].startswith("https://tocsin.test/p/abc\n")


async def test_the_console_shows_buttons_in_words():
    stream = io.StringIO()
    outbound = Outbound(OutboundSettings(), now=lambda: NOW, trust=no_trust)
    console = build(stream, offered=())["console"]
    assert await console.send(console.Address(), HOSTILE, outbound) == Delivered()
    await outbound.aclose()
    shown = stream.getvalue()
    assert "fine: https://wiki.test/a?b=c&d=e" in shown
    assert "javascript:" not in shown
    assert all(line[0] in "┌│└" for line in shown.splitlines())


NOTICE = Message(
    id="tocsin-notice-7",
    kind="update",
    title="Your on-call in Shop begins in 58 min",
    text="Mon 5 Jan 09:00 to 17:00, Berlin (primary)",
    url="",
    urgency="low",
    to="Ana",
)
"""What is about no incident: no priority, no severity, nothing to answer."""


@pytest.mark.parametrize("kind", REMOTE)
async def test_what_is_about_no_incident_names_no_priority_and_no_severity(kind):
    body = await arrived(kind, NOTICE)
    title, text = words(kind, body)
    if kind == "telegram":  # without facts there is no second line in italics
        text = body["text"].partition("\n")[2]
    assert title == NOTICE.title
    assert NOTICE.text in text
    whole = body.as_string() if kind == "email" else json.dumps(body)
    assert not re.search(r"\bP[1-4]\b|\berror\b|No service|\bcritical\b", whole)


@pytest.mark.parametrize("kind", [kind for kind in REMOTE if kind != "apprise"])
async def test_what_needs_no_answer_has_no_button(kind):
    body = await arrived(kind, NOTICE)
    if kind == "email":
        assert pressable(kind, body) == []
    else:
        assert not {"actions", "click", "reply_markup"} & {name for name, value in body.items() if value}
        assert not [block for block in body.get("blocks", ()) if block["type"] == "actions"]
        assert body.get("url") is None


@pytest.mark.parametrize("kind", [kind for kind in REMOTE if kind != "apprise"])
async def test_what_is_to_be_answered_has_one_address_to_press(kind):
    body = await arrived(kind, replace(NOTICE, kind="test", urgency="high", url="https://tocsin.test/t/abc"))
    if kind == "ntfy":
        assert body["click"] == "https://tocsin.test/t/abc"
    elif kind == "webhook":
        assert body["url"] == "https://tocsin.test/t/abc"
    else:
        assert pressable(kind, body) == ["https://tocsin.test/t/abc"]
    assert "Acknowledge" not in (body.as_string() if kind == "email" else json.dumps(body))


async def test_what_is_about_no_incident_is_null_to_programs_and_no_alarm_on_phones():
    webhook = await arrived("webhook", NOTICE)
    assert [webhook[name] for name in ("kind", "incident", "priority", "severity", "url")] == [
        "update",
        None,
        None,
        None,
        None,
    ]
    ntfy = await arrived("ntfy", NOTICE)
    assert (ntfy["tags"], ntfy["priority"]) == (["bell"], 3)
    assert (await arrived("apprise", NOTICE))["type"] == "info"


async def test_the_console_says_what_it_is_and_to_whom():
    stream = io.StringIO()
    outbound = Outbound(OutboundSettings(), now=lambda: NOW, trust=no_trust)
    console = build(stream, offered=())["console"]
    await console.send(console.Address(), NOTICE, outbound)
    await outbound.aclose()
    assert stream.getvalue().splitlines()[0] == "┌─ UPDATE · to Ana"

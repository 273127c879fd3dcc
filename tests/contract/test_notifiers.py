"""What every notifier promises, asked of every notifier in the registry against a real server on loopback.

A new notifier needs its line in tests/harness/reach.py and is then asked all of this.
"""

from __future__ import annotations

import asyncio
import io
import logging
from dataclasses import replace

import pytest

from app.notifiers.notifier import Accepted, Action, Delivered, Refused, TryAgain, Unknown
from app.notifiers.outbound import Outbound, OutboundSettings
from app.notifiers.registry import build, parse_address
from tests.harness.providers import Answering, answering, free_port
from tests.harness.reach import CANARY, GOOD, HTTP, MESSAGE, NOW, document, no_trust, reach

REMOTE = tuple(kind for kind in build(offered=()) if kind != "console")
OWN_HTTP = tuple(kind for kind in HTTP if kind != "apprise")
QUICK_S = 0.5
WEATHERS = ("fine", "busy", "broken", "no_such_address", "hang", "drop_before", "drop_after")


@pytest.mark.parametrize("kind", REMOTE)
async def test_a_final_positive_answer_is_accepted_after_one_request(kind):
    async with reach(kind) as to:
        outcome = await to.send()
        assert isinstance(outcome, Accepted), outcome
        assert len(to.http.seen if to.http else to.mail.mails) == 1


@pytest.mark.parametrize("kind", [kind for kind in REMOTE if kind != "apprise"])
async def test_only_the_client_it_was_given_is_used(kind):
    """The provider's name exists only for the outbound's own resolver, which was asked exactly once."""
    async with reach(kind) as to:
        await to.send()
        assert to.resolved == ["provider.test"]


@pytest.mark.parametrize("kind", REMOTE)
async def test_too_many_requests_is_try_again(kind):
    async with reach(kind) as to:
        to.weather("busy")
        outcome = await to.send()
        assert isinstance(outcome, TryAgain), outcome
        assert outcome.after_s == (7.0 if kind in OWN_HTTP else None)


@pytest.mark.parametrize("kind", OWN_HTTP)
@pytest.mark.parametrize(
    ("value", "after_s"),
    [
        ("0", 0.0),
        ("120", 120.0),
        ("Wed, 18 Nov 2026 11:27:00 GMT", 60.0 * 20 + 20),
        ("Thu, 19 Nov 2020 00:00:00 GMT", 0.0),
        ("99999999999999999999", 86_400.0),
        ("soon", None),
        ("-5", None),
        ("1e9", None),
    ],
)
async def test_retry_after_is_understood_as_seconds_or_as_a_date(kind, value, after_s):
    async with reach(kind) as to:
        to.http.usual = Answering(503, b"", {"Retry-After": value})
        outcome = await to.send()
        assert isinstance(outcome, TryAgain)
        assert outcome.after_s == after_s


@pytest.mark.parametrize("kind", REMOTE)
async def test_the_providers_own_trouble_is_try_again(kind):
    async with reach(kind) as to:
        to.weather("broken")
        assert isinstance(await to.send(), TryAgain)


@pytest.mark.parametrize("kind", HTTP)
@pytest.mark.parametrize("status", [408, 502, 503, 504])
async def test_statuses_that_pass_are_try_again(kind, status):
    async with reach(kind) as to:
        to.http.usual = Answering(status)
        assert isinstance(await to.send(), TryAgain)


@pytest.mark.parametrize("kind", REMOTE)
async def test_an_address_that_is_not_there_is_refused(kind):
    async with reach(kind) as to:
        to.weather("no_such_address")
        outcome = await to.send()
        assert isinstance(outcome, Refused), outcome
        assert "404" in outcome.reason or "550" in outcome.reason


@pytest.mark.parametrize("kind", HTTP)
@pytest.mark.parametrize("status", [401, 403, 410, 422])
async def test_other_client_errors_are_refused_after_one_request(kind, status):
    async with reach(kind) as to:
        to.http.usual = Answering(status)
        assert isinstance(await to.send(), Refused)
        assert len(to.http.seen) == 1


@pytest.mark.parametrize("kind", OWN_HTTP)
@pytest.mark.parametrize("status", [400, 413])
async def test_a_complaint_about_the_shape_is_answered_once_with_plain_text(kind, status):
    async with reach(kind) as to:
        to.http.script.append(Answering(status, b"too long"))
        assert isinstance(await to.send(), Accepted)
        full, least = to.http.seen
        assert len(least.body) < len(full.body)
        assert MESSAGE.title.encode() in least.body
        assert MESSAGE.url.encode() in least.body
        assert full.path == least.path


@pytest.mark.parametrize("kind", OWN_HTTP)
async def test_a_second_complaint_is_refused_and_not_repeated(kind):
    async with reach(kind) as to:
        to.http.usual = Answering(400)
        assert isinstance(await to.send(), Refused)
        assert len(to.http.seen) == 2


async def test_both_forms_together_keep_to_the_one_deadline():
    async with reach("webhook", timeout_s=1.0) as to:
        to.http.script.extend([Answering(400, slow_s=0.8), Answering(how="hang")])
        began = asyncio.get_running_loop().time()
        assert isinstance(await to.send(), Unknown)
        assert asyncio.get_running_loop().time() - began < 1.5


async def test_apprise_keeps_to_the_deadline_although_its_own_limits_start_anew_with_each_byte():
    async with reach("apprise", timeout_s=1.0) as to:
        to.http.usual = Answering(200, b"xxxx", how="hang_in_body", slow_s=0.8)
        began = asyncio.get_running_loop().time()
        assert isinstance(await to.send(), Unknown)
        assert asyncio.get_running_loop().time() - began < 1.5


@pytest.mark.parametrize("kind", HTTP)
@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_a_redirect_is_refused_and_not_followed(kind, status):
    async with reach(kind) as to:
        to.http.usual = Answering(status, b"", {"Location": to.http.url(f"/elsewhere/{CANARY}")})
        outcome = await to.send()
        assert isinstance(outcome, Refused)
        assert "redirect" in outcome.reason
        assert len(to.http.seen) == 1


ERRORS_IN_200 = [
    ("slack", Answering(200, b'{"ok":false,"error":"channel_not_found"}'), Refused, "channel_not_found"),
    ("slack", Answering(200, b'{"ok":false,"error":"ratelimited"}', {"Retry-After": "3"}), TryAgain, "ratelimited"),
    ("slack", Answering(200, b"<html>captive portal</html>"), Refused, "not as Slack"),
    ("slack", Answering(200, b""), Refused, "not as Slack"),
    ("ntfy", Answering(200, b"<html>captive portal</html>"), Refused, "not as ntfy"),
    ("ntfy", answering(200, {"id": ""}), Refused, "not as ntfy"),
    (
        "telegram",
        answering(200, {"ok": False, "error_code": 403, "description": "bot was blocked"}),
        Refused,
        "blocked",
    ),
    ("telegram", answering(200, {"ok": False}), Refused, "200"),
    ("telegram", Answering(200, b"[]"), Refused, "not as Telegram"),
    ("telegram", Answering(200, b"\xff"), Refused, "not as Telegram"),
]


@pytest.mark.parametrize(("kind", "answer", "kind_of_outcome", "said"), ERRORS_IN_200)
async def test_an_error_inside_a_200_is_an_error(kind, answer, kind_of_outcome, said):
    async with reach(kind) as to:
        to.http.usual = answer
        outcome = await to.send()
        assert isinstance(outcome, kind_of_outcome), outcome
        assert said in outcome.reason


async def test_telegram_says_in_its_body_how_long_to_wait():
    async with reach("telegram") as to:
        to.http.usual = answering(429, {"ok": False, "error_code": 429, "parameters": {"retry_after": 31}})
        outcome = await to.send()
        assert isinstance(outcome, TryAgain)
        assert outcome.after_s == 31.0


@pytest.mark.parametrize("kind", REMOTE)
async def test_no_answer_in_time_is_unknown(kind):
    async with reach(kind, timeout_s=QUICK_S) as to:
        to.weather("hang")
        assert isinstance(await to.send(), Unknown)


@pytest.mark.parametrize("kind", OWN_HTTP)
@pytest.mark.parametrize("how", ["hang_in_body", "drop_in_body", "nonsense"])
async def test_half_an_answer_is_no_answer(kind, how):
    async with reach(kind, timeout_s=QUICK_S) as to:
        to.http.usual = Answering(200, GOOD[kind].body or b"xxxx", how=how)
        assert isinstance(await to.send(), Unknown)


@pytest.mark.parametrize("kind", REMOTE)
async def test_a_connection_lost_after_the_request_is_unknown(kind):
    async with reach(kind) as to:
        to.weather("drop_after")
        assert isinstance(await to.send(), Unknown)


@pytest.mark.parametrize("kind", REMOTE)
async def test_a_connection_lost_before_the_request_was_read(kind):
    """Mail knows that nothing was handed over yet; over HTTP the bytes had left, so it can't be known.

    Apprise's thread may see the reset while it still connects; then surely nothing was sent.
    """
    expected = {"email": TryAgain, "apprise": (Unknown, TryAgain)}.get(kind, Unknown)
    async with reach(kind) as to:
        to.weather("drop_before")
        assert isinstance(await to.send(), expected)


@pytest.mark.parametrize("kind", REMOTE)
async def test_no_connection_is_try_again(kind):
    async with reach(kind) as to:
        port = free_port()
        api = f"http://provider.test:{port}"
        smtp = f"smtp://provider.test:{port}?tls=none"
        settings = replace(to.outbound.settings, telegram_api=api, smtp_url=smtp)
        outbound = Outbound(settings, now=lambda: NOW, resolve=_loopback, trust=no_trust)
        address = parse_address(build(offered=()), kind, document(kind, port))
        outcome = await to.notifier.send(address, MESSAGE, outbound)
        await outbound.aclose()
        assert isinstance(outcome, TryAgain), outcome


async def _loopback(host, port):
    return ("127.0.0.1",)


@pytest.mark.parametrize("kind", HTTP)
async def test_an_address_that_may_not_be_dialled_is_refused_and_says_which_setting_to_change(kind):
    async with reach(kind, allow=()) as to:
        outcome = await to.send()
        assert isinstance(outcome, Refused), outcome
        assert "TOCSIN_OUTBOUND_ALLOW" in outcome.reason
        assert to.http.accepted == 0


@pytest.mark.parametrize("kind", REMOTE)
async def test_a_cancelled_send_leaves_no_connection_open(kind):
    async with reach(kind, timeout_s=QUICK_S) as to:
        to.weather("hang")
        task = asyncio.ensure_future(to.send())
        await asyncio.wait_for(to.fake.asked.wait(), 2)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await to.fake.all_closed()


@pytest.mark.parametrize("kind", [kind for kind in REMOTE if kind != "apprise"])
async def test_after_a_hang_the_next_send_works(kind):
    async with reach(kind, timeout_s=QUICK_S) as to:
        to.weather("hang")
        await to.send()
        to.weather("fine")
        assert isinstance(await to.send(), Accepted)


@pytest.mark.parametrize("kind", REMOTE)
@pytest.mark.parametrize("weather", WEATHERS)
async def test_no_secret_is_in_an_outcome_or_a_log(kind, weather, caplog):
    caplog.set_level(logging.DEBUG)
    async with reach(kind, timeout_s=QUICK_S) as to:
        to.weather(weather)
        outcome = await to.send()
        assert CANARY not in repr(outcome)
        said = "\n".join(record.getMessage() for record in caplog.records if not record.name.startswith("mail."))
        assert CANARY not in said
        assert CANARY not in repr(to.address)


@pytest.mark.parametrize("kind", OWN_HTTP)
@pytest.mark.parametrize("status", [400, 403, 429, 500])
async def test_a_provider_that_echoes_the_request_does_not_get_secrets_into_the_reason(kind, status):
    """Telegram and ntfy are quoted in reasons: their errors come in the JSON field that is quoted."""
    secret = {"telegram": f"123456:{CANARY}", "ntfy": f"tk_{CANARY}"}.get(kind, CANARY)
    async with reach(kind) as to:
        quoted = f"bad token {secret} " * 50
        body = {"ok": False, "description": quoted, "error": quoted}
        for answer in (Answering(status, echo=True), answering(status, body)):
            to.http.usual = answer
            outcome = await to.send()
            assert CANARY not in repr(outcome)
            assert len(outcome.reason) < 400


async def test_a_login_that_the_mail_server_refuses_is_refused_without_the_password():
    async with reach("email") as to:
        to.mail.password = b"another"
        outcome = await to.send()
        assert isinstance(outcome, Refused)
        assert "535" in outcome.reason
        assert CANARY not in outcome.reason
        assert to.mail.mails == []


async def test_the_console_delivers_a_page_that_shows_where_to_answer():
    stream = io.StringIO()
    outcome = await _on_console(stream, replace(MESSAGE, late_s=200))
    assert outcome == Delivered()
    shown = stream.getvalue()
    assert "Checkout answers 5xx" in shown
    assert "https://tocsin.test/p/abc" in shown
    assert "late by 3 min" in shown
    assert "\x1b" not in shown


async def test_the_console_draws_without_lines_where_the_encoding_has_none():
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, "ascii")
    assert await _on_console(stream, replace(MESSAGE, title="Ünicode 🔥")) == Delivered()
    assert b"| ?nicode ?" in raw.getvalue()


async def test_a_console_that_is_gone_is_try_again():
    stream = io.StringIO()
    stream.close()
    assert isinstance(await _on_console(stream, MESSAGE), TryAgain)


async def test_the_console_lets_no_terminal_sequence_through():
    stream = io.StringIO()
    await _on_console(stream, replace(MESSAGE, title="\x1b]0;pwned\x07a\rb", text="\x1b[2J\x9b1m", to="\x1b[0m"))
    assert not set(stream.getvalue()) & {"\x1b", "\x07", "\r", "\x9b"}


async def _on_console(stream, message):
    notifier = build(stream, offered=())["console"]
    outbound = Outbound(OutboundSettings(), now=lambda: NOW, trust=no_trust)
    outcome = await notifier.send(notifier.Address(), message, outbound)
    await outbound.aclose()
    return outcome


async def test_mail_without_a_server_is_refused_with_the_setting_to_change():
    notifiers = build(offered=())
    outbound = Outbound(OutboundSettings(), now=lambda: NOW, trust=no_trust)
    outcome = await notifiers["email"].send(parse_address(notifiers, "email", {"to": "a@b.org"}), MESSAGE, outbound)
    await outbound.aclose()
    assert isinstance(outcome, Refused)
    assert "TOCSIN_SMTP_URL" in outcome.reason


@pytest.mark.parametrize("kind", REMOTE)
async def test_a_message_of_nothing_but_hostile_scraps_is_sent_all_the_same(kind):
    """Never raises for content: lone surrogates, NULs, no title, no text, addresses that are none."""
    scraps = replace(
        MESSAGE,
        id="\ud800\r\n",
        title="\x00",
        text="\udfff",
        url="javascript:alert(1)",
        to="\ud800",
        service="\n",
        priority="",
        links=(("\ud800", "file:///etc/passwd"), ("", 'https://x"y')),
        actions=(Action("acknowledge", "\x00", "https://a b"),),
    )
    async with reach(kind) as to:
        outcome = await to.send(scraps)
        assert isinstance(outcome, Accepted), outcome

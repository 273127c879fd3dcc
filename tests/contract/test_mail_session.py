"""E-mail on the wire: how it is secured, and what each way of failing amounts to."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from dataclasses import replace
from pathlib import Path

import pytest

from app.notifiers.notifier import Accepted, Refused, TryAgain, Unknown
from app.notifiers.outbound import Outbound, OutboundSettings
from app.notifiers.registry import build, parse_address
from app.notifiers.smtp import MailServer, read_mail_server
from tests.harness.mail import mail_server
from tests.harness.reach import MESSAGE, NOW, no_trust

TLS = Path(__file__).parent.parent / "data" / "tls"


def server_tls() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(TLS / "server.pem", TLS / "server.key")
    return context


def trust() -> ssl.SSLContext:
    return ssl.create_default_context(cafile=TLS / "ca.pem")


async def _loopback(host, port):
    return ("127.0.0.1",)


async def send(port: int, tls: str, *, host="provider.test", to="ana@example.org", trust=trust, timeout_s=5.0, user=""):
    url = f"smtp://{user}{host}:{port}?tls={tls}"
    settings = OutboundSettings(timeout_s=timeout_s, smtp_url=url, smtp_from="tocsin@example.org")
    outbound = Outbound(settings, now=lambda: NOW, resolve=_loopback, trust=trust)
    notifiers = build(offered=())
    outcome = await notifiers["email"].send(parse_address(notifiers, "email", {"to": to}), MESSAGE, outbound)
    await outbound.aclose()
    return outcome


async def test_starttls_is_used_and_the_login_goes_through_it():
    async with mail_server(starttls=server_tls()) as fake:
        assert isinstance(await send(fake.port, "starttls", user="tocsin:right@"), Accepted)
        assert fake.logins == [(b"tocsin", b"right")]
        assert len(fake.mails) == 1


async def test_tls_from_the_first_byte():
    async with mail_server(implicit=server_tls()) as fake:
        assert isinstance(await send(fake.port, "implicit"), Accepted)


async def test_a_server_without_starttls_gets_no_mail_and_the_reason_says_what_to_do():
    async with mail_server() as fake:
        outcome = await send(fake.port, "starttls", user="tocsin:right@")
        assert isinstance(outcome, TryAgain)
        assert "tls=none" in outcome.reason
        assert fake.mails == fake.logins == []


@pytest.mark.parametrize(("tls", "offer"), [("starttls", "starttls"), ("implicit", "implicit")])
@pytest.mark.parametrize(("host", "trusting"), [("other.test", trust), ("provider.test", no_trust)])
async def test_a_certificate_of_another_name_or_authority_gets_no_mail(tls, offer, host, trusting):
    async with mail_server(**{offer: server_tls()}) as fake:
        outcome = await send(fake.port, tls, host=host, trust=trusting)
        assert isinstance(outcome, TryAgain)
        assert "TLS" in outcome.reason
        assert fake.mails == []


async def test_a_server_that_greets_nobody_is_try_again():
    async with mail_server() as fake:
        fake.how = "hang_before"
        assert isinstance(await send(fake.port, "none", timeout_s=0.4), TryAgain)


async def test_a_reply_after_the_mail_that_says_no_for_ever_is_refused():
    async with mail_server() as fake:
        fake.at_data = "554 5.7.1 content\r\n rejected"
        outcome = await send(fake.port, "none")
        assert isinstance(outcome, Refused)
        assert "554" in outcome.reason


async def test_the_receipt_is_the_message_id_that_a_bounce_would_name():
    async with mail_server() as fake:
        outcome = await send(fake.port, "none")
        assert outcome == Accepted("<8231-2@example.org>")
        assert fake.mails[0].message["Message-ID"] == "<8231-2@example.org>"
        assert fake.mails[0].sender == "tocsin@example.org"


async def test_a_mailbox_beyond_ascii_is_reached_by_smtputf8():
    async with mail_server() as fake:
        assert isinstance(await send(fake.port, "none", to="jörg@bücher.test"), Accepted)
        assert fake.mails[0].to == ("jörg@bücher.test",)


@contextlib.asynccontextmanager
async def serving(conversation):
    """The port of a mail server that holds this conversation, whatever is asked."""
    tasks = set()

    async def serve(reader, writer):
        tasks.add(asyncio.current_task())
        try:
            await conversation(reader, writer)
            await reader.read()  # until the client goes away
        except ConnectionError:
            return
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]
        await asyncio.gather(*tasks)


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([b"HTTP/1.1 400 Bad Request"], TryAgain),
        ([b"554 go away"], Refused),
        ([b"421 too busy"], TryAgain),
        ([b"220 hi", b"502 what"], Refused),
        ([b"220 hi", b"250 hi", b"250 ok"], TryAgain),
        ([b"220 hi", b"250 hi", b"250 ok", b"250 ok"], Unknown),
    ],
)
async def test_a_server_that_stops_half_way(lines, expected):
    """Before DATA nothing was sent; from DATA on nobody knows."""

    async def conversation(reader, writer):
        for line in lines:
            writer.write(line + b"\r\n")
            await reader.readline()

    async with serving(conversation) as port:
        assert isinstance(await send(port, "none", timeout_s=0.4), expected)


async def test_a_server_that_took_the_mail_need_not_say_goodbye():
    """The mail is theirs with the reply to its last dot; a hang afterwards takes nothing back."""

    async def conversation(reader, writer):
        for line in (b"220 hi", b"250 hi", b"250 ok", b"250 ok"):
            writer.write(line + b"\r\n")
            await reader.readline()
        writer.write(b"354 go on\r\n")
        await reader.readuntil(b"\r\n.\r\n")
        writer.write(b"250 taken\r\n")

    async with serving(conversation) as port:
        assert isinstance(await send(port, "none", timeout_s=0.4), Accepted)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("smtp://mail.test", MailServer("mail.test", 587, "starttls")),
        ("smtp://mail.test:25", MailServer("mail.test", 25, "starttls")),
        ("smtp://mail.test:465", MailServer("mail.test", 465, "implicit")),
        ("smtp://mail.test?tls=implicit", MailServer("mail.test", 465, "implicit")),
        ("smtp://mail.test:25?tls=none", MailServer("mail.test", 25, "none")),
        ("smtp://a%40b:p%3A%2F@mail.test", MailServer("mail.test", 587, "starttls", "a@b", "p:/")),
        ("smtp://[::1]:2525?tls=none", MailServer("::1", 2525, "none")),
    ],
)
def test_the_setting_is_read(url, expected):
    assert read_mail_server(url) == expected


def test_the_password_of_the_setting_is_not_shown():
    assert "secret" not in repr(replace(read_mail_server("smtp://mail.test"), password="secret"))

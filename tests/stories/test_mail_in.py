"""Mail as alerts: an address is an integration, 250 means committed, and what can't be taken now stays with its server."""

from __future__ import annotations

import os
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiosmtplib
import pytest

from app.api.mail_in import MailDoor, Tls
from app.cli.serve import listening_for_mail
from app.cli.trouble import Trouble
from app.settings import Settings
from tests.harness.town import Resident, Sender, Town, town

TLS = Path(__file__).parent.parent / "data" / "tls"


def mail(subject: str, text: str = "see for yourself", **headers: str) -> bytes:
    more = "".join(f"{name.replace('_', '-')}: {said}\r\n" for name, said in headers.items())
    return f"From: monitor@shop.example\r\nSubject: {subject}\r\n{more}\r\n{text}\r\n".encode()


class Post:
    """A mail server that hands mail to Tocsin."""

    def __init__(self, story: Town, port: int, door: MailDoor) -> None:
        self.story, self.port, self.door = story, port, door

    async def hands_over(self, content: bytes, *to: str, tls: ssl.SSLContext | None = None) -> int:
        """The code that the sending server gets."""
        client = aiosmtplib.SMTP(hostname="127.0.0.1", port=self.port, use_tls=False, start_tls=False, timeout=20)
        await client.connect()
        try:
            if tls is not None:
                await client.starttls(server_hostname="provider.test", tls_context=tls)
            await client.ehlo()
            await client.mail("monitor@shop.example")
            for address in to:
                await client.rcpt(address)
            code, _ = await client.data(content)
        except aiosmtplib.SMTPResponseException as refusal:
            code = refusal.code
        await client.quit()
        await self.story.settled()
        return int(code)


@asynccontextmanager
async def taking_mail(database: str, **settings: Any) -> AsyncIterator[tuple[Resident, Sender, Post]]:
    async with town(database, **settings) as story:
        ana = await story.person("Ana")
        service = await story.service("shop", await story.policy([[ana]], delay_s=3_600), grouping={"by": "alert"})
        inbox = await story.integration("email", service)
        with socket.create_server(("127.0.0.1", 0)) as bound:
            bound.setblocking(False)
            door = MailDoor(story.world, bound)
            story.process.supervisor.start("mail", door.run)
            try:
                yield ana, inbox, Post(story, bound.getsockname()[1], door)
            finally:
                await story.process.supervisor.cancel("mail")


async def test_a_mail_pages_its_end_resolves_and_what_is_not_ours_is_turned_away(database: str) -> None:
    async with taking_mail(database) as (ana, inbox, post):
        address = f"{inbox.key}@tocsin.example"
        assert await post.hands_over(mail("[CRITICAL] Disk full on db-1"), address) == 250
        assert (await ana.is_paged("Disk full on db-1"))["priority"] == "P2"
        assert await post.hands_over(mail("Disk full on db-1"), address.upper()) == 250
        await ana.is_not_paged()
        assert await post.hands_over(mail("[RESOLVED] Disk full on db-1"), f"{inbox.key}+db@elsewhere.example") == 250
        assert (await post.story.incident()).state == "resolved"

        assert await post.hands_over(mail("x"), "nobody@tocsin.example") == 550
        assert await post.hands_over(mail("x", Auto_Submitted="auto-replied"), address) == 250
        assert await post.hands_over(b"\xff no mail at all\r\n", address) == 554
        await ana.is_paged("could not be read")
        assert await post.hands_over(mail("long", "y" * 20_000), address) == 250
        await ana.is_paged("long")
        assert await post.hands_over(mail("many"), *(address for _ in range(21))) == 452

        post.story.world.committer.close()
        assert await post.hands_over(mail("not now"), address) == 451
        assert await post.story.rows("SELECT 1 FROM alerts WHERE title = 'not now'") == []


async def test_a_mail_that_is_too_large_is_refused_and_told_to_a_person(database: str) -> None:
    async with taking_mail(database, max_body_bytes=2_000) as (ana, inbox, post):
        address = f"{inbox.key}@tocsin.example"
        assert await post.hands_over(mail("large", "y\r\n" * 5_000), address) == 552
        await ana.is_paged("could not be read")
        assert "more than 2000 bytes" in (await post.story.rows("SELECT reason FROM unparsed"))[0].reason
        assert await post.hands_over(mail("small"), address) == 250
        await ana.is_paged("small")


async def test_a_mail_comes_by_starttls_or_in_the_clear_and_no_password_is_offered(database: str) -> None:
    """The connection counts once, however often it is made anew."""
    pair = {"mail_in_certificate": str(TLS / "server.pem"), "mail_in_key": str(TLS / "server.key")}
    async with taking_mail(database, **pair) as (ana, inbox, post):
        address = f"{inbox.key}@tocsin.example"
        trust = ssl.create_default_context(cafile=TLS / "ca.pem")
        assert await post.hands_over(mail("by TLS"), address, tls=trust) == 250
        await ana.is_paged("by TLS")
        assert await post.hands_over(mail("in the clear"), address) == 250
        await ana.is_paged("in the clear")
        trust.check_hostname = False
        client = aiosmtplib.SMTP(hostname="127.0.0.1", port=post.port, start_tls=True, tls_context=trust)
        async with client:
            await client.ehlo()
            assert not client.supports_extension("auth")
            assert post.door.connections == 1


def test_a_renewed_certificate_counts_and_a_broken_one_does_not(tmp_path: Path) -> None:
    files = {"mail_in_certificate": tmp_path / "chain.pem", "mail_in_key": tmp_path / "key.pem"}
    for file, known in zip(files.values(), ("server.pem", "server.key"), strict=True):
        file.write_bytes((TLS / known).read_bytes())
    tls = Tls(Settings.model_construct(**{name: str(file) for name, file in files.items()}))
    first = tls.context()
    assert tls.context() is first
    chain = files["mail_in_certificate"]
    chain.write_bytes(chain.read_bytes() + b"\n")
    os.utime(chain, ns=(1, 1))
    renewed = tls.context()
    assert renewed is not first
    chain.write_text("half of it")
    assert tls.context() is renewed
    chain.unlink()
    assert tls.context() is renewed


@pytest.mark.parametrize(
    ("pair", "says"),
    [
        ({"mail_in_certificate": "/nowhere/chain.pem"}, "only good together"),
        (
            {"mail_in_certificate": "/nowhere/chain.pem", "mail_in_key": "/nowhere/key.pem"},
            "/nowhere/chain.pem: No such",
        ),
        ({"mail_in_certificate": __file__, "mail_in_key": __file__}, "PEM"),
    ],
)
def test_a_server_without_its_certificate_does_not_start(pair: dict[str, str], says: str) -> None:
    with pytest.raises(Trouble, match=f"can't take mail: .*{says}"):
        listening_for_mail(Settings.model_construct(mail_in_port=1, **pair))


def test_mail_is_taken_only_where_a_port_is_set():
    assert listening_for_mail(Settings.model_construct()) is None
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(Trouble, match="TOCSIN_MAIL_IN_PORT"):
        listening_for_mail(Settings.model_construct(mail_in_port=taken.getsockname()[1]))

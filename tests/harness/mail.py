"""A fake mail server on loopback (aiosmtpd, in this loop): keeps what it was handed and answers as it is told."""

from __future__ import annotations

import asyncio
import contextlib
import email
import email.policy
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass
from email.message import EmailMessage
from typing import Any, Literal

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session

How = Literal["answer", "hang", "hang_before", "drop_before", "drop_after"]


@dataclass(frozen=True, slots=True)
class Mail:
    """One mail as it was handed over."""

    sender: str
    to: tuple[str, ...]
    content: bytes

    @property
    def message(self) -> EmailMessage:
        parsed = email.message_from_bytes(self.content, policy=email.policy.SMTP)
        assert isinstance(parsed, EmailMessage)
        return parsed


class FakeMailServer:
    """aiosmtpd's handler, and what it saw."""

    def __init__(self) -> None:
        self.how: How = "answer"
        self.at_rcpt = "250 OK"
        self.at_data = "250 OK queued as 4711"
        self.mails: list[Mail] = []
        self.password = b"right"
        self.logins: list[tuple[bytes, bytes]] = []
        self.sessions = 0
        self.open = 0
        self.asked = asyncio.Event()
        self._closed = asyncio.Event()
        self._protocols: set[_Protocol] = set()
        self.port = 0

    async def handle_RCPT(self, server: Any, session: Session, envelope: Envelope, address: str, options: Any) -> str:  # noqa: N802 - aiosmtpd's name
        if self.at_rcpt.startswith("250"):
            envelope.rcpt_tos.append(address)
        return self.at_rcpt

    async def handle_DATA(self, server: _Protocol, session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's name
        self.asked.set()
        if self.how == "hang":
            await asyncio.get_running_loop().create_future()
        if self.how == "drop_after":
            server.transport.abort()
        content = envelope.content
        assert isinstance(content, bytes)
        if self.at_data.startswith("250"):
            self.mails.append(Mail(envelope.mail_from or "", tuple(envelope.rcpt_tos), content))
        return self.at_data

    def authenticate(self, server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
        self.logins.append((data.login, data.password))
        return AuthResult(success=data.password == self.password, handled=False)

    async def all_closed(self) -> None:
        """Returns when no client holds a session any more; fails after two seconds."""
        async with asyncio.timeout(2):
            while self.open:
                self._closed.clear()
                await self._closed.wait()

    def came(self, protocol: _Protocol) -> None:
        self.sessions += 1
        self.open += 1
        self._protocols.add(protocol)

    def went(self, protocol: _Protocol) -> None:
        self.open -= 1
        self._protocols.discard(protocol)
        self._closed.set()

    async def close_all(self) -> None:
        """Ends what is left; aiosmtpd itself never ends a session whose STARTTLS failed."""
        for protocol in tuple(self._protocols):
            if not protocol.transport.is_closing():  # Python 3.11.2 fails on a TLS transport that closed twice
                protocol.transport.abort()
            if protocol._handler_coroutine is not None:
                protocol._handler_coroutine.cancel()
                await asyncio.wait([protocol._handler_coroutine])


class _Protocol(SMTP):
    """One session; it can also fail before it begins."""

    def __init__(self, fake: FakeMailServer, tls: ssl.SSLContext | None, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(
            fake,
            hostname="mail.test",
            enable_SMTPUTF8=True,
            authenticator=fake.authenticate,
            auth_require_tls=False,
            tls_context=tls,
            loop=loop,
        )
        self._fake = fake

    def connection_made(self, transport: Any) -> None:
        if self._original_transport is not None:
            return super().connection_made(transport)  # the same session, after STARTTLS
        self._fake.came(self)
        if self._fake.how in ("hang_before", "drop_before"):
            self.transport = transport
            self._fake.asked.set()
            if self._fake.how == "drop_before":
                transport.abort()
            return None
        return super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        self._fake.went(self)
        if self._handler_coroutine is not None:
            super().connection_lost(error)


@contextlib.asynccontextmanager
async def mail_server(
    starttls: ssl.SSLContext | None = None, implicit: ssl.SSLContext | None = None
) -> AsyncIterator[FakeMailServer]:
    """A mail server on a free port of loopback, offering STARTTLS or speaking TLS from the first byte."""
    fake = FakeMailServer()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: _Protocol(fake, starttls, loop), "127.0.0.1", 0, ssl=implicit)
    fake.port = server.sockets[0].getsockname()[1]
    try:
        yield fake
    finally:
        server.close()
        await fake.close_all()
        await server.wait_closed()

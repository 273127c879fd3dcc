"""Mail as alerts: an SMTP server of its own port, whose addresses are the keys of integrations of kind `email`.

    RCPT TO:<KEY@anything>   550 for a key that opens nothing
    DATA                     250 only when it is committed; 451 when it can't be: the sending server keeps it and comes again

Off unless a port is set; STARTTLS is offered where there is a certificate. Nothing is relayed, nothing is answered by mail,
and no password is asked for: an address is the key. Must never know how a mail is read.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from contextlib import suppress
from pathlib import Path
from typing import Any

import structlog
from aiosmtpd.smtp import SMTP, Envelope, Session

from app.api.certificates import Unobtainable
from app.api.ingest import oversized
from app.api.intake import Intake, Replayed, Unprocessed
from app.dedup.committer import Overloaded
from app.dedup.directory import Inlet
from app.settings import Settings
from app.sources.event import Received, Unreadable
from app.sources.mail import Mail
from app.store.errors import StoreError
from app.world import World

log = structlog.get_logger(__name__)

MAX_CONNECTIONS = 100
MAX_RECIPIENTS = 20
IDLE_S = 60.0
LINE = 65_536
"""Longer than the standard's thousand: what a monitoring tool writes in one line shall come in."""

TAKEN = "250 2.0.0 Taken"
NO_SUCH = "550 5.1.1 This address opens nothing; see the integration's page for its address"
LATER = "451 4.3.0 It could not be stored now; send it again"
MANY = "452 4.5.3 Too many recipients"
LARGE = "552 5.3.4 This mail is too large; a person is told"
BUSY = b"421 4.3.2 Too many connections; come again\r\n"


class _Conversation(SMTP):
    """aiosmtpd's side of one connection; says when a mail was refused for its size, which aiosmtpd does by itself."""

    line_length_limit = LINE
    _counted = False

    async def push(self, status: Any) -> None:
        """See SMTP.push."""
        if isinstance(status, str) and status.startswith("552") and self.envelope is not None:
            await self.event_handler.refused_for_size(self.envelope)
        await super().push(status)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Turns away what is too much."""
        if not self._counted:  # it is called once more when STARTTLS is done
            if self.event_handler.connections >= MAX_CONNECTIONS and isinstance(transport, asyncio.WriteTransport):
                transport.write(BUSY)
                transport.close()
                return
            self.event_handler.connections += 1
            self._counted = True
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        """See asyncio.Protocol."""
        if self._counted:
            self.event_handler.connections -= 1
            self._counted = False
            super().connection_lost(error)


class BadCertificate(Exception):
    """The certificate that the settings name can't be used; the text says why."""


class Tls:
    """The certificate of the mail server, read again when its file changes, so that a renewed one counts at once."""

    def __init__(self, settings: Settings) -> None:
        """Raises BadCertificate."""
        self._files = settings.mail_in_certificate, settings.mail_in_key
        self._context: ssl.SSLContext | None = None
        self._read_at: tuple[int, ...] = ()
        if all(self._files):
            self._context = self._loaded()
        elif any(self._files):
            raise BadCertificate("TOCSIN_MAIL_IN_CERTIFICATE and TOCSIN_MAIL_IN_KEY are only good together")

    def context(self) -> ssl.SSLContext | None:
        """As the files are now; as they were while they can't be read; None where there is none."""
        if self._context is not None:
            with suppress(OSError):
                if self._changed() != self._read_at:
                    try:
                        self._context = self._loaded()
                    except BadCertificate as error:
                        log.warning("mail_certificate_unusable", error=str(error))
        return self._context

    def _changed(self) -> tuple[int, ...]:
        return tuple(Path(file).stat().st_mtime_ns for file in self._files)

    def _loaded(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        try:
            self._read_at = self._changed()
            context.load_cert_chain(*self._files)
        except OSError as error:  # ssl.SSLError is one
            raise BadCertificate(f"the certificate of {self._files[0]}: {error.strerror or error}") from None
        return context


class MailDoor:
    """The SMTP server of one process, and what it does with what it is handed."""

    def __init__(self, world: World, bound: socket.socket) -> None:
        # aiosmtpd logs addresses, which are keys here.
        logging.getLogger("mail.log").setLevel(logging.CRITICAL)
        self._world = world
        self._intake = Intake(world)
        self._bound = bound
        self._tls = Tls(world.settings)
        self.connections = 0

    async def run(self) -> None:
        """Serves until it is cancelled."""
        loop = asyncio.get_running_loop()
        server = await loop.create_server(self._conversation, sock=self._bound.dup())
        async with server:
            await server.serve_forever()

    def _conversation(self) -> SMTP:
        return _Conversation(
            self,
            data_size_limit=self._world.settings.max_body_bytes,
            enable_SMTPUTF8=True,
            hostname=self._world.settings.mail_in_domain or "tocsin",
            ident="Tocsin",
            tls_context=self._tls.context(),
            timeout=IDLE_S,
            loop=asyncio.get_running_loop(),
        )

    async def handle_EHLO(  # noqa: N802 - aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope, hostname: str, said: list[str]
    ) -> list[str]:
        """What is offered: no login, since an address is a key."""
        session.host_name = hostname
        return [line for line in said if not line.startswith("250-AUTH")]

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Whether an address is one of ours."""
        if len(envelope.rcpt_tos) >= MAX_RECIPIENTS:
            return MANY
        try:
            inlet = await self._inlet(address)
        except StoreError:
            return LATER
        if inlet is None:
            return NO_SUCH
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 Ok"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's name
        """Commits the mail for each of its addresses. Sending it again after a 451 repeats no alert: its key is the same."""
        content = envelope.content if isinstance(envelope.content, bytes) else b""
        answer = TAKEN
        for address in envelope.rcpt_tos:
            try:
                inlet = await self._inlet(address)
                if inlet is not None:
                    await self._intake.take(inlet, Received(content, "message/rfc822"))
            except (Overloaded, StoreError, Unobtainable):
                return LATER
            except (Unprocessed, Replayed):
                continue  # kept
            except Unreadable:
                answer = "554 5.6.0 This can't be read as a mail; it was kept, and a person is told"
        return answer

    async def refused_for_size(self, envelope: Envelope) -> None:
        """Tells a person, once an hour, of a mail that was too large."""
        limit = self._world.settings.max_body_bytes
        for address in envelope.rcpt_tos:
            try:
                if (inlet := await self._inlet(address)) is not None:
                    await self._intake.keep(inlet, oversized(limit), "message/rfc822", b"", limit + 1)
            except (Overloaded, StoreError) as error:
                log.warning("oversized_mail_untold", error=type(error).__name__)

    async def _inlet(self, address: str) -> Inlet | None:
        """The integration of an address: what stands before the @, whatever its case, up to a +."""
        return await self._intake.inlet(Mail.kind, address.partition("@")[0].partition("+")[0].lower())


def listen_for_mail(settings: Settings) -> socket.socket | None:
    """The socket for mail, bound; None when none is to be taken. Raises OSError when the address is taken, BadCertificate."""
    if not settings.mail_in_port:
        return None
    Tls(settings)
    family = socket.AF_INET6 if ":" in settings.mail_in_host else socket.AF_INET
    bound = socket.create_server((settings.mail_in_host, settings.mail_in_port), family=family, backlog=MAX_CONNECTIONS)
    bound.setblocking(False)
    return bound

"""One mail over one SMTP session. Knows no person, page or HTML: bytes and two addresses in, the server's reply out.

Nothing counts as sent before DATA: until then every failure is NotSent. From DATA on, only the server's own final reply
decides; a timeout or a lost connection there is NoAnswer.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from dataclasses import dataclass, field
from typing import Final, Literal
from urllib.parse import parse_qs, unquote, urlsplit

import aiosmtplib

from app.notifiers.dial import Dial
from app.notifiers.errors import NoAnswer, NotSent, OutboundError, tls_trouble

Tls = Literal["starttls", "implicit", "none"]

_SETTING: Final = "TOCSIN_SMTP_URL"
_GOODBYE_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class MailServer:
    """Where mail is handed in. The operator's own choice, so it may be a private address."""

    host: str
    port: int
    tls: Tls
    user: str | None = None
    password: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Reply:
    """The server's deciding reply: 2xx it has the mail, 4xx try again, 5xx never like this."""

    code: int
    text: str


def read_mail_server(url: str) -> MailServer:
    """Reads `smtp://user:pass@host:587?tls=starttls|implicit|none`.

    Without `tls`, port 465 means implicit and every other port STARTTLS, required. Without a port: 465 or 587 by `tls`.
    Raises ValueError, without the URL in its text.
    """
    parts = urlsplit(url)
    asked = parse_qs(parts.query).get("tls", [""])[0] or ("implicit" if parts.port == 465 else "starttls")
    tls = next((known for known in ("starttls", "implicit", "none") if known == asked), None)
    if parts.scheme != "smtp" or not parts.hostname or tls is None:
        raise ValueError(f"{_SETTING} is not smtp://user:password@host:port?tls=starttls|implicit|none")
    return MailServer(
        host=parts.hostname,
        port=parts.port or (465 if tls == "implicit" else 587),
        tls=tls,
        user=unquote(parts.username) if parts.username else None,
        password=unquote(parts.password) if parts.password else None,
    )


class _Session:
    """One session and how far it came."""

    def __init__(self, server: MailServer) -> None:
        self._server = server
        self.handed_over = False
        self.client: aiosmtplib.SMTP | None = None

    async def open(self, dial: Dial, context: ssl.SSLContext) -> aiosmtplib.SMTP:
        server = self._server
        connection = await dial.open(server.host, server.port, trusted=True)
        here = str(connection.getsockname()[0])
        client = self.client = aiosmtplib.SMTP(
            hostname=server.host,
            sock=connection,
            username=server.user,
            password=server.password,
            local_hostname=f"[IPv6:{here}]" if ":" in here else f"[{here}]",  # or it would ask DNS for our own name
            use_tls=server.tls == "implicit",
            start_tls=server.tls == "starttls",
            tls_context=context,
            timeout=None,  # the deadline of the whole session rules
        )
        try:
            await client.connect()
        except BaseException:
            connection.close()  # closed already when the client got as far as a transport
            raise
        return client

    async def hand_over(self, client: aiosmtplib.SMTP, content: bytes, sender: str, to: str) -> Reply:
        await client.ehlo()
        wide = not to.isascii()
        if wide and not client.supports_extension("smtputf8"):
            return Reply(550, "the mail server can't take an address beyond ASCII")
        encoding = "utf-8" if wide else "ascii"
        await client.mail(sender, options=["SMTPUTF8"] if wide else [], encoding=encoding)
        await client.rcpt(to, encoding=encoding)
        self.handed_over = True
        response = await client.data(content)
        return Reply(response.code, response.message)

    def failure(self, words: str) -> OutboundError:
        where = f"mail server {self._server.host}:{self._server.port}"
        return (
            NoAnswer(f"{where}: {words} after the mail was sent") if self.handed_over else NotSent(f"{where}: {words}")
        )


async def submit(
    server: MailServer,
    dial: Dial,
    context: ssl.SSLContext,
    *,
    content: bytes,
    sender: str,
    to: str,
    deadline: float,
) -> Reply:
    """Hands one mail in before `deadline` (the loop's time). Raises NotSent or NoAnswer."""
    session = _Session(server)
    try:
        async with asyncio.timeout_at(deadline):
            client = await session.open(dial, context)
            reply = await session.hand_over(client, content, sender, to)
        with contextlib.suppress(aiosmtplib.SMTPException, OSError):
            await client.quit(timeout=_GOODBYE_S)  # only politeness: the mail is theirs already
    except aiosmtplib.SMTPResponseException as error:
        if error.code < 400:  # no reply of SMTP at all
            raise session.failure("it does not speak SMTP") from None
        return Reply(error.code, error.message)
    except TimeoutError:
        raise session.failure("no answer in time") from None
    except (aiosmtplib.SMTPException, OSError) as error:
        raise session.failure(_words(error)) from None
    else:
        return reply
    finally:
        if session.client is not None:
            session.client.close()


def _words(error: Exception) -> str:
    tls = tls_trouble(error)
    if tls:
        return tls
    if isinstance(error, aiosmtplib.SMTPServerDisconnected | ConnectionError):
        return "the connection was lost"
    text = str(error)
    if "STARTTLS" in text and "not supported" in text:
        return f"it offers no STARTTLS; add ?tls=none to {_SETTING} if that is meant"
    return "the session failed"

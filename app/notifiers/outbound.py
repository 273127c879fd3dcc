"""The way out: the one client that every notifier is handed, and the only module that knows httpx.

Promises: what is dialled was judged by the guard; no redirect is followed; no proxy, password file or cookie of this
machine or of another request plays a part; a request ends by its deadline; and a failure says whether anything was sent.
httpx's own client layer is left out on purpose: it keeps cookies across addresses and logs whole URLs, tokens included.
Knows no notifier, person or page.
"""

from __future__ import annotations

import asyncio
import email.policy
import ssl
import sys
from collections.abc import AsyncIterable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.utils import parseaddr
from importlib.util import find_spec
from typing import Any, Final, TypeVar

import certifi
import httpcore
import httpx
import orjson

from app.clock import Micros
from app.notifiers.dial import Dial, Resolve, resolve
from app.notifiers.errors import Forbidden, NoAnswer, NotSent, OutboundError, tls_trouble
from app.notifiers.guard import Allowed, read_allowance
from app.notifiers.smtp import MailServer, Reply, read_mail_server, submit
from app.notifiers.threads import Threads

__all__ = [
    "Answer",
    "Forbidden",
    "Got",
    "NoAnswer",
    "NotSent",
    "Outbound",
    "OutboundError",
    "OutboundSettings",
    "Reply",
]

MAX_BODY: Final = 64 * 1024
MAX_THREADS: Final = 8
_KEPT_HEADERS: Final = ("content-type", "retry-after")
_FETCH_TIMES: Final = 3
"""How many times longer than sending a message fetching a file may take: nobody waits for it."""
_CONNECT_SHARE: Final = 0.5
"""How much of the time may go into connecting: a dead address must leave time to say so."""

T = TypeVar("T")

if find_spec("sniffio") is None:
    # httpcore would search the disk for it several times a request: it does not remember that it is not there.
    sys.modules["sniffio"] = None  # type: ignore[assignment] # None: known to be missing


@dataclass(frozen=True, slots=True)
class OutboundSettings:
    """What the operator decides about going out."""

    timeout_s: float = 10.0
    smtp_url: str | None = field(default=None, repr=False)
    smtp_from: str | None = None
    allow: tuple[str, ...] = ()
    user_agent: str = "Tocsin"
    telegram_api: str = "https://api.telegram.org"


@dataclass(frozen=True, slots=True)
class Answer:
    """A provider's whole answer. The body is cut at 64 kB and never trusted."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    """`content-type` and `retry-after`, when they were there."""
    body: str = ""

    def document(self) -> Any:
        """The body as JSON, or None when it is none."""
        try:
            return orjson.loads(self.body)
        except orjson.JSONDecodeError:
            return None


@dataclass(frozen=True, slots=True)
class Got:
    """A whole answer to a request for a file, never trusted."""

    status: int
    headers: Mapping[str, str]
    """In lower case, all of them."""
    body: bytes = b""
    whole: bool = True
    """False: the body was larger than allowed, and was not read to its end."""


def system_trust() -> ssl.SSLContext:
    """What this machine trusts (and SSL_CERT_FILE, for a company's own authority) plus the usual public ones."""
    context = ssl.create_default_context()
    context.load_verify_locations(cafile=certifi.where())
    return context


class Outbound:
    """One a process. Raises ValueError for settings that can't be meant, naming the setting."""

    def __init__(
        self,
        settings: OutboundSettings,
        *,
        now: Callable[[], Micros],
        resolve: Resolve = resolve,
        network: httpcore.AsyncNetworkBackend | None = None,
        trust: Callable[[], ssl.SSLContext] = system_trust,
    ) -> None:
        self.settings = settings
        self.timeout_s = settings.timeout_s
        self.now = now
        self.allowed: Allowed = read_allowance(settings.allow)
        self._dial = Dial(self.allowed, resolve)
        self._mail: MailServer | None = read_mail_server(settings.smtp_url) if settings.smtp_url else None
        # A context of its own: httpcore asks for HTTP in the handshake, which a mail server may take amiss.
        self._mail_trust = trust() if self._mail else None
        self.mail_from = _sender(settings)
        self._threads = Threads(MAX_THREADS)
        self._transport = _Transport(_Network(self._dial, network or httpcore.AnyIOBackend()), trust())

    def deadline(self) -> float:
        """The loop's time by which a send that begins now must have ended; for several posts in one send."""
        return asyncio.get_running_loop().time() + self.timeout_s

    @property
    def mail_secrets(self) -> tuple[str, ...]:
        """What a mail server must not be quoted with."""
        return (self._mail.password,) if self._mail is not None and self._mail.password else ()

    async def post(
        self,
        url: str,
        *,
        json: Any = None,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        deadline: float | None = None,
    ) -> Answer:
        """Posts `json` or `content` once and reads the answer whole. Any status is an answer.

        Raises NotSent (Forbidden when the address may not be dialled) or NoAnswer; cancelling closes the connection.
        """
        stage = _Stage(self.timeout_s)
        if json is not None:
            content, headers = orjson.dumps(json), {"Content-Type": "application/json", **(headers or {})}
        request = self._request("POST", url, content, headers, stage)
        got = await self._exchanged(request, stage, MAX_BODY, self.deadline() if deadline is None else deadline)
        kept = {name: got.headers[name] for name in _KEPT_HEADERS if name in got.headers}
        return Answer(got.status, kept, got.body.decode("utf-8", "replace"))

    async def get(self, url: str, *, headers: Mapping[str, str], limit_bytes: int, deadline: float) -> Got:
        """Asks for a file once; no redirect is followed. Any status is an answer, a larger body is cut (`whole`).

        Raises NotSent (Forbidden when the address may not be dialled) or NoAnswer.
        """
        stage = _Stage(self.timeout_s)
        return await self._exchanged(self._request("GET", url, None, headers, stage), stage, limit_bytes, deadline)

    def fetch_deadline(self) -> float:
        """The loop's time by which fetching a file that begins now must have ended, redirects included."""
        return asyncio.get_running_loop().time() + _FETCH_TIMES * self.timeout_s

    async def _exchanged(self, request: httpx.Request, stage: _Stage, limit_bytes: int, deadline: float) -> Got:
        try:
            async with asyncio.timeout_at(deadline):
                return await self._transport.answer(request, limit_bytes)
        except TimeoutError:
            raise stage.failure(request.url.host, "no answer in time") from None
        except stage.TROUBLE as error:
            raise stage.failure(request.url.host, _words(error)) from None

    async def send_mail(self, mail: EmailMessage, to: str) -> Reply:
        """Hands one mail to the operator's server. Raises NotSent (also when none is set) or NoAnswer."""
        if self._mail is None or self._mail_trust is None or self.mail_from is None:
            raise NotSent("e-mail is not set up: set TOCSIN_SMTP_URL and TOCSIN_SMTP_FROM")
        wide = not to.isascii()
        policy = email.policy.SMTPUTF8 if wide else email.policy.SMTP.clone(cte_type="7bit")
        sender = parseaddr(self.mail_from)[1]
        content = mail.as_bytes(policy=policy)
        return await submit(
            self._mail, self._dial, self._mail_trust, content=content, sender=sender, to=to, deadline=self.deadline()
        )

    async def in_thread(self, work: Callable[[], T]) -> T:
        """Runs blocking `work` in one of a few threads. Raises NotSent when all are busy, or what `work` raises."""
        return await self._threads.run(work)

    async def aclose(self) -> None:
        """Closes the connections that are kept open. Requests that still run end as NoAnswer."""
        await self._transport.aclose()

    def _request(
        self, method: str, url: str, content: bytes | None, headers: Mapping[str, str] | None, stage: _Stage
    ) -> httpx.Request:
        # No compression: a small answer can't grow into a big one.
        sent = {
            "User-Agent": self.settings.user_agent,
            "Accept-Encoding": "identity",
            "Accept": "*/*",
            **(headers or {}),
        }
        try:
            request = httpx.Request(method, url, headers=sent, content=content or b"", extensions=stage.extensions())
        except (httpx.InvalidURL, UnicodeError):
            raise Forbidden("the address is not a valid URL") from None
        where = request.url
        if where.scheme not in ("http", "https") or not where.host or where.userinfo or (where.port or 80) > 65_535:
            raise Forbidden("the address is not an http or https URL without a user name in it")
        return request


class _Stage:
    """How far a request came: the difference between NotSent and NoAnswer."""

    TROUBLE = (httpcore.NetworkError, httpcore.TimeoutException, httpcore.ProtocolError, httpcore.UnsupportedProtocol)

    def __init__(self, timeout_s: float) -> None:
        self._connect_s = timeout_s * _CONNECT_SHARE
        self._sending = False

    def extensions(self) -> dict[str, Any]:
        return {"trace": self._trace, "timeout": {"connect": self._connect_s}}

    async def _trace(self, event: str, _: Mapping[str, Any]) -> None:
        if event == "http11.send_request_headers.started":
            self._sending = True

    def failure(self, host: str, words: str) -> OutboundError:
        return (
            NoAnswer(f"{host}: {words}, after the request was sent") if self._sending else NotSent(f"{host}: {words}")
        )


class _Network(httpcore.AsyncNetworkBackend):
    """Dials judged addresses only. TLS above it still checks the name, because the name is what the pool knows."""

    def __init__(self, dial: Dial, network: httpcore.AsyncNetworkBackend) -> None:
        self._dial = dial
        self._network = network

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's interface
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        try:
            async with asyncio.timeout(timeout):
                return await self._first(await self._dial.addresses(host, port), port, timeout)
        except TimeoutError:
            raise httpcore.ConnectTimeout from None

    async def _first(
        self, addresses: tuple[str, ...], port: int, timeout_s: float | None
    ) -> httpcore.AsyncNetworkStream:
        share = timeout_s / len(addresses) if timeout_s else None
        for address in addresses[:-1]:
            try:
                return await self._network.connect_tcp(address, port, timeout=share)
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                continue
        return await self._network.connect_tcp(addresses[-1], port, timeout=share)


class _Transport:
    """httpx's requests over httpcore's connections, without what lies between them."""

    def __init__(self, network: _Network, trust: ssl.SSLContext) -> None:
        # No limit here: how many sends run at once is decided by the worker that starts them.
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=trust, max_connections=None, max_keepalive_connections=20, keepalive_expiry=5.0,
            network_backend=network,
        )  # fmt: skip

    async def answer(self, request: httpx.Request, limit_bytes: int) -> Got:
        url = request.url
        target = httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path)
        sent = httpcore.Request(
            request.method, target, headers=request.headers.raw, content=request.stream, extensions=request.extensions
        )
        response = await self._pool.handle_async_request(sent)
        try:
            body, whole = await _head(response.aiter_stream(), limit_bytes)
        finally:
            await response.aclose()
        return Got(response.status, dict(httpx.Headers(response.headers)), body, whole)

    async def aclose(self) -> None:
        await self._pool.aclose()


async def _head(chunks: AsyncIterable[bytes], limit_bytes: int) -> tuple[bytes, bool]:
    """The first `limit_bytes` and whether that is all; the rest is not even read."""
    read = bytearray()
    async for chunk in chunks:
        read += chunk
        if len(read) > limit_bytes:
            break
    return bytes(read[:limit_bytes]), len(read) <= limit_bytes


def _sender(settings: OutboundSettings) -> str | None:
    if settings.smtp_url is None:
        return None
    given = settings.smtp_from or ""
    if parseaddr(given)[1].count("@") != 1 or not given.isprintable():
        raise ValueError("TOCSIN_SMTP_FROM is needed with TOCSIN_SMTP_URL: an address such as tocsin@example.org")
    return settings.smtp_from


def _words(error: BaseException) -> str:
    """A failure in words that hold no URL, for people."""
    tls = tls_trouble(error)
    if tls:
        return tls
    if isinstance(error, httpcore.ConnectTimeout):
        return "no connection in time"
    if isinstance(error, httpcore.ConnectError):
        return "no connection"
    return "the connection was lost" if isinstance(error, httpcore.NetworkError) else "no valid HTTP answer"

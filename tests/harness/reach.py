"""One notifier, its fake provider on loopback and the outbound between them, for each kind there is.

First-class notifiers are given the provider under a name that only the injected resolver knows: what arrives came through
the outbound. Apprise resolves by itself, so it is given the number.
"""

from __future__ import annotations

import contextlib
import ssl
import warnings
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from apprise.plugins import url_to_dict

from app.clock import SECOND, Micros
from app.notifiers.notifier import Action, Message, Notifier, Outcome
from app.notifiers.outbound import Outbound, OutboundSettings
from app.notifiers.registry import build, parse_address
from tests.harness.mail import FakeMailServer, mail_server
from tests.harness.providers import Answering, FakeProvider, answering, provider

NOW: Micros = 1_795_000_000 * SECOND
HOST = "provider.test"
CANARY = "c4naryc4naryc4naryc4naryc4nary00"

with warnings.catch_warnings():
    # Apprise loads its 180 plugins with its first URL: half a second that no test shall be measured by, and one of them
    # imports a module that Python 3.11 and 3.12 call deprecated.
    warnings.simplefilter("ignore", DeprecationWarning)
    url_to_dict("json://localhost")

Weather = Literal["fine", "busy", "broken", "no_such_address", "hang", "drop_before", "drop_after"]

MESSAGE = Message(
    id="8231-2",
    kind="page",
    title="Checkout answers 5xx",
    text="Checkout (shop), critical.\nYou are on call for Shop until 18:00.",
    url="https://tocsin.test/p/abc",
    priority="P1",
    severity="critical",
    incident=8231,
    service="Checkout",
    to="Ana",
    links=(("Runbook", "https://wiki.test/checkout"),),
    actions=(Action("acknowledge", "Acknowledge", "https://tocsin.test/p/abc?do=ack"),),
)

GOOD: dict[str, Answering] = {
    "webhook": answering(204),
    "slack": Answering(200, b"ok", {"Content-Type": "text/html"}),
    "ntfy": answering(200, {"id": "xE73Iyuabi", "event": "message"}),
    "telegram": answering(200, {"ok": True, "result": {"message_id": 77}}),
    "apprise": answering(200),
}
"""What each HTTP provider answers when all is well."""

HTTP = tuple(GOOD)


def document(kind: str, port: int) -> dict[str, Any]:
    """An address of this kind that leads to the fake; every secret holds the canary."""
    root = f"http://{HOST}:{port}"
    return {
        "console": {},
        "email": {"to": "ana@example.org"},
        "webhook": {"url": f"{root}/hook/{CANARY}", "secret": f"k{CANARY}", "authorization": f"Bearer {CANARY}"},
        "slack": {"url": f"{root}/services/T0/B0/{CANARY}"},
        "ntfy": {"server": root, "topic": "oncall-ana", "token": f"tk_{CANARY}"},
        "telegram": {"token": f"123456:{CANARY}", "chat_id": "-1001234"},
        "apprise": {"url": f"json://ana:{CANARY}@127.0.0.1:{port}/{CANARY}?+X-Token={CANARY}"},
    }[kind]


def no_trust() -> ssl.SSLContext:
    """Trusts nobody, and is made in no time: for tests without TLS."""
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


@dataclass
class Reach:
    """Send through it, then look at the fake."""

    kind: str
    notifier: Notifier[Any]
    address: Any
    outbound: Outbound
    resolved: list[str]
    http: FakeProvider | None = None
    mail: FakeMailServer | None = None

    async def send(self, message: Message = MESSAGE) -> Outcome:
        return await self.notifier.send(self.address, message, self.outbound)

    @property
    def fake(self) -> FakeProvider | FakeMailServer:
        fake = self.http or self.mail
        assert fake is not None
        return fake

    def weather(self, weather: Weather) -> None:
        """What the provider does from now on."""
        if self.http is not None:
            good = GOOD[self.kind]
            self.http.usual = {
                "fine": good,
                "busy": Answering(429, b"slow down", {"Retry-After": "7"}),
                "broken": Answering(500, b"oh no"),
                "no_such_address": Answering(404, echo=True),
                "hang": Answering(how="hang"),
                "drop_before": Answering(how="drop_before"),
                "drop_after": Answering(how="drop_after"),
            }[weather]
        if self.mail is not None:
            self.mail.at_rcpt = {"busy": "450 4.2.1 slow down", "no_such_address": "550 5.1.1 no such user"}.get(
                weather, "250 OK"
            )
            self.mail.at_data = "451 4.3.0 oh no" if weather == "broken" else "250 OK"
            hows = {"hang": "hang", "drop_before": "drop_before", "drop_after": "drop_after"}
            self.mail.how = hows.get(weather, "answer")


@contextlib.asynccontextmanager
async def reach(
    kind: str, *, timeout_s: float = 5.0, allow: tuple[str, ...] = ("127.0.0.0/8",)
) -> AsyncIterator[Reach]:
    """A notifier of this kind and its provider, ready. `timeout_s` is small in tests that wait for it."""
    async with contextlib.AsyncExitStack() as stack:
        http = await stack.enter_async_context(provider(GOOD[kind])) if kind in GOOD else None
        mail = await stack.enter_async_context(mail_server()) if kind == "email" else None
        port = http.port if http else mail.port if mail else 0
        wanted = OutboundSettings(
            timeout_s=timeout_s,
            allow=allow,
            telegram_api=f"http://{HOST}:{port}",
            smtp_url=f"smtp://tocsin:{CANARY}@{HOST}:{port}?tls=none" if mail else None,
            smtp_from="Tocsin <tocsin@example.org>",
        )
        if mail:
            mail.password = CANARY.encode()
        resolved: list[str] = []

        async def resolve(host: str, _: int) -> Sequence[str]:
            resolved.append(host)
            return ("127.0.0.1",) if host == HOST else ()

        outbound = Outbound(wanted, now=lambda: NOW, resolve=resolve, trust=no_trust)
        stack.push_async_callback(outbound.aclose)
        notifiers = build(offered=())
        address = parse_address(notifiers, kind, document(kind, port))
        yield Reach(kind, notifiers[kind], address, outbound, resolved, http, mail)

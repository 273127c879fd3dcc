"""A signed JSON document to any HTTP endpoint.

    Tocsin-Signature: t=<unix seconds>,v1=<hex HMAC-SHA256 of "<t>.<body>" with the address's secret>
    Idempotency-Key: <the message's id, the same on every attempt>

A receiver checks the signature over the raw body, refuses a `t` older than five minutes and drops a key it knows.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import replace
from typing import Any, ClassVar

import orjson
from pydantic import Field, SecretStr

from app.clock import SECOND, Micros
from app.notifiers.address import SecretHeader, SecretUrl, host_of
from app.notifiers.exchange import Post, exchange
from app.notifiers.notifier import Accepted, Address, Limits, Message, Outcome
from app.notifiers.outbound import Outbound
from app.notifiers.text import links_of, name_of, notes_of, one_line, safe_url, text_of, title_of


class WebhookAddress(Address):
    """Where to post, and how the receiver knows that it is us."""

    url: SecretUrl = Field(description="http or https URL; it may hold a token, so it is kept as a secret.")
    secret: SecretStr | None = Field(default=None, description="Key of the signature; without it nothing is signed.")
    authorization: SecretHeader | None = Field(default=None, description="Value of the Authorization header, if any.")
    receipts: bool = Field(
        default=False,
        description="The receiver says at receipt_url whether it arrived; when it says nothing for 60 s, the next way is used.",
    )


class Webhook:
    """Posts the whole message, machine-readable. Limits are ours, to keep the body small."""

    kind: ClassVar[str] = "webhook"
    title: ClassVar[str] = "Webhook"
    limits: ClassVar[Limits] = Limits(title=300, text=8_192)
    Address: ClassVar[type[Address]] = WebhookAddress

    def provider(self, address: WebhookAddress) -> str:
        """Whose it is."""
        return host_of(address.url.get_secret_value())

    async def send(self, address: WebhookAddress, message: Message, outbound: Outbound) -> Outcome:
        """Any 2xx is Accepted; the body of the answer is not read for meaning."""
        full = whole(message, self.limits)
        least = {name: full[name] for name in ("id", "kind", "title", "url")}
        promised = address.receipts and bool(message.receipt_url)
        if promised:
            full["receipt_url"] = least["receipt_url"] = message.receipt_url
        outcome = await exchange(
            outbound,
            self.title,
            _post(address, message, full, outbound.now()),
            _post(address, message, least, outbound.now()),
        )
        return replace(outcome, awaits_receipt=promised) if isinstance(outcome, Accepted) else outcome


def whole(message: Message, limits: Limits) -> dict[str, Any]:
    """The document that is posted. Pure; a documented format: fields are added, never renamed."""
    return {
        "id": one_line(message.id),
        "kind": message.kind,
        "title": title_of(message, limits.title),
        "text": text_of(message, limits.text),
        "url": safe_url(message.url),
        "priority": one_line(message.priority) or None,
        "severity": one_line(message.severity) or None,
        "urgency": message.urgency,
        "incident": message.incident,
        "service": one_line(message.service),
        "to": one_line(message.to),
        "late_s": message.late_s,
        "notes": list(notes_of(message)),
        "actions": [
            {"name": action.name, "label": one_line(action.label), "url": action.url}
            for action in message.actions
            if safe_url(action.url)
        ],
        "links": [{"label": label, "url": url} for label, url in links_of(message, 200)],
    }


def signature(secret: str, body: bytes, now: Micros) -> str:
    """The value of Tocsin-Signature."""
    seconds = now // SECOND
    digest = hmac.new(secret.encode(), b"%d.%s" % (seconds, body), hashlib.sha256).hexdigest()
    return f"t={seconds},v1={digest}"


def _post(address: WebhookAddress, message: Message, document: dict[str, Any], now: Micros) -> Post:
    body = orjson.dumps(document)
    headers = {"Content-Type": "application/json", "Idempotency-Key": name_of(message)}
    if address.secret is not None:
        headers["Tocsin-Signature"] = signature(address.secret.get_secret_value(), body, now)
    if address.authorization is not None:
        headers["Authorization"] = address.authorization.get_secret_value()
    return Post(address.url.get_secret_value(), body, headers)

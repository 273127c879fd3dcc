"""ntfy, on ntfy.sh or a server of one's own: push to phones without an account. Published as JSON.

The message's id is the notification's sequence id: where a page had to be sent twice, a phone shows it once.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, ClassVar, Final

from pydantic import AfterValidator, Field, SecretStr

from app.notifiers.address import SecretHeader, Url, host_of
from app.notifiers.exchange import Said, document, exchange
from app.notifiers.notifier import Address, Limits, Message, Outcome
from app.notifiers.outbound import Answer, Outbound
from app.notifiers.text import actions_of, links_of, name_of, plain_of, safe_url, text_of, title_of, utf8_size

_MAX_ACTIONS: Final = 3
_MAX_BYTES: Final = 3_900
"""ntfy turns a message over 4,096 bytes into an attachment, which nobody reads at night."""


_TOPIC: Final = re.compile(r"[-_A-Za-z0-9]{1,64}")


def _checked_topic(value: SecretStr) -> SecretStr:
    if not _TOPIC.fullmatch(value.get_secret_value()):
        raise ValueError("must be 1 to 64 letters, digits, - and _")
    return value


class NtfyAddress(Address):
    """A topic on a server. On a public server the topic's name is all that protects it: choose a long one.

    Whoever knows it reads every page, with the link that acknowledges it: so it is as secret as a token.
    """

    server: Url = Field(default="https://ntfy.sh", description="The server's address.")
    topic: Annotated[SecretStr, AfterValidator(_checked_topic)] = Field(
        description="The topic the phone has subscribed to."
    )
    token: SecretHeader | None = Field(
        default=None, description="Access token (tk_...), where the server asks for one."
    )


class Ntfy:
    """Accepted means that the server stored and pushes it; phones give no receipt."""

    kind: ClassVar[str] = "ntfy"
    title: ClassVar[str] = "ntfy"
    limits: ClassVar[Limits] = Limits(title=200, text=3_500)
    Address: ClassVar[type[Address]] = NtfyAddress

    def provider(self, address: NtfyAddress) -> str:
        """Whose it is."""
        return host_of(address.server)

    async def send(self, address: NtfyAddress, message: Message, outbound: Outbound) -> Outcome:
        token = address.token.get_secret_value() if address.token else ""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        server = address.server.rstrip("/") + "/"
        topic = address.topic.get_secret_value()
        full = publication(topic, message, self.limits)
        least = {"topic": topic, "message": plain_of(message, 1_000, utf8_size), "priority": full["priority"]}
        return await exchange(
            outbound,
            self.title,
            document(server, full, headers),
            document(server, least, headers),
            read=said,
            secrets=(token, topic),
        )


def publication(topic: str, message: Message, limits: Limits) -> dict[str, Any]:
    """The JSON document that is published. Pure."""
    text = text_of(message, limits.text)
    body: dict[str, Any] = {
        "topic": topic,
        "title": title_of(message, limits.title),
        "message": text_of(message, _MAX_BYTES, utf8_size) if len(text.encode()) > _MAX_BYTES else text or "(no text)",
        "priority": priority_of(message),
        "tags": ["test_tube" if message.kind == "test" else _TAGS.get(message.severity, "warning")],
        "sequence_id": name_of(message),
    }
    click = safe_url(message.url)
    if click:
        body["click"] = click
    buttons = actions_of(message, 40) + links_of(message, 40)
    actions = [{"action": "view", "label": label, "url": url, "clear": True} for label, url in buttons]
    if actions:
        body["actions"] = actions[:_MAX_ACTIONS]
    return body


_TAGS: Final = {"": "bell", "critical": "rotating_light", "error": "rotating_light", "info": "information_source"}


def priority_of(message: Message) -> int:
    """From 1 to 5: 5 rings through, 4 rings, 3 is a normal notification, 2 is silent."""
    if message.kind == "test":
        return 3
    if message.urgency == "high":
        return 5 if message.priority in ("P1", "P2") else 4
    return 2 if message.priority == "P4" else 3


def said(answer: Answer) -> Said:
    """A stored message has an id; a 200 without one is another kind of server. Pure."""
    known = answer.document()
    told = known if isinstance(known, dict) else {}
    if not 200 <= answer.status < 300:
        return Said(answer.status, str(told.get("error", "")))
    if isinstance(told.get("id"), str) and told["id"]:
        return Said(200, receipt=told["id"])
    return Said(404, "not as ntfy does; is the server's address right?")

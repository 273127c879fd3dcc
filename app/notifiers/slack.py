"""Slack by incoming webhook: Block Kit with link buttons, nothing unfurled (an unfurl would fetch the answer page).

All hostile text goes into plain_text objects, where Slack applies no formatting, and `& < >` are escaped even there,
because Slack reads them as control characters in every text. Servers that speak Slack's webhook work too (Mattermost).
"""

from __future__ import annotations

from typing import Any, ClassVar, Final

from pydantic import Field

from app.notifiers.address import SecretUrl, host_of
from app.notifiers.exchange import Said, document, exchange
from app.notifiers.notifier import Address, Limits, Message, Outcome
from app.notifiers.outbound import Answer, Outbound
from app.notifiers.text import buttons_of, one_line, plain_of, text_of, title_of

_ESCAPES: Final = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
_BUSY: Final = frozenset({"ratelimited", "rate_limited", "message_limit_exceeded", "rollup_error", "internal_error"})
_MAX_BUTTONS: Final = 10


class SlackAddress(Address):
    """One incoming webhook: Slack decided its channel when it was made."""

    url: SecretUrl = Field(description="The incoming webhook's URL, https://hooks.slack.com/services/...")


class Slack:
    """Posts one message; Slack gives no receipt for webhooks."""

    kind: ClassVar[str] = "slack"
    title: ClassVar[str] = "Slack"
    limits: ClassVar[Limits] = Limits(title=150, text=2_900)
    Address: ClassVar[type[Address]] = SlackAddress

    def provider(self, address: SlackAddress) -> str:
        """Whose it is."""
        return host_of(address.url.get_secret_value())

    async def send(self, address: SlackAddress, message: Message, outbound: Outbound) -> Outcome:
        """Accepted only when Slack's body says ok too."""
        url = address.url.get_secret_value()
        least = {"text": escaped(plain_of(message, 1_500)), "mrkdwn": False, **_QUIET}
        full = document(url, blocks_of(message, self.limits))
        return await exchange(
            outbound, self.title, full, document(url, least), read=said, secrets=(url, url.rpartition("/")[2])
        )


_QUIET: Final = {"unfurl_links": False, "unfurl_media": False}


def escaped(text: str) -> str:
    """The text with Slack's three control characters as entities."""
    return "".join(_ESCAPES.get(character, character) for character in text)


def _size(character: str) -> int:
    return len(_ESCAPES.get(character, character))


def blocks_of(message: Message, limits: Limits) -> dict[str, Any]:
    """The whole webhook body. Pure."""
    title = escaped(title_of(message, limits.title, _size))
    facts = " · ".join(one_line(fact)[:100] for fact in (message.priority, message.service, message.to) if fact)
    blocks: list[dict[str, Any]] = [{"type": "header", "text": _plain(title)}]
    text = escaped(text_of(message, limits.text, _size))
    if text:
        blocks.append({"type": "section", "text": _plain(text)})
    if facts:
        blocks.append({"type": "context", "elements": [_plain(escaped(facts))]})
    buttons = buttons_of(message, 75)[:_MAX_BUTTONS]
    if buttons:
        blocks.append({"type": "actions", "elements": [_button(at, *button) for at, button in enumerate(buttons)]})
    return {"text": title, "mrkdwn": False, "blocks": blocks, **_QUIET}


def _plain(text: str) -> dict[str, str]:
    return {"type": "plain_text", "text": text}


def _button(at: int, label: str, url: str) -> dict[str, Any]:
    style = {"style": "primary"} if at == 0 else {}
    return {"type": "button", "action_id": f"open-{at}", "text": _plain(escaped(label)), "url": url, **style}


def said(answer: Answer) -> Said:
    """Slack's webhook says `ok`; everything else is an error, also with status 200 and as {"ok": false}. Pure."""
    if not 200 <= answer.status < 300:
        return Said(answer.status, _error(answer))
    if answer.body.strip() == "ok":
        return Said(200)
    known = answer.document()
    if isinstance(known, dict) and known.get("ok") is True:
        return Said(200, receipt=str(known.get("ts", "")))
    error = _error(answer)
    return Said(429 if error in _BUSY else 400, error or "not as Slack does; is this a webhook of Slack?")


def _error(answer: Answer) -> str:
    """Slack's name for what went wrong (`no_service`, `invalid_blocks`), or nothing when the body is something else."""
    known = answer.document()
    word = str(known.get("error", "")) if isinstance(known, dict) else answer.body.strip()
    return word if 0 < len(word) <= 60 and word.replace("_", "").isalnum() and word.isascii() else ""

"""Telegram by a bot of one's own: sendMessage in HTML mode, every piece of text escaped, no link preview.

The token stands in the URL's path, so no URL of Telegram is ever shown. Low urgency arrives without a sound.
"""

from __future__ import annotations

import html
from typing import Annotated, Any, ClassVar, Final

from pydantic import AfterValidator, Field, SecretStr

from app.notifiers.exchange import Said, document, exchange
from app.notifiers.notifier import Address, Limits, Message, Outcome
from app.notifiers.outbound import Answer, Outbound
from app.notifiers.pace import Pace
from app.notifiers.text import buttons_of, one_line, plain_of, text_of, title_of, utf16_size

_MAX_BUTTONS: Final = 8


def _checked_token(value: SecretStr) -> SecretStr:
    number, colon, key = value.get_secret_value().partition(":")
    if not (colon and number.isdecimal() and number.isascii() and key.isascii() and 20 <= len(key) <= 64):
        raise ValueError("must be a bot's token as BotFather gives it, 123456:ABC-...")
    if not key.replace("-", "").replace("_", "").isalnum():
        raise ValueError("must be a bot's token as BotFather gives it, 123456:ABC-...")
    return value


class TelegramAddress(Address):
    """A chat and the bot that is in it."""

    token: Annotated[SecretStr, AfterValidator(_checked_token)] = Field(description="The bot's token, from BotFather.")
    chat_id: str = Field(
        pattern=r"^(-?[0-9]{1,20}|@[A-Za-z0-9_]{4,32})$", description="The chat's number, or @channel."
    )
    thread_id: int | None = Field(default=None, ge=1, description="A topic of a group with topics.")


class Telegram:
    """Accepted means that the message is in the chat; whether it was read is not told."""

    kind: ClassVar[str] = "telegram"
    title: ClassVar[str] = "Telegram"
    limits: ClassVar[Limits] = Limits(title=200, text=3_400)
    pace: ClassVar[Pace] = Pace(per_second=25, burst=25)
    """A bot may send about 30 messages a second (Telegram's Bots FAQ); a little is left for its other work."""
    Address: ClassVar[type[Address]] = TelegramAddress

    async def send(self, address: TelegramAddress, message: Message, outbound: Outbound) -> Outcome:
        token = address.token.get_secret_value()
        url = f"{outbound.settings.telegram_api.rstrip('/')}/bot{token}/sendMessage"
        where: dict[str, Any] = {
            "chat_id": address.chat_id,
            "link_preview_options": {"is_disabled": True},
            "disable_notification": message.urgency == "low",
        }
        if address.thread_id is not None:
            where["message_thread_id"] = address.thread_id
        return await exchange(
            outbound,
            self.title,
            document(url, where | dressed(message, self.limits)),
            document(url, where | {"text": plain_of(message, 1_000)}),
            read=said,
            secrets=(token, token.partition(":")[2]),
        )


def _size(character: str) -> int:
    """Telegram counts UTF-16 units; escapes are counted too, so that no reading of its limit is passed."""
    return len(html.escape(character)) if character in "&<>\"'" else utf16_size(character)


def dressed(message: Message, limits: Limits) -> dict[str, Any]:
    """Text and buttons of the full form. Pure."""
    title = html.escape(title_of(message, limits.title, _size))
    facts = " · ".join(one_line(fact)[:60] for fact in (message.priority, message.service) if fact)
    text = html.escape(text_of(message, limits.text, _size))
    parts = [f"<b>{title}</b>", f"<i>{html.escape(facts)}</i>" if facts else "", text]
    buttons = [{"text": label, "url": url} for label, url in buttons_of(message, 40)[:_MAX_BUTTONS]]
    rows = [buttons[:1], *(buttons[at : at + 2] for at in range(1, len(buttons), 2))] if buttons else []
    body: dict[str, Any] = {"text": "\n".join(part for part in parts if part), "parse_mode": "HTML"}
    return body | ({"reply_markup": {"inline_keyboard": rows}} if rows else {})


def said(answer: Answer) -> Said:
    """Telegram says `ok` in the body, and `error_code` and `parameters` when it is false, whatever the status. Pure."""
    known = answer.document()
    if not isinstance(known, dict):
        lost = Said(404, "not as Telegram does; is the API's address right?")
        return Said(answer.status) if answer.status >= 300 else lost
    result, parameters = known.get("result"), known.get("parameters")
    if known.get("ok") is True and 200 <= answer.status < 300:
        number = result.get("message_id") if isinstance(result, dict) else None
        return Said(200, receipt="" if number is None else str(number))
    code = known.get("error_code")
    status = answer.status if answer.status >= 300 else code if isinstance(code, int) and 300 <= code < 600 else 400
    wait = parameters.get("retry_after") if isinstance(parameters, dict) else None
    after_s = float(min(max(wait, 0), 86_400)) if isinstance(wait, int) else None
    return Said(status, str(known.get("description", "")), after_s=after_s)

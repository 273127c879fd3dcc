"""The words of a message, made safe and made to fit. Pure.

Text of alerts is hostile: control characters move a terminal's cursor, bidirectional overrides make a link read
backwards, newlines start headers. They go; emoji and every script stay. What a format needs beside that (HTML, mrkdwn)
is escaped by the notifier that speaks it. Knows no provider.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from app.notifiers.notifier import Message

ELLIPSIS: Final = "…"
SHORTENED: Final = " (shortened)"
MIN_SHORTENED: Final = 40
"""Of a text that is shorter than this no room is taken for saying that it was cut."""
MAX_LINKS: Final = 5
MAX_URL: Final = 2_000

_CONTROLS: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_BIDI: Final = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_INVISIBLE: Final = re.compile("[\u200b\u2060\ufeff\ufff9-\ufffb\U000e0000-\U000e001f]")
_NEWLINES: Final = re.compile("\r\n|[\r\u0085\u2028\u2029]")
_LONE: Final = re.compile("[\ud800-\udfff]")
_GAPS: Final = re.compile(r"\n{3,}")
_URL: Final = re.compile(r"https?://[^\s<>\"'`|\\^{}\x00-\x20\x7f-\x9f]+", re.IGNORECASE)
_JOINERS: Final = "\u200d\ufe0e\ufe0f"

Size = Callable[[str], int]
"""How much room one character takes at a provider: 1 when it counts code points, more for bytes or escapes."""


def clean(text: str) -> str:
    """The text with plain newlines, without control characters, bidirectional overrides or invisible fillers."""
    text = _NEWLINES.sub("\n", text).replace("\t", " ")
    for unwanted in (_CONTROLS, _BIDI, _INVISIBLE):
        text = unwanted.sub("", text)
    return _GAPS.sub("\n\n", _LONE.sub("\ufffd", text)).strip()


def one_line(text: str) -> str:
    """The text on one line, for titles, subjects and reasons."""
    return " ".join(clean(text).split())


def cut(text: str, limit: int, size: Size | None = None) -> str:
    """The text, or as much of its beginning as fits into `limit` with an ellipsis; never in the middle of a code point."""
    measure = size or _one
    if sum(map(measure, text)) <= limit:
        return text
    room = limit - measure(ELLIPSIS)
    if room < 0:
        return ""
    end = 0
    for character in text:
        room -= measure(character)
        if room < 0:
            break
        end += 1
    return text[:end].rstrip().rstrip(_JOINERS) + ELLIPSIS


def _one(_: str) -> int:
    return 1


def utf8_size(character: str) -> int:
    """Bytes of UTF-8."""
    return len(character.encode())


def utf16_size(character: str) -> int:
    """UTF-16 units."""
    return 2 if ord(character) > 0xFFFF else 1


def title_of(message: Message, limit: int, size: Size | None = None) -> str:
    """The message's one line, marked when it is only a test."""
    title = one_line(message.title) or "(no title)"
    return cut(f"[Test] {title}" if message.kind == "test" else title, limit, size)


def notes_of(message: Message) -> tuple[str, ...]:
    """What must be said besides the text, and must survive its cut: that this is a test, that it is late."""
    test = ("This is a test. Nothing is broken.",) if message.kind == "test" else ()
    late = (f"This message is {lateness(message.late_s)}.",) if message.late_s >= 60 else ()
    return test + late


def text_of(message: Message, limit: int, size: Size | None = None) -> str:
    """The notes, then the message's text, cut together; what was cut says so in words, where there is room for them."""
    whole = "\n".join((*notes_of(message), clean(message.text))).strip()
    fitting = cut(whole, limit, size)
    said = sum(map(size or _one, SHORTENED))
    if fitting == whole or limit < MIN_SHORTENED + said:
        return fitting
    return cut(whole, limit - said, size) + SHORTENED


def lateness(late_s: int) -> str:
    """`late by 3 min`, `late by 2 h 5 min`."""
    hours, minutes = divmod(late_s // 60, 60)
    if not hours:
        return f"late by {minutes} min"
    return f"late by {hours} h {minutes} min" if minutes else f"late by {hours} h"


def safe_url(url: str) -> str | None:
    """The address if it is a plain http or https one that fits into any format's quotes; otherwise None."""
    return url if len(url) <= MAX_URL and _URL.fullmatch(url) and not _BIDI.search(url) else None


def links_of(message: Message, label_limit: int) -> tuple[tuple[str, str], ...]:
    """(label, address) of the alert's own links that are safe, at most MAX_LINKS."""
    safe = ((one_line(label) or "Link", url) for label, url in message.links if safe_url(url))
    return tuple((cut(label, label_limit), url) for label, url in safe)[:MAX_LINKS]


def actions_of(message: Message, label_limit: int) -> tuple[tuple[str, str], ...]:
    """(label, address) of the message's actions whose address is safe."""
    safe = ((one_line(action.label) or action.name, action.url) for action in message.actions if safe_url(action.url))
    return tuple((cut(label, label_limit), url) for label, url in safe)


def buttons_of(message: Message, label_limit: int) -> tuple[tuple[str, str], ...]:
    """(label, address) of all that a person can press: the page's address, the actions, then the alert's own links.

    The page's address stands once: under the name of an action that leads to it, when there is one.
    """
    actions = actions_of(message, label_limit)
    named = any(url == message.url for _, url in actions)
    page = (("Open", message.url),) if safe_url(message.url) and not named else ()
    return page + actions + links_of(message, label_limit)


def plain_of(message: Message, limit: int, size: Size | None = None) -> str:
    """The least that helps: title, notes, where to answer. For a provider that refused the full form."""
    lines = (title_of(message, 200), *notes_of(message), safe_url(message.url) or "")
    return cut("\n".join(line for line in lines if line), limit, size)


def name_of(message: Message) -> str:
    """The message's id as it can stand in a header, a Message-ID or a URL: letters, digits, `.`, `_` and `-`."""
    return re.sub(r"[^A-Za-z0-9._-]", "-", message.id)[:64] or "message"


def without(text: str, secrets: tuple[str, ...]) -> str:
    """The text with every secret blotted out; for what a provider said, because providers echo."""
    for secret in sorted((secret for secret in secrets if secret), key=len, reverse=True):
        text = text.replace(secret, "***")
    return text

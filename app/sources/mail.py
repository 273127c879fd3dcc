"""E-mail: one message as it came (RFC 5322), with its attachments left aside. For tools that can do nothing but mail.

Whether it is over stands in the subject: `[RESOLVED] Disk full`, `Recovery: ...`, `OK - ...`. The same subject without such
words is the dedup key, so a problem and its end find each other.
"""

from __future__ import annotations

import email
import html
import re
from collections.abc import Sequence
from email.errors import HeaderParseError, MessageError
from email.header import decode_header
from email.message import Message
from email.utils import parseaddr
from typing import Any, ClassVar

from app.clock import Micros
from app.sources import severity
from app.sources.conventions import status_of
from app.sources.decode import Document, scrub
from app.sources.dialect import Dialect
from app.sources.event import Event, Received, Status, Unreadable
from app.sources.limits import digest, one_line
from app.sources.remapping import Places
from app.sources.source import SourceSettings

MAX_TEXT = 20_000
_MAX_PARTS = 50
_MAX_HEADERS = 200
_BEFORE = b"\xef\xbb\xbf \t\r\n"
_USUAL = frozenset({"subject", "from", "to", "date", "message-id"})
_REPLY = re.compile(r"^\s*(?:(?:re|fwd?|aw|wg)\s*:\s*)+", re.IGNORECASE)
_LEAD = re.compile(r"^[\s\[(*#!-]*([A-Za-z]{2,20})[\s\])*#!]*(?:[:\-\u2013|]+\s*|(?<=[\])])\s*)")
_NAGIOS = re.compile(
    r"[\s*]*(PROBLEM|RECOVERY|ACKNOWLEDGEMENT)\s+(?:Service|Host) Alert:\s*(.{1,1000}?)\s+is\s+(\w{1,20})[\s*]*",
    re.IGNORECASE,
)
"""What Nagios' own mail commands write: the state stands at the end."""
_FIRING = frozenset({"firing", "problem", "alert", "alerting", "triggered", "trigger", "down", "new", "test"})
_TAGS = re.compile(r"(?is)<(script|style)\b.{0,100000}?</\1\s*>|<[^<>]{0,5000}>")
_BREAKS = re.compile(r"(?i)<(?:br|p|div|tr|li|h\d)\b[^<>]{0,1000}>")
_GRADES = {"1": "critical", "2": "error", "4": "info", "5": "info"}


class Mail(Dialect[SourceSettings]):
    """Mail to an address of its own, or posted as it is."""

    kind: ClassVar[str] = "email"
    title: ClassVar[str] = "E-mail"
    setup: ClassVar[str] = """
Let the tool send its mail to `{address}` (Tocsin takes mail when `TOCSIN_MAIL_IN_PORT` is set, see
[operations](operations.md#mail-as-alerts)). A mail server can also hand messages over by HTTP:

```sh
curl -fsS --retry 3 --data-binary @- -H 'X-Tocsin-Key: {key}' {base}
```
"""
    example: ClassVar[str] = (
        "From: monitor@example.org\r\nTo: tocsin@example.org\r\n"
        "Subject: [CRITICAL] A test of the way by mail\r\n\r\nNothing is wrong.\r\n"
    )
    expected: ClassVar[str] = "headers of a mail were expected, such as Subject and From"
    places: ClassVar[Places] = Places(("word", "subject"), ("word", "headers.x-severity"))

    def decoded(self, received: Received) -> Document:
        """The mail as a map: subject, word (what the subject begins with), from, text, and headers in lower case."""
        try:
            found = _document(email.message_from_bytes(received.body.lstrip(_BEFORE)))
        except (MessageError, ValueError, LookupError, RecursionError, AttributeError, TypeError) as error:
            raise Unreadable(
                f"This mail is broken ({type(error).__name__}); a message of RFC 5322 was expected."
            ) from None
        return scrub(found)

    def events(self, message: dict[str, Any], settings: SourceSettings, now: Micros) -> Sequence[Event] | None:
        """One event a mail; automatic answers and reports of undelivered mail are none."""
        headers = message["headers"]
        if not headers.keys() & _USUAL:
            return None
        if (
            headers.get("auto-submitted", "no").lower().startswith("auto-replied")
            or message["type"] == "multipart/report"
        ):
            return ()
        subject, word, text = message["subject"], message["word"].lower(), message["text"]
        status: Status = status_of(word) if word else "firing"
        raw = (
            ""
            if status == "resolved"
            else headers.get("x-severity", "") or (word if word not in _FIRING and status == "firing" else "")
        )
        level = severity.lookup(raw) or severity.lookup(_GRADES.get(headers.get("x-priority", "")[:1], ""))
        topic = one_line(message["topic"])
        sender = parseaddr(headers.get("from", ""))[1]
        event = Event(
            status=status,
            key=f"mail/{topic.lower()}" if topic else "mail:" + digest([sender, text]),
            title=one_line(subject) or one_line(text.strip().partition("\n")[0]) or "Mail without a subject",
            severity=level or severity.UNKNOWN,
            labels={"from": sender},
            annotations={"description": text.replace("\r\n", "\n").strip()},
        )
        return (event,)


def _document(mail: Message[Any, Any]) -> dict[str, Any]:
    headers: dict[str, str] = {}
    for name, value in mail.items()[:_MAX_HEADERS]:
        headers.setdefault(str(name).lower(), _plain(value))
    subject = _REPLY.sub("", headers.get("subject", "")[:5_000])
    word, topic = "", subject
    if nagios := _NAGIOS.fullmatch(subject):
        word, topic, state = nagios.groups()
        headers.setdefault("x-severity", state)
    elif (match := _LEAD.match(subject)) and _says(match[1]):
        word, topic = match[1], subject[match.end() :]
    return {
        "subject": subject,
        "word": word,
        "topic": topic,
        "type": mail.get_content_type(),
        "text": _text(mail),
        "headers": headers,
    }


def _says(word: str) -> bool:
    """Whether the first word of a subject is about the state and not about the matter."""
    word = word.lower()
    return word in _FIRING or status_of(word) != "firing" or severity.lookup(word) is not None


def _plain(value: Any) -> str:
    """A header as text, its encoded words decoded as far as that goes."""
    if isinstance(value, str) and "=?" not in value:
        return value
    try:
        pieces = decode_header(value)
    except (HeaderParseError, ValueError, TypeError):
        return str(value)
    told = []
    for piece, charset in pieces:
        if isinstance(piece, bytes):
            told.append(_decoded(piece, charset or "utf-8"))
        else:
            told.append(piece)
    return "".join(told)


def _decoded(content: bytes, charset: str) -> str:
    try:
        return content.decode(charset, "replace")
    except (LookupError, ValueError):
        return content.decode("utf-8", "replace")


def _text(mail: Message[Any, Any]) -> str:
    """The first plain text of a mail, else what is left of its first HTML."""
    markup = ""
    for number, part in enumerate(mail.walk()):
        if number >= _MAX_PARTS:
            break
        kind = part.get_content_type()
        if kind not in ("text/plain", "text/html") or part.get_filename():
            continue
        payload = part.get_payload(decode=True)
        if not isinstance(payload, bytes):
            continue
        said = _decoded(payload[: 4 * MAX_TEXT], str(part.get_content_charset() or "utf-8"))[:MAX_TEXT]
        if kind == "text/plain":
            return said
        markup = markup or said
    return html.unescape(_TAGS.sub("", _BREAKS.sub("\n", markup)))[:MAX_TEXT]

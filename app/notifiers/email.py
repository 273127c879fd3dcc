"""E-mail through the operator's mail server: text first, HTML beside it, one Message-ID for all attempts of a page.

The HTML is made by Jinja2 with autoescape; headers by EmailMessage, which refuses newlines, from texts that have none.
"""

from __future__ import annotations

import re
from email.headerregistry import Address as Mailbox
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, parseaddr
from typing import Annotated, ClassVar, Final

from jinja2 import Environment, StrictUndefined
from pydantic import AfterValidator, Field

from app.clock import Micros, to_datetime
from app.notifiers.exchange import MAX_DETAIL
from app.notifiers.notifier import Accepted, Address, Limits, Message, Outcome, Refused, TryAgain, Unknown
from app.notifiers.outbound import NoAnswer, NotSent, Outbound
from app.notifiers.text import buttons_of, cut, name_of, one_line, text_of, title_of, without

_MAILBOX: Final = re.compile(
    r"[^\s@<>()\[\]\\,;:\"\x00-\x20\x7f-\x9f]{1,64}@[^\s@<>()\[\]\\,;:\"'\x00-\x20\x7f-\x9f]{1,189}"
)

_PAGE: Final = Environment(
    autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
).from_string(
    """\
<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>{{ title }}</title></head>
<body style="margin:0;padding:12px;font:16px/1.5 sans-serif;color:#1a1a1a;background:#f6f6f6">
<div style="max-width:36em;margin:0 auto;padding:16px;background:#fff;border-top:4px solid {{ colour }};overflow-wrap:anywhere">
<p style="margin:0;color:#666">{{ facts }}</p>
<h1 style="margin:.25em 0 .75em;font-size:1.25em">{{ title }}</h1>
{% for line in lines %}
<p style="margin:.25em 0">{{ line }}</p>
{% endfor %}
{% for label, url in buttons %}
<p style="margin:1em 0 0"><a href="{{ url }}" rel="noreferrer" style="display:block;padding:12px 16px;border:2px solid #1f5fbf;\
border-radius:8px;text-align:center;text-decoration:none;font-weight:bold;\
{{ "background:#1f5fbf;color:#fff" if loop.first else "color:#1f5fbf" }}">{{ label }}</a></p>
{% endfor %}
</div></body></html>
"""
)


def _checked_mailbox(value: str) -> str:
    domain = value.rpartition("@")[2]
    if not _MAILBOX.fullmatch(value) or ".." in value or domain.startswith((".", "-")) or domain.endswith((".", "-")):
        raise ValueError("must be one e-mail address, name@example.org, without a display name")
    return value


class EmailAddress(Address):
    """One mailbox."""

    to: Annotated[str, AfterValidator(_checked_mailbox)] = Field(description="The mailbox, name@example.org.")


class Email:
    """Accepted means that the operator's mail server took it; what later servers do is not told."""

    kind: ClassVar[str] = "email"
    title: ClassVar[str] = "E-mail"
    limits: ClassVar[Limits] = Limits(title=200, text=10_000)
    Address: ClassVar[type[Address]] = EmailAddress

    async def send(self, address: EmailAddress, message: Message, outbound: Outbound) -> Outcome:
        sender = outbound.mail_from
        if sender is None:
            return Refused("e-mail is not set up: set TOCSIN_SMTP_URL and TOCSIN_SMTP_FROM")
        mail = compose(message, self.limits, sender=sender, to=address.to, now=outbound.now())
        try:
            reply = await outbound.send_mail(mail, address.to)
        except NotSent as error:
            return TryAgain(str(error))
        except NoAnswer as error:
            return Unknown(str(error))
        if 200 <= reply.code < 300:
            return Accepted(receipt=str(mail["Message-ID"]))
        words = cut(one_line(without(reply.text, outbound.mail_secrets)), MAX_DETAIL)
        reason = f"the mail server answered {reply.code}: {words}"
        return TryAgain(reason) if reply.code < 500 else Refused(reason)


def compose(message: Message, limits: Limits, *, sender: str, to: str, now: Micros) -> EmailMessage:
    """The whole mail. Pure; the same message gives the same Message-ID, so that a duplicate can be seen as one."""
    name, mailbox = parseaddr(sender)
    domain = mailbox.rpartition("@")[2]
    title = title_of(message, limits.title)
    mail = EmailMessage(policy=SMTP)
    mail["From"] = Mailbox(_worded(name), addr_spec=mailbox)
    mail["To"] = to
    mail["Subject"] = _worded(f"[{one_line(message.priority)}] {title}" if message.priority else title)
    mail["Date"] = format_datetime(to_datetime(now))
    mail["Message-ID"] = f"<{name_of(message)}@{domain}>"
    mail["Auto-Submitted"] = "auto-generated"
    if message.incident is not None:
        mail["References"] = f"<incident-{message.incident}@{domain}>"  # mail programs show one thread an incident
    if message.urgency == "high":
        mail["Importance"] = "high"
    text = text_of(message, limits.text)
    buttons = buttons_of(message, 100)
    facts = " · ".join(one_line(fact) for fact in (message.priority, message.service, message.to) if fact)
    links = "\n".join(f"{label}: {url}" for label, url in buttons)
    mail.set_content("\n\n".join(part for part in (title, facts, text, links) if part))
    colour = "#c0392b" if message.urgency == "high" else "#d68910"
    page = _PAGE.render(title=title, facts=facts, lines=text.split("\n"), buttons=buttons, colour=colour)
    mail.add_alternative(page, subtype="html")
    return mail


def _worded(text: str) -> str:
    """Text for a header that stays text: EmailMessage would decode `=?utf-8?b?Cg==?=` into the newline it stands for."""
    return one_line(text).replace("=?", "= ?")

"""Properties of a composed mail: whatever an alert says, the headers are ours and the HTML has only our tags."""

from __future__ import annotations

import email
import email.policy
import re
from html.parser import HTMLParser

from hypothesis import given, settings
from hypothesis import strategies as st

from app.notifiers.email import compose
from app.notifiers.notifier import Limits, Message

HEADERS = {
    "From",
    "To",
    "Subject",
    "Date",
    "Message-ID",
    "Auto-Submitted",
    "References",
    "Importance",
    "MIME-Version",
    "Content-Type",
}
scraps = st.text(st.characters(exclude_categories=()), max_size=60)
nasty = st.lists(
    scraps
    | st.sampled_from(
        [
            "\r\n",
            "\nBcc: x@y.test",
            "=?utf-8?b?Cg==?=",
            "=?utf-8?q?=0ABcc:_x@y.test?=",
            "<script>",
            "{{ 7*7 }}",
            '"',
            "'",
            "&",
            "--",
            ".",
        ]
    ),
    max_size=6,
).map("".join)


def composed(title: str, text: str, service: str, priority: str, number: str):
    message = Message(
        id=number,
        kind="page",
        title=title,
        text=text,
        url="https://t.test/p",
        priority=priority,
        service=service,
        to=title,
        incident=1,
        links=((text, "https://w.test/?a=1&b=2"),),
    )
    mail = compose(message, Limits(200, 10_000), sender="Tocsin <t@example.org>", to="ana@example.org", now=0)
    return mail.as_bytes(policy=email.policy.SMTP.clone(cte_type="7bit"))


@settings(max_examples=300, deadline=None)
@given(nasty, nasty, nasty, nasty, nasty)
def test_no_text_can_add_a_header_or_break_the_mail(title, text, service, priority, number):
    parsed = email.message_from_bytes(composed(title, text, service, priority, number), policy=email.policy.SMTP)
    assert set(parsed.keys()) == HEADERS
    assert len(parsed.keys()) == len(HEADERS)
    assert parsed["To"] == "ana@example.org"
    assert not parsed.defects
    assert [part.get_content_type() for part in parsed.iter_parts()] == ["text/plain", "text/html"]


@settings(max_examples=300, deadline=None)
@given(nasty, nasty)
def test_no_text_can_add_a_tag_or_run_as_a_template(title, text):
    seen: list[str] = []

    class Reader(HTMLParser):
        def handle_starttag(self, tag, attrs):
            seen.append(tag)
            assert not any(name.startswith("on") for name, _ in attrs)

    parsed = email.message_from_bytes(composed(title, text, title, "P1", "1"), policy=email.policy.SMTP)
    page = parsed.get_body(("html",)).get_content()
    Reader().feed(page)
    assert set(seen) <= {"html", "head", "meta", "title", "body", "div", "p", "h1", "a"}
    assert "49" not in page or "49" in title + text


def test_on_a_phone_the_link_is_a_button_as_wide_as_the_mail():
    """A mail without a viewport is shown as small as a desktop's page, and its links are a few millimetres high."""
    parsed = email.message_from_bytes(composed("Disk full", "text", "checkout", "P1", "1"), policy=email.policy.SMTP)
    page = parsed.get_body(("html",)).get_content()
    assert '<meta name="viewport" content="width=device-width, initial-scale=1">' in page
    assert re.search(r'<a href="[^"]+" rel="noreferrer" style="display:block;padding:12px 16px;', page)

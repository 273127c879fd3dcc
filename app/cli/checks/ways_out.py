"""Whether pages can leave: addresses that are valid, a mail server that answers, links that open elsewhere."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterator, Sequence
from typing import Any, Final

from app.cli.checks.configured import Configured
from app.cli.checks.finding import Finding, ok, warn, wrong
from app.clock import spoken
from app.notifiers.registry import BadAddress, Notifiers, parse_address
from app.notifiers.smtp import read_mail_server
from app.notifiers.text import one_line
from app.paging.failing import Failing

MAIL: Final = "mail server"
ANSWERS_WITHIN_S: Final = 5.0
SHOWN: Final = 5
GUESSABLE: Final = 20
"""Characters of a secret that are too few, even when they were drawn by chance."""


def judge_addresses(seen: Configured, notifiers: Notifiers, *, mail: bool) -> list[Finding]:
    """One line for each way that can't work; one in all when they can; a warning when the console is all there is. Pure."""
    ways = list(_ways(seen))
    kinds = sorted({kind for _, kind, _ in ways} - {"console"})
    if not kinds:
        says = "nothing but the server's console is configured to page anybody"
        return [warn("notifiers", says, "add contact methods to people: PUT /v1/people/ID")]
    found = [bad for who, kind, address in ways for bad in _bad(who, kind, address, notifiers)]
    if "email" in kinds and not mail:
        found.append(
            wrong(
                MAIL, "somebody is to be mailed and no mail server is set", "set TOCSIN_SMTP_URL and TOCSIN_SMTP_FROM"
            )
        )
    return found or [ok("notifiers", f"every address is valid ({', '.join(kinds)})")]


def _ways(seen: Configured) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Whose, which notifier, where: of every contact method that is used and of every channel."""
    for person in seen.people.values():
        for method in person.contact_methods:
            if method.enabled and not person.disabled:
                label = f" {one_line(method.label)!r}" if method.label else ""
                yield f"{one_line(person.name)}'s {one_line(method.kind)}{label}", method.kind, method.address
    for channel in seen.channels.values():
        yield f"channel {one_line(channel.name)}", channel.kind, channel.address


def _bad(who: str, kind: str, address: dict[str, Any], notifiers: Notifiers) -> Iterator[Finding]:
    try:
        parse_address(notifiers, kind, address)
    except BadAddress as error:
        yield wrong("notifiers", f"{who} can't be used: {one_line(str(error))}", "correct it: every page by it fails")


def judge_tries(found: Sequence[Failing]) -> Iterator[Finding]:
    """Do the ways work that were used lately? Pure."""
    for one in found[:SHOWN]:
        tries = f"{one.tries} tries" if one.tries > 1 else "the last try"
        says = f"{tries} failed since {spoken(one.since)} ({one_line(one.whom)}): {one_line(one.reason)}"
        yield warn(f"notifier {one_line(one.notifier)}", says, "look at the provider, or at those addresses")


def judge_public_url(public_url: str, base_url: str) -> Finding:
    """Can the links in pages be opened on a phone? Pure."""
    about = "links"
    if not public_url:
        says = f"they lead to {base_url}, which opens on this machine only"
        return warn(about, says, "set TOCSIN_PUBLIC_URL to how people reach Tocsin")
    if not public_url.startswith("https://"):
        return warn(about, f"they lead to {base_url}, unencrypted", "serve Tocsin behind TLS and set TOCSIN_PUBLIC_URL")
    return ok(about, f"they lead to {base_url}")


def judge_secret(secret: str) -> list[Finding]:
    """Can the secret of the settings be found by trying, by whoever holds one link? Nothing to say when it can't. Pure."""
    if not secret or len(secret) >= GUESSABLE:
        return []
    says = (
        f"TOCSIN_SECRET_KEY has {len(secret)} characters: whoever holds one link can find it by trying, and make others"
    )
    return [warn("links", says, "take a random one (openssl rand -hex 32), or none: then Tocsin makes one")]


async def ask_mail_server(url: str) -> Finding:
    """Does the mail server greet? Nothing is sent and no password is tried."""
    server = read_mail_server(url)
    where = f"{server.host}:{server.port}"
    context = ssl.create_default_context() if server.tls == "implicit" else None
    try:
        async with asyncio.timeout(ANSWERS_WITHIN_S):
            reader, writer = await asyncio.open_connection(server.host, server.port, ssl=context)
            greeting = await reader.readline()
            writer.close()
    except (OSError, TimeoutError) as error:
        why = "no answer in time" if isinstance(error, TimeoutError) else (error.strerror or type(error).__name__)
        return wrong(MAIL, f"{where} can't be reached: {why}", "see TOCSIN_SMTP_URL; mail waits and is tried again")
    if not greeting.startswith(b"220"):
        return wrong(MAIL, f"{where} does not greet as a mail server does", "see TOCSIN_SMTP_URL: host, port, tls")
    return ok(MAIL, f"{where} answers")

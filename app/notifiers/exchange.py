"""One send over HTTP, and what came of it as an outcome.

The full form goes out first, and once more the plainest form when the provider may not have liked the shape. Every HTTP
notifier goes through here, so that all of them mean the same by each outcome:

    no connection, no such name           TryAgain   surely not sent
    the guard refused the address         Refused    says which setting to change
    sent, but no whole answer             Unknown
    2xx                                   Accepted
    3xx                                   Refused    redirects are not followed
    408, 429, 5xx                         TryAgain   with the provider's Retry-After
    400, 413                              once more with the plainest form, then Refused
    every other 4xx                       Refused

Knows no provider: what an answer amounts to when the status alone lies is said by the notifier.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final

import orjson

from app.clock import SECOND, Micros, from_datetime
from app.notifiers.notifier import Accepted, Outcome, Refused, TryAgain, Unknown
from app.notifiers.outbound import Answer, Forbidden, NoAnswer, NotSent, Outbound
from app.notifiers.text import cut, one_line, without

MAX_WAIT_S: Final = 86_400.0
MAX_DETAIL: Final = 200
_SHAPE: Final = frozenset({400, 413})
_LATER: Final = frozenset({408, 429})


@dataclass(frozen=True, slots=True)
class Post:
    """One request, ready to go."""

    url: str
    content: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


def document(url: str, body: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> Post:
    """A request that carries `body` as JSON."""
    return Post(url, orjson.dumps(body), {"Content-Type": "application/json", **(headers or {})})


@dataclass(frozen=True, slots=True)
class Said:
    """What an answer amounts to."""

    status: int
    """The HTTP status that tells the truth; a 200 that says no amounts to 400."""
    detail: str = ""
    """The provider's own words, hostile; cleaned and cut here."""
    receipt: str = ""
    after_s: float | None = None


def plainly(answer: Answer) -> Said:
    """For providers whose status is all they say."""
    return Said(answer.status)


async def exchange(
    outbound: Outbound,
    title: str,
    full: Post,
    plainest: Post | None = None,
    *,
    read: Callable[[Answer], Said] = plainly,
    secrets: tuple[str, ...] = (),
) -> Outcome:
    """Sends once within the outbound's time. `title` names the provider in reasons, `secrets` are kept out of them."""
    deadline = outbound.deadline()
    try:
        answer = await outbound.post(full.url, content=full.content, headers=full.headers, deadline=deadline)
        if plainest is not None and read(answer).status in _SHAPE:
            answer = await outbound.post(
                plainest.url, content=plainest.content, headers=plainest.headers, deadline=deadline
            )
    except Forbidden as error:
        return Refused(without(str(error), secrets))
    except NotSent as error:
        return TryAgain(without(str(error), secrets))
    except NoAnswer as error:
        return Unknown(without(str(error), secrets))
    said = read(answer)
    after_s = said.after_s if said.after_s is not None else wait_s(answer.headers.get("retry-after"), outbound.now())
    detail = cut(one_line(without(said.detail, secrets)), MAX_DETAIL)
    return outcome_of(
        said.status, f"{title} answered {answer.status}" + (f": {detail}" if detail else ""), said.receipt, after_s
    )


def outcome_of(status: int, reason: str, receipt: str = "", after_s: float | None = None) -> Outcome:
    """The table at the top of this file."""
    if 200 <= status < 300:
        return Accepted(cut(one_line(receipt), MAX_DETAIL))
    if status in _LATER or status >= 500:
        return TryAgain(reason, after_s)
    if 300 <= status < 400:
        return Refused(f"{reason}: the address redirects, and redirects are not followed; give the final address")
    return Refused(reason)


def wait_s(value: str | None, now: Micros) -> float | None:
    """Retry-After in seconds from now, from a number or an HTTP date; None when it is neither. At most a day."""
    if value is None:
        return None
    value = value.strip()
    if value.isascii() and value.isdigit():
        return min(float(value[:9]), MAX_WAIT_S)
    try:
        at = parsedate_to_datetime(value)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    gap = from_datetime(at if at.tzinfo else datetime(*at.timetuple()[:6], tzinfo=UTC)) - now
    return min(max(gap / SECOND, 0.0), MAX_WAIT_S)

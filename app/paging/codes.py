"""Sending somebody something by one contact method: a code, by which they prove that they read there, or a test page. Deeds.

Must never know how a code is checked (app/people/contacts.py).
"""

from __future__ import annotations

from sqlalchemy import func, select

from app.clock import MINUTE, Micros
from app.paging.notices import Notice, NoticeKind, tell
from app.paging.tables import notices
from app.people import contacts
from app.people.person import ContactMethod
from app.store.database import Writing
from app.store.resources import Refused

MOST = 3
WITHIN: Micros = 15 * MINUTE
"""At most so many codes, and tests, in so long go to one contact method: nobody is to be flooded in the name of a check."""


async def _too_many(tx: Writing, person_id: int, method: ContactMethod, kind: NoticeKind) -> bool:
    question = select(func.count()).where(
        notices.c.person_id == person_id,
        notices.c.kind == kind,
        notices.c.method_id == method.id,
        notices.c.created_at > tx.now - WITHIN,
    )
    return bool((await tx.conn.execute(question)).scalar_one() >= MOST)


async def send_test(tx: Writing, person_id: int, method: ContactMethod, actor: str) -> int:
    """A page that says that nothing is wrong; answers the notice's id. Raises Refused(`too_many_tests`)."""
    if await _too_many(tx, person_id, method, "test"):
        raise Refused(
            "too_many_tests", f"{MOST} tests were sent there in the last {WITHIN // MINUTE} min; look whether they came"
        )
    notice = Notice(
        "test",
        "Test: nothing is wrong",
        f"A test page, asked for by {actor}. This is how a page by {method.label or method.kind} reaches you.",
        person_id=person_id,
        urgency="high",
        useful=WITHIN,
        method_id=method.id,
    )
    return (await tell(tx, [notice]))[0]


async def send_code(tx: Writing, secret: str, person_id: int, method: ContactMethod) -> int:
    """Makes a code and the notice that carries it; answers the notice's id. Raises Refused(`too_many_codes`)."""
    # First, because it also keeps whoever else asks for a code away until this one is counted.
    code = await contacts.issue(tx, secret, person_id, method)
    if await _too_many(tx, person_id, method, "code"):
        raise Refused(
            "too_many_codes",
            f"{MOST} codes were sent there in the last {WITHIN // MINUTE} min; use the last one, or wait",
        )
    minutes = contacts.CODE_LIVES // MINUTE
    text = f"Your code is {code}. It is good for {minutes} min.\nIf you did not ask for it, tell whoever runs Tocsin."
    notice = Notice(
        "code",
        "Is this you? A code to prove that you read here",
        text,
        person_id=person_id,
        urgency="high",
        useful=contacts.CODE_LIVES,
        method_id=method.id,
    )
    return (await tell(tx, [notice]))[0]

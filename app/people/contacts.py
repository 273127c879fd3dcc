"""Which contact methods somebody proved to read, and the codes by which they prove it. Reads and deeds.

A check is of one address: after an edit of a method's kind or address it counts no more. Pages are sent by methods that
were never checked too: better an unverified page than none. Must never know how a code is sent.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b, sha256
from typing import Any, Literal

import orjson
from sqlalchemy import insert, select, update

from app.clock import MINUTE, Micros
from app.people.person import ContactMethod, Person
from app.people.tables import contact_checks
from app.store.database import Reading, Writing

CODE_LIVES: Micros = 15 * MINUTE
MAX_TRIES = 5
"""Of one code; a guess hits with 5 in a million."""

VerifiedBy = Literal["code", "drill"]
Verdict = Literal["verified", "wrong", "spent", "no_code", "changed"]
"""What came of a code that somebody read out: it is right; it is not; it is not and was the last try, or there was none
left; none is waiting (any more); the contact method was changed since it was sent."""


@dataclass(frozen=True, slots=True)
class Check:
    """What is known of one contact method."""

    address: bytes
    code: bytes | None
    expires_at: Micros | None
    tries: int
    verified_at: Micros | None
    verified_by: str


def address_digest(method: ContactMethod) -> bytes:
    """Of what a check is a check: the method's kind and address. What is not set there, or is off, does not count."""
    address = {name: value for name, value in method.address.items() if value is not None and value is not False}
    said = orjson.dumps([method.kind, address], option=orjson.OPT_SORT_KEYS)
    return blake2b(said, digest_size=16).digest()


def code_digest(secret: str, person_id: int, method_id: str, code: str) -> bytes:
    """What is kept of a code. Keyed, because anybody could try a million codes against a plain digest."""
    key = sha256(f"tocsin.code.1:{secret}".encode()).digest()
    return blake2b(f"{person_id}:{method_id}:{code}".encode(), key=key, digest_size=16).digest()


def judged(check: Check | None, address: bytes, code: bytes, now: Micros) -> Verdict:
    """Whether a code is the one that was sent. Pure; takes as long for a wrong code as for the right one."""
    if check is None or check.code is None or check.expires_at is None or now >= check.expires_at:
        return "no_code"
    if not hmac.compare_digest(check.address, address):
        return "changed"
    if check.tries >= MAX_TRIES:
        return "spent"
    if hmac.compare_digest(check.code, code):
        return "verified"
    return "wrong" if check.tries + 1 < MAX_TRIES else "spent"


async def checks(view: Reading, people: Mapping[int, Person]) -> dict[tuple[int, str], Check]:
    """The checks of these people's contact methods as they are now, by person and method."""
    columns = contact_checks.c
    question = select(
        columns.person_id,
        columns.method_id,
        columns.address,
        columns.code,
        columns.expires_at,
        columns.tries,
        columns.verified_at,
        columns.verified_by,
    ).where(columns.person_id.in_(sorted(people)))
    rows = (await view.conn.execute(question)).all() if people else []
    found = {(row[0], row[1]): Check(bytes(row[2]), row[3] and bytes(row[3]), *row[4:]) for row in rows}
    now = {
        (person_id, method.id): address_digest(method)
        for person_id, person in people.items()
        for method in person.contact_methods
    }
    return {which: check for which, check in found.items() if now.get(which) == check.address}


async def verified(view: Reading, people: Mapping[int, Person]) -> dict[int, frozenset[str]]:
    """The ids of each person's contact methods that they proved to read, of all people that are asked about."""
    known = await checks(view, people)
    return {
        person_id: frozenset(
            method for (owner, method), check in known.items() if owner == person_id and check.verified_at is not None
        )
        for person_id in people
    }


async def issue(tx: Writing, secret: str, person_id: int, method: ContactMethod) -> str:
    """A new code of six digits for this method; one that was waiting is worth nothing any more.

    The caller sends it, and keeps it nowhere.
    """
    code = f"{int.from_bytes(sha256(tx.ids.secret(16).encode()).digest()[:8]) % 1_000_000:06d}"
    values = {
        "code": code_digest(secret, person_id, method.id, code),
        "sent_at": tx.now,
        "expires_at": tx.now + CODE_LIVES,
        "tries": 0,
    }
    await _keep(tx, person_id, method, values)
    return code


async def confirm(tx: Writing, secret: str, person_id: int, method: ContactMethod, code: str) -> Verdict:
    """Takes a code that somebody read out. It answers and never raises, so that a wrong try is counted."""
    known = await held(tx, person_id, method.id)
    verdict = judged(known, address_digest(method), code_digest(secret, person_id, method.id, code), tx.now)
    if verdict == "verified":
        await verify(tx, person_id, method, "code")
    elif known is not None and verdict in ("wrong", "spent"):
        await tx.conn.execute(update(contact_checks).where(*_this(person_id, method.id)).values(tries=known.tries + 1))
    return verdict


async def verify(tx: Writing, person_id: int, method: ContactMethod, by: VerifiedBy) -> None:
    """Writes down that this person reads what is sent there."""
    values = {"code": None, "expires_at": None, "tries": 0, "verified_at": tx.now, "verified_by": by}
    await _keep(tx, person_id, method, values)


async def held(tx: Writing, person_id: int, method_id: str) -> Check | None:
    """The check of this method, whatever its address was; nobody else changes it until the transaction ends."""
    columns = contact_checks.c
    question = select(
        columns.address, columns.code, columns.expires_at, columns.tries, columns.verified_at, columns.verified_by
    ).where(*_this(person_id, method_id))
    row = (await tx.conn.execute(question.with_for_update())).first()
    return Check(bytes(row[0]), row[1] and bytes(row[1]), *row[2:]) if row else None


async def _keep(tx: Writing, person_id: int, method: ContactMethod, values: Mapping[str, Any]) -> None:
    """Writes a check; what was known of another address is forgotten."""
    address = address_digest(method)
    known = await held(tx, person_id, method.id)
    if known is None:
        row = {"person_id": person_id, "method_id": method.id, "address": address, **values}
        await tx.conn.execute(insert(contact_checks).values(row))
        return
    fresh = {} if known.address == address else {"verified_at": None, "verified_by": ""}
    await tx.conn.execute(
        update(contact_checks).where(*_this(person_id, method.id)).values({**fresh, **values, "address": address})
    )


def _this(person_id: int, method_id: str) -> tuple[Any, Any]:
    return contact_checks.c.person_id == person_id, contact_checks.c.method_id == method_id

"""Who may do what: API keys, their roles, and the one gate that every request passes.

Deny by default: a path that is not listed as open needs a key, also one that nobody has written yet. The gate stands
before routing and before the body is read, so no route can forget it.

A key is 256 random bits behind `tocsin_`, shown once and kept as a SHA-256 digest (a slow hash adds nothing to a key
nobody can guess). Must never know what a route does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Annotated, Any, Literal

from fastapi import Depends
from sqlalchemy import insert, select, update
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from app.api.problems import NotFound, RoleTooLow, Unauthorized
from app.clock import Clock, Micros
from app.store.database import Reading, Store, Writing
from app.store.resources import Refused
from app.store.tables import api_keys

Role = Literal["read-only", "responder", "admin"]
ROLES: tuple[Role, ...] = ("read-only", "responder", "admin")
"""From the one that may least; each may all that those before it may."""

PREFIX = "tocsin_"
MAX_KEY = 200
"""Longer is no key of ours and is not even hashed."""
KEEP_S = 1.0
"""How long a revoked key may still open other processes."""
KEEP_MOST = 1_000

_OPEN = frozenset({"/", "/livez", "/readyz", "/metrics"})
_OPEN_BELOW = ("/a/", "/b/", "/c/", "/r/", "/t/")
"""Without a key: the front page, what the machine room asks; signed links, calendars and tickets are their own permission."""
_OF_RESPONDERS = frozenset(
    {
        ("schedules", "overrides"),
        ("schedules", "swaps"),
        ("schedules", "take-over"),
        ("people", "absences"),
        ("people", "contact-methods"),
        ("schedules", "drill"),
        ("schedules", "preview"),
        ("schedules", "calendar-link"),
        ("people", "calendar-link"),
        ("calendars", "refresh"),
        ("integrations", "test"),
        ("senders", "try"),
    }
)
"""What is changed day by day below a document: /v1/FIRST/ID/SECOND."""


def needed_role(method: str, path: str) -> Role | None:
    """The least role for a request, by its path or its route's template; None: open to everybody. Pure."""
    if path in _OPEN or path.startswith(_OPEN_BELOW):
        return None
    parts = path.split("/")[1:]
    if parts[:2] == ["v1", "keys"]:
        return "admin"
    if method in ("GET", "HEAD"):
        return "read-only"
    if (parts[:2] == ["v1", "incidents"] and method == "POST") or parts[:2] == ["v1", "silences"]:
        return "responder"
    if parts[:1] == ["v1"] and tuple(parts[1:4:2]) in _OF_RESPONDERS:
        return "responder"
    if parts in (["v1", "dry-run"], ["v1", "schedules", "preview"]) or (
        parts[:2] == ["v1", "swaps"] and method == "POST"
    ):
        return "responder"
    return "admin"


def allows(has: Role, needs: Role) -> bool:
    """Whether a key of role `has` may do what needs `needs`. Pure."""
    return ROLES.index(has) >= ROLES.index(needs)


@dataclass(frozen=True, slots=True)
class Key:
    """An API key as everybody may see it."""

    id: int
    name: str
    role: Role
    hint: str
    """Its last four characters."""
    created_at: Micros
    revoked_at: Micros | None = None


@dataclass(frozen=True, slots=True)
class Caller:
    """Whose request this is."""

    key_id: int
    name: str
    role: Role

    @property
    def actor(self) -> str:
        """How timelines and histories call it."""
        return f"api key {self.name}"


def digest_of(secret: str) -> bytes:
    """What is stored of a key."""
    return sha256(secret.encode("utf-8", "surrogatepass")).digest()


_COLUMNS = (
    api_keys.c.id,
    api_keys.c.name,
    api_keys.c.role,
    api_keys.c.hint,
    api_keys.c.created_at,
    api_keys.c.revoked_at,
)


async def create_key(tx: Writing, name: str, role: Role) -> tuple[Key, str]:
    """Makes a key; answers it and its secret, which nobody can read again. Raises Refused(`name_taken`)."""
    taken = select(api_keys.c.id).where(api_keys.c.name == name, api_keys.c.revoked_at.is_(None))
    if (await tx.conn.execute(taken)).first():
        raise Refused("name_taken", f"there is already a key named {name!r}; choose another name or revoke that one")
    secret = PREFIX + tx.ids.secret(32)
    key = Key(tx.new_id(), name, role, secret[-4:], tx.now)
    await tx.conn.execute(
        insert(api_keys).values(
            id=key.id, name=name, role=role, digest=digest_of(secret), hint=key.hint, created_at=tx.now
        )
    )
    return key, secret


async def revoke_key(tx: Writing, key_id: int) -> Key:
    """Ends a key; one that was revoked before stays as it is. Raises NotFound."""
    await tx.conn.execute(
        update(api_keys).where(api_keys.c.id == key_id, api_keys.c.revoked_at.is_(None)).values(revoked_at=tx.now)
    )
    row = (await tx.conn.execute(select(*_COLUMNS).where(api_keys.c.id == key_id))).first()
    if row is None:
        raise NotFound("There is no such key.")
    return Key(*row)


async def listed_keys(view: Reading, after: int, limit: int) -> Sequence[Key]:
    """Keys, revoked ones too, oldest first, with an id above `after`."""
    question = select(*_COLUMNS).where(api_keys.c.id > after).order_by(api_keys.c.id).limit(limit)
    return [Key(*row) for row in await view.conn.execute(question)]


async def _caller_by(view: Reading, digest: bytes) -> Caller | None:
    question = select(api_keys.c.id, api_keys.c.name, api_keys.c.role).where(
        api_keys.c.digest == digest, api_keys.c.revoked_at.is_(None)
    )
    row = (await view.conn.execute(question)).first()
    return Caller(*row) if row else None


class Keys:
    """Which key is whose, remembered for at most KEEP_S."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._known: dict[bytes, tuple[Caller, float]] = {}

    async def caller(self, secret: str) -> Caller | None:
        """Whose key it is; None for one that is unknown or revoked. Raises Unavailable."""
        digest = digest_of(secret)
        asked_at = self._clock.monotonic()
        known = self._known.pop(digest, None)
        if known is None or asked_at - known[1] >= KEEP_S:
            found = await self._store.read(_caller_by, digest)
            if found is None:
                return None
            known = (found, asked_at)
        if len(self._known) >= KEEP_MOST:
            self._known.clear()
        self._known[digest] = known
        return known[0]


class Gate:
    """The one gate: lets a request on with its caller, or raises Unauthorized or RoleTooLow."""

    def __init__(self, app: ASGIApp, keys: Keys) -> None:
        self._app = app
        self._keys = keys

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            # Nothing is served that way; what would be has to pass the gate first.
            await send({"type": "websocket.close", "code": 1008})
            return
        await self._pass(scope)
        await self._app(scope, receive, send)

    async def _pass(self, scope: Scope) -> None:
        needs = needed_role(scope["method"], scope["path"]) if scope["type"] == "http" else None
        if needs is None:
            return
        secret = _bearer(scope["headers"])
        found = await self._keys.caller(secret) if secret else None
        if found is None:
            raise Unauthorized
        if not allows(found.role, needs):
            raise RoleTooLow(f"This needs a key with the role {needs}; the key {found.name!r} is {found.role}.")
        scope["caller"] = found


def _bearer(headers: Sequence[tuple[bytes, bytes]]) -> str:
    """The key of an Authorization header; empty when there is none that could be one."""
    for name, value in headers:
        if name == b"authorization":
            scheme, _, secret = value.decode("latin-1").partition(" ")
            return secret.strip() if scheme.lower() == "bearer" and len(secret) <= MAX_KEY else ""
    return ""


async def _caller(request: Request) -> Any:
    # A KeyError here would mean a route that the gate does not know: a fault, never an anonymous caller.
    return request.scope["caller"]


CallerOf = Annotated[Caller, Depends(_caller)]
"""The parameter by which an endpoint learns whose request it is."""

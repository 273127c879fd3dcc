"""A request that is sent again is done once: the answer of the first time is kept and given again.

The answer is written in the transaction of the deed itself, so there is no instant at which one is there without the
other; of two equal requests at the same time the second meets the first's row, or what the first has made, is run again
and finds its answer.
A secret in an answer (a new key) is not kept: the repeat shows `***` in its place. Must never know what a deed does.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Annotated, Any, Concatenate, ParamSpec

import orjson
from fastapi import Depends
from pydantic import BaseModel
from sqlalchemy import delete, insert, select
from starlette.requests import Request
from starlette.responses import Response

from app.api.access import Caller, CallerOf
from app.api.parameters import IdempotencyKey, etag
from app.clock import DAY
from app.store.database import Writing
from app.store.errors import Conflict
from app.store.resources import Refused
from app.store.tables import idempotency

KEPT_FOR = DAY
HIDDEN = "***"

P = ParamSpec("P")


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that may come again: whose, under which key, and a digest of all it says."""

    actor: str
    key: str
    request: bytes


@dataclass(frozen=True, slots=True)
class Made:
    """What a deed is answered with. `secret` names the fields that are shown this once."""

    body: Mapping[str, Any]
    status: int = 201
    secret: frozenset[str] = frozenset()
    headers: Mapping[str, str] = field(default_factory=dict)

    def response(self) -> Response:
        """The answer; a body with a version carries its ETag, one with a secret is kept by no cache."""
        headers = dict(self.headers)
        if "version" in self.body:
            headers |= etag(self.body["version"])
        if self.secret:
            headers["Cache-Control"] = "no-store"
        return Response(orjson.dumps(self.body), self.status, headers, "application/json")


@dataclass(frozen=True, slots=True)
class Requested:
    """A request that does something: whose it is, and by which key it may be repeated."""

    caller: Caller
    key: str | None
    path: str

    @property
    def actor(self) -> str:
        """How timelines and histories call the caller."""
        return self.caller.actor

    def asked(self, document: BaseModel | None = None) -> Asked | None:
        """What is remembered of it; None when it came without a key."""
        if self.key is None:
            return None
        said = [self.path, document.model_dump(mode="json") if document else None]
        digest = blake2b(orjson.dumps(said, option=orjson.OPT_SORT_KEYS), digest_size=16).digest()
        return Asked(f"key:{self.caller.key_id}", self.key, digest)


async def _requested(request: Request, caller: CallerOf, idempotency_key: IdempotencyKey = None) -> Requested:
    return Requested(caller, idempotency_key, request.scope["path"])


RequestedOf = Annotated[Requested, Depends(_requested)]
"""The parameter of every endpoint that does something by POST."""


async def once(
    tx: Writing,
    request: Asked | None,
    deed: Callable[Concatenate[Writing, P], Awaitable[Made]],
    /,
    *args: P.args,
    **kwargs: P.kwargs,
) -> Made:
    """Does it, or answers as the first time. Raises Refused(`idempotency_key_reused`), or what the deed raises."""
    if request is None:
        return await deed(tx, *args, **kwargs)
    before = await _answered(tx, request)
    if before is not None:
        return before
    try:
        made = await deed(tx, *args, **kwargs)
    except Refused:
        # Perhaps for what an equal request has made since we looked.
        if await _answered(tx, request) is not None:
            raise Conflict("an equal request was quicker") from None
        raise
    kept = {name: HIDDEN if name in made.secret else value for name, value in made.body.items()}
    await tx.conn.execute(
        insert(idempotency).values(
            actor=request.actor,
            key=request.key,
            request=request.request,
            status=made.status,
            body=orjson.dumps(kept).decode(),
            created_at=tx.now,
        )
    )
    return made


async def _answered(tx: Writing, request: Asked) -> Made | None:
    """The kept answer. What is too old goes: only this actor's rows are looked at, and they are few."""
    mine = idempotency.c.actor == request.actor
    await tx.conn.execute(delete(idempotency).where(mine, idempotency.c.created_at <= tx.now - KEPT_FOR))
    question = select(idempotency.c.request, idempotency.c.status, idempotency.c.body).where(
        mine, idempotency.c.key == request.key
    )
    row = (await tx.conn.execute(question)).first()
    if row is None:
        return None
    if bytes(row.request) != request.request:
        raise Refused(
            "idempotency_key_reused",
            "this Idempotency-Key was used for another request; take a new one for each thing to be done",
        )
    return Made(orjson.loads(row.body), row.status, headers={"Idempotent-Replay": "true"})

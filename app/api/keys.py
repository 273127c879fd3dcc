"""The routes of API keys, for administrators. The rules of access are access.py's."""

from __future__ import annotations

from typing import Annotated, Any

import structlog
from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from starlette.responses import Response

from app.api.access import CallerOf, Key, Role, create_key, listed_keys, revoke_key
from app.api.idempotency import Made, RequestedOf, once
from app.api.parameters import Cursor, IdText, Limit, list_model, page, position
from app.api.problems import answers
from app.clock import iso
from app.store.database import Writing
from app.world import World

log = structlog.get_logger(__name__)


class NewKey(BaseModel):
    """A key to be made."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)] = Field(
        description="Who or what uses it; timelines call it `api key NAME`."
    )
    role: Role = Field(description="read-only sees, responder also acts on incidents, admin also configures.")


class KeyShown(BaseModel):
    """An API key, without its secret."""

    id: str
    name: str
    role: Role
    hint: str = Field(description="Its last four characters.")
    created_at: str
    revoked_at: str | None


class KeyCreated(KeyShown):
    """A new API key, with its secret."""

    key: str = Field(description="Shown this once; `***` when the request was a repeat.")


def shown(key: Key) -> KeyShown:
    """A key as it is answered."""
    return KeyShown(
        id=str(key.id),
        name=key.name,
        role=key.role,
        hint=key.hint,
        created_at=iso(key.created_at),
        revoked_at=iso(key.revoked_at) if key.revoked_at is not None else None,
    )


async def create(tx: Writing, said: NewKey) -> Made:
    """Makes a key. Raises Refused(`name_taken`)."""
    key, secret = await create_key(tx, said.name, said.role)
    return Made({**shown(key).model_dump(), "key": secret}, secret=frozenset({"key"}))


def add_routes(routes: APIRouter, world: World) -> None:
    """The routes of API keys."""

    @routes.get(
        "/keys",
        response_model=list_model("KeyList", KeyShown),
        tags=["keys"],
        summary="List API keys",
        operation_id="list_keys",
    )
    async def list_all(limit: Limit = 50, cursor: Cursor = None) -> Any:
        """Oldest first, revoked ones too."""
        found = await world.store.read(listed_keys, position(cursor, 0), limit + 1)
        return page(found, limit, shown, lambda key: key.id)

    @routes.post(
        "/keys",
        status_code=201,
        response_model=KeyCreated,
        tags=["keys"],
        summary="Create an API key",
        operation_id="create_key",
        responses=answers(409, 413),
    )
    async def create_one(said: NewKey, request: RequestedOf) -> Response:
        """Its secret is shown this once and kept as a digest only."""
        made = await world.store.write(once, request.asked(said), create, said)
        log.info("api_key_created", name=said.name, role=said.role, by=request.actor)
        return made.response()

    @routes.delete(
        "/keys/{item_id}",
        tags=["keys"],
        summary="Revoke an API key",
        operation_id="revoke_key",
        responses=answers(404),
    )
    async def revoke(item_id: IdText, caller: CallerOf) -> KeyShown:
        """It opens nothing from a second later on. Revoking again changes nothing."""
        key = await world.store.write(revoke_key, int(item_id))
        log.info("api_key_revoked", name=key.name, role=key.role, by=caller.actor)
        return shown(key)

"""The routes of configuration: list, create, read, replace, delete and history, the same for every kind.

An edit says which version was seen (If-Match) and is refused when that is not the last one; a create may be sent again
with its Idempotency-Key. Edits happen one after another, in all replicas: each first takes the row that tells readers of
the change, so what is checked (references, users) still holds at the commit. What a kind's document means is kinds.py's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import Enum
from typing import Any, Literal, NamedTuple, TypeVar

from fastapi import APIRouter
from pydantic import BaseModel, Field, create_model
from sqlalchemy import select
from starlette.responses import Response

from app.api import references
from app.api.access import CallerOf
from app.api.idempotency import Made, RequestedOf, once
from app.api.kinds import Kind
from app.api.parameters import (
    Cursor,
    IdText,
    IfMatch,
    Limit,
    list_model,
    page,
    position,
    seen_version,
)
from app.api.problems import NotFound, answers, invalid
from app.clock import iso
from app.store import resources
from app.store.database import Reading, Writing
from app.store.resources import Refused, Resource
from app.store.tables import revisions
from app.world import World

F = TypeVar("F", bound=Callable[..., Any])


class Kept(BaseModel):
    """What the server adds to a document."""

    id: str
    version: int = Field(description="Raised by each edit; also the ETag.")
    created_at: str
    updated_at: str


class Warned(BaseModel):
    """What the server adds where an edit may have consequences that were not meant."""

    warnings: list[str] = Field(description="What was found ahead, one sentence each. The edit is saved all the same.")


class Revision(NamedTuple):
    """One row of a document's history."""

    version: int
    document: dict[str, Any]
    changed_at: int
    changed_by: str
    action: str


class RevisionShown(BaseModel):
    """One version of a document."""

    version: int
    changed_at: str
    changed_by: str
    action: Literal["created", "changed", "deleted"]
    document: dict[str, Any] = Field(description="As it was from then on; secrets are not shown.")


def shown(kind: Kind, resource: Resource) -> dict[str, Any]:
    """A resource as it is answered."""
    return {
        "id": str(resource.id),
        "version": resource.version,
        "created_at": iso(resource.created_at),
        "updated_at": iso(resource.updated_at),
        **kind.show(resource.document),
    }


def _revision(kind: Kind, row: Revision) -> dict[str, Any]:
    return {
        "version": row.version,
        "changed_at": iso(row.changed_at),
        "changed_by": row.changed_by,
        "action": row.action,
        "document": kind.show(row.document),
    }


async def read_one(view: Reading, kind: str, resource_id: int) -> Resource:
    """The resource. Raises NotFound."""
    found = (await resources.load(view, kind, [resource_id])).get(resource_id)
    if found is None:
        raise NotFound(f"There is no {kind} with the id {resource_id}.")
    return found


async def history(view: Reading, kind: str, resource_id: int, after: int, limit: int) -> list[Revision]:
    """The versions of a resource, oldest first, of one that was deleted too. Raises NotFound."""
    if not await resources.load(view, kind, [resource_id], deleted=True):
        raise NotFound(f"There never was a {kind} with the id {resource_id}.")
    columns = [revisions.c[name] for name in Revision._fields]
    question = (
        select(*columns)
        .where(revisions.c.resource_id == resource_id, revisions.c.version > after)
        .order_by(revisions.c.version)
        .limit(limit)
    )
    return [Revision(*row) for row in await view.conn.execute(question)]


def _ready(tx: Writing, kind: Kind, document: Any, old: Resource | None) -> dict[str, Any]:
    if not document.name.strip():
        raise invalid("name", "must not be blank")
    return dict(kind.ready(tx, document, old))


async def create(tx: Writing, kind: Kind, document: Any, by: str) -> Made:
    """Adds a resource. Raises Invalid, Refused."""
    await resources.touch_config(tx)
    ready = _ready(tx, kind, document, None)
    if kind.signed:
        ready["created_by"] = by
    await references.check(tx, references.references(kind.name, ready))
    made = await resources.create(tx, kind.name, document.name, ready, by)
    if kind.saved:
        await kind.saved(tx, None, made)
    extra = await kind.born(tx, made) if kind.born else {}
    return Made({**await _saved(tx, kind, made), **extra}, secret=frozenset(extra), headers=_place(kind, made))


def _place(kind: Kind, resource: Resource) -> Mapping[str, str]:
    return {"Location": f"/v1/{kind.path}/{resource.id}"}


async def replace(tx: Writing, kind: Kind, resource_id: int, document: Any, by: str, seen: int) -> Made:
    """Puts a document in the place of the version seen. Raises NotFound, Invalid, Refused."""
    await resources.touch_config(tx)
    old = await _seen(tx, kind, resource_id, seen)
    ready = _ready(tx, kind, document, old)
    if kind.signed:
        ready["created_by"] = old.document["created_by"]
    await references.check(tx, references.references(kind.name, ready))
    if kind.changing:
        await kind.changing(tx, old)
    made = await resources.replace(tx, old, document.name, ready, by, seen=seen)
    if kind.saved:
        await kind.saved(tx, old, made)
    return Made(await _saved(tx, kind, made), 200)


async def _saved(view: Reading, kind: Kind, resource: Resource) -> dict[str, Any]:
    """A resource as whoever saved it is answered."""
    warned = {"warnings": await kind.warn(view, resource)} if kind.warn else {}
    return {**shown(kind, resource), **warned}


async def delete(tx: Writing, kind: Kind, resource_id: int, by: str, seen: int) -> None:
    """Marks a resource deleted, unless something uses it. Raises NotFound, Refused."""
    await resources.touch_config(tx)
    old = await _seen(tx, kind, resource_id, seen)
    await references.check_unused(tx, old)
    if kind.changing:
        await kind.changing(tx, old)
    await resources.remove(tx, old, by, seen=seen)
    if kind.saved:
        await kind.saved(tx, old, None)


async def _seen(tx: Writing, kind: Kind, resource_id: int, seen: int) -> Resource:
    old = await read_one(tx, kind.name, resource_id)
    if old.version != seen:
        raise Refused(
            "version_mismatch",
            f"this {kind.name} has version {old.version} by now and you saw {seen}; read it again and repeat the edit",
        )
    return old


def _taking(document: type[BaseModel]) -> Callable[[F], F]:
    """Sets the type of an endpoint's parameter `document`, which is known only when the routes are made."""

    def typed(endpoint: F) -> F:
        endpoint.__annotations__["document"] = document
        return endpoint

    return typed


def add_routes(routes: APIRouter, world: World, kind: Kind) -> None:
    """The routes of one kind."""
    title = kind.document.__name__.removeprefix("Named")
    one = create_model(f"{title}Resource", __base__=(kind.document, Kept))
    saved = create_model(f"{title}Saved", __base__=(one, Warned)) if kind.warn else one
    born = create_model(f"{title}Created", __base__=(saved, kind.born_shown)) if kind.born_shown else saved
    base, item = f"/{kind.path}", f"/{kind.path}/{{item_id}}"
    tags: list[str | Enum] = [kind.path]

    @routes.get(
        base,
        response_model=list_model(f"{title}List", one),
        tags=tags,
        summary=f"List {kind.path}",
        operation_id=f"list_{kind.path}",
    )
    async def list_all(limit: Limit = 50, cursor: Cursor = None) -> Response:
        """Oldest first."""
        found = await world.store.read(resources.listed, kind.name, after=position(cursor, 0), limit=limit + 1)
        return Made(page(found, limit, lambda one: shown(kind, one), lambda one: one.id), 200).response()

    @routes.post(
        base,
        status_code=201,
        response_model=born,
        tags=tags,
        summary=f"Create a {kind.name}",
        operation_id=f"create_{kind.name}",
        responses=answers(409, 413),
    )
    @_taking(kind.document)
    async def create_one(document: Any, request: RequestedOf) -> Response:
        """Send an Idempotency-Key, so that the request can be repeated when its answer is lost."""
        made = await world.store.write(once, request.asked(document), create, kind, document, request.actor)
        world.wake.set()
        return made.response()

    @routes.get(
        item,
        response_model=one,
        tags=tags,
        summary=f"Read a {kind.name}",
        operation_id=f"read_{kind.name}",
        responses=answers(404),
    )
    async def read(item_id: IdText) -> Response:
        """The ETag names its version."""
        return Made(shown(kind, await world.store.read(read_one, kind.name, int(item_id))), 200).response()

    @routes.put(
        item,
        response_model=saved,
        tags=tags,
        summary=f"Replace a {kind.name}",
        operation_id=f"replace_{kind.name}",
        responses=answers(404, 409, 412, 413, 428),
    )
    @_taking(kind.document)
    async def replace_one(item_id: IdText, document: Any, caller: CallerOf, if_match: IfMatch = None) -> Response:
        """The whole document is replaced. A secret sent back as `***` stays what it is."""
        seen = seen_version(if_match)
        made = await world.store.write(replace, kind, int(item_id), document, caller.actor, seen)
        world.wake.set()
        return made.response()

    @routes.delete(
        item,
        status_code=204,
        tags=tags,
        summary=f"Delete a {kind.name}",
        operation_id=f"delete_{kind.name}",
        responses=answers(404, 409, 412, 428),
    )
    async def delete_one(item_id: IdText, caller: CallerOf, if_match: IfMatch = None) -> None:
        """Refused while something uses it. Its history stays."""
        await world.store.write(delete, kind, int(item_id), caller.actor, seen_version(if_match))
        world.wake.set()

    @routes.get(
        f"{item}/history",
        response_model=list_model(f"{title}History", RevisionShown),
        tags=tags,
        summary=f"Every version of a {kind.name}",
        operation_id=f"list_{kind.name}_history",
        responses=answers(404),
    )
    async def list_history(item_id: IdText, limit: Limit = 50, cursor: Cursor = None) -> Response:
        """Oldest first: who changed it, and what it was from then on. Also of one that was deleted."""
        found = await world.store.read(history, kind.name, int(item_id), position(cursor, 0), limit + 1)
        return Made(page(found, limit, lambda row: _revision(kind, row), lambda row: row.version), 200).response()

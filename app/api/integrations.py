"""What integrations have beside their document: keys, which are shown once and rotated, and messages nobody could read.

A key is 256 random bits, kept as a digest. Rotating gives a new one and lets the others work for a while, so that a
sender is changed over without losing an alert. Must never know a sender's dialect.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Protocol

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import delete, insert, or_, select, update
from starlette.responses import Response

from app.api.idempotency import Made, RequestedOf, once
from app.api.parameters import NEWEST, Cursor, IdText, list_model, page, position
from app.api.problems import answers
from app.api.resources import read_one
from app.clock import SECOND, iso
from app.dedup.directory import digest_of
from app.dedup.tables import integration_keys, unparsed
from app.sources.mail import Mail
from app.sources.setup import guide_of, mail_address
from app.store.database import Reading, Writing
from app.store.resources import Refused, Resource, touch_config
from app.world import World

MAIL = Mail.kind
MAX_UNPARSED = 50
"""A page of messages: each may have 64 KiB."""


class KeyIssued(BaseModel):
    """A key, shown this once."""

    key: str = Field(description="Shown this once; `***` when the request was a repeat.")
    url: str = Field(description="Where the sender posts; the key stands in it.")
    guide: str = Field(description="What to do in the sender's settings: Markdown with the address and the key in it.")


class Rotation(BaseModel):
    """How a key is changed."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    grace_s: int = Field(
        default=86_400, ge=0, le=90 * 86_400, description="How long the keys there are now still work. 0: not at all."
    )
    key: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z0-9_.-]{20,200}$",
        description="A key that its senders have already, such as PagerDuty's routing key or Opsgenie's API key, so that "
        "only the host name has to be changed in them. Unset: a new one is made, which is better.",
    )


class IntegrationKey(BaseModel):
    """A key as it can be told apart."""

    hint: str = Field(description="Its last four characters.")
    created_at: str
    expires_at: str | None = Field(description="When it stops working. None: never.")


class Unparsed(BaseModel):
    """A message that could not be read, or only in part."""

    id: str
    received_at: str
    reason: str
    content_type: str
    size: int = Field(description="Bytes as it came.")
    body: str = Field(description="Its beginning as text; what is not UTF-8 is replaced.")


class Issue(Protocol):
    """The deed that gives a key: a new one, or `key`."""

    async def __call__(self, tx: Writing, integration: Resource, key: str | None = None) -> dict[str, str]:
        """Answers the key and the address with it. Raises Refused(`key_taken`)."""


def address_of(world: World, kind: str, key: str) -> str:
    """Where a sender of this kind posts, or mails, with this key."""
    if kind == MAIL and world.settings.mail_in_port:
        return mail_address(world.base_url, key, world.settings.mail_in_domain)
    return f"{world.base_url}/v1/in/{kind}/{key}"


def issuing(world: World) -> Issue:
    """The deed that gives an integration, or a heartbeat, a new key."""

    async def issue(tx: Writing, integration: Resource, key: str | None = None) -> dict[str, str]:
        if key is None:
            # Mail servers may change the case of an address; so much chance loses nothing that matters by it.
            key = tx.ids.secret(32).lower() if integration.document.get("kind") == MAIL else tx.ids.secret(32)
        elif (
            await tx.conn.execute(select(integration_keys).where(integration_keys.c.digest == digest_of(key)))
        ).first():
            raise Refused("key_taken", "an integration has this key already; each key opens one integration")
        await tx.conn.execute(
            insert(integration_keys).values(
                digest=digest_of(key), integration_id=integration.id, hint=key[-4:], created_at=tx.now
            )
        )
        await touch_config(tx)
        kind = integration.document.get("kind", integration.kind)
        source = world.sources.get(kind)
        guide = guide_of(source, world.base_url, key, world.settings.mail_in_domain) if source else ""
        return {"key": key, "url": address_of(world, kind, key), "guide": guide}

    return issue


async def rotate(tx: Writing, issue: Issue, integration_id: int, rotation: Rotation, kind: str = "integration") -> Made:
    """Gives a new key, or the one that was brought; those there are end `grace_s` from now, unless they end before.

    Raises NotFound, Refused(`key_taken`).
    """
    integration = await read_one(tx, kind, integration_id)
    mine, ends_at = integration_keys.c.integration_id == integration_id, tx.now + rotation.grace_s * SECOND
    await tx.conn.execute(delete(integration_keys).where(mine, integration_keys.c.expires_at <= tx.now))
    later = or_(integration_keys.c.expires_at.is_(None), integration_keys.c.expires_at > ends_at)
    await tx.conn.execute(update(integration_keys).where(mine, later).values(expires_at=ends_at))
    shown = await issue(tx, integration, rotation.key)
    return Made(shown, secret=frozenset(shown))


async def keys_of(view: Reading, integration_id: int, kind: str = "integration") -> list[IntegrationKey]:
    """The keys that work, or did until the last rotation, oldest first. Raises NotFound."""
    await read_one(view, kind, integration_id)
    question = (
        select(integration_keys.c.hint, integration_keys.c.created_at, integration_keys.c.expires_at)
        .where(integration_keys.c.integration_id == integration_id)
        .order_by(integration_keys.c.created_at, integration_keys.c.digest)
    )
    return [
        IntegrationKey(hint=hint, created_at=iso(created_at), expires_at=iso(expires_at) if expires_at else None)
        for hint, created_at, expires_at in await view.conn.execute(question)
    ]


async def unparsed_of(view: Reading, integration_id: int, before: int, limit: int) -> Sequence[Any]:
    """Messages that could not be read, newest first. Raises NotFound."""
    await read_one(view, "integration", integration_id)
    question = (
        select(unparsed)
        .where(unparsed.c.integration_id == integration_id, unparsed.c.id < before)
        .order_by(unparsed.c.id.desc())
        .limit(limit)
    )
    return (await view.conn.execute(question)).all()


def _unparsed(row: Any) -> Unparsed:
    return Unparsed(
        id=str(row.id),
        received_at=iso(row.received_at),
        reason=row.reason,
        content_type=row.content_type,
        size=row.size,
        body=bytes(row.body).decode("utf-8", "replace"),
    )


def add_routes(routes: APIRouter, world: World) -> None:
    """The routes beside those that every kind has."""
    issue = issuing(world)

    @routes.post(
        "/integrations/{item_id}/rotate-key",
        status_code=201,
        response_model=KeyIssued,
        tags=["integrations"],
        summary="Give an integration a new key",
        operation_id="rotate_integration_key",
        responses=answers(404, 409, 413),
    )
    async def rotate_key(item_id: IdText, request: RequestedOf, rotation: Rotation | None = None) -> Response:
        """The new key, or the one you bring, is shown this once. The others go on for `grace_s` seconds: change the sender meanwhile."""
        made = await world.store.write(
            once, request.asked(rotation), rotate, issue, int(item_id), rotation or Rotation()
        )
        return made.response()

    @routes.get(
        "/integrations/{item_id}/keys",
        response_model=list_model("IntegrationKeyList", IntegrationKey),
        tags=["integrations"],
        summary="List the keys of an integration",
        operation_id="list_integration_keys",
        responses=answers(404),
    )
    async def list_keys(item_id: IdText) -> Any:
        """By their last four characters; the keys themselves are not kept."""
        return {"items": await world.store.read(keys_of, int(item_id)), "next_cursor": None}

    @routes.get(
        "/integrations/{item_id}/unparsed",
        response_model=list_model("UnparsedList", Unparsed),
        tags=["integrations"],
        summary="List messages that could not be read",
        operation_id="list_unparsed",
        responses=answers(404),
    )
    async def list_unparsed(
        item_id: IdText, limit: Annotated[int, Query(ge=1, le=MAX_UNPARSED)] = 20, cursor: Cursor = None
    ) -> Any:
        """Newest first, with the reason and what came."""
        found = await world.store.read(unparsed_of, int(item_id), position(cursor, NEWEST), limit + 1)
        return page(found, limit, _unparsed, lambda row: int(row.id))

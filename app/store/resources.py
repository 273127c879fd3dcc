"""Configuration: documents with a version, each edit kept as a revision. Knows no kind of document.

Who edits says which version was seen; an edit of an older one is refused, so two people never overwrite each other
unseen. Every edit raises the number `config_version`, by which readers know that what they remember is out of date.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import structlog
from pydantic import BaseModel, ValidationError
from sqlalchemy import bindparam, insert, select, update

from app.clock import Micros
from app.store.database import Reading, Writing
from app.store.tables import instance, resources, revisions

log = structlog.get_logger(__name__)

Shape = TypeVar("Shape", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Resource:
    """One document of configuration, as it is now."""

    id: int
    kind: str
    name: str
    document: dict[str, Any]
    version: int
    created_at: Micros
    updated_at: Micros
    deleted_at: Micros | None = None

    def as_a(self, shape: type[Shape]) -> Shape:
        """What the document says, but for what only a newer version knows: replicas are replaced one by one.

        Raises ValidationError, which `readable` is for.
        """
        return shape.model_validate(self.document, extra="ignore")


def readable(found: Iterable[Resource], shape: type[Shape]) -> dict[int, Shape]:
    """What these documents say, by id. One that can't be read is named in the log and left out: it must not stop all others."""
    read = {}
    for one in found:
        try:
            read[one.id] = one.as_a(shape)
        except ValidationError as error:
            why = "; ".join(f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors())
            said = {"kind": one.kind, "id": one.id, "name": one.name, "why": why}
            log.error("document_unreadable", **said)  # noqa: TRY400 - a traceback would say no more
    return read


class Refused(Exception):
    """An edit that can't be done, with a name for machines and a sentence for people."""

    def __init__(self, name: str, sentence: str) -> None:
        super().__init__(sentence)
        self.name = name


_COLUMNS = (
    resources.c.id,
    resources.c.kind,
    resources.c.name,
    resources.c.document,
    resources.c.version,
    resources.c.created_at,
    resources.c.updated_at,
    resources.c.deleted_at,
)


# Asked many times a page: built once, which costs five times what asking does.
_AMONG = select(*_COLUMNS).where(
    resources.c.id.in_(bindparam("wanted", expanding=True)), resources.c.kind == bindparam("kind")
)
_AMONG_LIVING = _AMONG.where(resources.c.deleted_at.is_(None))


_LIVING = select(*_COLUMNS).where(resources.c.kind == bindparam("kind"), resources.c.deleted_at.is_(None))
_LISTED = (
    _LIVING.where(resources.c.id > bindparam("after", type_=resources.c.id.type))
    .order_by(resources.c.id)
    .limit(bindparam("most"))
)
_NAMED = _LIVING.where(resources.c.name == bindparam("called"))


async def load(view: Reading, kind: str, ids: Iterable[int], *, deleted: bool = False) -> dict[int, Resource]:
    """The resources of `kind` among `ids`, by id; deleted ones only on request (to explain the past)."""
    wanted = sorted(set(ids))
    if not wanted:
        return {}
    found = await view.conn.execute(_AMONG if deleted else _AMONG_LIVING, {"kind": kind, "wanted": wanted})
    return {row.id: Resource(*row) for row in found}


async def listed(view: Reading, kind: str, *, after: int = 0, limit: int = 1_000_000) -> list[Resource]:
    """The resources of `kind` that are not deleted, oldest first, with an id above `after`."""
    found = await view.conn.execute(_LISTED, {"kind": kind, "after": after, "most": limit})
    return [Resource(*row) for row in found]


_VERSIONS = select(resources.c.id, resources.c.version).where(
    resources.c.kind == bindparam("kind"), resources.c.deleted_at.is_(None)
)


async def versions(view: Reading, kind: str) -> dict[int, int]:
    """The version of each resource of `kind` that is not deleted, by id: to read again only what was edited."""
    return {row.id: row.version for row in await view.conn.execute(_VERSIONS, {"kind": kind})}


async def named(view: Reading, kind: str, name: str) -> Resource | None:
    """The resource of that name that is not deleted."""
    row = (await view.conn.execute(_NAMED, {"kind": kind, "called": name})).first()
    return Resource(*row) if row else None


async def revision(view: Reading, resource_id: int, version: int) -> dict[str, Any] | None:
    """The document as it was in `version`."""
    question = select(revisions.c.document).where(
        revisions.c.resource_id == resource_id, revisions.c.version == version
    )
    return (await view.conn.execute(question)).scalar()


async def history(view: Reading, resource_id: int) -> Sequence[Any]:
    """Every revision, oldest first: (version, document, changed_at, changed_by, action)."""
    question = (
        select(
            revisions.c.version,
            revisions.c.document,
            revisions.c.changed_at,
            revisions.c.changed_by,
            revisions.c.action,
        )
        .where(revisions.c.resource_id == resource_id)
        .order_by(revisions.c.version)
    )
    return (await view.conn.execute(question)).all()


async def create(tx: Writing, kind: str, name: str, document: dict[str, Any], by: str) -> Resource:
    """Adds a resource. Raises Refused(`name_taken`)."""
    if await named(tx, kind, name):
        raise Refused("name_taken", f"there is already a {kind} named {name!r}; choose another name or edit that one")
    made = Resource(tx.new_id(), kind, name, document, 1, tx.now, tx.now)
    await tx.conn.execute(
        insert(resources).values(
            id=made.id, kind=kind, name=name, document=document, version=1, created_at=tx.now, updated_at=tx.now
        )
    )
    await _record(tx, made, by, "created")
    return made


async def replace(tx: Writing, old: Resource, name: str, document: dict[str, Any], by: str, *, seen: int) -> Resource:
    """Puts a new document in the place of `old`. Raises Refused(`version_mismatch`, `name_taken`)."""
    taken = await named(tx, old.kind, name)
    if taken and taken.id != old.id:
        raise Refused("name_taken", f"there is already a {old.kind} named {name!r}; choose another name")
    new = Resource(old.id, old.kind, name, document, seen + 1, old.created_at, tx.now)
    await _swap(tx, new, seen, None)
    await _record(tx, new, by, "changed")
    return new


async def remove(tx: Writing, old: Resource, by: str, *, seen: int) -> None:
    """Marks a resource deleted; what was is kept. Raises Refused(`version_mismatch`)."""
    gone = Resource(old.id, old.kind, old.name, old.document, seen + 1, old.created_at, tx.now, tx.now)
    await _swap(tx, gone, seen, tx.now)
    await _record(tx, gone, by, "deleted")


async def _swap(tx: Writing, new: Resource, seen: int, deleted_at: Micros | None) -> None:
    done = await tx.conn.execute(
        update(resources)
        .where(resources.c.id == new.id, resources.c.version == seen, resources.c.deleted_at.is_(None))
        .values(name=new.name, document=new.document, version=new.version, updated_at=tx.now, deleted_at=deleted_at)
    )
    if not done.rowcount:
        raise Refused(
            "version_mismatch",
            f"this {new.kind} was changed by somebody else since version {seen}; read it again and repeat the edit",
        )


async def _record(tx: Writing, resource: Resource, by: str, action: str) -> None:
    await tx.conn.execute(
        insert(revisions).values(
            resource_id=resource.id,
            version=resource.version,
            document=resource.document,
            changed_at=tx.now,
            changed_by=by,
            action=action,
        )
    )
    await touch_config(tx)


async def touch_config(tx: Writing) -> None:
    """Tells every reader that what it remembers of the configuration is out of date."""
    version = tx.new_id()
    done = await tx.conn.execute(update(instance).where(instance.c.name == "config_version").values(value=str(version)))
    if not done.rowcount:
        await tx.conn.execute(insert(instance).values(name="config_version", value=str(version)))


_CONFIG_VERSION = select(instance.c.value).where(instance.c.name == "config_version")
_CONFIG_HELD = _CONFIG_VERSION.with_for_update(read=True)


async def config_held(tx: Writing) -> str:
    """The version of the configuration, which nobody changes until this transaction ends.

    For what is decided by the configuration and not asked again by itself: an edit then comes either before the decision,
    and is seen, or after it, and sees what was decided.
    """
    return (await tx.conn.execute(_CONFIG_HELD)).scalar() or ""


async def config_version(view: Reading) -> str:
    """Changes with every edit of the configuration; empty before the first."""
    return (await view.conn.execute(_CONFIG_VERSION)).scalar() or ""

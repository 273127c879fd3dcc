"""What many routes take beside a body: ids, pages of a list, the version that was seen, the key of a repeated request.

Ids are decimal text on the outside, because browsers round numbers this large. A cursor is an id in a form that nobody
is tempted to compute with; it stays good for ever.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Sequence
from typing import Annotated, Any, TypeVar

from fastapi import Header, Path, Query
from pydantic import BaseModel, create_model

from app.api.problems import VersionMissing, invalid
from app.clock import Micros
from app.oncall.codec import INSTANT, PERSON, read_instant
from app.oncall.schedule import FIRST_YEAR, LAST_INSTANT, LAST_YEAR, BadField
from app.store.resources import Refused

ID = PERSON
"""The form of every id."""
MAX_LIMIT = 500
NEWEST = 2**63 - 1
"""Before it is every id: where a list that shows the newest first begins."""

T = TypeVar("T")

IdText = Annotated[str, Path(pattern=ID, description="As text of digits.", examples=["8012345678901234"])]
Number = Annotated[int, Path(ge=1, lt=2**53, description="The number people call the incident by.", examples=[17])]
Limit = Annotated[int, Query(ge=1, le=MAX_LIMIT, description="How many items to answer at most.")]
Cursor = Annotated[
    str | None, Query(max_length=40, description="`next_cursor` of the answer before; leave it out to begin.")
]
IfMatch = Annotated[
    str | None,
    Header(max_length=40, description='The ETag of the version that was seen, such as `"3"`.', examples=['"3"']),
]
IdempotencyKey = Annotated[
    str | None,
    Header(
        min_length=1,
        max_length=200,
        pattern=r"^[\x21-\x7e]+$",
        description="Any text that is new for each thing to be done. The same request with the same key is done once; "
        "for 24 hours it is answered as the first time, with `Idempotent-Replay: true`.",
    ),
]
AN_INSTANT: dict[str, Any] = {"pattern": INSTANT, "description": "RFC 3339, such as 2026-03-29T01:00:00Z."}
InstantQuery = Annotated[str | None, Query(**AN_INSTANT)]

_ETAG = re.compile(r'"([1-9][0-9]{0,9})"')


def seen_version(if_match: str | None) -> int:
    """The version an edit is based on. Raises VersionMissing, Refused(`version_mismatch`)."""
    if if_match is None:
        raise VersionMissing('Send If-Match with the ETag of what you read, such as If-Match: "3".')
    found = _ETAG.fullmatch(if_match.strip())
    if not found:
        raise Refused("version_mismatch", 'If-Match must be one ETag as it was answered, such as "3"')
    return int(found[1])


def etag(version: int) -> dict[str, str]:
    """The header that names a version."""
    return {"ETag": f'"{version}"'}


def cursor_of(item_id: int) -> str:
    """Where the next page begins."""
    return base64.urlsafe_b64encode(item_id.to_bytes(8)).decode().rstrip("=")


def position(cursor: str | None, default: int) -> int:
    """The id a cursor stands for; `default` without one. Raises Invalid."""
    if cursor is None:
        return default
    try:
        found = base64.b64decode(cursor + "=", altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        found = b""
    if len(found) != 8 or found[0] > 0x7F:
        raise invalid("cursor", "must be the next_cursor of an answer to this same request", "query")
    return int.from_bytes(found)


def page(found: Sequence[T], limit: int, show: Callable[[T], Any], item_id: Callable[[T], int]) -> dict[str, Any]:
    """One page of a list, from one item more than it may have."""
    items = found[:limit]
    more = len(found) > limit
    return {"items": [show(item) for item in items], "next_cursor": cursor_of(item_id(items[-1])) if more else None}


def list_model(name: str, item: type[BaseModel]) -> type[BaseModel]:
    """The form of a page of these, for the OpenAPI document."""
    return create_model(name, items=(list[item], ...), next_cursor=(str | None, None))  # type: ignore[valid-type] # the item is known only when the routes are made


def instant(text: str, field: str) -> Micros:
    """The instant that the query `field` names. Raises Invalid."""
    try:
        found = read_instant(field, text)
    except BadField as error:
        raise invalid(field, error.rule, "query") from None
    if not 0 <= found < LAST_INSTANT:
        raise invalid(field, f"must be in the years {FIRST_YEAR} to {LAST_YEAR}", "query")
    return found

"""How the body of a request is read: bounded, as strict JSON, with text that every database can keep.

NaN, lone surrogates, broken UTF-8 and bottomless nesting are no JSON (orjson refuses them); NUL and other control
characters are refused by the name of their field, because PostgreSQL stores no NUL and a terminal obeys the rest.
Must never know what a document means.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Coroutine, Iterator
from itertools import islice
from typing import Any

import orjson
from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.responses import Response

from app.api.problems import FieldError, Invalid, TooLarge, invalid

MAX_BYTES = 1024 * 1024
"""The largest document there is, a schedule of 50 layers with 500 people each, has half of it."""
MAX_FAULTS = 10

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


class _Read(Request):
    """A request whose document was read already."""

    document: Any

    async def json(self) -> Any:
        return self.document


class StrictRoute(APIRoute):
    """A route whose body, when it takes one, is read here before anything else looks at it."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()
        if self.body_field is None:
            return handle

        async def strict(request: Request) -> Response:
            read = _Read(request.scope, request.receive)
            read._body = await bounded(request)  # noqa: SLF001 - where Starlette itself keeps a body that was read
            read.document = document_of(read._body)  # noqa: SLF001 - as above
            return await handle(read)

        return strict


async def bounded(request: Request) -> bytes:
    """The whole body. Raises TooLarge."""
    read = bytearray()
    async for chunk in request.stream():
        read += chunk
        if len(read) > MAX_BYTES:
            raise TooLarge(f"A document may have {MAX_BYTES} bytes.")
    return bytes(read)


def document_of(body: bytes) -> Any:
    """The JSON document; None for no body. Pure. Raises Invalid."""
    if not body:
        return None
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise invalid("", f"is not JSON: {error.msg} (line {error.lineno}, column {error.colno})") from None
    if faults := list(islice(_unfit(found, ""), MAX_FAULTS)):
        raise Invalid(*faults)
    return found


def _unfit(value: Any, path: str) -> Iterator[FieldError]:
    """The texts that can't be kept, names of fields among them."""
    if isinstance(value, str):
        if _CONTROL.search(value):
            yield FieldError(where="body", field=path, message="has a control character; leave it out")
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _unfit(item, f"{path}.{index}" if path else str(index))
    elif isinstance(value, dict):
        for name, item in value.items():
            if _CONTROL.search(name):
                yield FieldError(where="body", field=path, message="has a field with a control character in its name")
            yield from _unfit(item, f"{path}.{name}" if path else name)

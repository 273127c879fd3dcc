"""Forms of our own pages, as browsers send them: bounded, and only when nobody else sent them for the person.

For pages behind signed links (links.py, tickets.py). Must never know what a form asks for.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import parse_qs

from fastapi import Request
from starlette.requests import ClientDisconnect

MAX_FORM = 4_096
"""Bytes of a page with a few buttons; a list that can be ticked says how much it sends."""


class BadForm(Exception):
    """The form is not one of ours; the text says what was wrong."""


@dataclass(frozen=True, slots=True)
class Form:
    """The body of a POST, read and bounded."""

    fields: dict[str, list[str]]

    def one(self, name: str, default: str) -> str:
        """The last value of a field, as browsers send it."""
        return self.fields.get(name, [default])[-1]


def from_elsewhere(request: Request) -> bool:
    """Whether another site made the browser send this."""
    return request.headers.get("sec-fetch-site", "none") not in ("same-origin", "none")


async def read_form(request: Request, fields: int = 10, size: int = MAX_FORM) -> Form:
    """The fields of a small form, at most so many and so many bytes. Raises BadForm."""
    body = bytearray()
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > size:
                raise BadForm("That was more than this page sends.")
        if body and not request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
            raise BadForm("That was not a form of this page.")
        return Form(parse_qs(body.decode(), max_num_fields=fields))
    except ValueError as error:
        raise BadForm("That was not a form of this page.") from error
    except ClientDisconnect as error:
        raise BadForm("The connection ended too early.") from error

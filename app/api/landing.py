"""The front door, for somebody who opens the address in a browser: what this is, and that it runs. Nothing more."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from app import __version__
from app.api.screens import screen


def router() -> APIRouter:
    """`GET /`; it needs no key and tells nothing but the name and the version."""
    routes = APIRouter(include_in_schema=False)

    @routes.api_route("/", methods=["GET", "HEAD"])
    async def landing() -> Response:
        return screen("landing.html", {"version": __version__})

    return routes

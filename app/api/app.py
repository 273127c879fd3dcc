"""The API as one application (a first form: the API's author replaces it)."""

from __future__ import annotations

from fastapi import FastAPI

from app.api import health
from app.wiring import Process
from app.world import World


def build(world: World, process: Process) -> FastAPI:
    """All routes."""
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False)
    app.include_router(health.router(process))
    return app

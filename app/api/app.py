"""The API put together: every route behind one gate and inside one edge, and the document that describes them.

    request -> Edge (answers whatever is raised) -> Gate (whose key, which role) -> route

Senders' requests do not come here: app/server.py hands /v1/in to ingest. Nothing is decided here.
"""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware

from app.api import (
    absences,
    acts,
    alerts,
    calendar_feed,
    calendar_links,
    calendars,
    changes,
    contact_methods,
    drills,
    dry_run,
    explain,
    fairness,
    health,
    heartbeats,
    holding,
    incidents,
    integrations,
    keys,
    landing,
    links,
    notices,
    oncall,
    overrides,
    preview,
    problems,
    reachability,
    resources,
    rules,
    swaps,
    tickets,
)
from app.api.access import Gate, Keys
from app.api.body import StrictRoute
from app.api.edge import Edge, answer
from app.api.kinds import kinds
from app.api.openapi import DESCRIPTION, TITLE, document
from app.wiring import Process
from app.world import World

TAGS = {
    "incidents": "What people respond to, and what they do about it.",
    "alerts": "What senders said is wrong.",
    "changes": "What was deployed or switched, beside the incidents of the same service.",
    "keys": "Who may use this API.",
    "senders": "Where monitoring tools post to.",
    "health": "What machines ask about this process.",
}


class _Application(FastAPI):
    """Describes itself by our document."""

    def openapi(self) -> dict[str, Any]:
        return document(self)


def build(world: World, process: Process) -> FastAPI:
    """The application. Everything under /v1 needs a key; what does not is listed in access.py."""
    known = kinds(world, issue_key=integrations.issuing(world.base_url), key_shown=integrations.KeyIssued)
    about = {**TAGS, **{kind.path: kind.about for kind in known}}
    app = _Application(
        title=TITLE,
        description=DESCRIPTION,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        openapi_tags=[{"name": name, "description": said} for name, said in sorted(about.items())],
        middleware=[Middleware(Edge, world.ids), Middleware(Gate, Keys(world.store, world.clock))],
        exception_handlers={HTTPException: answer, RequestValidationError: answer},
    )
    v1 = APIRouter(prefix="/v1", route_class=StrictRoute, responses=problems.answers(422))
    for kind in known:
        resources.add_routes(v1, world, kind)
    for module in (
        incidents,
        acts,
        explain,
        dry_run,
        alerts,
        changes,
        integrations,
        heartbeats,
        holding,
        oncall,
        preview,
        overrides,
        swaps,
        absences,
        fairness,
        keys,
        calendars,
        contact_methods,
        notices,
        drills,
        calendar_links,
        reachability,
        rules,
    ):
        module.add_routes(v1, world)
    v1.add_api_route(
        "/openapi.json", app.openapi, methods=["GET"], include_in_schema=False, response_class=JSONResponse
    )
    app.include_router(v1)
    for router in _open(world, process):
        app.include_router(router)
    return app


def _open(world: World, process: Process) -> tuple[APIRouter, ...]:
    """The routes without a key."""
    return (
        health.router(process),
        links.router(world),
        calendar_feed.router(world),
        tickets.router(world),
        landing.router(),
    )

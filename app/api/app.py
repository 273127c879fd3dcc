"""The API put together: every route behind one gate and inside one edge, and the document that describes them.

    request -> Edge (answers whatever is raised) -> Gate (whose key, which role) -> route

Senders' requests do not come here: app/server.py hands /v1/in to ingest. Nothing is decided here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware

from app.api import (
    absences,
    acts,
    alerts,
    bundle_list,
    calendar_feed,
    calendar_links,
    calendars,
    changes,
    contact_methods,
    corrections,
    drills,
    dry_run,
    explain,
    fairness,
    hands,
    health,
    heartbeats,
    holding,
    incidents,
    integrations,
    keys,
    landing,
    links,
    noise,
    notices,
    oncall,
    overrides,
    preview,
    problems,
    reachability,
    receipts,
    resources,
    rules,
    senders,
    silences,
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
    "noise": "What pages cost, and which of them nobody needed.",
    "health": "What machines ask about this process.",
}


class _Application(FastAPI):
    """Describes itself by our document."""

    def openapi(self) -> dict[str, Any]:
        return document(self)


_DOCUMENT = APIRouter(prefix="/v1", route_class=StrictRoute)


@_DOCUMENT.get("/openapi.json", include_in_schema=False, response_class=JSONResponse)
def _document(request: Request) -> dict[str, Any]:
    described: dict[str, Any] = request.app.openapi()
    return described


@dataclass(frozen=True, slots=True)
class Routes:
    """What is answered. A route reads its world at each request and remembers nothing of it from when it was made."""

    about: dict[str, str]
    """What is said of each group of routes."""
    keyed: APIRouter
    """Under /v1, with a key."""
    unkeyed: tuple[APIRouter, ...]
    """Listed in access.py."""


def routes(world: World) -> Routes:
    """Every route but those that look at the process."""
    known = kinds(world, issue_key=integrations.issuing(world), key_shown=integrations.KeyIssued)
    v1 = APIRouter(prefix="/v1", route_class=StrictRoute, responses=problems.answers(422))
    # Routes are tried in their order: what is asked most comes first.
    oncall.add_routes(v1, world)
    for kind in known:
        resources.add_routes(v1, world, kind)
    for module in (
        incidents,
        acts,
        hands,
        explain,
        dry_run,
        alerts,
        changes,
        integrations,
        heartbeats,
        noise,
        holding,
        preview,
        overrides,
        swaps,
        absences,
        fairness,
        keys,
        calendars,
        contact_methods,
        corrections,
        notices,
        drills,
        calendar_links,
        reachability,
        rules,
        senders,
        silences,
    ):
        module.add_routes(v1, world)
    return Routes(
        about={**TAGS, **{kind.path: kind.about for kind in known}},
        keyed=v1,
        unkeyed=(
            links.router(world),
            bundle_list.router(world),
            receipts.router(world),
            calendar_feed.router(world),
            tickets.router(world),
            landing.router(),
        ),
    )


def build(world: World, process: Process, made: Routes | None = None) -> FastAPI:
    """The application, of `made` or of routes of its own. Everything under /v1 needs a key."""
    made = made or routes(world)
    app = _Application(
        title=TITLE,
        description=DESCRIPTION,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        openapi_tags=[{"name": name, "description": said} for name, said in sorted(made.about.items())],
        middleware=[Middleware(Edge, world.ids), Middleware(Gate, Keys(world.store, world.clock))],
        exception_handlers={HTTPException: answer, RequestValidationError: answer},
    )
    app.state.process = process
    for router in (made.keyed, _DOCUMENT, health.ROUTES, *made.unkeyed):
        # Not included, which has each request look for its route twice, and along a longer way.
        app.router.routes.extend(router.routes)
    return app

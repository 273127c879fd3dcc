"""The edge of the API: whatever is raised inside is answered here, and nothing escapes to the server.

Must never choose a status (problems.py does), nor put anything of a request into the log that may be a secret.
"""

from __future__ import annotations

import structlog
from fastapi.routing import iter_route_contexts
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.api.problems import Refusal, Unauthorized, fault, refusal_of
from app.api.screens import nowhere
from app.ids import Ids

log = structlog.get_logger(__name__)


async def answer(request: Request, error: Exception) -> Response:
    """The handler of what Starlette and FastAPI would answer in a form of their own."""
    if isinstance(error, HTTPException) and error.status_code == 405:
        # Starlette names the methods of the first route of a path only.
        error = HTTPException(405, headers={"Allow": ", ".join(sorted(_methods(request)))})
    refusal = refusal_of(error)
    assert refusal is not None
    return nowhere() if refusal.status == 404 and _is_lost(request.scope) else refusal.response()


def _is_lost(scope: Scope) -> bool:
    """A browser, and not at the API: somebody mistyped an address or has only a part of a link."""
    headers = dict(scope["headers"])
    wants_page = scope["method"] == "GET" and b"text/html" in headers.get(b"accept", b"")
    return wants_page and b"authorization" not in headers and not f"{scope['path']}/".startswith("/v1/")


def _methods(request: Request) -> set[str]:
    """All that the path takes."""
    routes = iter_route_contexts(request.app.routes)
    fits = (route for route in routes if route.path_regex.match(request.scope["path"]))
    return {method for route in fits for method in route.methods or ()}


class Edge:
    """Around the whole application; one request fails alone."""

    def __init__(self, app: ASGIApp, ids: Ids) -> None:
        self._app = app
        self._ids = ids

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        begun = False

        async def sending(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self._app(scope, receive, sending)
        except Exception as error:  # the edge: what nobody foresaw is said, and the next request goes on
            refusal = refusal_of(error) or self._fault(scope, error)
            if begun:
                raise
            # What is there only for a key is not there for a browser.
            lost = isinstance(error, Unauthorized) and _is_lost(scope)
            await (nowhere() if lost else refusal.response())(scope, receive, send)

    def _fault(self, scope: Scope, error: Exception) -> Refusal:
        error_id = self._ids.secret(9)
        # The template of the route and not the path, which may hold a link's token.
        route = getattr(scope.get("route"), "path", "")
        log.error("request_failed", error_id=error_id, method=scope.get("method"), route=route, exc_info=error)
        return fault(error_id)

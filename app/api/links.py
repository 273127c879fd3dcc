"""The page behind a link: `GET /a/TOKEN` shows the incident and changes nothing of it, `POST /a/TOKEN` acts.

The token is the credential: it says whose it is, which incident and what may be done. A link that opens nothing is
answered the same whether its incident exists or not. Who opened a link is written down after the answer, at most 50
times an incident. An action is answered by a redirect to the same page, so that loading it again sends nothing twice.
"""

from __future__ import annotations

from typing import cast, get_args

import structlog
from fastapi import APIRouter, Request
from starlette.background import BackgroundTask
from starlette.responses import RedirectResponse, Response

from app.api import link_facts
from app.api.forms import BadForm, Form, from_elsewhere, read_form
from app.api.link_screen import SNOOZES, context
from app.api.screens import HEADERS, elsewhere, notice, screen, trouble
from app.incidents.incident import Resolution
from app.incidents.respond import NoSuchIncident
from app.paging import links
from app.paging.answer import DONE, Said, Wish, answer
from app.paging.links import Expired, Link
from app.paging.visitors import Visitor, who
from app.store.errors import StoreError
from app.world import World

log = structlog.get_logger(__name__)

PAGES_GO_ON = "Pages go on until somebody has acknowledged, so if you are on it, tell your team by another way too."
_CHOICES: frozenset[Resolution] = frozenset({"fix", "workaround", "false_alarm"})


def router(world: World) -> APIRouter:
    """The routes; none needs a key, none is in the schema."""
    routes = APIRouter(include_in_schema=False)

    @routes.api_route("/a/{token:path}", methods=["GET", "HEAD"])
    async def show(request: Request, token: str) -> Response:
        """The incident and its buttons. Never acts."""
        try:
            link = links.read(world.secret, token, world.clock.now())
            return await _shown(world, request, link)
        except (links.LinkError, NoSuchIncident) as error:
            return _closed(error)
        except StoreError:
            return trouble(PAGES_GO_ON)

    @routes.post("/a/{token:path}")
    async def act(request: Request, token: str) -> Response:
        """Does what the link may do."""
        if from_elsewhere(request):
            return elsewhere()
        try:
            link = links.read(world.secret, token, world.clock.now())
            wish = wish_of(await read_form(request))
            return await _acted(world, link, wish)
        except (links.LinkError, NoSuchIncident) as error:
            return _closed(error)
        except BadForm as error:
            return notice(400, "Nothing was done", str(error))
        except StoreError:
            return trouble(PAGES_GO_ON)

    return routes


async def _shown(world: World, request: Request, link: Link) -> Response:
    visitor = who(request.method, request.headers)
    world.metrics.link_opens.labels(visitor.by).inc()
    facts = await world.store.read(link_facts.facts_of, link)
    answered = screen("incident.html", context(facts, link, world.secret, _said(request.query_params.get("did", ""))))
    if await world.store.read(link_facts.has_room, link, visitor):
        agent = request.headers.get("user-agent", "")
        answered.background = BackgroundTask(_note, world, link, visitor, agent)
    return answered


def _said(word: str) -> Said | None:
    return cast(Said, word) if word in get_args(Said) else None


async def _note(world: World, link: Link, visitor: Visitor, agent: str) -> None:
    """Writes a visit down, after the page has been answered: nobody waits for it, and it may fail."""
    try:
        await world.store.write(link_facts.note_visit, link, visitor, agent)
    except StoreError as error:
        log.warning("link_visit_not_kept", by=visitor.by, error=str(error))


async def _acted(world: World, link: Link, wish: Wish) -> Response:
    said = await world.store.write(answer, link, wish)
    world.wake.set()
    log.info("link_used", action=link.action, incident=link.number, said=said)
    if said in DONE or said == "already":
        return _back(world, link, said)
    facts = await world.store.read(link_facts.facts_of, link)
    return screen("incident.html", context(facts, link, world.secret, said), status=409)


def _back(world: World, link: Link, said: Said) -> Response:
    """To the page the person came from: a relative address works behind any proxy."""
    token = links.beside(world.secret, link, "acknowledge")
    return RedirectResponse(f"./{token}?did={said}", 303, HEADERS)


def wish_of(form: Form) -> Wish:
    """What a form asks for; what it does not say has the mildest meaning. Raises BadForm."""
    minutes = form.one("minutes", str(SNOOZES[0][0]))
    if minutes not in {str(known) for known, _ in SNOOZES}:
        raise BadForm("A snooze lasts 15 min, 1 h or 4 h.")
    resolution = form.one("resolution", "fix")
    if resolution not in _CHOICES:
        raise BadForm("It is over by a fix, a workaround, or as a false alarm.")
    return Wish(form.one("take_over", "") == "1", int(minutes) * 60, resolution)


def _closed(error: Exception) -> Response:
    if isinstance(error, Expired):
        return notice(
            410,
            "This link's time is over",
            "Nothing was changed. If it still pages, the newest page has a link that works.",
            "Otherwise ask your team who has it.",
        )
    return notice(
        404,
        "This link opens nothing",
        "Perhaps a part of it was lost on its way. Open it again from the page you got, "
        "or copy the whole address into the browser.",
        "If that does not help, ask your team who has it.",
    )

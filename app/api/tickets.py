"""The page behind a ticket: `GET /t/TOKEN` shows a swap or a drill and changes nothing, `POST /t/TOKEN` answers it.

The token is the credential, as of the links in pages (links.py): it says whose it is and what it is about. An answer is
followed by a redirect to the same page, so that loading it again sends nothing twice.
"""

from __future__ import annotations

from typing import cast, get_args

import structlog
from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from app.api.forms import BadForm, Form, from_elsewhere, read_form
from app.api.screens import HEADERS, elsewhere, notice, screen, trouble
from app.api.ticket_screen import context, words_of
from app.paging.tokens import Expired, LinkError
from app.paging.visitors import who
from app.rota import answers, tickets
from app.rota.answers import Said, Word
from app.rota.tickets import Ticket
from app.store.errors import StoreError
from app.store.resources import Refused
from app.world import World

log = structlog.get_logger(__name__)


def router(world: World) -> APIRouter:
    """The routes; none needs a key, none is in the schema."""
    routes = APIRouter(include_in_schema=False)

    @routes.api_route("/t/{token:path}", methods=["GET", "HEAD"])
    async def show(request: Request, token: str) -> Response:
        """What is asked, and the buttons. Never acts."""
        try:
            ticket = tickets.read(world.secret, token, world.clock.now())
            facts = await world.store.read(answers.facts_of, ticket)
        except LinkError as error:
            return _closed(error)
        except StoreError:
            return trouble()
        world.metrics.link_opens.labels(who(request.method, request.headers).by).inc()
        return screen("ticket.html", context(facts, ticket, token, _said(request.query_params.get("did", ""))))

    @routes.post("/t/{token:path}")
    async def act(request: Request, token: str) -> Response:
        """Does what was pressed."""
        if from_elsewhere(request):
            return elsewhere()
        try:
            ticket = tickets.read(world.secret, token, world.clock.now())
            return await _acted(world, ticket, token, word_of(await read_form(request), ticket))
        except LinkError as error:
            return _closed(error)
        except BadForm as error:
            return notice(400, "Nothing was done", str(error))
        except StoreError:
            return trouble()

    return routes


def _said(word: str) -> Said | None:
    return cast(Said, word) if word in get_args(Said) else None


def word_of(form: Form, ticket: Ticket) -> Word:
    """What a form asks for. Only a drill has a meaning without a word: there is one thing to say. Raises BadForm."""
    known = words_of(ticket)
    said = form.one("answer", known[0] if len(known) == 1 else "")
    if said not in known:
        raise BadForm(f"The answer must be one of: {', '.join(known)}. Press a button of the page.")
    return said


async def _acted(world: World, ticket: Ticket, token: str, word: Word) -> Response:
    try:
        said = await world.store.write(answers.act, ticket, word)
    except Refused as error:
        facts = await world.store.read(answers.facts_of, ticket)
        sentence = f"Nothing was done: {error}."
        return screen("ticket.html", context(facts, ticket, token, None, sentence), status=409)
    world.wake.set()
    log.info("ticket_used", purpose=ticket.purpose, subject=ticket.subject, said=said)
    # A relative address works behind any proxy.
    return RedirectResponse(f"./{token}?did={said}", 303, HEADERS)


def _closed(error: Exception) -> Response:
    if isinstance(error, Expired):
        return notice(
            410,
            "This link's time is over",
            "Nothing was changed. If it is still asked of you, ask whoever sent it to send it again.",
        )
    return notice(
        404,
        "This link opens nothing",
        "Perhaps a part of it was lost on its way. Open it again from the message you got, "
        "or copy the whole address into the browser.",
    )

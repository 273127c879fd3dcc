"""The list behind a bundle's link: `GET /b/TOKEN` shows what was told together and changes nothing, `POST /b/TOKEN`
acknowledges all of it or what was chosen.

The token is the credential, as of the links in single pages (links.py). An answer is followed by a redirect to the same page.
"""  # noqa: D205 - one sentence for both

from __future__ import annotations

from typing import Any

import structlog
from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from app.api.forms import BadForm, Form, from_elsewhere, read_form
from app.api.moments import ago, moment
from app.api.screens import HEADERS, elsewhere, notice, screen, trouble
from app.incidents.respond import NoSuchIncident
from app.paging import bundle_answers, bundle_links, links
from app.paging.bundle_answers import AT_ONCE, SHOWN, BundleList, Listed
from app.paging.bundle_links import BundleLink
from app.paging.links import Link
from app.paging.tokens import Expired, LinkError
from app.paging.visitors import who
from app.store.errors import StoreError
from app.world import World

MAX_LIST = 8_192
"""Bytes of a form in which every incident of a list is ticked."""

log = structlog.get_logger(__name__)

PAGES_GO_ON = "Pages go on until somebody has acknowledged, so if you are on it, tell your team by another way too."


def router(world: World) -> APIRouter:
    """The routes; none needs a key, none is in the schema."""
    routes = APIRouter(include_in_schema=False)

    @routes.api_route("/b/{token:path}", methods=["GET", "HEAD"])
    async def show(request: Request, token: str) -> Response:
        """The list and its buttons. Never acts."""
        try:
            link = bundle_links.read(world.secret, token, world.clock.now())
            found = await world.store.read(bundle_answers.listed, link)
        except LinkError as error:
            return _closed(error)
        except StoreError:
            return trouble(PAGES_GO_ON)
        world.metrics.link_opens.labels(who(request.method, request.headers).by).inc()
        return screen("bundle.html", context(found, link, token, world.secret, request.query_params.get("did", "")))

    @routes.post("/b/{token:path}")
    async def act(request: Request, token: str) -> Response:
        """Acknowledges."""
        if from_elsewhere(request):
            return elsewhere()
        try:
            link = bundle_links.read(world.secret, token, world.clock.now())
            form = await read_form(request, fields=SHOWN + 10, size=MAX_LIST)
            done = await _acknowledged(world, link, form)
        except (LinkError, NoSuchIncident) as error:
            return _closed(error)
        except BadForm as error:
            return notice(400, "Nothing was done", str(error))
        except StoreError:
            return trouble(PAGES_GO_ON)
        world.wake.set()
        log.info("bundle_used", person=link.person_id, acknowledged=done)
        return RedirectResponse(f"./{token}?did={done}", 303, HEADERS)

    return routes


async def _acknowledged(world: World, link: BundleLink, form: Form) -> int:
    """Acknowledges what the form asks for; answers how many. Raises BadForm, LinkError, NoSuchIncident, StoreError."""
    wanted = await world.store.read(bundle_answers.open_up_to, link, _number(form.one("last", "0")))
    if form.one("which", "") != "all":
        chosen = {_number(one) for one in form.fields.get("incident", [])}
        wanted = [one for one in wanted if one[1] in chosen]
    done = 0
    for start in range(0, len(wanted), AT_ONCE):
        done += await world.store.write(bundle_answers.acknowledge_some, link, wanted[start : start + AT_ONCE])
    return done


def _number(said: str) -> int:
    if not (said.isascii() and said.isdigit() and len(said) <= 19):
        raise BadForm("That was not a form of this page.")
    return int(said)


def context(found: BundleList, link: BundleLink, token: str, secret: str, did: str) -> dict[str, Any]:
    """Names for the template. Pure."""
    return {
        "token": token,
        "heading": _heading(found),
        "notice": _notice(int(did), found) if did.isascii() and did.isdigit() and len(did) < 6 else "",
        "rows": [_row(one, found, link, secret) for one in found.open],
        "yours": [_row(one, found, link, secret) for one in found.yours],
        "waiting": found.waiting,
        "hidden": f"The first {len(found.open)} are shown." if found.waiting > len(found.open) else "",
        "last": found.newest,
        "rest": _rest(found),
        "recipient": link.recipient,
        "expires": moment(link.expires_at, found.zone),
    }


def _notice(done: int, found: BundleList) -> str:
    if done:
        return f"{done:,} of them are yours now."
    return "Nothing was acknowledged." + (" Tick some of them, or acknowledge all." if found.waiting else "")


def _heading(found: BundleList) -> str:
    if found.waiting:
        return "1 incident has nobody yet" if found.waiting == 1 else f"{found.waiting:,} incidents have nobody yet"
    return "Nothing waits for you here"


def _rest(found: BundleList) -> str:
    parts = ((found.mine, "yours"), (found.theirs, "somebody else's"), (found.over, "over"))
    said = ", ".join(f"{many:,} {name}" for many, name in parts if many)
    return f"Of what was told to you together within a day: {said}." if said else ""


def _row(one: Listed, found: BundleList, link: BundleLink, secret: str) -> dict[str, Any]:
    own = Link("acknowledge", one.id, one.number, link.recipient, link.person_id, link.expires_at)
    return {
        "number": one.number,
        "title": one.title,
        "priority": one.priority,
        "severity": one.severity,
        "service": one.service,
        "ago": ago(one.opened_at, found.now),
        "url": f"../a/{links.write(secret, own)}",
    }


def _closed(error: Exception) -> Response:
    if isinstance(error, Expired):
        return notice(
            410,
            "This link's time is over",
            "Nothing was changed. If it still pages, the newest page has a link that works.",
        )
    return notice(
        404,
        "This link opens nothing",
        "Perhaps a part of it was lost on its way. Open it again from the page you got, "
        "or copy the whole address into the browser.",
        "If that does not help, ask your team who has it.",
    )

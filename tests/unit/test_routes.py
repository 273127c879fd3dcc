"""Routes read their world at each request: what one remembers from when it was made would be another world's answer."""

from __future__ import annotations

import gc
import weakref
from collections.abc import AsyncIterator, Iterator
from dataclasses import fields, is_dataclass
from types import FunctionType, MethodType
from typing import Any

import pytest
from fastapi.routing import APIRoute
from pydantic import SecretStr

from app.api.app import build, routes
from app.clock import SystemClock
from app.ids import ProcessIds
from app.settings import Settings
from app.wiring import Process, open_world
from app.world import World

SECRET = "a secret that nothing else equals"


@pytest.fixture
async def world() -> AsyncIterator[World]:
    settings = Settings.model_construct(secret_key=SecretStr(SECRET), public_url="http://of.this.world")
    made = await open_world(settings, SystemClock(), ProcessIds())
    yield made
    await made.outbound.aclose()
    await made.store.close()


def remembered(what: Any, seen: set[int]) -> Iterator[Any]:
    """Everything that a route's code holds on to, except a world itself, which is what it shall hold."""
    if id(what) in seen or isinstance(what, World):
        return
    seen.add(id(what))
    yield what
    inner: list[Any] = []
    if isinstance(what, FunctionType):
        inner = [cell.cell_contents for cell in what.__closure__ or ()]
    elif isinstance(what, MethodType):
        inner = [what.__self__, what.__func__]
    elif isinstance(what, list | tuple | set | frozenset):
        inner = list(what)
    elif isinstance(what, dict):
        inner = list(what.values())
    elif is_dataclass(what) and not isinstance(what, type):
        inner = [getattr(what, field.name) for field in fields(what)]
    elif type(what).__module__.startswith("app."):
        inner = list(getattr(what, "__dict__", {}).values())
    for one in inner:
        yield from remembered(one, seen)


async def test_no_route_remembers_a_part_of_its_world(world: World) -> None:
    parts = {id(getattr(world, field.name)): field.name for field in fields(World)}
    texts = {world.secret: "secret", world.base_url: "base_url"}
    made = routes(world)
    for router in (made.keyed, *made.unkeyed):
        for route in router.routes:
            assert isinstance(route, APIRoute)
            for held in remembered(route.endpoint, set()):
                name = texts.get(held) if isinstance(held, str) else parts.get(id(held))
                assert name is None, f"{route.path}: read `world.{name}` at each request, not once"


async def test_an_application_that_is_done_with_is_let_go(world: World) -> None:
    """What FastAPI remembers of each endpoint for ever must not hold a process, its database and all of its statements."""
    made = routes(world)
    process = Process(world)
    application = weakref.ref(build(world, process, made))
    gc.collect()
    assert application() is None

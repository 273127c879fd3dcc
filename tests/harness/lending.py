"""Worlds whose routes are made already, lent to one story after another: making all routes costs more than most stories.

Routes read their world at each request, so a world that is filled anew makes them another story's. A test holds routes to
that (tests/unit/test_api_rules.py).
"""

from __future__ import annotations

from dataclasses import fields

from app.api.app import Routes, routes
from app.world import World

_idle: list[tuple[World, Routes]] = []


def lend(made: World) -> tuple[World, Routes]:
    """A world with all that `made` has, to be used in its place, and the routes that answer for it."""
    if not _idle:
        return made, routes(made)
    world, known = _idle.pop()
    for field in fields(World):
        setattr(world, field.name, getattr(made, field.name))
    return world, known


def give_back(world: World, known: Routes) -> None:
    """Ends the loan; nothing of the story is under way any more."""
    _idle.append((world, known))

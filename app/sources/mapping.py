"""Where in a sender's JSON a value is found: the paths a person writes into an integration's mapping.

Pure look-up: no expressions, no templates, nothing from a payload is ever run.

    alert.labels.host     from the event itself, step by step; a number counts into a list; a key with dots is found too
    /org/name             from the whole body (JSON pointer: ~1 is a slash, ~0 a tilde), also above the list of events
    =production           just this text

A list of them is tried in order; the first that says something wins.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Annotated, Any, NamedTuple

from pydantic import AfterValidator, BeforeValidator, Field

from app.sources.limits import text

MAX_PATH = 500

_INDEX = re.compile(r"[0-9]{1,8}")


def _as_list(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def printable(written: str) -> str:
    """The text itself, or a ValueError when it holds what nobody can see."""
    if not written.isprintable():
        raise ValueError("there are invisible characters in it, such as a line break")
    return written


def _checked_path(path: str) -> str:
    """The path itself, or a ValueError that says how to write it better."""
    printable(path)
    if path.startswith("="):
        return path
    if path != path.strip() or not path:
        raise ValueError("a path must not be empty or have spaces around it; a fixed text is written `=text`")
    if path.startswith("$"):
        raise ValueError("write `alert.host` instead of `$.alert.host`")
    if path.startswith("/"):
        if path.replace("~0", "").replace("~1", "").count("~"):
            raise ValueError("in a path that begins with /, a tilde is written ~0 and a slash in a key ~1")
    elif any(not step for step in path.split(".")):
        raise ValueError("a path has a dot too many; a key with dots of its own is written as it is")
    return path


def _checked_value_path(path: str) -> str:
    if path.startswith("="):
        raise ValueError("this must be a path into the body, not a fixed text")
    return _checked_path(path)


_Text = Annotated[str, Field(max_length=MAX_PATH)]
Path = Annotated[_Text, AfterValidator(_checked_value_path)]
"""One place in the body."""

Lookup = Annotated[
    tuple[Annotated[_Text, AfterValidator(_checked_path)], ...],
    BeforeValidator(_as_list, json_schema_input_type=str | list[str]),
    Field(max_length=20),
]
"""One path or fixed text, or several to try in order."""


class _Place(NamedTuple):
    """A path taken apart."""

    steps: tuple[tuple[str, str], ...]
    """Each step, and the key with dots that it and all after it may be. None of them: the path is a fixed text."""
    absolute: bool
    fixed: str


def find(path: str, event: Any, body: Any) -> Any:
    """What stands at `path`; None when nothing does."""
    steps, absolute, _ = _place(path)
    return _walk(steps, body if absolute else event)


def look(lookup: tuple[str, ...], event: Any, body: Any) -> str:
    """The text of the first of these that says something, else an empty one."""
    for path in lookup:
        steps, absolute, fixed = _place(path)
        found = _walk(steps, body if absolute else event) if steps else fixed
        if found is not None and (said := (found if type(found) is str else text(found)).strip()):
            return said
    return ""


@lru_cache(maxsize=4_096)
def _place(path: str) -> _Place:
    if path.startswith("="):
        return _Place((), absolute=False, fixed=path[1:])
    absolute = path.startswith("/")
    steps = (
        [step.replace("~1", "/").replace("~0", "~") for step in path[1:].split("/")] if absolute else path.split(".")
    )
    return _Place(tuple((step, ".".join(steps[at:])) for at, step in enumerate(steps)), absolute, "")


def _walk(steps: tuple[tuple[str, str], ...], value: Any) -> Any:
    for step, whole in steps:
        if type(value) is dict:
            if whole in value:
                return value[whole]
            value = value.get(step)
        elif type(value) is list and _INDEX.fullmatch(step):
            value = value[int(step)] if int(step) < len(value) else None
        else:
            return None
    return value

"""What the monitoring tools send: bodies as they really look, with times of a few minutes ago put in."""

from __future__ import annotations

from importlib.resources import files

from app.clock import MINUTE, Micros, iso

BEGAN_BEFORE: Micros = 3 * MINUTE


def sample(kind: str, now: Micros) -> bytes:
    """The message of one kind of sender, about something that began three minutes ago."""
    began = now - BEGAN_BEFORE
    body = files("app.cli").joinpath("samples", f"{kind}.json").read_text(encoding="utf-8")
    marks = {"@STARTED@": iso(began), "@STARTED_MS@": str(began // 1_000), "@STARTED_S@": str(began // 1_000_000)}
    for mark, value in marks.items():
        body = body.replace(mark, value)
    return body.encode()

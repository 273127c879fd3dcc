"""A change somebody made: a deployment, a switch that was thrown. Nothing is wrong and nobody is paged; it stands beside
the incidents of its service, because what broke was often just changed. A value; knows no sender.
"""  # noqa: D205 - one sentence for what it is

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from app.clock import Micros


@dataclass(frozen=True, slots=True)
class Change:
    """What one sender said about one change."""

    summary: str
    at: Micros | None
    """When it was made; None when the sender does not say."""
    source: str = ""
    """Where: a build server, a host."""
    details: Mapping[str, str] | None = None
    links: tuple[tuple[str, str], ...] = ()
    """(text, http or https address), checked to be nothing else."""

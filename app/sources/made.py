"""Keys for messages whose sender gave none, where each such message is a problem of its own. Pure.

The same message within a minute is a retry of it: its answer was lost, not a second problem found.
"""

from __future__ import annotations

from typing import Any

from app.clock import MINUTE, Micros
from app.sources.limits import digest

MADE = "tocsin-"
"""What these keys begin with."""
MADE_FOR = MINUTE


def made_key(value: Any, now: Micros) -> str:
    """The same for the same message within the same minute."""
    return f"{MADE}{digest(value)}-{now // MADE_FOR}"

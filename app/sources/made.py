"""Keys for messages whose sender gave none, where each such message is a problem of its own. Pure.

The same message within a minute is a retry of it: its answer was lost, not a second problem found.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app.clock import MINUTE, Micros
from app.sources.limits import digest, text

MADE = "tocsin-"
"""What these keys begin with."""
MADE_FOR = MINUTE


def made_key(message: Mapping[str, Any], now: Micros) -> str:
    """The same for the same message within the same minute."""
    # Field by field as text, which has a word for what is nested too deep.
    said = digest({name: text(value) for name, value in message.items()})
    return f"{MADE}{said}-{now // MADE_FOR}"

"""The terminal: colour only where it is wanted (a terminal, no NO_COLOR), and no line broken that was one."""

from __future__ import annotations

import io
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console


def screen() -> Console:
    """Standard output. Text is printed as it is: what stands in an alert is never read as markup."""
    from rich.console import Console

    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # an accent that this terminal lacks must not end a command
    return Console(highlight=False, markup=False, emoji=False, soft_wrap=True)

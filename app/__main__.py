"""`python -m app`: the same as `tocsin`."""

from __future__ import annotations

from app.main import cli

cli(prog_name="tocsin")

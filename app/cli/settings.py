"""`tocsin settings`: every variable with its default, as docs/settings.md shows it. Never shows what is set."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from app.cli.trouble import Trouble

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

HEAD: Final = """# Settings

<!-- Written by `tocsin settings --write` from app/settings.py; a test holds the two together. -->

Tocsin is set up by environment variables, read once when a command starts. Without any of them it runs on a SQLite file
in the current folder, answers on this machine only and pages on its own console.

A variable that starts with `TOCSIN_` and is not in this list stops the command with a line that names the closest one,
because a misspelt setting is one that silently does nothing. (Those that Kubernetes adds for a Service named `tocsin` are
passed over.) `tocsin doctor` says which settings are missing for the promises to hold.

"""


@click.command()
@click.option("--write", is_flag=True, help="Write docs/settings.md of this checkout instead of printing.")
def settings(*, write: bool) -> None:
    """List every setting: name, default, meaning."""
    if not write:
        click.echo(document(), nl=False)
        return
    file = checkout() / "docs" / "settings.md"
    file.write_text(document(), encoding="utf-8")
    click.echo(f"wrote {file}", err=True)


def document() -> str:
    """docs/settings.md, whole."""
    from app.settings import Settings

    rows = [_row(name, field) for name, field in Settings.model_fields.items()]
    return HEAD + "\n".join(("| Variable | Default | Meaning |", "| --- | --- | --- |", *rows)) + "\n"


def _row(name: str, field: FieldInfo) -> str:
    meaning = f"{field.description or ''}{_limits(field)}".replace("|", "\\|")
    return f"| `TOCSIN_{name.upper()}` | {_default(field.default)} | {meaning} |"


def _default(value: Any) -> str:
    from pydantic import SecretStr

    shown = value.get_secret_value() if isinstance(value, SecretStr) else value
    return f"`{shown}`" if shown not in ("", ()) else "empty"


def _limits(field: FieldInfo) -> str:
    """The bounds as people say them, from what the value is checked against."""
    from annotated_types import Ge, Gt, Le

    low = next((f"at least {rule.ge}" for rule in field.metadata if isinstance(rule, Ge)), "")
    low = low or next((f"more than {rule.gt}" for rule in field.metadata if isinstance(rule, Gt)), "")
    high = next((f"at most {rule.le}" for rule in field.metadata if isinstance(rule, Le)), "")
    said = ", ".join(part for part in (low, high) if part)
    return f" ({said[0].upper()}{said[1:]}.)" if said else ""


def checkout() -> Path:
    """The folder of the source, when this is run from one. Raises Trouble when it is an installed package."""
    root = Path(__file__).resolve().parents[2]
    if not (root / "pyproject.toml").is_file():
        raise Trouble("--write works in a checkout of the source only; this is an installed package")
    return root

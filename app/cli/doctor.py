"""`tocsin doctor`: what a page depends on, looked at, and said in one line each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import click

if TYPE_CHECKING:
    from collections.abc import Sequence

    from app.cli.checks.finding import Finding

_STYLES: Final = {"ok": "green", "warn": "yellow", "wrong": "bold red"}


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print the findings as one JSON document.")
@click.pass_context
def doctor(context: click.Context, *, as_json: bool) -> None:
    """Check database, clock, notifiers and who is reachable now and next week.

    Changes nothing and sends nothing. Exit code 1 when something is wrong.
    """
    from app.cli.checks.examination import examine
    from app.cli.environment import read_settings

    found = examine(read_settings())
    if as_json:
        _print_json(found)
    else:
        _print_lines(found)
    context.exit(1 if _count(found, "wrong") else 0)


def _count(found: Sequence[Finding], mark: str) -> int:
    return sum(finding.mark == mark for finding in found)


def _print_json(found: Sequence[Finding]) -> None:
    import json
    from dataclasses import asdict

    document = {"ok": not _count(found, "wrong"), "findings": [asdict(finding) for finding in found]}
    click.echo(json.dumps(document, indent=2, ensure_ascii=False))


def _print_lines(found: Sequence[Finding]) -> None:
    """One line each, never broken by us: `grep wrong` finds a whole finding."""
    from rich.text import Text

    from app.cli.screen import screen

    out = screen()
    width = max(len(finding.about) for finding in found)
    for finding in found:
        line = Text.assemble((f"{finding.mark:<6}", _STYLES[finding.mark]), f"{finding.about:<{width}}  {finding.says}")
        if finding.do:
            line.append(f". To do: {finding.do}", "dim" if finding.mark == "ok" else "")
        out.print(line)
    wrong, warned = _count(found, "wrong"), _count(found, "warn")
    out.print()
    if wrong:
        out.print(Text(f"{_things(wrong)} wrong, {_things(warned)} to look at.", "bold red"))
    elif warned:
        out.print(Text(f"Nothing is wrong; {_things(warned)} to look at.", "yellow"))
    else:
        out.print(Text("All is well.", "green"))


def _things(many: int) -> str:
    return f"{many} thing{'' if many == 1 else 's'}"

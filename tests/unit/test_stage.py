"""How the demo looks on a terminal of 80 columns: no line is broken by the terminal, and no link by anybody."""

from __future__ import annotations

import io

from rich.console import Console

from app.cli.demonstration.stage import Stage

LONG = "    incident #1: 0.97: the same service checkout@alertmanager; the same check; 0 s after its last alert in alertmanager"
LINK = "│ Acknowledge: http://127.0.0.1:40689/a/" + "x" * 80


def shown(*, terminal: bool) -> list[str]:
    """What the stage prints, on a terminal or not."""
    out = io.StringIO()
    stage = Stage(
        pauses=False, out=Console(file=out, force_terminal=terminal, width=80, soft_wrap=True, color_system=None)
    )
    stage.say(LONG)
    stage.news(20.4, "#2 nobody has acknowledged, so the policy goes on with level 2: Ben Okafor and Ana Ortiz")
    stage.page(LINK, "Ana is paged:")
    return out.getvalue().splitlines()


def test_a_terminal_breaks_no_line():
    said = shown(terminal=True)
    assert [line for line in said if len(line) > 80] == [LINK]
    assert said[:2] == [
        "      incident #1: 0.97: the same service checkout@alertmanager; the same check;",
        "      0 s after its last alert in alertmanager",
    ]
    assert said[2:4] == [
        "  + 20 s  #2 nobody has acknowledged, so the policy goes on with level 2: Ben",
        "          Okafor and Ana Ortiz",
    ]


def test_a_file_gets_each_sentence_on_a_line_of_its_own():
    assert shown(terminal=False)[0] == "  " + LONG

"""What docs/schedules.md shows is what happens."""

import json
import re
from pathlib import Path

from app.oncall.codec import from_document, override_from_document
from app.oncall.resolve import NOBODY
from app.oncall.rota import ByLayer, Rota
from app.oncall.schedule import CalendarLayer, Layer, Limits, OverrideId, Restriction, Schedule
from app.oncall.shifts import gaps, shifts
from tests.harness.rotas import at

PAGE = (Path(__file__).parents[2] / "docs" / "schedules.md").read_text("utf-8")


def rows(heading):
    """The cells of the tables under the heading."""
    table = PAGE.split(f"## {heading}\n")[1].split("\n## ")[0]
    cells = [re.split(r"\s*\|\s*", line.strip("| ")) for line in table.splitlines() if line.startswith("|")]
    return [row for row in cells if row[0] not in ("key", "from") and not row[0].startswith("---")]


def said(why):
    match why:
        case ByLayer(layer=layer, turn=turn):
            return f"{layer}, turn {turn}"
        case _:
            return f"override {why.override} in place of {why.replaces}"


def test_the_worked_example_is_what_comes_out():
    documents = [json.loads(block) for block in re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)][:2]
    schedule, overrides = from_document(documents[0]), [override_from_document(documents[1], OverrideId(1))]
    expected = [(at(since), at(until), person, why) for since, until, person, why in rows("A worked example")]
    start, end = expected[0][0], expected[-1][1]
    rota = Rota.of(schedule, *overrides)
    found = shifts(rota, start, end)
    assert [(shift.starts_at, shift.ends_at, str(shift.person), said(shift.why)) for shift in found] == expected
    assert gaps(rota, start, end) == ()


def test_every_key_and_every_reason_is_told():
    told = set(re.findall(r"`(\w+)`", " ".join(row[0] for row in rows("The document"))))
    kinds = (Schedule, Limits, Layer, Restriction, CalendarLayer)
    assert told == {key for kind in kinds for key in kind.__slots__} - {"lengths"} | {"length"}
    for reason in NOBODY:
        assert f"`{reason}`" in PAGE
    assert re.findall(r"`(\w+)`", PAGE.split("for a named reason: ")[1].split(".")[0]) == list(NOBODY)

"""The rotas of docs/rotas.md, sent as they stand there, put on call whom the page says."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from string import Template
from typing import Any

import orjson
import pytest

from app.clock import DAY
from app.oncall.walltime import wall
from app.oncall.walltime import zone as zone_of
from tests.harness.api_world import Asked, api
from tests.harness.rotas import at

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "rotas.md").read_text("utf-8")
SECTIONS = re.findall(r"^## (\d\. .+?)\n(.*?)(?=^## |\Z)", PAGE, re.DOTALL | re.MULTILINE)
REQUEST = re.compile(
    r"```sh\n(?:# The answer's id: (?P<keeps>\w+)\n)?"
    r'curl -sS "\$TOCSIN/v1(?P<path>[^"]+)" -H "Authorization: Bearer \$KEY" -H "Content-Type: application/json"'
    r" -d @- <<END\n(?P<body>.*?)\nEND\n```",
    re.DOTALL,
)
COLUMNS = ["schedule", "from", "to", "role", "person", "why"]


@dataclass
class Sent:
    """What is known after the requests of a section were sent."""

    values: dict[str, str]
    """What each variable of the shell stands for."""
    names: dict[str, str]
    """What the page calls each person, by id."""
    schedules: dict[str, str] = field(default_factory=dict)
    """The id of each schedule by its name."""


async def send(asked: Asked, section: str) -> Sent:
    """Sends the requests of a section in their order."""
    names = ("ANA", "BEN", "CLEO", "DAN")
    people = {name: await asked.person(name.capitalize(), time_zone="Europe/Berlin") for name in names}
    sent = Sent(dict(people), {person: name.capitalize() for name, person in people.items()})
    assert section.count("```sh") == len(REQUEST.findall(section)), "a request is written in another form"
    for request in REQUEST.finditer(section):
        path = Template(request["path"]).substitute(sent.values)
        document = orjson.loads(Template(request["body"]).substitute(sent.values))
        made = await asked.admin.post(path, document, status=201)
        if request["keeps"]:
            sent.values[request["keeps"]] = made["id"]
        if path == "/schedules":
            sent.schedules[made["name"]] = made["id"]
        if path == "/people":
            sent.names[made["id"]] = made["name"]
    return sent


def tables(section: str) -> list[list[dict[str, str]]]:
    """The rows of each table of shifts."""
    found = []
    for table in re.findall(r"(?:^\|.*\n)+", section, re.MULTILINE):
        header, _, *rows = ([cell.strip() for cell in row.strip("|\n").split("|")] for row in table.splitlines())
        assert header == COLUMNS
        found.append([dict(zip(COLUMNS, row, strict=True)) for row in rows])
    return found


def why(shift: dict[str, Any], names: dict[str, str]) -> str:
    """The reason as the page tells it."""
    via = shift["via"]
    said = f"{via['layer']}, turn {via['turn']}"
    if via["instead_of"] is None:
        return said
    return f"{said} of {names[via['instead_of']]}: {via['because']}"


async def shifts_of(asked: Asked, sent: Sent, schedule: str, rows: list[dict[str, str]]) -> list[tuple[Any, ...]]:
    """What the API says of the time that the rows tell."""
    span = {"from": min((row["from"] for row in rows), key=at), "to": max((row["to"] for row in rows), key=at)}
    found = await asked.reader.get(f"/schedules/{sent.schedules[schedule]}/shifts", params=span)
    return [
        (at(one["starts_at"]), at(one["ends_at"]), one["role"], one["person"], why(one, sent.names))
        for one in found["items"]
    ]


@pytest.mark.parametrize(("title", "section"), SECTIONS, ids=[title for title, _ in SECTIONS])
async def test_a_rota_of_the_page_gives_the_shifts_of_the_page(database: str, title: str, section: str) -> None:
    async with api(database) as asked:
        sent = await send(asked, section)
        told = tables(section)
        assert told, title
        for rows in told:
            for schedule in dict.fromkeys(row["schedule"] for row in rows):
                own = [row for row in rows if row["schedule"] == schedule]
                expected = [
                    (at(row["from"]), at(row["to"]), row["role"], row["person"], row["why"].replace("`", ""))
                    for row in own
                ]
                assert await shifts_of(asked, sent, schedule, own) == expected


def test_the_page_has_six_rotas() -> None:
    assert len(SECTIONS) == 6
    assert all(REQUEST.search(section) for _, section in SECTIONS)


async def test_the_sun_never_sets(database: str) -> None:
    """At every instant of a year somebody of some site is on call, by either way of the page."""
    async with api(database) as asked:
        (section,) = (section for title, section in SECTIONS if "sun" in title)
        sent = await send(asked, section)
        year = {"from": "2026-01-06T00:00:00Z", "to": "2027-01-06T00:00:00Z"}
        for names in (("Berlin", "New York", "Tokyo"), ("The sun in UTC",)):
            spans = []
            for name in names:
                found = await asked.reader.get(f"/schedules/{sent.schedules[name]}/shifts", params=year)
                spans += [(at(one["starts_at"]), at(one["ends_at"])) for one in found["items"]]
            spans.sort()
            assert spans[0][0] == at(year["from"])
            assert max(until for _, until in spans) == at(year["to"]) == spans[0][0] + 365 * DAY
            reached = [max(until for _, until in spans[: place + 1]) for place in range(len(spans))]
            assert all(until >= since for until, (since, _) in zip(reached, spans[1:], strict=False))
            assert all(before[0] <= after[0] for before, after in pairwise(spans))


@pytest.mark.parametrize(("zone", "hours"), [("Europe/Berlin", (8, 17)), ("America/New_York", (10, 19))])
async def test_a_schedule_for_each_site_keeps_office_hours(database: str, zone: str, hours: tuple[int, int]) -> None:
    """Which is why the page prefers it: in one schedule in UTC they move with the seasons."""
    async with api(database) as asked:
        (section,) = (section for title, section in SECTIONS if "sun" in title)
        sent = await send(asked, section)
        name = {"Europe/Berlin": "Berlin", "America/New_York": "New York"}[zone]
        year = {"from": "2026-01-06T00:00:00Z", "to": "2027-01-05T00:00:00Z"}
        assert await clock_hours(asked, sent.schedules[name], zone, year, "office") == {hours}
        assert len(await clock_hours(asked, sent.schedules["The sun in UTC"], zone, year, name)) > 1


async def clock_hours(asked: Asked, schedule: str, zone: str, span: dict[str, str], layer: str) -> set[tuple[int, int]]:
    """The local hours at which shifts of a layer begin and end."""
    found = (await asked.reader.get(f"/schedules/{schedule}/shifts", params=span))["items"]
    own = [one for one in found if one["via"]["layer"] == layer][1:-1]
    return {(local(one["starts_at"], zone), local(one["ends_at"], zone)) for one in own}


def local(text: str, name: str) -> int:
    return wall(zone_of(name), at(text)).hour

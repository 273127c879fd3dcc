"""The requests of docs/routing.md, sent as they stand there, do what the page says."""

from __future__ import annotations

import re
from pathlib import Path
from string import Template
from typing import Any

import orjson

from tests.harness.api_world import Asked, api

DOCS = Path(__file__).resolve().parents[2] / "docs"
REQUEST = re.compile(
    r"```sh\n(?:# The answer's id: (?P<keeps>\w+)\n)?"
    r'curl -sS "\$TOCSIN/v1(?P<path>[^"]+)" -H "Authorization: Bearer \$KEY" -H "Content-Type: application/json"'
    r" -d @- <<END\n(?P<body>.*?)\nEND\n```",
    re.DOTALL,
)


async def send(asked: Asked, page: str, **values: str) -> list[Any]:
    """Sends the requests of a page in their order; answers what was answered."""
    text = (DOCS / page).read_text("utf-8")
    assert text.count("```sh") == len(REQUEST.findall(text)), "a request is written in another form"
    answers = []
    for request in REQUEST.finditer(text):
        document = orjson.loads(Template(request["body"]).substitute(values))
        answer = await asked.admin.ask("POST", Template(request["path"]).substitute(values), json=document)
        assert answer.status_code in (200, 201), answer.text
        answers.append(answer.json())
        if request["keeps"]:
            values[request["keeps"]] = answers[-1]["id"]
    return answers


async def test_the_rules_of_the_page_do_what_it_says(database: str) -> None:
    async with api(database) as asked:
        story = asked.story
        ana, ben = await story.person("Ana"), await story.person("Ben")
        await story.service("orders", await story.policy([[ben]]))
        checkout = await story.service("checkout", await story.policy([[ana]]))
        await send(asked, "routing.md")
        alerts = await story.integration("alertmanager", checkout)
        await alerts.fires("DiskFull", severity="warning", host="db-1")
        await ben.is_paged("DiskFull")
        await alerts.fires("DiskFull", severity="warning", host="db-1", env="lab")
        (found,) = (await asked.reader.get("/alerts"))["items"]
        assert found["labels"]["category"] == "storage"
        assert found["links"][-1]["url"] == "https://runbooks.example/DiskFull"
        assert (await story.incident()).priority == "P1"

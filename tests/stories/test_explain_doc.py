"""The examples of docs/explain.md are what the program prints of the story that the page tells."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from app.api.dry_run import DryRun, Stage, tried
from app.api.explain import explained
from app.cli import dry_run, explain
from tests.harness.api_world import Asked, api
from tests.harness.providers import answering
from tests.harness.town import Sender, Town, add_key

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "explain.md").read_text("utf-8")
PRINTED = re.findall(r"```text\n\$ (.*?)\n(.*?)```", PAGE, re.DOTALL)


def labelled(story: Town, **labels: str) -> list[dict[str, Any]]:
    """Phones, each with what its person calls it."""
    return [{**phone, "label": labels[phone["id"]]} for phone in story.phones(*labels)]


async def shop(asked: Asked) -> Sender:
    """Ana and Dan take turns; Ben is second, with an old phone; Cleo is third."""
    story = asked.story
    rules = [{"contact_method": "push"}, {"contact_method": "sms", "delay_s": 120}]
    ana = await story.person("Ana", contact_methods=labelled(story, push="push", sms="sms"), rules=rules)
    ben = await story.person("Ben", contact_methods=labelled(story, old="old phone", new="new phone"))
    cleo, dan = await story.person("Cleo"), await story.person("Dan", contact_methods=[])
    layer = {"name": "weekly", "participants": [str(ana.id), str(dan.id)], "unit": "week", "length": 1}
    start = {"start_date": "2026-01-05", "handoff": "09:00"}
    primary = await asked.admin.create(
        "schedules",
        {
            "name": "Primary",
            "time_zone": "Europe/Berlin",
            "notices": {"before_minutes": None, "at_handoff": False},
            "layers": [{**layer, **start}],
        },
    )
    levels: list[Any] = [[{"kind": "schedule", "id": primary["id"]}]]
    levels += [[{"kind": "person", "id": str(one.id)}] for one in (ben, cleo)]
    document = {"name": "Shop", "levels": [{"targets": one, "delay_s": 300} for one in levels], "repeat": 0}
    policy = await asked.admin.create("policies", document)
    service = await asked.service("checkout", policy["id"])
    sender = {"name": "Prometheus", "kind": "alertmanager", "service_id": service}
    made = await asked.admin.create("integrations", sender)
    await story.store.write(add_key, int(made["id"]), "key")
    return Sender(story, int(made["id"]), "alertmanager", "key")


async def test_the_examples_are_what_is_printed(database: str, capsys: pytest.CaptureFixture[str]) -> None:
    async with api(database) as asked:
        story = asked.story
        prometheus = await shop(asked)
        await story.passes(hours=9)
        story.provider.by_path["/old"] = answering(410)
        await prometheus.fires("DiskFull")
        await story.passes(seconds=560)
        ben = next(one for one in story.residents if one.name == "Ben")
        ben.last = story.provider.seen[-1].json
        await ben.acknowledges()
        for one in story.residents:
            one.phone.taken = len(one.phone.inbox())
        expected = dict(PRINTED)

        explain._print(await explained(story.store, 1))
        assert capsys.readouterr().out == expected["tocsin explain 1"]

        stage = Stage(story.store, story.world.directory, story.world.sources, 1_000_000)
        service = (await story.rows("SELECT id FROM resources WHERE name = 'checkout'"))[0].id
        asks = DryRun(service_id=str(service), at="2026-01-18T03:00:00+01:00")
        dry_run._print(await tried(stage, asks))
        assert capsys.readouterr().out == expected["tocsin dry-run --service checkout --at 2026-01-18T03:00:00+01:00"]

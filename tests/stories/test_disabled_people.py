"""Somebody who is disabled: told nothing, in no rotation, their links are dead; enabled again, all is as before."""

from __future__ import annotations

from app.people.person import Person
from tests.harness.rota_town import RotaTown, rota_town
from tests.harness.town import BROWSER, FORM


async def _edit(rota: RotaTown, name: str, **more: object) -> None:
    """Somebody's document with these fields."""
    path = f"/people/{rota.id(name)}"
    shown = await rota.asked.admin.get(path)
    document = {key: shown[key] for key in Person.model_fields} | more
    await rota.asked.admin.done(200, "PUT", path, json=document, version=shown["version"])


async def test_somebody_who_is_disabled_in_the_middle_is_told_no_more_and_the_next_level_is(database: str) -> None:
    """Ana is on call and was pushed; her text message and her level's repeat do not come, and her link is dead."""
    async with rota_town(database, "Ana", "Ben", "Cat") as rota:
        story, people = rota.asked.story, rota.people
        ana = people["Ana"]
        await _edit(
            rota,
            "Ana",
            contact_methods=story.phones("ana", "sms"),
            rules=[{"contact_method": "ana"}, {"contact_method": "sms", "delay_s": 120}],
        )
        levels = [
            {"targets": [{"kind": "schedule", "id": rota.schedule}], "delay_s": 300},
            {
                "targets": [{"kind": "person", "id": rota.id("Ana")}, {"kind": "person", "id": rota.id("Dan")}],
                "delay_s": 300,
            },
        ]
        policy = await rota.asked.admin.create("policies", {"name": "p", "levels": levels, "repeat": 0})
        alerts = await story.integration("alertmanager", await story.service("s", int(policy["id"])))
        await rota.reads_notices()
        await alerts.fires("DiskFull")
        page = await ana.is_paged("DiskFull")
        await _edit(rota, "Ana", disabled=True)
        await rota.reads_notices()
        link = "/" + page["url"].split("/", 3)[3]
        assert (await story.web.get(link, headers=BROWSER)).status_code == 410
        assert (await story.web.post(link, headers=FORM)).status_code == 410
        # Her text message fails, and so her level has nobody left: nobody's time is waited for.
        await story.passes(121)
        assert not [seen for seen in story.provider.seen if seen.path == "/sms"]
        await story.passes(180)
        await people["Dan"].is_paged("DiskFull")
        await ana.is_not_paged()
        told = [one["sentence"] for one in (await rota.asked.reader.get("/incidents/1/explain"))["entries"]]
        assert any("its person disabled" in one for one in told), told
        assert any("Ana is disabled" in one for one in told), told


async def test_rotations_pass_over_who_is_disabled_and_owe_them_nothing(database: str) -> None:
    """The turn that is on moves to somebody else at once; policies that count on them are warned of; nothing is paid back."""
    async with rota_town(database, "Ana", "Ben", "Cat") as rota:
        admin = rota.asked.admin
        before = await rota.shifts("01-05", "01-29")
        target = {"kind": "person", "id": rota.id("Ana")}
        policy = {"name": "p", "levels": [{"targets": [target]}], "repeat": 0}
        await rota.asked.story.passes(hours=1)
        await _edit(rota, "Ana", disabled=True)
        assert await rota.on_call() != ["Ana"]
        shown = (await rota.laid_out("01-05", "01-29"))["items"]
        assert [one["person"] for one in shown if one["person"] == "Ana"] == ["Ana"], "the hour that is past is hers"
        assert any("in place of Ana, who is away: disabled" in one["reason"] for one in shown)
        assert any("Ana is disabled" in one for one in (await admin.create("policies", policy))["warnings"])
        await rota.asked.story.passes(hours=24)
        await _edit(rota, "Ana", disabled=False)
        after = await rota.shifts("01-08", "01-29")
        assert after == [one for one in before if one.split()[1] >= "08"]

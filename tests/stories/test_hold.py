"""Paging held back, as after a restore: nobody is paged meanwhile, and afterwards each incident once, late and planned anew."""

from __future__ import annotations

import json
from typing import Any

from click.testing import CliRunner

from app.clock import SECOND
from app.main import cli
from app.paging import notices
from app.paging.notices import Notice
from app.watch import hold
from tests.harness.api_world import api
from tests.harness.providers import Answering
from tests.harness.town import Town, replicas, town


async def holds(story: Town, why: str = "restored") -> None:
    await story.store.write(hold.begin, "Ana", why)
    # Whoever had just asked believes the answer for a second.
    story.clock.move_to(story.clock.now() + SECOND)


async def releases(story: Town) -> int:
    found = await story.store.write(hold.release)
    story.clock.move_to(story.clock.now() + SECOND)
    story.world.wake.set()
    await story.settled()
    return found.waiting


async def pages(story: Town) -> list[tuple[str, str, str]]:
    rows = await story.rows("SELECT recipient, method_id, state FROM pages ORDER BY incident_id, number")
    return [tuple(row) for row in rows]


async def test_while_paging_is_held_alerts_come_in_and_nobody_is_paged(database: str) -> None:
    """Two hours: five incidents, then one page for each that is still open, which says how late it is."""
    async with town(database) as story:
        ana = await story.person("Ana")
        service = await story.service("s", await story.policy([[ana]], delay_s=36_000), grouping={"by": "alert"})
        alerts = await story.integration("alertmanager", service)
        await holds(story)
        for name in "ABCDE":
            await alerts.fires(name)
        await story.passes(hours=2)
        await ana.is_not_paged()
        assert len(await story.incidents()) == 5
        await alerts.resolves("A")
        await story.acknowledges((await story.incidents())[1], by="Ana")
        assert await releases(story) == 5
        await ana.is_paged(times=3)
        assert {page.json["late_s"] // 60 for page in ana.phone.inbox()} == {120}
        assert sorted(seen.json["title"][-1] for seen in ana.phone.inbox()) == ["C", "D", "E"]


async def test_a_level_that_nobody_had_been_told_of_is_told_again_to_whoever_is_on_call_now(database: str) -> None:
    """The page was planned for Ana and never sent; three days later Ben is on call, and Ana's phone stays silent."""
    async with town(database) as story:
        ana, ben = await story.person("Ana"), await story.person("Ben")
        rota = await story.schedule("Primary", ana, ben)
        service = await story.service("s", await story.policy([[rota]], delay_s=600))
        alerts = await story.integration("alertmanager", service)
        story.provider.by_path["/ana"] = Answering(503)
        await alerts.fires("DiskFull")
        await holds(story)
        await story.passes(hours=24)
        ana.phone.taken = len(ana.phone.inbox())
        await releases(story)
        await ana.is_not_paged()
        page = await ben.is_paged("DiskFull")
        assert page["late_s"] > 80_000
        assert [(who, state) for who, _, state in await pages(story)] == [("Ana", "not_needed"), ("Ben", "sent")]
        said = await story.rows("SELECT kind FROM timeline ORDER BY id")
        assert [row.kind for row in said] == ["triggered", "level_told", "paging_resumed", "level_told"]
        await ben.acknowledges()


async def test_a_person_with_three_ways_is_not_reached_by_all_of_them_at_once(database: str) -> None:
    """Push, message and call had all come due meanwhile: what follows is the next level, and the old ways are no more."""
    async with town(database) as story:
        rules = [{"contact_method": name, "delay_s": delay_s} for name, delay_s in (("a", 0), ("b", 120), ("c", 300))]
        ana = await story.person("Ana", contact_methods=story.phones("a", "b", "c"), rules=rules)
        ben = await story.person("Ben")
        service = await story.service("s", await story.policy([[ana], [ben]], delay_s=600))
        alerts = await story.integration("alertmanager", service)
        await alerts.fires("DiskFull")
        await holds(story)
        await story.passes(hours=1)
        await releases(story)
        assert [seen.path for seen in story.provider.seen] == ["/a", "/ben"]
        await ben.is_paged("DiskFull")
        assert [state for _, _, state in await pages(story)] == ["sent", "not_needed", "not_needed", "sent"]


async def test_a_short_hold_leaves_a_level_its_time(database: str) -> None:
    """Three minutes: Ana was told, her next way is used late, and Ben has to wait for his turn as ever."""
    async with town(database) as story:
        rules = [{"contact_method": name, "delay_s": delay_s} for name, delay_s in (("a", 0), ("b", 120))]
        ana = await story.person("Ana", contact_methods=story.phones("a", "b"), rules=rules)
        ben = await story.person("Ben")
        service = await story.service("s", await story.policy([[ana], [ben]], delay_s=600))
        alerts = await story.integration("alertmanager", service)
        await alerts.fires("DiskFull")
        await holds(story)
        await story.passes(minutes=3)
        await releases(story)
        assert [(seen.path, seen.json["late_s"]) for seen in story.provider.seen] == [("/a", 0), ("/b", 62)]
        await story.passes(minutes=6)
        await ben.is_not_paged()
        await story.passes(minutes=1)
        await ben.is_paged("DiskFull")


async def test_what_is_told_beside_pages_is_held_too_and_not_sent_when_it_is_of_no_use_any_more(database: str) -> None:
    async with town(database) as story:
        ana = await story.person("Ana")
        await holds(story)
        for kind, hours in (("gap", 12), ("shift", 1)):
            notice = Notice(kind=kind, title=kind, text=kind, person_id=ana.id, useful=hours * 3_600 * SECOND)
            await story.store.write(notices.tell, [notice])
            story.world.wake.set()
        await story.passes(hours=2)
        await ana.is_not_paged()
        await releases(story)
        await ana.is_paged("gap")
        rows = await story.rows("SELECT kind, state FROM notices ORDER BY id")
        assert [tuple(row) for row in rows] == [("gap", "sent"), ("shift", "expired")]


async def test_a_hold_counts_in_every_replica_within_a_second(database: str) -> None:
    async with replicas(database) as (one, other):
        ana = await one.person("Ana")
        service = await one.service("s", await one.policy([[ana]], delay_s=3_600))
        alerts = await one.integration("alertmanager", service)
        assert await other.process.watchers.gate.held() is None
        await holds(one)
        await alerts.fires("DiskFull")
        await one.passes(hours=1)
        assert one.provider.seen == []
        await releases(one)
        await one.settled()
        assert len(one.provider.seen) == 1


async def test_whoever_asks_is_told_that_paging_is_held(database: str) -> None:
    async with api(database) as asked:
        assert (await asked.reader.get("/paging"))["state"] == "on"
        await holds(asked.story, "restored from the backup of 02:00")
        assert await asked.reader.get("/paging") == {
            "state": "held",
            "held_since": "2026-01-05T00:00:00.000Z",
            "held_by": "Ana",
            "why": "restored from the backup of 02:00",
            "waiting": 0,
            "silenced": [],
            "failing": [],
        }
        ready = await asked.story.web.get("/readyz")
        assert ready.status_code == 200
        assert "paging is held back by Ana (restored from the backup of 02:00)" in ready.json()["status"]


async def test_the_setting_holds_paging_from_the_start(database: str) -> None:
    async with town(database, paging="hold") as story:
        ana = await story.person("Ana")
        alerts = await story.integration("alertmanager", await story.service("s", await story.policy([[ana]])))
        await alerts.fires("DiskFull")
        await story.passes(hours=1)
        await ana.is_not_paged()
        held = await story.store.read(hold.held)
        assert held.hold is not None
        assert held.hold.by == "TOCSIN_PAGING=hold"
        await releases(story)
        await ana.is_paged("DiskFull")
        await ana.acknowledges()


async def test_work_that_a_hold_left_behind_is_found_and_done(database: str) -> None:
    """A hold that is gone without its release, by a hand in the database: the audit lets the jobs go."""
    async with town(database) as story:
        ana = await story.person("Ana")
        alerts = await story.integration("alertmanager", await story.service("s", await story.policy([[ana]])))
        await holds(story)
        await alerts.fires("DiskFull")
        await story.settled()
        await story.store.write(_forget_hold)
        await story.passes(seconds=2)
        await ana.is_not_paged()
        await story.process.watchers.audit()
        assert [error["event"] for error in story.errors] == ["audit_found"]
        story.errors.clear()
        story.world.wake.set()
        await ana.is_paged("DiskFull")
        await ana.acknowledges()


async def _forget_hold(tx: Any) -> None:
    await tx.conn.exec_driver_sql("DELETE FROM instance WHERE name = 'paging_hold'")


def test_the_terminal_holds_and_releases(tmp_path: Any) -> None:
    """Before any server ran: the database is made, and paging is held in it."""
    environment = {"TOCSIN_DATABASE_URL": f"sqlite:///{tmp_path}/t.db", "TOCSIN_PAGING": ""}

    def run(*words: str, **more: str) -> tuple[int, str]:
        given = {name: value for name, value in {**environment, **more}.items() if value}
        done = CliRunner().invoke(cli, words, env={"TOCSIN_PAGING": None, **given})
        return done.exit_code, done.output

    assert run("paging", "hold", "--why", "a restore", "--by", "Ana")[0] == 0
    code, said = run("paging", "status")
    assert (code, "by Ana (a restore); 0 jobs wait" in said) == (1, True)
    code, said = run("doctor", "--json")
    (finding,) = [one for one in json.loads(said)["findings"] if one["about"] == "paging"]
    assert (code, finding["mark"]) == (1, "wrong")
    code, said = run("paging", "release", TOCSIN_PAGING="hold")
    assert (code, "Paging goes on; 0 jobs" in said, "TOCSIN_PAGING=hold is set" in said) == (0, True, True)
    assert run("paging", "release") == (0, "Paging was not held back.\n")
    assert run("paging", "status") == (0, "Paging is on.\n")

"""Coming on call: told ahead and at the handoff, the team's channel too, once; and tried out by drills that have consequences."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

from app.clock import MINUTE, SECOND
from app.rota.watch import watch
from app.store import resources
from app.store.database import Writing
from app.wiring import Process
from tests.harness.api_world import Asked, api
from tests.harness.providers import answering
from tests.harness.town import FORM, Resident, Town, _path


@dataclass
class Team:
    """Ana, Ben and Cleo take turns of a day, handing over at 10:00 UTC; Lea leads; they read in #shop."""

    asked: Asked
    ana: Resident
    ben: Resident
    cleo: Resident
    lea: Resident
    channel: Resident
    schedule: str
    document: dict[str, Any] = field(default_factory=dict)

    @property
    def story(self) -> Town:
        return self.asked.story

    async def lea_stands_in(self, start: str, end: str) -> None:
        """On the Monday, from and until a time of day."""
        day = "2026-01-05T"
        override = {"starts_at": f"{day}{start}:00Z", "ends_at": f"{day}{end}:00Z", "person": str(self.lea.id)}
        await self.asked.responder.post(f"/schedules/{self.schedule}/overrides", override, status=201)

    async def nobody_else_is_told(self) -> None:
        for one in (self.ana, self.ben, self.cleo, self.lea, self.channel):
            await one.is_not_paged()

    async def until(self, hours: float) -> None:
        """So many hours after the start of the story, which is Monday 00:00 UTC."""
        left = START + round(hours * 3_600) * SECOND - self.story.clock.now()
        # A moment more, so that what falls due at that very instant is done, however the seconds are rounded.
        await self.story.passes(seconds=left / SECOND + 0.000_01)


START = 1_767_571_200_000_000


async def team(asked: Asked, **more: Any) -> Team:
    story = asked.story
    ana = await story.person("Ana", time_zone="Europe/Berlin")
    ben, cleo, lea = await story.person("Ben"), await story.person("Cleo"), await story.person("Lea")
    channel = await story.channel("Shop")
    members = [{"person_id": str(one.id)} for one in (ana, ben, cleo)] + [{"person_id": str(lea.id), "role": "lead"}]
    made = await asked.admin.create("teams", {"name": "Shop", "members": members, "channel_id": str(channel.id)})
    document = {
        "name": "Shop",
        "time_zone": "UTC",
        "team_id": made["id"],
        "layers": [
            {
                "name": "daily",
                "participants": [str(one.id) for one in (ana, ben, cleo)],
                "unit": "day",
                "length": 1,
                "start_date": "2026-01-04",
                "handoff": "10:00",
            }
        ],
        **more,
    }
    schedule = (await asked.admin.create("schedules", document))["id"]
    await story.settled()
    return Team(asked, ana, ben, cleo, lea, channel, schedule, document)


async def begun(asked: Asked, **more: Any) -> Team:
    """A team whose first person was told that they are on call (from the moment the schedule was made)."""
    made = await team(asked, **more)
    await made.ana.is_paged("You are on call in Shop now")
    await made.channel.is_paged("Ana is on call in Shop now")
    return made


async def test_a_day_of_notices(database: str) -> None:
    """Ahead to the person, at the handoff to the person and the channel; nothing else, and each once."""
    async with api(database) as asked:
        shop = await begun(asked)
        await shop.until(8.99)
        await shop.nobody_else_is_told()
        await shop.until(9)
        told = await shop.ben.is_paged("Your on-call in Shop begins in 1 h")
        assert told["text"].splitlines() == [
            "Mon 5 Jan 10:00 to Tue 6 Jan 10:00, UTC (primary)",
            "Why: on call in Shop (layer daily, turn 2)",
            "You take over from Ana.",
            "No incident is open.",
            "Quiet: no page and no incident in the last 7 days.",
        ]
        assert (told["kind"], told["urgency"], told["priority"]) == ("update", "low", None)
        await shop.nobody_else_is_told()
        await shop.until(10)
        told = await shop.ben.is_paged("You are on call in Shop now")
        assert told["text"].splitlines()[3] == "In the last 7 days: 0 incidents opened, 0 resolved."
        told = await shop.channel.is_paged()
        assert told["title"] == "Ben is on call in Shop now (until Tue 6 Jan 10:00, UTC), taking over from Ana"
        await shop.nobody_else_is_told()
        await shop.until(32.9)
        await shop.nobody_else_is_told()
        await shop.until(33)
        await shop.cleo.is_paged("begins in 1 h")
        await shop.until(57)
        await shop.cleo.is_paged("now")
        await shop.channel.is_paged("Cleo is on call in Shop now")
        told = await shop.ana.is_paged("begins in 1 h")
        assert told["text"].startswith("Wed 7 Jan 11:00 to Thu 8 Jan 11:00, Berlin (primary)"), "in her own time"


async def test_looking_again_tells_nobody_twice(database: str) -> None:
    """Edits, absences and restarts all make it look again."""
    async with api(database) as asked:
        shop = await begun(asked)
        await shop.until(9.5)
        await shop.ben.is_paged("begins in 1 h")
        for version in (1, 2, 3):
            document = {**shop.document, "name": f"Shop {version}"}
            await asked.admin.done(200, "PUT", f"/schedules/{shop.schedule}", version=version, json=document)
            await shop.story.settled()
        await shop.nobody_else_is_told()
        await shop.until(10)
        await shop.ben.is_paged("You are on call in Shop 3 now")
        await shop.channel.is_paged("Ben is on call in Shop 3 now")
        for _ in range(3):
            await shop.story.store.write(watch, [int(shop.schedule)])
            shop.story.world.wake.set()
            await shop.story.settled()
        await shop.nobody_else_is_told()


async def test_a_stand_in_is_told_at_once_and_so_is_who_comes_back(database: str) -> None:
    async with api(database) as asked:
        shop = await begun(asked)
        await shop.until(2)
        now = "2026-01-05T02:00:00Z"
        override = {"starts_at": now, "ends_at": "2026-01-05T04:00:00Z", "person": str(shop.cleo.id)}
        await asked.responder.post(f"/schedules/{shop.schedule}/overrides", override, status=201)
        told = await shop.cleo.is_paged("You are on call in Shop now")
        assert "Why: on call in Shop (override)" in told["text"]
        assert "You take over from Ana." in told["text"]
        await shop.channel.is_paged("Cleo is on call in Shop now (until Mon 5 Jan 04:00, UTC), taking over from Ana")
        await shop.until(3)
        await shop.ana.is_paged("begins in 1 h")
        await shop.until(4)
        await shop.ana.is_paged("You are on call in Shop now")
        await shop.channel.is_paged("Ana is on call in Shop now (until Mon 5 Jan 10:00, UTC), taking over from Cleo")


async def test_whoever_goes_on_is_not_told_again(database: str) -> None:
    """Ana takes over her own next day, so to say: nothing changes for anybody until it is over."""
    async with api(database) as asked:
        shop = await begun(asked)
        override = {"starts_at": "2026-01-05T10:00:00Z", "ends_at": "2026-01-06T10:00:00Z", "person": str(shop.ana.id)}
        await asked.responder.post(f"/schedules/{shop.schedule}/overrides", override, status=201)
        await shop.until(32)
        await shop.nobody_else_is_told()
        await shop.until(34)
        await shop.cleo.is_paged(times=2)
        await shop.channel.is_paged("taking over from Ana")


async def test_settings_switch_notices_off(database: str) -> None:
    async with api(database) as asked:
        shop = await team(asked, notices={"before_minutes": None, "at_handoff": False})
        await shop.until(72)
        await shop.nobody_else_is_told()


async def test_what_is_open_and_how_busy_it_was_is_told(database: str) -> None:
    async with api(database) as asked:
        shop = await begun(asked)
        story = shop.story
        policy = await story.policy([[int(shop.schedule)]])
        service = await story.service("checkout", policy, grouping={"by": "alert"})
        sender = await story.integration("alertmanager", service)
        await sender.fires(*(f"Disk{place}" for place in range(7)))
        await sender.resolves("Disk0")
        await shop.ana.is_paged("Disk", times=7)
        await shop.until(9)
        lines = (await shop.ben.is_paged("begins in 1 h"))["text"].splitlines()
        at = lines.index("6 incidents open:")
        assert [line.partition(" ")[2].rpartition(" ")[2] for line in lines[at + 1 : at + 6]] == [
            f"Disk{place}" for place in range(1, 6)
        ]
        assert lines[at + 6] == "- and 1 more"
        assert lines[-1] == (
            "Busy: 7 pages and 7 incidents in the last 24 h; 7 pages and 7 incidents in the last 7 days."
        )
        await shop.until(10)
        text = (await shop.ben.is_paged("now"))["text"]
        assert "In the last 7 days: 7 incidents opened, 1 resolved." in text
        assert any("Ben is on call" in one["title"] for one in shop.channel.phone.unread())
        # With a policy there is also something to look ahead at (the contact methods are not verified): not told of here.
        for one in (shop.channel, shop.lea):
            one.phone.taken = len(one.phone.inbox())


async def test_what_changed_is_counted_from_the_last_shift(database: str) -> None:
    async with api(database) as asked:
        shop = await begun(asked, notices={"before_minutes": None})
        await shop.until(57)
        for one in (shop.ben, shop.cleo):
            await one.is_paged("now")
        await shop.channel.is_paged(times=2)
        await shop.until(58)
        told = await shop.ana.is_paged("now")
        assert "Since your last shift, 2 days ago: 0 incidents opened" in told["text"]
        await shop.channel.is_paged("Ana")


async def restarted(story: Town) -> None:
    """The server was down; what is due is done now."""
    story.world.wake.set()
    await story.settled()


async def down_until(shop: Team, hours: float) -> None:
    """The worker stops, time goes by, and another one starts."""
    story = shop.story
    story.process.worker.stop()
    assert await story.process.supervisor.join("worker", 5)
    story.clock.move_to(START + int(hours * 3_600) * 1_000_000)
    again = Process(story.world)
    story.process.worker = again.worker
    story.process.supervisor.start("worker", again.worker.run)
    await restarted(story)


async def test_a_handoff_that_is_seen_late_is_told_to_the_channel_only_and_as_what_it_is(database: str) -> None:
    async with api(database) as asked:
        shop = await begun(asked)
        await down_until(shop, 10.6)
        told = await shop.channel.is_paged()
        assert told["title"] == (
            "Ben is on call in Shop since Mon 5 Jan 10:00, UTC (until Tue 6 Jan 10:00, UTC), taking over from Ana"
        )
        await shop.nobody_else_is_told()


async def test_handoffs_that_are_over_are_not_replayed(database: str) -> None:
    async with api(database) as asked:
        shop = await begun(asked)
        await down_until(shop, 60)
        await shop.channel.is_paged("Ana is on call in Shop since Wed 7 Jan 10:00, UTC")
        await shop.nobody_else_is_told()


async def test_the_past_is_written_down_at_least_daily(database: str) -> None:
    async with api(database) as asked:
        shop = await team(asked, notices={"before_minutes": None, "at_handoff": False}, layers=[])
        for day in range(1, 4):
            await shop.until(24 * day + 1)
            ((settled,),) = await shop.story.rows("SELECT settled_until FROM rota_states")
            assert shop.story.clock.now() - settled <= 24 * 60 * MINUTE


async def test_a_deleted_schedule_is_looked_at_no_more(database: str) -> None:
    async with api(database) as asked:
        shop = await begun(asked)
        await asked.admin.done(204, "DELETE", f"/schedules/{shop.schedule}", version=1)
        await shop.until(34)
        await shop.nobody_else_is_told()
        assert await shop.story.rows("SELECT * FROM jobs WHERE kind = 'duty'") == []


async def test_no_change_is_missed_while_the_schedule_is_looked_at(database: str) -> None:
    """Twelve stand-ins are made at once, each an hour of its own: each of them is told ahead."""
    async with api(database) as asked:
        shop = await begun(asked)
        people = [await shop.story.person(f"P{hour}") for hour in range(12, 24)]

        async def stands_in(hour: int, person: Resident) -> None:
            starts_at, ends_at = f"2026-01-05T{hour}:00:00Z", f"2026-01-05T{hour}:30:00Z"
            override = {"starts_at": starts_at, "ends_at": ends_at, "person": str(person.id)}
            await asked.responder.post(f"/schedules/{shop.schedule}/overrides", override, status=201)

        await asyncio.gather(*(stands_in(hour, person) for hour, person in zip(range(12, 24), people, strict=True)))
        await shop.until(23)
        for person in people:
            await person.is_paged("in Shop", times=2)
        for one in (shop.ben, shop.channel):
            one.phone.taken = len(one.phone.inbox())


# Drills.


async def quiet(asked: Asked) -> Team:
    return await team(asked, drill=True, notices={"before_minutes": None, "at_handoff": False})


async def answers(resident: Resident) -> Any:
    """Presses the button of the last drill."""
    answer = await resident.story.web.post(_path(resident.last["url"]), headers=FORM, data={"answer": "here"})
    assert answer.status_code == 303, answer.text
    await resident.story.settled()


async def drills_of(shop: Team) -> list[dict[str, Any]]:
    return (await shop.asked.reader.get(f"/schedules/{shop.schedule}/drills"))["items"]


async def proved(shop: Team, person: Resident) -> list[str | None]:
    items = (await shop.asked.reader.get(f"/people/{person.id}/contact-methods"))["items"]
    return [item["verified_by"] for item in items]


async def test_a_drill_that_is_answered_proves_the_contact_method_and_is_told_to_nobody(database: str) -> None:
    async with api(database) as asked:
        shop = await quiet(asked)
        await shop.nobody_else_is_told()
        await shop.until(8)
        told = await shop.ana.is_paged("Drill: you are on call in Shop")
        assert (told["kind"], told["urgency"], told["actions"]) == ("test", "high", [])
        assert "This is a test. Nothing is broken." in told["text"]
        assert told["url"].startswith("http://tocsin.test/t/")
        await answers(shop.ana)
        await shop.until(9)
        await shop.nobody_else_is_told()
        (drill,) = await drills_of(shop)
        assert (drill["state"], drill["person_id"]) == ("answered", str(shop.ana.id))
        assert await proved(shop, shop.ana) == ["drill"]
        assert await proved(shop, shop.ben) == [None]
        counted = shop.story.world.metrics.registry.get_sample_value
        assert counted("tocsin_drills_total", {"state": "answered"}) == 1
        await shop.until(10)
        await shop.ben.is_paged("Drill")
        await answers(shop.ben)


async def test_a_drill_without_an_answer_is_told_to_the_lead_and_the_channel(database: str) -> None:
    async with api(database) as asked:
        shop = await quiet(asked)
        await shop.until(8)
        await shop.ana.is_paged("Drill")
        await shop.until(8.16)
        await shop.nobody_else_is_told()
        await shop.until(8.2)
        title = "The drill of Ana failed: no answer within 10 min (sent by ana, accepted by the provider)"
        assert (await shop.lea.is_paged())["title"] == title
        told = await shop.channel.is_paged()
        assert (told["title"], told["kind"]) == (title, "update")
        (drill,) = await drills_of(shop)
        assert drill["state"] == "failed"
        assert "no answer" in drill["detail"]
        assert await proved(shop, shop.ana) == [None]
        await answers(shop.ana)
        (drill,) = await drills_of(shop)
        assert drill["state"] == "failed", "an answer that comes too late changes nothing of that"
        assert drill["answered_at"] is not None
        assert await proved(shop, shop.ana) == ["drill"], "but shows that she reads there"


async def test_a_drill_that_could_not_be_sent_fails_with_the_reason(database: str) -> None:
    async with api(database) as asked:
        asked.story.provider.by_path["/ana"] = answering(404)
        shop = await quiet(asked)
        await shop.until(8.5)
        shop.ana.phone.taken = len(shop.ana.phone.inbox())
        title = (await shop.lea.is_paged("The drill of Ana failed: it could not be sent (ana: "))["title"]
        await shop.channel.is_paged(title[:60])


async def test_who_has_no_contact_method_fails_the_drill(database: str) -> None:
    async with api(database) as asked:
        shop = await quiet(asked)
        await shop.story.store.write(_strip, shop.ana.id)
        await shop.until(8.5)
        await shop.lea.is_paged("The drill of Ana failed: it was not sent (this person has no contact method)")
        await shop.channel.is_paged("The drill of Ana failed")


async def _strip(tx: Writing, person_id: int) -> None:
    found = (await resources.load(tx, "person", [person_id]))[person_id]
    document = {**found.document, "contact_methods": []}
    await resources.replace(tx, found, found.name, document, "the story", seen=found.version)


async def test_nobody_is_tried_out_twice_for_one_shift_or_within_twenty_hours(database: str) -> None:
    async with api(database) as asked:
        shop = await quiet(asked)
        await shop.until(8)
        await shop.ana.is_paged("Drill")
        await answers(shop.ana)
        await shop.lea_stands_in("08:30", "08:40")
        await shop.until(8.51)
        await shop.lea.is_paged("Drill")
        await answers(shop.lea)
        await shop.lea_stands_in("09:00", "09:10")
        await shop.until(9.9)
        await shop.nobody_else_is_told()


async def test_a_lead_who_fails_is_not_told_of_it_but_others_are(database: str) -> None:
    async with api(database) as asked:
        shop = await quiet(asked)
        await shop.until(8)
        await shop.ana.is_paged("Drill")
        await answers(shop.ana)
        await shop.lea_stands_in("08:30", "09:30")
        await shop.until(8.9)
        await shop.nobody_else_is_told()
        await shop.until(9)
        await shop.lea.is_paged("Drill")
        await shop.until(9.4)
        await shop.channel.is_paged("The drill of Lea failed")
        await shop.nobody_else_is_told()


async def test_without_lead_and_channel_the_members_are_told(database: str) -> None:
    """Somebody has to hear of it."""
    async with api(database) as asked:
        shop = await quiet(asked)
        members = [{"person_id": str(one.id)} for one in (shop.ana, shop.ben)]
        await asked.admin.done(
            200, "PUT", f"/teams/{shop.document['team_id']}", version=1, json={"name": "Shop", "members": members}
        )
        await shop.until(9)
        await shop.ana.is_paged("Drill")
        await shop.ben.is_paged("The drill of Ana failed")


async def test_a_drill_on_request_tries_out_whoever_is_on_call_at_any_hour(database: str) -> None:
    async with api(database) as asked:
        shop = await team(asked, notices={"before_minutes": None, "at_handoff": False})
        made = await asked.responder.post(f"/schedules/{shop.schedule}/drill", status=201)
        assert [item["person_id"] for item in made["items"]] == [str(shop.ana.id)]
        await shop.ana.is_paged("Drill")
        again = await asked.responder.post(f"/schedules/{shop.schedule}/drill", status=201)
        assert again["items"][0]["id"] != made["items"][0]["id"]
        await shop.ana.is_paged("Drill")
        await answers(shop.ana)
        first = await asked.reader.get(f"/schedules/{shop.schedule}/drills?limit=1")
        rest = await asked.reader.get(f"/schedules/{shop.schedule}/drills?cursor={first['next_cursor']}")
        assert [item["state"] for item in first["items"] + rest["items"]] == ["answered", "waiting"]
        await shop.until(1)
        await shop.lea.is_paged("The drill of Ana failed")
        await shop.channel.is_paged("The drill of Ana failed")


async def test_where_nobody_is_on_call_there_is_nobody_to_try_out(database: str) -> None:
    async with api(database) as asked:
        shop = await team(asked, layers=[])
        problem = await asked.responder.refused(409, "POST", f"/schedules/{shop.schedule}/drill")
        assert problem["code"] == "nobody_on_call"
        await asked.responder.refused(404, "POST", "/schedules/7/drill")
        await asked.reader.refused(403, "POST", f"/schedules/{shop.schedule}/drill")

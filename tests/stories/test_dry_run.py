"""If this arrived then, who would be told, when and how? And nothing is kept: stories on both databases."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from app.clock import Micros, iso
from app.main import cli
from app.oncall.codec import read_instant
from tests.harness.api_world import Asked, api
from tests.harness.rows import IdsUsed, everything
from tests.harness.town import Sender, Town, town

SUNDAY = "2026-03-29T03:00:00+02:00"
"""03:00 in Berlin, in the night in which there is no 02:30."""
QUIET = {"before_minutes": None, "at_handoff": False}
DAILY = {"name": "daily", "unit": "day", "length": 1, "start_date": "2026-01-05", "handoff": "00:00"}


def firing(*names: str, severity: str = "critical", status: str = "firing", at: str = "2026-01-05T00:00:00Z") -> Any:
    """Alertmanager's message."""
    alerts = [
        {
            "status": status,
            "labels": {"alertname": name, "severity": severity},
            "annotations": {"summary": name},
            "startsAt": at,
            "endsAt": "0001-01-01T00:00:00Z" if status == "firing" else at,
        }
        for name in names
    ]
    return {"version": "4", "status": status, "groupKey": "{}", "alerts": alerts}


async def dry(asked: Asked, **said: Any) -> Any:
    await asked.story.settled()
    return await asked.responder.post("/dry-run", said)


def foretold(found: Any) -> list[tuple[Any, ...]]:
    """Each page that is expected: level, round, when, who, by what, why."""
    (incident,) = found["incidents"]
    return sorted(
        (
            step["level"],
            step["round"],
            "" if way["if_others_fail"] else way["at"],
            told["name"],
            way["label"],
            told["reason"],
        )
        for step in incident["expected"]
        for told in step["told"]
        for way in step_ways(told)
    )


def step_ways(told: Any) -> Any:
    return told["ways"]


async def happened(story: Town) -> list[tuple[Any, ...]]:
    """Each page that there is, in the same form."""
    rows = await story.rows("SELECT level, round, due_at, recipient, method_id, reason FROM pages")
    return sorted(
        (row.level + 1, row.round + 1, iso(row.due_at) if row.due_at else "", row.recipient, row.method_id, row.reason)
        for row in rows
    )


async def moved_to(story: Town, at: Micros) -> None:
    """It is then, and what fell due before is done."""
    story.clock.move_to(at)
    story.world.wake.set()
    await story.settled()


def reads(story: Town) -> None:
    for one in story.residents:
        one.phone.taken = len(one.phone.inbox())


async def test_sunday_at_three_in_the_night_without_half_past_two_is_as_foretold(database: str) -> None:
    """A handoff at an hour that does not exist, somebody on leave, an hourly second line, own rules: compared page by page."""
    async with api(database) as asked:
        story = asked.story
        rules = [{"contact_method": "push"}, {"contact_method": "sms", "delay_s": 90}]
        ana = await story.person("Ana", contact_methods=story.phones("push", "sms"), rules=rules)
        ben = await story.person("Ben", contact_methods=story.phones("ben", "ben-home"))
        cat, dan, eva = [await story.person(name) for name in ("Cat", "Dan", "Eva")]
        people = [str(one.id) for one in (ana, ben, cat)]
        layer = {**DAILY, "handoff": "02:30", "participants": people}
        hourly = {**DAILY, "unit": "hour", "handoff": "00:12", "participants": [str(dan.id), str(eva.id)]}
        berlin = {"time_zone": "Europe/Berlin", "notices": QUIET}
        primary = await asked.admin.create("schedules", {"name": "Primary", "layers": [layer], **berlin})
        second = await asked.admin.create("schedules", {"name": "Second line", "layers": [hourly], **berlin})
        at = read_instant("at", SUNDAY)
        away = await _on_call(asked, primary["id"], at)
        leave = {"from": "2026-03-27", "to": "2026-03-30", "reason": "on leave"}
        await asked.responder.create(f"people/{away}/absences", leave)
        policy = await story.policy([[int(primary["id"])], [int(second["id"])]], delay_s=300, repeat=1)
        alerts = await story.integration("alertmanager", await story.service("checkout", policy))
        payload = firing("DiskFull", at="2026-03-29T00:59:30Z")
        found = await dry(asked, at=SUNDAY, integration_id=str(alerts.id), payload=payload)
        told = foretold(found)
        first = [one for one in told if one[:2] == (1, 1)]
        assert len({who for _, _, _, who, *_ in told}) >= 3
        assert all("who is away: on leave" in reason for *_, reason in first)
        assert await _on_call(asked, primary["id"], at - 1) != await _on_call(asked, primary["id"], at)

        await moved_to(story, at)
        reads(story)
        answer = await alerts.posts(payload)
        assert {"status": answer.status_code, "body": answer.json()} == found["reply"]
        await story.passes(hours=1)
        reads(story)
        assert await happened(story) == told
        (incident,) = await story.incidents()
        (expected,) = found["incidents"]
        assert (expected["priority"], expected["title"]) == (incident.priority, incident.title)
        (row,) = await story.rows("SELECT because FROM alerts")
        assert row.because in found["events"][0]["sentence"]
        (ended,) = await story.rows("SELECT at FROM timeline WHERE kind = 'policy_exhausted'")
        assert expected["expected"][-1]["kind"] == "end"
        assert expected["expected"][-1]["at"] == iso(ended.at)


async def _on_call(asked: Asked, schedule: str, at: Micros) -> str:
    (found,) = (await asked.reader.get("/oncall", params={"schedule_id": schedule, "at": iso(at)}))["items"]
    return str(found["people"][0]["person_id"])


async def _shop(story: Town, **settings: Any) -> Sender:
    """Ana, then Ben; who is there already keeps their names."""
    ana, ben = await story.person("Ana"), await story.person("Ben")
    policy = await story.policy([[ana], [ben]])
    service = await story.service("checkout", policy, grouping={"by": "service", "window_s": 7_200})
    return await story.integration("alertmanager", service, **settings)


async def test_nothing_is_kept_nobody_is_told_and_no_number_is_used(database: str) -> None:
    """Every way to ask, with an incident open: all tables, all providers, the console and the ids are as before."""
    async with api(database) as asked:
        story = asked.story
        alerts = await _shop(story)
        service = (await story.rows("SELECT id FROM resources WHERE kind = 'service'"))[0].id
        await alerts.posts(firing("DiskFull"))
        reads(story)
        tries: list[dict[str, Any]] = [
            {"integration_id": str(alerts.id), "payload": payload, **when}
            for payload in (
                firing("DiskFull"),
                firing("DiskSlow"),
                firing("DiskFull", status="resolved"),
                "no message at all",
            )
            for when in ({}, {"at": SUNDAY})
        ]
        tries += [{"service_id": str(service), "severity": "warning", "title": "slow"}, {"service_id": str(service)}]
        tries += [{"incident": 1, "at": SUNDAY}]
        before = await everything(story)
        used = IdsUsed(story)
        for said in tries:
            await dry(asked, **said)
        assert used.since() == 0
        assert await everything(story) == before
        await alerts.posts(firing("Other", severity="none"))
        assert await everything(story) != before
        assert used.since() > 0


async def test_each_event_says_what_it_would_do_and_then_does_it(database: str) -> None:
    """Join, repeat, resolve, acknowledge by hand, and what is left of it: foretold, then sent."""
    async with api(database) as asked:
        story = asked.story
        alerts = await _shop(story)

        async def both(payload: Any) -> Any:
            found = await dry(asked, integration_id=str(alerts.id), payload=payload)
            assert (await alerts.posts(payload)).status_code == found["reply"]["status"]
            reads(story)
            return found

        opened = await both(firing("DiskFull"))
        assert opened["events"][0]["sentence"].endswith("no incident of this group was open. It opens a new incident.")
        assert opened["incidents"][0]["number"] is None
        joined = await both(firing("DiskSlow"))
        assert joined["events"][0]["sentence"] == (
            "DiskSlow (critical, firing): the same service, 0 s after the last alert. It joins incident #1."
        )
        assert joined["incidents"][0]["number"] == 1
        assert joined["incidents"][0]["sentences"][-1].startswith("Its escalation is under way")
        assert foretold(joined)[0][:4] == (2, 1, "2026-01-05T00:05:00.000Z", "Ben")
        two = await dry(asked, integration_id=str(alerts.id), payload=firing("DiskOne", severity="none"))
        assert two["events"][0]["sentence"].endswith(
            "It is kept as an alert and concerns nobody: no incident, no page."
        )
        repeated = await both(firing("DiskSlow"))
        assert repeated["events"][0]["change"] == "repeated"
        await story.acknowledges(await story.incident(), by="Ana")
        held = await both(firing("DiskBad"))
        assert held["incidents"][0]["sentences"][-1] == "Ana has it, so nobody is told."
        assert held["incidents"][0]["expected"] == []
        one_of_three = await both(firing("DiskFull", "DiskSlow", status="resolved", at="2026-01-05T00:00:01Z"))
        assert [one["change"] for one in one_of_three["events"]] == ["resolved", "resolved"]
        assert one_of_three["incidents"][0]["state"] == "acknowledged"
        last = await both(firing("DiskBad", status="resolved", at="2026-01-05T00:00:01Z"))
        assert last["incidents"][0]["state"] == "resolved"
        assert "All of its alerts have resolved." in last["incidents"][0]["sentences"]
        assert (await story.incident()).state == "resolved"
        never = await both(firing("Watchdog", severity="none"))
        assert never["incidents"] == []
        assert never["summary"] == [
            "If this arrived on Mon 5 Jan 2026 00:00:00 UTC, no incident would be touched and nobody would be told."
        ]


async def test_a_message_that_can_not_be_read_is_answered_as_the_sender_would_be(database: str) -> None:
    async with api(database, max_body_bytes=2_000) as asked:
        story = asked.story
        alerts = await _shop(story)
        for payload, content in (("no message at all", b"no message at all"), ("x" * 3_000, b"x" * 3_000)):
            found = await dry(asked, integration_id=str(alerts.id), payload=payload)
            answer = await story.web.post(alerts.path, content=content, headers={"content-type": "text/plain"})
            assert found["reply"] == {"status": answer.status_code, "body": answer.json()}
            assert answer.status_code in (400, 413)
            (row,) = await story.rows("SELECT title FROM alerts")
            assert found["events"][0]["title"] == row.title
            assert "could not be read" in row.title
        await story.settled()
        reads(story)


async def test_hours_in_which_nobody_is_on_call_are_said_loudly(database: str) -> None:
    async with api(database) as asked:
        story = asked.story
        ana, ben = await story.person("Ana"), await story.person("Ben")
        days = {"restrictions": [{"weekdays": ["mon", "tue", "wed", "thu", "fri"], "start": "08:00", "end": "20:00"}]}
        office = await story.schedule("Office", ana, **days)
        only_days = await story.service("billing", await story.policy([[office]]))
        and_ben = await story.service("checkout", await story.policy([[office], [ben]]))
        found = await dry(asked, service_id=str(and_ben), at=SUNDAY)
        (incident,) = found["incidents"]
        assert incident["gaps"] == [
            ("Level 1 would reach nobody at that hour: nobody is on call in Office: no layer is active at this hour.")
        ]
        assert foretold(found) == [
            (2, 1, "2026-03-29T01:00:00.000Z", "Ben", "ben", "named in the escalation policy"),
        ]
        assert found["summary"][-1].startswith("BEWARE: Level 1 would reach nobody at that hour")
        nobody = await dry(asked, service_id=str(only_days), at=SUNDAY)
        assert [one["kind"] for one in nobody["incidents"][0]["expected"]] == ["level", "console"]
        assert nobody["incidents"][0]["gaps"][-1] == "The policy reached nobody, so the console is told."
        in_hours = await dry(asked, service_id=str(only_days), at="2026-03-30T10:00:00Z")
        assert in_hours["incidents"][0]["gaps"] == []
        assert in_hours["incidents"][0]["expected"][0]["told"][0]["name"] == "Ana"


async def test_an_alert_that_will_have_expired_by_then_does_not_count(database: str) -> None:
    async with api(database) as asked:
        story = asked.story
        alerts = await _shop(story, expire_after_s=600)
        await alerts.posts(firing("DiskFull"))
        reads(story)
        at = story.clock.now() + 3_600_000_000
        payload = firing("DiskFull")
        soon = await dry(asked, integration_id=str(alerts.id), payload=payload)
        assert soon["events"][0]["change"] == "repeated"
        found = await dry(asked, integration_id=str(alerts.id), payload=payload, at=iso(at))
        assert found["events"][0]["change"] == "back_after_expiry"
        assert found["incidents"][0]["number"] is None
        await story.passes(hours=1)
        await alerts.posts(payload)
        reads(story)
        first, second = await story.incidents()
        assert (first.state, second.state) == ("resolved", "triggered")
        (_, row) = await story.rows("SELECT reason FROM alerts ORDER BY id")
        assert row.reason == "back_after_expiry"
        await story.settled()
        reads(story)


async def test_an_incident_that_there_is_at_another_hour(database: str) -> None:
    """On Monday Ana has it; had it come on Tuesday, Ben would have been told."""
    async with api(database) as asked:
        story = asked.story
        ana, ben = await story.person("Ana"), await story.person("Ben")
        service = await story.service("checkout", await story.policy([[await story.schedule("Primary", ana, ben)]]))
        alerts = await story.integration("alertmanager", service)
        await alerts.fires("DiskFull")
        await ana.is_paged("DiskFull")
        found = await dry(asked, incident=1, at="2026-01-06T03:00:00Z")
        assert [one[3] for one in foretold(found)] == ["Ben"]
        assert found["incidents"][0]["title"] == "DiskFull"
        assert found["reply"] is None


async def test_what_can_not_be_tried_out_is_refused_with_the_field_at_fault(database: str) -> None:
    async with api(database) as asked:
        alerts = await _shop(asked.story)
        for said, word in (
            ({}, "say one of"),
            ({"service_id": "7", "incident": 1}, "say one of"),
            ({"integration_id": str(alerts.id)}, "both or neither"),
            ({"service_id": "7", "payload": {}}, "both or neither"),
            ({"incident": 1, "severity": "error"}, "of a new incident"),
            ({"service_id": "7", "severity": "error", "urgency": "low"}, "not both"),
            ({"service_id": "7"}, "there is no service with the id 7"),
            ({"incident": 7}, "there is no incident #7"),
            ({"integration_id": "7", "payload": {}}, "there is no integration with the id 7"),
            ({"incident": 1, "at": "soon"}, "at"),
        ):
            problem = await asked.responder.refused(422, "POST", "/dry-run", json=said)
            assert word in problem["detail"], said
        await asked.reader.refused(403, "POST", "/dry-run", json={"incident": 1})


async def _settle_in(database: str) -> None:
    async with town(database) as story:
        await _shop(story)


def test_the_command_prints_who_would_be_told_in_80_columns(database: str, tmp_path: Path) -> None:
    asyncio.run(_settle_in(database))
    environment = {"TOCSIN_DATABASE_URL": database}
    file = tmp_path / "payload.json"
    file.write_text(json.dumps(firing("DiskFull", at="2026-03-29T00:59:00Z")))

    def run(*words: str, code: int = 0, wide: bool = False) -> str:
        done = CliRunner().invoke(cli, ["dry-run", *words], env=environment)
        assert done.exit_code == code, done.output
        assert max(map(len, done.output.splitlines())) <= 80 or code or wide
        return done.output

    printed = run("--integration", "alertmanager 1", "--payload", str(file), "--at", SUNDAY)
    assert "Level 2 (policy 0, version 1) tells Ben." in printed
    assert "01:05:00    +05:00  " in printed
    assert "202: accepted" in printed
    assert "Level 1 tells Ana at 01:00:00 UTC" in " ".join(run("--service", "checkout", "--at", SUNDAY).split())
    assert '"reply": null' in run("--service", "checkout", "--json", wide=True)
    assert run("--service", "nothing", code=2) == "tocsin: there is no service named 'nothing'\n"
    assert "say one of --service NAME" in run(code=2)
    assert "there is no incident #9" in run("--incident", "9", code=2)

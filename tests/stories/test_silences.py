"""What does not page, why, and what happens when that ends: stories on both databases."""

from __future__ import annotations

from typing import Any

import pytest

from app.cli.checks import holding
from app.clock import HOUR, MINUTE, iso
from app.routing import alertmanager
from app.store import resources
from tests.harness.api_world import Asked, api
from tests.harness.town import Resident, Sender, Town


async def _shop(asked: Asked, **service: Any) -> tuple[Resident, Sender, int]:
    story = asked.story
    ana = await story.person("Ana")
    checkout = await story.service("checkout", await story.policy([[ana]], delay_s=600, repeat=1), **service)
    return ana, await story.integration("alertmanager", checkout), checkout


def _in(story: Town, **more: float) -> str:
    return iso(story.clock.now() + int(more.get("hours", 0) * HOUR + more.get("minutes", 0) * MINUTE))


async def _silence(asked: Asked, *matchers: str, minutes: float = 30, **more: Any) -> Any:
    said = {
        "name": f"silence {next(asked.story.names)}",
        "comment": "the disk is being replaced",
        "matchers": matchers,
        "ends_at": _in(asked.story, minutes=minutes),
        **more,
    }
    return await asked.responder.create("silences", said)


async def _timeline(asked: Asked, number: int) -> list[tuple[str, str]]:
    found = (await asked.reader.get(f"/incidents/{number}/timeline"))["items"]
    return [(one["kind"], one["text"] if "text" in one else one["reason"]) for one in found]


async def test_at_its_end_what_still_fires_pages_and_what_resolved_does_not(database: str) -> None:
    async with api(database) as asked:
        story = asked.story
        ana, alerts, _ = await _shop(asked, grouping={"by": "labels", "labels": ["host"]})
        made = await _silence(asked, 'alertname=~"Disk.*"', minutes=30)
        assert (made["created_by"], made["warnings"]) == ("api key responder-bot", [])
        await alerts.fires("DiskFull", host="a")
        await alerts.fires("DiskSlow", host="a")  # asked again, and nothing new is said
        await alerts.fires("DiskFull", host="b")
        await ana.is_not_paged()
        one, other = await story.incidents()
        assert one.quiet_because is not None
        assert one.quiet_because.startswith(f"silence '{made['name']}' of api key responder-bot until")
        why = await asked.reader.get(f"/incidents/{one.number}/explain")
        assert "It does not page now: silence 'silence" in " ".join(why["summary"])
        assert why["ahead"][0]["at"] == made["ends_at"]
        shown = await asked.reader.get(f"/incidents/{one.number}")
        assert (shown["quiet_until"], shown["quiet_because"]) == (made["ends_at"], one.quiet_because)
        effect = await asked.reader.get(f"/silences/{made['id']}/effect")
        assert (effect["state"], effect["incidents"], effect["quiet"]) == ("active", 2, 2)

        await story.passes(minutes=10)
        await alerts.resolves("DiskFull", host="b")
        await alerts.resolves("DiskSlow", host="a")
        await story.passes(minutes=19)
        await ana.is_not_paged()
        await story.passes(minutes=2)
        await ana.is_paged("DiskFull")
        assert [kind for kind, _ in await _timeline(asked, one.number)].count("quieted") == 1
        said = [reason for kind, reason in await _timeline(asked, one.number) if kind == "unquieted"]
        assert said == ["nothing keeps it quiet any more: 1 of 2 alerts still fire; 1 resolved meanwhile"]
        effect = await asked.reader.get(f"/silences/{made['id']}/effect")
        counts = {name: effect[name] for name in ("state", "incidents", "quiet", "resolved", "paged")}
        assert counts == {"state": "ended", "incidents": 2, "quiet": 0, "resolved": 1, "paged": 1}
        assert (await story.incidents())[1].state == "resolved"
        assert other.number
        await story.acknowledges(one, by="Ana")


async def test_one_alert_that_is_not_silenced_pages_for_all_and_the_next_level_asks_again(database: str) -> None:
    async with api(database) as asked:
        story = asked.story
        ana, alerts, checkout = await _shop(asked, tags=["rack-7"])
        silence = await _silence(asked, 'alertname="DiskFull"')
        await alerts.fires("DiskFull")
        await ana.is_not_paged()
        await alerts.fires("NetworkDown")  # joins the quiet incident, which is asked again at once
        await ana.is_paged()
        more = await _silence(asked, tags=["rack-7"], minutes=60)
        await story.passes(minutes=15)  # the second round is due after ten minutes
        await ana.is_not_paged()
        incident = await story.incident()
        assert f"'{more['name']}'" in str(incident.quiet_because)
        assert "It does not page now: silence" in (await ana.opens_link()).text
        # A person who escalates is not kept from it, and an end before its time wakes what fires.
        await asked.responder.post(f"/incidents/{incident.number}/escalate", {"level": 1})
        await ana.is_paged()
        await story.passes(minutes=1)
        assert (await asked.responder.post(f"/silences/{silence['id']}/end"))["state"] == "ended"
        assert (await asked.responder.post(f"/silences/{silence['id']}/end"))["state"] == "ended"
        await asked.responder.post(f"/incidents/{incident.number}/acknowledge")
        assert checkout


async def test_an_end_before_its_time_pages_at_once(database: str) -> None:
    async with api(database) as asked:
        ana, alerts, checkout = await _shop(asked)
        silence = await _silence(asked, service_ids=[str(checkout)])
        await alerts.fires("DiskFull")
        await ana.is_not_paged()
        changed = {
            **{name: silence[name] for name in ("name", "comment", "ends_at")},
            "service_ids": [str(checkout), "77"],
        }
        problem = await asked.responder.refused(422, "PUT", f"/silences/{silence['id']}", version=1, json=changed)
        assert problem["errors"][0]["field"] == "service_ids.1"
        await asked.responder.post(f"/silences/{silence['id']}/end")
        await ana.is_paged("DiskFull")
        await asked.responder.done(
            409,
            "PUT",
            f"/silences/{silence['id']}",
            version=2,
            json={name: silence[name] for name in ("name", "comment", "service_ids", "ends_at")},
        )


async def test_one_that_is_ended_before_it_begins_keeps_nobody_from_being_paged(database: str) -> None:
    """Whatever the instant: documents tell milliseconds apart, and clocks less."""
    async with api(database) as asked:
        story = asked.story
        ana, alerts, _ = await _shop(asked)
        for _ in range(3):
            ahead = await _silence(asked, 'alertname="DiskFull"', starts_at=_in(story, minutes=10))
            story.clock.move_to(story.clock.now() + 333)
            ended = await asked.responder.post(f"/silences/{ahead['id']}/end")
            assert (ended["state"], ended["incidents"]) == ("ended", 0)
        assert {one["status"]["state"] for one in await story.store.read(alertmanager.listed)} == {"expired"}
        # Nor do those that nobody could write today: the log names them.
        await _silence(asked, 'alertname="Other"')
        for row in await story.store.read(resources.listed, "silence"):
            odd = {**row.document, "created_by": "x" * 400}
            await story.store.write(resources.replace, row, row.name, odd, "an older version", seen=row.version)
        await alerts.fires("DiskFull")
        await ana.is_paged("DiskFull")
        assert {(error["event"], error["kind"]) for error in story.errors} == {("document_unreadable", "silence")}
        story.errors.clear()


async def test_a_maintenance_window_is_on_in_its_hours_only(database: str) -> None:
    """The story begins on Monday 5 January 2026 at 00:00 UTC: 01:00 in Berlin."""
    async with api(database) as asked:
        story = asked.story
        ana, alerts, _ = await _shop(asked, grouping={"by": "alert"})
        weekly = {"time_zone": "Europe/Berlin", "weekdays": ["mon"], "begin": "01:30", "end": "02:00"}
        made = await _silence(asked, 'alertname=~".*"', 'job="batch"', minutes=60 * 24 * 30, repeats=weekly)
        await alerts.fires("First", job="batch")
        await ana.is_paged("First")
        await story.passes(minutes=31)
        await ana.is_paged("First")  # the second round, before half past one
        await alerts.fires("Second", job="batch")
        await ana.is_not_paged()
        effect = await asked.reader.get(f"/silences/{made['id']}/effect")
        assert (effect["state"], effect["until"]) == ("active", "2026-01-05T01:00:00.000Z")
        await story.passes(minutes=30)
        await ana.is_paged("Second")


async def test_a_silence_over_everything_needs_a_reason_a_limit_and_is_loud(database: str) -> None:
    async with api(database) as asked:
        story = asked.story
        ana, alerts, _ = await _shop(asked)
        said = {"name": "all", "comment": "the whole site moves", "ends_at": _in(story, hours=2)}

        async def refused(**more: Any) -> str:
            return str((await asked.responder.refused(422, "POST", "/silences", json={**said, **more}))["detail"])

        assert "would silence everything" in await refused()
        assert "would silence everything" in await refused(matchers=['a!="1"', 'b=~".*"'])
        assert "at least 10 characters" in await refused(everything=True, comment="because")
        assert "24 hours" in await refused(everything=True, ends_at=_in(story, hours=25))
        assert "leave it out" in await refused(everything=True, matchers=['a="1"'])
        assert "no service with the id" in await refused(service_ids=["77"])
        assert "no service has the tag" in await refused(tags=["nowhere"])
        assert "can never match" in await refused(matchers=['a="1"', 'a="2"'])
        assert (await asked.responder.refused(409, "POST", "/silences", json={**said, "matchers": ['a="1"'], "ends_at": _in(story, hours=-1), "starts_at": _in(story, hours=-2)}))["code"] == "ends_in_the_past"  # fmt: skip

        made = await asked.responder.create("silences", {**said, "everything": True})
        (warning,) = made["warnings"]
        assert warning.startswith("THIS SILENCES EVERYTHING until ")
        (loud,) = (await asked.reader.get("/paging"))["silenced"]
        assert "the whole site moves" in loud
        await story.process._measure_silences()
        (found, *_) = holding.judge(await story.store.read(holding.gather), heartbeat_url=True)
        assert "everything is silenced" in found.says
        assert 'tocsin_silences_active{over="everything"} 1.0' in (await story.web.get("/metrics")).text
        await alerts.fires("DiskFull")
        await ana.is_not_paged()
        await asked.responder.done(204, "DELETE", f"/silences/{made['id']}", version=1)
        await ana.is_paged("DiskFull")


async def test_a_preview_tells_what_it_would_have_silenced(database: str) -> None:
    async with api(database) as asked:
        story = asked.story
        ana, alerts, checkout = await _shop(asked, grouping={"by": "labels", "labels": ["host"]})
        await alerts.fires("DiskFull", "DiskSlow", host="a")
        await alerts.fires("DiskFull", host="b")
        await alerts.fires("NetworkDown", host="b")
        await ana.is_paged(times=2)
        silence = {"name": "x", "comment": "y", "matchers": ['alertname=~"Disk.*"'], "ends_at": _in(story, hours=1)}
        found = await asked.responder.post("/silences/preview", {"silence": silence})
        newest = found.pop("newest")
        assert found == {"days": 7, "looked_at": 4, "complete": True, "alerts": 3, "incidents": 1, "pages": 1}
        assert sorted(one["title"] for one in newest) == ["DiskFull", "DiskFull", "DiskSlow"]
        hours = {"time_zone": "UTC", "begin": "03:00", "end": "04:00"}
        narrower = {**silence, "matchers": [], "service_ids": [str(checkout)], "repeats": hours}
        assert (await asked.responder.post("/silences/preview", {"silence": narrower}))["alerts"] == 0
        assert (await asked.reader.get("/silences"))["items"] == []


async def test_a_rule_holds_a_page_until_it_has_fired_for_a_while(database: str) -> None:
    async with api(database) as asked:
        story = asked.story
        ana, alerts, _ = await _shop(asked, grouping={"by": "alert"})
        then = {"hold_s": 300}
        await asked.admin.create("rules", {"name": "patience", "when": ['alertname=~"Cpu.*"'], "then": then})
        payload = alerts._group("firing", ["CpuHigh"], "critical", {})
        dry = await asked.responder.post("/dry-run", {"integration_id": str(alerts.id), "payload": payload})
        assert "holds its page for 300 s" in dry["incidents"][0]["sentences"][-1]
        assert dry["incidents"][0]["expected"][0]["at"] == _in(story, minutes=5)
        await alerts.fires("CpuHigh")
        await alerts.fires("CpuBusy")
        await ana.is_not_paged()
        await story.passes(minutes=2)
        await alerts.resolves("CpuBusy")
        await story.passes(minutes=4)
        await ana.is_paged("CpuHigh")


async def test_what_has_ended_leaves_the_list_after_five_days_and_keeps_its_history(database: str) -> None:
    async with api(database) as asked:
        story = asked.story
        old = await _silence(asked, 'a="1"', minutes=1)
        await story.passes(hours=119)
        await _silence(asked, 'a="2"')
        assert len((await asked.reader.get("/silences"))["items"]) == 2
        await story.passes(hours=2)
        newest = await _silence(asked, 'a="3"')
        shown = [one["id"] for one in (await asked.reader.get("/silences"))["items"]]
        assert old["id"] not in shown
        assert newest["id"] in shown
        history = (await asked.reader.get(f"/silences/{old['id']}/history"))["items"]
        assert [(one["action"], one["changed_by"]) for one in history] == [
            ("created", "api key responder-bot"),
            ("deleted", "tocsin"),
        ]


async def test_alertmanagers_silences_are_these(database: str) -> None:
    """As a client of Alertmanager puts, renews, changes and expires one."""
    async with api(database) as asked:
        story = asked.story
        ana, alerts, _ = await _shop(asked)
        now = story.clock.now()
        over = [{"name": "alertname", "value": "Disk.*", "isRegex": True}]
        sent = alertmanager.Sent(over, now - MINUTE, now + HOUR, "ana@example.org", "disk swap")
        made = await story.store.write(alertmanager.put, sent, "api key am")
        (shown,) = await story.store.read(alertmanager.listed)
        assert (shown["id"], shown["status"]) == (str(made.id), {"state": "active"})
        assert shown["matchers"] == [{"name": "alertname", "value": "Disk.*", "isRegex": True, "isEqual": True}]
        assert (shown["createdBy"], shown["comment"]) == ("ana@example.org (api key am)", "disk swap")
        assert (shown["startsAt"], shown["endsAt"]) == (iso(now), iso(now + HOUR))
        await alerts.fires("DiskFull")
        await ana.is_not_paged()

        longer = alertmanager.Sent(over, now - MINUTE, now + 2 * HOUR, "ana@example.org", "slower", str(made.id))
        assert (await story.store.write(alertmanager.put, longer, "api key am")).id == made.id
        other = [{"name": "alertname", "value": "DiskFull", "isEqual": True}]
        changed = alertmanager.Sent(other, now, now + 2 * HOUR, "", "narrower", str(made.id))
        replaced = await story.store.write(alertmanager.put, changed, "api key am")
        assert replaced.id != made.id
        await ana.is_not_paged()
        states = [(one["id"], one["status"]["state"]) for one in await story.store.read(alertmanager.listed)]
        assert states == [(str(made.id), "expired"), (str(replaced.id), "active")]
        await story.store.write(alertmanager.expire, str(replaced.id), "api key am")
        story.world.wake.set()
        await ana.is_paged("DiskFull")
        for wrong in ("77", "6e0f1d2c-uuid", ""):
            with pytest.raises(alertmanager.NoSuchSilence):
                await story.store.write(alertmanager.expire, wrong, "x")

"""Stories of what belongs together: by evidence, each join with its reason, in one order for all replicas."""

from __future__ import annotations

import re
from typing import Any

import pytest
from sqlalchemy import delete, update

from app.clock import HOUR, SECOND
from app.dedup.arrival import Arrival, prepare
from app.dedup.directory import Directory
from app.dedup.ingest import ingest
from app.dedup.tables import habits
from app.incidents.tables import memberships
from app.sources.event import Event
from app.store.database import Writing
from tests.harness.api_world import api
from tests.harness.town import BROWSER, FORM, Resident, Sender, Town, _path, iso, town


async def _settings(story: Town, **service: Any) -> tuple[Resident, Sender, Sender]:
    """Two senders of two services that are answered by the same people."""
    ana = await story.person("Ana")
    policy = await story.policy([[ana]])
    one = await story.integration("alertmanager", await story.service("metal", policy, **service))
    return ana, one, await story.integration("alertmanager", await story.service("shop", policy, **service))


async def test_what_two_senders_see_of_one_fault_is_one_incident_with_one_page(database: str) -> None:
    """And says why; people who are told of other things by another policy get an incident of their own."""
    async with town(database) as story:
        ana, metal, shop = await _settings(story)
        ben = await story.person("Ben")
        other = await story.integration("alertmanager", await story.service("lab", await story.policy([[ben]])))
        await metal.fires("PostgresDown", instance="orders-db-1:9187", cluster="eu")
        await ana.is_paged("PostgresDown")
        await story.passes(seconds=40)
        await shop.fires("QueriesFail", host="orders-db-1.eu.example.net", cluster="eu")
        await other.fires("LabProbe", host="orders-db-1")
        await ben.is_paged("LabProbe")
        rows = await story.rows("SELECT title, reason, because FROM alerts ORDER BY id")
        assert [row.reason for row in rows] == ["first", "same_host", "first"]
        assert rows[1].because == "0.90: the same host orders-db-1"
        assert [one.alerts for one in await story.incidents()] == [2, 1]
        shown = (await ana.opens_link()).text
        assert (shown.count("Why here"), shown.count("Why here: 0.90: the same host orders-db-1")) == (1, 1)


async def test_alerts_that_tie_two_young_incidents_merge_them(database: str) -> None:
    async with town(database) as story:
        ana, metal, shop = await _settings(story)
        await metal.fires("Slow", host="db-1", cluster="eu")
        await story.passes(minutes=2)
        await shop.fires("Down", service="cart", cluster="us")
        await ana.is_paged(times=2)
        await story.passes(minutes=2)
        await shop.fires("Errors", service="cart", host="db-1", cluster="us")
        one, other = await story.incidents()
        assert (one.alerts, one.open_alerts, other.state, other.merged_into) == (3, 3, "merged", one.id)
        told = [row.kind for row in await story.rows("SELECT kind FROM timeline ORDER BY id")]
        assert {"merged", "took_over"} <= set(told)
        # The link of the page about what was merged leads on: it is not over, and nobody has it.
        shown = (await ana.opens_link()).text
        assert f"It goes on in #{one.number}" in shown
        assert 'class="state moved"' in shown
        late = await story.web.post(_path(ana.last["url"]), headers=FORM)
        assert (late.status_code, "before you pressed. Nothing was changed" in late.text) == (409, True)
        onward = re.search(rf'action="\./([^"]+)"><button>Open #{one.number}<', shown)
        assert onward
        there = (await story.web.get(f"/a/{onward[1]}", headers=BROWSER)).text
        assert "Nobody has it yet" in there
        assert ">Acknowledge</button>" in there
        # What was merged away still ends where it lives on.
        await shop.resolves("Down", service="cart", cluster="us")
        await shop.resolves("Errors", service="cart", host="db-1", cluster="us")
        await metal.resolves("Slow", host="db-1", cluster="eu")
        assert [one.state for one in await story.incidents()] == ["resolved", "merged"]


async def test_flapping_is_one_incident_with_a_count(database: str) -> None:
    """The first return is news and pages; what keeps coming back pages only if it stays."""
    async with town(database) as story:
        ana, metal, _ = await _settings(story)
        for turn in range(6):
            await metal.fires("Probe", service="cart")
            await (ana.is_paged("Probe") if turn < 2 else ana.is_not_paged())
            held = "Nobody is told now: it pages again if it is still there in 300 s." in (await ana.opens_link()).text
            assert held is (turn >= 2)
            await story.passes(minutes=2)
            await metal.resolves("Probe", service="cart")
            await story.passes(minutes=2)
        incident = await story.incident()
        assert (incident.alerts, incident.returns, incident.state) == (6, 5, "resolved")
        await metal.fires("Probe", service="cart")
        await story.passes(minutes=6)
        await ana.is_paged("Probe")


async def test_what_is_mild_brings_an_incident_back_without_waking_anybody_at_once(database: str) -> None:
    """Unless it stays, or something urgent comes back as well."""
    async with town(database) as story:
        ana, metal, _ = await _settings(story)
        for check, host in (("Down", "apple"), ("Dead", "pear")):
            await metal.fires(check, host=host, cluster=host)
            await ana.is_paged(check)
            await metal.resolves(check, host=host, cluster=host)
            await metal.fires("Busy", host=host, cluster=host, severity="info")
            await story.passes(minutes=4)
            await ana.is_not_paged()
            if host == "apple":
                await metal.fires(check, host=host, cluster=host)
            else:
                await story.passes(minutes=1)
            await ana.is_paged(check)


async def test_what_a_service_holds_waits_for_a_second_thing_or_to_clear(database: str) -> None:
    async with town(database) as story:
        hold = {"high": {"alone_s": 75, "confirmed_s": 20}}
        ana, metal, shop = await _settings(story, first_page=hold)
        await metal.fires("Blip", service="cart", cluster="eu")
        await story.passes(seconds=50)
        await metal.resolves("Blip", service="cart", cluster="eu")
        await story.passes(minutes=30)
        await ana.is_not_paged()
        await metal.fires("Down", host="db-1", cluster="us")
        await story.passes(seconds=10)
        await ana.is_not_paged()
        await shop.fires("Errors", service="pay", cluster="us", host="db-1")
        await story.passes(seconds=11)
        await ana.is_paged("Down")
        await metal.fires("Lone", service="mail", cluster="ap")
        await story.passes(seconds=74)
        await ana.is_not_paged()
        await story.passes(seconds=2)
        await ana.is_paged("Lone")


def _event(name: str, **labels: str) -> Event:
    return Event("firing", f"{name}{labels}", name, "critical", {"alertname": name, **labels})


async def test_replicas_and_restarts_decide_by_the_same_past(database: str) -> None:
    """Another process folds what this one wrote; what was rolled back was never decided."""
    async with town(database) as story:
        ana, metal, _ = await _settings(story)
        directory = story.world.directory
        other = Directory(story.store, directory._parse)

        async def tells(at: Directory, *events: Event) -> None:
            inlet = (await story.store.read(at.refresh)).by_id[metal.id]
            await story.store.write(ingest, at, [Arrival(inlet, prepare(inlet, events))])
            story.world.wake.set()

        await metal.fires("Slow", host="db-1")
        await tells(other, _event("Down", host="db-1"))
        await tells(directory, _event("Net", host="db-1"))
        assert (await story.incident()).alerts == 3

        async def fails(tx: Writing) -> None:
            inlet = (await other.refresh(tx)).by_id[metal.id]
            await ingest(tx, other, [Arrival(inlet, prepare(inlet, (_event("Lost", host="ghost"),)))])
            raise RuntimeError("the power failed")

        with pytest.raises(RuntimeError):
            await story.store.write(fails)
        await tells(other, _event("Found", host="ghost"))
        found = await story.incidents()
        assert [one.alerts for one in found] == [3, 1]
        assert found[1].title == "Found"
        await ana.is_paged(times=2)
        # The memory is a cache: without the past on disk, another process knows nothing.
        fresh = Directory(story.store, directory._parse)
        await story.store.read(fresh.memory.look)
        assert set(fresh.memory.state.live) == {one.id for one in found}


async def test_what_people_put_right_stays_right(database: str) -> None:
    async with api(database) as asked:
        story = asked.story
        ana, metal, shop = await _settings(story)
        await metal.fires("Slow", host="db-1", service="cart", cluster="eu")
        await ana.is_paged("Slow")
        await shop.fires("Down", host="db-1", service="orders", cluster="eu")
        number = (await story.incident()).number
        listed = await story.rows("SELECT id, title FROM alerts ORDER BY id")
        down = str(listed[1].id)
        everything = [str(row.id) for row in listed]
        await asked.responder.refused(409, "POST", f"/incidents/{number}/split", json={"alerts": everything})
        await asked.responder.refused(409, "POST", f"/incidents/{number}/split", json={"alerts": ["7"]})
        made = await asked.responder.post(f"/incidents/{number}/split", {"alerts": [down]})
        assert (made["alerts"], made["state"]) == (1, "triggered")
        await ana.is_paged("Down")
        await shop.fires("Errors", service="orders", cluster="eu")
        assert [one.alerts for one in await story.incidents()] == [1, 2]
        # Moved back, and the rest merged.
        kept = await asked.responder.post(f"/incidents/{number}/split", {"alerts": [everything[0]]}, status=409)
        assert kept["code"] == "all_alerts"
        kept = await asked.responder.post(f"/incidents/{made['number']}/merge", {"into": number})
        assert (kept["number"], kept["alerts"]) == (number, 3)
        assert (await asked.reader.get(f"/incidents/{made['number']}"))["state"] == "merged"
        await asked.responder.refused(409, "POST", f"/incidents/{made['number']}/merge", json={"into": number})
        await asked.responder.refused(404, "POST", f"/incidents/{number}/merge", json={"into": 999})
        pinned = await asked.responder.post(f"/incidents/{number}/pin")
        assert pinned["pinned"]
        await shop.fires("Late", service="orders", cluster="eu")
        await ana.is_paged("Late")
        assert not (await asked.responder.post(f"/incidents/{number}/unpin"))["pinned"]


async def test_a_declared_graph_and_own_labels_are_evidence_at_once(database: str) -> None:
    async with api(database) as asked:
        story = asked.story
        ana, metal, shop = await _settings(story)
        graph = {"name": "platform", "services": {"cart": {"calls": ["orders-db"]}, "orders-db": {}}}
        await asked.admin.create("graphs", graph)
        await asked.admin.create("aliases", {"name": "ours", "labels": {"x_system": "service"}})
        circle = {"name": "c", "services": {"a": {"calls": ["b"]}, "b": {"calls": ["a"]}}}
        problem = await asked.admin.refused(422, "POST", "/graphs", json=circle)
        assert "in a circle: a -> b -> a" in str(problem)
        await metal.fires("Down", x_system="orders-db", cluster="eu")
        await ana.is_paged("Down")
        await story.passes(seconds=30)
        await shop.fires("Errors", service="cart", cluster="eu")
        rows = await story.rows("SELECT reason, because FROM alerts ORDER BY id")
        assert rows[1].reason == "calls"
        assert "cart calls orders-db" in rows[1].because


async def test_old_memberships_are_pruned_and_nothing_is_lost_by_it(database: str) -> None:
    async with town(database) as story:
        ana, metal, _ = await _settings(story)
        await metal.fires("Slow", host="db-1")
        await ana.is_paged("Slow")

        async def prune(tx: Writing) -> None:
            await tx.conn.execute(delete(memberships).where(memberships.c.at <= tx.now - SECOND))

        await story.passes(minutes=1)
        await story.store.write(prune)
        await metal.fires("Down", host="db-1")
        assert (await story.incident()).alerts == 2


async def test_what_a_check_taught_about_itself_holds_its_page(database: str) -> None:
    """Two that ended alone within two minutes teach it; what stays still pages, and a second thing ends the wait."""
    async with town(database) as story:
        ana, metal, shop = await _settings(story, first_page={"high": {"learned": True}})

        async def blips(name: str, check: str = "Probe") -> None:
            await metal.fires(check, service=name, cluster=name)
            await story.passes(seconds=40)
            if check == "Login":
                await ana.is_paged("Login")
                await ana.acknowledges()
            await metal.resolves(check, service=name, cluster=name)
            await story.passes(minutes=10)

        for name in ("desk", "lamp", "sofa"):
            # What somebody had to take on did not clear by itself.
            await blips(name, "Login")

        for name in ("cart", "mail"):
            await blips(name)
            await ana.is_paged("Probe")
        await blips("wallet")
        await ana.is_not_paged()
        # What comes back flaps, and somebody is told.
        await blips("wallet")
        await ana.is_paged("Probe")
        await metal.fires("Probe", service="ledger", cluster="ledger")
        await story.passes(seconds=149)
        await ana.is_not_paged()
        await story.passes(seconds=2)
        await ana.is_paged("Probe")
        said = (await story.rows("SELECT reason FROM timeline WHERE kind = 'held' ORDER BY id DESC LIMIT 1"))[0].reason
        assert said.endswith(
            "in case it clears by itself: 3 of the last 3 incidents in which this check stayed alone ended by themselves "
            "within 2 min"
        )
        await metal.fires("Probe", service="tax", cluster="tax")
        await ana.is_not_paged()
        await shop.fires("Errors", service="pay", host="tax", cluster="tax")
        await shop.fires("Down", service="tax", cluster="tax")
        await ana.is_paged(times=2)


async def test_what_grows_at_once_says_nothing_of_a_check_and_what_grows_late_speaks_against_waiting(
    database: str,
) -> None:
    """Whoever was told when the second thing failed would not have been told later for any habit."""
    async with town(database) as story:
        ana, metal, shop = await _settings(story, first_page={"high": {"learned": True}})

        async def fails(name: str, alone_s: int, *, grows: bool = False) -> None:
            await metal.fires("Probe", service=name, cluster=name)
            await story.passes(seconds=alone_s)
            if grows:
                await shop.fires("Down", service=name, cluster=name)
            await metal.resolves("Probe", service=name, cluster=name)
            await shop.resolves("Down", service=name, cluster=name)
            await story.passes(minutes=60)

        for name in ("cart", "mail"):
            await fails(name, 40)
            await ana.is_paged("Probe")
        for name in ("desk", "lamp", "sofa"):
            await fails(name, 20, grows=True)
            await ana.is_paged()
        await fails("wallet", 40)
        await ana.is_not_paged()
        for name in ("roof", "door", "wall"):
            await fails(name, 400, grows=True)
            await ana.is_paged("Probe")
        rows = await story.rows("SELECT opened, soon, later FROM habits ORDER BY opened")
        assert [tuple(row) for row in rows] == [(3, 3, 0), (6, 3, 3)]
        await fails("tax", 40)
        await ana.is_paged("Probe")


async def test_what_a_check_did_long_ago_is_forgotten(database: str) -> None:
    """Of twenty incidents all counts are halved before the next one counts."""
    async with town(database) as story:
        _, metal, _ = await _settings(story, first_page={"high": {"alone_s": 75, "learned": True}})

        async def blips() -> None:
            await metal.fires("Probe", service="cart")
            await story.passes(seconds=40)
            await metal.resolves("Probe", service="cart")
            await story.passes(hours=2)

        async def years_pass(tx: Writing) -> None:
            await tx.conn.execute(update(habits).values(opened=21, soon=12, later=19))

        await blips()
        await story.store.write(years_pass)
        await blips()
        rows = await story.rows("SELECT opened, soon, later FROM habits ORDER BY later")
        assert [tuple(row) for row in rows] == [(11, 7, 9), (11, 7, 10)]


async def test_a_sender_that_tells_of_quick_ends_late_is_waited_for_longer_than_one_that_tells_at_once(
    database: str,
) -> None:
    """Both of the same check: how soon it clears is the check's, when that is told is the sender's."""
    async with town(database) as story:
        ana = await story.person("Ana")
        service = await story.service("metal", await story.policy([[ana]]), first_page={"high": {"learned": True}})
        prompt, slow = [await story.integration("alertmanager", service) for _ in range(2)]
        for name in ("cart", "mail"):
            labels = {"alertname": "Probe", "severity": "critical", "service": name, "cluster": name}
            begun = story.clock.now()
            await slow.fires("Probe", service=name, cluster=name)
            await ana.is_paged("Probe")
            await story.passes(seconds=300)
            over = {"startsAt": iso(begun), "endsAt": iso(begun + 40 * SECOND)}
            message = {"status": "resolved", "labels": labels, "annotations": {"summary": "Probe"}, **over}
            await slow.posts({"version": "4", "status": "resolved", "groupKey": "{}", "alerts": [message]})
            slow.starts.clear()
            await story.passes(minutes=60)
        for sender, name, waits_s in ((prompt, "desk", 150), (slow, "lamp", 330)):
            await sender.fires("Probe", service=name, cluster=name)
            await story.passes(seconds=waits_s - 1)
            await ana.is_not_paged()
            await story.passes(seconds=2)
            await ana.is_paged("Probe")
            await story.passes(minutes=60)
        said = await story.rows("SELECT reason FROM timeline WHERE kind = 'held' ORDER BY id")
        assert [one.reason.partition("min")[2] for one in said] == ["", ", of which its sender tells minutes later"]


async def test_what_a_new_integration_tells_of_yesterday_is_told_mildly(database: str) -> None:
    """After half an hour the same is news: what began while nobody listened must page."""
    async with town(database) as story:
        ana, metal, _ = await _settings(story)
        metal.starts["Disk"] = story.clock.now() - 5 * HOUR
        await metal.fires("Disk", host="old")
        incident = await story.incident()
        assert (incident.severity, incident.urgency) == ("warning", "low")
        assert (
            "began hours before its integration was made" in (await story.rows("SELECT because FROM alerts"))[0].because
        )
        await ana.is_paged("Disk")
        await story.passes(minutes=31)
        metal.starts["Raid"] = story.clock.now() - 5 * HOUR
        await metal.fires("Raid", service="other")
        assert [one.urgency for one in await story.incidents()] == ["low", "high"]
        await ana.is_paged("Raid")

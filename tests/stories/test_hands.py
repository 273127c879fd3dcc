"""Whose hands an incident is in: each must acknowledge, others are asked to join, it is given away, escalated, snoozed."""

from __future__ import annotations

import re
from typing import Any

import httpx

from app.clock import iso
from tests.harness.api_world import Asked, api
from tests.harness.town import BROWSER, FORM, Resident


async def people(asked: Asked, *names: str) -> list[Resident]:
    return [await asked.story.person(name) for name in names]


def level(*targets: Resident, **more: Any) -> dict[str, Any]:
    return {"targets": [{"kind": "person", "id": str(one.id)} for one in targets], "delay_s": 300, **more}


async def opened(asked: Asked, *levels: dict[str, Any], repeat: int = 0) -> None:
    """A service with this policy, and its incident #1."""
    document = {"name": "Usual", "levels": list(levels), "repeat": repeat}
    policy = await asked.admin.create("policies", document)
    service = await asked.service("shop", policy["id"])
    await asked.responder.create("incidents", {"title": "Shop is down", "service_id": service})
    await asked.story.settled()


async def presses(person: Resident, button: str, **fields: str) -> httpx.Response:
    """Opens the link of their last page and presses the button with these words on it."""
    url = "/" + person.last["url"].split("/", 3)[3]
    shown = await person.story.web.get(url, headers=BROWSER)
    forms = re.findall(r'<form[^>]*action="\./([^"]+)"[^>]*>(.*?)</form>', shown.text, re.DOTALL)
    (token,) = [action for action, inside in forms if button in inside]
    said = dict(re.findall(r'<input type="hidden" name="(\w+)" value="(\w+)">', dict(forms)[token]))
    answer = await person.story.web.post(f"/a/{token}", data={**said, **fields}, headers=FORM)
    await person.story.settled()
    assert answer.status_code == 303, answer.text
    return await person.story.web.get(f"/a/{answer.headers['location'].removeprefix('./')}", headers=BROWSER)


async def kinds(asked: Asked) -> list[str]:
    return [one["kind"] for one in (await asked.reader.get("/incidents/1/timeline"))["items"] if one["kind"] != "page"]


async def test_a_level_that_each_must_acknowledge_escalates_until_the_last_has(database: str) -> None:
    async with api(database) as asked:
        story = asked.story
        ben, lea = await people(asked, "Ben", "Lea")
        ana = await story.person("Ana", rules=[{"contact_method": "ana"}, {"contact_method": "ana", "delay_s": 120}])
        await opened(asked, level(ana, ben, ack="all"), level(lea), repeat=1)
        page = await ana.is_paged("Shop")
        await ben.is_paged("Shop")
        assert "each of you must acknowledge" in page["text"]
        answer = await presses(ana, "Acknowledge")
        assert "Ben must still acknowledge" in answer.text
        incident = await asked.reader.get("/incidents/1")
        assert (incident["state"], incident["awaiting"]) == ("triggered", 1)
        told = (await asked.reader.get("/incidents/1/explain"))["summary"][-1]
        assert told == ("Ana has it; Ben must still acknowledge: level 2 tells Lea at 00:05:00 UTC unless they do.")
        problem = await asked.responder.refused(409, "POST", "/incidents/1/acknowledge")
        assert (problem["code"], "Ben must acknowledge" in problem["detail"]) == ("each_must_acknowledge", True)
        await story.passes(minutes=5.1)
        await lea.is_paged("Shop")
        await presses(lea, "Acknowledge")
        await story.passes(minutes=5.1)
        await ben.is_paged("Shop")
        await ana.is_not_paged()
        listed = (await asked.reader.get("/incidents/1/responders"))["items"]
        assert [(one["name"], one["kind"], one["state"]) for one in listed] == [
            ("Ana", "must_ack", "acknowledged"),
            ("Ben", "must_ack", "waiting"),
        ]
        await asked.responder.post("/incidents/1/acknowledge", {"person_id": str(ben.id)})
        incident = await asked.reader.get("/incidents/1")
        assert (incident["state"], incident["awaiting"]) == ("acknowledged", 0)
        await story.passes(hours=1)
        told = (await asked.reader.get("/incidents/1/explain"))["entries"]
        assert [one["sentence"] for one in told if one["kind"] == "acknowledged_by_one"] == [
            "Ana, by the link of a page, has it; Ben must still acknowledge.",
            "Lea, by the link of a page, has it too; Ben must still acknowledge.",
        ]


async def test_a_sender_can_not_acknowledge_for_them_but_one_of_them_takes_it_for_everybody(database: str) -> None:
    async with api(database) as asked:
        ana, ben = await people(asked, "Ana", "Ben")
        policy = await asked.admin.create(
            "policies", {"name": "Usual", "levels": [level(ana, ben, ack="all")], "repeat": 0}
        )
        sender = await asked.story.integration("pagerduty", int(await asked.service("shop", policy["id"])))
        about = {"summary": "Shop is down", "source": "shop", "severity": "critical"}
        for action in ("trigger", "acknowledge"):
            event = {"routing_key": sender.key, "event_action": action, "dedup_key": "shop", "payload": about}
            assert (await sender.posts(event)).status_code == 202
        await ana.is_paged("Shop")
        await ben.is_paged("Shop")
        assert (await asked.story.incident()).state == "triggered"
        assert "sender_acknowledged" in await kinds(asked)
        await presses(ana, "Acknowledge")
        answer = await presses(ana, "Take it for everybody")
        assert "You have it" in answer.text
        await asked.story.passes(hours=1)
        assert (await asked.story.incident()).acknowledged_by == "Ana"


async def test_somebody_who_was_deleted_is_waited_for_no_more(database: str) -> None:
    async with api(database) as asked:
        ana, ben, lea = await people(asked, "Ana", "Ben", "Lea")
        await opened(asked, level(ana, ben, ack="all"), level(lea))
        await ana.is_paged("Shop")
        await ben.is_paged("Shop")
        await presses(ana, "Acknowledge")
        policy = (await asked.admin.get("/policies"))["items"][0]
        document = {"name": "Usual", "levels": [level(ana), level(lea)]}
        await asked.admin.done(200, "PUT", f"/policies/{policy['id']}", json=document, version=1)
        await asked.admin.done(204, "DELETE", f"/people/{ben.id}", version=1)
        await asked.story.passes(minutes=5.1)
        incident = await asked.story.incident()
        assert (incident.state, incident.acknowledged_by) == ("acknowledged", "Ana")
        assert "responder_gone" in await kinds(asked)


async def test_when_all_of_them_were_deleted_the_policy_goes_on(database: str) -> None:
    async with api(database) as asked:
        ana, ben, lea = await people(asked, "Ana", "Ben", "Lea")
        await opened(asked, level(ana, ben, ack="all"), level(lea))
        await ana.is_paged("Shop")
        await ben.is_paged("Shop")
        policy = (await asked.admin.get("/policies"))["items"][0]
        document = {"name": "Usual", "levels": [level(lea), level(lea)], "repeat": 0}
        await asked.admin.done(200, "PUT", f"/policies/{policy['id']}", json=document, version=1)
        for one in (ana, ben):
            await asked.admin.done(204, "DELETE", f"/people/{one.id}", version=1)
        await asked.story.passes(minutes=5.1)
        await lea.is_paged("Shop")
        await presses(lea, "Acknowledge")
        assert (await asked.story.incident()).acknowledged_by == "Lea"


async def test_who_has_it_asks_another_to_join_who_says_yes_by_the_link(database: str) -> None:
    async with api(database) as asked:
        ana, ben, cleo = await people(asked, "Ana", "Ben", "Cleo")
        await opened(asked, level(ana))
        await ana.is_paged("Shop")
        await presses(ana, "Acknowledge")
        ask = {"people": [str(ben.id), str(cleo.id)], "message": "it looks like the database"}
        await asked.responder.post("/incidents/1/responders", ask)
        page = await ben.is_paged("Shop")
        assert "asks you to join: it looks like the database" in page["text"]
        await cleo.is_paged("Shop")
        problem = await asked.responder.refused(409, "POST", "/incidents/1/responders", json=ask)
        assert problem["code"] == "asked_already"
        shown = await ben.opens_link()
        assert "asks you to join" in shown.text
        answer = await presses(ben, "I am coming")
        assert "You have joined" in answer.text
        await presses(cleo, "I can't")
        listed = (await asked.reader.get("/incidents/1/responders"))["items"]
        assert [(one["name"], one["state"]) for one in listed] == [("Ben", "accepted"), ("Cleo", "declined")]
        assert (await asked.story.incident()).acknowledged_by == "Ana"
        told = {one["name"]: one["sentences"][-1] for one in (await asked.reader.get("/incidents/1/explain"))["people"]}
        assert told["Ben"].startswith("Ben joined at 00:00:00 UTC")
        assert told["Cleo"].startswith("Cleo said that they can't join at 00:00:00 UTC")
        await asked.responder.post(f"/incidents/1/responders/{cleo.id}/reply", {"accept": True})
        assert (await kinds(asked))[-1] == "responder_accepted"


async def test_an_escalation_goes_on_while_somebody_is_asked_and_the_end_of_the_incident_ends_both(
    database: str,
) -> None:
    async with api(database) as asked:
        story = asked.story
        rules = [{"contact_method": "ben"}, {"contact_method": "ben", "delay_s": 600}]
        ana, lea, eva = await people(asked, "Ana", "Lea", "Eva")
        ben = await story.person("Ben", rules=rules)
        await opened(asked, level(ana), level(lea), level(eva))
        await ana.is_paged("Shop")
        await asked.responder.post("/incidents/1/responders", {"people": [str(ben.id)]})
        await ben.is_paged("Shop")
        await story.passes(minutes=5.1)
        await lea.is_paged("Shop")
        await asked.responder.post("/incidents/1/resolve")
        await story.passes(hours=1)
        problem = await asked.responder.refused(409, "POST", "/incidents/1/responders", json={"people": [str(ana.id)]})
        assert problem["code"] == "already_resolved"


async def test_who_was_asked_and_acknowledges_instead_has_answered(database: str) -> None:
    async with api(database) as asked:
        (ana,) = await people(asked, "Ana")
        rules = [{"contact_method": "ben"}, {"contact_method": "ben", "delay_s": 600}]
        ben = await asked.story.person("Ben", rules=rules)
        await opened(asked, level(ana))
        await ana.is_paged("Shop")
        await asked.responder.post("/incidents/1/responders", {"people": [str(ben.id)]})
        await ben.is_paged("Shop")
        await presses(ben, "Acknowledge")
        await asked.story.passes(hours=1)
        assert [one["state"] for one in (await asked.reader.get("/incidents/1/responders"))["items"]] == ["accepted"]


async def test_who_needs_help_at_night_asks_the_next_level_with_one_press_and_keeps_it(database: str) -> None:
    async with api(database) as asked:
        ana, ben, lea = await people(asked, "Ana", "Ben", "Lea")
        await opened(asked, level(ana), level(ana, ben), level(lea))
        await ana.is_paged("Shop")
        await presses(ana, "Acknowledge")
        answer = await presses(ana, "Ask the next level to join")
        assert "You still have it" in answer.text
        await ben.is_paged("Shop")
        await presses(ana, "Ask the next level to join")
        await lea.is_not_paged(), "a button pressed twice asks once"
        await asked.story.passes(minutes=2)
        await presses(ana, "Ask the next level to join")
        await lea.is_paged("Shop")
        await asked.story.passes(minutes=2)
        url = "/" + ana.last["url"].split("/", 3)[3]
        shown = await ana.story.web.get(url, headers=BROWSER)
        token = re.search(r'action="\./([^"]+)"[^>]*>\s*<button>Ask the next level', shown.text)
        assert token
        answer = await ana.story.web.post(f"/a/{token[1]}", headers=FORM)
        assert "Nobody else of the policy can be asked" in answer.text
        assert (await asked.story.incident()).acknowledged_by == "Ana"


async def test_it_is_given_to_people_and_the_policy_follows_when_they_do_not_answer(database: str) -> None:
    async with api(database) as asked:
        ana, ben = await people(asked, "Ana", "Ben")
        await opened(asked, level(ana))
        await ana.is_paged("Shop")
        await presses(ana, "Acknowledge")
        incident = await asked.responder.post("/incidents/1/reassign", {"people": [str(ben.id)]})
        assert incident["state"] == "triggered"
        page = await ben.is_paged("Shop")
        assert "given to them by" in page["text"]
        await asked.story.passes(minutes=5.1)
        await ana.is_paged("Shop")
        await presses(ana, "Acknowledge")
        told = " ".join((await asked.reader.get("/incidents/1/explain"))["summary"])
        assert "Ben was paged" in told


async def test_it_is_given_to_another_policy_and_what_can_not_be_is_said(database: str) -> None:
    async with api(database) as asked:
        ana, ben = await people(asked, "Ana", "Ben")
        await opened(asked, level(ana))
        await ana.is_paged("Shop")
        database_team = await asked.admin.create("policies", {"name": "Database", "levels": [level(ben)], "repeat": 0})
        silent = await asked.person("Silent")
        for wrong, field in (
            ({}, "body"),
            ({"people": ["7"]}, "people.0"),
            ({"policy_id": "7"}, "policy_id"),
            ({"people": [silent], "policy_id": database_team["id"]}, "body"),
        ):
            problem = await asked.responder.refused(422, "POST", "/incidents/1/reassign", json=wrong)
            assert field in str(problem["errors"]), problem
        problem = await asked.responder.refused(409, "POST", "/incidents/1/reassign", json={"people": [silent]})
        assert (problem["code"], "no contact method" in problem["detail"]) == ("reaches_nobody", True)
        await asked.responder.post("/incidents/1/reassign", {"policy_id": database_team["id"]})
        await ben.is_paged("Shop")
        await asked.admin.done(204, "DELETE", f"/policies/{database_team['id']}", version=1)
        await asked.story.passes(minutes=5.1)
        await ana.is_paged("Shop"), "a policy that was deleted leaves its place to the service's own"
        await asked.story.passes(hours=1)
        assert (await kinds(asked))[-1] == "policy_exhausted"


async def test_escalating_goes_to_a_level_that_there_is_and_a_snooze_to_an_instant_that_is_to_come(
    database: str,
) -> None:
    async with api(database) as asked:
        ana, ben = await people(asked, "Ana", "Ben")
        await opened(asked, level(ana), level(ben))
        await ana.is_paged("Shop")
        problem = await asked.responder.refused(409, "POST", "/incidents/1/escalate", json={"level": 3})
        assert (problem["code"], problem["detail"]) == ("no_such_level", "there is no level 3: 'Usual' has 2.")
        await asked.responder.post("/incidents/1/escalate", {"level": 2})
        await ben.is_paged("Shop")
        await asked.responder.post("/incidents/1/escalate")
        await ana.is_paged("Shop")
        now = asked.story.clock.now()
        hour = 3_600_000_000
        for until, code in ((now - hour, "snooze_in_the_past"), (now + 10 * 365 * 24 * hour, "snooze_too_long")):
            body = {"until": iso(until)}
            assert (await asked.responder.refused(409, "POST", "/incidents/1/snooze", json=body))["code"] == code
        for body in ({}, {"seconds": 60, "until": iso(now + hour)}):
            await asked.responder.refused(422, "POST", "/incidents/1/snooze", json=body)
        await asked.responder.post("/incidents/1/snooze", {"until": iso(now + 2 * hour)})
        await asked.story.passes(hours=1.9)
        await ana.is_not_paged()
        await asked.story.passes(hours=0.12)
        await ana.is_paged("Shop")
        await presses(ana, "Acknowledge")


async def test_what_takes_over_a_graver_incident_is_told_anew(database: str) -> None:
    async with api(database) as asked:
        rules = [{"contact_method": "phone"}, {"contact_method": "mail", "urgency": "low"}]
        ana = await asked.story.person("Ana", contact_methods=asked.story.phones("phone", "mail"), rules=rules)
        service = await asked.service("shop", str(await asked.story.policy([[ana]])))
        for title, urgency in (("Slow", "low"), ("Down", "high")):
            report = {"title": title, "service_id": service, "urgency": urgency}
            await asked.responder.create("incidents", report)
        await asked.story.settled()
        await asked.responder.post("/incidents/2/merge", {"into": 1})
        await asked.story.passes(minutes=1)
        *first, last = [(seen.path, seen.json["title"]) for seen in asked.story.provider.seen]
        assert sorted(first) == [("/mail", "#1 Slow"), ("/phone", "#2 Down")]
        assert last == ("/phone", "#1 Slow")


async def test_somebody_is_asked_before_the_first_level_is_told(database: str) -> None:
    """The service holds its first page for a minute; its number follows the one of who was asked meanwhile."""
    async with api(database) as asked:
        ana, ben = await people(asked, "Ana", "Ben")
        hold = {"high": {"alone_s": 60, "confirmed_s": 60}}
        service = await asked.story.service("shop", await asked.story.policy([[ana]]), first_page=hold)
        alerts = await asked.story.integration("alertmanager", service)
        await alerts.fires("DiskFull")
        await asked.story.passes(seconds=10)
        await asked.responder.post("/incidents/1/responders", {"people": [str(ben.id)]})
        await ben.is_paged("DiskFull")
        await ana.is_not_paged()
        await asked.story.passes(minutes=1)
        await ana.is_paged("DiskFull")
        assert [page["number"] for page in (await asked.reader.get("/incidents/1/pages"))["items"]] == [1, 2]

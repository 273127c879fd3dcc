"""Why was I (not) paged? Stories whose explanation must say it, on both databases."""

from __future__ import annotations

import asyncio
from typing import Any

from click.testing import CliRunner

from app.api.explain import explained
from app.explain.explanation import Explanation
from app.explain.reading import MOST_ALERTS
from app.incidents import respond
from app.main import cli
from app.store import resources
from app.store.database import Writing
from tests.harness.api_world import api
from tests.harness.providers import answering
from tests.harness.rows import everything
from tests.harness.town import Resident, Sender, Town, town

SLACK = {"user-agent": "Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)"}


async def told(story: Town, number: int = 1) -> Explanation:
    await story.settled()
    return await explained(story.store, number)


def of(found: Explanation, name: str) -> str:
    """All that is said of one person."""
    (one,) = [one for one in found.people if one.name == name]
    return " ".join(one.sentences)


def said(found: Explanation, kind: str) -> list[str]:
    return [line.sentence for line in found.entries if line.kind == kind]


def read(*residents: Resident) -> None:
    """They have read what their phones say, whatever it is."""
    for one in residents:
        one.phone.taken = len(one.phone.inbox())


async def sender(story: Town, levels: list[list[Any]], *, delay_s: int = 300, repeat: int = 0, **more: Any) -> Sender:
    policy = await story.policy(levels, delay_s=delay_s, repeat=repeat)
    return await story.integration("alertmanager", await story.service("checkout", policy, **more))


async def test_two_levels_and_an_acknowledgement_that_spares_the_third(database: str) -> None:
    """Ana is asleep, Ben has it 40 seconds before Cleo would have been woken."""
    async with town(database) as story:
        ana, ben, cleo = await story.person("Ana"), await story.person("Ben"), await story.person("Cleo")
        alerts = await sender(story, [[await story.schedule("Primary", ana)], [ben], [cleo]])
        await alerts.fires("DiskFull")
        await story.passes(seconds=560)
        await ben.is_paged("DiskFull")
        await ben.acknowledges()
        read(ana)
        found = await told(story)
        assert found.summary == (
            "#1 DiskFull of checkout was opened on Mon 5 Jan 2026 00:00:00 UTC and is P2 (high urgency).",
            (
                "Ana was paged at 00:00:00 UTC (+00:00) by webhook (ana) and did not answer; Ben was paged at 00:05:00 UTC "
                "(+05:00) by webhook (ben) and acknowledged at 00:09:20 UTC, 4 min 20 s after the first page."
            ),
            (
                "Cleo was not paged: level 3 (named in the escalation policy) was not reached, because Ben acknowledged 40 s "
                "before it was due (00:10:00 UTC)."
            ),
            "Ben has it.",
        )
        assert "on call in Primary (layer daily, turn 1)" in of(found, "Ana")
        (opened,) = said(found, "triggered")
        assert opened == "Incident #1 was opened by DiskFull: nothing that is open has anything in common with it."
        assert said(found, "level_told") == [
            "Level 1 (policy 0, version 1) told Ana.",
            "Level 2 (policy 0, version 1) told Ben, because nobody had it 5 min after level 1.",
        ]
        (acknowledged,) = said(found, "acknowledged")
        assert (
            acknowledged == "Ben, by the link of a page, acknowledged 4 min 20 s after the first page: paging stopped."
        )
        assert found.ahead == ()
        ats = [line.at for line in found.entries]
        assert ats == sorted(ats)


async def test_a_first_way_that_is_refused_names_the_next_one_and_why(database: str) -> None:
    async with town(database) as story:
        ana = await story.person("Ana", contact_methods=story.phones("old", "new"))
        alerts = await sender(story, [[ana]])
        story.provider.by_path["/old"] = answering(410)
        await alerts.fires("DiskFull")
        found = await told(story)
        assert said(found, "try") == [
            (
                "Page 1 for Ana by webhook (old) was refused after 0 s: Webhook answered 410. So page 2, by webhook (new), was "
                "due at once. Why Ana: named in the escalation policy."
            ),
            "Page 2 for Ana by webhook (new) was taken by the provider after 0 s.",
        ]
        assert found.summary[1] == "Ana was paged at 00:00:00 UTC (+00:00) by webhook (new) and did not answer."
        assert "Page 1 by webhook (old) was refused" in of(found, "Ana")


async def test_a_provider_that_is_down_shows_each_pause(database: str) -> None:
    async with town(database) as story:
        ana = await story.person("Ana")
        alerts = await sender(story, [[ana]])
        story.provider.by_path["/ana"] = answering(429, headers={"Retry-After": "120"})
        await alerts.fires("DiskFull")
        await story.settled()
        found = await told(story)
        (waits,) = said(found, "try")
        assert "could not be sent yet" in waits
        assert "It is tried again at 00:02:00 UTC." in waits
        assert "Nobody was paged so far." in found.summary
        del story.provider.by_path["/ana"]
        await story.passes(seconds=121)
        read(ana)
        first, second = said(await told(story), "try")
        assert "It was tried again 2 min later." in first
        assert ", try 2, was taken by the provider" in second
        assert "It went out 2 min late." in second


async def test_nobody_on_call_and_nobody_reachable_are_named(database: str) -> None:
    async with town(database) as story:
        nora, ben = await story.person("Nora", contact_methods=[]), await story.person("Ben")
        empty = await story.schedule("Nights", start_date="2030-01-01")
        alerts = await sender(story, [[nora, empty], [ben]])
        await alerts.fires("DiskFull")
        await ben.is_paged("DiskFull")
        found = await told(story)
        assert of(found, "Nora") == (
            "Nora was not paged: Nora has no contact method that is enabled (level 1, 00:00:00 UTC)."
        )
        (nobody,) = found.nobody
        assert nobody.startswith("Nobody is on call in Nights: ")
        assert nobody.endswith("(level 1 at 00:00:00 UTC).")
        (passed,) = said(found, "level_reached_nobody")
        assert passed.startswith(
            "Level 1 (policy 0, version 1) reached nobody and was passed over at once: Nora has no"
        )
        (level,) = said(found, "level_told")
        assert level == "Level 2 (policy 0, version 1) told Ben, because level 1 reached nobody."


async def remove_person(tx: Writing, person_id: int) -> None:
    found = (await resources.load(tx, "person", [person_id]))[person_id]
    await resources.remove(tx, found, "the story", seen=found.version)


async def test_a_person_who_is_deleted_in_the_middle(database: str) -> None:
    """Ana's second way was still to come when she was deleted; in the second round the policy still names her."""
    async with town(database) as story:
        rules = [{"contact_method": "push"}, {"contact_method": "sms", "delay_s": 120}]
        ana = await story.person("Ana", contact_methods=story.phones("push", "sms"), rules=rules)
        ben = await story.person("Ben")
        alerts = await sender(story, [[ana], [ben]], repeat=1)
        await alerts.fires("DiskFull")
        await story.passes(seconds=60)
        await story.store.write(remove_person, ana.id)
        await story.passes(minutes=10)
        read(ben)
        found = await told(story)
        assert said(found, "page") == [
            "Page 2 for Ana by webhook (sms) was put off until 00:02:00 UTC (+02:00) by their own rules."
        ]
        assert said(found, "page_failed") == [
            (
                "Page 2 for Ana by webhook (sms) could not be tried: this contact method was removed, or its person disabled, "
                "since the page was planned."
            )
        ]
        (passed,) = said(found, "level_reached_nobody")
        assert "somebody named in the escalation policy was deleted" in passed
        assert [one.name for one in found.people] == ["Ana", "Ben"]


async def test_an_acknowledgement_that_ends_pages_again_and_both_are_told(database: str) -> None:
    async with town(database) as story:
        ana = await story.person("Ana")
        alerts = await sender(story, [[ana]], ack_timeout_s=1_800)
        await alerts.fires("DiskFull")
        await ana.is_paged("DiskFull")
        await ana.acknowledges()
        held = await told(story)
        assert held.summary[-1] == "Ana has it until 00:30:00 UTC; then paging begins anew."
        assert [(one.kind, one.at - held.opened_at) for one in held.ahead] == [
            ("level", 1_800_000_000),
            ("end", 2_100_000_000),
        ]
        await story.passes(minutes=31)
        await ana.is_paged("DiskFull")
        found = await told(story)
        kinds = [line.kind for line in found.entries if line.kind != "link"]
        assert kinds[-5:] == ["try", "acknowledged", "ack_expired", "level_told", "try"]
        assert "It begins anew at 00:30:00 UTC unless this is resolved before." in said(found, "acknowledged")[0]
        assert "2 pages were sent, the last at 00:30:00 UTC" in of(found, "Ana")


async def test_an_alert_that_joined_says_why_and_how_it_made_things_graver(database: str) -> None:
    async with town(database) as story:
        ana = await story.person("Ana")
        alerts = await sender(story, [[ana]])
        await alerts.fires("DiskSlow", severity="warning")
        await story.passes(seconds=40)
        await alerts.fires("DiskFull")
        await story.settled()
        read(ana)
        found = await told(story)
        assert said(found, "alert") == [
            (
                "Alert DiskSlow (warning) came from alertmanager 1 (alertmanager): first alert of this key; nothing that is "
                "open has anything in common with it."
            ),
            (
                "Alert DiskFull (critical) came from alertmanager 1 (alertmanager): 0.93: the same service "
                "checkout@alertmanager 1; 40 s after its last alert in alertmanager 1."
            ),
        ]
        assert said(found, "grouping") == [
            "Alerts join it by evidence: by what they have in common with it, and with each other."
        ]
        (priority,) = said(found, "priority")
        assert priority.startswith("Severity warning means low urgency")
        assert priority.endswith("that is P4.")
        assert said(found, "severity_raised") == ["P4 became P2: DiskFull is critical; paging begins anew."]


async def test_a_machine_that_opened_the_link_is_not_taken_for_a_person(database: str) -> None:
    async with town(database) as story:
        ana = await story.person("Ana")
        alerts = await sender(story, [[ana]])
        await alerts.fires("DiskFull")
        page = await ana.is_paged("DiskFull")
        await story.web.get("/" + page["url"].split("/", 3)[3], headers=SLACK)
        await ana.opens_link()
        machine, person = said(await told(story), "link")
        assert machine == "A machine opened the link of Ana's page: Slack's link preview. Opening changes nothing."
        assert person == "Somebody opened the link of Ana's page and looked (it asked as a browser does)."


async def test_machines_that_open_the_link_again_and_again_are_told_once_a_kind(database: str) -> None:
    async with town(database) as story:
        ana = await story.person("Ana")
        alerts = await sender(story, [[ana]])
        await alerts.fires("DiskFull")
        page = await ana.is_paged("DiskFull")
        for _ in range(3):
            for agent in (SLACK, {"user-agent": "WhatsApp/2"}):
                await story.web.get("/" + page["url"].split("/", 3)[3], headers=agent)
            await story.passes(seconds=1)
        await ana.opens_link()
        await ana.acknowledges()
        await story.web.get("/" + page["url"].split("/", 3)[3], headers=SLACK)
        *machines, person, after = said(await told(story), "link")
        assert machines == [
            f"A machine opened the link of Ana's page 3 times, last at 00:00:02 UTC: {whose}. Opening changes nothing."
            for whose in ("Slack's link preview", "WhatsApp's link preview")
        ]
        assert person == (
            "Somebody opened the link of Ana's page 2 times, last at 00:00:03 UTC, and looked (it asked as a browser does)."
        )
        assert after == "A machine opened the link of Ana's page: Slack's link preview. Opening changes nothing."


async def test_a_fallback_is_told_with_what_came_before(database: str) -> None:
    async with town(database) as story:
        ana, eva = await story.person("Ana", contact_methods=[]), await story.person("Eva")
        policy = await story.policy([[ana]])
        await story.store.write(_with_fallback, policy, eva.id)
        alerts = await story.integration("alertmanager", await story.service("checkout", policy))
        await alerts.fires("DiskFull")
        await eva.is_paged("DiskFull")
        found = await told(story)
        assert said(found, "fallback_told") == ["Nobody could be reached, so the fallback is told: Eva."]
        assert "because nobody else could be reached" in of(found, "Eva")
        assert "Ana has no contact method" in of(found, "Ana")


async def _with_fallback(tx: Writing, policy: int, person: int) -> None:
    found = (await resources.load(tx, "policy", [policy]))[policy]
    document = {**found.document, "fallback": [{"kind": "person", "id": str(person)}]}
    await resources.replace(tx, found, found.name, document, "the story", seen=found.version)


async def test_an_edit_of_the_policy_shows_in_the_version_of_each_level(database: str) -> None:
    async with town(database) as story:
        ana, eva = await story.person("Ana"), await story.person("Eva")
        alerts = await sender(story, [[ana], [eva]])
        await alerts.fires("DiskFull")
        policy = (await story.incident()).policy_id
        assert policy is not None
        await story.store.write(_with_fallback, policy, eva.id)
        await story.passes(minutes=6)
        read(ana, eva)
        first, second = said(await told(story), "level_told")
        assert first.startswith("Level 1 (policy 0, version 1, which is at version 2 by now) told Ana")
        assert second.startswith("Level 2 (policy 0, version 2) told Eva")


async def test_the_future_of_an_open_incident_is_what_then_happens(database: str) -> None:
    """Every page of all rounds, by name, way and instant, foretold after the first level; then the clock moves on."""
    async with town(database) as story:
        rules = [{"contact_method": "push", "delay_s": 20}, {"contact_method": "sms", "delay_s": 120}]
        ana = await story.person("Ana", contact_methods=story.phones("push", "sms"), rules=rules)
        late = [{"contact_method": "ben", "delay_s": 30}]
        ben = await story.person("Ben", rules=late)
        nora, cleo = await story.person("Nora", contact_methods=[]), await story.person("Cleo")
        primary = await story.schedule("Primary", cleo, ana, handoff="00:12", start_date="2026-01-04")
        alerts = await sender(story, [[ana], [nora], [ben], [primary]], repeat=1)
        await alerts.fires("DiskFull")
        foretold = await told(story)
        assert foretold.summary[-1] == (
            "Nobody has it: level 3 tells Ben at 00:05:20 UTC unless somebody acknowledges."
        )
        assert {one.name for step in foretold.ahead for one in step.told} == {"Ana", "Ben", "Cleo"}
        expected = {
            (way.at, one.name, way.label)
            for step in foretold.ahead
            for one in step.told
            for way in one.ways
            if not way.if_others_fail
        }
        assert [step.kind for step in foretold.ahead] == [*["level"] * 7, "end"]
        assert all(one.sentence for one in foretold.ahead)
        await story.passes(hours=1)
        read(ana, ben, cleo)
        rows = await story.rows("SELECT due_at, recipient, method_id FROM pages WHERE level > 0 OR round > 0")
        assert {(row.due_at, row.recipient, row.method_id) for row in rows} == expected
        (ended,) = await story.rows("SELECT at FROM timeline WHERE kind = 'policy_exhausted'")
        assert foretold.ahead[-1].at == ended.at
        over = await told(story)
        assert over.summary[-1] == "Nobody has it, and nobody else will be told: the policy has ended."
        assert over.ahead == ()


async def test_a_storm_of_alerts_and_notes_is_bounded_and_says_what_was_left_out(database: str) -> None:
    async with town(database) as story:
        ana = await story.person("Ana")
        alerts = await sender(story, [[ana]])
        await alerts.fires(*(f"Disk{number}" for number in range(70)))
        read(ana)
        for number in range(230):
            await story.store.write(respond.note, 1, "Ana", f"note {number}")
        found = await told(story)
        assert len(said(found, "alert")) == MOST_ALERTS
        assert len(said(found, "note")) <= 200
        assert found.left_out == (
            (
                "Left out, from the middle: 50 alerts and 32 entries of the timeline. The incident's own lists have all of "
                "them."
            ),
        )


async def test_explaining_changes_nothing_and_needs_only_a_key_that_reads(database: str) -> None:
    async with api(database) as asked:
        story = asked.story
        ana = await story.person("Ana")
        alerts = await sender(story, [[ana], [await story.person("Ben")]])
        await alerts.fires("DiskFull")
        await ana.is_paged("DiskFull")
        before = await everything(story)
        found = await asked.reader.get("/incidents/1/explain")
        assert await everything(story) == before
        assert [one["name"] for one in found["people"]] == ["Ana"]
        assert found["people"][0]["paged"] is True
        assert found["ahead"][0]["told"][0]["name"] == "Ben"
        assert found["ahead"][0]["after_s"] == 300
        problem = await asked.reader.refused(404, "GET", "/incidents/2/explain")
        assert problem["detail"] == "there is no incident #2."


async def _a_night(database: str) -> None:
    async with town(database) as story:
        ana, ben = await story.person("Ana"), await story.person("Ben")
        alerts = await sender(story, [[ana], [ben]])
        await alerts.fires("DiskFull " + "with a very long name " * 8)
        await ana.is_paged("DiskFull")
        await story.passes(seconds=30)
        await ana.acknowledges()


def test_the_command_prints_it_in_80_columns_and_as_json(database: str) -> None:
    asyncio.run(_a_night(database))
    environment = {"TOCSIN_DATABASE_URL": database}
    printed = CliRunner().invoke(cli, ["explain", "1"], env=environment)
    assert printed.exit_code == 0, printed.output
    assert max(map(len, printed.output.splitlines())) <= 80
    for title in ("Who was paged, and who was not", "What happened"):
        assert f"\n{title}\n{'-' * len(title)}\n" in printed.output
    assert "00:00:30    +00:30  Ana, by the link of a page, acknowledged" in printed.output
    as_json = CliRunner().invoke(cli, ["explain", "1", "--json"], env=environment)
    assert '"state": "acknowledged"' in as_json.output
    nothing = CliRunner().invoke(cli, ["explain", "7"], env=environment)
    assert nothing.exit_code == 2
    assert nothing.output.strip() == "tocsin: there is no incident #7"

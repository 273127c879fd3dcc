"""Who is told, when, and when no more: from the first alert to the acknowledgement, on both databases."""

from __future__ import annotations

from tests.harness.providers import answering
from tests.harness.town import town

DOWN = answering(503, how="answer")


async def test_ana_is_paged_then_ben_and_after_his_acknowledgement_nobody(database: str) -> None:
    """Level 1, five minutes, level 2, acknowledgement by link; then silence, however long the alert goes on."""
    async with town(database) as story:
        ana, ben, cat = await story.person("Ana"), await story.person("Ben"), await story.person("Cat")
        policy = await story.policy([[ana], [ben], [cat]], delay_s=300, repeat=3)
        alerts = await story.integration("alertmanager", await story.service("checkout", policy))
        await alerts.fires("DiskFull")
        page = await ana.is_paged("DiskFull")
        assert page["priority"] == "P2"
        await story.passes(minutes=4.9)
        await ben.is_not_paged()
        await story.passes(minutes=0.2)
        await ben.is_paged("DiskFull")
        await ben.acknowledges()
        await alerts.fires("DiskFull")
        await story.passes(hours=5)
        incident = await story.incident()
        assert (incident.state, incident.acknowledged_by) == ("acknowledged", "Ben")


async def test_levels_repeat_and_then_the_policy_ends_and_says_so(database: str) -> None:
    async with town(database) as story:
        ana, ben = await story.person("Ana"), await story.person("Ben")
        policy = await story.policy([[ana], [ben]], delay_s=60, repeat=1)
        alerts = await story.integration("alertmanager", await story.service("checkout", policy))
        await alerts.fires("DiskFull")
        await story.passes(minutes=10)
        await ana.is_paged("DiskFull", times=2)
        await ben.is_paged("DiskFull", times=2)
        assert (await story.incident()).escalation == "exhausted"
        kinds = [row.kind for row in await story.rows("SELECT kind FROM timeline ORDER BY id")]
        assert kinds == ["triggered", *["level_told"] * 4, "policy_exhausted"]


async def test_everybody_on_a_level_is_told_at_once_and_a_channel_too(database: str) -> None:
    async with town(database) as story:
        ana, ben, room = await story.person("Ana"), await story.person("Ben"), await story.channel("war-room")
        alerts = await story.integration(
            "alertmanager", await story.service("checkout", await story.policy([[ana, ben, room, ana]]))
        )
        await alerts.fires("DiskFull")
        for one in (ana, ben, room):
            await one.is_paged("DiskFull")


async def test_a_page_tells_since_when_on_the_clock_of_whoever_reads_it(database: str) -> None:
    async with town(database) as story:
        ana, ben = await story.person("Ana", time_zone="Asia/Kolkata"), await story.person("Ben")
        alerts = await story.integration(
            "alertmanager", await story.service("checkout", await story.policy([[ana, ben]]))
        )
        await alerts.fires("DiskFull")
        assert "Since 2026-01-05 00:00 UTC (05:30 in Kolkata), 1 alert" in (await ana.is_paged("DiskFull"))["text"]
        assert "Since 2026-01-05 00:00 UTC, 1 alert" in (await ben.is_paged("DiskFull"))["text"]


async def test_the_schedule_decides_at_the_instant_of_the_page_and_its_overrides_count(database: str) -> None:
    """Ana has Monday, Ben has Tuesday, Cat stands in on Wednesday."""
    async with town(database) as story:
        ana, ben, cat = await story.person("Ana"), await story.person("Ben"), await story.person("Cat")
        primary = await story.schedule("Primary", ana, ben)
        await story.override(primary, cat, after_h=48, hours=24)
        service = await story.service("checkout", await story.policy([[primary]]), grouping={"by": "alert"})
        alerts = await story.integration("alertmanager", service)
        for person, name in ((ana, "Monday"), (ben, "Tuesday"), (cat, "Wednesday")):
            await alerts.fires(name)
            page = await person.is_paged(name)
            assert "on call in Primary" in page["text"]
            await person.acknowledges()
            await story.passes(hours=24)


async def test_a_refused_send_is_followed_by_the_next_way_at_once(database: str) -> None:
    async with town(database) as story:
        ana = await story.person("Ana", contact_methods=story.phones("ana-old", "ana-new"))
        alerts = await story.integration("alertmanager", await story.service("s", await story.policy([[ana]])))
        story.provider.by_path["/ana-old"] = answering(410)
        await alerts.fires("DiskFull")
        assert [seen.path for seen in story.provider.seen] == ["/ana-old", "/ana-new"]
        states = await story.rows("SELECT state, outcome FROM pages ORDER BY number")
        assert [tuple(row) for row in states] == [("failed", "refused"), ("sent", "accepted")]
        await story.passes(minutes=4)
        assert len(story.provider.seen) == 2


async def test_after_an_acknowledgement_nothing_that_was_planned_is_sent(database: str) -> None:
    """The phone now, the message after two minutes; acknowledged after one: the message never leaves, and says why."""
    async with town(database) as story:
        rules = [{"contact_method": "push"}, {"contact_method": "sms", "delay_s": 120}]
        ana = await story.person("Ana", contact_methods=story.phones("push", "sms"), rules=rules)
        alerts = await story.integration("alertmanager", await story.service("s", await story.policy([[ana]])))
        await alerts.fires("DiskFull")
        await story.passes(minutes=1)
        await story.acknowledges(await story.incident(), by="Ana")
        await story.passes(hours=1)
        assert [seen.path for seen in story.provider.seen] == ["/push"]
        rows = await story.rows("SELECT state, detail FROM pages ORDER BY number")
        assert [row.state for row in rows] == ["sent", "not_needed"]
        assert rows[1].detail == "Ana had it before this page was due"


async def test_a_personal_rule_sends_at_its_time_while_nobody_has_it(database: str) -> None:
    async with town(database) as story:
        rules = [{"contact_method": "push"}, {"contact_method": "sms", "delay_s": 120}]
        ana = await story.person("Ana", contact_methods=story.phones("push", "sms"), rules=rules)
        alerts = await story.integration("alertmanager", await story.service("s", await story.policy([[ana]])))
        await alerts.fires("DiskFull")
        await story.passes(minutes=1.9)
        assert [seen.path for seen in story.provider.seen] == ["/push"]
        await story.passes(minutes=0.2)
        assert [seen.path for seen in story.provider.seen] == ["/push", "/sms"]


async def test_when_all_ways_of_a_level_fail_the_next_level_is_told_at_once(database: str) -> None:
    async with town(database) as story:
        ana, ben = await story.person("Ana"), await story.person("Ben")
        alerts = await story.integration(
            "alertmanager", await story.service("s", await story.policy([[ana], [ben]], delay_s=3_600))
        )
        story.provider.by_path["/ana"] = answering(404)
        await alerts.fires("DiskFull")
        await story.settled()
        ana.phone.taken = len(ana.phone.inbox())
        await ben.is_paged("DiskFull")


async def test_a_provider_that_is_down_gets_the_page_when_it_is_back_and_once(database: str) -> None:
    """Half a minute of 503: the page is tried with growing pauses and arrives under one number."""
    async with town(database) as story:
        ana = await story.person("Ana")
        alerts = await story.integration(
            "alertmanager", await story.service("s", await story.policy([[ana]], delay_s=900))
        )
        story.provider.by_path["/ana"] = answering(503)
        await alerts.fires("DiskFull")
        await story.passes(seconds=12)
        tried = ana.phone.unread()
        assert len(tried) >= 3
        assert len({page["id"] for page in tried}) == 1
        ana.phone.taken = len(tried)
        del story.provider.by_path["/ana"]
        await story.passes(minutes=1)
        page = await ana.is_paged("DiskFull")
        assert page["id"] == tried[0]["id"]
        await story.passes(minutes=10)


async def test_a_level_that_reaches_nobody_is_named_and_passed_over_at_once(database: str) -> None:
    async with town(database) as story:
        nobody, ben = await story.person("Nobody", contact_methods=[]), await story.person("Ben")
        empty = await story.schedule("Empty", start_date="2030-01-01")
        alerts = await story.integration(
            "alertmanager", await story.service("s", await story.policy([[nobody, empty], [ben]]))
        )
        await alerts.fires("DiskFull")
        await ben.is_paged("DiskFull")
        reasons = [row.reason for row in await story.rows("SELECT reason FROM timeline ORDER BY id")]
        assert any(
            "Nobody has no contact method" in reason and "nobody is on call in Empty" in reason for reason in reasons
        )


async def test_when_nobody_can_be_reached_the_console_is_told_and_it_is_called_undelivered(database: str) -> None:
    async with town(database) as story:
        nobody = await story.person("Nobody", contact_methods=[])
        alerts = await story.integration(
            "alertmanager", await story.service("s", await story.policy([[nobody]], repeat=5))
        )
        await alerts.fires("DiskFull")
        await story.settled()
        assert "DiskFull" in story.console.getvalue()
        assert (await story.rows("SELECT count(*) AS n FROM timeline WHERE kind = 'undelivered'"))[0].n == 1
        story.errors.clear()  # it is meant to be loud


async def test_a_service_without_a_policy_pages_the_console(database: str) -> None:
    """Nothing is configured yet: the page with its link is printed where the server runs."""
    async with town(database) as story:
        alerts = await story.integration("alertmanager", await story.service("s"))
        await alerts.fires("DiskFull")
        await story.settled()
        assert "DiskFull" in story.console.getvalue()
        assert "http://tocsin.test/a/" in story.console.getvalue()


async def test_an_alert_that_resolves_by_itself_ends_paging(database: str) -> None:
    async with town(database) as story:
        ana, ben = await story.person("Ana"), await story.person("Ben")
        alerts = await story.integration("alertmanager", await story.service("s", await story.policy([[ana], [ben]])))
        await alerts.fires("DiskFull", "DiskSlow")
        await ana.is_paged("DiskFull")
        await alerts.resolves("DiskFull")
        assert (await story.incident()).state == "triggered"
        await alerts.resolves("DiskSlow")
        incident = await story.incident()
        assert (incident.state, incident.resolution) == ("resolved", "recovered")
        await story.passes(hours=2)


async def test_a_snooze_is_quiet_until_its_end_and_then_pages_from_the_first_level(database: str) -> None:
    async with town(database) as story:
        ana = await story.person("Ana")
        alerts = await story.integration("alertmanager", await story.service("s", await story.policy([[ana]])))
        await alerts.fires("DiskFull")
        await ana.is_paged("DiskFull")
        await story.snoozes(await story.incident(), by="Ana", seconds=900)
        await story.passes(minutes=14.9)
        await ana.is_not_paged()
        await story.passes(minutes=0.2)
        await ana.is_paged("DiskFull")


async def test_an_acknowledgement_with_a_timeout_pages_again(database: str) -> None:
    async with town(database) as story:
        ana = await story.person("Ana")
        service = await story.service("s", await story.policy([[ana]]), ack_timeout_s=1_800)
        alerts = await story.integration("alertmanager", service)
        await alerts.fires("DiskFull")
        await ana.is_paged("DiskFull")
        await ana.acknowledges()
        await story.passes(minutes=29)
        await ana.is_not_paged()
        await story.passes(minutes=2)
        await ana.is_paged("DiskFull")


async def test_a_page_that_goes_out_late_says_how_late(database: str) -> None:
    """The provider hangs for a while; the page that arrives says that it is late."""
    async with town(database) as story:
        ana = await story.person("Ana")
        alerts = await story.integration(
            "alertmanager", await story.service("s", await story.policy([[ana]], delay_s=900))
        )
        story.provider.by_path["/ana"] = answering(429, headers={"Retry-After": "120"})
        await alerts.fires("DiskFull")
        await story.settled()
        ana.phone.taken = 1
        del story.provider.by_path["/ana"]
        await story.passes(minutes=3)
        page = await ana.is_paged("DiskFull")
        assert page["late_s"] >= 120


async def test_a_level_whose_first_page_is_due_later_is_left_alone_until_then(database: str) -> None:
    """Her only rule says after 15 minutes: meanwhile nobody looks at the incident each two seconds."""
    async with town(database) as story:
        rules = [{"contact_method": "push", "delay_s": 900}]
        ana = await story.person("Ana", contact_methods=story.phones("push"), rules=rules)
        ben = await story.person("Ben")
        alerts = await story.integration(
            "alertmanager", await story.service("s", await story.policy([[ana], [ben]], delay_s=300))
        )
        await alerts.fires("DiskFull")
        await story.passes(minutes=14)
        assert story.provider.seen == []
        (job,) = await story.rows("SELECT fence FROM jobs WHERE kind = 'escalate'")
        assert job.fence < 4
        await story.passes(minutes=7)
        assert [seen.path for seen in story.provider.seen] == ["/push", "/ben"]
        ben.phone.taken = 1


async def test_a_page_links_what_the_alert_links_the_runbook_first(database: str) -> None:
    async with town(database) as story:
        ana = await story.person("Ana")
        alerts = await story.integration("alertmanager", await story.service("s", await story.policy([[ana]])))
        message = alerts._group("firing", ["DiskFull"], "critical", {})
        message["alerts"][0]["generatorURL"] = "http://prometheus.test/graph?g0.expr=up"
        message["alerts"][0]["annotations"]["runbook_url"] = "https://runbooks.test/DiskFull"
        await alerts.posts(message)
        page = await ana.is_paged("DiskFull")
        assert [link["url"] for link in page["links"]] == [
            "https://runbooks.test/DiskFull",
            "http://prometheus.test/graph?g0.expr=up",
        ]
        assert page["links"][0]["label"] == "Runbook"

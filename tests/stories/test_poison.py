"""A row that can't be worked on: quarantined after five tries and said aloud, its neighbours unharmed, and nobody forgotten."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from pydantic import BaseModel
from sqlalchemy import text

from app.cli.checks import queue
from app.cli.checks.examination import examine
from app.clock import SystemClock
from app.ids import ProcessIds
from app.incidents.service import Service
from app.notifiers.notifier import Accepted, Message, Outcome
from app.paging.deliver import Try, begin, record
from app.paging.deliveries import begin_all
from app.routing.inhibition import Inhibition
from app.routing.rule import Rule, Table
from app.routing.silence import Silence
from app.settings import Settings
from app.store import jobs, resources
from app.store.database import Writing
from app.store.errors import Rejected, Unavailable
from app.store.jobs import Job, NewJob
from app.store.migrate import migrate
from app.store.opening import open_store
from tests.harness.town import Resident, Sender, Town, town
from tests.stories.test_many_pages import DESK, LEASE, planned

BROKEN = "this is no JSON {"
FIVE_TRIES_S = 16
"""A job that fails is tried again after 1, 2, 4 and 8 seconds."""


async def _sql(story: Town, statement: str, **values: Any) -> None:
    async def deed(tx: Writing) -> None:
        await tx.conn.execute(text(statement), values)

    await story.store.write(deed)


def _said(story: Town, event: str) -> int:
    """How often the log said this, as an error; it is expected and forgotten."""
    found = [entry for entry in story.errors if entry["event"] == event]
    story.errors[:] = [entry for entry in story.errors if entry["event"] != event]
    return len(found)


@asynccontextmanager
async def _later_pages(database: str) -> AsyncIterator[tuple[Town, Resident, Resident, Resident, Sender]]:
    """Ana is paged a minute after her level was told, and so is Zoe of another service; Ben is the next level of Ana's."""
    async with town(database) as story:

        async def later(name: str) -> Resident:
            rule = {"contact_method": name.lower(), "delay_s": 60}
            return await story.person(name, rules=[rule])

        ana, zoe, ben = await later("Ana"), await later("Zoe"), await story.person("Ben")
        service = await story.service("s", await story.policy([[ana], [ben]], delay_s=300))
        other = await story.service("other", await story.policy([[zoe]], delay_s=3_600))
        alerts = await story.integration("alertmanager", service)
        neighbour = await story.integration("alertmanager", other)
        await alerts.fires("DiskFull")
        await neighbour.fires("FanSlow")
        yield story, ana, zoe, ben, alerts


async def _break(story: Town, what: str, ana: Resident) -> str:
    """Breaks what Ana's page needs; answers what was there."""
    if what == "job":
        (row,) = await story.rows(
            "SELECT j.id, j.payload FROM jobs j JOIN pages p ON p.incident_id = j.subject "
            "WHERE j.kind = 'deliver' AND p.person_id = :ana",
            ana=ana.id,
        )
        await _sql(story, "UPDATE jobs SET payload = :broken WHERE id = :id", broken=BROKEN, id=row.id)
        return str(row.payload)
    (row,) = await story.rows("SELECT document FROM resources WHERE id = :ana", ana=ana.id)
    await _sql(story, "UPDATE resources SET document = :broken WHERE id = :ana", broken='{"name": 7}', ana=ana.id)
    return str(row.document)


async def _mend(story: Town, what: str, ana: Resident, before: str) -> None:
    if what == "job":
        await _sql(story, "UPDATE jobs SET payload = :before WHERE payload = :broken", before=before, broken=BROKEN)
    else:
        await _sql(story, "UPDATE resources SET document = :before WHERE id = :ana", before=before, ana=ana.id)


@pytest.mark.parametrize("what", ["job", "person"])
async def test_a_page_that_can_not_be_begun_counts_as_failed_and_its_neighbour_is_sent(
    database: str, what: str
) -> None:
    """The next level is told at once, not after its five minutes; mended, the page still goes out."""
    async with _later_pages(database) as (story, ana, zoe, ben, _):
        before = await _break(story, what, ana)
        await story.passes(60)
        await zoe.is_paged("FanSlow")
        await story.passes(FIVE_TRIES_S)
        await ben.is_paged("DiskFull")
        await ana.is_not_paged()
        assert _said(story, "job_failed") == 5
        assert _said(story, "job_quarantined") == 1
        assert (await story.store.read(jobs.backlog)).quarantined == 1
        (page,) = await story.rows("SELECT state, detail FROM pages WHERE person_id = :ana", ana=ana.id)
        assert page.state == "quarantined"
        assert "it is tried again each minute" in page.detail
        failed = await story.rows("SELECT reason FROM timeline WHERE kind = 'page_failed'")
        assert len(failed) == 1
        await _mend(story, what, ana, before)
        await story.passes(60)
        await ana.is_paged("DiskFull")
        assert (await story.store.read(jobs.backlog)).quarantined == 0
        assert (await story.rows("SELECT state FROM pages WHERE person_id = :ana", ana=ana.id))[0].state == "sent"


async def test_a_page_in_quarantine_ends_when_somebody_has_the_incident(database: str) -> None:
    async with _later_pages(database) as (story, ana, zoe, ben, _):
        await _break(story, "person", ana)
        await story.passes(60 + FIVE_TRIES_S)
        await zoe.is_paged("FanSlow")
        await ben.is_paged("DiskFull")
        await ben.acknowledges()
        _said(story, "job_failed")
        _said(story, "job_quarantined")
        await story.passes(120)
        assert (await story.rows("SELECT state FROM pages WHERE person_id = :ana", ana=ana.id))[0].state == "not_needed"
        assert (await story.store.read(jobs.backlog)).quarantined == 0


async def test_an_escalation_that_can_not_be_planned_is_tried_for_ever_and_said_aloud(database: str) -> None:
    """Its policy can't be read. Timeline, metric and doctor say so; mended, the page goes out within a minute."""
    async with town(database) as story:
        ana = await story.person("Ana")
        policy = await story.policy([[ana]], delay_s=3_600)
        alerts = await story.integration("alertmanager", await story.service("s", policy))
        (row,) = await story.rows("SELECT document FROM resources WHERE id = :id", id=policy)
        await _sql(story, "UPDATE resources SET document = '{}' WHERE id = :id", id=policy)
        await alerts.fires("DiskFull")
        await story.passes(FIVE_TRIES_S + 120)
        assert _said(story, "job_failed") >= 6
        assert _said(story, "job_quarantined") >= 2
        said = await story.rows("SELECT reason FROM timeline WHERE kind = 'escalation_failed'")
        assert len(said) == 1
        (finding,) = queue.judge(*await story.store.read(queue.gather))
        assert (finding.mark, "escalate" in finding.says) == ("wrong", True)
        await _sql(story, "UPDATE resources SET document = :before WHERE id = :id", before=row.document, id=policy)
        await story.passes(61)
        await ana.is_paged("DiskFull")
        assert queue.judge(*await story.store.read(queue.gather)) == []


OTHERS: dict[str, BaseModel] = {
    "service": Service(name="other"),
    "rule": Rule.model_validate({"name": "other", "when": ["a=b"], "then": {"labels": {"c": "d"}}}),
    "inhibition": Inhibition.model_validate({"name": "other", "source": ["a=b"], "target": ["c=d"]}),
    "silence": Silence.model_validate(
        {
            "name": "other",
            "matchers": ["a=b"],
            "starts_at": "2026-01-01T00:00:00Z",
            "ends_at": "2027-01-01T00:00:00Z",
            "created_by": "Eva",
            "comment": "a move",
        }
    ),
    "table": Table.model_validate({"name": "other", "key": "a", "rows": [{"a": "b"}]}),
}
"""A document of each kind of which all are read together."""


@pytest.mark.parametrize("kind", OTHERS)
async def test_a_document_that_can_not_be_read_stops_nothing_that_is_not_its_own(database: str, kind: str) -> None:
    async with town(database) as story:
        ana, ben = await story.person("Ana"), await story.person("Ben")
        policy = await story.policy([[ana], [ben]], delay_s=300)
        alerts = await story.integration("alertmanager", await story.service("s", policy))
        await story._create("rule", "good", OTHERS["rule"].model_dump(mode="json"))
        spoilt = await story._create(kind, "other", {**OTHERS[kind].model_dump(mode="json"), "name": 7})
        await alerts.fires("DiskFull")
        await ana.is_paged("DiskFull")
        await story.passes(minutes=5)
        await ben.is_paged("DiskFull")
        said = [error for error in story.errors if error["event"] == "document_unreadable"]
        assert {(error["kind"], error["id"]) for error in said} == {(kind, spoilt)}
        assert said[0]["why"] == "name: Input should be a valid string"
        story.errors.clear()


@pytest.mark.parametrize("kind", ["service", "person", "policy", "rule", "inhibition", "silence", "table"])
async def test_what_a_newer_version_has_added_to_a_document_is_left_alone(database: str, kind: str) -> None:
    """Replicas are replaced one by one, and the older ones go on."""
    async with town(database) as story:
        ana, ben = await story.person("Ana"), await story.person("Ben")
        policy = await story.policy([[ana], [ben]], delay_s=300)
        alerts = await story.integration("alertmanager", await story.service("s", policy))
        if kind in OTHERS:
            await story._create("rule", "good", OTHERS["rule"].model_dump(mode="json"))
            await story._create(kind, "other", OTHERS[kind].model_dump(mode="json"))
        for row in await story.rows("SELECT id, document FROM resources WHERE kind = :kind", kind=kind):
            later = row.document.replace("{", '{"later": {"a": 1}, ', 1)
            await _sql(story, "UPDATE resources SET document = :later WHERE id = :id", later=later, id=row.id)
        await story.store.write(resources.touch_config)
        await alerts.fires("DiskFull")
        await ana.is_paged("DiskFull")
        await story.passes(minutes=5)
        await ben.is_paged("DiskFull")
        await ben.acknowledges()


@pytest.mark.parametrize(
    ("table", "column", "spoilt"), [("incidents", "opened_at", 1_000_000_000_000_000_000), ("alerts", "links", "[[7]")]
)
async def test_a_page_that_can_not_be_told_in_full_is_sent_in_plain_words(
    database: str, table: str, column: str, spoilt: Any
) -> None:
    """It began in the year 33658, which no calendar can say, or its links are none: Ben reads what is broken, and can acknowledge."""
    async with town(database) as story:
        ana, ben = await story.person("Ana"), await story.person("Ben")
        policy = await story.policy([[ana], [ben]], delay_s=300)
        alerts = await story.integration("alertmanager", await story.service("s", policy))
        await alerts.fires("DiskFull")
        await ana.is_paged("DiskFull")
        (before,) = await story.rows(f"SELECT {column} FROM {table}")
        await _sql(story, f"UPDATE {table} SET {column} = :spoilt", spoilt=spoilt)
        await story.passes(300)
        page = await ben.is_paged("DiskFull")
        assert "Since" not in page["text"]
        assert _said(story, "page_not_rendered") == 1
        await _sql(story, f"UPDATE {table} SET {column} = :before", before=before[0])
        await ben.acknowledges()
        assert (await story.incident()).acknowledged_by == "Ben"


@dataclass
class Choosy:
    """A notifier with a bug: it can't take more than one line."""

    inner: Any

    async def send(self, address: Any, message: Message, outbound: Any) -> Outcome:
        if "\n" in message.text:
            raise ValueError("a second line")
        outcome: Outcome = await self.inner.send(address, message, outbound)
        return outcome

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)


async def test_after_a_notifier_has_failed_its_next_try_goes_out_in_plain_words(database: str) -> None:
    async with town(database) as story:
        story.world.notifiers = {kind: Choosy(one) for kind, one in story.world.notifiers.items()}
        story.process.worker._handlers = story.process._handlers()
        ana = await story.person("Ana")
        service = await story.service("s", await story.policy([[ana]], delay_s=3_600))
        alerts = await story.integration("alertmanager", service)
        await alerts.fires("DiskFull")
        await ana.is_not_paged()
        assert _said(story, "notifier_failed") == 1
        await story.passes(5)
        await ana.is_paged("DiskFull")
        assert [row.outcome for row in await story.rows("SELECT outcome FROM attempts ORDER BY number")] == [
            "unknown",
            "accepted",
        ]


async def test_whatever_a_provider_answers_can_be_written_down(database: str) -> None:
    """PostgreSQL takes no NUL and nobody takes half a character: a page that was sent would be sent again and again."""
    async with planned(database, 1) as (story, claimed):
        (tried,) = await story.store.write(begin_all, claimed, DESK)
        assert isinstance(tried, Try)
        await story.store.write(record, tried, Accepted("re\x00ceipt \ud800"))
        assert (await story.rows("SELECT receipt FROM attempts"))[0].receipt == "receipt \ufffd"


async def test_a_page_whose_sends_can_not_be_written_down_is_not_sent_for_ever(database: str) -> None:
    async with planned(database, 1) as (story, claimed):
        page = claimed[0].payload["page"]
        await _sql(story, "UPDATE pages SET state = 'quarantined'")
        await _sql(story, "UPDATE jobs SET lease_until = 0, fence = 9")
        for number in range(1, 7):
            await _sql(
                story,
                "INSERT INTO attempts (id, page_id, number, started_at) VALUES (:id, :page, :number, 1)",
                id=number,
                page=page,
                number=number,
            )
        (again,) = [job for job in await story.store.write(jobs.claim, 9, LEASE) if job.kind == "deliver"]
        assert await story.store.write(begin, again, DESK) is None
        assert (await story.rows("SELECT state FROM pages"))[0].state == "failed"
        assert await story.rows("SELECT id FROM jobs WHERE kind = 'deliver'") == []


async def test_while_the_database_is_away_no_job_has_failed(database: str) -> None:
    """An outage of a minute must not put every page that was under way into quarantine."""
    async with town(database) as story:
        failures: list[int] = []

        async def away(job: Job) -> Sequence[Job]:
            failures.append(job.failures)
            if len(failures) < 8:
                raise Unavailable("away")
            await story.store.write(jobs.finish, job)
            return ()

        story.process.worker._handlers = {"work": away}
        await story.store.write(jobs.add, [NewJob("work", 1, story.clock.now())])
        await story.passes(30)
        assert failures == [0] * 8


async def test_what_the_database_will_never_take_is_told_from_its_being_away(database: str) -> None:
    """The first is a fault of the row, and counts; the second is nobody's."""
    async with town(database) as story:
        with pytest.raises(Rejected):
            await _sql(story, "SELECT :missing")
        if story.store.kind == "postgresql":
            for value in ("\x00", "\ud800"):
                with pytest.raises(Rejected):
                    await _sql(story, "UPDATE instance SET value = :value", value=value)
            with pytest.raises(Rejected):
                await _sql(story, "SELECT nothing FROM nowhere")


def test_the_doctor_names_what_fails_and_goes_on_where_a_document_can_not_be_read(database: str) -> None:
    async def break_it() -> None:
        store = open_store(database, SystemClock(), ProcessIds())
        await migrate(store)

        async def deed(tx: Writing) -> None:
            await resources.create(tx, "policy", "Night", {}, "test")
            await jobs.add(tx, [NewJob("escalate", number, 0) for number in range(7)])
            await tx.conn.execute(text("UPDATE jobs SET failures = 5"))

        await store.write(deed)
        await store.close()

    asyncio.run(break_it())
    found = {finding.about: finding for finding in examine(Settings(database_url=database))}
    assert "fails again and again: escalate" in found["quarantine"].says
    assert found["quarantine"].says.endswith("and 2 more")
    assert "can't be read as a Policy" in found["configuration"].says

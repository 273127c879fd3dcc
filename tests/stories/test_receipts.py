"""What a provider says later of a page: delivered, failed, or nothing although it promised."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from app.api.explain import explained
from app.notifiers.notifier import Accepted
from app.paging.deliver import begin, record
from app.paging.receipt_links import ReceiptLink
from app.paging.receipts import receive
from tests.harness.town import Resident, Town, town
from tests.stories.test_many_pages import DESK, planned


async def reached_with_receipts(story: Town) -> tuple[Resident, Resident]:
    """Ana has a gateway that promises receipts, and a phone; Ben is the next level. An alert fires."""
    methods = [
        {"id": "gateway", "kind": "webhook", "address": {"url": story.provider.url("/gateway"), "receipts": True}},
        {"id": "phone", "kind": "webhook", "label": "phone", "address": {"url": story.provider.url("/ana")}},
    ]
    ana, ben = await story.person("Ana", contact_methods=methods), await story.person("Ben")
    service = await story.service("checkout", await story.policy([[ana], [ben]], delay_s=300))
    alerts = await story.integration("alertmanager", service)
    await alerts.fires("DiskFull")
    await ana.is_not_paged()
    return ana, ben


def receipt_path(story: Town) -> str:
    return str(story.provider.seen[0].json["receipt_url"]).removeprefix("http://tocsin.test")


async def says(story: Town, path: str, **document: Any) -> int:
    answer = await story.web.post(path, json=document)
    await story.settled()
    return answer.status_code


async def pages(story: Town) -> list[tuple[str, str | None]]:
    return [(row.state, row.outcome) for row in await story.rows("SELECT state, outcome FROM pages ORDER BY number")]


async def tries(story: Town) -> str:
    found = await explained(story.store, 1)
    return " ".join(line.sentence for line in found.entries if line.kind in ("try", "page_failed"))


async def test_a_receipt_in_time_is_written_down_and_nothing_follows(database: str) -> None:
    async with town(database) as story:
        ana, ben = await reached_with_receipts(story)
        await story.passes(12)
        assert await says(story, receipt_path(story), state="delivered") == 204
        assert await says(story, receipt_path(story), state="delivered") == 204
        await story.passes(120)
        await ana.is_not_paged()
        await ben.is_not_paged()
        assert await pages(story) == [("sent", "delivered"), ("waiting", None)]
        assert "which said 12 s later that it was delivered" in await tries(story)
        metrics = story.world.metrics.registry
        labels = {"notifier": "webhook", "state": "delivered"}
        assert metrics.get_sample_value("tocsin_receipts_total", labels) == 2


@pytest.mark.parametrize("how", ["says nothing", "says that it failed"])
async def test_without_a_receipt_the_next_way_is_used_and_one_that_comes_late_puts_it_right(
    database: str, how: str
) -> None:
    async with town(database) as story:
        ana, ben = await reached_with_receipts(story)
        if how == "says nothing":
            await story.passes(59)
            await ana.is_not_paged()
            await story.passes(2)
            assert "it was taken, but no receipt came within 60 s" in await tries(story)
        else:
            assert await says(story, receipt_path(story), state="failed", detail="switched\u0007 off") == 422
            assert await says(story, receipt_path(story), state="failed", detail="switched off") == 204
            assert "it was taken, and then not delivered: switched off" in await tries(story)
        await ana.is_paged("DiskFull")
        assert await pages(story) == [
            ("failed", "no_receipt" if how == "says nothing" else "refused"),
            ("sent", "accepted"),
        ]
        if how == "says nothing":
            assert await says(story, receipt_path(story), state="delivered") == 204
            assert (await pages(story))[0] == ("sent", "delivered")
        await ana.acknowledges()
        await story.passes(400)
        await ben.is_not_paged()


async def test_a_policy_that_had_reached_nobody_goes_on_when_the_only_receipt_comes_late(database: str) -> None:
    async with town(database) as story:
        address = {"url": story.provider.url("/gateway"), "receipts": True}
        ana = await story.person("Ana", contact_methods=[{"id": "gateway", "kind": "webhook", "address": address}])
        service = await story.service("checkout", await story.policy([[ana]], delay_s=300))
        alerts = await story.integration("alertmanager", service)
        await alerts.fires("DiskFull")
        await story.passes(70)
        assert [error["event"] for error in story.errors] == ["incident_undelivered"]
        story.errors.clear()
        for _ in range(2):
            assert await says(story, receipt_path(story), state="delivered") == 204
        await story.passes(minutes=6)
        kinds = [row.kind for row in await story.rows("SELECT kind FROM timeline ORDER BY id")]
        assert kinds[-3:] == ["undelivered", "policy_goes_on", "policy_exhausted"]


@pytest.mark.parametrize("place", [0, 1])
async def test_the_requests_of_the_documents_are_understood(database: str, place: int) -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "delivery.md").read_text("utf-8")
    body = re.findall(r"""curl -X POST "\$RECEIPT_URL" .* -d '(\{.*\})'""", page)[place]
    async with town(database) as story:
        ana, _ = await reached_with_receipts(story)
        answer = await story.web.post(receipt_path(story), content=body, headers={"content-type": "application/json"})
        assert answer.status_code == 204
        await story.settled()
        assert (await pages(story))[0][0] == ("sent", "failed")[place]
        ana.phone.taken = len(ana.phone.inbox())


async def test_an_address_that_is_none_of_ours_and_a_document_that_is_none(database: str) -> None:
    async with town(database) as story:
        await reached_with_receipts(story)
        path = receipt_path(story)
        assert await says(story, path[:-1] + ("A" if path[-1] != "A" else "B"), state="delivered") == 404
        assert await says(story, path, state="perhaps") == 422
        assert await says(story, path) == 422
        assert (await story.web.get(path)).status_code == 405
        story.clock.move_to(story.clock.now() + 49 * 3_600 * 1_000_000)
        assert await says(story, path, state="delivered") == 404
        for resident in story.residents:
            resident.phone.taken = len(resident.phone.inbox())


async def test_a_receipt_that_comes_before_the_answer_of_its_try_is_not_missed(database: str) -> None:
    """The provider was quicker than we: of two pages one has arrived and one has not when their tries are written down."""
    async with planned(database, 2) as (story, claimed):
        arrived, did_not = [await story.store.write(begin, job, DESK) for job in claimed]
        assert arrived is not None
        assert did_not is not None
        await story.store.write(receive, ReceiptLink("page", arrived.page_id), "delivered", "")
        await story.store.write(receive, ReceiptLink("page", did_not.page_id), "failed", "the phone is switched off")
        for tried in (arrived, did_not):
            await story.store.write(record, tried, Accepted("r", awaits_receipt=True))
        assert await pages(story) == [("sent", "delivered"), ("failed", "refused")]
        assert await story.rows("SELECT id FROM jobs WHERE kind IN ('deliver', 'receipt')") == []

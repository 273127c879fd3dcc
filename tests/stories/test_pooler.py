"""Behind pgbouncer in transaction mode everything works, and replicas wake each other over a direct address."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import make_url, text

from app.clock import SystemClock
from app.ids import ProcessIds
from app.incidents import respond
from app.store.database import Reading
from app.store.migrate import migrate
from app.store.opening import open_store
from tests.harness.pgbouncer import NoPgbouncer, pooled
from tests.harness.postgres import Cluster
from tests.harness.town import Resident, Sender, replicas

POOLED = "?prepared_statement_cache_size=0"
"""What docs/operations.md says to put at the end of the address."""


@pytest.fixture
def both(
    postgres: Cluster, tmp_path: Path, record_property: Callable[[str, object], None]
) -> Iterator[tuple[str, str] | None]:
    """The address of an empty database through the pooler, and its direct one; None, said aloud, without pgbouncer."""
    try:
        with pooled(postgres, tmp_path) as address:
            direct = postgres.fresh()
            yield f"{address}{make_url(direct).database}{POOLED}", direct
            postgres.drop(direct)
    except NoPgbouncer as missing:
        record_property("left_out", str(missing))
        yield None


async def test_two_replicas_behind_pgbouncer_ingest_page_and_escalate(both: tuple[str, str] | None) -> None:
    """An empty database is migrated, twenty alerts come through both at once, everybody is paged once, levels follow."""
    if both:
        await _works(*both)


@pytest.fixture
def direct(postgres: Cluster) -> Iterator[str]:
    url = postgres.fresh()
    yield url
    postgres.drop(url)


async def test_only_through_a_pooler_is_a_question_a_transaction(direct: str) -> None:
    """It keeps a connection together for the length of one. Elsewhere BEGIN and ROLLBACK would cost as much as the question."""

    async def began(view: Reading) -> list[object]:
        return [(await view.conn.execute(text("SELECT now()"))).scalar() for _ in range(2)]

    for query, transactions in (({"prepared_statement_cache_size": "0"}, 1), ({}, 2)):
        url = make_url(direct).update_query_dict(query).render_as_string(hide_password=False)
        store = open_store(url, SystemClock(), ProcessIds())
        assert len(set(await store.read(began))) == transactions
        assert len(set(await store.write(began))) == 1
        await store.close()


def test_the_document_says_what_was_tried() -> None:
    text = (Path(__file__).resolve().parents[2] / "docs" / "operations.md").read_text()
    assert f"6432/tocsin{POOLED}'" in text
    assert "TOCSIN_HINTS_URL=" in text


async def _works(url: str, direct: str) -> None:
    store = open_store(url, SystemClock(), ProcessIds())
    await migrate(store)
    await store.close()
    async with replicas(url, hints_url=direct) as (one, other):
        ana, ben = await one.person("Ana"), await one.person("Ben")
        service = await one.service("s", await one.policy([[ana], [ben]], delay_s=300), grouping={"by": "alert"})
        alerts = await one.integration("alertmanager", service)
        there = Sender(other, alerts.id, alerts.kind, alerts.key)
        await asyncio.gather(*(sender.fires(f"{sender is there}-{n}") for n in range(10) for sender in (alerts, there)))
        await _paged(ana, 20)
        await asyncio.gather(*(one.store.write(respond.acknowledge, number, "Eva") for number in range(1, 20)))
        await one.passes(minutes=6)
        await _paged(ben, 1)
        hints = other.process.hints
        assert hints is not None
        assert hints.connected


async def _paged(who: Resident, times: int) -> None:
    """Each replica sends what it has taken; together so often and no more."""
    async with asyncio.timeout(60):
        while len(who.phone.inbox()) < times:
            # A page that found all of its provider's lines taken comes a moment later.
            await who.story.passes(1)
    assert len(who.phone.inbox()) == times

"""The doctor at a running installation, on both databases: what it reads from rows is what will happen to a page."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import insert

from app.api.access import create_key
from app.cli.checks.examination import examine
from app.cli.checks.finding import Finding
from app.clock import HOUR, SystemClock
from app.dedup.tables import unparsed
from app.ids import ProcessIds
from app.oncall.record import put_in_force
from app.settings import Settings
from app.store import jobs, resources
from app.store.database import Store, Writing
from app.store.migrate import migrate
from app.store.opening import open_store
from app.watch.tables import pulses
from tests.harness.mail import mail_server
from tests.harness.town import add_key

PHONE = {"id": "phone", "kind": "webhook", "address": {"url": "https://phone.example.com/ana"}}


async def _add(tx: Writing, kind: str, document: dict[str, Any]) -> str:
    return str((await resources.create(tx, kind, document["name"], document, "test")).id)


async def _integration(tx: Writing, name: str, service: str) -> int:
    document = {"name": name, "kind": "generic", "service_id": service, "settings": {}}
    made = int(await _add(tx, "integration", document))
    await add_key(tx, made, f"key of {name}")
    return made


async def _town(tx: Writing) -> None:
    """Ana is on call and can be reached; Ben is next and can't; one tool has spoken, one tells changes only, one never did."""
    ana = await _add(tx, "person", {"name": "Ana", "contact_methods": [PHONE]})
    ben = await _add(tx, "person", {"name": "Ben", "contact_methods": []})
    layer = {
        "name": "weekly",
        "participants": [ana, ben],
        "unit": "day",
        "length": 1,
        "start_date": "2026-01-05",
        "handoff": "09:00",
    }
    schedule = {"name": "Shop", "time_zone": "Europe/Berlin", "layers": [layer]}
    rota = await _add(tx, "schedule", schedule)
    await put_in_force(tx, int(rota), 1, schedule, None)
    levels = [{"targets": [{"kind": "schedule", "id": rota}]}, {"targets": [{"kind": "person", "id": ana}]}]
    policy = await _add(tx, "policy", {"name": "Night", "levels": levels})
    service = await _add(tx, "service", {"name": "checkout", "policy_id": policy})
    await _add(tx, "service", {"name": "forgotten"})
    spoke = await _integration(tx, "spoke", service)
    await _integration(tx, "silent", service)
    deploys = await _integration(tx, "deploys", service)
    await tx.conn.execute(insert(pulses).values(resource_id=deploys, last_seen_at=tx.now))
    await tx.conn.execute(
        insert(unparsed).values(
            id=tx.new_id(), integration_id=spoke, received_at=tx.now, reason="x", content_type="", body=b"x", size=1
        )
    )
    await create_key(tx, "me", "admin")
    await jobs.add(tx, [jobs.NewJob("escalate", 1, tx.now - HOUR)])


async def _set_up(url: str) -> None:
    store: Store = open_store(url, SystemClock(), ProcessIds())
    await migrate(store)
    await store.write(_town)
    await store.close()


@pytest.fixture
def findings(database: str) -> dict[str, Finding]:
    """By what each is about; of several about one thing the gravest."""
    asyncio.run(_set_up(database))
    settings = Settings(database_url=database, public_url="https://tocsin.example.com")
    found = sorted(examine(settings), key=lambda one: ("ok", "warn", "wrong").index(one.mark))
    return {one.about: one for one in found}


def test_every_fault_of_an_installation_is_found_and_what_is_well_is_left_alone(findings):
    marks = {about: one.mark for about, one in findings.items() if about not in ("database", "disk", "clock")}
    nobody_now = marks.pop("policy Night, level 1")
    assert nobody_now in ("ok", "wrong"), "Ana's day or Ben's"
    assert marks == {
        "schema": "ok",
        "paging": "ok",
        "outside watch": "warn",
        "integration spoke": "ok",
        "integration deploys": "ok",
        "integration silent": "warn",
        "jobs": "wrong",
        "service forgotten": "warn",
        "policy Night, level 2": "ok",
        "policy Night": "warn",
        "person Ben": "wrong",
        "notifiers": "ok",
        "links": "ok",
        "time zones": "ok",
    }
    assert "the oldest has waited 3600 s" in findings["jobs"].says
    assert "Ben has no contact method that is enabled, and takes a turn in Shop" in findings["person Ben"].says
    assert all(one.do for one in findings.values() if one.mark != "ok")


def test_both_clocks_agree_on_the_machine_of_the_tests(findings):
    assert findings["clock"].mark == "ok"


async def test_a_mail_server_that_greets_is_well_and_is_sent_nothing():
    async with mail_server() as server:
        url = SecretStr(f"smtp://127.0.0.1:{server.port}?tls=none")
        found = await asyncio.to_thread(examine, Settings(smtp_url=url, database_url="sqlite:////nowhere/t.db"))
    (mail,) = [one for one in found if one.about == "mail server"]
    assert (mail.mark, mail.says) == ("ok", f"127.0.0.1:{server.port} answers")
    assert server.mails == []

"""Ingest reads its configuration anew at each edit, and of rules only what was edited."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from app.ids import ProcessIds
from app.routing.reading import Rules
from app.routing.rule import Rule, Table
from app.store import resources
from app.store.database import Store
from app.store.migrate import migrate
from app.store.opening import open_store
from tests.harness.clock import StoryClock

SERVICES = {7: "checkout"}


@pytest.fixture
async def store(database: str) -> AsyncIterator[Store]:
    opened = open_store(database, StoryClock(), ProcessIds(7))
    await migrate(opened)
    yield opened
    await opened.close()


async def _make(store: Store, kind: str, document: Rule | Table) -> resources.Resource:
    return await store.write(resources.create, kind, document.name, document.model_dump(mode="json"), "ana")


def _rule(name: str, **more: Any) -> Rule:
    return Rule.model_validate({"name": name, "when": ('env="lab"',), "then": {"category": name}, **more})


async def test_rules_are_read_again_when_they_their_tables_or_services_change_and_only_then(store: Store) -> None:
    remembered = Rules()
    assert not await store.read(remembered.read, SERVICES)
    for name in ("lab", "test"):
        await _make(store, "rule", _rule(name))
    both = await store.read(remembered.read, SERVICES)
    assert [rule.name for rule in both.rules] == ["lab", "test"]
    assert await store.read(remembered.read, SERVICES) is both

    renamed = await store.read(remembered.read, {7: "orders"})
    assert renamed.known.names == {7: "orders"}
    await _make(store, "table", Table.model_validate({"name": "hosts", "key": "host", "csv": "host,team\na,b\n"}))
    assert [one.name for one in (await store.read(remembered.read, SERVICES)).known.tables.values()] == ["hosts"]

    lab = (await store.read(resources.load, "rule", [both.rules[0].id]))[both.rules[0].id]
    moved = _rule("lab", place=900).model_dump(mode="json")
    lab = await store.write(resources.replace, lab, "lab", moved, "ana", seen=lab.version)
    assert [rule.name for rule in (await store.read(remembered.read, SERVICES)).rules] == ["test", "lab"]
    await store.write(resources.remove, lab, "ana", seen=lab.version)
    assert [rule.name for rule in (await store.read(remembered.read, SERVICES)).rules] == ["test"]

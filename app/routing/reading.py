"""From the stored configuration to rules that can be asked. Reads only; compiling is remembered by text."""

from __future__ import annotations

from collections.abc import Mapping

from app.routing.rule import Rule, Table
from app.routing.rulebook import Known, Rulebook
from app.store.database import Reading
from app.store.resources import listed


async def read_rulebook(view: Reading, services: Mapping[int, str]) -> Rulebook:
    """All rules, with what they speak of. `services`: names by id."""
    rules = await listed(view, "rule")
    if not rules:
        return Rulebook()
    return Rulebook([(one.id, Rule.model_validate(one.document)) for one in rules], await read_known(view, services))


async def read_known(view: Reading, services: Mapping[int, str]) -> Known:
    """What rules speak of beside events."""
    tables = {one.id: Table.model_validate(one.document) for one in await listed(view, "table")}
    return Known.of(services, tables)

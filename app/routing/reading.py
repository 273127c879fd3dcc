"""From the stored configuration to rules that can be asked. Reads only; compiling is remembered by text."""

from __future__ import annotations

from collections.abc import Mapping

from app.routing.rule import Rule, Table
from app.routing.rulebook import Known, Rulebook
from app.store.database import Reading
from app.store.resources import listed, load, readable, versions

MANY = 500
"""Edited rules that are read one by one; of more all are."""


ByVersion = Mapping[tuple[int, int], Rule]
"""Rules by id and version."""


class Rules:
    """The rulebook of one process: what was not edited is not read again, however often something else is."""

    def __init__(self) -> None:
        # One value, as several threads read: what is remembered is always of one instant.
        self._last: tuple[object, ByVersion, Rulebook] = (None, {}, Rulebook())

    async def read(self, view: Reading, services: Mapping[int, str]) -> Rulebook:
        """All rules as they are now. `services`: names by id."""
        found = await versions(view, "rule")
        if not found:
            return Rulebook()
        made_of = (found, await versions(view, "table"), dict(services))
        known_of, known, book = self._last
        if made_of != known_of:
            rules = await _edited(view, found, known)
            book = Rulebook(((key[0], rule) for key, rule in rules.items()), await read_known(view, services))
            self._last = (made_of, rules, book)
        return book


async def _edited(view: Reading, found: Mapping[int, int], known: ByVersion) -> ByVersion:
    """The rules of these versions, of which `known` are read already."""
    new = [key[0] for key in found.items() if key not in known]
    rows = await listed(view, "rule") if len(new) > MANY else (await load(view, "rule", new)).values()
    # By id, as one may have been edited once more in between.
    read = {one.id: one for one in rows}
    rules = readable((read[key] for key in new if key in read), Rule)
    kept = {key: known[key] for key in found.items() if key in known}
    return kept | {(key, read[key].version): rules[key] for key in new if key in rules}


async def read_known(view: Reading, services: Mapping[int, str]) -> Known:
    """What rules speak of beside events."""
    tables = readable(await listed(view, "table"), Table)
    return Known.of(services, tables)

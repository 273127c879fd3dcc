"""All that a story has left behind: every row of every table, what was sent, and how far its ids are."""

from __future__ import annotations

from typing import Any

from tests.harness.town import Town

_TABLES = {
    "sqlite": "SELECT name FROM sqlite_master WHERE type = 'table'",
    "postgresql": "SELECT tablename FROM pg_tables WHERE schemaname = 'public'",
}


async def everything(story: Town) -> dict[str, Any]:
    """Equal before and after what changes nothing, and not equal after anything else."""
    await story.settled()
    found: dict[str, Any] = {}
    for (name,) in await story.rows(_TABLES[story.store.kind]):
        found[str(name)] = sorted((tuple(row) for row in await story.rows(f'SELECT * FROM "{name}"')), key=repr)
    sent = [(seen.path, seen.body) for seen in story.provider.seen]
    return {**found, "sent": sent, "console": story.console.getvalue()}


class IdsUsed:
    """How many ids were drawn since: each draw of this is one."""

    def __init__(self, story: Town) -> None:
        self._story = story
        self._last = self._drawn()

    def since(self) -> int:
        """Ids that somebody else drew since this was asked last."""
        now = self._drawn()
        used = now - self._last - 1
        self._last = now
        return used

    def _drawn(self) -> int:
        return self._story.world.ids.new(self._story.clock.now())

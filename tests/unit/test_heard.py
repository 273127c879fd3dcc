"""Whatever is lost, doubled, late, out of order or silent: an alert is open exactly when what was heard of it says so."""

from __future__ import annotations

import random
from itertools import count
from pathlib import Path
from typing import Any

from app.cli.replaying.stage import Stage, stage
from app.clock import MINUTE, SECOND, Micros
from app.dedup.arrival import Arrival, prepare
from app.dedup.directory import Inlet, View
from app.dedup.episodes import Episode
from app.dedup.ingest import EXPIRY_GRACE, apply
from app.dedup.work import Work
from app.incidents.service import FirstPage
from app.sources.event import Event
from app.sources.integration import Integration
from app.sources.source import SourceSettings
from app.store import resources
from app.store.database import Reading
from tests.harness.heard import SILENCE, START, Heard, story

STORIES = 2_000
UNUSUAL = 6_167
"""The ends of two episodes come, in the wrong order, before the firing of the later one."""
SEEDS = (*range(20), 48, 116)
"""In the last ones a resolve that comes before its firing must be remembered in the database."""
EXPIRE_AFTER_S = (SILENCE - EXPIRY_GRACE) // SECOND
INLET = Inlet(1, "sender", "generic", SourceSettings(), None)
EXPIRING = Inlet(1, "sender", "generic", SourceSettings(expire_after_s=EXPIRE_AFTER_S), None)


class Key:
    """One key as ingest remembers it, each message a transaction of its own."""

    def __init__(self, inlet: Inlet) -> None:
        self._inlet = inlet
        self._known: dict[bytes, Episode] = {}
        self._ids = count(1)
        self.opened = 0
        self.told = 0

    @property
    def last(self) -> Episode | None:
        return next(iter(self._known.values()), None)

    def hears(self, event: Event, now: Micros) -> str:
        self.passes(now)
        work = Work(now, self._known, View())
        (item,) = prepare(self._inlet, (event,))
        change = apply(work, self._inlet, item, self._ids.__next__)
        if change.kind == "open":
            self.opened, self.told = self.opened + 1, 0
        self.told += change.kind in ("open", "update", "repeat")
        for touch in work.written.touches:
            self.last.expires_at = touch.expires_at  # type: ignore[union-attr]
        return change.name

    def passes(self, now: Micros) -> None:
        """The deed of expiry."""
        last = self.last
        if last and last.resolved_at is None and last.expires_at and last.expires_at + EXPIRY_GRACE <= now:
            last.resolved_at, last.resolved_by = last.expires_at + EXPIRY_GRACE, "expiry"

    def declared_over(self, now: Micros) -> None:
        """A person's deed."""
        if self.last and self.last.resolved_at is None:
            self.last.resolved_at, self.last.resolved_by = now, "person"


def test_two_thousand_senders_are_understood_message_by_message() -> None:
    """Some alerts expire by silence, some are declared over by a person in the middle of it all."""
    seen: set[str] = set()
    for seed in (*range(STORIES), UNUSUAL):
        chance = random.Random(seed)
        expires, handled = chance.random() < 0.3, chance.random() < 0.3
        model, key = Heard(expires), Key(EXPIRING if expires else INLET)
        for place, (at, event) in enumerate(story(chance)):
            if handled and chance.random() < 0.1:
                model.passes(at - 1)
                key.passes(at - 1)
                model.declared_over(at - 1)
                key.declared_over(at - 1)
            model.hears(event, at)
            seen.add(key.hears(event, at))
            is_open = key.last is not None and key.last.resolved_at is None
            found, wanted = (is_open, key.opened, key.told), (model.open, model.opened, model.told)
            assert found == wanted, f"seed {seed}, message {place}, {(at - START) / SECOND:.0f} s in: {event}"
    assert seen >= {"first", "again", "still_firing", "back_after_expiry", "repeated", "restarted", "resolved"}
    assert seen >= {"orphan_resolve", "already_resolved", "ended_later", "late_firing", "late_resolve"}


async def test_the_database_agrees_with_the_model(tmp_path: Path) -> None:
    """Senders at once, with whatever arrives within a second in one transaction; incidents count what is open."""
    stories = {f"key-{seed}": story(random.Random(seed), f"key-{seed}") for seed in SEEDS}
    models = {key: Heard(expires=place % 4 == 1) for place, key in enumerate(stories)}
    messages = sorted((one for told in stories.values() for one in told), key=lambda one: one.at)
    async with stage(tmp_path, START, FirstPage()) as theatre:
        inlets = [await _inlet(theatre, {}), await _inlet(theatre, {"expire_after_s": EXPIRE_AFTER_S})]
        while messages:
            second = messages[0].at // SECOND * SECOND + SECOND
            now = [one.event for one in messages if one.at <= second]
            del messages[: len(now)]
            await theatre.passes_to(second)
            for inlet, expires in zip(inlets, (False, True), strict=True):
                own = [event for event in now if models[event.key].expires is expires]
                await theatre.world.committer.commit(Arrival(inlet, prepare(inlet, own)))
            for event in now:
                models[event.key].hears(event, second)
        await theatre.passes_to(second + MINUTE)
        found = {row.dedup_key: row for row in await theatre.world.store.read(_all, _ALERTS)}
        for key, model in models.items():
            model.passes(second + MINUTE)
            row = found.get(key)
            stored = (row.opened, row.open, row.told or 0) if row else (0, 0, 0)
            assert stored == (model.opened, int(model.open), model.told), key
        assert await theatre.world.store.read(_all, _COUNTED_WRONG) == []


async def _inlet(theatre: Stage, settings: dict[str, Any]) -> Inlet:
    store, name = theatre.world.store, f"sender {settings}"
    (service,) = await store.read(resources.listed, "service")
    sender = Integration(name=name, kind="generic", service_id=str(service.id), settings=settings)
    made = await store.write(resources.create, "integration", name, sender.model_dump(mode="json"), "test")
    return (await store.read(theatre.world.directory.refresh)).by_id[made.id]


async def _all(view: Reading, question: str) -> list[Any]:
    return list(await view.conn.exec_driver_sql(question))


_ALERTS = """
    SELECT dedup_key, sum(count > 0) AS opened, sum(resolved_at IS NULL) AS open, (
        SELECT b.count + coalesce(s.count, 0) FROM alerts AS b LEFT JOIN sightings AS s ON s.alert_id = b.id
        WHERE b.dedup_key = a.dedup_key AND b.count > 0 ORDER BY b.episode DESC LIMIT 1) AS told
    FROM alerts AS a GROUP BY dedup_key
"""


_COUNTED_WRONG = """
    SELECT id, open_alerts FROM incidents AS i WHERE merged_into IS NULL AND open_alerts <> (
        SELECT count(*) FROM alerts WHERE incident_id = i.id AND resolved_at IS NULL)
"""

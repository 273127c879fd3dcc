"""Killed at any instant of a storm, thirty times on each database, both at once.

Nothing answered is lost, no page is lost, and a page comes twice only where its outcome was unknown.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import TEMPLATE
from tests.harness.postgres import Cluster
from tests.torture.faults import Place, kill

KILLS = 30


@pytest.fixture
def places(sqlite: Path, postgres: Cluster, tmp_path: Path) -> Iterator[list[Place]]:
    url = postgres.fresh(TEMPLATE)
    folders = [tmp_path / name for name in ("sqlite", "postgresql")]
    for folder in folders:
        folder.mkdir()
    yield [Place(f"sqlite:///{shutil.copy(sqlite, folders[0])}", folders[0]), Place(url, folders[1])]
    postgres.drop(url)


@pytest.mark.timeout(400)
async def test_killed_thirty_times_in_a_storm_nothing_answered_is_lost(places: list[Place]) -> None:
    async with asyncio.TaskGroup() as both:
        killed = [both.create_task(kill(place, KILLS)) for place in places]
    for done in killed:
        assert done.result().kept
        assert done.result().answered >= KILLS

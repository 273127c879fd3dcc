"""Killed at any instant of a storm, thirty times on each database.

Nothing answered is lost, no page is lost, and a page comes twice only where its outcome was unknown.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.torture.faults import Place, kill

KILLS = 30


@pytest.mark.timeout(400)
async def test_killed_thirty_times_in_a_storm_nothing_answered_is_lost(database: str, tmp_path: Path) -> None:
    found = await kill(Place(database, tmp_path), KILLS)
    assert found.kept
    assert found.answered >= KILLS

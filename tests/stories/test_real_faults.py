"""Real faults, a few of each: processes that stand still, networks and databases that go away, disks that are full.

Each loses nothing and doubles nothing that has no unknown outcome (tests/torture/faults.py asserts it); `make torture` runs
them for hours. What needs root (a disk that can be filled, a network of its own) has a fault beside it that any user can do.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import TEMPLATE
from tests.harness.postgres import Cluster, cluster
from tests.torture.faults import Place, crash_postgres, freeze, no_more_bytes, replace, silence

pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def shared(postgres: Cluster, tmp_path: Path) -> Iterator[Place]:
    url = postgres.fresh(TEMPLATE)
    yield Place(url, tmp_path, postgres)
    postgres.drop(url)


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Place]:
    """A server that nobody else needs."""
    with cluster("fsync=on") as server:
        yield Place(server.url("postgres"), tmp_path, server)


async def test_postgresql_that_is_shut_down_at_once_costs_503_and_nothing_else(own: Place) -> None:
    """Twice, under a server that stays: it goes on by itself each time."""
    found = await crash_postgres(own, 2)
    assert found.answered >= 60
    assert set(found.statuses) <= {202, 503}


async def test_a_replica_that_stands_still_delays_pages_by_at_most_its_lease(shared: Place) -> None:
    """It stands longer than its lease, with pages on their way, and goes on as if no time had passed."""
    found = await freeze(shared, 1)
    assert found.extra <= found.unknown


async def test_replicas_are_replaced_one_after_the_other_and_nobody_feels_it(shared: Place) -> None:
    """No page is cut off, comes twice or is left to a lease."""
    found = await replace(shared, 1)
    assert found.extra == 0


async def test_a_replica_that_lost_its_database_without_being_told_says_so_in_five_seconds(shared: Place) -> None:
    found = await silence(shared, 1)
    assert found.statuses.get(503, 0) > 0


async def test_a_full_disk_costs_503_and_nothing_else(tmp_path: Path) -> None:
    """Whatever makes a file longer fails, twice; in between and afterwards everything goes on."""
    found = await no_more_bytes(Place(f"sqlite:///{tmp_path}/tocsin.db", tmp_path), 2)
    assert found.statuses[503] >= 40

"""Fixtures shared by all tests: a fresh database of each kind."""

from __future__ import annotations

import asyncio
import gc
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.clock import SystemClock
from app.ids import ProcessIds
from app.server import GC_THRESHOLD
from app.store.migrate import migrate
from app.store.opening import open_store
from tests.harness.postgres import Cluster, cluster

TEMPLATE = "tocsin_template"

# The settings of whoever runs the tests are not those of the tests; what tests themselves are told is called TEST_*.
for _name in [name for name in os.environ if name.startswith("TOCSIN_")]:
    del os.environ[_name]

# As the server does: what is loaded is there to stay, and walking through it again and again takes long.
gc.set_threshold(*GC_THRESHOLD)


def pytest_collection_finish() -> None:
    """Nothing of what was collected goes away."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="module", autouse=True)
def _collected() -> Iterator[None]:
    """What a file of tests left is looked through once, between files: in the middle of a story it would stop the world."""
    yield
    gc.collect()


@pytest.fixture(scope="session")
def postgres() -> Iterator[Cluster]:
    """A PostgreSQL server of this test process, with a migrated template database."""
    with cluster() as running:
        running.admin(f"DROP DATABASE IF EXISTS {TEMPLATE} WITH (FORCE)", f"CREATE DATABASE {TEMPLATE}")
        asyncio.run(_migrated(running.url(TEMPLATE)))
        yield running


@pytest.fixture(scope="session")
def sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated file, to be copied."""
    path = tmp_path_factory.mktemp("template") / "tocsin.db"
    asyncio.run(_migrated(f"sqlite:///{path}"))
    return path


async def _migrated(url: str) -> None:
    store = open_store(url, SystemClock(), ProcessIds())
    await migrate(store)
    await store.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The address of an empty database; each test that asks runs on both kinds."""
    if request.param == "sqlite":
        path = shutil.copy(request.getfixturevalue("sqlite"), tmp_path)
        yield f"sqlite:///{path}"
        return
    running: Cluster = request.getfixturevalue("postgres")
    url = running.fresh(TEMPLATE)
    yield url
    running.drop(url)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What a machine has not got, and was therefore not tried, is said and counted at the end of every run."""
    passed = terminalreporter.getreports("passed")
    left_out = [(one.nodeid, why) for one in passed for name, why in one.user_properties if name == "left_out"]
    if left_out:
        terminalreporter.section(f"{len(left_out)} not tried", yellow=True)
        for nodeid, why in left_out:
            terminalreporter.line(f"{nodeid}: {why}")

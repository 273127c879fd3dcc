"""The database as a command needs it: opened, used once, given back; what is wrong with it told in one sentence.

Must never know what the command does with it, and never shows a password.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

from app.cli.trouble import Trouble

if TYPE_CHECKING:
    from app.settings import Settings
    from app.store.database import Store

T = TypeVar("T")
SEE: Final = "; see TOCSIN_DATABASE_URL"


def in_database(settings: Settings, work: Callable[[Store], Awaitable[T]]) -> T:
    """What `work` answers. Raises Trouble for whatever a database can be wrong about."""
    import asyncio

    with database_trouble(settings):
        return asyncio.run(_once(settings, work))


async def _once(settings: Settings, work: Callable[[Store], Awaitable[T]]) -> T:
    from app.clock import SystemClock
    from app.ids import ProcessIds
    from app.store.opening import open_store

    store = open_store(settings.database_url, SystemClock(), ProcessIds())
    try:
        return await work(store)
    finally:
        await store.close()


@contextmanager
def database_trouble(settings: Settings) -> Iterator[None]:
    """Turns everything a database can raise inside into Trouble."""
    import asyncpg
    from sqlalchemy.exc import SQLAlchemyError

    from app.store.errors import StoreError
    from app.store.migrate import SchemaAhead

    try:
        yield
    except SchemaAhead as error:
        raise Trouble(str(error)) from None
    except (StoreError, SQLAlchemyError, asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
        raise Trouble(explained(settings, error)) from None


def explained(settings: Settings, error: BaseException) -> str:
    """One sentence about a database that did not do what it was asked: which, why, and what to look at."""
    from sqlalchemy import make_url

    shown = make_url(settings.database_url).render_as_string(hide_password=True)
    why = _deepest(error)
    file = settings.sqlite_file
    if file is not None and (fault := file_fault(file)):
        why = fault
    return f"the database {shown} can't be used: {why}{SEE}"


def _deepest(error: BaseException) -> str:
    """The first line of what the driver itself said."""
    original = getattr(error, "orig", None) or error.__cause__
    while original is not None and original is not error:
        error, original = original, getattr(original, "orig", None) or original.__cause__
    if isinstance(error, ConnectionRefusedError):
        return "nothing listens there (connection refused)"
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, OSError) and error.filename:
        return f"{error.strerror}: {error.filename}"
    said = str(getattr(error, "strerror", None) or error).strip().splitlines()
    return said[0].removeprefix("the database can't be reached: ") if said else type(error).__name__


def file_fault(file: Path) -> str:
    """Why a SQLite file can't be written where it is meant to be; empty when nothing is seen to be wrong."""
    folder = file.parent if str(file.parent) else Path()
    if not folder.is_dir():
        return f"there is no folder {folder}"
    if file.is_dir():
        return f"{file} is a folder"
    if not os.access(folder, os.W_OK | os.X_OK):
        return f"the folder {folder} can't be written (SQLite keeps its log beside the file)"
    if file.exists() and not os.access(file, os.R_OK | os.W_OK):
        return f"the file {file} can't be written"
    return ""

"""Whether a PostgreSQL server keeps what was promised: version, flushes, and that it takes writes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from app.cli.checks.finding import Finding, ok, wrong

ABOUT: Final = "database"
OLDEST: Final = 140_000
"""`server_version_num` of PostgreSQL 14."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What the server says of itself, in its own words."""

    version_num: int
    version: str
    synchronous_commit: str
    fsync: str
    full_page_writes: str
    standbys: str
    in_recovery: bool


async def gather(conn: Any) -> Facts:
    """Asks an open connection."""

    async def shown(name: str) -> str:
        return str((await conn.exec_driver_sql(f"SHOW {name}")).scalar())

    return Facts(
        int(await shown("server_version_num")),
        (await shown("server_version")).split(" ")[0],
        await shown("synchronous_commit"),
        await shown("fsync"),
        await shown("full_page_writes"),
        await shown("synchronous_standby_names"),
        bool((await conn.exec_driver_sql("SELECT pg_is_in_recovery()")).scalar()),
    )


def judge(facts: Facts) -> list[Finding]:
    """One line when all is well, one for each thing that is not."""
    found = []
    if facts.version_num < OLDEST:
        found.append(wrong(ABOUT, f"PostgreSQL is {facts.version}", "use PostgreSQL 14 or newer"))
    if facts.in_recovery:
        found.append(
            wrong(ABOUT, "this server is a standby and takes no writes", "point TOCSIN_DATABASE_URL at the primary")
        )
    if facts.synchronous_commit == "off":
        found.append(
            wrong(
                ABOUT,
                "synchronous_commit is off: a crash loses alerts that were answered 2xx",
                "set synchronous_commit=on for this role or database",
            )
        )
    for name, value in (("fsync", facts.fsync), ("full_page_writes", facts.full_page_writes)):
        if value == "off":
            found.append(
                wrong(
                    ABOUT, f"{name} is off: a power cut can destroy the database", f"set {name}=on in postgresql.conf"
                )
            )
    if found:
        return found
    copies = f"waits for {facts.standbys}" if facts.standbys else "no synchronous standby"
    return [
        ok(
            ABOUT,
            f"PostgreSQL {facts.version}: synchronous_commit {facts.synchronous_commit}, fsync on, full_page_writes on, {copies}",
        )
    ]

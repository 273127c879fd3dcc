"""Whether a SQLite file keeps what was promised: its settings, and the disk under it."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from app.cli.checks.finding import Finding, ok, warn, wrong
from app.cli.storage import file_fault

ABOUT: Final = "database"
OLDEST: Final = (3, 35, 0)
"""The first version with RETURNING."""
LITTLE_BYTES: Final = 1_000_000_000
HARDLY_ANY_BYTES: Final = 100_000_000

_NETWORK: Final = ("nfs", "cifs", "smb", "9p", "ceph", "afs", "lustre", "gluster", "sshfs", "s3fs", "rclone", "gcsfuse")
_GONE: Final = {"tmpfs": "memory", "ramfs": "memory", "overlay": "a container's own layer"}
_FULL: Final = 2
_OTHERS_READ: Final = 0o004


@dataclass(frozen=True, slots=True)
class Facts:
    """What was seen of an opened file."""

    file: Path
    version: tuple[int, ...]
    journal_mode: str
    synchronous: int
    file_system: str
    free_bytes: int
    mode: int = 0o600


def before_opening(file: Path) -> Finding | None:
    """Why the file is not even opened: it can't be, or it is not there yet and looking must not make it."""
    if fault := file_fault(file):
        return wrong(ABOUT, f"SQLite at {file} can't be used: {fault}", "set TOCSIN_DATABASE_URL to another place")
    if not file.exists():
        return warn(
            ABOUT, f"SQLite at {file}: there is no such file yet", "`tocsin serve` or `tocsin migrate` makes it"
        )
    return None


async def gather(conn: Any, file: Path) -> Facts:
    """Asks an open connection and the machine."""
    import sqlite3

    return Facts(
        file,
        sqlite3.sqlite_version_info,
        str((await conn.exec_driver_sql("PRAGMA journal_mode")).scalar()),
        int((await conn.exec_driver_sql("PRAGMA synchronous")).scalar()),
        file_system_of(file, _mounts()),
        shutil.disk_usage(file.parent).free,
        _mode(file),
    )


def judge(facts: Facts) -> list[Finding]:
    """One line when all is well, one for each thing that is not."""
    found = [*_settings(facts), *_disk(facts)]
    if any(finding.mark == "wrong" for finding in found):
        return found
    version = ".".join(map(str, facts.version))
    durable = f"SQLite {version} at {facts.file}: WAL, synchronous FULL, on {facts.file_system or 'a file system'}"
    return [ok(ABOUT, durable), *found]


def _settings(facts: Facts) -> list[Finding]:
    found = []
    if facts.version < OLDEST:
        found.append(wrong(ABOUT, f"SQLite is {'.'.join(map(str, facts.version))}", "use a Python with SQLite >= 3.35"))
    if facts.journal_mode != "wal":
        found.append(
            wrong(
                ABOUT,
                f"SQLite's journal mode is {facts.journal_mode}, not WAL: the file system under {facts.file} refused it",
                "put the file on a local disk",
            )
        )
    if facts.mode & _OTHERS_READ:
        found.append(
            warn(
                ABOUT,
                f"every user of this machine may read {facts.file}, and the secrets of your ways out are in it",
                f"chmod 600 {facts.file} {facts.file}-wal {facts.file}-shm",
            )
        )
    if facts.synchronous < _FULL:
        found.append(
            wrong(ABOUT, "SQLite's synchronous is not FULL: a power cut loses alerts", "report this: Tocsin sets FULL")
        )
    return found


def _disk(facts: Facts) -> list[Finding]:
    found = []
    kind = facts.file_system
    if any(word in kind for word in _NETWORK):
        found.append(
            wrong(
                ABOUT,
                f"{facts.file} is on a network file system ({kind}), where SQLite's locks do not hold",
                "put it on a local disk, or use PostgreSQL",
            )
        )
    if kind in _GONE:
        found.append(
            warn(
                ABOUT,
                f"{facts.file} is on {kind}: {_GONE[kind]}, gone at the next restart",
                "put it on a disk or a mounted volume",
            )
        )
    free = f"{facts.free_bytes / 1e9:.1f} GB free under {facts.file}"
    if facts.free_bytes < HARDLY_ANY_BYTES:
        found.append(wrong("disk", free, "make room: a full disk refuses every alert"))
    elif facts.free_bytes < LITTLE_BYTES:
        found.append(warn("disk", free, "make room soon: a full disk refuses every alert"))
    else:
        found.append(ok("disk", free))
    return found


def _mode(file: Path) -> int:
    return file.stat().st_mode


def _mounts() -> str:
    """The table of mounts; empty where there is none (not Linux)."""
    try:
        return Path("/proc/self/mounts").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def file_system_of(file: Path, mounts: str) -> str:
    """The kind of file system that a path is on: that of its longest mount point; empty when not known. Pure but for links."""
    path = str(file.resolve())
    best, kind = -1, ""
    for line in mounts.splitlines():
        fields = line.split(" ")
        if len(fields) < 3:
            continue
        point = fields[1].replace("\\040", " ").rstrip("/")
        if (path == point or path.startswith(f"{point}/")) and len(point) >= best:
            best, kind = len(point), fields[2]
    return kind

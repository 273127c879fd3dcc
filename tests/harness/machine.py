"""What only root may do to a machine: a room with a network of its own, and a disk that is small enough to fill."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

OUTSIDE = "10.213.77.1"
STORE = "10.213.77.3"
INSIDE = "10.213.77.2"
_NOWHERE = "02:00:00:00:00:01"


class NeedsRoot(Exception):
    """This fault can't be made by this user; the text says what to do."""


def require_root(what: str) -> None:
    """Raises NeedsRoot, which is a failure and never a skip."""
    if os.geteuid() != 0:
        raise NeedsRoot(f"{what} needs root: run it as root (sudo), or leave this fault out by naming the others")


def _run(*command: str) -> None:
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        raise NeedsRoot(f"{' '.join(command)} failed: {done.stderr.strip()}")


@dataclass(frozen=True)
class Room:
    """A network namespace, joined to the machine by one cable.

    The machine has two addresses on it: one leads to the database, the other to everything else.
    """

    name: str

    @property
    def inside(self) -> tuple[str, ...]:
        """What goes before a command that is to run in it."""
        return ("ip", "netns", "exec", self.name)

    def silence(self) -> None:
        """What the room sends to the database is lost on the way; nobody is told."""
        _run("ip", "-n", self.name, "neigh", "replace", STORE, "lladdr", _NOWHERE, "dev", "room", "nud", "permanent")

    def heal(self) -> None:
        """It arrives again."""
        _run("ip", "-n", self.name, "neigh", "del", STORE, "dev", "room")


@contextmanager
def room() -> Iterator[Room]:
    """A room for the length of the block. Raises NeedsRoot."""
    require_root("a network namespace")
    made = Room(f"tocsin-{os.getpid()}")
    cable = f"tocsin{os.getpid() % 100_000}"
    _run("ip", "netns", "add", made.name)
    try:
        _run("ip", "link", "add", cable, "type", "veth", "peer", "name", "room", "netns", made.name)
        for address in (OUTSIDE, STORE):
            _run("ip", "addr", "add", f"{address}/24", "dev", cable)
        _run("ip", "link", "set", cable, "up")
        _run("ip", "-n", made.name, "addr", "add", f"{INSIDE}/24", "dev", "room")
        for device in ("room", "lo"):
            _run("ip", "-n", made.name, "link", "set", device, "up")
        yield made
    finally:
        with suppress(NeedsRoot):
            _run("ip", "link", "del", cable)
        _run("ip", "netns", "del", made.name)


@contextmanager
def small_disk(at: Path, megabytes: int) -> Iterator[Path]:
    """A file system of its own, of this size, for the length of the block. Raises NeedsRoot."""
    require_root("a disk that can be filled")
    at.mkdir()
    _run("mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tocsin", str(at))
    try:
        yield at
    finally:
        _run("umount", "--lazy", str(at))


def fill(disk: Path) -> Path:
    """Takes all that is left of a disk; remove the file it answers to give it back."""
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as out, suppress(OSError):
        while True:
            out.write(b"\0" * 65_536)
    with ballast.open("ab", buffering=0) as out, suppress(OSError):
        while True:
            out.write(b"\0" * 512)
    return ballast

"""Plants each bug in a copy of the tree and runs what is to find it there; says what found it.

python3 dev.py planted                       # all of them
python3 dev.py planted --only lease hold     # those with one of these words in their names
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.planted.bugs import BUGS, Bug

ROOT = Path(__file__).resolve().parents[2]
DAYS = 100
"""Days of the simulator in which a bug is looked for."""
LONGEST_S = 900
_COPIED = ("app", "tests", "pyproject.toml")


@dataclass(frozen=True, slots=True)
class Found:
    """What came of one bug: by what it was found; empty when it survived."""

    bug: Bug
    by: str
    took_s: float


def plant(bug: Bug, tree: Path) -> None:
    """Puts the bug into a tree. Raises ValueError where its place is not there, or not once."""
    file = tree / bug.file
    text = file.read_text()
    if text.count(bug.old) != 1:
        raise ValueError(f"{bug.name}: what it changes stands {text.count(bug.old)} times in {bug.file}")
    file.write_text(text.replace(bug.old, bug.new))


def _copy(tree: Path) -> None:
    for name in _COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, tree / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, tree / name)


def _command(bug: Bug, days: int) -> list[str]:
    if bug.tests:
        return [
            "-m",
            "pytest",
            "-q",
            "-x",
            "-n0",
            "-p",
            "no:cacheprovider",
            "--no-header",
            "-k",
            "not postgresql",
            *bug.tests,
        ]
    return ["-m", "tests.sim", "--seeds", str(days), "--jobs", "1", "--shrink", "0"]


def look_for(bug: Bug, days: int = DAYS) -> Found:
    """Plants one bug in a copy of its own and runs what is to find it."""
    began = time.monotonic()
    with TemporaryDirectory(prefix="tocsin-planted-") as folder:
        tree = Path(folder)
        _copy(tree)
        plant(bug, tree)
        ran = subprocess.run(
            [sys.executable, *_command(bug, days)],
            cwd=tree,
            env={**os.environ, "PYTHONPATH": str(tree)},
            capture_output=True,
            text=True,
            timeout=LONGEST_S,
            check=False,
        )
    return Found(bug, _found_by(bug, ran), time.monotonic() - began)


def _found_by(bug: Bug, ran: subprocess.CompletedProcess[str]) -> str:
    """The line that tells what was found; a run that ended in another way found nothing, and says so."""
    start = "FAILED " if bug.tests else "seed "
    told = [line for line in ran.stdout.splitlines() if line.startswith(start)]
    if ran.returncode == 1 and told:
        return told[0]
    if ran.returncode != 0:
        raise RuntimeError(
            f"{bug.name}: what was to find it could not be run\n{ran.stdout[-2_000:]}{ran.stderr[-2_000:]}"
        )
    return ""


def main(argv: Sequence[str]) -> int:
    """What to plant, from the command line; answers the exit code: 0 when none survived."""
    parser = argparse.ArgumentParser(
        prog="planted", description="Bugs that are planted, to see that the tests find them."
    )
    parser.add_argument("--only", nargs="*", default=[], help="words of the names of some")
    parser.add_argument("--days", type=int, default=DAYS, help=f"days of the simulator for each ({DAYS})")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="how many at once (one a processor)")
    asked = parser.parse_args(argv)
    chosen = [bug for bug in BUGS if not asked.only or any(word in bug.name for word in asked.only)]
    survived = 0
    with ThreadPoolExecutor(asked.jobs) as hands:
        for found in hands.map(partial(look_for, days=asked.days), chosen):
            survived += not found.by
            print(
                f"{'caught' if found.by else 'SURVIVED'}  {found.bug.name} ({found.took_s:.0f} s)  {found.by[:200]}",
                flush=True,
            )
    print(f"{len(chosen) - survived} of {len(chosen)} were caught")
    return 1 if survived else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

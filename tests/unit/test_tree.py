"""The tree keeps the rules that no linter knows, and the documents that describe it stay true."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest

from app.incidents.states import STATES, Move, after

ROOT = Path(__file__).resolve().parents[2]
APP = ROOT / "app"
FILES = sorted(APP.rglob("*.py"))
FORBIDDEN_NAMES = {"utils", "util", "helpers", "common", "manager", "service_layer", "misc", "base", "models"}
MARKS = re.compile(r"\b(T[O]DO|F[I]XME|X[X]X|H[A]CK)\b")
CLOCKS = re.compile(
    r"datetime\.(now|utcnow)\(|\btime\.(time|monotonic|time_ns|sleep)\(|\bsecrets\.\w+\(|\brandom\.(random|choice|randint|Random)\(|uuid4\("
)


def _named(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", FILES, ids=_named)
def test_a_module_says_what_it_does(path: Path) -> None:
    assert ast.get_docstring(ast.parse(path.read_text())), f"{_named(path)} has no docstring"


@pytest.mark.parametrize("path", FILES, ids=_named)
def test_no_module_reads_clock_or_chance_by_itself(path: Path) -> None:
    """Only app/clock.py and app/ids.py may; the demonstration waits for a person in real time."""
    if path in (APP / "clock.py", APP / "ids.py") or APP / "cli" in path.parents:
        return
    found = [line for line in path.read_text().splitlines() if CLOCKS.search(line)]
    assert not found


@pytest.mark.parametrize("path", FILES, ids=_named)
def test_a_module_has_a_name_of_the_trade_and_nothing_unfinished(path: Path) -> None:
    assert path.stem not in FORBIDDEN_NAMES
    assert not MARKS.search(path.read_text())


def _late_imports(tree: ast.AST) -> Iterator[int]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield from (inner.lineno for inner in ast.walk(node) if isinstance(inner, ast.Import | ast.ImportFrom))


LATE = (APP / "store" / "opening.py", APP / "store" / "migrate.py")
"""Load what this start turns out to need, before anything is served (decision 0017)."""


@pytest.mark.parametrize(
    "path", [one for one in FILES if APP / "cli" not in one.parents and one not in LATE], ids=_named
)
def test_only_the_command_line_imports_late(path: Path) -> None:
    """An import inside a function to dodge a cycle means that something lies in the wrong folder."""
    assert list(_late_imports(ast.parse(path.read_text()))) == []


def test_the_map_names_every_place_and_no_other() -> None:
    text = (ROOT / "docs" / "ARCHITECTURE.md").read_text()
    places = {
        f"app/{path.name}" for path in APP.iterdir() if path.name not in ("__init__.py", "__main__.py", "__pycache__")
    }
    missing = [place for place in places if f"`{place}`" not in text]
    gone = [name for name in re.findall(r"`((?:app|tests|bench|docs)/[\w./-]+)`", text) if not (ROOT / name).exists()]
    assert (missing, gone) == ([], [])


def test_the_table_of_states_is_the_one_of_the_code() -> None:
    text = (ROOT / "docs" / "ARCHITECTURE.md").read_text()
    for state in STATES:
        row = next(line for line in text.splitlines() if line.startswith("| ") and state in line.split("|")[1])
        for move in get_args(Move):
            assert bool(re.search(rf"\b{move}\b", row.split("|")[2])) == (after(state, move) is not None), (state, move)


def test_documents_link_only_to_what_exists() -> None:
    broken = [
        f"{_named(path)}: {target}"
        for path in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
        for target in re.findall(r"\]\((?!https?://|#|mailto:)([^)#\s]+)", path.read_text())
        if not (path.parent / target).exists()
    ]
    assert broken == []

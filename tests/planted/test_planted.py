"""The planted bugs stay what they are: each can still be planted, and what is planted is found (docs/reliability.md).

All of them take minutes: `make planted`. Here one is, so that the way itself is known to work.
"""

from __future__ import annotations

import ast
import shutil
from collections import Counter
from pathlib import Path

import pytest

from tests.planted.bugs import BUGS, Bug
from tests.planted.planting import ROOT, look_for, plant


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_a_bug_can_still_be_planted(bug: Bug, tmp_path: Path) -> None:
    """Where it can't, the code has moved on: move the bug to where its guard is now."""
    copy = tmp_path / bug.file
    copy.parent.mkdir(parents=True)
    shutil.copy(ROOT / bug.file, copy)
    plant(bug, tmp_path)
    before, after = (ROOT / bug.file).read_text(), copy.read_text()
    assert ast.dump(ast.parse(after)) != ast.dump(ast.parse(before)), "this bug changes nothing"
    assert all((ROOT / test).is_file() for test in bug.tests)


def test_there_are_enough_and_each_has_a_name_of_its_own() -> None:
    assert len(BUGS) >= 25
    assert [name for name, many in Counter(bug.name for bug in BUGS).items() if many > 1] == []


def test_a_planted_bug_is_found() -> None:
    (bug,) = [bug for bug in BUGS if bug.name == "a failed commit is answered well"]
    assert look_for(bug, days=20).by.startswith("seed ")

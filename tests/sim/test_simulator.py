"""Three hundred days in which everything goes wrong, and not one rule is broken.

Each seed is a day: people, schedules, policies, a stream of alerts, and the faults of tests/sim/faults.py, told to the
real code on virtual time (docs/reliability.md). TEST_SIM_SEEDS sets how many; `make sim SEEDS=10000` runs more.
A failure says its seed, the command that tells it again, and the fewest steps that break the same rule.
"""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from tests.sim.play import play, play_seed
from tests.sim.script import Script, Step
from tests.sim.shrink import only, report, shrink

SEEDS = int(os.environ.get("TEST_SIM_SEEDS", "300"))
SHARE = 10
"""Days of one test, so that the processes of the test run share them."""
SAME = (1, 8)
"""Days of which it is shown that they are the same in every process."""
ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.timeout(600)
@pytest.mark.parametrize("first", range(0, SEEDS, SHARE))
def test_no_rule_is_broken_whatever_goes_wrong(first: int) -> None:
    for seed in range(first, min(SEEDS, first + SHARE)):
        result = play_seed(seed)
        if result.broken:
            pytest.fail(report(result.script, result, most_runs=60), pytrace=False)


def test_a_seed_is_the_same_run_in_every_process() -> None:
    """To the last line and the last row of every table, whatever ran before and however Python hashes (T46)."""
    command = f"from tests.sim.play import play_seed; print([play_seed(seed).digest for seed in {SAME}])"
    started = [
        subprocess.Popen(
            [sys.executable, "-c", command],
            cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": hashing, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            text=True,
        )
        for hashing in ("1", "2")
    ]
    here = str([play_seed(seed).digest for seed in reversed(SAME)][::-1])
    assert {process.communicate(timeout=120)[0].strip() for process in started} == {here}


def test_a_day_is_a_day_in_which_things_happen() -> None:
    """No rule is broken where nothing happens: ten days have enough of everything that the rules are about."""
    results = [play_seed(seed) for seed in range(10)]
    facts = {name: sum(result.facts[name] for result in results) for name in results[0].facts}
    least = {
        "virtual_h": 240, "incidents": 120, "pages": 600, "attempts": 400, "unknown": 10, "starts": 40, "struck": 80,
    }  # fmt: skip
    assert {name: facts[name] for name, many in least.items() if facts[name] < many} == {}


QUIET = Script(
    seed=1,
    replicas=1,
    documents=(
        (
            "person",
            {
                "name": "person 0",
                "contact_methods": [{"id": "m0", "kind": "push", "label": "push", "address": {"to": "person-0-push"}}],
            },
        ),
        (
            "policy",
            {
                "name": "policy 0",
                "levels": [{"targets": [{"kind": "person", "id": "@person:0"}], "delay_s": 600}] * 2,
                "repeat": 0,
            },
        ),
        ("service", {"name": "service 0", "policy_id": "@policy:0"}),
        ("integration", {"name": "sender 0", "kind": "alertmanager", "service_id": "@service:0", "settings": {}}),
    ),
    steps=(Step(100.0, "post", (0, (("p0", 100.0, "firing", None, "critical", ""),))),),
    features=("nobody answers",),
)
"""One alert, two levels, and nobody who answers."""


def _vandal(at: float, sql: str) -> Script:
    """The quiet day, and somebody who writes into the database behind everybody's back."""
    return replace(QUIET, steps=(*QUIET.steps, Step(at, "vandal", (sql,))))


def test_a_quiet_day_breaks_no_rule() -> None:
    result = play(QUIET)
    assert result.broken is None, result.told
    assert result.facts["attempts"] == 2


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("DELETE FROM jobs WHERE kind = 'escalate'", "nothing will escalate it"),
        ("UPDATE incidents SET epoch = epoch + 1", "nothing will escalate it"),
        ("UPDATE incidents SET state = 'acknowledged'", "its timeline says triggered"),
        ("UPDATE incidents SET open_alerts = 0", "counts 0 open alerts; there are 1"),
        ("UPDATE alerts SET resolved_at = 1", "counts 1 open alerts; there are 0"),
        ("UPDATE pages SET state = 'failed'", "was the last hope of its level"),
        ("UPDATE pages SET state = 'not_needed'", "was sent and is not_needed"),
        ("UPDATE pages SET number = 3", "has 2 pages, numbered up to 3"),
    ],
)
def test_the_rules_see_what_is_wrong(sql: str, said: str) -> None:
    """Each rule is broken by hand once, so that a rule that sees nothing is seen."""
    assert said in (play(_vandal(200.0, sql)).broken or "nothing")


def test_a_failure_is_told_with_the_steps_that_matter_and_the_way_to_see_it_again() -> None:
    others = [Step(10.0 * n, "post", (0, ((f"p{n}", 10.0 * n, "firing", None, "none", ""),))) for n in range(1, 30)]
    broken = replace(_vandal(200.5, "UPDATE incidents SET open_alerts = 77"), seed=12)
    broken = replace(broken, steps=tuple(sorted((*broken.steps, *others), key=lambda step: step.at)))
    result = play(broken)
    assert result.broken is not None
    kept, small = shrink(broken, result.broken)
    assert "counts 77 open alerts" in (small.broken or "")
    assert [broken.steps[place].what for place in kept] == ["post", "vandal"]
    assert play(only(broken, kept)).digest == small.digest
    said = report(broken, result, most_runs=5)
    assert "python3 dev.py sim --seed 12 --verbose" in said

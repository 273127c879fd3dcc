"""From a run that broke a rule to the few steps that break it: leave steps out as long as a rule is still broken.

Halves first, then smaller and smaller pieces, then one by one (A. Zeller, Delta debugging). Chance in a run hangs on names
and not on order, so most of what is left still does what it did; where it does not, that piece is kept.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

from tests.sim.play import Result, play
from tests.sim.script import Script

MOST_RUNS = 150


def kind_of(sentence: str | None) -> str:
    """A broken rule without its numbers: what makes two failures the same."""
    return re.sub(r"\d[\d.]*", "N", sentence or "").split(" (")[0][:60]


def only(script: Script, places: tuple[int, ...]) -> Script:
    """The script with these of its steps, by their place."""
    return replace(script, steps=tuple(script.steps[place] for place in places))


def shrink(
    script: Script, broken: str, *, most_runs: int = MOST_RUNS, say: Callable[[str], None] = lambda _: None
) -> tuple[tuple[int, ...], Result]:
    """The places of the steps that are enough to break the same rule, and the run of only those."""
    wanted = kind_of(broken)
    kept = tuple(range(len(script.steps)))
    best = play(script)
    pieces, runs = 2, 1
    while len(kept) > 1 and runs < most_runs:
        size = max(1, len(kept) // pieces)
        for start in range(0, len(kept), size):
            tried = kept[:start] + kept[start + size :]
            runs += 1
            result = play(only(script, tried))
            if kind_of(result.broken) == wanted:
                kept, best = tried, result
                say(f"{len(kept)} steps are enough")
                break
            if runs >= most_runs:
                break
        else:
            if size == 1:
                break
            pieces *= 2
            continue
        pieces = max(2, pieces - 1)
    return kept, best


def report(script: Script, result: Result, *, most_runs: int = MOST_RUNS) -> str:
    """All that somebody needs who wants to understand a failure: the seed, the way to see it again, the smallest run."""
    assert result.broken is not None
    kept, small = shrink(script, result.broken, most_runs=most_runs)
    steps = "\n".join(f"  {script.steps[place]}" for place in kept)
    command = f"python3 dev.py sim --seed {script.seed} --verbose"
    shorter = ",".join(map(str, kept))
    return (
        f"seed {script.seed} broke a rule: {result.broken}\n\n"
        f"see it again:        {command}\n"
        f"{len(kept)} of {len(script.steps)} steps:  {command} --only {shorter}\n\n"
        f"{steps}\n\nthe end of that run ({small.broken}):\n{small.told}\n"
    )

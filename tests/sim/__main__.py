"""Runs the simulator from a terminal: many seeds in search of a fault, or one of them again.

python3 dev.py sim --seeds 1000            # the seeds 0 to 999, on all processors
python3 dev.py sim --seed 123 --verbose    # one of them, told line by line
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from multiprocessing import get_context

from tests.sim.play import Result, play, play_seed
from tests.sim.script import Script
from tests.sim.seeds import write
from tests.sim.shrink import MOST_RUNS, only, report

MOST_TOLD = 3
"""Failures that are shrunk and told in full; of more, the seeds."""


def _results(seeds: Iterable[int], jobs: int) -> Iterator[Result]:
    if jobs == 1:
        yield from map(play_seed, seeds)
        return
    with get_context("spawn").Pool(jobs) as pool:
        yield from pool.imap_unordered(play_seed, seeds)


def _many(first: int, many: int, jobs: int, shrink: int, *, keep_on: bool) -> int:
    began = time.monotonic()
    facts: Counter[str] = Counter()
    failed: list[Result] = []
    done = 0
    for result in _results(range(first, first + many), jobs):
        done += 1
        facts.update(result.facts)
        if result.broken:
            failed.append(result)
            print(f"seed {result.script.seed}: {result.broken}", flush=True)
            if not keep_on:
                break
    took_s, cpu_s = time.monotonic() - began, sum(os.times()[:4])
    print(
        f"{done} runs, {facts['virtual_h']} virtual hours in {took_s:.0f} s ({cpu_s:.0f} s of processors); "
        f"{len(failed)} broke a rule"
    )
    print("; ".join(f"{name} {number}" for name, number in facts.items()))
    for result in failed[: MOST_TOLD if shrink else 0]:
        print("\n" + report(result.script, result, most_runs=shrink))
    return 1 if failed else 0


def _again(script: Script, shrink: int, *, verbose: bool) -> int:
    result = play(script, keep=None)
    if verbose:
        print("\n".join(map(str, script.steps)))
        print("\n".join(result.lines))
    print(f"seed {script.seed}: {result.broken or 'no rule was broken'}\ndigest {result.digest}\n{result.facts}")
    if result.broken and shrink:
        print("\n" + report(script, result, most_runs=shrink))
    return 1 if result.broken else 0


def main(argv: list[str]) -> int:
    """What to run, from the command line; answers the exit code."""
    parser = argparse.ArgumentParser(prog="sim", description="Simulated days of Tocsin, with everything going wrong.")
    parser.add_argument("--seeds", type=int, default=300, help="how many days (300)")
    parser.add_argument("--from", type=int, default=0, dest="first", help="the first seed (0)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes (one a processor)")
    parser.add_argument("--keep-on", action="store_true", help="do not end at the first failure")
    parser.add_argument("--seed", type=int, help="run this one only")
    parser.add_argument("--only", default="", help="of that seed only these steps, by number: 3,17,22")
    parser.add_argument("--verbose", action="store_true", help="tell everything that happens")
    parser.add_argument(
        "--shrink", type=int, default=MOST_RUNS, help=f"runs to find the steps that are enough ({MOST_RUNS})"
    )
    asked = parser.parse_args(argv)
    if asked.seed is None:
        return _many(asked.first, asked.seeds, asked.jobs, asked.shrink, keep_on=asked.keep_on)
    script = write(asked.seed)
    if asked.only:
        script = only(script, tuple(int(place) for place in asked.only.split(",")))
    return _again(script, asked.shrink, verbose=asked.verbose)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""What goes wrong in a run: written by seed, as steps like everything else.

A death is armed: the process dies so many effects (instants before and after a commit or a send) after it. So it hits
what the process is doing then, and not the quiet between.
"""

from __future__ import annotations

from tests.sim.providers import KINDS, WEATHERS
from tests.sim.script import Draft

FEATURES = ("replicas", "deaths", "drains", "stalls", "statements", "commits", "outages", "weather", "jumps")
HOUR_S = 3_600.0
LEASE_S = 30.0
END_S = 24 * HOUR_S - 1_800
"""Nothing goes wrong in the last half hour: then all has to come in order."""


def write(draft: Draft) -> None:
    """Adds the faults of the features that the draft has."""
    writers = {
        "deaths": _deaths,
        "drains": _drains,
        "stalls": _stalls,
        "statements": _statements,
        "commits": _commits,
        "outages": _outages,
        "weather": _weather,
        "jumps": _jumps,
    }
    moments = [step.at for step in draft.steps if step.what in ("post", "act")] or [0.0]
    for feature, writer in writers.items():
        if draft.has(feature):
            writer(draft, moments)


def _moment(draft: Draft, moments: list[float]) -> float:
    """Mostly when something has just happened, so that it hits something."""
    chance = draft.chance
    if chance.random() < 0.8:
        return float(min(END_S, chance.choice(moments) + chance.choice((0, 0, 0.2, 1, 60, 300)) * chance.random()))
    return float(chance.uniform(0, END_S))


def _slot(draft: Draft) -> int:
    return int(draft.chance.randrange(2 if draft.has("replicas") else 1))


def _deaths(draft: Draft, moments: list[float]) -> None:
    chance = draft.chance
    for _ in range(chance.randint(2, 10)):
        pause_s = chance.choice((0.1, 2, 20, 60, 600)) * chance.uniform(0.5, 1.5)
        draft.add(
            _moment(draft, moments), "death", _slot(draft), chance.choice((0, 1, 2, 3, 5, 8, 13)), round(pause_s, 3)
        )


def _drains(draft: Draft, moments: list[float]) -> None:
    chance = draft.chance
    for _ in range(chance.randint(1, 4)):
        draft.add(
            _moment(draft, moments), "drain", _slot(draft), round(chance.choice((0.1, 5, 60)) * chance.random(), 3)
        )


def _stalls(draft: Draft, moments: list[float]) -> None:
    """Armed like deaths; many last about as long as a lease, because then two believe that a job is theirs."""
    chance = draft.chance
    for _ in range(chance.randint(3, 12)):
        for_s = chance.choice((0.5, 5, 14, 33, 37, 60, 600, LEASE_S, LEASE_S, LEASE_S)) + 0.6 * chance.random()
        effects = chance.randrange(chance.choice((13, 80)))
        draft.add(_moment(draft, moments), "stall", _slot(draft), effects, round(for_s, 3))


def _statements(draft: Draft, moments: list[float]) -> None:
    chance = draft.chance
    for _ in range(chance.randint(3, 15)):
        draft.add(_moment(draft, moments), "arm", chance.choice(("statement", "locked")), int(chance.expovariate(0.05)))


def _commits(draft: Draft, moments: list[float]) -> None:
    chance = draft.chance
    for _ in range(chance.randint(3, 15)):
        draft.add(
            _moment(draft, moments), "arm", chance.choice(("refused", "answer lost")), chance.choice((0, 0, 1, 2, 4))
        )


def _outages(draft: Draft, moments: list[float]) -> None:
    chance = draft.chance
    for _ in range(chance.randint(1, 4)):
        for_s = chance.choice((1, 10, 60, 300)) * chance.uniform(0.5, 1.5)
        if chance.random() < 0.5:
            draft.add(_moment(draft, moments), "outage", round(for_s, 3), chance.random() < 0.4)
        else:
            draft.add(_moment(draft, moments), "flaky", round(for_s * 5, 3), chance.choice((0.05, 0.2, 0.5)))


def _weather(draft: Draft, moments: list[float]) -> None:
    chance = draft.chance
    for _ in range(chance.randint(6, 16)):
        for_s = chance.choice((30, 300, 1_800, 7_200)) * chance.uniform(0.5, 1.5)
        share = chance.choice((0.2, 0.6, 1.0))
        draft.add(
            _moment(draft, moments), "weather", chance.choice(KINDS), chance.choice(WEATHERS), share, round(for_s, 1)
        )


def _jumps(draft: Draft, moments: list[float]) -> None:
    chance = draft.chance
    for _ in range(chance.randint(1, 2)):
        at = _moment(draft, moments)
        by_s = chance.choice((1, 60, 1_800, 3_600)) * chance.choice((1, -1))
        draft.add(at, "jump", by_s)
        draft.add(min(END_S, at + chance.choice((300, 7_200))), "jump", -by_s)

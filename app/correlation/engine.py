"""The decision at an alert's arrival: which incident, which merge, and why. Deterministic; knows no database.

    placement = decide(state, facets, scope, now, new_id)     # answers, and remembers what it answered

Same memberships in the same order, same answers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from app.clock import Micros
from app.correlation import weights
from app.correlation.echo import Echo, Said, known_of
from app.correlation.entities import Facets
from app.correlation.graph import NO_GRAPH, Graph
from app.correlation.live import Live
from app.correlation.score import Evidence, Match, matches
from app.correlation.state import Seen, State

URGENT = 2
PINNED = "a person said that this alert belongs here"
TOP = 3
"""Pieces of evidence that are stored with a membership."""


NewId = Callable[[], int]


class Merge(NamedTuple):
    """Two young incidents are one."""

    into: int
    gone: int
    sentence: str


class Placement(NamedTuple):
    """Where an alert belongs."""

    incident_id: int
    opened: bool
    name: str
    """The strongest evidence, as a name for machines."""
    sentence: str
    score: float
    components: int
    """How many different things have failed in the incident now."""
    merges: tuple[Merge, ...] = ()


def decide(
    state: State,
    facets: Facets,
    scope: int,
    now: Micros,
    new_id: NewId,
    *,
    graph: Graph = NO_GRAPH,
    old_news: bool = False,
    echo: Echo | None = None,
) -> Placement:
    """Places one alert, and remembers it. `scope`: only incidents of the same scope (whose pages go to the same people).

    `echo`: of the alerts placed before it at the same instant, with nothing else in between.
    """
    echo = echo or Echo()
    state.prune(now)
    seen = state.see(facets)
    pinned = state.live.get(state.pins.get(facets.key, 0))
    if pinned is not None and pinned.scope == scope:
        _join(state, pinned, seen, now)
        echo.keep(None, pinned.id)
        return Placement(pinned.id, False, "pinned", PINNED, 1.0, len(pinned.components))
    known = known_of(state, seen, scope, old_news=old_news)
    said = echo.get(known, state.live) or _weighed(state, seen, scope, now, graph, old_news=old_news)
    if isinstance(said, str):
        live = _join(state, state.open(new_id(), scope, now), seen, now)
        echo.keep(None, live.id)
        return Placement(live.id, True, "first", said, 0.0, 1)
    live = _join(state, state.live[said.incident_id], seen, now)
    echo.keep(known, live.id, said)
    merges = _merges(state, live, said.others, now) if said.others and not old_news else ()
    kept = state.live[merges[-1].into] if merges else live
    return Placement(kept.id, False, said.name, said.sentence, said.score, len(kept.components), merges)


def _join(state: State, live: Live, seen: Seen, now: Micros) -> Live:
    state.add(live, seen, now)
    state.count(seen, now)
    return live


def _weighed(state: State, seen: Seen, scope: int, now: Micros, graph: Graph, *, old_news: bool) -> Said | str:
    """Why an alert joins an incident, or why it opens one."""
    rated = matches(state, seen, scope, now, graph)
    factor = weights.OLD_NEWS_FACTOR if old_news else 1.0
    if not rated or rated[0].score * factor < weights.ENOUGH:
        return _alone(rated, factor)
    best, *others = rated
    evidence = best.evidence
    return Said(best.incident_id, best.score, evidence[0].name, sentence(best.score, evidence), others)


def foresee(state: State, facets: Facets, scope: int, now: Micros, *, graph: Graph = NO_GRAPH) -> Match | None:
    """The incident an alert would join, if it came now; changes nothing that counts."""
    pinned = state.live.get(state.pins.get(facets.key, 0))
    if pinned is not None and pinned.scope == scope:
        return Match(pinned.id, 1.0, (Evidence(1.0, "pinned", PINNED),))
    rated = matches(state, state.see(facets), scope, now, graph)
    return rated[0] if rated and rated[0].score >= weights.ENOUGH else None


def sentence(score: float, evidence: Sequence[Evidence]) -> str:
    """The top reasons, in one sentence."""
    return f"{score:.2f}: {'; '.join([piece.sentence for piece in evidence[:TOP]])}"


def _alone(rated: list[Match], factor: float) -> str:
    if not rated:
        return "nothing that is open has anything in common with it"
    nearest = rated[0]
    return (
        f"nothing is near enough: the nearest incident has {nearest.score * factor:.2f} of {weights.ENOUGH:.2f} "
        f"({nearest.evidence[0].sentence})"
    )


def _merges(state: State, live: Live, others: list[Match], now: Micros) -> tuple[Merge, ...]:
    made: list[Merge] = []
    for match in others:
        other = state.live.get(match.incident_id)
        if other is None or match.score < weights.STRONG or not _young(live, other, now):
            continue
        ties = live.ties[other.id] = other.ties[live.id] = live.ties.get(other.id, 0) + 1
        smaller = min(live.alerts, other.alerts)
        needed = 1 if smaller <= weights.TIES_SMALL else min(weights.TIES, max(2, weights.TIES_SHARE * smaller))
        if ties >= needed:
            into, gone = sorted((live, other), key=_seniority)
            state.merge(into, gone)
            made.append(Merge(into.id, gone.id, f"{ties} alerts tie them: {sentence(match.score, match.evidence)}"))
            live = into
    return tuple(made)


def _seniority(live: Live) -> tuple[bool, Micros, int]:
    """Of two incidents the first stays: an urgent one, somebody may have been told of it; else the older."""
    return (live.severity < URGENT, live.opened_at, live.id)


def _young(one: Live, other: Live, now: Micros) -> bool:
    return (
        now - one.opened_at <= weights.YOUNG
        and now - other.opened_at <= weights.YOUNG
        and not (one.sealed or other.sealed or other.id in one.apart)
    )


def recall(
    state: State,
    facets: Facets,
    incident_id: int,
    scope: int,
    at: Micros,
    merges: Iterable[tuple[int, int]],
) -> None:
    """Remembers a placement that was decided elsewhere or before. `incident_id` is the one that remained."""
    state.prune(at)
    seen = state.see(facets)
    for into, gone in merges:
        if (kept := state.live.get(into)) and (other := state.live.get(gone)):
            state.merge(kept, other)
    _join(state, state.live.get(incident_id) or state.open(incident_id, scope, at), seen, at)

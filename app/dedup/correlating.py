"""The deed of correlation: the engine's decisions about new alerts, made under its lock and written with their reasons.

Knows no evidence: what speaks for what is app/correlation's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import nullcontext

from sqlalchemy import text

from app.clock import Micros
from app.correlation import engine, entities
from app.correlation.echo import Echo
from app.correlation.engine import Merge, Placement
from app.correlation.entities import Facets
from app.correlation.state import State
from app.dedup import joining, memory
from app.dedup.directory import Directory, View
from app.dedup.memory import Memory, Pending
from app.dedup.work import NewId, Waiting, Work
from app.incidents import ledger
from app.incidents.corrections import COUNTER
from app.incidents.incident import Incident, merge, raise_severity
from app.incidents.states import OPEN_STATES
from app.store import counters
from app.store.database import Reading, Writing

ROUNDS = 4
"""How often an alert is placed again because a person ended the incident it was to join."""


async def place(
    tx: Writing, work: Work, directory: Directory, waiting: Sequence[Waiting], loaded: dict[int, Incident]
) -> list[Incident]:
    """Places alerts by evidence; answers the incidents that are new. `loaded` is added to, for the caller to save."""
    remembered = directory.memory
    first = await counters.take(tx, COUNTER, len(waiting))
    # On SQLite nothing waits in here, and a dry run reads in another thread; on PostgreSQL all is one thread.
    with nullcontext() if tx.postgres else remembered.lock:
        await remembered.catch_up(tx, first)
        return await _place(tx, work, directory.view, remembered, waiting, loaded, first)


async def _place(
    tx: Writing,
    work: Work,
    view: View,
    remembered: Memory,
    waiting: Sequence[Waiting],
    loaded: dict[int, Incident],
    first: int,
) -> list[Incident]:
    new: dict[int, Incident] = {}
    rows: list[tuple[int, Micros, int, int, str]] = []
    left = [(one, facets_of(one, view)) for one in waiting]
    for _ in range(ROUNDS):
        echo = Echo()
        decided = [(one, said, _decide(remembered, view, one, said, work.now, tx.new_id, echo)) for one, said in left]
        loaded |= await ledger.load(tx, _concerned(decided) - loaded.keys() - new.keys(), lock=True)
        left = []
        for one, said, placement in decided:
            if placement.opened:
                opens = placement.incident_id
                new[opens] = joining.open_for(work, one, opens, placement.sentence)
            elif incident := _may_take(placement, loaded, new):
                for made in placement.merges:
                    await _merge(tx, work, made, loaded, new)
                joining.join(work, incident, one, placement.name, placement.sentence, placement.components)
            else:
                remembered.state.drop(placement.incident_id)
                left.append((one, said))
                continue
            body = memory.body_of(one.inlet.scope, said, placement.merges)
            rows.append((first + len(rows), work.now, placement.incident_id, one.row["id"], body))
        if not left:
            break
    else:
        raise AssertionError("an alert found no place: the engine offers incidents that were taken from it")
    await memory.write(tx, rows)
    remembered.placed(
        Pending(
            position=rows[-1][0],
            alert_id=rows[-1][3],
            opened=frozenset(new),
            before=first - 1,
            merged=bool(work.moved),
        )
    )
    loaded |= new
    return list(new.values())


async def foresee(
    view: Reading,
    work: Work,
    directory: Directory,
    waiting: Sequence[Waiting],
    loaded: dict[int, Incident],
    new_id: NewId,
) -> list[Incident]:
    """What `place` would do, without doing it: for a dry run. Merges are not foreseen."""
    remembered, config = directory.memory, directory.view
    scratch = State()
    said = [(one, facets_of(one, config)) for one in waiting]
    with nullcontext() if view.postgres else remembered.lock:
        await remembered.look(view)
        near = [
            engine.foresee(remembered.state, facets, one.inlet.scope, work.now, graph=config.graph)
            for one, facets in said
        ]
    loaded |= await ledger.load(view, {match.incident_id for match in near if match} - set(loaded))
    new: dict[int, Incident] = {}
    joined: dict[int, int] = {}
    for (one, facets), match in zip(said, near, strict=True):
        among = engine.decide(scratch, facets, one.inlet.scope, work.now, new_id, graph=config.graph)
        best = match if match and attracts(loaded[match.incident_id]) else None
        if best and (among.opened or best.score >= among.score):
            evidence = best.evidence
            because = engine.sentence(best.score, evidence)
            joining.join(work, loaded[best.incident_id], one, evidence[0].name, because)
            joined[among.incident_id] = best.incident_id
        elif among.opened:
            new[among.incident_id] = joining.open_for(work, one, among.incident_id, among.sentence)
        else:
            incident_id = joined.get(among.incident_id, among.incident_id)
            incident = new.get(incident_id) or loaded[incident_id]
            joining.join(work, incident, one, among.name, among.sentence, among.components)
    loaded |= new
    return list(new.values())


def facets_of(one: Waiting, view: View) -> Facets:
    """What the engine reads of an alert."""
    digest = one.item.key_digest.hex()
    return entities.facets(one.item.event, digest, one.inlet.name, one.inlet.service_name, view.aliases)


def _decide(
    remembered: Memory, view: View, one: Waiting, said: Facets, now: Micros, new_id: NewId, echo: Echo
) -> Placement:
    return engine.decide(
        remembered.state, said, one.inlet.scope, now, new_id, graph=view.graph, old_news=one.is_old_news(now), echo=echo
    )


def _concerned(decided: Iterable[tuple[Waiting, Facets, Placement]]) -> set[int]:
    """The incidents that placements speak of and do not open."""
    wanted = set()
    for _, _, placement in decided:
        if not placement.opened:
            wanted.add(placement.incident_id)
        for merged in placement.merges:
            wanted |= {merged.into, merged.gone}
    return wanted


def _may_take(placement: Placement, loaded: Mapping[int, Incident], new: Mapping[int, Incident]) -> Incident | None:
    """The incident an alert is to join, if it may be joined: it is open, or recovered by itself."""
    incident = new.get(placement.incident_id) or loaded.get(placement.incident_id)
    if incident is None or not attracts(incident) or (incident.pinned and placement.name != "pinned"):
        return None
    return incident


def attracts(incident: Incident) -> bool:
    """Whether an incident may take alerts: one that a person ended is over."""
    return incident.state in OPEN_STATES or (incident.state == "resolved" and incident.resolution == "recovered")


async def _merge(
    tx: Writing, work: Work, made: Merge, loaded: Mapping[int, Incident], new: Mapping[int, Incident]
) -> None:
    into = new.get(made.into) or loaded.get(made.into)
    gone = new.get(made.gone) or loaded.get(made.gone)
    if into is None or gone is None or not attracts(into) or not attracts(gone) or into.pinned or gone.pinned:
        return
    for incident in (into, gone):
        # Its timeline names the other by its number.
        incident.number = incident.number or await counters.take(tx, "incident", 1)
    work.entries += zip((gone.id, into.id), merge(gone, into, "tocsin", made.sentence), strict=True)
    raised = raise_severity(into, gone.severity, f"#{gone.number} was {gone.severity}")
    if raised:
        work.entries.append((into.id, raised))
    work.moved[gone.id] = into.id
    for row in work.new.values():
        if row["incident_id"] == gone.id:
            row["incident_id"] = into.id
    await tx.conn.execute(_MOVE, {"into": into.id, "gone": gone.id})


_MOVE = text("UPDATE alerts SET incident_id = :into WHERE incident_id = :gone")

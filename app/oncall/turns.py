"""What deviates from a layer's rotation because people are away, and who owes whom a turn: the plan of one layer.

The rotation itself never moves: it says whose turn each turn is (rotation.py), for ever. When its **owner** is away a
**stand-in** takes the turn, or the days of it that are missed; the owner owes them, and pays them back in the stand-in's next
turn (handover.py decides both). So everybody serves what the rotation gave them.

Only turns that an absence or a debt touches are looked at, in order; between them nothing is remembered but debts, and who
stood in during the last week. So a far instant costs what a near one costs. Pure: must never know the database, other
layers, overrides, or what time it is.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from heapq import heappop, heappush
from zoneinfo import ZoneInfo

from app.clock import Micros
from app.ids import PersonId
from app.oncall.handover import Absence, Block, Handover, Occasion
from app.oncall.rota import Away, Debt, Era, Rota, Standing, Stint
from app.oncall.rotation import active_stretches, covered, owners, turn_at, turn_start, turns_in_a_round
from app.oncall.schedule import Layer, Limits
from app.oncall.walltime import walls, zone

PROBES = 64
"""A turn is owed to somebody only if it can be paid back in one of so many of their next turns."""

_BLOCK = timedelta(days=1)
_WEEK = timedelta(days=7)
_TICK = timedelta(microseconds=1)
_NIGHT = time(3)
"""Who is on call then has that night."""


class Plan:
    """What deviates from the rotation of a layer with participants, from a standing on; worked out as far as asked for."""

    def __init__(self, layer: Layer, rules: ZoneInfo, limits: Limits, away: Iterable[Away], standing: Standing) -> None:
        self.layer = layer
        self.turns_looked_at = 0
        """How much work it was."""
        self._limits = limits
        self._bounds = _bounds(layer, rules)
        self._round = [owners(layer, turn) for turn in range(1, turns_in_a_round(layer) + 1)]
        self._places: dict[PersonId, list[int]] = {}
        self._standing = standing
        self._looked_until = standing.turn
        self._debts = standing.debts
        self._history: list[tuple[int, tuple[Debt, ...]]] = []
        self._stints: dict[int, tuple[Stint, ...]] = {}
        for stint in standing.lately:
            self._stints[stint.turn] = (*self._stints.get(stint.turn, ()), stint)
        self._absences: dict[PersonId, list[Absence]] = {}
        self._waiting: list[tuple[int, int, Absence]] = []
        for number, one in enumerate(sorted(away, key=lambda one: (one.starts_at, one.ends_at, one.why, one.soft))):
            absence = Absence(one, walls(rules, one.starts_at)[0], walls(rules, one.ends_at - 1)[1])
            self._absences.setdefault(one.person, []).append(absence)
            self._wait(max(standing.turn, turn_at(layer, absence.since)), number, absence)

    def stints(self, turn: int) -> tuple[Stint, ...]:
        """Everything in this turn that is not by the rotation."""
        if turn >= self._looked_until:
            self._look_until(turn)
        return self._stints.get(turn, ())

    def standing(self, turn: int) -> Standing:
        """What is remembered when the turn begins: a plan made from it says the same from there on."""
        if turn <= self._standing.turn:
            return self._standing
        self._look_until(turn - 1)
        known = bisect_left(self._history, turn, key=lambda entry: entry[0])
        debts = self._history[known - 1][1] if known else self._standing.debts
        return Standing(turn, debts, tuple(self._lately(turn)))

    def handed_on(self, turn: int, to: Plan, following: int) -> Standing:
        """What a new version of the layer starts from, `turn` being in progress by this one and `following` by that one.

        A turn that is the same turn of the same people is planned anew from its beginning; one that is not counts as done.
        What can't be paid back there any more is forgotten.
        """
        if self.layer == to.layer:
            return self.standing(turn)
        same = turn == following and turn_start(self.layer, turn) == turn_start(to.layer, following)
        if same and owners(self.layer, turn) == owners(to.layer, following):
            kept = self.standing(turn)
        else:
            kept = Standing(following, self.standing(turn + 1).debts)
        debts = (debt for debt in kept.debts if to.payable(debt.debtor, debt.creditor, following))
        return replace(kept, debts=tuple(debts))

    def payable(self, debtor: PersonId, creditor: PersonId, since: int) -> bool:
        """Whether both have turns, and the creditor will have one, with hours in it, in which the debtor has none."""
        for _ in range(PROBES if self._places_of(debtor) else 0):
            turn = self._next_chance(debtor, creditor, since)
            if turn is None:
                return False
            if self._blocks(turn):
                return True
            since = turn + 1
        return False

    def _lately(self, turn: int) -> Iterable[Stint]:
        """Who stood in in turns that reach into the week before, of which the turn before is always one."""
        since = turn_start(self.layer, turn) - _WEEK
        for earlier in sorted(earlier for earlier in self._stints if earlier < turn):
            if turn_start(self.layer, earlier + 1) > since:
                for stint in self._stints[earlier]:
                    yield Stint(stint.turn, stint.role, stint.first, stint.until, stint.person)

    # Which turns have to be looked at.

    def _look_until(self, last: int) -> None:
        """Looks at every turn until this one, inclusive, that an absence or a debt touches."""
        while (turn := self._next_touched()) is not None and turn <= last:
            while self._waiting and self._waiting[0][0] == turn:
                _, number, absence = heappop(self._waiting)
                self._wait(turn + 1, number, absence)
            self.turns_looked_at += 1
            self._look_at(turn)
            self._looked_until = turn + 1
        self._looked_until = max(self._looked_until, last + 1)

    def _next_touched(self) -> int | None:
        touched = [self._waiting[0][0]] if self._waiting else []
        for debt in self._debts:
            turn = self._next_chance(debt.debtor, debt.creditor, self._looked_until)
            if turn is not None:
                touched.append(turn)
        return min(touched, default=None)

    def _wait(self, since: int, number: int, absence: Absence) -> None:
        """Puts down the next turn of somebody absent, if they are still absent then."""
        turn = self._next_place(self._places_of(absence.away.person), since)
        if turn is not None and turn <= turn_at(self.layer, absence.until):
            heappush(self._waiting, (turn, number, absence))

    def _next_chance(self, debtor: PersonId, creditor: PersonId, since: int) -> int | None:
        """The creditor's next turn in which the debtor has none."""
        busy = set(self._places_of(debtor))
        turn = self._next_place([place for place in self._places_of(creditor) if place not in busy], since)
        ends = self._bounds[1]
        return None if turn is None or (ends and turn_start(self.layer, turn) > ends) else turn

    def _places_of(self, person: PersonId) -> list[int]:
        """Where in the round somebody has turns."""
        if person not in self._places:
            self._places[person] = [place for place, people in enumerate(self._round) if person in people]
        return self._places[person]

    def _next_place(self, places: list[int], since: int) -> int | None:
        """The first turn from `since` on that stands at one of these places of the round."""
        if not places:
            return None
        rounds, place = divmod(since - 1, len(self._round))
        index = bisect_left(places, place)
        if index == len(places):
            rounds, index = rounds + 1, 0
        return rounds * len(self._round) + places[index] + 1

    # One of them.

    def _look_at(self, turn: int) -> None:
        blocks = self._blocks(turn)
        if not blocks:
            return
        start, end = turn_start(self.layer, turn), turn_start(self.layer, turn + 1)
        occasion = Occasion(
            layer=self.layer,
            limits=self._limits,
            turn=turn,
            blocks=blocks,
            size=-((start - end) // _BLOCK),
            this=(start, end),
            next=(end, turn_start(self.layer, turn + 2)),
            owners=self._owners(turn),
            next_owners=self._owners(turn + 1),
            before=self._people(turn - 1),
            absences=self._absences,
        )
        handover = Handover(occasion, self._debts, self)
        handover.pay_back()
        handover.hand_over()
        if handover.stints:
            self._stints[turn] = tuple(handover.stints)
        if handover.debts != self._debts:
            self._debts = handover.debts
            self._history.append((turn, self._debts))

    def _owners(self, turn: int) -> tuple[PersonId, ...]:
        return self._round[(turn - 1) % len(self._round)]

    def _blocks(self, turn: int) -> tuple[Block, ...]:
        """The blocks of the turn in which the layer is active."""
        start, end = turn_start(self.layer, turn), turn_start(self.layer, turn + 1)
        found: dict[int, list[tuple[datetime, datetime]]] = {}
        for opens, closes in active_stretches(self.layer.restrictions, start, end):
            since = opens
            while since < closes:
                place = (since - start) // _BLOCK
                until = min(closes, start + (place + 1) * _BLOCK)
                if self._in_force(since, until):
                    found.setdefault(place, []).append((since, until))
                since = until
        return tuple(Block(place, tuple(stretches)) for place, stretches in found.items())

    def _in_force(self, since: datetime, until: datetime) -> bool:
        begins, ends = self._bounds
        return (begins is None or until > begins) and (ends is None or since <= ends)

    def _people(self, turn: int) -> frozenset[PersonId]:
        """Who was on call in the turn, in any role, as far as is known."""
        if turn < 1:
            return frozenset()
        stints = self._stints.get(turn, ())
        size = -((turn_start(self.layer, turn) - turn_start(self.layer, turn + 1)) // _BLOCK)
        found = {stint.person for stint in stints}
        for role, owner in enumerate(self._owners(turn)):
            if sum(stint.until - stint.first for stint in stints if stint.role == role) < size:
                found.add(owner)
        return frozenset(found)

    def on_night(self, night: date) -> tuple[int, frozenset[PersonId]]:
        """The turn of a night, and who is on call then, as far as is known: by the rotation if it is still to come."""
        wall = datetime.combine(night, _NIGHT)
        turn = turn_at(self.layer, wall)
        if turn < 1 or not covered(self.layer.restrictions, wall) or not self._in_force(wall, wall + _TICK):
            return turn, frozenset()
        people = list(self._owners(turn))
        block = (wall - turn_start(self.layer, turn)) // _BLOCK
        for stint in self._stints.get(turn, ()):
            if stint.first <= block < stint.until:
                people[stint.role] = stint.person
        return turn, frozenset(people)


def plans(rota: Rota, index: int) -> Mapping[str, Plan]:
    """The plans of the layers of an era, by name; a layer that nothing touches has none. Made once for each rota."""
    key = ("plans", index)
    if key not in rota.memo:
        rota.memo[key] = dict(_made(rota, index))
    made: Mapping[str, Plan] = rota.memo[key]
    return made


def standings(rota: Rota, at: Micros) -> Mapping[str, Standing]:
    """What each layer, of the version in force just before the instant, remembers when the turn on at it begins.

    A rota with these as its standings, settled until then, has the same future.
    """
    for index, era in enumerate(rota.eras):
        if era.starts_at < at and (era.ends_at is None or at <= era.ends_at):
            known = plans(rota, index)
            turns = {layer.name: turn_on(layer, era, at) for layer in _turning(era)}
            return {
                name: known[name].standing(turn) if name in known else Standing(turn) for name, turn in turns.items()
            }
    return {}


def turn_on(layer: Layer, era: Era, at: Micros) -> int:
    """The number of the turn that is on at the instant, the outgoing one where two are; 1 before the first."""
    return max(1, turn_at(layer, walls(zone(era.schedule.time_zone), at)[0]))


def _made(rota: Rota, index: int) -> Iterable[tuple[str, Plan]]:
    era = rota.eras[index]
    rules = zone(era.schedule.time_zone)
    for layer in _turning(era):
        people = set(layer.participants)
        away = [one for one in rota.away if one.person in people and one.starts_at < one.ends_at]
        if not away and not _is_burdened(rota, index, layer.name):
            continue
        unburdened = Standing(turn_on(layer, era, _since(rota, era)))
        plan = Plan(layer, rules, era.schedule.limits, away, unburdened)
        standing = _inherited(rota, index, plan)
        if standing != unburdened:
            plan = Plan(layer, rules, era.schedule.limits, away, standing)
        if away or standing.debts or standing.lately:
            yield layer.name, plan


def _is_burdened(rota: Rota, index: int, name: str) -> bool:
    """Whether anything may come over from before: looked at first, because mostly nothing does."""
    known = rota.standings.get(name)
    if known is not None and (known.debts or known.lately):
        return True
    return index > 0 and name in plans(rota, index - 1)


def _inherited(rota: Rota, index: int, fresh: Plan) -> Standing:
    """What the layer starts from: what the record says, or what the version before leaves behind."""
    era, name = rota.eras[index], fresh.layer.name
    turn = turn_on(fresh.layer, era, _since(rota, era))
    if index > 0 and era.starts_at >= rota.settled_until:
        before = rota.eras[index - 1]
        old = plans(rota, index - 1).get(name)
        if old is None:
            return Standing(turn)
        return old.handed_on(turn_on(old.layer, before, before.ends_at or era.starts_at), fresh, turn)
    known = rota.standings.get(name, Standing(turn))
    if known.turn == turn:
        return known
    # Of a version that is not among the eras: what is owed still is.
    debts = (debt for debt in known.debts if fresh.payable(debt.debtor, debt.creditor, turn))
    return Standing(turn, tuple(debts))


def _since(rota: Rota, era: Era) -> Micros:
    return max(era.starts_at, rota.settled_until)


def _turning(era: Era) -> list[Layer]:
    return [layer for layer in era.schedule.layers if isinstance(layer, Layer) and layer.participants]


def _bounds(layer: Layer, rules: ZoneInfo) -> tuple[datetime | None, datetime | None]:
    """The wall times of the layer's validity: [start, end) is in it in part when end > the one and start <= the other."""
    begins = None if layer.starts_at is None else walls(rules, layer.starts_at)[0]
    ends = None if layer.ends_at is None else walls(rules, layer.ends_at - 1)[1]
    return begins, ends

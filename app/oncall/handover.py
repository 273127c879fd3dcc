"""One turn that an absence or a debt touches: who pays back what in it, and who stands in for whom.

A turn has **blocks**, days from handoff to handoff (a turn no longer than a day is one); only those count in which the layer
is active. First what is owed to the turn's owners is paid back, then what they miss is handed over. There is never a gap: if
nobody else is there, the owner keeps it. Pure: must never know other turns than those next to it, or the database.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from typing import Protocol

from app.clock import DAY, Micros
from app.ids import PersonId
from app.oncall.rota import Away, Debt, Stint, Turned
from app.oncall.schedule import Layer, Limits

LONG_LEAVE: Micros = 31 * DAY
"""Turns missed through an absence longer than this are not owed."""
MAX_OWED = 4
"""So many turns one person owes at most at a time; what is beyond is not owed."""

_DAY = timedelta(days=1)
_SIX_DAYS = timedelta(days=6)
_NIGHT = time(3)

Stretch = tuple[datetime, datetime]


@dataclass(frozen=True, slots=True)
class Absence:
    """An absence in the wall time of the layer: what lasts from start until end meets it by this comparison."""

    away: Away
    since: datetime
    until: datetime

    def touches(self, stretches: Iterable[Stretch]) -> bool:
        return any(start <= self.until and end > self.since for start, end in stretches)


@dataclass(frozen=True, slots=True)
class Block:
    """A block of a turn, and when the layer is active in it."""

    place: int
    """0 is the first day of the turn."""
    stretches: tuple[Stretch, ...]

    @property
    def begins(self) -> datetime:
        """When the layer is first active in it."""
        return self.stretches[0][0]

    def nights(self) -> Iterator[date]:
        """The dates at whose 03:00 the layer is active."""
        for start, end in self.stretches:
            night = start.date()
            while datetime.combine(night, _NIGHT) < end:
                if start <= datetime.combine(night, _NIGHT):
                    yield night
                night += _DAY


@dataclass(frozen=True, slots=True)
class Occasion:
    """A turn, and what lies around it."""

    layer: Layer
    limits: Limits
    turn: int
    blocks: tuple[Block, ...]
    """The active ones; never empty."""
    size: int
    """How many blocks the turn has, active or not."""
    this: Stretch
    next: Stretch
    """From when until when this turn and the one after it last."""
    owners: tuple[PersonId, ...]
    next_owners: tuple[PersonId, ...]
    before: frozenset[PersonId]
    """Who was on call in the turn before, as it was planned."""
    absences: Mapping[PersonId, Sequence[Absence]]


class Around(Protocol):
    """What the other turns of the layer say."""

    def payable(self, debtor: PersonId, creditor: PersonId, since: int) -> bool:
        """Whether a debt made now can be paid back from that turn on."""

    def on_night(self, night: date) -> tuple[int, frozenset[PersonId]]:
        """The turn of a night, and who is on call then."""


class Handover:
    """The decisions of one turn, as they are made: `stints` is what deviates from the rotation, `debts` who owes whom."""

    def __init__(self, occasion: Occasion, debts: tuple[Debt, ...], around: Around) -> None:
        self.stints: list[Stint] = []
        self.debts = debts
        self._on = occasion
        self._around = around
        self._near: dict[PersonId, tuple[list[Absence], list[Absence]]] = {}

    def pay_back(self) -> None:
        """Whoever owes an owner of this turn takes it, oldest debt first, if they are there and have no other role in it."""
        for debt in self.debts:
            if debt.creditor not in self._on.owners:
                continue
            role = self._on.owners.index(debt.creditor)
            left = self._left(role)
            taken = left if debt.whole else left[: debt.blocks]
            enough = bool(taken) and (not debt.whole or len(left) == len(self._on.blocks))
            if (
                enough
                and self._has_no_other(debt.debtor, role)
                and self._free(debt.debtor, taken, rested=True) == len(taken)
            ):
                self._take(role, taken, debt.debtor, "pays_back", f"turn {debt.turn}")
                self._settle(debt, 0 if debt.whole else debt.blocks - len(taken))

    def hand_over(self) -> None:
        """What an owner misses is taken by others: the whole turn if it is half of it, the days if it is less."""
        for role, owner in enumerate(self._on.owners):
            left = self._left(role)
            missed = [block for block in left if self._hard(owner, [block])]
            if missed and 2 * len(missed) >= len(left) and self._hand_whole(role, owner, left):
                continue
            for run in _runs(missed, left):
                self._hand(role, owner, run)
            away = {block.place for block in missed}
            tired = [block for block in left if block.place not in away and self._soft(owner, [block])]
            for run in _runs(tired, left):
                self._relieve(role, owner, run)

    def _hand_whole(self, role: int, owner: PersonId, blocks: list[Block]) -> bool:
        person = self._stand_in(role, owner, blocks)
        if person is None or self._free(person, blocks) < len(blocks):
            return False
        self._stands_in(role, owner, person, blocks, self._hard(owner, blocks))
        return True

    def _hand(self, role: int, owner: PersonId, run: list[Block]) -> None:
        """To one person if one is there for all of it, else to several one after the other."""
        while run:
            person = self._stand_in(role, owner, run)
            if person is None:
                alone = 1
                while alone < len(run) and self._stand_in(role, owner, run[alone:]) is None:
                    alone += 1
                self._take(role, run[:alone], owner, "nobody_else", self._hard(owner, run)[0].away.why)
                run = run[alone:]
            else:
                free = self._free(person, run)
                self._stands_in(role, owner, person, run[:free], self._hard(owner, run[:free]))
                run = run[free:]

    def _relieve(self, role: int, owner: PersonId, run: list[Block]) -> None:
        """The same for somebody who only should not be on call: only to somebody of whom that can't be said."""
        while run:
            person = self._stand_in(role, owner, run, rested=True)
            free = 1 if person is None else self._free(person, run, rested=True)
            if person is not None:
                self._take(role, run[:free], person, "stands_in", self._soft(owner, run)[0].away.why)
            run = run[free:]

    def _stand_in(self, role: int, owner: PersonId, blocks: list[Block], *, rested: bool = False) -> PersonId | None:
        """Who takes the blocks, or as many of the first of them as anybody can; None: nobody can take the first."""
        best: tuple[tuple[int, bool, bool, bool], PersonId] | None = None
        for person in self._candidates(role, owner):
            free = self._free(person, blocks, rested=rested)
            if not free:
                continue
            taken = blocks[:free]
            against = (
                len(blocks) - free,
                bool(self._soft(person, taken)),
                self._too_many_nights(person, owner, taken),
                self._in_a_row(person, owner, taken),
            )
            if not any(against):
                return person
            if best is None or against < best[0]:
                best = (against, person)
        return best[1] if best else None

    def _candidates(self, role: int, owner: PersonId) -> Iterator[PersonId]:
        """The participants in the order of the rotation after the owner who have no other role in this turn."""
        people = self._on.layer.participants
        place = (self._on.turn - 1) * self._on.layer.advance + role
        while people[place % len(people)] != owner:
            place += 1
        in_order = dict.fromkeys(people[(place + step) % len(people)] for step in range(1, len(people)))
        return (person for person in in_order if self._has_no_other(person, role))

    def _has_no_other(self, person: PersonId, role: int) -> bool:
        elsewhere = (stint.person for stint in self.stints if stint.role != role)
        return person not in self._on.owners and person not in elsewhere

    def _left(self, role: int) -> list[Block]:
        """The blocks that are still the owner's."""
        stints = [stint for stint in self.stints if stint.role == role]
        return [
            block for block in self._on.blocks if not any(stint.first <= block.place < stint.until for stint in stints)
        ]

    def _take(self, role: int, blocks: list[Block], person: PersonId, how: Turned, because: str) -> None:
        first, until = blocks[0].place, blocks[-1].place + 1
        if len(blocks) == len(self._on.blocks):
            first, until = 0, self._on.size
        self.stints.append(Stint(self._on.turn, role, first, until, person, how, because))

    # Absences.

    def _free(self, person: PersonId, blocks: list[Block], *, rested: bool = False) -> int:
        """How many of the blocks, from the first on, somebody is there; `rested`: and may be asked."""
        for count, block in enumerate(blocks):
            if self._hard(person, [block]) or (rested and self._soft(person, [block])):
                return count
        return len(blocks)

    def _hard(self, person: PersonId, blocks: Sequence[Block]) -> list[Absence]:
        return _touching(self._absences(person)[0], blocks)

    def _soft(self, person: PersonId, blocks: Sequence[Block]) -> list[Absence]:
        """Wishes are for blocks that begin while they last: nobody is relieved in the middle of a day they are serving."""
        soft = self._absences(person)[1]
        return [one for one in soft if _touching([one], [block for block in blocks if block.begins >= one.since])]

    def _absences(self, person: PersonId) -> tuple[list[Absence], list[Absence]]:
        """Those that touch this turn: real ones, and wishes."""
        if person not in self._near:
            near = [absence for absence in self._on.absences.get(person, ()) if absence.touches((self._on.this,))]
            hard, soft = ([one for one in near if one.away.soft == kind] for kind in (False, True))
            self._near[person] = (hard, soft)
        return self._near[person]

    # What is owed.

    def _stands_in(
        self, role: int, owner: PersonId, person: PersonId, blocks: list[Block], absences: list[Absence]
    ) -> None:
        self._take(role, blocks, person, "stands_in", absences[0].away.why)
        if self._is_owed(owner, person, absences):
            self._owe(Debt(owner, person, self._on.turn, len(blocks), len(blocks) == len(self._on.blocks)))

    def _is_owed(self, owner: PersonId, person: PersonId, absences: list[Absence]) -> bool:
        if any(one.away.ends_at - one.away.starts_at > LONG_LEAVE for one in absences):
            return False
        open_turns = {debt.turn for debt in self.debts if debt.debtor == owner} - {self._on.turn}
        return len(open_turns) < MAX_OWED and self._around.payable(owner, person, self._on.turn + 1)

    def _owe(self, debt: Debt) -> None:
        """Adds it; two parts of one turn are one debt."""
        for other in self.debts:
            if (other.debtor, other.creditor, other.turn) == (debt.debtor, debt.creditor, debt.turn):
                self.debts = tuple(
                    replace(one, blocks=one.blocks + debt.blocks) if one is other else one for one in self.debts
                )
                return
        self.debts = (*self.debts, debt)

    def _settle(self, debt: Debt, left: int) -> None:
        paid = (replace(one, blocks=left) if one is debt else one for one in self.debts)
        self.debts = tuple(one for one in paid if one.blocks)

    # Wishes.

    def _in_a_row(self, person: PersonId, owner: PersonId, blocks: list[Block]) -> bool:
        """Whether somebody who takes the blocks has two turns in a row."""
        follows = person in self._on.next_owners and not self._is_taken_next(person, owner, blocks)
        return person in self._on.before or follows

    def _is_taken_next(self, person: PersonId, owner: PersonId, blocks: list[Block]) -> bool:
        """Whether somebody who owes them a turn will take their next one, as far as can be seen from here."""
        debtors = {debt.debtor for debt in self.debts if debt.creditor == person and debt.whole}
        absences = self._hard(owner, blocks)
        # Rest is not owed, so nobody would take their next turn for it.
        if absences and len(blocks) == len(self._on.blocks) and self._is_owed(owner, person, absences):
            debtors.add(owner)
        return any(self._is_there_next(debtor) for debtor in debtors)

    def _is_there_next(self, person: PersonId) -> bool:
        """Whether they have no turn of their own then, and no absence reaches over into it from this turn.

        Other absences are not looked at: what is decided must not depend on how far ahead they were loaded.
        """
        reaches = any(absence.touches((self._on.next,)) for absence in self._absences(person)[0])
        return person not in self._on.next_owners and not reaches

    def _too_many_nights(self, person: PersonId, owner: PersonId, blocks: list[Block]) -> bool:
        """Whether somebody who takes the blocks has more nights than they should in any seven days around."""
        limit = self._on.limits.nights_in_7_days
        new = {night for block in blocks for night in block.nights()} if limit is not None else set()
        if limit is None or not new:
            return False
        first, last = min(new) - _SIX_DAYS, max(new) + _SIX_DAYS
        nights = new | {night for night in _days(first, last) if self._has_night(person, owner, blocks, night)}
        return any(
            sum(night in nights for night in _days(day, day + _SIX_DAYS)) > limit
            for day in _days(first, max(new))
            if any(night in new for night in _days(day, day + _SIX_DAYS))
        )

    def _has_night(self, person: PersonId, owner: PersonId, blocks: list[Block], night: date) -> bool:
        turn, people = self._around.on_night(night)
        if turn == self._on.turn:
            theirs = [stint for stint in self.stints if stint.person == person]
            return any(
                stint.first <= block.place < stint.until and night in block.nights()
                for stint in theirs
                for block in self._on.blocks
            )
        if turn == self._on.turn + 1 and self._is_taken_next(person, owner, blocks):
            return False
        return person in people


def _touching(absences: list[Absence], blocks: Sequence[Block]) -> list[Absence]:
    if not absences:
        return absences
    stretches = [stretch for block in blocks for stretch in block.stretches]
    return [absence for absence in absences if absence.touches(stretches)]


def _runs(chosen: list[Block], among: list[Block]) -> list[list[Block]]:
    """The chosen ones, those together that follow one another."""
    runs: list[list[Block]] = []
    places = {block.place for block in chosen}
    last = -2
    for place, block in enumerate(among):
        if block.place in places:
            if place == last + 1:
                runs[-1].append(block)
            else:
                runs.append([block])
            last = place
    return runs


def _days(first: date, last: date) -> Iterator[date]:
    for step in range((last - first).days + 1):
        yield first + step * _DAY

"""What the account of a schedule's on-call is made from, read from the store; the account is app/oncall/fairness.py's."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sqlalchemy import select

from app.clock import DAY, Micros
from app.ids import PersonId
from app.oncall.facts import mentioned, rotas
from app.oncall.fairness import Account, Call, Facts, account
from app.oncall.hours import Home
from app.oncall.pay import Pay
from app.oncall.resolve import standings
from app.oncall.rota import Rota
from app.oncall.shifts import shifts
from app.paging.tables import attempts, pages
from app.store import resources
from app.store.database import Reading
from app.store.resources import Resource

LONGEST_DELAY = DAY
"""All ways of one call begin within this (app/people/person.py: NotificationRule.delay_s)."""


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that one schedule's account of [start, end) is made from."""

    schedule: Resource
    start: Micros
    end: Micros
    rota: Rota
    now: Micros
    rota_now: Rota
    calls: tuple[Call, ...]
    people: Mapping[int, Resource]
    """Everybody there is or was, of those who may be in it."""

    @property
    def pay(self) -> Pay | None:
        """What hours are worth by the schedule as it is now: a rate that is corrected counts for what was, too."""
        document = self.schedule.document.get("pay")
        return Pay.model_validate(document) if document else None

    def account(self) -> Account:
        """Who had how much. Pure; a year of a large schedule takes long enough to belong in a thread."""
        debts = (debt for standing in standings(self.rota_now, self.now).values() for debt in standing.debts)
        return account(
            Facts(
                start=self.start,
                end=self.end,
                shifts=shifts(self.rota, self.start, self.end),
                eras=self.rota.eras,
                bookings=self.rota.bookings,
                homes={PersonId(item): _home(person) for item, person in self.people.items()},
                calls=self.calls,
                debts=tuple(debts),
            )
        )


def _home(person: Resource) -> Home:
    document = person.document
    return Home(document.get("time_zone", "UTC"), document.get("country", ""), document.get("subdivision", ""))


async def reports(view: Reading, schedules: Iterable[Resource], start: Micros, end: Micros) -> list[Report]:
    """The reports of these schedules, in their order."""
    wanted = {schedule.id: schedule for schedule in schedules}
    through = await rotas(view, wanted, start, end)
    # Turns are owed now, wherever the interval lies; and what is owed follows from the absences until now.
    at_present = await rotas(view, wanted, view.now, view.now + 1)
    called = await calls(view, wanted, start, end)
    people = {person for rota in (*through.values(), *at_present.values()) for person in _people(rota)}
    people |= {int(call.person) for found in called.values() for call in found}
    known = await resources.load(view, "person", people, deleted=True)
    return [
        Report(schedule, start, end, through[item], view.now, at_present[item], tuple(called[item]), known)
        for item, schedule in wanted.items()
    ]


def _people(rota: Rota) -> set[int]:
    """Everybody who may come up in a rota's shifts."""
    found = {int(person) for era in rota.eras for person in era.schedule.people()}
    found |= {int(booking.person) for booking in rota.bookings} | mentioned(rota.record)
    for override in rota.overrides:
        found |= {int(override.person)} | ({int(override.replaces)} if override.replaces is not None else set())
    return found


async def calls(view: Reading, schedule_ids: Iterable[int], start: Micros, end: Micros) -> dict[int, list[Call]]:
    """Who was called in [start, end) because they were on call in each schedule, in order.

    One call is one level of a policy that was told to one person, however many ways were tried and how often; its
    instant is that of the first try. A page that was never tried is none.
    """
    question = (
        select(
            pages.c.schedule_id,
            pages.c.person_id,
            pages.c.incident_id,
            pages.c.epoch,
            pages.c.round,
            pages.c.level,
            attempts.c.started_at,
        )
        .join(attempts, attempts.c.page_id == pages.c.id)
        .where(
            attempts.c.started_at >= start - LONGEST_DELAY,
            attempts.c.started_at < end,
            pages.c.schedule_id.in_(sorted(schedule_ids)),
            pages.c.person_id.is_not(None),
        )
        .order_by(attempts.c.started_at, attempts.c.id)
    )
    first: dict[tuple[int, ...], Micros] = {}
    for *call, at in await view.conn.execute(question):
        first.setdefault(tuple(call), at)
    found: dict[int, list[Call]] = defaultdict(list)
    for (schedule_id, person, *_), at in first.items():
        if at >= start:
            found[schedule_id].append(Call(PersonId(person), at))
    return found

"""The load of being on call as it is shown: its shapes, and its rows as CSV.

Must never compute a share or an amount (app/oncall/fairness.py and app/oncall/pay.py do), nor know a route.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from decimal import Decimal
from fractions import Fraction
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from app.api.spreadsheet import Cell, csv_text
from app.clock import HOUR, Micros, iso
from app.oncall.fairness import Account, Line, together
from app.oncall.pay import Amount, Pay, amount
from app.rota.fairness import Report
from app.store.resources import Resource


class PaidAs(BaseModel):
    """The same hours, each as the one kind that it is paid as: holiday before weekend before night before day."""

    day: float
    night: float
    weekend: float
    holiday: float


class Money(BaseModel):
    """An amount by the rates of the schedule as it is now; rounded once a schedule, half up."""

    currency: str
    amount: str = Field(description="Decimal text.", examples=["512.50"])


class PersonShare(BaseModel):
    """What one person had, and what they were expected to have."""

    person_id: str
    person: str
    shifts: int
    hours: float = Field(
        description="Decimal hours on call, as all times here. Hours in two roles at once count twice."
    )
    paid_as: PaidAs
    night_hours: float = Field(
        description="From 22:00 to 06:00 on the schedule's clock, also on weekends and holidays."
    )
    weekend_hours: float = Field(description="Saturday and Sunday on the schedule's clock, holidays too.")
    holiday_hours: float = Field(description="Public holidays where the person lives, on their own clock.")
    nights: int = Field(description="Nights on call at 03:00 on the schedule's clock.")
    pages: int = Field(description="How often they were called; several ways and tries of one call are one.")
    pages_at_night: int
    covered_hours: float = Field(
        description="In the place of somebody named: by override or swap, for leave, or paying back."
    )
    handed_hours: float = Field(description="Others in this person's place.")
    owes_turns: int = Field(description="Turns missed and not paid back, as of now.")
    is_owed_turns: int
    expected_hours: float
    expected_share: float | None = Field(description="0 to 1, by the rotations alone. None: nobody is expected to.")
    actual_share: float | None = Field(description="0 to 1. None: nobody was on call.")
    difference_hours: float = Field(description="Above 0: had more than expected.")
    pay: list[Money]


class ScoreShown(BaseModel):
    """100: each had exactly what was expected; 0: one had all, others should have. None: there was none to share."""

    hours: float | None
    nights: float | None
    weekends: float | None
    pages: float | None
    mean: float | None


class Shared(BaseModel):
    """The load of an interval, person by person."""

    model_config = ConfigDict(populate_by_name=True)

    since: str = Field(alias="from")
    until: str = Field(alias="to")
    people: list[PersonShare]
    score: ScoreShown


class ScheduleFairness(Shared):
    """How the load of one schedule is shared."""

    schedule_id: str
    schedule: str
    pay: Pay | None


class TeamFairness(Shared):
    """How the load of all schedules of a team is shared: each person's sums, and each schedule by itself."""

    team_id: str
    team: str
    schedules: list[ScheduleFairness]


COLUMNS = (
    *("schedule_id", "schedule", "from", "to", "person_id", "person", "shifts", "hours"),
    *("paid_day_hours", "paid_night_hours", "paid_weekend_hours", "paid_holiday_hours"),
    *("night_hours", "weekend_hours", "holiday_hours", "nights", "pages", "pages_at_night"),
    *("covered_hours", "handed_hours", "owes_turns", "is_owed_turns"),
    *("expected_hours", "difference_hours", "expected_share", "actual_share", "currency", "amount"),
)
"""Of the CSV; docs/fairness.md tells each."""


def _hours(time: Micros | Fraction) -> float:
    return _number(Fraction(time) / HOUR)


def _number(value: Fraction) -> float:
    return float(round(value, 6))


def _share(value: Fraction | None) -> float | None:
    return None if value is None else _number(value)


def _points(score: Fraction | None) -> float | None:
    return None if score is None else float(round(score, 1))


def _person(found: Account, line: Line, names: Mapping[int, str], amounts: Iterable[Amount]) -> PersonShare:
    share, hours = found.share(line), line.hours
    return PersonShare(
        person_id=str(line.person),
        person=names.get(int(line.person), "(deleted)"),
        shifts=line.shifts,
        hours=_hours(hours.total),
        paid_as=PaidAs(**{kind: _hours(time) for kind, time in hours.paid_as.items()}),
        night_hours=_hours(hours.night),
        weekend_hours=_hours(hours.weekend),
        holiday_hours=_hours(hours.holiday),
        nights=hours.nights,
        pages=line.pages,
        pages_at_night=line.pages_at_night,
        covered_hours=_hours(line.covered),
        handed_hours=_hours(line.handed),
        owes_turns=line.owes,
        is_owed_turns=line.is_owed,
        expected_hours=_hours(line.due.time),
        expected_share=_share(share.expected),
        actual_share=_share(share.actual),
        difference_hours=_hours(share.difference),
        pay=[Money(currency=one.currency, amount=one.text()) for one in amounts],
    )


def _shared(
    found: Account, names: Mapping[int, str], paid: Mapping[int, list[Amount]], start: Micros, end: Micros
) -> dict[str, Any]:
    score = found.score
    return {
        "from": iso(start),
        "to": iso(end),
        "people": [_person(found, line, names, paid.get(line.person, ())) for line in found.lines],
        "score": ScoreShown(
            hours=_points(score.hours),
            nights=_points(score.nights),
            weekends=_points(score.weekends),
            pages=_points(score.pages),
            mean=_points(score.mean),
        ),
    }


def _names(report: Report) -> dict[int, str]:
    return {item: person.name for item, person in report.people.items()}


def _amounts(report: Report, found: Account) -> dict[int, list[Amount]]:
    pay = report.pay
    if pay is None:
        return {}
    return {int(line.person): [amount(pay, line.hours.paid_as, line.pages)] for line in found.lines}


def of_schedule(report: Report) -> tuple[ScheduleFairness, Account]:
    """One schedule's, as it is shown and as it is added up. Pure; belongs in a thread."""
    found = report.account()
    shared = _shared(found, _names(report), _amounts(report, found), report.start, report.end)
    schedule = report.schedule
    shown = ScheduleFairness(schedule_id=str(schedule.id), schedule=schedule.name, pay=report.pay, **shared)
    return shown, found


def of_team(team: Resource, found: list[Report], start: Micros, end: Micros) -> TeamFairness:
    """A team's. Pure; belongs in a thread."""
    each = [of_schedule(report) for report in found]
    names = {item: name for report in found for item, name in _names(report).items()}
    shared = _shared(together(account for _, account in each), names, _summed(shown for shown, _ in each), start, end)
    return TeamFairness(team_id=str(team.id), team=team.name, schedules=[shown for shown, _ in each], **shared)


def _summed(each: Iterable[ScheduleFairness]) -> dict[int, list[Amount]]:
    """What each person has of all schedules, by currency: the sums of what stands there, already rounded."""
    sums: dict[int, dict[str, Decimal]] = defaultdict(lambda: defaultdict(Decimal))
    for person in (person for shown in each for person in shown.people):
        for money in person.pay:
            sums[int(person.person_id)][money.currency] += Decimal(money.amount)
    return {
        person: [Amount(currency, value) for currency, value in sorted(found.items())] for person, found in sums.items()
    }


def table(each: Iterable[ScheduleFairness]) -> str:
    """As CSV: a row for each person in each schedule."""
    return csv_text(COLUMNS, (_row(shown, person) for shown in each for person in shown.people))


def _row(shown: ScheduleFairness, person: PersonShare) -> dict[str, Cell]:
    plain = person.model_dump(exclude={"paid_as", "pay"})
    paid = {f"paid_{kind}_hours": hours for kind, hours in person.paid_as.model_dump().items()}
    money = person.pay[0].model_dump() if person.pay else {}
    where: dict[str, Cell] = {"schedule_id": shown.schedule_id, "schedule": shown.schedule}
    return {**where, "from": shown.since, "to": shown.until, **plain, **paid, **money}

"""The notices of people who come on call: read what is worth knowing, put it into words, write what was not told yet.

Must never know when somebody is to be told (announce.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from app.clock import DAY, HOUR, Micros
from app.oncall.facts import mentioned, rotas, why
from app.oncall.shifts import shifts
from app.paging.notices import Notice, tell, told
from app.rota.announce import Plan, Stint, Turnover, stints
from app.rota.drills import team_of
from app.rota.handoff_words import Arrival, arrived_text, before_text, handoff_text
from app.rota.load import WEEK, last_shift_end, load_of
from app.store import resources
from app.store.database import Reading, Writing
from app.store.resources import Resource

FAR: Micros = 40 * DAY
"""The end of a stint is looked for so far ahead."""
USEFUL_AFTER: Micros = HOUR
"""A handoff is worth telling for so long."""


@dataclass(frozen=True, slots=True)
class Known:
    """What is needed to word the notices of one schedule."""

    schedule: Resource
    channel: int | None
    """Where its team reads."""
    people: Mapping[int, tuple[str, str]]
    """What each is called, and their time zone."""

    def name(self, person: int) -> str:
        """What somebody is called."""
        return self.people[person][0] if person in self.people else "(deleted)"

    def zone(self, person: int) -> str:
        """Where somebody lives."""
        return self.people[person][1] if person in self.people else "UTC"

    def once(self, word: str, stint: Stint) -> str:
        """The name by which nobody is told twice of a stint."""
        return f"{word}:{self.schedule.id}:{stint.person}:{stint.role}:{stint.starts_at}"


async def announce(tx: Writing, schedule: Resource, plan: Plan) -> None:
    """Writes the notices of a plan that were not written before."""
    turnovers = [*plan.before, *plan.handoffs]
    if not turnovers:
        return
    team = await team_of(tx, schedule.document)
    everybody = mentioned(one.stint.shift for one in turnovers)
    everybody |= {int(person) for one in turnovers for person in one.handing_over}
    channel = int(team.channel_id) if team and team.channel_id else None
    known = Known(schedule, channel, await people_of(tx, everybody))
    wanted = [
        *(("before", one) for one in plan.before),
        *(("handoff", one) for one in plan.handoffs if not one.late),
        *(("handoff-channel", one) for one in plan.handoffs if channel is not None),
    ]
    # What was told is left out before it is worded, because wording it reads a lot.
    before = await told(tx, (known.once(word, one.stint) for word, one in wanted))
    new = [(word, one) for word, one in wanted if known.once(word, one.stint) not in before]
    await tell(tx, [await _notice(tx, known, word, one) for word, one in new])


async def people_of(view: Reading, people: Iterable[int]) -> dict[int, tuple[str, str]]:
    """What each is called and where they live, of those who were deleted too."""
    found = await resources.load(view, "person", (int(one) for one in people), deleted=True)
    return {item: (one.name, str(one.document.get("time_zone") or "UTC")) for item, one in found.items()}


async def _notice(view: Reading, known: Known, word: str, one: Turnover) -> Notice:
    stint, schedule = one.stint, known.schedule
    person, once = int(stint.person), known.once(word, stint)
    arrival = await _arrival(view, known, one)
    week_ago = view.now - WEEK
    if word == "before":
        load = await load_of(view, schedule.id, week_ago)
        title, text = before_text(arrival, load, known.zone(person), view.now)
        return Notice("shift", title, text, person_id=person, once=once, useful=stint.starts_at - view.now)
    if word == "handoff":
        last = await last_shift_end(view, schedule.id, person, stint.starts_at)
        load = await load_of(view, schedule.id, max(week_ago, last or 0))
        title, text = arrived_text(arrival, load, known.zone(person), view.now)
        return Notice("shift", title, text, person_id=person, once=once, useful=USEFUL_AFTER)
    load = await load_of(view, schedule.id, week_ago)
    title, text = handoff_text(arrival, load, str(schedule.document["time_zone"]), view.now, late=one.late)
    return Notice("shift", title, text, channel_id=known.channel, once=once, useful=USEFUL_AFTER)


async def _arrival(view: Reading, known: Known, one: Turnover) -> Arrival:
    names = {item: name for item, (name, _) in known.people.items()}
    return Arrival(
        person=known.name(int(one.stint.person)),
        schedule=known.schedule.name,
        role=one.stint.role,
        reason=why(one.stint.shift, known.schedule.name, names),
        handing_over=tuple(known.name(int(person)) for person in one.handing_over),
        starts_at=one.stint.starts_at,
        ends_at=await _end(view, known.schedule.id, one.stint),
    )


async def _end(view: Reading, schedule_id: int, stint: Stint) -> Micros | None:
    """When it ends; None when that is not within FAR."""
    start, end = stint.starts_at, max(view.now, stint.starts_at) + FAR
    laid_out = shifts((await rotas(view, [schedule_id], start, end))[schedule_id], start, end)
    mine = [one for one in stints(laid_out) if (one.person, one.role) == (stint.person, stint.role)]
    found = next((one.ends_at for one in mine if one.starts_at <= start < one.ends_at), stint.ends_at)
    return found if found < end else None

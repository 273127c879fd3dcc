"""Reading who is on call from the store: a schedule's document and the overrides that matter at an instant."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import select

from app.clock import Micros
from app.ids import PersonId
from app.oncall.codec import from_document
from app.oncall.resolve import ByLayer, ByOverride, Duty
from app.oncall.schedule import Override, OverrideId, Schedule
from app.oncall.tables import overrides
from app.store.database import Reading


def schedule_of(document: dict[str, Any]) -> Schedule:
    """The schedule of a resource's document (which also carries its name)."""
    return from_document({"time_zone": document["time_zone"], "layers": document["layers"]})


async def overrides_of(
    view: Reading, schedule_ids: Iterable[int], start: Micros, end: Micros
) -> dict[int, list[Override]]:
    """The overrides that were not cancelled and touch [start, end), by schedule."""
    wanted = sorted(set(schedule_ids))
    found: dict[int, list[Override]] = {schedule_id: [] for schedule_id in wanted}
    if not wanted:
        return found
    question = (
        select(
            overrides.c.schedule_id,
            overrides.c.id,
            overrides.c.starts_at,
            overrides.c.ends_at,
            overrides.c.person_id,
            overrides.c.replaces,
        )
        .where(
            overrides.c.schedule_id.in_(wanted),
            overrides.c.starts_at < end,
            overrides.c.ends_at > start,
            overrides.c.cancelled_at.is_(None),
        )
        .order_by(overrides.c.id)
    )
    for schedule_id, override_id, starts_at, ends_at, person, replaces in await view.conn.execute(question):
        found[schedule_id].append(
            Override(
                OverrideId(override_id),
                starts_at,
                ends_at,
                PersonId(person),
                None if replaces is None else PersonId(replaces),
            )
        )
    return found


def why(duty: Duty, schedule: str) -> str:
    """The sentence that tells somebody why they are on call."""
    match duty.why:
        case ByLayer(layer=layer, turn=turn):
            return f"on call in {schedule} (layer {layer}, turn {turn})"
        case ByOverride():
            return f"on call in {schedule} (override)"

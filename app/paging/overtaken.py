"""Late pages that another has overtaken: since one was due, its person was told of its incident by the same way. Reads only.

While a provider does not work, every round of a policy plans pages by it, and all of them wait for it. When it works again,
one of them is enough.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import and_, bindparam, or_, select

from app.clock import SECOND, Micros
from app.paging.tables import ASKED, UNSENT, attempts, pages
from app.store.database import Reading

IN_TIME: Micros = SECOND
"""What begins no later than this after its time is not asked about: nothing can have come between. And what began further
ahead of now than the clocks of two replicas are apart was written before a clock was put back."""


@dataclass(frozen=True, slots=True)
class Overtaken:
    """By which page, and whether that has arrived; otherwise it is on its way, and nobody knows yet."""

    number: int
    arrived: bool

    @property
    def why(self) -> str:
        """Why the page that was overtaken is not sent."""
        return f"page {self.number} had told the same by the same way before this one could be sent"


_PAGE, _OTHER = pages.alias("page"), pages.alias("other")
_OVERTAKEN = (
    select(_PAGE.c.id, _OTHER.c.number, _OTHER.c.state)
    .join(
        _OTHER,
        and_(
            _OTHER.c.incident_id == _PAGE.c.incident_id,
            or_(_OTHER.c.person_id == _PAGE.c.person_id, _OTHER.c.channel_id == _PAGE.c.channel_id),
            _OTHER.c.method_id == _PAGE.c.method_id,
            _OTHER.c.id != _PAGE.c.id,
            _OTHER.c.level != ASKED,
        ),
    )
    .join(
        attempts,
        and_(attempts.c.page_id == _OTHER.c.id, attempts.c.started_at.between(_PAGE.c.due_at, bindparam("until"))),
    )
    .where(
        _PAGE.c.id.in_(bindparam("ids", expanding=True)),
        _PAGE.c.level != ASKED,
        or_(
            and_(_OTHER.c.state == "sent", attempts.c.outcome.in_(("delivered", "accepted"))),
            and_(_OTHER.c.state.in_(UNSENT), attempts.c.outcome.is_(None)),
        ),
    )
)


def way_of(page: Any) -> tuple[Any, ...]:
    """Pages of which this is the same tell somebody the same by the same way."""
    return page.incident_id, page.level == ASKED, page.person_id, page.channel_id, page.method_id


async def overtaken(view: Reading, some: Iterable[Any]) -> dict[int, Overtaken]:
    """Those of these pages that are overtaken, by id. Who was asked to join is told that beside all else."""
    late = [page.id for page in some if page.due_at < view.now - IN_TIME]
    if not late:
        return {}
    found = await view.conn.execute(_OVERTAKEN, {"ids": late, "until": view.now + IN_TIME})
    return {page_id: Overtaken(number, state == "sent") for page_id, number, state in found}

"""The statements that find work that is due: by rank, by age, and when the next falls due. Made once, here.

A claim goes through the ranks from the first on, in each the oldest due first, and stops when it has enough: one look at
the index (rank, due_at) a rank, however many jobs wait. Knows no kind of job.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Executable,
    Integer,
    Select,
    Text,
    bindparam,
    literal_column,
    select,
    text,
    tuple_,
    type_coerce,
    union_all,
    update,
)

from app.clock import Micros
from app.store.metadata import Instant
from app.store.tables import jobs

RANKS = 6
"""Ranks are 0 to 5; 0 goes first."""

NOW: BindParameter[Micros] = bindparam("now", type_=Instant())
_LIMIT: BindParameter[int] = bindparam("limit", type_=jobs.c.rank.type)

FREE: ColumnElement[bool] = (jobs.c.lease_until + literal_column("0")) <= NOW
"""Held by nobody.

The sum hides the column from PostgreSQL's statistics: taken while the few jobs there were happened to be held, they say
that hardly any job is free, and that the whole table must be read to find one.
"""


def _locked(question: Select[Any]) -> Select[Any]:
    """As many as are wanted, locked; those that somebody is claiming at this moment are passed over."""
    return question.where(FREE).limit(_LIMIT).with_for_update(skip_locked=True)


def _of_rank(rank: int, question: Select[Any]) -> Select[Any]:
    """The jobs of one rank that are due, oldest due first.

    Said as a range of (rank, due_at), which only the index of both can answer: with `rank = 0` PostgreSQL may take the one
    of due_at alone and go through a whole storm to find the few of this rank.
    """
    first: ColumnElement[int] = literal_column(str(rank), Integer)
    both = tuple_(jobs.c.rank, jobs.c.due_at)
    return question.where(jobs.c.rank >= first, both <= tuple_(first, NOW)).order_by(jobs.c.rank, jobs.c.due_at)


def _in_order(ranks: int) -> Select[Any]:
    """Rank after rank: both databases run the parts in turn and none that is not needed."""
    one = select(jobs.c.id)
    parts = [select(_locked(_of_rank(rank, one)).subquery(f"rank_{rank}").c.id) for rank in range(ranks)]
    together = union_all(*parts).subquery("ranks")
    return select(together.c.id).limit(_LIMIT)


def _claim(due: Select[Any]) -> Executable:
    found = due.cte("due")
    return (
        update(jobs)
        .where(jobs.c.id.in_(select(found.c.id)))
        .values(lease_until=bindparam("until"), fence=jobs.c.fence + 1)
        .returning(
            jobs.c.id,
            jobs.c.kind,
            jobs.c.subject,
            # As it stands there: a row that can't be read must not keep the others from being claimed.
            type_coerce(jobs.c.payload, Text).label("payload"),
            jobs.c.due_at,
            jobs.c.fence,
            jobs.c.failures,
            jobs.c.rank,
            jobs.c.once,
        )
    )


BY_RANK = _claim(_in_order(RANKS))
FIRST_RANK = _claim(_locked(_of_rank(0, select(jobs.c.id))))
BY_AGE = _claim(_locked(select(jobs.c.id).where(jobs.c.due_at <= NOW).order_by(jobs.c.due_at)))

# ORDER BY ... LIMIT 1 and not min(): the first reads one index entry, the second every waiting job.
_END = (
    select(jobs.c.lease_until)
    .where(text("lease_until > 0"), jobs.c.lease_until > NOW)
    .order_by(jobs.c.lease_until)
    .limit(1)
)


_FREE_DUE = select(jobs.c.due_at).where(FREE).limit(1)


def _soonest(free: Select[Any]) -> Executable:
    return select(free.scalar_subquery(), _END.scalar_subquery())


SOONEST = _soonest(_FREE_DUE.order_by(jobs.c.due_at))
"""When the first job falls due, and when the first lease ends."""
SOONEST_OF_FIRST_RANK = _soonest(
    _FREE_DUE.where(jobs.c.rank <= literal_column("0")).order_by(jobs.c.rank, jobs.c.due_at)
)

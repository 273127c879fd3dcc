"""Jobs that fail again and again. Pure but for `gather`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from app.cli.checks.finding import Finding, wrong
from app.store import jobs
from app.store.database import Reading

SHOWN: Final = 5


async def gather(view: Reading) -> tuple[int, list[jobs.Quarantined]]:
    """How many there are, and the first of them."""
    return (await jobs.backlog(view)).quarantined, await jobs.quarantined(view, SHOWN)


def judge(many: int, first: Sequence[jobs.Quarantined]) -> list[Finding]:
    """One line when there are any."""
    if not many:
        return []
    named = ", ".join(f"{job.kind} {job.id} (subject {job.subject}, failed {job.failures} times)" for job in first)
    also = f", and {many - len(first)} more" if many > len(first) else ""
    says = f"what is to be done fails again and again: {named}{also}"
    return [wrong("quarantine", says, "look for job_failed in the server's log; each is tried again every minute")]

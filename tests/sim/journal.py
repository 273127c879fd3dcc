"""What each commit changed, written by the database itself: so that after each step only that is looked at again.

Temporary triggers fill a temporary table; both vanish with the connection and are rolled back with a transaction.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from tests.sim.machine import Disk

_NOTES = (
    # (when, table, what is noted, its id, its incident)
    ("AFTER INSERT ON incidents", "incident", "NEW.id", "NEW.id"),
    ("AFTER UPDATE ON incidents", "incident", "NEW.id", "NEW.id"),
    ("AFTER INSERT ON timeline", "entry", "NEW.id", "NEW.incident_id"),
    ("AFTER INSERT ON pages", "page", "NEW.id", "NEW.incident_id"),
    ("AFTER UPDATE OF state, due_at ON pages", "page", "NEW.id", "NEW.incident_id"),
    ("AFTER DELETE ON pages WHEN OLD.notifier <> 'synthetic'", "page gone", "OLD.id", "OLD.incident_id"),
    ("AFTER INSERT ON attempts", "attempt", "NEW.id", "NULL"),
    ("AFTER UPDATE ON attempts", "outcome", "NEW.id", "NULL"),
    ("AFTER INSERT ON jobs", "job", "NEW.id", "NEW.subject"),
    ("AFTER UPDATE OF due_at, payload, subject ON jobs", "job", "NEW.id", "NEW.subject"),
    ("AFTER DELETE ON jobs", "job", "OLD.id", "OLD.subject"),
    ("AFTER UPDATE OF lease_until ON jobs WHEN NEW.lease_until = 0", "back", "NEW.id", "NULL"),
    ("AFTER UPDATE OF fence ON jobs WHEN NEW.fence > OLD.fence", "claim", "OLD.lease_until", "NULL"),
    ("AFTER INSERT ON alerts", "alert", "NEW.id", "NEW.incident_id"),
    ("AFTER UPDATE OF resolved_at, incident_id ON alerts", "alert", "NEW.id", "NEW.incident_id"),
)


@dataclass(slots=True)
class Changed:
    """What one commit changed, each in the order in which it was written."""

    incidents: dict[int, None] = field(default_factory=dict)
    entries: list[int] = field(default_factory=list)
    pages: dict[int, None] = field(default_factory=dict)
    attempts: list[int] = field(default_factory=list)
    outcomes: dict[int, None] = field(default_factory=dict)
    gone: list[int] = field(default_factory=list)
    back: list[int] = field(default_factory=list)
    """Jobs whose worker gave them back."""
    claims: list[int] = field(default_factory=list)
    """For each job that was claimed: until when somebody had held it."""


def keep(disk: Disk) -> None:
    """Begins the journal."""
    disk.raw.execute("CREATE TEMP TABLE journal (what TEXT, id INTEGER, incident INTEGER)")
    for place, (when, what, subject, incident) in enumerate(_NOTES):
        disk.raw.execute(
            f"CREATE TEMP TRIGGER journal_{place} {when} BEGIN "
            f"INSERT INTO journal VALUES ('{what}', {subject}, {incident}); END"
        )


def read(disk: Disk) -> Changed | None:
    """What was written since the last look; None when nothing of interest was."""
    rows = disk.rows("SELECT what, id, incident FROM journal ORDER BY rowid")
    if not rows:
        return None
    disk.raw.execute("DELETE FROM journal")
    changed = Changed()
    for what, subject, incident in rows:
        if incident is not None:
            changed.incidents[incident] = None
        match what:
            case "entry":
                changed.entries.append(subject)
            case "page":
                changed.pages[subject] = None
            case "attempt":
                changed.attempts.append(subject)
            case "outcome":
                changed.outcomes[subject] = None
            case "back":
                changed.back.append(subject)
            case "claim":
                changed.claims.append(subject)
            case "page gone":
                changed.gone.append(subject)
    return changed

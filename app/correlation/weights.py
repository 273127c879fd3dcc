"""What each kind of evidence is worth, for how long, and where it ends. Values only.

Weights are chances: how sure one such piece of evidence alone makes us that two alerts belong to one fault. They were set
on generated streams of alerts with known faults (docs/correlation.md says how well they do on others).
"""

from __future__ import annotations

from typing import NamedTuple

from app.clock import MINUTE, Micros


class Weight(NamedTuple):
    """One kind of evidence."""

    value: float
    full: Micros
    """For how long after the matching entity was last seen it counts in full; then it fades with the same constant."""
    identity: bool = False
    """Speaks of the same thing, wherever the incident lives: not weakened by its size, and valid for longer."""


SAME_ALERT = Weight(0.93, 20 * MINUTE, identity=True)
WEIGHTS: dict[str, Weight] = {
    "pod": Weight(0.95, 15 * MINUTE, identity=True),
    "at": Weight(0.9, 10 * MINUTE, identity=True),
    "host": Weight(0.9, 15 * MINUTE, identity=True),
    "ip": Weight(0.9, 15 * MINUTE, identity=True),
    "queue": Weight(0.85, 10 * MINUTE),
    "party": Weight(0.85, 10 * MINUTE),
    "group": Weight(0.7, 10 * MINUTE),
    "service": Weight(0.5, 5 * MINUTE),
    "check": Weight(0.62, 2 * MINUTE),
    "checkat": Weight(0.45, 4 * MINUTE),
    "namespace": Weight(0.15, 5 * MINUTE),
}
"""By the kind of the entity that both have. `at` is a service in a place, `checkat` a check in a place."""
NAMES_MEMBER = Weight(0.72, 10 * MINUTE)
NAMED_BY_MEMBER = Weight(0.72, 10 * MINUTE)
NAME_SAME = Weight(0.6, 8 * MINUTE)
OWN = Weight(0.6, 5 * MINUTE)
"""One names a declared service, the other came by an integration of that service."""
CALLS = Weight(0.45, 2 * MINUTE)
CALLED_BY = Weight(0.2, 2 * MINUTE)
"""By a declared graph. Never enough by itself: much is called by much, and what fails for its caller fails soon."""
CAUSE_FULL: Micros = 8 * MINUTE
BURST = Weight(0.5, 2 * MINUTE)
JUST_AFTER = Weight(0.34, 1 * MINUTE)

ENOUGH = 0.55
"""An alert joins the best incident that is at least as likely."""
STRONG = 0.7
"""What ties two young incidents has to be at least as strong."""

NEW_COMPONENT_FOR: Micros = 15 * MINUTE
IDENTITY_FOR: Micros = 25 * MINUTE
NOTHING_AFTER: Micros = 80 * MINUTE
YOUNG: Micros = 5 * MINUTE
MANY_COMPONENTS = 6
OLD_NEWS: Micros = 180 * MINUTE
OLD_NEWS_FACTOR = 0.3

BURST_WINDOW: Micros = 2 * MINUTE
BURST_COMPONENTS = 8
RATE_TAU: Micros = 180 * MINUTE
RATE_LEAST: Micros = 10 * MINUTE

TIES = 5
TIES_SHARE = 0.35
TIES_SMALL = 2

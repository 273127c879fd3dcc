"""The states of an incident and every way from one to another. Nobody else decides this.

    triggered ──acknowledge──▶ acknowledged ──resolve──▶ resolved ──close──▶ closed
        ▲  ▲                        │   │                   │
        │  └──────ack_expired───────┘   │                   │
        └─────escalate, reassign────────┘                   │
        └──────────────────reopen, recur────────────────────┘

    triggered, acknowledged, resolved ──merge──▶ merged

Acknowledged says: somebody has it, nobody else is paged. An acknowledgement may end (`ack_until`, a snooze): then the
incident is triggered again and paging starts anew. Closed is verified and final. Merged incidents live on in another.
An incident that recovered by itself recurs when what broke breaks again.
"""

from __future__ import annotations

from typing import Literal

State = Literal["triggered", "acknowledged", "resolved", "closed", "merged"]
Move = Literal[
    "acknowledge", "snooze", "escalate", "reassign", "ack_expired", "resolve", "reopen", "recur", "close", "merge"
]

STATES: tuple[State, ...] = ("triggered", "acknowledged", "resolved", "closed", "merged")
OPEN_STATES: tuple[State, ...] = ("triggered", "acknowledged")

TRANSITIONS: dict[tuple[State, Move], State] = {
    ("triggered", "acknowledge"): "acknowledged",
    ("acknowledged", "acknowledge"): "acknowledged",
    ("triggered", "snooze"): "acknowledged",
    ("acknowledged", "snooze"): "acknowledged",
    ("triggered", "escalate"): "triggered",
    ("acknowledged", "escalate"): "triggered",
    ("triggered", "reassign"): "triggered",
    ("acknowledged", "reassign"): "triggered",
    ("acknowledged", "ack_expired"): "triggered",
    ("triggered", "resolve"): "resolved",
    ("acknowledged", "resolve"): "resolved",
    ("resolved", "reopen"): "triggered",
    ("resolved", "recur"): "triggered",
    ("resolved", "close"): "closed",
    ("triggered", "merge"): "merged",
    ("acknowledged", "merge"): "merged",
    ("resolved", "merge"): "merged",
}


def after(state: State, move: Move) -> State | None:
    """The state that `move` leads to, or None when it can't be made from `state`."""
    return TRANSITIONS.get((state, move))

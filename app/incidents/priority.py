"""Severity to urgency, impact x urgency to priority. Pure.

The matrix is the usual one of ITIL incident management: the product of how much is hit and how soon it hurts.
"""

from __future__ import annotations

from typing import Literal

Impact = Literal["high", "medium", "low"]
Urgency = Literal["high", "low"]
Priority = Literal["P1", "P2", "P3", "P4"]

MATRIX: dict[tuple[Impact, Urgency], Priority] = {
    ("high", "high"): "P1",
    ("medium", "high"): "P2",
    ("low", "high"): "P3",
    ("high", "low"): "P3",
    ("medium", "low"): "P4",
    ("low", "low"): "P4",
}

_RANK = {"none": 0, "info": 1, "warning": 2, "error": 3, "critical": 4}


def urgency_of(severity: str) -> Urgency:
    """Critical and error wake somebody; the rest is low."""
    return "high" if _RANK[severity] >= _RANK["error"] else "low"


def priority_of(impact: Impact, urgency: Urgency) -> Priority:
    """The matrix."""
    return MATRIX[impact, urgency]


def worse(one: str, other: str) -> str:
    """The graver of two severities."""
    return one if _RANK[one] >= _RANK[other] else other

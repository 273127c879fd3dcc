"""Chance that depends on a name and not on how often somebody drew before.

So a run from which some steps were taken out (to find the ones that matter) still does the same with the rest.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from typing import TypeVar

T = TypeVar("T")


def chance(seed: int, *names: object) -> float:
    """A number in [0, 1) that is always the same for the same seed and names."""
    digest = blake2b(repr((seed, names)).encode(), digest_size=6).digest()
    return int.from_bytes(digest, "big") / (1 << 48)


def pick(choices: Sequence[T], seed: int, *names: object) -> T:
    """One of the choices, always the same for the same seed and names."""
    return choices[int(chance(seed, *names) * len(choices))]

"""What was seen lately, by name, within a bound: two generations, of which the older is forgotten as a whole.

At least the last half of `most` names are known, at most `most`. It costs one plain look-up, where keeping an order at each
would cost four. Knows nothing of what it keeps.
"""

from __future__ import annotations

from typing import Generic, TypeVar

V = TypeVar("V")


class Recent(Generic[V]):
    """A bounded table by name."""

    def __init__(self, most: int) -> None:
        self.half = most // 2
        self.young: dict[str, V] = {}
        self.old: dict[str, V] = {}

    def __len__(self) -> int:
        return len(self.young.keys() | self.old.keys())

    def get(self, name: str) -> V | None:
        """What is known of a name."""
        known = self.young.get(name)
        return self.old.get(name) if known is None else known

    def put(self, name: str, value: V) -> None:
        """Keeps a value, for at least `half` further names."""
        self.young[name] = value
        self.age()

    def age(self) -> None:
        """Forgets the older generation when the younger one is full; whoever writes into `young` itself calls this then."""
        if len(self.young) >= self.half:
            self.old = self.young
            self.young = {}

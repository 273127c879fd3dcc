"""Which of many matcher lists may hold of an alert, at a cost that those which don't concern it add nothing to. Pure.

Each list is filed under one of its matchers that names its values (`alertname="DiskFull"`, `job=~"a|b"`), under the name
that tells most lists apart; those that name nothing are always candidates.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence

from app.routing.matchers import Facts, Matcher

MAX_FILED = 50
"""Values under which one list is filed; a longer one is always a candidate."""


class Index:
    """Places 0..n-1 of matcher lists by what they name."""

    def __init__(self, lists: Sequence[Sequence[Matcher]]) -> None:
        self.always: list[int] = []
        self.filed: dict[str, dict[str, list[int]]] = {}
        worth = _worth(lists)
        for place, matchers in enumerate(lists):
            best = min(
                (one for one in matchers if 0 < len(one.words) <= MAX_FILED),
                key=lambda one: (max(worth[one.name, word] for word in one.words), one.name),
                default=None,
            )
            if best is None:
                self.always.append(place)
                continue
            values = self.filed.setdefault(best.name, {})
            for word in best.words:
                values.setdefault(word, []).append(place)

    def candidates(self, facts: Facts) -> list[int]:
        """Places of the lists that may hold, in order."""
        found = self.always
        for name, values in self.filed.items():
            places = values.get(facts.get(name, ""))
            if places:
                found = found + places
        return sorted(found) if found is not self.always else found


def _worth(lists: Sequence[Sequence[Matcher]]) -> Counter[tuple[str, str]]:
    """How many lists name a value: the fewer, the better it tells them apart."""
    counted: Counter[tuple[str, str]] = Counter()
    for matchers in lists:
        seen: defaultdict[str, set[str]] = defaultdict(set)
        for one in matchers:
            if len(one.words) <= MAX_FILED:
                seen[one.name] |= one.words
        counted.update((name, word) for name, words in seen.items() for word in words)
    return counted

"""Classes of checks, and which class explains which: a node that is gone explains its pods. Pure.

A class is guessed from the words in a check's name; a check of no class explains nothing and is explained by nothing.
"""

from __future__ import annotations

import re
from functools import lru_cache

_CLASSES: tuple[tuple[str, str], ...] = (
    ("dns", r"dns"),
    ("monitoring", r"prometheus(?!targetmissing)|alltargetsmissing|scrape|ruleeval|targetsync|alertmanager"),
    ("network", r"link down|interface|switch|uplink|bgp|network(?!.*latency)|snmp|packet ?loss"),
    ("target", r"target ?(?:down|missing)|targetmissing|absent|no data"),
    (
        "node",
        r"node ?(?:not ?ready|unreachable|down)|nodenotready|host (?:stopped|down|unreach)|icmp|agent is not avail",
    ),
    ("pod", r"pod|deployment|replica|container|statefulset|daemonset|crashloop|oomkill"),
    ("certificate", r"certificate|ssl|tls"),
    (
        "errors",
        r"5xx|4xx|error|latency|slow|timeout|burn|slo\b|probe|synthetic|response|unavailable|availab|lag|queue|backlog",
    ),
)

EXPLAINS: dict[tuple[str, str], float] = {
    ("node", "pod"): 0.7,
    ("node", "target"): 0.4,
    ("network", "node"): 0.6,
    ("network", "target"): 0.5,
    ("monitoring", "target"): 0.7,
    ("dns", "errors"): 0.5,
    ("dns", "pod"): 0.35,
}
"""(cause, effect) -> weight, where both are in one place (network: in one region)."""

NEAR: dict[str, tuple[tuple[str, str, str, float], ...]] = {
    one: tuple((*pair, pair[pair[0] == one], value) for pair, value in EXPLAINS.items() if one in pair)
    for pair in EXPLAINS
    for one in pair
}
"""Of each class: (cause, effect, the other of the two, weight)."""


@lru_cache(maxsize=4_096)
def cause(check: str) -> str:
    """The class of a check; empty for one of no class. The first class whose words occur in it."""
    for name, words in _PATTERNS:
        if words.search(check):
            return name
    return ""


_PATTERNS = tuple((name, re.compile(words)) for name, words in _CLASSES)

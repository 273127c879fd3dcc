"""The words senders use for how bad it is -> Severity. Tables, and nothing else.

No word is refused. A word nobody knows is an `error`, which pages; the caller keeps the raw word in the annotation
`severity_raw`. Bare numbers are not in the common table: 1 is the worst for some senders and the best for others.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from app.sources.event import Severity

UNKNOWN: Severity = "error"
"""What a word that is in no table, and no word at all, count as."""

_WORDS: Mapping[Severity, str] = {
    "critical": "critical,crit,fatal,emergency,emerg,panic,disaster,page,severe,blocker,alert,highest,sev0,sev1,p0,p1",
    "error": "error,err,high,major,urgent,failure,failed,sev2,p2",
    "warning": "warning,warn,medium,moderate,average,minor,degraded,not classified,sev3,p3",
    "info": "info,information,informational,notice,low,lowest,trivial,debug,verbose,trace,ok,normal,success,cleared"
    ",sev4,sev5,p4,p5",
    "none": "none",
}

_COMMON: dict[str, Severity] = {word: level for level, words in _WORDS.items() for word in words.split(",")}
_NUMBERS: dict[str, Severity] = {
    "0": "warning",
    "1": "info",
    "2": "warning",
    "3": "warning",
    "4": "error",
    "5": "critical",
}

WORDS: Mapping[str, Severity] = MappingProxyType(_COMMON)
"""The common table, lower case. Average and P3 are warnings, High and P2 errors, Disaster and P1 critical."""

ZABBIX: Mapping[str, Severity] = MappingProxyType(_COMMON | _NUMBERS)
"""{EVENT.NSEVERITY}: the number is the same in every language, and stays when an admin renames the words.
0, not classified, is what a trigger has when nobody chose: it tells nothing, so it is neither noise nor a page at 3:00."""

DATADOG: Mapping[str, Severity] = MappingProxyType(
    {word: _COMMON[word] for word in ("p1", "p2", "p3", "p4", "p5", "error", "warning", "info")}
)
"""$ALERT_PRIORITY and $ALERT_TYPE. `success` means resolved and says nothing of how bad it was; `normal` and `low` are
$PRIORITY, the priority of the event, and not the monitor's."""

RANK: Mapping[Severity, int] = MappingProxyType({"none": 0, "info": 1, "warning": 2, "error": 3, "critical": 4})
"""For comparing two severities: higher is worse."""


def lookup(word: str, table: Mapping[str, Severity] = WORDS) -> Severity | None:
    """The severity that `word` stands for, in any case; None when the table does not have it."""
    return table.get(word) or table.get(word.strip().lower())

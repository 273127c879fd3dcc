"""Matchers, as Alertmanager writes them: `severity="critical"`, `host=~"db-.*"`, `team!="web"`, `job!~"test|demo"`. Pure.

A name is a label; with an @ before it, a field of the event (`FIELDS`). What is absent is the empty text, as in Alertmanager.
Expressions are RE2's and anchored at both ends: no expression, and no text of an alert, can make one run away.
Must never hand somebody's expression to Python's own `re`, which can be made to search for hours.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Literal

import re2

Op = Literal["=", "!=", "=~", "!~"]
Facts = Mapping[str, str]
"""All that matchers read of one alert: labels by name, fields by name with an @ before it."""

FIELDS = ("@title", "@severity", "@service", "@integration", "@kind", "@key")
"""Title, severity, name of the service, name and kind of the integration, the sender's own key."""
ANNOTATION = "@annotation."
"""Before the name of an annotation: `@annotation.summary`."""
SEVERITIES = ("critical", "error", "warning", "info", "none")

MAX_MATCHER = 2_000
"""Characters of one matcher."""
MAX_MEMORY = 1 << 20
"""Bytes that one compiled expression may take; RE2 refuses what needs more."""
REMEMBERED = 2_000
"""Values whose answer a matcher keeps: labels have few values, and a call of RE2 costs ten times as much as a look-up."""

# Our own grammar, on texts that are bounded: no expression of a user comes here.
_FORM = re.compile(
    r'\s*(?P<name>"(?:[^"\\]|\\.)*"|[^\s"=!~{},]+)\s*(?P<op>=~|!~|!=|=)\s*(?P<value>"(?:[^"\\]|\\.)*"|[^"]*?)\s*',
    re.DOTALL,
)
_BARE = re.compile(r"[^\s\"=!~{},\\]+")
_LITERAL = re.compile(r"[\w \-/:@%,;<>=!&#'\"]*")
"""Texts in which nothing has a meaning to RE2."""
_ESCAPES = {"n": "\n", "\\": "\\", '"': '"'}


class BadMatcher(ValueError):
    """The matcher can't be used; the text says why and what to do."""


@dataclass(frozen=True, slots=True)
class Matcher:
    """One condition. Build with `matcher` or `parse`."""

    name: str
    op: Op
    value: str
    values: frozenset[str] | None = None
    """What it names one by one: of an equality its value, of an expression that only lists words those words."""
    _expression: Any = field(default=None, compare=False, repr=False)
    _known: dict[str, bool] = field(default_factory=dict, compare=False, repr=False)

    def matches(self, facts: Facts) -> bool:
        """Whether it holds of these facts."""
        return self.holds(facts.get(self.name, ""))

    def holds(self, value: str) -> bool:
        """Whether it holds of a value."""
        if self.values is not None:
            return (value in self.values) != (self.op[0] == "!")
        found = self._known.get(value)
        if found is None:
            if len(self._known) >= REMEMBERED:
                self._known.clear()
            found = self._known[value] = _found(self._expression, value) != (self.op == "!~")
        return found

    @property
    def words(self) -> frozenset[str]:
        """The values of which it holds, when they can be listed and absence is none of them; empty otherwise."""
        if self.op[0] == "!" or self.values is None or "" in self.values:
            return frozenset()
        return self.values

    def __str__(self) -> str:
        name = self.name if _BARE.fullmatch(self.name) else _quoted(self.name)
        return f"{name}{self.op}{_quoted(self.value)}"


def _found(expression: Any, value: str) -> bool:
    return expression.fullmatch(value.encode("utf-8", "replace").decode()) is not None


def _quoted(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def _unquoted(value: str) -> str:
    if not value.startswith('"'):
        return value
    return re.sub(r"\\(.)", lambda found: _ESCAPES.get(found[1], found[0]), value[1:-1], flags=re.DOTALL)


@lru_cache(maxsize=8_192)
def parse(text: str) -> Matcher:
    """The matcher that a text says. Raises BadMatcher."""
    found = _FORM.fullmatch(text) if len(text) <= MAX_MATCHER else None
    if found is None:
        raise BadMatcher(
            f'{text[:80]!r} is no matcher; write a name, one of = != =~ !~ and a value: severity="critical"'
        )
    return matcher(_unquoted(found["name"]), found["op"], _unquoted(found["value"]))  # type: ignore[arg-type] # the form has no other


def matcher(name: str, op: Op, value: str) -> Matcher:
    """A matcher of its parts. Raises BadMatcher."""
    if not name or len(name) + len(value) > MAX_MATCHER:
        raise BadMatcher(f"a matcher needs a name, and may have {MAX_MATCHER} characters")
    if name.startswith("@") and name not in FIELDS and not name.startswith(ANNOTATION):
        raise BadMatcher(f"{name[:80]!r} is no field; there are {', '.join(FIELDS)} and {ANNOTATION}NAME")
    if op in ("=", "!="):
        return Matcher(name, op, value, frozenset({value}))
    parts = value.split("|")
    if all(_LITERAL.fullmatch(part) for part in parts):
        return Matcher(name, op, value, frozenset(parts))
    return Matcher(name, op, value, None, _compiled(value))


def _compiled(expression: str) -> Any:
    options = re2.Options()
    options.log_errors = False
    options.max_mem = MAX_MEMORY
    try:
        return re2.compile(expression, options)
    except re2.error as error:
        said = error.args[0]
        said = said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)
        raise BadMatcher(
            f"the expression {expression[:80]!r} can't be used ({said}); it must be RE2, which has no look-around "
            "and no back-references"
        ) from None
    except UnicodeEncodeError:
        raise BadMatcher("the expression has characters that are no text") from None


def all_match(matchers: Iterable[Matcher], facts: Facts) -> bool:
    """Whether all of them hold."""
    return all(one.matches(facts) for one in matchers)


def facts_of(
    labels: Mapping[str, str],
    annotations: Mapping[str, str],
    *,
    title: str,
    severity: str,
    service: str,
    integration: str,
    kind: str,
    key: str,
) -> dict[str, str]:
    """What matchers read of one alert. A label whose name begins with an @ is none: it would pass for a field."""
    facts = {f"{ANNOTATION}{name}": value for name, value in annotations.items()}
    facts.update((name, value) for name, value in labels.items() if name[:1] != "@")
    facts["@title"] = title
    facts["@severity"] = severity
    facts["@service"] = service
    facts["@integration"] = integration
    facts["@kind"] = kind
    facts["@key"] = key
    return facts


def contradiction(matchers: Sequence[Matcher]) -> str:
    """Why no alert can match all of these; empty when nothing is seen that speaks against it."""
    for name, own in _by_name(matchers):
        if name == "@severity":
            if not any(all(one.holds(word) for one in own) for word in SEVERITIES):
                return f"no severity matches {_and(own)}: it is one of {', '.join(SEVERITIES)}"
            continue
        if name in ("@service", "@integration", "@kind"):
            continue
        listed = [one.values for one in own if one.values is not None and one.op[0] != "!"]
        if listed:
            common = frozenset.intersection(*listed)
            if not any(all(one.holds(word) for one in own) for word in common):
                return f"nothing matches {_and(own)} at once"
    return ""


def _by_name(matchers: Sequence[Matcher]) -> Iterator[tuple[str, list[Matcher]]]:
    for name in dict.fromkeys(one.name for one in matchers):
        yield name, [one for one in matchers if one.name == name]


def _and(matchers: Iterable[Matcher]) -> str:
    return " and ".join(str(one)[:200] for one in matchers)


_NOBODY = ("", "tocsin-4f1d-nothing-is-called-that")


def narrows(one: Matcher) -> bool:
    """Whether it names something: one that holds of absence, or of a word that nothing is called, is no limit."""
    return not any(one.holds(value) for value in _NOBODY)

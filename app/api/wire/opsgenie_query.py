"""The common part of Opsgenie's search language: a text -> whether an alert is meant. Pure, bounded, knows no database.

    status: open AND (priority: P1 OR tag: "db") AND NOT message: backup* AND createdAt > 1785000000000

Words without a field are looked for in message, description, alias, tags, source and entity. AND may be left out. A value
may have a * at its end, stand in quotes, be several in brackets: `status: (open OR closed)`, or be NULL: nothing is there.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from app.sources import times

MAX_QUERY = 1_000
"""Characters."""
MAX_DEPTH = 50

Shown = Mapping[str, Any]
"""An alert as the API answers it."""
Test = Callable[[Shown], bool]

_TOKEN = re.compile(r'\s*(?:(?P<quoted>"(?:[^"\\]|\\.)*")|(?P<mark>[()]|<=|>=|[:=<>])|(?P<word>[^\s()"=:<>]+))')
_DATE = re.compile(r"^(\d\d)-(\d\d)-(\d{4})")
"""Opsgenie's own way to write a day."""
_TEXTS = ("message", "description", "alias", "tags", "source", "entity")
_FIELDS = {
    **{
        name: name
        for name in ("alias", "count", "createdAt", "description", "entity", "id", "isSeen", "lastOccurredAt")
    },
    **{
        name: name for name in ("message", "owner", "priority", "snoozed", "snoozedUntil", "source", "status", "tinyId")
    },
    **{name: name for name in ("acknowledged", "updatedAt", "tags", "actions", "responders", "integration")},
    "tag": "tags",
    "lastOccuredAt": "lastOccurredAt",
    "teams": "responders",
    "entity.name": "entity",
    "integration.name": "integration",
}
_BY_NAME = {name.lower(): field for name, field in _FIELDS.items()}
_WITHIN = frozenset({"message", "description", "source", "entity"})
"""Texts in which a value is looked for; other fields must be the value."""


class BadQuery(ValueError):
    """The query can't be understood; the text says where."""


def parse(query: str) -> Test:
    """The test that a query stands for. Raises BadQuery."""
    if len(query) > MAX_QUERY:
        raise BadQuery(f"a query may have {MAX_QUERY} characters")
    if not query.strip() or query.strip() == "*":
        return lambda _: True
    return _Parser(query).whole()


class _Parser:
    """One query on its way into a test."""

    def __init__(self, query: str) -> None:
        self._tokens: list[tuple[str, str]] = []
        self._touches: list[bool] = []
        """Of each token, whether nothing stands between it and the one before."""
        at = 0
        query = query.rstrip()
        while at < len(query):
            found = _TOKEN.match(query, at)
            if found is None:
                raise BadQuery(f"nothing is known to begin with {query[at : at + 20]!r}")
            self._tokens.append((found.lastgroup or "", found[found.lastgroup or 0]))
            self._touches.append(found.start(found.lastgroup or 0) == at)
            at = found.end()
        self._at = 0
        self._depth = 0

    def whole(self) -> Test:
        test = self._either("")
        if self._at < len(self._tokens):
            raise BadQuery(f"{self._tokens[self._at][1]!r} was not expected there")
        return test

    def _next(self) -> tuple[str, str]:
        return self._tokens[self._at] if self._at < len(self._tokens) else ("", "")

    def _taken(self, *words: str) -> bool:
        kind, word = self._next()
        if kind != "quoted" and word in words:
            self._at += 1
            return True
        return False

    def _either(self, field: str) -> Test:
        tests = [self._both(field)]
        while self._taken("OR"):
            tests.append(self._both(field))
        return tests[0] if len(tests) == 1 else lambda shown: any(test(shown) for test in tests)

    def _both(self, field: str) -> Test:
        tests = [self._one(field)]
        while self._taken("AND") or (self._next()[0] and self._next()[1] not in ("OR", ")")):
            tests.append(self._one(field))
        return tests[0] if len(tests) == 1 else lambda shown: all(test(shown) for test in tests)

    def _one(self, field: str) -> Test:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise BadQuery(f"it is nested more than {MAX_DEPTH} levels deep")
        try:
            if self._taken("NOT"):
                test = self._one(field)
                return lambda shown: not test(shown)
            if self._taken("("):
                inner = self._either(field)
                if not self._taken(")"):
                    raise BadQuery("a closing bracket is missing")
                return inner
            return self._term(field)
        finally:
            self._depth -= 1

    def _term(self, field: str) -> Test:
        kind, word = self._next()
        if kind not in ("word", "quoted"):
            raise BadQuery(f"a field or a word was expected instead of {word!r}" if word else "it ends too early")
        self._at += 1
        mark = self._next()[1] if self._next()[0] == "mark" else ""
        if not field and kind == "word" and mark in (":", "=", "<", ">", "<=", ">="):
            self._at += 1
            return self._of_field(word, mark)
        value = _plain(kind, word)
        return (
            _is(field, value) if field else lambda shown: any(_is(name, value, within=True)(shown) for name in _TEXTS)
        )

    def _of_field(self, name: str, mark: str) -> Test:
        field = _BY_NAME.get(name.lower(), "")
        if not field and name.lower().startswith("details."):
            field = name
        if not field:
            raise BadQuery(f"{name!r} is no field; there are {', '.join(sorted(_FIELDS))} and details.KEY")
        if mark in (":", "=") and self._next()[1] == "(":
            return self._one(field)
        if mark in (":", "=") and self._taken(">", "<", ">=", "<="):
            mark = self._tokens[self._at - 1][1]
        if mark in (":", "=") and self._taken("NULL", "null"):
            return lambda shown: not any(_texts(_content(shown, field)))
        value = self._value(name)
        return _is(field, value) if mark in (":", "=") else _compared(field, mark, value)

    def _value(self, name: str) -> str:
        """The value of a field; one without quotes may have colons in it, as times and tags have."""
        kind, word = self._next()
        if kind not in ("word", "quoted"):
            raise BadQuery(f"{name} needs a value")
        self._at += 1
        value = _plain(kind, word)
        while kind == "word" and self._next()[1] in (":", "=") and self._touches[self._at]:
            value += self._tokens[self._at][1]
            self._at += 1
            if self._next()[0] == "word" and self._touches[self._at]:
                value += self._tokens[self._at][1]
                self._at += 1
        return value


def _plain(kind: str, word: str) -> str:
    return re.sub(r"\\(.)", r"\1", word[1:-1]) if kind == "quoted" else word


def _content(shown: Shown, field: str) -> Any:
    if field.lower().startswith("details."):
        return shown["details"].get(field[len("details.") :], "")
    value = shown.get(field, "")
    return value["name"] if field == "integration" else value


def _texts(value: Any) -> list[str]:
    if isinstance(value, list):
        return [_texts(item)[0] for item in value]
    if isinstance(value, bool):
        return [str(value).lower()]
    if isinstance(value, dict):
        return [str(value.get("name", ""))]
    return ["" if value is None else str(value)]


def _is(field: str, value: str, *, within: bool = False) -> Test:
    wanted = value.lower()
    within = within or field in _WITHIN

    def test(shown: Shown) -> bool:
        found = [text.lower() for text in _texts(_content(shown, field))]
        if wanted.endswith("*"):
            return any(_begins(text, wanted[:-1], within=within) for text in found)
        return any(wanted in text if within else wanted == text for text in found)

    return test


def _begins(text: str, start: str, *, within: bool) -> bool:
    """Whether a text begins so, or, of a longer text, one of its words."""
    return text.startswith(start) or (within and f" {start}" in text)


def _compared(field: str, mark: str, value: str) -> Test:
    limit = _number(value)
    if limit is None:
        raise BadQuery(f"{field} {mark} needs a number or a time, not {value!r}")

    def test(shown: Shown) -> bool:
        found = _number(_texts(_content(shown, field))[0])
        if found is None:
            return False
        return {"<": found < limit, "<=": found <= limit, ">": found > limit, ">=": found >= limit}[mark]

    return test


def _number(value: str) -> int | None:
    """A small number as it is, a time in microseconds."""
    if value.isdigit() and len(value) < 10:
        return int(value)
    return times.parse(_DATE.sub(r"\3-\2-\1", value))

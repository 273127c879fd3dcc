"""Rules and look-up tables, as they are configured: the shapes, and what can be checked of one alone. Pure.

What a rule does to an event is rulebook.py's.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from app.incidents.priority import Impact, Urgency
from app.routing.matchers import MAX_MATCHER, BadMatcher, contradiction, parse
from app.sources.event import MAX_VALUE, Severity
from app.sources.limits import is_web

MAX_ROWS = 5_000
MAX_COLUMNS = 50


def _a_matcher(text: str) -> str:
    try:
        return str(parse(text))
    except BadMatcher as error:
        raise ValueError(str(error)) from None


MatcherText = Annotated[
    str,
    Field(
        min_length=1, max_length=MAX_MATCHER, examples=['alertname="DiskFull"', 'host=~"db-.*"', '@severity!="info"']
    ),
    AfterValidator(_a_matcher),
]
Name = Annotated[str, Field(min_length=1, max_length=200)]
Value = Annotated[str, Field(max_length=MAX_VALUE)]


class _Shape(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class LookUp(_Shape):
    """Columns of a table that become labels."""

    table_id: str
    by: str = Field(min_length=1, max_length=300, description="The label, or @field, whose value is looked for.")
    take: tuple[Name, ...] = Field(min_length=1, max_length=MAX_COLUMNS, description="Columns that become labels.")


class LinkTo(_Shape):
    """A link that people see on the alert."""

    text: str = Field(min_length=1, max_length=200, examples=["Runbook"])
    url: str = Field(
        min_length=1,
        max_length=2_000,
        description="http or https. {name} stands for a label or @field, escaped for an address.",
        examples=["https://runbooks.example/{alertname}"],
    )

    @model_validator(mode="after")
    def _is_web(self) -> Self:
        host = self.url.partition("//")[2].partition("/")[0]
        if "{" in host or not is_web(self.url):
            raise ValueError("`url` must be an http or https address whose host is written out")
        return self


class Then(_Shape):
    """What a rule does, in this order: look up, set, add, send elsewhere; at last whether it pages."""

    look_up: LookUp | None = None
    labels: dict[Name, Value] = Field(
        default_factory=dict,
        max_length=50,
        description="Labels to set. {name} stands for a label or @field; an empty text takes the label away.",
    )
    links: tuple[LinkTo, ...] = Field(default=(), max_length=10)
    category: str | None = Field(
        default=None, min_length=1, max_length=100, description="Kept as the label `category`."
    )
    severity: Severity | None = None
    urgency: Urgency | None = Field(
        default=None,
        description="Moves the severity as far as is needed: high to at least error, low to at most warning.",
    )
    impact: Impact | None = Field(default=None, description="In place of the service's, for incidents that it opens.")
    service_id: str | None = Field(default=None, description="The service it belongs to.")
    service_from: str | None = Field(
        default=None,
        max_length=300,
        description="The label, or @field, that names the service; where no service is called that, nothing changes.",
    )
    hold_s: int | None = Field(
        default=None, ge=1, le=86_400, description="Pages only if it still fires after so many seconds."
    )
    suppress: str | None = Field(
        default=None, min_length=1, max_length=500, description="Why: kept as an alert, but it concerns nobody."
    )
    drop: str | None = Field(
        default=None,
        min_length=1,
        max_length=500,
        description="Why: not kept as an alert; counted, the last are shown.",
    )

    @model_validator(mode="after")
    def _does_something(self) -> Self:
        if not any(getattr(self, name) for name in type(self).model_fields):
            raise ValueError(
                "the rule does nothing; say what is to be done, such as `service_id`, `severity` or `drop`"
            )
        if self.drop and self.suppress:
            raise ValueError("`drop` and `suppress` exclude each other")
        if self.service_id and self.service_from:
            raise ValueError("`service_id` and `service_from` exclude each other")
        return self


class Example(_Shape):
    """An event and what the rule must make of it; it is tried whenever the rule is saved."""

    title: str = Field(default="", max_length=300)
    severity: Severity = "error"
    labels: dict[Name, Value] = Field(default_factory=dict, max_length=200)
    annotations: dict[Name, Value] = Field(default_factory=dict, max_length=200)
    service: str = Field(default="", max_length=200, description="The name of the service of its integration.")
    integration: str = Field(default="", max_length=200)
    kind: str = Field(default="", max_length=100)
    matches: bool = Field(default=True, description="Whether the rule must match it.")
    gives: dict[Name, Value] = Field(
        default_factory=dict,
        max_length=50,
        description="What must stand there afterwards: labels, and @severity or @service, by name.",
    )


class Rule(_Shape):
    """One rule."""

    name: str = Field(min_length=1, max_length=200)
    description: str = Field(default="", max_length=2_000)
    place: int = Field(
        default=100, ge=0, le=1_000_000, description="Rules are asked in this order; of equal ones the older first."
    )
    enabled: bool = True
    when: tuple[MatcherText, ...] = Field(default=(), max_length=30, description="All must hold. None: every event.")
    then: Then
    stop: bool = Field(default=False, description="No rule after this one is asked. `drop` and `suppress` stop anyway.")
    examples: tuple[Example, ...] = Field(default=(), max_length=20)

    @model_validator(mode="after")
    def _can_match(self) -> Self:
        if why := contradiction([parse(text) for text in self.when]):
            raise ValueError(f"the rule can never match: {why}")
        return self


class Table(_Shape):
    """Facts by which rules enrich events: rows of texts, found by the value of one column."""

    name: str = Field(min_length=1, max_length=200)
    key: str = Field(min_length=1, max_length=200, description="The column whose value is looked for.")
    format: Literal["rows", "csv"] = "rows"
    rows: tuple[dict[Name, Value], ...] = Field(default=(), max_length=MAX_ROWS)
    csv: str = Field(
        default="", description="In place of `rows`: comma-separated, names of columns first. Kept as rows."
    )

    @model_validator(mode="after")
    def _readable(self) -> Self:
        if bool(self.csv) == bool(self.rows):
            raise ValueError("send either `rows` or `csv`")
        found: set[str] = set()
        for place, row in enumerate(self.read()):
            value = row.get(self.key, "")
            if not value:
                raise ValueError(f"row {place + 1} has nothing in the column {self.key!r}")
            if value in found:
                raise ValueError(f"row {place + 1}: {self.key}={value[:80]!r} stands there twice")
            if len(row) > MAX_COLUMNS:
                raise ValueError(f"row {place + 1} has more than {MAX_COLUMNS} columns")
            found.add(value)
        return self

    def read(self) -> tuple[dict[str, str], ...]:
        """The rows, however they were sent. Raises ValueError."""
        return self.rows or _rows_of(self.csv)


def _rows_of(text: str) -> tuple[dict[str, str], ...]:
    reader = csv.DictReader(io.StringIO(text.removeprefix("\ufeff")), strict=True)
    rows: list[dict[str, str]] = []
    try:
        for row in reader:
            if None in row or None in row.values():
                raise ValueError(f"line {reader.line_num} has another number of columns than the first")
            rows.append({name: value for name, value in row.items() if value})
            if len(rows) > MAX_ROWS:
                raise ValueError(f"a table may have {MAX_ROWS} rows")
    except csv.Error as error:
        raise ValueError(f"`csv` can't be read: {error} (line {reader.line_num})") from None
    return tuple(rows)


def stored_table(table: Table) -> Mapping[str, object]:
    """A table as it is kept: rows, however it was sent."""
    return {"name": table.name, "key": table.key, "format": "rows", "rows": list(table.read()), "csv": ""}


RAISED: Mapping[Urgency, Mapping[str, Severity]] = {
    "high": {"none": "error", "info": "error", "warning": "error"},
    "low": {"critical": "warning", "error": "warning"},
}
"""By urgency: the severity that takes the place of one that does not have it."""

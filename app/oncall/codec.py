"""A schedule as the JSON document it is stored and exchanged as. docs/schedules.md tells the form to people.

The keys are a promise: one that was ever written can always be read. Reading is strict (an unknown key is a typing error,
a number is never a time) and refuses with the path of the field. Must never know pydantic, HTTP or the database.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import date, datetime, time
from typing import Any, TypeVar

from app.clock import Micros, from_datetime, to_datetime
from app.ids import PersonId
from app.oncall.schedule import BadField, Layer, Override, OverrideId, Restriction, Schedule, Unit

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
UNITS: dict[str, Unit] = {"day": "day", "week": "week"}

CLOCK = r"^([01][0-9]|2[0-3]):[0-5][0-9]$"
DATE = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"
INSTANT = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?([Zz]|[+-][0-9]{2}:[0-9]{2})$"
PERSON = r"^([1-9][0-9]{0,17}|[1-8][0-9]{18})$"
"""Ids are written as text: a JSON number beyond 2^53 is rounded by browsers, which would be another person."""

_T = TypeVar("_T")
_Read = Callable[[str, Any], _T]


def from_document(document: object) -> Schedule:
    """The schedule that the document describes. Raises BadField, which names the field and what it must be."""
    fields = _fields("document", document, required=("time_zone", "layers"))
    time_zone = _text("time_zone", fields["time_zone"])
    layers = _list("layers", fields["layers"], _layer)
    return Schedule(time_zone, layers)


def to_document(schedule: Schedule) -> dict[str, Any]:
    """The document from which `from_document` makes the same schedule; every key is written, so it reads alone."""
    return {"time_zone": schedule.time_zone, "layers": [_layer_document(layer) for layer in schedule.layers]}


def override_from_document(document: object, override_id: OverrideId) -> Override:
    """The override that the document describes, under the id it has in the store. Raises BadField."""
    fields = _fields("document", document, required=("starts_at", "ends_at", "person"), optional=("replaces",))
    return Override(
        override_id,
        read_instant("starts_at", fields["starts_at"]),
        read_instant("ends_at", fields["ends_at"]),
        _person("person", fields["person"]),
        _optional("replaces", fields.get("replaces"), _person),
    )


def override_to_document(override: Override) -> dict[str, Any]:
    """The document of an override, without its id."""
    return {
        "starts_at": _instant_text(override.starts_at),
        "ends_at": _instant_text(override.ends_at),
        "person": str(override.person),
        "replaces": None if override.replaces is None else str(override.replaces),
    }


def read_clock(path: str, value: object) -> time:
    """A local time of day, written as "HH:MM"."""
    if not isinstance(value, str) or not re.fullmatch(CLOCK, value):
        raise BadField(
            path, f'must be a time as text, "00:00" to "23:59", not {_shown(value)} (YAML: put it in quotes)'
        )
    return time.fromisoformat(value)


def read_date(path: str, value: object) -> date:
    """A calendar date, written as "YYYY-MM-DD"."""
    if isinstance(value, str) and re.fullmatch(DATE, value):
        try:
            return date.fromisoformat(value)
        except ValueError:
            pass  # Well written, but no day of any calendar: the same answer.
    raise BadField(path, f'must be a date as text, "YYYY-MM-DD", not {_shown(value)} (YAML: put it in quotes)')


def read_instant(path: str, value: object) -> Micros:
    """An instant, written as RFC 3339 with its offset from UTC."""
    if isinstance(value, str) and re.fullmatch(INSTANT, value):
        try:
            return from_datetime(datetime.fromisoformat(value.upper()))
        except (ValueError, OverflowError):
            pass  # Well written, but never on any clock: the same answer.
    raise BadField(path, f'must be an instant with its offset, "2026-03-29T01:00:00Z", not {_shown(value)}')


def _layer(path: str, value: object) -> Layer:
    required = ("name", "participants", "unit", "length", "start_date", "handoff")
    fields = _fields(path, value, required=required, optional=("restrictions", "starts_at", "ends_at"))
    return _built(
        path,
        lambda: Layer(
            name=_text("name", fields["name"]),
            participants=_list("participants", fields["participants"], _person),
            unit=_unit("unit", fields["unit"]),
            length=_whole("length", fields["length"]),
            start_date=read_date("start_date", fields["start_date"]),
            handoff=read_clock("handoff", fields["handoff"]),
            restrictions=_list("restrictions", fields.get("restrictions", []), _restriction),
            starts_at=_optional("starts_at", fields.get("starts_at"), read_instant),
            ends_at=_optional("ends_at", fields.get("ends_at"), read_instant),
        ),
    )


def _restriction(path: str, value: object) -> Restriction:
    fields = _fields(path, value, required=("start", "end"), optional=("weekdays",))
    return _built(
        path,
        lambda: Restriction(
            weekdays=frozenset(_list("weekdays", fields.get("weekdays", list(WEEKDAYS)), _weekday)),
            start=read_clock("start", fields["start"]),
            end=read_clock("end", fields["end"]),
        ),
    )


def _layer_document(layer: Layer) -> dict[str, Any]:
    return {
        "name": layer.name,
        "participants": [str(person) for person in layer.participants],
        "unit": layer.unit,
        "length": layer.length,
        "start_date": layer.start_date.isoformat(),
        "handoff": _clock_text(layer.handoff),
        "restrictions": [
            {
                "weekdays": [WEEKDAYS[day] for day in sorted(restriction.weekdays)],
                "start": _clock_text(restriction.start),
                "end": _clock_text(restriction.end),
            }
            for restriction in layer.restrictions
        ],
        "starts_at": None if layer.starts_at is None else _instant_text(layer.starts_at),
        "ends_at": None if layer.ends_at is None else _instant_text(layer.ends_at),
    }


def _clock_text(clock: time) -> str:
    return clock.isoformat("minutes")


def _instant_text(at: Micros) -> str:
    """To the microsecond, because it is read back (app.clock.iso is for people)."""
    return to_datetime(at).isoformat().replace("+00:00", "Z")


def _fields(
    path: str, value: object, *, required: tuple[str, ...], optional: tuple[str, ...] = ()
) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise BadField(path, f"must be an object, not {_shown(value)}")
    for key in value:
        if key not in required and key not in optional:
            raise BadField(path, f"has no field {_shown(key)}; it has {', '.join(required + optional)}")
    for key in required:
        if key not in value:
            raise BadField(path, f"must have the field {key!r}")
    return value


def _built(path: str, build: Callable[[], _T]) -> _T:
    """What `build` gives; a complaint about one of its fields is made with the whole path."""
    try:
        return build()
    except BadField as error:
        raise BadField(f"{path}.{error.field}", error.rule) from None


def _list(path: str, value: object, read: _Read[_T]) -> tuple[_T, ...]:
    if not isinstance(value, list | tuple):
        raise BadField(path, f"must be a list, not {_shown(value)}")
    return tuple(read(f"{path}[{index}]", item) for index, item in enumerate(value))


def _optional(path: str, value: object, read: _Read[_T]) -> _T | None:
    return None if value is None else read(path, value)


def _text(path: str, value: object) -> str:
    if not isinstance(value, str):
        raise BadField(path, f"must be text, not {_shown(value)}")
    return value


def _whole(path: str, value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise BadField(path, f"must be a whole number, not {_shown(value)}")
    return value


def _person(path: str, value: object) -> PersonId:
    text = str(value) if isinstance(value, int | str) else ""
    if not re.fullmatch(PERSON, text):
        raise BadField(path, f"must be the id of a person, not {_shown(value)}")
    return PersonId(int(text))


def _unit(path: str, value: object) -> Unit:
    if not isinstance(value, str) or value not in UNITS:
        raise BadField(path, f"must be one of {', '.join(UNITS)}, not {_shown(value)}")
    return UNITS[value]


def _weekday(path: str, value: object) -> int:
    if not isinstance(value, str) or value not in WEEKDAYS:
        raise BadField(path, f"must be one of {', '.join(WEEKDAYS)}, not {_shown(value)}")
    return WEEKDAYS.index(value)


def _shown(value: object) -> str:
    return repr(value)[:80]

"""A schedule as the JSON document it is stored and exchanged as. docs/schedules.md tells the form to people.

The keys are a promise: one that was ever written can always be read. Reading is strict (an unknown key is a typing error,
a number is never a time) and refuses with the path of the field. Must never know pydantic, HTTP or the database.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import date, datetime, time
from typing import Any, TypeVar, assert_never

from app.clock import Micros, from_datetime, to_datetime
from app.ids import PersonId
from app.oncall.rota import ByCalendar, ByLayer, ByOverride, Debt, Standing, Stint, Turned, Why
from app.oncall.schedule import (
    PRIMARY,
    BadField,
    CalendarId,
    CalendarLayer,
    Layer,
    Limits,
    Override,
    OverrideId,
    Restriction,
    Schedule,
    Unit,
)

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
UNITS: dict[str, Unit] = {"hour": "hour", "day": "day", "week": "week", "month": "month"}
TURNED: dict[str, Turned] = {
    "turn": "turn",
    "stands_in": "stands_in",
    "pays_back": "pays_back",
    "nobody_else": "nobody_else",
}

CLOCK = r"^([01][0-9]|2[0-3]):[0-5][0-9]$"
DATE = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"
INSTANT = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?([Zz]|[+-][0-9]{2}:[0-9]{2})$"
PERSON = r"^([1-9][0-9]{0,17}|[1-8][0-9]{18})$"
"""Ids are written as text: a JSON number beyond 2^53 is rounded by browsers, which would be another person."""

_T = TypeVar("_T")
_Read = Callable[[str, Any], _T]


def from_document(document: object) -> Schedule:
    """The schedule that the document describes. Raises BadField, which names the field and what it must be."""
    fields = _fields("document", document, required=("time_zone", "layers"), optional=("limits",))
    time_zone = _text("time_zone", fields["time_zone"])
    layers = _list("layers", fields["layers"], _layer)
    return Schedule(time_zone, layers, _optional("limits", fields.get("limits"), _limits) or Limits())


def to_document(schedule: Schedule) -> dict[str, Any]:
    """The document from which `from_document` makes the same schedule; every key is written, so it reads alone."""
    return {
        "time_zone": schedule.time_zone,
        "layers": [
            _layer_document(layer) if isinstance(layer, Layer) else _calendar_layer_document(layer)
            for layer in schedule.layers
        ],
        "limits": {
            "nights_in_7_days": schedule.limits.nights_in_7_days,
            "rest_after_paged_night_h": schedule.limits.rest_after_paged_night_h,
        },
    }


def override_from_document(document: object, override_id: OverrideId) -> Override:
    """The override that the document describes, under the id it has in the store. Raises BadField."""
    fields = _fields("document", document, required=("starts_at", "ends_at", "person"), optional=("replaces", "role"))
    return Override(
        override_id,
        read_instant("starts_at", fields["starts_at"]),
        read_instant("ends_at", fields["ends_at"]),
        _person("person", fields["person"]),
        _optional("replaces", fields.get("replaces"), _person),
        _optional("role", fields.get("role"), _text),
    )


def override_to_document(override: Override) -> dict[str, Any]:
    """The document of an override, without its id."""
    return {
        "starts_at": _instant_text(override.starts_at),
        "ends_at": _instant_text(override.ends_at),
        "person": str(override.person),
        "replaces": None if override.replaces is None else str(override.replaces),
        "role": override.role,
    }


def why_to_document(why: Why) -> dict[str, Any]:
    """Why somebody was on call, as the record keeps it."""
    match why:
        case ByLayer(layer=layer, turn=turn, how=how, instead_of=owner, because=because):
            instead_of = None if owner is None else str(owner)
            return {"layer": layer, "turn": turn, "how": how, "instead_of": instead_of, "because": because}
        case ByOverride(override=override, replaces=replaced, beneath=beneath):
            of_whom = None if replaced is None else str(replaced)
            return {"override": str(override), "replaces": of_whom, "beneath": beneath}
        case ByCalendar(layer=layer, event=event):
            return {"layer": layer, "event": event}
        case _:
            assert_never(why)


def why_from_document(document: Mapping[str, Any]) -> Why:
    """What `why_to_document` wrote, whenever that was. Keys that a later version may have added are passed over."""
    if "override" in document:
        replaces = _optional("replaces", document.get("replaces"), _person)
        return ByOverride(OverrideId(int(document["override"])), replaces, document.get("beneath", ""))
    if "event" in document:
        return ByCalendar(document["layer"], document["event"])
    return ByLayer(
        document["layer"],
        document["turn"],
        TURNED.get(document.get("how", "turn"), "turn"),
        _optional("instead_of", document.get("instead_of"), _person),
        document.get("because", ""),
    )


def standing_to_document(standing: Standing) -> dict[str, Any]:
    """What a layer remembers, as it is kept beside the record."""
    return {
        "turn": standing.turn,
        "debts": [[debt.debtor, debt.creditor, debt.turn, debt.blocks, debt.whole] for debt in standing.debts],
        "lately": [[stint.turn, stint.role, stint.first, stint.until, stint.person] for stint in standing.lately],
    }


def standing_from_document(document: Mapping[str, Any]) -> Standing:
    """What `standing_to_document` wrote."""
    debts = (Debt(PersonId(a), PersonId(b), turn, blocks, *rest) for a, b, turn, blocks, *rest in document["debts"])
    lately = (
        Stint(turn, role, first, until, PersonId(p)) for turn, role, first, until, p in document.get("lately", [])
    )
    return Standing(document["turn"], tuple(debts), tuple(lately))


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


def _layer(path: str, value: object) -> Layer | CalendarLayer:
    if isinstance(value, Mapping) and "calendar" in value:
        return _calendar_layer(path, value)
    required = ("name", "participants", "unit", "length", "start_date", "handoff")
    optional = ("restrictions", "starts_at", "ends_at", "roles", "advance")
    fields = _fields(path, value, required=required, optional=optional)
    return _built(
        path,
        lambda: Layer(
            name=_text("name", fields["name"]),
            participants=_list("participants", fields["participants"], _person),
            unit=_unit("unit", fields["unit"]),
            lengths=_lengths("length", fields["length"]),
            start_date=read_date("start_date", fields["start_date"]),
            handoff=read_clock("handoff", fields["handoff"]),
            restrictions=_list("restrictions", fields.get("restrictions", []), _restriction),
            starts_at=_optional("starts_at", fields.get("starts_at"), read_instant),
            ends_at=_optional("ends_at", fields.get("ends_at"), read_instant),
            roles=_list("roles", fields.get("roles", [PRIMARY]), _text),
            advance=_whole("advance", fields.get("advance", 1)),
        ),
    )


def _calendar_layer(path: str, value: object) -> CalendarLayer:
    fields = _fields(path, value, required=("name", "calendar"), optional=("role", "starts_at", "ends_at"))
    return _built(
        path,
        lambda: CalendarLayer(
            name=_text("name", fields["name"]),
            calendar=CalendarId(_id("calendar", fields["calendar"], "a calendar")),
            role=_text("role", fields.get("role", PRIMARY)),
            starts_at=_optional("starts_at", fields.get("starts_at"), read_instant),
            ends_at=_optional("ends_at", fields.get("ends_at"), read_instant),
        ),
    )


def _limits(path: str, value: object) -> Limits:
    fields = _fields(path, value, required=(), optional=("nights_in_7_days", "rest_after_paged_night_h"))
    return _built(
        path,
        lambda: Limits(
            nights_in_7_days=_optional("nights_in_7_days", fields.get("nights_in_7_days"), _whole),
            rest_after_paged_night_h=_optional(
                "rest_after_paged_night_h", fields.get("rest_after_paged_night_h"), _whole
            ),
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
        "length": layer.lengths[0] if len(layer.lengths) == 1 else list(layer.lengths),
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
        **_validity_document(layer),
        "roles": list(layer.roles),
        "advance": layer.advance,
    }


def _calendar_layer_document(layer: CalendarLayer) -> dict[str, Any]:
    return {
        "name": layer.name,
        "calendar": str(layer.calendar),
        "role": layer.role,
        **_validity_document(layer),
    }


def _validity_document(layer: Layer | CalendarLayer) -> dict[str, Any]:
    return {
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


def _lengths(path: str, value: object) -> tuple[int, ...]:
    """One length, or a list of them."""
    return _list(path, value, _whole) if isinstance(value, list | tuple) else (_whole(path, value),)


def _person(path: str, value: object) -> PersonId:
    return PersonId(_id(path, value, "a person"))


def _id(path: str, value: object, whose: str) -> int:
    text = str(value) if isinstance(value, int | str) else ""
    if not re.fullmatch(PERSON, text):
        raise BadField(path, f"must be the id of {whose}, not {_shown(value)}")
    return int(text)


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

"""Public holidays of a country or a part of it, from the `holidays` package; days observed in their place included.

The package is loaded at the first question and not with the server: it takes 0.1 s and 12 MB, and many installations never
ask. `load()` lets a process do it at a time of its choice. Names are in English where the package has them, whatever the
machine's language, so that all replicas say the same. Must never know the database or what time it is.
"""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from functools import cache, lru_cache
from importlib import import_module
from itertools import chain
from typing import Any
from zoneinfo import ZoneInfo

from app.clock import Micros
from app.ids import PersonId
from app.oncall.rota import Away
from app.oncall.walltime import UnknownZone, instant, wall, zone

Holiday = tuple[date, str]
"""The local date, and what is celebrated."""

_LANGUAGE = "en_US"
_DAY = timedelta(days=1)
_KEPT = 10_000
"""Years of places that are kept: more than a server with people in every country asks for."""


@cache
def load() -> Any:
    """Loads the package and all its countries. The first call takes 0.1 s; call it in a thread where others wait."""
    import_module("holidays.countries")
    return import_module("holidays")


@cache
def _places() -> dict[str, list[str]]:
    """ISO 3166-1 alpha-2 code of every country that is known, with the codes of its parts."""
    found: dict[str, list[str]] = load().list_supported_countries(include_aliases=False)
    return found


def known(country: str, subdivision: str = "") -> str | None:
    """None when the public holidays there are known; else what is wrong and what could be written.

    To be read after the name of the field at fault, which is the country when that alone is not known.
    """
    if country not in _places():
        return "is no ISO 3166-1 code of a country whose public holidays are known here; write one such as DE, GB or US"
    parts = _places()[country]
    if not subdivision or subdivision in parts:
        return None
    if not parts:
        return f"must be empty: the public holidays of {country} are known here for the whole country only"
    return f"must be empty or a part of {country} whose public holidays are known here: {', '.join(parts)}"


def public_holidays(country: str, subdivision: str, first: date, last: date) -> tuple[Holiday, ...]:
    """The public holidays from `first` to `last`, both included, in order; none where or when they are not known."""
    years = range(first.year, last.year + 1)
    found = chain.from_iterable(_of_year(country, subdivision, year) for year in years)
    return tuple((day, name) for day, name in found if first <= day <= last)


def holiday_away(
    person: PersonId, country: str, subdivision: str, zone_name: str, start: Micros, end: Micros
) -> tuple[Away, ...]:
    """The public holidays that touch [start, end), each from midnight to midnight on the clock of the person's zone."""
    return tuple(
        Away(person, since, until, f"public holiday ({name})")
        for since, until, name in holiday_spans(country, subdivision, zone_name, start, end)
    )


def holiday_spans(
    country: str, subdivision: str, zone_name: str, start: Micros, end: Micros
) -> tuple[tuple[Micros, Micros, str], ...]:
    """The same as instants and names. A zone that is not known (any more) counts as UTC."""
    name = _zone_known(zone_name)
    first, last = wall(zone(name), start), wall(zone(name), end)
    spans = chain.from_iterable(
        _spans_of_year(country, subdivision, name, year) for year in range(first.year, last.year + 1)
    )
    return tuple(span for span in spans if span[0] < end and span[1] > start)


def _zone_known(name: str) -> str:
    try:
        zone(name)
    except UnknownZone:
        return "UTC"
    return name


@lru_cache(_KEPT)
def _of_year(country: str, subdivision: str, year: int) -> tuple[Holiday, ...]:
    # A place that an update of the package dropped has no holidays, and its people's rotas go on.
    if not country or known(country, subdivision):
        return ()
    found = load().country_holidays(
        country, subdiv=subdivision or None, years=year, expand=False, observed=True, language=_LANGUAGE
    )
    return tuple(sorted((day, str(name)) for day, name in found.items() if day.year == year))


@lru_cache(_KEPT)
def _spans_of_year(country: str, subdivision: str, zone_name: str, year: int) -> tuple[tuple[Micros, Micros, str], ...]:
    rules = zone(zone_name)
    days = ((day, day + _DAY, name) for day, name in _of_year(country, subdivision, year))
    spans = ((_midnight(day, rules), _midnight(after, rules), name) for day, after, name in days)
    # A date that the calendar of a zone left out has no length.
    return tuple(span for span in spans if span[0] < span[1])


def _midnight(day: date, rules: ZoneInfo) -> Micros:
    return instant(rules, datetime.combine(day, time.min))

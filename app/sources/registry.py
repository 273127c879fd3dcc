"""Every sender's dialect that is built in, and the way in for those of others (entry point group `tocsin.sources`).

The list is explicit: a new sender is one file and one line here. Knows no dialect from inside.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from importlib.metadata import EntryPoint, entry_points
from types import MappingProxyType
from typing import Any, get_args

from pydantic import SecretStr, ValidationError

from app.sources.alertmanager import Alertmanager, Grafana
from app.sources.azure import Azure
from app.sources.checkmk import Checkmk
from app.sources.datadog import Datadog
from app.sources.dynatrace import Dynatrace
from app.sources.elastic import Elastic
from app.sources.gcp import Gcp
from app.sources.generic import Generic
from app.sources.github import Github
from app.sources.graylog import Graylog
from app.sources.healthchecks import Healthchecks
from app.sources.icinga import Icinga
from app.sources.jenkins import Jenkins
from app.sources.mail import Mail
from app.sources.monit import Monit
from app.sources.nagios import Nagios
from app.sources.netdata import Netdata
from app.sources.newrelic import NewRelic
from app.sources.opsgenie import Opsgenie
from app.sources.pagerduty import PagerDuty
from app.sources.pingdom import Pingdom
from app.sources.sentry import Sentry
from app.sources.site24x7 import Site24x7
from app.sources.sns import Sns
from app.sources.source import Source, SourceSettings
from app.sources.splunk import Splunk
from app.sources.statuspage import Statuspage
from app.sources.uptimekuma import UptimeKuma
from app.sources.zabbix import Zabbix

BUILT_IN: tuple[Source[Any], ...] = (
    Alertmanager(),
    Grafana(),
    Datadog(),
    Zabbix(),
    Azure(),
    Checkmk(),
    Dynatrace(),
    Elastic(),
    Gcp(),
    Github(),
    Graylog(),
    Healthchecks(),
    Icinga(),
    Jenkins(),
    Mail(),
    Monit(),
    Nagios(),
    Netdata(),
    NewRelic(),
    Pingdom(),
    Sentry(),
    Site24x7(),
    Sns(),
    Splunk(),
    Statuspage(),
    UptimeKuma(),
    Opsgenie(),
    PagerDuty(),
    Generic(),
)

GROUP = "tocsin.sources"
_KIND = re.compile(r"[a-z][a-z0-9_-]{0,39}")


class BadSource(Exception):
    """A source that can't be taken in; the text says which and why. Raised at start, so that nobody runs without it."""


class UnknownKind(Exception):
    """No source has that kind; the text names those there are."""


class BadSettings(Exception):
    """Settings that can't be saved. `errors` has one sentence a fault, each beginning with the field's name."""

    def __init__(self, errors: tuple[str, ...]) -> None:
        super().__init__("; ".join(errors))
        self.errors = errors


def registry(sources: Iterable[Source[Any]]) -> Mapping[str, Source[Any]]:
    """These sources by kind. Raises BadSource for a kind that is taken or no path segment, and for an incomplete one."""
    known: dict[str, Source[Any]] = {}
    for source in sources:
        kind = getattr(source, "kind", None)
        if not isinstance(kind, str) or not _KIND.fullmatch(kind):
            raise BadSource(f"{source!r} has no usable kind: lower-case letters, digits, - and _ were expected.")
        settings = getattr(source, "Settings", None)
        if not (isinstance(settings, type) and issubclass(settings, SourceSettings)):
            raise BadSource(f"The source {kind!r} has no Settings that extend SourceSettings.")
        if not callable(getattr(source, "read", None)) or not isinstance(getattr(source, "title", None), str):
            raise BadSource(f"The source {kind!r} lacks a title or a read method.")
        if kind in known:
            raise BadSource(f"Two sources have the kind {kind!r}; one of them must go or be renamed.")
        known[kind] = source
    return MappingProxyType(known)


SOURCES: Mapping[str, Source[Any]] = registry(BUILT_IN)
"""The built-in sources by kind."""


def installed(found: Iterable[EntryPoint] | None = None) -> Mapping[str, Source[Any]]:
    """The built-in sources, and those that installed packages offer under GROUP: an object, or a class without arguments.

    Call once, at start. Raises BadSource, and whatever a broken package raises when it is imported.
    """
    offered = entry_points(group=GROUP) if found is None else found
    others = []
    for point in sorted(offered, key=lambda point: point.name):
        loaded = point.load()
        others.append(loaded() if isinstance(loaded, type) else loaded)
    return registry((*BUILT_IN, *others))


def parse_settings(
    kind: str, document: Mapping[str, Any], sources: Mapping[str, Source[Any]] = SOURCES
) -> SourceSettings:
    """The settings of an integration of this kind, checked. Raises UnknownKind or BadSettings."""
    source = sources.get(kind)
    if source is None:
        raise UnknownKind(f"There is no source {kind!r}; there are {', '.join(sorted(sources))}.")
    try:
        return source.Settings.model_validate(document)
    except ValidationError as error:
        raise BadSettings(
            tuple(_sentence(fault["loc"], fault["msg"], fault["type"]) for fault in error.errors())
        ) from None


HIDDEN = "***"
"""Stands for a secret of the settings wherever it is shown; sent back, it keeps the one that is stored."""


def secrets_of(sources: Mapping[str, Source[Any]], kind: str) -> frozenset[str]:
    """The settings of this kind that are secret."""
    fields = sources[kind].Settings.model_fields if kind in sources else {}
    return frozenset(
        name for name, field in fields.items() if SecretStr in (field.annotation, *get_args(field.annotation))
    )


def stored_settings(sources: Mapping[str, Source[Any]], kind: str, document: Mapping[str, Any]) -> SourceSettings:
    """The settings of an integration as they were saved; of a kind that is gone, the defaults."""
    return parse_settings(kind, document, sources) if kind in sources else SourceSettings()


def _sentence(where: tuple[int | str, ...], message: str, kind: str) -> str:
    field = ".".join(map(str, where)) or "settings"
    if kind == "extra_forbidden":
        return f"{field}: there is no such setting"
    return f"{field}: {message.removeprefix('Value error, ')}"

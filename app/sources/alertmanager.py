"""Prometheus Alertmanager (webhook versions 3 and 4, and the API v2 array) and Grafana Alerting: bytes -> events.

The hot way of a storm: one dictionary look-up too many here is felt. A label set that is all short text, as nearly each
one is, goes into the event as it was decoded; anything else takes the slow road of `limits`.

Each alert is judged by its own status; the group's status is only a stand-in for a missing one, since a resolved group
may hide firing alerts (max_alerts) and a firing group carries resolved ones. Fields as of Alertmanager 0.34.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Any, ClassVar

import orjson
from pydantic import Field

from app.clock import DAY, MINUTE, SECOND, Micros
from app.sources import conventions, grafana_legacy, severity, times
from app.sources.decode import decode
from app.sources.event import MAX_LABELS, MAX_TITLE, MAX_VALUE, Event, Reading, Received, Severity, Status, Unreadable
from app.sources.limits import TRUNCATED, bounded, finish, is_web, one_line, text
from app.sources.remapping import Places, remapped
from app.sources.signature import Scheme, SignedSettings, proof_of
from app.sources.source import SourceSettings

RESOLVE_TIMEOUT: Micros = 5 * MINUTE
"""How long an alert of the API array lives when it names no end and is not sent again: Alertmanager's own default."""

_ENDLESS = frozenset({"Watchdog", "DeadMansSwitch"})
_RULE_TROUBLE = {"DatasourceNoData": "No data", "DatasourceError": "Query error"}
_REASON = "grafana_state_reason"
_TITLES = ("summary", "title", "message", "description")
_LINKS = (("Dashboard", "dashboardURL"), ("Panel", "panelURL"), ("Silence", "silenceURL"), ("Image", "imageURL"))
_LEFT_OUT = "The sender left further alerts of this group out: max_alerts of its receiver is set too low."
_PLACES = Places(("status",), ("labels.severity",))
_HEADER = r"^[A-Za-z0-9-]+$"
_USUAL_KEYS = 7
_NAMED = 4

_dumps = orjson.dumps
_SORTED = orjson.OPT_SORT_KEYS
_blake2b = hashlib.blake2b
_parse = times.parse
_severities = severity.WORDS


class AlertmanagerSettings(SourceSettings):
    """What an integration of Alertmanager or Grafana can set."""

    ignore_labels: tuple[str, ...] = Field(
        default=(),
        max_length=20,
        description="Labels that do not tell two alerts apart, such as the `replica` of a Prometheus pair.",
    )


class Alertmanager:
    """Alertmanager's webhook. Takes Grafana's body too, and the bare array that is posted to /api/v2/alerts."""

    kind: ClassVar[str] = "alertmanager"
    title: ClassVar[str] = "Prometheus Alertmanager"
    setup: ClassVar[str] = """
In `alertmanager.yml`, then reload Alertmanager. `max_alerts: 0` matters: with a limit it leaves alerts out.

```yaml
receivers:
  - name: tocsin
    webhook_configs:
      - url: {base}
        send_resolved: true
        max_alerts: 0
        http_config:
          authorization:
            type: Bearer
            credentials: {key}
```

Without an Alertmanager (Prometheus, vmalert, the rulers of Loki, Mimir and Grafana): `{url}` is the address of one, to which they add
`/api/v2/alerts`. In `prometheus.yml`:

```yaml
alerting:
  alertmanagers:
    - scheme: {scheme}
      path_prefix: {path}
      static_configs:
        - targets: [{host}]
```
"""
    example: ClassVar[dict[str, Any]] = {
        "version": "4",
        "status": "firing",
        "alerts": [
            {
                "status": "firing",
                "labels": {"alertname": "Test", "severity": "critical"},
                "annotations": {"summary": "A test of the way from Alertmanager"},
            }
        ],
    }
    Settings: ClassVar[type[SourceSettings]] = AlertmanagerSettings

    def read(self, received: Received, settings: AlertmanagerSettings, now: Micros) -> Reading:
        """See Source.read. A broken alert becomes a problem; the others of its group count."""
        value, scrubbed = decode(received.body)
        problems: list[str] = []
        if type(value) is list and (not value or any(type(alert) is dict for alert in value)):
            events = _array(value, settings, now, problems)
        elif type(value) is dict and type(value.get("alerts")) is list:
            events = _group(value, settings, now, problems)
        elif type(value) is dict and grafana_legacy.speaks(value):
            events = grafana_legacy.read(value)
        elif type(value) is dict and type(value.get("labels")) is dict:
            events = _array([value], settings, now, problems)
        elif type(value) is dict and conventions.speaks(value):
            # Grafana's custom payloads and Alertmanager's `payload` can be any JSON: still an alert.
            events = [conventions.read(value, now)]
        else:
            raise Unreadable(
                "This is no Alertmanager or Grafana message: neither `alerts` nor a list of alerts is in it."
            )
        return finish(events, problems, scrubbed=scrubbed)


class GrafanaSettings(AlertmanagerSettings, SignedSettings):
    """What an integration of Grafana can set."""

    signature_header: str = Field(
        default="X-Grafana-Alerting-Signature",
        max_length=100,
        pattern=_HEADER,
        description="As the contact point has it.",
    )
    timestamp_header: str = Field(
        default="",
        max_length=100,
        pattern=f"{_HEADER}|^$",
        description="As the contact point has it. Set: the time is signed too, and a message is taken once.",
    )


class Grafana(Alertmanager):
    """Grafana Alerting's webhook contact point: the same bodies under its own name, signed where a secret is set."""

    kind: ClassVar[str] = "grafana"
    title: ClassVar[str] = "Grafana Alerting"
    setup: ClassVar[str] = """
*Alerting - Contact points - Add*, type *Webhook*, and use it in a notification policy:

- URL `{base}`, method POST.
- Authorization header: scheme `Bearer`, credentials `{key}`.
- Leave the custom payload empty. Grafana 12 and newer can sign: put the same secret into *HMAC signature* and into the
  setting `secret` of this integration.
"""
    example: ClassVar[dict[str, Any]] = {
        "version": "1",
        "status": "firing",
        "alerts": [
            {
                "status": "firing",
                "labels": {"alertname": "Test", "severity": "critical"},
                "annotations": {"summary": "A test of the way from Grafana"},
            }
        ],
    }
    Settings: ClassVar[type[SourceSettings]] = GrafanaSettings

    def read(self, received: Received, settings: AlertmanagerSettings, now: Micros) -> Reading:
        """See Source.read."""
        reading = super().read(received, settings, now)
        if not isinstance(settings, GrafanaSettings) or settings.secret is None:
            return reading
        # Without a time Grafana signs a repeat as it signed the message before it: that is no replay.
        timed = bool(settings.timestamp_header)
        scheme = Scheme(settings.signature_header, "", settings.timestamp_header, timed, timed)
        return replace(reading, proof=proof_of(received, settings, scheme, now))


def _group(group: dict[str, Any], settings: AlertmanagerSettings, now: Micros, problems: list[str]) -> list[Event]:
    """The webhook: each alert by its own status, else the group's, else by its end."""
    ignored, own_rules = settings.ignore_labels, settings.remaps
    group_status = group.get("status")
    latest = now + DAY
    events: list[Event] = []
    for number, alert in enumerate(group["alerts"], 1):
        if type(alert) is not dict or type(labels := alert.get("labels") or {}) is not dict:
            problems.append(_broken(number, alert))
            continue
        if not labels and not alert.get("annotations"):
            if conventions.speaks(alert):
                events.append(conventions.read(alert, now))
            else:
                problems.append(_broken(number, alert))
            continue
        starts, ends = _parse(alert.get("startsAt")), _parse(alert.get("endsAt"))
        own = alert.get("status")
        status: Status = own if own in ("firing", "resolved") else _status(own, group_status, ends, now)
        if status == "firing" and _is_gone(alert, labels):
            status = "resolved"
        if status == "firing":
            expires, ends = (ends if ends is not None and ends > now else None), None
        else:
            expires = None
            if ends is not None and ends > latest:
                ends = None
        if starts is not None and starts > latest:
            starts = None
        event = _event(alert, labels, status, starts, ends, expires, ignored)
        events.append(remapped(event, settings, _PLACES, alert, group) if own_rules else event)
    hidden = group.get("truncatedAlerts")
    if type(hidden) is int and hidden > 0:
        # No problem of ours, and the count changes with each message: one unchanging sentence beside the alerts we got.
        return [event._replace(annotations={**event.annotations, "left_out": _LEFT_OUT}) for event in events]
    return events


def _array(alerts: list[Any], settings: AlertmanagerSettings, now: Micros, problems: list[str]) -> list[Event]:
    """POST /api/v2/alerts: no status; the end is a lease, and a key `status` means nothing. The last of a label set wins."""
    lease = RESOLVE_TIMEOUT if settings.expire_after_s is None else settings.expire_after_s * SECOND
    events: dict[str, Event] = {}
    for number, alert in enumerate(alerts, 1):
        if type(alert) is not dict or type(labels := alert.get("labels")) is not dict or _empty(labels):
            problems.append(_broken(number, alert))
            continue
        starts, ends = times.sane(_parse(alert.get("startsAt")), now), _parse(alert.get("endsAt"))
        if ends is not None and ends <= now:
            event = _event(alert, labels, "resolved", starts, ends, None, settings.ignore_labels)
        else:
            expires = now + lease if ends is None else ends
            event = _event(alert, labels, "firing", starts, None, expires, settings.ignore_labels)
        if settings.remaps:
            event = remapped(event, settings, _PLACES, alert, alerts)
        events.pop(event.key, None)
        events[event.key] = event
    return list(events.values())


def _status(own: Any, group: Any, ends: Micros | None, now: Micros) -> Status:
    """The status of an alert that does not say it in one of the two words."""
    for word in (own, group):
        lowered = text(word).strip().lower()
        if lowered in {"resolved", "ok", "normal"}:
            return "resolved"
        if lowered in {"firing", "alerting"}:
            return "firing"
    return "resolved" if ends is not None and ends <= now else "firing"


def _is_gone(alert: dict[str, Any], labels: dict[str, Any]) -> bool:
    """Grafana's word for a series that is no longer there; nobody will say anything more about it."""
    if _REASON in labels:
        return text(labels[_REASON]) == "MissingSeries"
    annotations = alert.get("annotations")
    return type(annotations) is dict and annotations.get(_REASON) == "MissingSeries"


def _empty(labels: dict[str, Any]) -> bool:
    """A label without a value is no label, and the API asks for at least one."""
    return all(value in ("", None) for value in labels.values())


def _broken(number: int, alert: Any) -> str:
    if type(alert) is not dict:
        return f"Alert {number} of the request is not a map of fields."
    return f"Alert {number} of the request has no usable labels."


def _event(
    alert: dict[str, Any],
    raw: dict[str, Any],
    status: Status,
    starts: Micros | None,
    ends: Micros | None,
    expires: Micros | None,
    ignored: tuple[str, ...],
) -> Event:
    labels, canonical, full, cut = _labels(raw)
    annotations, cut_annotations = _annotations(alert.get("annotations"))
    fingerprint = alert.get("fingerprint")
    if ignored and any(name in full for name in ignored):
        # The fingerprint covers the ignored labels too, so it would tell the twins apart.
        fingerprint = None
        canonical = _dumps({name: value for name, value in full.items() if name not in ignored}, option=_SORTED)
    identity = _blake2b(canonical, digest_size=16).hexdigest()
    name = full.get("alertname", "")
    title = _title(name, annotations, full)
    if len(title) > MAX_TITLE:
        title, cut = title[:MAX_TITLE].rstrip(), True
    level = _severity(name, full)
    if level is None:
        annotations = {**annotations, "severity_raw": full["severity"][:MAX_VALUE]}
    if cut or cut_annotations:
        labels = {**labels, TRUNCATED: "true"}
    if type(fingerprint) is not str:
        fingerprint = text(fingerprint)
    return Event(
        status,
        f"{fingerprint}/{identity}" if fingerprint else identity,
        title,
        level or severity.UNKNOWN,
        labels,
        annotations,
        _links(alert, annotations),
        starts,
        ends,
        expires,
        False,
        name == "TestAlert" and labels.get("instance") == "Grafana",
    )


def _severity(name: str, labels: dict[str, str]) -> Severity | None:
    """By the label, else by a Grafana user's label `priority`; None for a word nobody knows."""
    if name in _ENDLESS:
        return "none"
    word = labels.get("severity")
    if word is None:
        return severity.lookup(labels.get("priority", "")) or severity.UNKNOWN
    return _severities.get(word) or severity.lookup(word)


def _title(name: str, annotations: dict[str, str], labels: dict[str, str]) -> str:
    if name in _RULE_TROUBLE and "rulename" in labels:
        # Grafana's own trouble with a rule: the texts are the rule's and say what did not happen.
        return one_line(f"{_RULE_TROUBLE[name]}: {labels['rulename']}")
    title = (
        annotations.get("summary")
        or annotations.get("title")
        or annotations.get("message")
        or annotations.get("description")
        or name
    )
    # Nearly always one good line already; blank ones and those with line breaks take the slow road.
    return title if title.isprintable() and (title := title.strip()) else _searched_title(annotations, labels)


def _labels(raw: dict[str, Any]) -> tuple[dict[str, str], bytes, dict[str, str], bool]:
    """The labels that are kept; the bytes that stand for all of them, for the identity; all of them; whether any was cut."""
    try:
        "".join(raw.values())  # learns at the speed of C that each value is text, and below that none is empty
    except TypeError:
        raw = {name: text(value) for name, value in raw.items()}
    if not all(raw.values()):
        raw = {name: value for name, value in raw.items() if value}
    canonical = _dumps(raw, option=_SORTED)
    if len(canonical) <= MAX_VALUE and len(raw) <= MAX_LABELS:
        return raw, canonical, raw, False
    kept, cut = bounded(raw)
    return kept, canonical, raw, cut


def _annotations(raw: Any) -> tuple[dict[str, str], bool]:
    if type(raw) is not dict:
        raw = {"description": text(raw)} if raw else {}
    try:
        size = len("".join(raw.values())) + len("".join(raw))
    except TypeError:
        return bounded({name: text(value) for name, value in raw.items()})
    return (raw, False) if size <= MAX_VALUE and len(raw) <= MAX_LABELS else bounded(raw)


def _searched_title(annotations: dict[str, str], labels: dict[str, str]) -> str:
    """A title out of texts with line breaks, blank ones, or none at all."""
    for candidate in (*(annotations.get(name, "") for name in _TITLES), labels.get("alertname", "")):
        if title := one_line(candidate):
            return title
    named = ", ".join(f"{name}={labels[name]}" for name in sorted(labels)[:_NAMED])
    return one_line(named) or "Alert without a name"


def _links(alert: dict[str, Any], annotations: dict[str, str]) -> tuple[tuple[str, str], ...]:
    found: tuple[tuple[str, str], ...] = ()
    source = alert.get("generatorURL")
    if type(source) is str and is_web(source):
        found = (("Source", source),)
    runbook = annotations.get("runbook_url") or annotations.get("runbook")
    if runbook is not None and is_web(runbook):
        found += (("Runbook", runbook),)
    dashboard = annotations.get("dashboard_url")
    if dashboard is not None and is_web(dashboard):
        found += (("Dashboard", dashboard),)
    if len(alert) > _USUAL_KEYS:
        for name, key in _LINKS:
            address = alert.get(key)
            if type(address) is str and is_web(address):
                found += ((name, address),)
    return found

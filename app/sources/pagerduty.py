"""PagerDuty's Events APIs: version 2, version 1, and the form its Nagios plugin posts: one event a request -> an event.

Lenient where PagerDuty answers 400 (no source, no severity, an unknown word): the alternative is a lost page. Only what
can never mean anything is refused: an acknowledgement or a resolve that does not say of what.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from app.clock import DAY, Micros
from app.sources import severity, times
from app.sources.change import Change
from app.sources.decode import decode
from app.sources.event import MAX_TITLE, Event, Reading, Received, Severity, Status, Unreadable
from app.sources.fields import facts_and_words
from app.sources.limits import bounded, finish, fitted, links, one_line, text
from app.sources.made import made_key
from app.sources.remapping import Places, key_of, remapped
from app.sources.source import SourceSettings

_STATUSES: Mapping[str, Status] = {"trigger": "firing", "acknowledge": "acknowledged", "resolve": "resolved"}
_NAGIOS: Mapping[str, Status] = {"PROBLEM": "firing", "ACKNOWLEDGEMENT": "acknowledged", "RECOVERY": "resolved"}
_STATES: Mapping[str, Severity] = {
    "CRITICAL": "critical",
    "DOWN": "critical",
    "WARNING": "warning",
    "UNKNOWN": "error",
    "UNREACHABLE": "error",
}
_PLACES = ("source", "component", "group", "class")
MAX_SUMMARY = 1_024
_V1 = frozenset({"service_key", "event_type", "incident_key"})


_PLACES_OF_WORDS = Places(("event_action", "event_type"), ("payload.severity", "details.severity"))


class PagerDutySettings(SourceSettings):
    """What an integration of PagerDuty's can set.

    `key_parts` is for senders whose dedup_key changes with each message; for Netdata's agent
    payload.custom_details.alarm_id and payload.source.
    """


class PagerDuty:
    """Everything that speaks to events.pagerduty.com."""

    kind: ClassVar[str] = "pagerduty"
    title: ClassVar[str] = "PagerDuty Events API"
    setup: ClassVar[str] = """
Change `https://events.pagerduty.com` in the sender to `{root}`; the integration key (routing key, service key) is `{key}`. A sender that
can have nothing but an address posts to `{url}`. As any sender of events does:

```sh
curl -fsS --retry 3 {root}/v2/enqueue -d '{"routing_key": "{key}", "event_action": "trigger", "dedup_key": "db-1",
  "payload": {"summary": "Disk full", "source": "db-1", "severity": "critical"}}'
curl -fsS --retry 3 {root}/v2/enqueue -d '{"routing_key": "{key}", "event_action": "resolve", "dedup_key": "db-1"}'
```
"""
    example: ClassVar[dict[str, Any]] = {
        "event_action": "trigger",
        "dedup_key": "test",
        "payload": {
            "summary": "A test of the way from a sender of PagerDuty",
            "source": "test",
            "severity": "critical",
        },
    }
    Settings: ClassVar[type[SourceSettings]] = PagerDutySettings

    def read(self, received: Received, settings: PagerDutySettings, now: Micros) -> Reading:
        """See Source.read. A Nagios form about flapping or downtime is answered, and holds no event."""
        value, scrubbed = decode(received.body)
        if type(value) is not dict or not value:
            raise Unreadable("This is no PagerDuty event: one JSON object was expected.")
        if "NOTIFICATIONTYPE" in value:
            event = _nagios(value)
        elif "event_action" in value or _is_alert(value.get("payload")):
            event = _v2(value, settings, now)
        elif _V1 & value.keys():
            event = _v1(value, settings, now)
        else:
            raise Unreadable(
                "This is no alert of PagerDuty's: no event_action, no event_type. Changes go to another path."
            )
        if event is None:
            return finish([], (), scrubbed=scrubbed)
        event = fitted(event)
        if settings.remaps:
            event = remapped(event, settings, _PLACES_OF_WORDS, value, value)
        return finish([event], (), scrubbed=scrubbed)


def _is_alert(payload: Any) -> bool:
    """Whether a body without an action is an alert all the same: a change has no severity."""
    return type(payload) is dict and "severity" in payload


def _v2(value: dict[str, Any], settings: PagerDutySettings, now: Micros) -> Event:
    payload = value["payload"] if type(value.get("payload")) is dict else {}
    word = text(value.get("event_action")).strip().lower()
    status = _STATUSES.get(word, "firing")
    key = _key(value, settings, "dedup_key", status, now)
    facts, words = facts_and_words(payload.get("custom_details"))
    if word not in _STATUSES:
        words["event_action"] = word
    summary = one_line(text(payload.get("summary"))) or _untold(value, key, status)
    if len(summary) > MAX_TITLE:
        words.setdefault("description", summary)
    level = _state(facts) or _severity(text(payload.get("severity")), words, said="severity" in payload)
    at = _instant(payload.get("timestamp"), now)
    places = {name: text(payload.get(name)) for name in _PLACES}
    return Event(
        status=status,
        key=key,
        title=summary,
        severity=level,
        labels={**facts, **places, "client": text(value.get("client"))},
        annotations=words,
        links=_links(value, value.get("links"), value.get("images")),
        starts_at=at if status == "firing" else None,
        ends_at=at if status == "resolved" else None,
    )


def _v1(value: dict[str, Any], settings: PagerDutySettings, now: Micros) -> Event:
    word = text(value.get("event_type")).strip().lower()
    status = _STATUSES.get(word, "firing")
    key = _key(value, settings, "incident_key", status, now)
    facts, words = facts_and_words(value.get("details"))
    if word not in _STATUSES:
        words["event_type"] = word
    summary = one_line(text(value.get("description"))) or _untold(value, key, status)
    if len(summary) > MAX_TITLE:
        words.setdefault("description", summary)
    # No field of version 1 says how bad it is; some put it among the details.
    level = _state(facts) or severity.lookup(facts.get("severity", "")) or severity.UNKNOWN
    contexts = value.get("contexts")
    return Event(
        status=status,
        key=key,
        title=summary,
        severity=level,
        labels={**facts, "client": text(value.get("client"))},
        annotations=words,
        links=_links(value, contexts, contexts),
    )


def _nagios(form: dict[str, Any]) -> Event | None:
    """The macros of Nagios, as PagerDuty's own plugin posts them; None for what begins and ends no problem."""
    said = {name.removeprefix("NAGIOS_"): text(value).strip() for name, value in form.items()}
    status = _NAGIOS.get(said["NOTIFICATIONTYPE"].upper())
    host, service = said.get("HOSTNAME", ""), said.get("SERVICEDESC", "")
    if status is None:
        return None
    if not host and not service:
        raise Unreadable("This Nagios notification names neither a host (HOSTNAME) nor a service (SERVICEDESC).")
    what = "SERVICE" if service else "HOST"
    state, output = said.get(f"{what}STATE", ""), said.get(f"{what}OUTPUT", "")
    subject = f"{host} {service}".strip()
    return Event(
        status=status,
        key=f"{host}/{service}" if service else host,
        title=one_line(f"{subject}: {state} {output}".strip(" :")),
        severity=_STATES.get(state.upper(), severity.UNKNOWN),
        labels={
            "host": host,
            "service": service,
            "host_address": said.get("HOSTADDRESS", ""),
            "host_group": said.get("HOSTGROUPNAME", ""),
            "contact_group": said.get("CONTACTGROUPNAME", ""),
            "state": state,
        },
        annotations={
            "description": said.get(f"LONG{what}OUTPUT", ""),
            "author": said.get(f"{what}ACKAUTHOR", ""),
            "comment": said.get(f"{what}ACKCOMMENT", ""),
            "severity_raw": "" if state.upper() in _STATES or status == "resolved" else state,
        },
        links=links(("Notes", said.get(f"{what}NOTESURL")), ("Action", said.get(f"{what}ACTIONURL"))),
    )


def _key(value: dict[str, Any], settings: PagerDutySettings, name: str, status: Status, now: Micros) -> str:
    """The setting's, the sender's, or one that we make up."""
    if key := key_of(settings, value, value)[0]:
        return key
    if key := text(value.get(name)).strip():
        return key
    if status != "firing":
        raise Unreadable(f"{name} is missing or blank: only a trigger can do without.")
    return made_key(value, now)


def _untold(value: Mapping[str, Any], key: str, status: Status) -> str:
    """A title for a message without one: resolves and acknowledgements seldom have any."""
    client = one_line(text(value.get("client")))
    said = {"firing": "Alert without a summary", "resolved": "Resolved", "acknowledged": "Acknowledged"}[status]
    return one_line(f"{client}: {said}, {key}" if client else f"{said}, {key}")


def _severity(word: str, words: dict[str, str], *, said: bool) -> Severity:
    level = severity.lookup(word)
    if level is None and said:
        words["severity_raw"] = word
    return level or severity.UNKNOWN


def _state(facts: Mapping[str, str]) -> Severity | None:
    """What the checks of Nagios say of themselves; its scripts send one severity for all of them."""
    if "pd_nagios_object" not in facts:
        return None
    return _STATES.get((facts.get("SERVICESTATE") or facts.get("HOSTSTATE", "")).upper())


def _instant(value: Any, now: Micros) -> Micros | None:
    """A time that names its zone and is at most a day away: copied examples are years old, and no two mean one problem."""
    if type(value) is str and value.endswith("Z") and "+00:00" in value:
        value = value[:-1]  # PagerDuty's own Python library writes both
    at = times.zoned(value)
    return at if at is not None and abs(now - at) <= DAY else None


def _links(value: Mapping[str, Any], named: Any, images: Any) -> tuple[tuple[str, str], ...]:
    texts = [item for item in (named if type(named) is list else ()) if type(item) is dict and "src" not in item]
    shown = [item for item in (images if type(images) is list else ()) if type(item) is dict and "src" in item]
    return links(
        (one_line(text(value.get("client"))) or "Client", value.get("client_url")),
        *((one_line(text(item.get("text"))) or "Link", item.get("href")) for item in texts),
        *((one_line(text(item.get("alt"))) or "Image", item["src"]) for item in shown),
    )


def read_change(body: bytes, now: Micros) -> Change:
    """The change event in a body for `/v2/change/enqueue`. Raises Unreadable."""
    value = decode(body).value
    payload = value.get("payload") if type(value) is dict else None
    if type(payload) is not dict:
        raise Unreadable("This is no change event: one JSON object with a payload was expected.")
    facts, words = facts_and_words(payload.get("custom_details"))
    details, _ = bounded({**facts, **words})
    return Change(
        summary=one_line(text(payload.get("summary")))[:MAX_SUMMARY] or "A change without a summary",
        at=times.sane(_instant(payload.get("timestamp"), now), now),
        source=one_line(text(payload.get("source")))[:MAX_TITLE],
        details=details,
        links=_links(value, value.get("links"), value.get("images")),
    )

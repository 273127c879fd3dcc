"""Zabbix: the media type that ships in docs/zabbix, Grafana OnCall's, and the flat bodies people write by hand.

Every value is a macro that the Zabbix server filled in, always as text; a macro that it could not fill stays as it was
written, `{EVENT.UPDATE.MESSAGE}`, and counts as absent. The local times of the Zabbix server come without a zone and are
not believed: a start that is hours off would be worse than none.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, ClassVar

from app.clock import Micros
from app.sources import severity, times
from app.sources.conventions import status_of
from app.sources.decode import decode
from app.sources.event import Event, Reading, Received, Severity, Status, Unreadable
from app.sources.limits import digest, finish, fitted, is_web, links, one_line, text
from app.sources.remapping import Places, remapped
from app.sources.source import SourceSettings
from app.sources.tags import tags

NAMES: dict[str, tuple[str, ...]] = {
    "event": ("event_id", "eventid", "alert_uid"),
    "value": ("event_value", "eventvalue", "event_status", "trigger_status", "status", "state", "event_recovery_value"),
    "update": ("event_update_status",),
    "action": ("event_update_action",),
    "acked": ("event_ack_status",),
    "number": ("event_nseverity", "nseverity", "trigger_nseverity", "trigger_priority", "event_severity"),
    "word": ("event_severity", "severity", "trigger_severity", "trigger_priority_name"),
    "name": ("event_name", "trigger_name", "trigger", "title", "name", "alert_subject", "trigger_description", "item"),
    "host": ("host_name", "hostname", "host", "host_host"),
    "ip": ("host_ip",),
    "group": ("host_group", "host_groups"),
    "trigger": ("trigger_id", "triggerid"),
    "service": ("service_name",),
    "item": ("item_name", "item"),
    "opdata": ("event_opdata", "item_value"),
    "description": ("trigger_description", "alert_message", "message"),
    "tags": ("event_tags", "event_tagsjson", "tags"),
    "source": ("event_source",),
    "user": ("event_update_user", "user_fullname"),
    "note": ("event_update_message",),
    "started": ("event_timestamp", "timestamp", "event_time"),
    "ended": ("event_recovery_timestamp", "event_recovery_time"),
    "link": ("link", "trigger_url", "event_url", "url", "link_to_upstream_details"),
    "zabbix": ("zabbix_url",),
}
"""What we want to know, and the parameters that may say it, the best first."""

_FACTS = tuple(NAMES.items())
_PLACES = Places(("event_value",), ("event_nseverity", "event_severity"))

_MACRO = re.compile(r"\{[$#A-Z][^}]*\}")
_UNFILLED = re.compile(r"\{\$?[A-Z]+[._][A-Z0-9._]*\}")
_IN_LINK = re.compile(r"[?&]triggerid=(\d{1,20})\b")
_WORDS = re.compile(r"[a-z]+")
_DIGITS = re.compile(r"\d{1,20}")
_SAID = frozenset({"event", "value", "name", "host", "trigger", "description"})
"""One of these makes a body Zabbix's."""


_TEST = Event(
    status="firing",
    key="test",
    title="Test of the Zabbix media type",
    severity="info",
    annotations={"description": "No macro was filled in: this is what the Test button of a media type sends."},
    test=True,
)


class ZabbixSettings(SourceSettings):
    """What an integration of Zabbix can set."""


class Zabbix:
    """Zabbix webhooks. One event a request, or none for a mere note about a problem."""

    kind: ClassVar[str] = "zabbix"
    title: ClassVar[str] = "Zabbix"
    setup: ClassVar[str] = """
Import the media type of docs/zabbix, make the global macro `{$TOCSIN.URL}` = `{url}` (type *Secret text*), give a user a media
of it, and send to that user in the operations, recovery operations and update operations of the trigger action.
"""
    example: ClassVar[dict[str, Any]] = {
        "event_id": "1",
        "event_value": "1",
        "event_name": "A test of the way from Zabbix",
        "event_nseverity": "4",
        "host_name": "test",
        "trigger_id": "1",
    }
    Settings: ClassVar[type[SourceSettings]] = ZabbixSettings

    def read(self, received: Received, settings: ZabbixSettings, now: Micros) -> Reading:
        """See Source.read. Comments, changes of severity and edits of a problem that is over are answered, not stored."""
        value, scrubbed = decode(received.body)
        bodies = value if isinstance(value, list) else [value]
        events: list[Event] = []
        problems: list[str] = []
        for body in bodies:
            facts, literal = _facts(body)
            filled = {fact for fact, said in facts.items() if not _UNFILLED.search(said)} if literal else facts
            if not _SAID.isdisjoint(filled):
                told = _events(facts, now)
                events += (
                    [remapped(event, settings, _PLACES, body, value) for event in told] if settings.remaps else told
                )
            elif literal:
                events.append(_TEST)
            else:
                problems.append("A part of the body is no Zabbix message: it has no event, name, host or trigger.")
        if len(problems) == len(bodies):
            raise Unreadable("This is no Zabbix message: it has no event id, event name, host or trigger.")
        return finish(events, problems, scrubbed=scrubbed)


def _facts(body: Any) -> tuple[dict[str, str], bool]:
    """Each fact that some parameter says, and whether any parameter was a macro that stayed literal."""
    if not isinstance(body, dict):
        return {}, False
    fields: dict[str, str] = {}
    literal = False
    for name, value in body.items():
        said = (value if type(value) is str else text(value)).strip()
        if said[:1] == "{" and _MACRO.fullmatch(said):
            literal = True
        elif said:
            fields.setdefault(name.lower(), said)
    facts: dict[str, str] = {}
    for fact, names in _FACTS:
        for name in names:
            if name in fields:
                facts[fact] = fields[name]
                break
    return facts, literal


def _events(facts: Mapping[str, str], now: Micros) -> list[Event]:
    status = _status(facts)
    if facts.get("update") == "1":
        if status == "resolved" or not _acknowledges(facts):
            return []
        status = "acknowledged"
    return [_event(facts, status, now)]


def _status(facts: Mapping[str, str]) -> Status:
    """1 is a problem and 0 its end; else the words. An unknown one fires."""
    value = facts.get("value", "")
    if value in {"0", "1"}:
        return "firing" if value == "1" else "resolved"
    return "resolved" if status_of(value) == "resolved" else "firing"


def _acknowledges(facts: Mapping[str, str]) -> bool:
    """Whether an update is an acknowledgement, and not the taking back of one, a comment or a new severity."""
    if "action" not in facts:
        return facts.get("acked", "").lower() == "yes"
    # Whole words: "unacknowledged" is another one.
    return "acknowledged" in _WORDS.findall(facts["action"].lower())


def _event(facts: Mapping[str, str], status: Status, now: Micros) -> Event:
    key, once = _key(facts)
    level, raw = _severity(facts, status)
    host = facts.get("host", "")
    title = one_line(facts.get("name", "")) or one_line(f"Zabbix problem on {host}" if host else "Zabbix problem")
    ended = times.sane(times.zoned(facts.get("ended")), now) if status == "resolved" else None
    return fitted(
        Event(
            status=status,
            key=key,
            title=title,
            severity=level,
            labels=_labels(facts, title),
            annotations={
                "description": facts.get("description", ""),
                "operational_data": facts.get("opdata", ""),
                "item": facts.get("item", ""),
                "acknowledged_by": facts.get("user", "") if status == "acknowledged" else "",
                "note": facts.get("note", ""),
                "severity_raw": raw,
            },
            links=_links(facts),
            starts_at=times.sane(times.zoned(facts.get("started")), now),
            ends_at=ended,
            once=once,
        )
    )


def _key(facts: Mapping[str, str]) -> tuple[str, bool]:
    """The event id: in a recovery it is the original problem's, and it never comes again.

    One trigger can have several open problems, so trigger and host are only the second best.
    """
    if event := facts.get("event"):
        return f"event:{event}", _DIGITS.fullmatch(event) is not None
    host = facts.get("host", "")
    if trigger := _trigger(facts):
        return f"trigger:{trigger}/{host}", False
    return "name:" + digest([host, facts.get("name", "")]), False


def _trigger(facts: Mapping[str, str]) -> str:
    if "trigger" in facts:
        return facts["trigger"]
    match = _IN_LINK.search(facts.get("link", ""))
    return match[1] if match else ""


def _severity(facts: Mapping[str, str], status: Status) -> tuple[Severity, str]:
    """The number before the word, which admins rename and translate; and the raw word, when nobody knows it."""
    number, word = facts.get("number", ""), facts.get("word", "")
    if status == "resolved" and number == "0":
        # Often the recovery's own: it says nothing of the problem.
        return severity.UNKNOWN, ""
    level = severity.lookup(number, severity.ZABBIX) or severity.lookup(word, severity.ZABBIX)
    if level is None and not word and facts.get("source") in {"1", "2", "3"}:
        # Discoveries, registrations and Zabbix's own troubles have no severity; none of them is a reason to wake someone.
        return "warning" if facts["source"] == "3" else "info", ""
    return level or severity.UNKNOWN, (word or number) if level is None else ""


def _labels(facts: Mapping[str, str], title: str) -> dict[str, str]:
    own = {
        "alertname": title,
        "host": facts.get("host", ""),
        "host_ip": facts.get("ip", ""),
        "host_group": facts.get("group", ""),
        "service": facts.get("service", ""),
        "trigger_id": _trigger(facts),
        "severity": facts.get("word", ""),
    }
    return tags(facts.get("tags", "")) | {name: said for name, said in own.items() if said}


def _links(facts: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """The link that was sent, else one made of the frontend's address and the two ids, when both are numbers."""
    base, trigger, event = facts.get("zabbix", "").rstrip("/"), _trigger(facts), facts.get("event", "")
    made = ""
    if is_web(base) and _DIGITS.fullmatch(trigger) and _DIGITS.fullmatch(event):
        made = f"{base}/tr_events.php?triggerid={trigger}&eventid={event}"
    return links(("Zabbix", facts.get("link")), ("Zabbix event", made))

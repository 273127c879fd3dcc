"""Nagios and what descends from it: a notification command posts a host, a service, a state and why it was called.

Read are the fields of the commands in integrations/, and the names of Nagios' own macros in any case, also where
PagerDuty's tools put them (`payload.custom_details`). Naemon, Centreon and Shinken speak the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

from app.clock import Micros
from app.sources.dialect import Dialect
from app.sources.event import Event, Severity, Status
from app.sources.fields import instant, joined, lower, part, said
from app.sources.limits import links
from app.sources.remapping import Places
from app.sources.source import SourceSettings

STATES: dict[str, Severity] = {
    "down": "critical",
    "critical": "critical",
    "crit": "critical",
    "unreachable": "error",
    "unreach": "error",
    "unknown": "warning",
    "warning": "warning",
    "warn": "warning",
}
"""How bad a state is. Unknown means that the check could not tell."""
_GOOD = frozenset({"ok", "up"})
_TYPES: dict[str, Status | None] = {
    "problem": "firing",
    "recovery": "resolved",
    "acknowledgement": "acknowledged",
    "custom": "firing",
    "trigger": "firing",
    "resolve": "resolved",
    "acknowledge": "acknowledged",
}
"""What a notification is for. Flapping, downtimes and the like open nothing."""
_QUIET_ENDS = frozenset(
    {"flappingstop", "flappingend", "flappingdisabled", "downtimeend", "downtimecancelled", "downtimeremoved"}
)
"""The end of a time in which nothing was told, not even a recovery: with a good state it is one."""


class Check(NamedTuple):
    """What a notification says; empty where it does not."""

    host: str
    service: str
    state: str
    type: str
    output: str


def check(fields: Mapping[str, Any]) -> Check:
    """The same under whatever names; `fields` in lower case."""
    service = said(fields, "service", "servicedesc", "service_desc", "service_description")
    state = said(fields, "state", "servicestate" if service else "hoststate", "service_state", "host_state", "status")
    return Check(
        said(fields, "host", "hostname", "host_name"),
        service,
        state,
        said(fields, "type", "notificationtype", "notification_type", "event_action"),
        said(fields, "output", "serviceoutput" if service else "hostoutput", "service_output", "host_output"),
    )


def status_of(seen: Check) -> Status | None:
    """What becomes of the problem; None when the notification is about something else."""
    # DOWNTIMESTART (HOST), FLAPPINGSTOP: the first word says it.
    kind = (seen.type.split() or [""])[0].lower()
    good = seen.state.lower() in _GOOD
    if kind in _QUIET_ENDS:
        return "resolved" if good else None
    if kind and kind not in _TYPES:
        return None
    if good and kind in ("", "problem", "custom", "trigger"):
        return "resolved"
    return _TYPES[kind] if kind else "firing"


def title_of(seen: Check) -> str:
    """`disk on db-1 is CRITICAL`."""
    about = f"{seen.service} on {seen.host}" if seen.service and seen.host else seen.service or seen.host
    return f"{about} is {seen.state}" if seen.state else about


class Nagios(Dialect[SourceSettings]):
    """Nagios and its relatives, by a notification command."""

    kind: ClassVar[str] = "nagios"
    title: ClassVar[str] = "Nagios"
    setup: ClassVar[str] = """
1. Copy `integrations/nagios/tocsin-notify` to `/usr/local/bin/`, executable, and put `{key}` into `/etc/tocsin/nagios.key`.
2. Put `integrations/nagios/tocsin.cfg` beside your objects, with `{base}` as the address, and the contact `tocsin` into a contact group.
3. Check and reload: `nagios -v nagios.cfg`.
"""
    example: ClassVar[dict[str, Any]] = {
        "type": "PROBLEM",
        "host": "test",
        "service": "A test of the way from Nagios",
        "state": "CRITICAL",
        "output": "test",
    }
    expected: ClassVar[str] = "`host` or `service` with `state` was expected, as the notification command sends them"
    places: ClassVar[Places] = Places(("type", "NOTIFICATIONTYPE"), ("state", "SERVICESTATE", "HOSTSTATE"))

    def events(self, message: dict[str, Any], settings: SourceSettings, now: Micros) -> Sequence[Event] | None:
        """One host or service a message."""
        fields = lower(message)
        if details := part(message, "payload", "custom_details"):
            fields |= lower(details)
        seen = check(fields)
        if not (seen.host or seen.service) or not (seen.state or seen.type):
            return None
        status = status_of(seen)
        return () if status is None else (_event(fields, seen, status, now),)


def _event(fields: Mapping[str, Any], seen: Check, status: Status, now: Micros) -> Event:
    at = instant(fields, now, "time", "timet")
    return Event(
        status=status,
        key=joined(seen.host, seen.service),
        title=title_of(seen),
        severity=STATES.get(seen.state.lower(), "error"),
        labels={
            "host": seen.host,
            "service": seen.service,
            "host_group": said(fields, "hostgroup", "hostgroupname"),
            "address": said(fields, "address", "hostaddress"),
            "site": said(fields, "site"),
        },
        annotations={
            "description": seen.output,
            "details": said(fields, "long_output", "longserviceoutput", "longhostoutput"),
            "state": seen.state,
            "acknowledged_by": said(fields, "author", "notificationauthor") if status == "acknowledged" else "",
            "note": said(fields, "comment", "notificationcomment"),
        },
        links=links(("Link", said(fields, "url", "servicenotesurl", "hostnotesurl"))),
        starts_at=at if status == "firing" else None,
        ends_at=at if status == "resolved" else None,
    )

"""What the page behind a link says and offers, for each state of the incident. Pure: facts in, names for the template out.

Texts go to the template as they are and are escaped there; addresses only after `safe_link` has looked at them. Long
texts are cut here, so that one alert with a megabyte of labels still makes a page that a phone can show.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlsplit

from app.api.link_facts import Alert, Changed, Facts
from app.api.moments import ago, brief, moment
from app.clock import SECOND, Micros, lasting
from app.incidents.incident import Incident
from app.incidents.states import OPEN_STATES
from app.paging import links
from app.paging.answer import Said
from app.paging.links import Link

SNOOZES: tuple[tuple[int, str], ...] = ((15, "15 min"), (60, "1 h"), (240, "4 h"))
MAX_LINKS = 8
MAX_LABELS = 30
MAX_NAMES = 5
MAX_ANNOTATIONS = 10
MAX_VALUE = 300
MAX_DESCRIPTION = 280
MAX_FOLDED = 2_000
"""A longer description is cut where everybody sees it, and stands in full, as far as this, in the fold."""
MAX_REASON = 500
MAX_URL = 2_000

_BOLD = re.compile(r"(?<![\w*/])\*\*(\S[^*\n]{0,500})(?<!\s)\*\*(?![\w*/])")
_LINKED = re.compile(r"\[?!?\[([^\[\]]{1,200})\]\(https?://[^\s()\[]{1,2000}\)(?:\]\([^\s()\[]{1,2000}\)|\])?")
"""A link or a picture, also in brackets, as Datadog writes them, or a picture that is a link."""
_DESCRIPTIONS = ("description", "summary", "message", "text")


@dataclass(frozen=True, slots=True)
class Standing:
    """Who has it. `look` is open, yours (others must acknowledge too), mine, theirs, moved (merged) or over; `says` is the headline, after `who` when there is one."""

    look: str
    who: str
    says: str
    more: str = ""


@dataclass(frozen=True, slots=True)
class SafeLink:
    """An address that may stand in a page, and where it leads."""

    text: str
    url: str
    host: str


def context(facts: Facts, link: Link, secret: str, said: Said | None) -> dict[str, Any]:
    """Everything the template asks for."""
    incident = facts.incident
    state = standing(facts, link)
    shown = [_alert(alert, facts.now) for alert in facts.alerts]
    return {
        "number": incident.number,
        "title": incident.title,
        "priority": incident.priority,
        "severity": incident.severity,
        "service": facts.service,
        "lasted": _lasted(incident, facts.now),
        "opened": moment(incident.opened_at, facts.zone),
        "state": state,
        "notice": _notice(said, state),
        "primary": _primary(link, secret, state),
        "onward": _onward(facts.goes_on, link, secret),
        "asked": _asked(facts, link, secret),
        "others": _others(incident, link, secret, state),
        "snoozes": SNOOZES,
        "told": facts.told,
        "before": cut(facts.before, MAX_REASON),
        "links": _links(facts.alerts),
        "alerts": shown,
        "counted": _counted(incident),
        "more_alerts": f"and {incident.alerts - len(shown):,} more" if incident.alerts > len(shown) else "",
        "happened": [
            {
                "at": brief(entry.at, facts.now, facts.zone),
                "ago": ago(entry.at, facts.now),
                "actor": "" if entry.actor == "tocsin" else entry.actor,
                "reason": cut(entry.reason, MAX_REASON),
            }
            for entry in facts.happened
        ],
        "changed": [_changed(change, facts) for change in facts.changed],
        "recipient": link.recipient,
        "expires": moment(link.expires_at, facts.zone),
    }


def standing(facts: Facts, link: Link) -> Standing:
    """Where the incident stands, as the link's person sees it."""
    incident = facts.incident
    match incident.state:
        case "triggered":
            return _open(facts)
        case "acknowledged":
            return _held(facts, link)
        case "resolved":
            return Standing("over", "", "It is over", _how(incident, facts.now))
        case "closed":
            return Standing("over", "", "It is over and verified", _how(incident, facts.now))
        case "merged":
            assert facts.goes_on is not None
            return Standing("moved", "", f"It goes on in #{facts.goes_on.number}", facts.goes_on.title)


def _open(facts: Facts) -> Standing:
    incident = facts.incident
    if facts.missing:
        still = f"{in_words(facts.missing)} must still acknowledge. Until then pages go on."
        return (
            Standing("yours", "", "You have acknowledged", still)
            if facts.has_it
            else Standing("open", "", "Each of you must acknowledge", still)
        )
    if incident.escalation == "held" and incident.held_until:
        begins = moment(incident.held_until, facts.zone).text
        return Standing("open", "", "Nobody has it yet", f"Nobody is told before {begins}: urgency is low.")
    if incident.quiet_because:
        return Standing(
            "open", "", "Nobody has it yet", f"It does not page now: {cut(incident.quiet_because, MAX_REASON)}."
        )
    if facts.waits:
        return Standing("open", "", "Nobody has it yet", f"Nobody is told now: {cut(facts.waits, MAX_REASON)}.")
    told_all = incident.escalation == "exhausted"
    return Standing("open", "", "Nobody has it yet", "Everybody in the policy was paged." if told_all else "")


def in_words(names: Sequence[str]) -> str:
    """The names in a sentence: the first few, and how many more."""
    shown = list(names[:MAX_NAMES])
    more = len(names) - len(shown)
    return (
        f"{', '.join(shown)} and {more} more"
        if more
        else " and ".join((", ".join(shown[:-1]), shown[-1])).removeprefix(" and ")
    )


def _asked(facts: Facts, link: Link, secret: str) -> dict[str, str] | None:
    """What the link's person was asked, and the two answers; None when it is over or nothing was asked."""
    asked = facts.asked
    if asked is None or facts.incident.state not in OPEN_STATES:
        return None
    says = {"accepted": "You have joined", "declined": "You said that you can't join"}.get(
        asked.state, f"{asked.by} asks you to join"
    )
    return {
        "says": says,
        "message": asked.message,
        "join": "" if asked.state == "accepted" else links.beside(secret, link, "join"),
        "decline": "" if asked.state == "declined" else links.beside(secret, link, "decline"),
    }


def _held(facts: Facts, link: Link) -> Standing:
    incident = facts.incident
    more = _since(incident.acknowledged_at or incident.updated_at, facts.now)
    if incident.ack_until:
        more += f" It pages again at {moment(incident.ack_until, facts.zone).text}."
    else:
        more += " Nobody else is paged."
    if incident.acknowledged_by != link.actor:
        return Standing("theirs", incident.acknowledged_by or "Somebody", "has it", more)
    if link.person_id is None:
        return Standing("mine", link.actor, "has it", more)
    return Standing("mine", "", "You have it", more)


def _since(at: Micros, now: Micros) -> str:
    return "Just now." if now - at < 5 * SECOND else f"For {lasting(now - at)}."


def _how(incident: Incident, now: Micros) -> str:
    words = {
        "fix": "Fixed",
        "workaround": "Worked around",
        "recovered": "Recovered by itself",
        "false_alarm": "A false alarm",
    }
    how = words.get(incident.resolution or "", "Resolved")
    by = "" if incident.resolved_by in (None, "tocsin") else f", says {incident.resolved_by}"
    return f"{how}{by}, {ago(incident.resolved_at or incident.updated_at, now)}."


def _lasted(incident: Incident, now: Micros) -> str:
    if incident.state in OPEN_STATES:
        return f"Open for {lasting(now - incident.opened_at)}"
    return f"Lasted {lasting((incident.resolved_at or incident.updated_at) - incident.opened_at)}"


_NOTICES: dict[Said, tuple[tuple[str, ...], str]] = {
    "already": (("mine", "yours", "over", "open"), "You had done that already. Nothing was changed."),
    "escalated": (("open",), "The next level is being paged now."),
    "asked": (("mine", "yours", "open"), "The people of the next level are asked to join you. You still have it."),
    "alone": (("mine", "yours", "open"), "Nobody else of the policy can be asked. Nothing was changed."),
    "held": (("theirs",), "Somebody was faster: nothing was changed. You can take it over."),
    "each": (
        ("open",),
        "Each of several people must acknowledge with the link of their own page. Nothing was changed.",
    ),
    "stale": (
        ("open", "yours", "mine", "theirs"),
        "It had changed since you opened this page, so nothing was done. This is how it stands now.",
    ),
    "over": (("over",), "It was over before you pressed. Nothing was changed."),
    "merged": (("moved",), "It had become part of another incident before you pressed. Nothing was changed."),
}
"""What is said after a button, and where that still makes sense: the address of the page can be opened again later."""


def _notice(said: Said | None, state: Standing) -> str:
    looks, text = _NOTICES.get(said, ((), "")) if said else ((), "")
    return text if state.look in looks else ""


def _primary(link: Link, secret: str, state: Standing) -> dict[str, Any] | None:
    token = links.beside(secret, link, "acknowledge")
    if state.look == "open":
        return {"token": token, "label": "Acknowledge", "take_over": False}
    if state.look == "yours":
        return {"token": token, "label": "Take it for everybody", "take_over": True}
    if state.look == "theirs":
        return {"token": token, "label": "Take over", "take_over": True}
    return None


def _onward(incident: Incident | None, link: Link, secret: str) -> dict[str, str] | None:
    """The same person's page of the incident that this one lives on in."""
    if incident is None:
        return None
    there = replace(link, action="acknowledge", incident_id=incident.id, number=incident.number, epoch=0)
    return {"token": links.write(secret, there), "label": f"Open #{incident.number}"}


def _others(incident: Incident, link: Link, secret: str, state: Standing) -> dict[str, str] | None:
    if state.look in ("moved", "over"):
        return None
    return {
        "resolve": links.beside(secret, link, "resolve", incident.epoch),
        "escalate": links.beside(secret, link, "escalate", incident.epoch),
        # Somebody else's incident is not silenced over their head: take it over first.
        "snooze": "" if state.look == "theirs" else links.beside(secret, link, "snooze", incident.epoch),
        "help": links.beside(secret, link, "help") if state.look in ("mine", "yours") and link.person_id else "",
    }


def _counted(incident: Incident) -> str:
    if incident.alerts == 1:
        return "1 alert, firing" if incident.open_alerts else "1 alert, over"
    return f"{incident.alerts:,} alerts, {incident.open_alerts:,} firing"


def _alert(alert: Alert, now: Micros) -> dict[str, Any]:
    firing = alert.resolved_at is None
    when = f"for {lasting(now - alert.first_seen_at)}" if firing else f"ended {ago(alert.resolved_at or now, now)}"
    said = next((alert.annotations[name] for name in _DESCRIPTIONS if alert.annotations.get(name)), "")
    description = "" if said == alert.title else unmarked(said)
    # What is on the page already is not said again in the fold.
    seen = {alert.title, description} if len(description) <= MAX_DESCRIPTION else {alert.title}
    annotations = {name: value for name, value in alert.annotations.items() if value not in seen}
    left = max(0, len(alert.labels) - MAX_LABELS) + max(0, len(annotations) - MAX_ANNOTATIONS)
    return {
        "title": alert.title,
        "severity": alert.severity,
        "firing": firing,
        "when": when + (f" · seen {alert.count:,} times" if alert.count > 1 else ""),
        "description": cut(description, MAX_DESCRIPTION),
        "because": cut(alert.because, MAX_VALUE),
        "annotations": _pairs(annotations, MAX_ANNOTATIONS, MAX_FOLDED),
        "labels": _pairs(alert.labels, MAX_LABELS, MAX_VALUE),
        "fold": _fold(len(alert.labels), len(annotations)),
        "left_out": f"{left} more are not shown here" if left else "",
    }


def unmarked(said: str) -> str:
    """A description without the marks of Markdown that Datadog and others write; what it links is in the fold. Pure."""
    return _BOLD.sub(r"\1", _LINKED.sub(r"\1", said[:MAX_FOLDED])).strip()


def _changed(change: Changed, facts: Facts) -> dict[str, Any]:
    return {
        "at": moment(change.at, facts.zone),
        "ago": ago(change.at, facts.now),
        "summary": cut(change.summary, MAX_VALUE),
        "source": cut(change.source, MAX_VALUE),
        "link": next((safe for text, url in change.links if (safe := safe_link(text, url))), None),
    }


def _fold(labels: int, annotations: int) -> str:
    counted = [
        f"{many} {word}{'' if many == 1 else 's'}" for many, word in ((annotations, "annotation"), (labels, "label"))
    ]
    return " and ".join(text for text in counted if not text.startswith("0 "))


def _pairs(texts: Mapping[str, str], most: int, longest: int) -> list[tuple[str, str]]:
    return [(cut(name, MAX_VALUE), cut(value, longest)) for name, value in list(texts.items())[:most]]


def _links(alerts: Iterable[Alert]) -> list[SafeLink]:
    """Each address once, in the order of the alerts."""
    found: dict[str, SafeLink] = {}
    for alert in alerts:
        for text, url in alert.links:
            safe = safe_link(text, url)
            if safe and len(found) < MAX_LINKS:
                found.setdefault(safe.url, safe)
    return list(found.values())


def safe_link(text: str, url: str) -> SafeLink | None:
    """The link, when its address is plain http or https without a user name in it; else None.

    A user name before the host makes an address look as if it led somewhere else.
    """
    if len(url) > MAX_URL or not url.isprintable() or " " in url or "\\" in url:
        return None
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        return None
    if parts.scheme not in ("http", "https") or not host or "@" in parts.netloc:
        return None
    return SafeLink(cut(text.strip() or host, 100), url, host)


def cut(text: str, most: int) -> str:
    """At most `most` code points, the last of them an ellipsis when something is missing."""
    return text if len(text) <= most else text[: most - 1] + "…"

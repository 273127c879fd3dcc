"""What an alert is about: its labels and text as names of services, hosts, pods, places. Pure; knows no incident.

An entity is a text `kind:name`, such as `service:cart-api` or `host:db-3`. One thing gets one name whatever a sender calls
it: hosts lose domain and port, pods lose their hashes, meshes and proxies lose their decoration.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import NamedTuple

from app.correlation import causes
from app.correlation.aliases import SHIPPED, Kind, plain
from app.sources.event import Event

MAX_NAME = 120
MAX_NAMES = 24
MAX_WORDS = 24
"""Entities and words of text that are kept of one alert: what one hostile message can cost is bounded."""
MAX_TEXT = 600

_RANK = {"critical": 2, "error": 2, "warning": 1, "info": 0, "none": 0}


class Facets(NamedTuple):
    """What one alert says about itself. `key` is the digest of its dedup key, in hex."""

    key: str
    check: str
    severity: int
    cause: str
    place: str
    region: str
    names: tuple[str, ...]
    words: tuple[str, ...]
    """Words of its text that may be names of other things."""
    owner: str = ""
    """The declared service whose integration it came by; empty when there is none."""


class Said(NamedTuple):
    """One label, in lower case, and what stands beside it."""

    label: str
    value: str
    labels: Mapping[str, str]
    place: str


Reader = Callable[[Said], Iterable[str]]

_EXPORTERS = frozenset(
    [
        "kube-state-metrics",
        "node",
        "node-exporter",
        "kubelet",
        "cadvisor",
        "blackbox",
        "blackbox-exporter",
        "prometheus",
        "alertmanager",
        "snmp",
        "apiserver",
        "kube-apiserver",
        "kubernetes-apiservers",
        "kubernetes-nodes",
        "kubernetes-pods",
        "kubernetes-service-endpoints",
        "pushgateway",
        "statsd",
        "integrations",
        "default",
    ]
)
_GENERIC = frozenset(
    [
        "default",
        "none",
        "null",
        "unknown",
        "localhost",
        "all",
        "any",
        "prod",
        "production",
        "staging",
        "dev",
        "test",
        "true",
        "false",
        "main",
        "master",
        "n/a",
        "-",
        "other",
        "external",
        "internal",
    ]
)
_HASHES = re.compile(r"-(?:[a-z0-9]{6,10}-)?[a-z0-9]{5}$")
_ORDINAL = re.compile(r"-\d+$")
_JOB_RUN = re.compile(r"(?:-(?:\d{6,}|manual|nightly|hourly|daily|weekly))+(?:-[a-z0-9]{5})?$")
_IP = re.compile(r"\d{1,3}(?:\.\d{1,3}){3}")
_WORD = re.compile(r"[a-z0-9]+(?:[._-][a-z0-9]+)*")
_ENVOY = re.compile(r"(?:in|out)bound\|\d*\|[^|]*\|([^.]+)")
_EDGES = re.compile(r"^(?:be|fe|backend|frontend|svc)_|@[a-z]+$|-(?:http|https|grpc|tcp|\d{2,5})(?=@|$)")


def facets(
    event: Event, key: str, sender: str, service: str = "", aliases: Mapping[str, Kind | None] = SHIPPED
) -> Facets:
    """What an event says about itself.

    `sender` stands in for a place that no label names; `service` (whose integration this is) for an alert that names
    nothing at all. `key` is the digest of its dedup key, in hex.
    """
    said: dict[Kind, list[tuple[str, str]]] = {}
    for label, value in event.labels.items():
        kind = aliases.get(plain(label))
        if kind is not None and len(value) <= MAX_NAME and (tidy := value.strip().lower()) and tidy not in _GENERIC:
            said.setdefault(kind, []).append((plain(label), tidy))
    region = _first(said, "region")
    place = _first(said, "place") or region or sender.lower()
    names: dict[str, None] = {}
    for named_kind, read in _READERS:
        for label, value in said.get(named_kind, ()):
            found = read(Said(label, value, event.labels, place)) if read else (f"{named_kind}:{value}",)
            names |= dict.fromkeys(found)
    words = _words(event)
    if not names and service:
        names[f"service:{service.lower()}"] = None
    check = _check(_first(said, "check") or event.title.lower(), names)
    return Facets(
        key,
        check,
        _RANK[event.severity],
        causes.cause(check),
        place,
        region or ("" if _first(said, "place") else place),
        tuple(names)[:MAX_NAMES],
        tuple(word for word in words if word not in check.split())[:MAX_WORDS],
        service.lower(),
    )


def named(entity: str) -> str:
    """The name without its kind."""
    return entity.partition(":")[2]


def component(names: tuple[str, ...], place: str) -> str:
    """The one thing of an alert that fails: its service there, else its host, else whatever it names first."""
    for prefix in ("service:", "host:", "ip:", "pod:", "queue:", "party:"):
        for name in names:
            if name.startswith(prefix):
                return f"{name}@{place}" if prefix == "service:" else name
    return names[0] if names else f"place:{place}"


def _first(said: Mapping[Kind, list[tuple[str, str]]], kind: Kind) -> str:
    return said[kind][0][1] if kind in said else ""


def _check(name: str, names: Mapping[str, None]) -> str:
    """The name of what was checked, without what it was checked on: equal for the same rule on two hosts."""
    own = {named(entity) for entity in names}
    kept = (word for word in name[:200].split() if word not in own and not _IP.search(word))
    return " ".join(kept) or name[:200]


def _service(said: Said) -> Iterator[str]:
    label, value = said.label, said.value
    if label in {"job", "exported_job"} and (value in _EXPORTERS or value.endswith(("-exporter", "_exporter"))):
        return
    if label == "job_name":
        value = _JOB_RUN.sub("", value)
    if match := _ENVOY.match(value):
        value = match[1]
    value = _EDGES.sub("", _EDGES.sub("", value))
    value = value.removesuffix(f"-{said.place}").rpartition("/")[2]
    if value and value not in _GENERIC and not value.isdigit():
        yield f"service:{value}"


def _host(said: Said) -> Iterator[str]:
    value = said.value
    if "://" in value:
        # A probe: what is asked is a service, named by its address.
        host = value.partition("://")[2].partition("/")[0].partition(":")[0]
        yield f"service:{host.partition('.')[0]}" if not _IP.fullmatch(host) else f"ip:{host}"
        return
    if said.label == "host" and "ingress" in said.labels:
        return
    value = value.partition(":")[0]
    if _IP.fullmatch(value):
        yield f"ip:{value}"
    elif short := value.partition(".")[0]:
        if short in _GENERIC or short.isdigit():
            return
        yield f"host:{short}"
        if (stem := _ORDINAL.sub("", short)) != short:
            yield f"group:{stem}"


def _pod(said: Said) -> Iterator[str]:
    value = said.value
    yield f"pod:{value}"
    owner = _HASHES.sub("", value)
    owner = owner if owner != value else _ORDINAL.sub("", value)
    if owner and owner != value:
        yield f"service:{owner}"


_READERS: tuple[tuple[Kind, Reader | None], ...] = (
    ("pod", _pod),
    ("service", _service),
    ("host", _host),
    ("queue", None),
    ("party", None),
    ("namespace", None),
)
"""How a value of each kind becomes entities; None: as it is. In the order in which entities are named."""


def _words(event: Event) -> list[str]:
    texts = [event.title, event.annotations.get("description", ""), event.annotations.get("summary", "")]
    found: dict[str, None] = {}
    for text in texts:
        for word in _WORD.findall(text[:MAX_TEXT].lower()):
            if len(word) >= 4 and word not in _GENERIC and not word.replace(".", "").isdigit():
                found[word] = None
                if "." in word:
                    found[word.partition(".")[0]] = None
    return list(found)

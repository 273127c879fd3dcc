"""What an alert is about: its labels and text as names of services, hosts, pods, places. Pure; knows no incident.

An entity is a text `kind:name`, such as `service:cart-api` or `host:db-3`. One thing gets one name whatever a sender calls
it: hosts lose domain and port, pods lose their hashes, meshes and proxies lose their decoration.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from itertools import islice
from typing import NamedTuple

from app.correlation import causes
from app.correlation.aliases import SHIPPED, Kind, Labels
from app.sources.event import Event

MAX_NAME = 120
MAX_NAMES = 24
MAX_WORDS = 24
"""Entities and words of text that are kept of one alert: what one hostile message can cost is bounded."""
MAX_TEXT = 600
READ = 2_048
"""Labels of a kind, and texts, whose reading is remembered: in a storm the same come again and again."""

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
    place: str
    fronts: bool
    """Whether an ingress or a proxy says it of what is behind it: its own host did not fail."""


Reader = Callable[[Said], tuple[str, ...]]

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


def facets(event: Event, key: str, sender: str, service: str = "", aliases: Labels = SHIPPED) -> Facets:
    """What an event says about itself.

    `sender` stands in for a place that no label names; `service` (whose integration this is) for an alert that names
    nothing at all. `key` is the digest of its dedup key, in hex.
    """
    said: dict[Kind, list[tuple[str, str]]] = {}
    for label, value in event.labels.items():
        known = aliases[label]
        if known is not None and len(value) <= MAX_NAME and (tidy := value.strip().lower()) and tidy not in _GENERIC:
            said.setdefault(known[0], []).append((known[1], tidy))
    region, cluster = _first(said, "region"), _first(said, "place")
    place = cluster or region or sender.lower()
    fronts = "ingress" in event.labels or "proxy" in event.labels
    names: dict[str, None] = {}
    for kind, read in _READERS:
        for label, value in said.get(kind, ()):
            found = read(Said(label, value, place, fronts)) if read else (f"{kind}:{value}",)
            for name in found:
                names[name] = None
    if not names and service:
        names[f"at:{service.lower()}@{place}"] = None
    check = _check(_first(said, "check") or event.title.lower(), names)
    return Facets(
        key,
        check,
        _RANK[event.severity],
        causes.cause(check),
        place,
        region or ("" if cluster else place),
        tuple(names)[:MAX_NAMES],
        _words(event, check),
        service.lower(),
    )


def named(entity: str) -> str:
    """The name without its kind."""
    return entity.partition(":")[2]


def _first(said: Mapping[Kind, list[tuple[str, str]]], kind: Kind) -> str:
    return said[kind][0][1] if kind in said else ""


def _check(name: str, names: Mapping[str, None]) -> str:
    """The name of what was checked, without what it was checked on: equal for the same rule on two hosts."""
    own = {entity.partition(":")[2] for entity in names}
    kept = [word for word in name[:200].split() if word not in own and not ("." in word and _IP.search(word))]
    return " ".join(kept) or name[:200]


@lru_cache(maxsize=READ)
def _service(said: Said) -> tuple[str, ...]:
    label, value = said.label, said.value
    if label in {"job", "exported_job"} and (value in _EXPORTERS or value.endswith(("-exporter", "_exporter"))):
        return ()
    if label == "job_name":
        value = _JOB_RUN.sub("", value)
    if match := _ENVOY.match(value):
        value = match[1]
    value = _EDGES.sub("", _EDGES.sub("", value))
    value = value.removesuffix(f"-{said.place}").rpartition("/")[2]
    return (f"service:{value}",) if value and value not in _GENERIC and not value.isdigit() else ()


@lru_cache(maxsize=READ)
def _host(said: Said) -> tuple[str, ...]:
    value = said.value
    if "://" in value:
        # A probe: what is asked is a service, named by its address.
        host = value.partition("://")[2].partition("/")[0].partition(":")[0]
        return (f"service:{host.partition('.')[0]}" if not _IP.fullmatch(host) else f"ip:{host}",)
    if said.fronts and said.label in {"host", "instance"}:
        return ()
    value = value.partition(":")[0]
    if _IP.fullmatch(value):
        return (f"ip:{value}",)
    short = value.partition(".")[0]
    if not short or short in _GENERIC or short.isdigit():
        return ()
    stem = _ORDINAL.sub("", short)
    return (f"host:{short}", f"group:{stem}") if stem != short else (f"host:{short}",)


@lru_cache(maxsize=READ)
def _pod(said: Said) -> tuple[str, ...]:
    value = said.value
    owner = _HASHES.sub("", value)
    owner = owner if owner != value else _ORDINAL.sub("", value)
    return (f"pod:{value}", f"service:{owner}") if owner and owner != value else (f"pod:{value}",)


_READERS: tuple[tuple[Kind, Reader | None], ...] = (
    ("pod", _pod),
    ("service", _service),
    ("host", _host),
    ("queue", None),
    ("party", None),
    ("namespace", None),
)
"""How a value of each kind becomes entities; None: as it is. In the order in which entities are named."""


def _words(event: Event, check: str) -> tuple[str, ...]:
    said = event.annotations
    found: dict[str, None] = {}
    for text in (event.title, said.get("description"), said.get("summary")):
        if text:
            found.update(_words_of(text[:MAX_TEXT]))
    for own in check.split():
        found.pop(own, None)
    return tuple(islice(found, MAX_WORDS))


@lru_cache(maxsize=READ)
def _words_of(text: str) -> dict[str, None]:
    """The words of a text that may be names, in their order. Texts come again: a rule says the same of many things."""
    found: dict[str, None] = {}
    for word in _WORD.findall(text.lower()):
        if len(word) >= 4 and word not in _GENERIC and (word[0] > "9" or not word.replace(".", "").isdigit()):
            found[word] = None
            if "." in word:
                found[word.partition(".")[0]] = None
    return found

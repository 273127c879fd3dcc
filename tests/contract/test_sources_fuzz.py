"""Mutated bodies for every source: only Unreadable is ever raised, and every event can be stored, shown and sent on.

The mutations are seeded, so that a failure comes again: structural ones (swap, drop, copy, retype a value anywhere in a
recorded body) and byte ones (flip, cut, insert, repeat in its text). Each test runs its whole budget in a few seconds.
"""

from __future__ import annotations

import json
import random
import re
from copy import deepcopy
from pathlib import Path
from typing import Any

import orjson
import pytest

from app.clock import to_datetime
from app.sources.event import MAX_LABELS, MAX_TITLE, MAX_VALUE, Event, Received, Unreadable
from app.sources.generic import GenericSettings
from app.sources.registry import SOURCES

DATA = Path(__file__).parent.parent / "data"
NOW = 1_785_000_000_000_000
ROUNDS = 20_000

NASTY: tuple[Any, ...] = (
    *(
        None,
        True,
        False,
        0,
        -1,
        1,
        10**18,
        2**64,
        1.5,
        -0.0,
        1e308,
        "",
        " ",
        "\x00",
        "\ud800",
        "\u202e",
        "\u2028",
        "null",
    ),
    *(
        "0001-01-01T00:00:00Z",
        "9999-12-31T23:59:59-14:00",
        "javascript:alert(1)",
        "http://a b",
        "http://\x00",
        "\r\nBcc: x",
    ),
    *(
        "x" * 9_000,
        "é" * 400,
        "{EVENT.ID}",
        "$TAGS",
        "resolved",
        "[P1] [Triggered on {" + "a" * 3_000,
        "[" * 300,
        "a=b&c=%00",
    ),
    *(
        '["a\\u0000:b"]',
        "&#x202e;&#0;",
        "https://a/monitors/1?group=%00%ff",
        "?triggerid=1",
        "0",
        "1",
        "1e400",
        "💥\u200d",
    ),
    *([], {}, [[]], {"a": {"b": {}}}, [None], {"": ""}, {"value": "x", "tag": ["y"]}, ["a:b", 7], {"labels": {}}),
)
KEYS = (
    *(
        "alerts",
        "labels",
        "annotations",
        "status",
        "fingerprint",
        "startsAt",
        "endsAt",
        "generatorURL",
        "truncatedAlerts",
    ),
    *(
        "title",
        "body",
        "alert_transition",
        "alert_id",
        "alert_cycle_key",
        "tags",
        "date",
        "org",
        "event_id",
        "event_value",
    ),
    *("event_update_status", "event_tags", "trigger_id", "host_name", "zabbix_url", "ruleId", "state", "evalMatches"),
    *(
        "summary",
        "message",
        "severity",
        "host",
        "service",
        "resource",
        "event",
        "correlate",
        "dedup",
        "meta",
        "\x00",
        "",
    ),
)
TOKENS = (
    b"\x00",
    b"\xff",
    b"\xed\xa0\x80",
    b'"',
    b"\\",
    b"\\u0000",
    b"\\ud800",
    b"\\u202e",
    b"{",
    b"}",
    b"[",
    b"]",
    b",",
    b":",
)
TOKENS += (
    b"NaN",
    b"null",
    b"1e999",
    b"\n",
    b"payload=",
    b"&",
    b"%00",
    b"\xef\xbb\xbf",
    b" " * 40,
    b"[" * 80,
    b"9" * 500,
)


def samples(kind: str) -> list[bytes]:
    # Grafana's and Alertmanager's bodies are taken by either; a body of another sender is a good mutation of one's own.
    folders = {"alertmanager": ("alertmanager", "grafana"), "grafana": ("grafana", "alertmanager")}.get(kind, (kind,))
    return [path.read_bytes() for folder in folders for path in sorted((DATA / folder).glob("*.json"))]


def places(value: Any, found: list[tuple[Any, Any]]) -> list[tuple[Any, Any]]:
    """Each container of a document with each of its keys."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in list(inside):
        found.append((value, key))
        places(child, found)
    return found


def mutated_structure(chance: random.Random, document: Any) -> bytes:
    """A copy with one to four values changed, dropped, copied elsewhere or put under another name."""
    for _ in range(chance.randint(1, 4)):
        found = places(document, [])
        if not found:
            break
        container, key = chance.choice(found)
        action = chance.randrange(5)
        if action == 0:
            container[key] = deepcopy(chance.choice(NASTY))
        elif action == 1:
            other, from_key = chance.choice(found)
            container[key] = deepcopy(other[from_key])
        elif action == 2:
            container.pop(key)
        elif isinstance(container, dict):
            container[chance.choice(KEYS)] = deepcopy(container[key] if action == 3 else chance.choice(NASTY))
        else:
            container.insert(key, deepcopy(chance.choice(NASTY)))
    return json.dumps(document, ensure_ascii=chance.random() < 0.5).encode("utf-8", "surrogatepass")


def mutated_bytes(chance: random.Random, body: bytes) -> bytes:
    """The text with one to three bytes or stretches changed."""
    data = bytearray(body)
    for _ in range(chance.randint(1, 3)):
        at = chance.randrange(len(data) + 1)
        action = chance.randrange(4)
        if action == 0 and at < len(data):
            data[at] = chance.randrange(256)
        elif action == 1:
            del data[at : at + chance.randint(1, 40)]
        elif action == 2:
            data[at:at] = chance.choice(TOKENS)
        else:
            data[at:at] = data[at : at + chance.randint(1, 60)]
    return bytes(data)


FORBIDDEN = re.compile("[\x00\ud800-\udfff\u202a-\u202e\u2066-\u2069]")


def check(event: Event) -> None:
    """All that the rest of the program takes for granted."""
    texts = [event.key, event.title, *event.labels, *event.labels.values()]
    texts += [*event.annotations, *event.annotations.values(), *(part for link in event.links for part in link)]
    assert all(type(said) is str for said in texts)
    joined = "\n".join(texts)
    assert not FORBIDDEN.search(joined)
    joined.encode()
    assert event.key
    assert event.title == event.title.strip()
    assert 0 < len(event.title) <= MAX_TITLE
    assert not re.search(r"[\x00-\x1f\x7f-\x9f]", event.title)
    assert event.status in {"firing", "resolved", "acknowledged"}
    assert event.severity in {"critical", "error", "warning", "info", "none"}
    assert len(event.labels) <= MAX_LABELS + 2
    assert len(event.annotations) <= MAX_LABELS + 2
    assert all(event.labels.values())
    assert all(
        len(said) <= MAX_VALUE for pairs in (event.labels, event.annotations) for said in (*pairs, *pairs.values())
    )
    assert all(re.match(r"https?://[^\s/]", address) and address.isprintable() for _, address in event.links)
    for at in (event.starts_at, event.ends_at, event.expires_at):
        assert at is None or (type(at) is int and to_datetime(at))
    assert event.ends_at is None or event.status == "resolved"
    assert event.expires_at is None or event.status == "firing"
    orjson.dumps([event.labels, event.annotations, event.links])


MAPPED = GenericSettings.model_validate(
    {
        "events": "alerts",
        "title": ["labels.alertname", "title", "/title"],
        "key_parts": ["fingerprint", "/groupKey"],
        "status": "status",
        "severity": ["labels.severity", "=warning"],
        "labels": {"team": "labels.team"},
        "annotations": {"all": "labels"},
        "starts_at": "startsAt",
        "link": "generatorURL",
        "expires_in_s": 60,
    }
)

CASES = [(kind, SOURCES[kind].Settings()) for kind in SOURCES] + [("generic", MAPPED)]


@pytest.mark.parametrize(("kind", "settings"), CASES, ids=[*SOURCES, "generic-mapped"])
def test_no_mutation_breaks_a_source_or_brings_an_event_that_cannot_be_used(kind, settings):
    chance = random.Random(f"{kind}-1")
    source = SOURCES[kind]
    bodies = samples("alertmanager" if settings is MAPPED else kind)
    read, refused = 0, 0
    for number in range(ROUNDS):
        body = chance.choice(bodies)
        body = mutated_structure(chance, orjson.loads(body)) if number % 2 else mutated_bytes(chance, body)
        try:
            reading = source.read(Received(body, "", {"action": chance.choice(("close", "\x00", ""))}), settings, NOW)
        except Unreadable:
            refused += 1
            continue
        read += 1
        for event in reading.events:
            check(event)
        assert all(type(problem) is str and problem for problem in reading.problems)
    assert read > ROUNDS // 3
    assert refused > 0


@pytest.mark.parametrize("kind", SOURCES)
def test_any_bytes_at_all_end_in_a_reading_or_in_unreadable(kind):
    chance = random.Random(f"{kind}-2")
    source = SOURCES[kind]
    for _ in range(3_000):
        body = b"".join(chance.choice(TOKENS) for _ in range(chance.randint(0, 12))) + chance.randbytes(
            chance.randint(0, 40)
        )
        try:
            reading = source.read(Received(body), source.Settings(), NOW)
        except Unreadable:
            continue
        for event in reading.events:
            check(event)


@pytest.mark.parametrize("kind", SOURCES)
@pytest.mark.parametrize(
    "place",
    [
        "%s",
        '{"alerts":[{"labels":{"a":%s},"annotations":%s,"status":%s,"fingerprint":%s}]}',
        '{"title":%s,"message":%s,"tags":%s,"host":"h","org":%s}',
        '{"event_name":%s,"event_tags":%s,"event_id":%s,"summary":%s}',
    ],
)
def test_nesting_that_hides_from_the_decoder_harms_no_source(kind, place):
    deep = '["]",' * 900 + '"x"' + ',"["]' * 900
    source = SOURCES[kind]
    try:
        reading = source.read(Received(place.replace("%s", deep).encode()), source.Settings(), NOW)
    except Unreadable:
        return
    for event in reading.events:
        check(event)


@pytest.mark.parametrize("kind", SOURCES)
def test_a_body_of_any_other_sender_breaks_nothing(kind):
    source = SOURCES[kind]
    for path in sorted(DATA.glob("*/*.json")):
        if path.parent.name != "expected":
            try:
                reading = source.read(Received(path.read_bytes()), source.Settings(), NOW)
            except Unreadable:
                continue
            for event in reading.events:
                check(event)

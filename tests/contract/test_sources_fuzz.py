"""Mutated bodies for every source: only Unreadable is ever raised, and every event can be stored, shown and sent on.

100,000 a source; which ones is decided by the text of app/sources, so that the same tree always runs the same messages and
each change runs others. `make fuzz` runs a million a source; TEST_FUZZ=5000 runs as many as it says.
"""

from __future__ import annotations

import gc
import os
import random
import re
import sys
import time
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path

import orjson
import pytest

from app.clock import to_datetime
from app.sources.event import MAX_LABELS, MAX_TITLE, MAX_VALUE, Event, Received, Unreadable
from app.sources.generic import GenericSettings
from app.sources.registry import SOURCES
from app.sources.source import SourceSettings
from tests.harness.aws import AWS, alarm, keys, notification, signed
from tests.harness.mutations import BYTES, Mutations

ROOT = Path(__file__).parent.parent.parent
DATA = ROOT / "tests" / "data"
NOW = 1_785_000_000_000_000
ROUNDS = int(os.environ.get("TEST_FUZZ", "100000"))
BATCH = 100
SLOW_S = 0.05
GROWTH_BYTES = 24 * 1024 * 1024
"""What a process may grow by once its caches are full: the allocator's own unrest, not a leak a message."""
FULL_CACHES = 1_000
"""Objects that caches may still take in; some hundreds were seen."""


def seed() -> str:
    """Of the messages: the same while app/sources stays as it is, so that each change meets others."""
    text = b"".join(path.read_bytes() for path in sorted((ROOT / "app" / "sources").glob("*.py")))
    return blake2b(text, digest_size=8).hexdigest()


def held() -> tuple[int, int]:
    """Objects and bytes that this process holds."""
    gc.collect()
    return sys.getallocatedblocks(), int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")


def samples(kind: str) -> list[bytes]:
    """Recorded bodies of a source; Grafana's and Alertmanager's are taken by either."""
    folders = {"alertmanager": ("alertmanager", "grafana"), "grafana": ("grafana", "alertmanager")}.get(kind, (kind,))
    return [
        path.read_bytes()
        for folder in folders
        for path in sorted((DATA / folder).iterdir())
        if path.stem != "SOURCES" and path.suffix in {".json", ".txt", ".eml"}
    ]


FORBIDDEN = re.compile("[\x00\ud800-\udfff\u202a-\u202e\u2066-\u2069]")
CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f]")
STATUSES = frozenset({"firing", "resolved", "acknowledged"})
SEVERITIES = frozenset({"critical", "error", "warning", "info", "none"})
ADDRESS = re.compile(r"https?://[^\s/]")


def check(event: Event) -> None:
    """All that the rest of the program takes for granted."""
    status, key, title, severity, labels, annotations, links, starts_at, ends_at, expires_at, _, _ = event
    # Joining fails for anything that is no text.
    joined = "\n".join((key, title, *labels, *labels.values(), *annotations, *annotations.values()))
    assert ("\0" not in joined) if joined.isascii() else not FORBIDDEN.search(joined)
    assert key
    assert title == title.strip()
    assert 0 < len(title) <= MAX_TITLE
    assert title.isprintable() or not CONTROLS.search(title)
    assert status in STATUSES
    assert severity in SEVERITIES
    assert len(labels) <= MAX_LABELS + 2
    assert len(annotations) <= MAX_LABELS + 2
    assert all(labels.values())
    if len(joined) > MAX_VALUE:
        assert all(len(said) <= MAX_VALUE for pairs in (labels, annotations) for said in (*pairs, *pairs.values()))
    for text, address in links:
        assert type(text) is str
        assert ADDRESS.match(address)
        assert address.isprintable()
    for at in (starts_at, ends_at, expires_at):
        assert at is None or (type(at) is int and to_datetime(at))
    assert ends_at is None or status == "resolved"
    assert expires_at is None or status == "firing"
    orjson.dumps([labels, annotations, links])


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
UNSIGNED = SOURCES["sns"].Settings.model_validate({"verify": False})
REMAPPED = SourceSettings.model_validate(
    {
        "key_parts": ["data.essentials.alertRule", "/data/essentials/alertTargetIDs/0"],
        "statuses": {"Fired": "acknowledged"},
        "severities": {"Sev0": "info", "Sev3": "critical"},
    }
)

CASES = [(kind, UNSIGNED if kind == "sns" else SOURCES[kind].Settings()) for kind in SOURCES] + [
    ("generic", MAPPED),
    ("azure", REMAPPED),
]


def taken(source, settings, received) -> float:
    """Seconds of this thread's own time that one message takes."""
    before = time.thread_time()
    with suppress(Unreadable):
        source.read(received, settings, NOW)
    return time.thread_time() - before


def read(source, settings, batch) -> tuple[int, int]:
    """How many of these messages were read, and how many refused; each in any other way than these fails."""
    many = 0
    for received in batch:
        try:
            reading = source.read(received, settings, NOW)
        except Unreadable:
            continue
        many += 1
        for event in reading.events:
            check(event)
        for problem in reading.problems:
            assert type(problem) is str
            assert problem
    return many, len(batch) - many


@pytest.mark.timeout(3_600)
@pytest.mark.parametrize(("kind", "settings"), CASES, ids=[*SOURCES, "generic-mapped", "azure-remapped"])
def test_no_mutation_breaks_a_source_costs_much_or_is_remembered(kind, settings):
    """Whatever comes: an event that can be used or Unreadable, in less than 50 ms, and nothing stays behind."""
    source, query = SOURCES[kind], {"action": "close"}
    many = ROUNDS // 4 if settings in (MAPPED, REMAPPED) else ROUNDS
    mutations = Mutations(samples("alertmanager" if settings is MAPPED else kind), f"{kind} {seed()}")
    read_whole, refused, before_these = 0, 0, held()
    for number in range(many // BATCH):
        batch = [Received(mutations.one(), "", query if place & 1 else None) for place in range(BATCH)]
        before = time.thread_time()
        more = read(source, settings, batch)
        # What is slow alone is slow in its batch; a batch may be slow only because the machine was busy: best of three.
        if time.thread_time() - before > SLOW_S:
            for received in batch:
                assert min(taken(source, settings, received) for _ in range(3)) < SLOW_S, received.body[:2_000]
        read_whole, refused = read_whole + more[0], refused + more[1]
        if number == many // BATCH // 3:
            before_these = held()
    assert read_whole > many // 3
    assert refused > 0
    del batch
    more_objects, more_bytes = (now - then for now, then in zip(held(), before_these, strict=True))
    assert more_objects < FULL_CACHES + many // 10, "something is kept of one message in ten"
    assert more_bytes < GROWTH_BYTES


def test_no_mutation_of_a_signed_message_gets_through_or_breaks_the_check():
    source, settings, certificate = SOURCES["sns"], SOURCES["sns"].Settings(), keys(AWS)[1]
    good = signed(notification(NOW, 1, alarm("ALARM"), Subject="\u202e disk"))
    assert source.read(Received(good, certificate=certificate), settings, NOW).events
    mutations = Mutations([good], "signed")
    meant = orjson.loads(good)
    for _ in range(2_000):
        received = Received(mutations.one(), certificate=certificate)
        try:
            source.certificate(received, settings)
            source.read(received, settings, NOW)
        except Unreadable:
            continue
        # What gets through says what was signed: only fields that nobody signs may differ.
        now = orjson.loads(received.body)
        assert all(now.get(name) == meant[name] for name in ("Message", "MessageId", "Timestamp", "TopicArn", "Type"))


@pytest.mark.parametrize("kind", SOURCES)
def test_any_bytes_at_all_end_in_a_reading_or_in_unreadable(kind):
    chance = random.Random(f"{kind}-2")
    source = SOURCES[kind]
    for _ in range(3_000):
        body = b"".join(chance.choice(BYTES) for _ in range(chance.randint(0, 12))) + chance.randbytes(
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

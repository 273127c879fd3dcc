"""Every source over every recorded body: the events, field by field, that tests/data/expected says by hand.

And what any source must do, ours or a third party's: refuse what is not its own with Unreadable, and nothing else.
"""

from __future__ import annotations

import json
from hashlib import blake2b
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any, ClassVar

import pytest

from app.sources import times
from app.sources.event import Event, Reading, Received, Unreadable
from app.sources.registry import (
    BUILT_IN,
    SOURCES,
    BadSettings,
    BadSource,
    UnknownKind,
    installed,
    parse_settings,
    registry,
)
from app.sources.source import SourceSettings

DATA = Path(__file__).parent.parent / "data"
SAMPLES = sorted(
    path
    for kind in SOURCES
    for path in (DATA / kind).iterdir()
    if path.suffix in {".json", ".txt", ".eml"} and path.stem != "SOURCES"
)
NOW = 1_785_000_000_000_000
ONE_A_REQUEST = {"pagerduty", "sns", "email"}
"""Kinds whose protocol knows no batches."""


def expectation(sample: Path) -> Path:
    return DATA / "expected" / sample.parent.name / (sample.stem.removesuffix(".broken") + ".json")


def firing(kind: str) -> tuple[bytes, SourceSettings, Reading]:
    """A recorded body of this kind in which something fires, and what it says."""
    source = SOURCES[kind]
    for sample in (path for path in SAMPLES if path.parent.name == kind and path.suffix in {".json", ".eml"}):
        settings = source.Settings.model_validate(json.loads(expectation(sample).read_text()).get("settings", {}))
        body = sample.read_bytes().strip()
        if not body.startswith(b"{") and sample.suffix == ".json":
            continue
        reading = source.read(Received(body), settings, NOW)
        if any(event.status == "firing" for event in reading.events):
            return body, settings, reading
    raise AssertionError(f"no sample of {kind} in which something fires")


def key_matches(event: Event, expected: dict[str, Any]) -> bool:
    if "key_starts" in expected:
        return event.key.startswith(expected["key_starts"])
    key = expected["key"]
    if isinstance(key, str):
        return event.key == key
    canonical = json.dumps(key["labels"], sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    digest = blake2b(canonical, digest_size=16).hexdigest()
    return event.key == (f"{key['fingerprint']}/{digest}" if key["fingerprint"] else digest)


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_sample_gives_exactly_the_expected_events(sample: Path):
    expected = json.loads(expectation(sample).read_text(encoding="utf-8"))
    source = SOURCES[sample.parent.name]
    now = times.parse(expected["now"])
    received = Received(sample.read_bytes(), "text/plain")
    settings = source.Settings.model_validate(expected.get("settings", {}))
    if "unreadable" in expected:
        with pytest.raises(Unreadable, match=expected["unreadable"]):
            source.read(received, settings, now)
        return
    reading = source.read(received, settings, now)
    assert list(reading.problems) == expected["problems"]
    assert len(reading.events) == len(expected["events"])
    for event, wanted in zip(reading.events, expected["events"], strict=True):
        assert (event.status, event.title, event.severity) == (wanted["status"], wanted["title"], wanted["severity"])
        assert dict(event.labels) == wanted["labels"]
        annotations = dict(event.annotations)
        if "description_starts" in wanted:
            assert annotations.pop("description").startswith(wanted["description_starts"])
        assert annotations == wanted["annotations"]
        assert [list(link) for link in event.links] == wanted["links"]
        for name in ("starts_at", "ends_at", "expires_at"):
            assert getattr(event, name) == times.parse(wanted.get(name)), name
        assert (event.once, event.test) == (wanted.get("once", False), wanted.get("test", False))
        assert key_matches(event, wanted), event.key


def test_every_sample_has_an_expectation_and_every_expectation_a_sample():
    assert {expectation(sample) for sample in SAMPLES} == set((DATA / "expected").rglob("*.json"))
    assert len(SAMPLES) > 110
    assert {sample.parent.name for sample in SAMPLES} == set(SOURCES)


@pytest.mark.parametrize("source", BUILT_IN, ids=lambda source: source.kind)
class TestEachSource:
    def test_works_without_any_setting_and_describes_its_settings_for_a_form(self, source):
        assert source.Settings().expire_after_s is None
        assert "expire_after_s" in source.Settings.model_json_schema()["properties"]
        assert source.title

    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b"  \n",
            b"{",
            b"not json",
            b"{}",
            b"[]x",
            b"null",
            b"17",
            b"true",
            b"[1,2]",
            b'{"a":',
            b"\xff\xfe",
            b"<a/>",
        ],
    )
    def test_refuses_what_is_no_message_with_one_clear_sentence(self, source, body):
        with pytest.raises(Unreadable) as refusal:
            source.read(Received(body), source.Settings(), NOW)
        assert str(refusal.value).endswith(".")
        assert 20 < len(str(refusal.value)) < 300

    def test_reads_a_body_as_form_type_with_spaces_and_a_byte_order_mark(self, source):
        body, settings, plain = firing(source.kind)
        marked = Received(b"\xef\xbb\xbf  " + body, "application/x-www-form-urlencoded")
        assert source.read(marked, settings, NOW) == plain

    def test_flags_what_a_database_cannot_store(self, source):
        body, settings, plain = firing(source.kind)
        if body.startswith(b"{"):
            broken = b'{"\\u0000":"a\\u0000b",' + body[1:]
        else:
            broken = body.replace(b"Subject: ", b"Subject: a\x00", 1)
        scrubbed = source.read(Received(broken), settings, NOW).events
        assert [event.labels["tocsin_scrubbed"] for event in scrubbed] == ["true"] * len(plain.events)

    def test_takes_the_remapping_of_its_integration(self, source):
        """Another dedup key, and another meaning of the sender's words."""
        body, settings, _ = firing(source.kind)
        own = {"key": "=mine", "status": "=whatever", "statuses": {"Whatever": "resolved"}, "severity": "=P4"}
        remapped = type(settings).model_validate({**settings.model_dump(mode="json"), **own})
        for event in source.read(Received(body), remapped, NOW).events:
            assert (event.key, event.status, event.severity) == ("mine", "resolved", "info")
            assert event.expires_at is None

    def test_a_setting_that_finds_nothing_changes_nothing_but_says_so(self, source):
        body, settings, plain = firing(source.kind)
        own = {"key_parts": ["no.such.place"], "severity": "no.such.place", "status": "no.such.place"}
        remapped = type(settings).model_validate({**settings.model_dump(mode="json"), **own})
        reading = source.read(Received(body), remapped, NOW)
        assert [event[:4] for event in reading.events] == [event[:4] for event in plain.events]
        assert all("no.such.place" in event.annotations["mapping"] for event in reading.events)


@pytest.mark.parametrize("kind", [kind for kind in SOURCES if kind not in ONE_A_REQUEST])
def test_of_a_batch_with_a_broken_part_the_others_count_and_the_broken_one_is_told(kind):
    body, settings, plain = firing(kind)
    if "alerts" in json.loads(body):  # a group: its alerts are the batch
        document = json.loads(body)
        batch = json.dumps({**document, "alerts": [7, *document["alerts"]]}).encode()
    else:
        batch = b"[7," + body + b"]"
    reading = SOURCES[kind].read(Received(batch), settings, NOW)
    assert [event.key for event in reading.events] == [event.key for event in plain.events]
    assert len(reading.problems) == 1


class Siren:
    """A third party's source."""

    kind: ClassVar[str] = "siren"
    title: ClassVar[str] = "Siren"
    Settings: ClassVar[type[SourceSettings]] = SourceSettings

    def read(self, received: Received, settings: SourceSettings, now: int) -> Reading:
        return Reading((Event("firing", "siren", "Siren"),))


class Copycat(Siren):
    kind: ClassVar[str] = "zabbix"


class Shouting(Siren):
    kind: ClassVar[str] = "SIREN/1"


class Bare:
    kind: ClassVar[str] = "bare"
    Settings: ClassVar[type[SourceSettings]] = SourceSettings


class Unset(Siren):
    Settings: ClassVar[Any] = dict


here = Siren()


class TestRegistry:
    def test_knows_the_built_in_kinds(self):
        assert {"alertmanager", "grafana", "azure", "gcp", "sentry", "nagios", "github", "generic"} < set(SOURCES)
        assert len(SOURCES) > 20

    @pytest.mark.parametrize("name", ["Siren", "here"])
    def test_takes_in_what_a_package_offers_as_class_or_object(self, name):
        point = EntryPoint(name="siren", value=f"{__name__}:{name}", group="tocsin.sources")
        known = installed([point])
        assert known["siren"].title == "Siren"
        assert set(known) == {*SOURCES, "siren"}

    def test_is_the_built_in_list_when_nothing_else_is_installed(self):
        assert dict(installed()) == dict(SOURCES)

    @pytest.mark.parametrize(
        ("source", "why"),
        [
            (Copycat(), "Two sources have the kind 'zabbix'"),
            (Shouting(), "no usable kind"),
            (Bare(), "lacks a title or a read method"),
            (Unset(), "no Settings"),
            (object(), "no usable kind"),
        ],
    )
    def test_refuses_a_source_that_would_not_work_and_says_why(self, source, why):
        with pytest.raises(BadSource, match=why):
            registry([*BUILT_IN, source])

    def test_parses_settings_of_a_kind(self):
        assert parse_settings("alertmanager", {"ignore_labels": ["replica"]}).ignore_labels == ("replica",)
        assert parse_settings("zabbix", {"expire_after_s": 600}).expire_after_s == 600

    def test_names_the_kinds_there_are_for_one_there_is_not(self):
        with pytest.raises(UnknownKind, match="alertmanager, azure, checkmk, datadog"):
            parse_settings("pager", {})

    def test_says_each_fault_of_settings_in_one_sentence(self):
        with pytest.raises(BadSettings) as refusal:
            parse_settings("datadog", {"expire_after_s": 5, "expires": 1})
        assert refusal.value.errors == (
            "expire_after_s: Input should be greater than or equal to 60",
            "expires: there is no such setting",
        )

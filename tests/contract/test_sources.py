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
    if path.suffix in {".json", ".txt"} and path.stem != "SOURCES"
)
NOW = 1_785_000_000_000_000


def expectation(sample: Path) -> Path:
    return DATA / "expected" / sample.parent.name / (sample.stem.removesuffix(".broken") + ".json")


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
    if "unreadable" in expected:
        with pytest.raises(Unreadable, match=expected["unreadable"]):
            source.read(received, source.Settings(), now)
        return
    reading = source.read(received, source.Settings(), now)
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
    assert len(SAMPLES) > 40


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

    def test_reads_a_list_as_text_type_and_a_body_with_spaces_and_a_byte_order_mark(self, source):
        body = (
            '\ufeff  {"alerts":[{"labels":{"alertname":"a"}}],"title":"[Triggered] a","event_name":"a","event_value":"1",'
            '"event_action":"trigger","message":"a"}'
        )
        reading = source.read(Received(body.encode(), "application/x-www-form-urlencoded"), source.Settings(), NOW)
        assert [event.status for event in reading.events] == ["firing"]

    def test_replaces_and_flags_what_a_database_cannot_store(self, source):
        body = (
            b'{"title":"[Triggered] a\\u0000b","event_name":"a\\u0000b","event_value":"1",'
            b'"alerts":[{"labels":{"alertname":"a\\u0000b"}}],'
            b'"event_action":"trigger","payload":{"summary":"a\\u0000b"},"message":"a\\u0000b"}'
        )
        (event,) = source.read(Received(body), source.Settings(), NOW).events
        assert event.title == "a\ufffdb" or event.title.endswith("a\ufffdb")
        assert event.labels["tocsin_scrubbed"] == "true"


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
        assert set(SOURCES) == {"alertmanager", "grafana", "datadog", "zabbix", "pagerduty", "generic"}

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
        with pytest.raises(UnknownKind, match="alertmanager, datadog, generic, grafana, pagerduty, zabbix"):
            parse_settings("pager", {})

    def test_says_each_fault_of_settings_in_one_sentence(self):
        with pytest.raises(BadSettings) as refusal:
            parse_settings("datadog", {"expire_after_s": 5, "expires": 1})
        assert refusal.value.errors == (
            "expire_after_s: Input should be greater than or equal to 60",
            "expires: there is no such setting",
        )

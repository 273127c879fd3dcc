"""Generic JSON: common conventions without a mapping, and mappings that are checked when they are saved."""

from __future__ import annotations

import json
import re
from pathlib import Path
from urllib.parse import urlencode

import pytest

from app.sources.event import Received, Unreadable
from app.sources.generic import Generic, GenericSettings
from app.sources.registry import BadSettings, parse_settings

DOCS = Path(__file__).parent.parent.parent / "docs" / "sources.md"
NOW = 1_785_000_000_000_000
SEEN = "2026-07-25T17:00:00Z"
SEEN_US = NOW - 20 * 60 * 1_000_000


def read(body, query=None, **settings):
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Generic().read(Received(raw, "", query), parse_settings("generic", settings), NOW)


def one(body, query=None, **settings):
    (event,) = read(body, query, **settings).events
    return event


class TestGoAlert:
    def test_summary_and_details_are_the_key_when_there_is_no_dedup(self):
        body = {"summary": "s", "details": "d"}
        assert one(body).key == one(body | {"action": "close"}).key
        assert len({one(body | more).key for more in ({}, {"summary": "t"}, {"details": "e"}, {"dedup": "k"})}) == 4
        assert one(body | {"dedup": "k"}).key == "k"

    @pytest.mark.parametrize("query", [None, {"action": "close"}])
    def test_close_resolves_from_the_body_and_from_the_query(self, query):
        body = {"summary": "s"} if query else {"summary": "s", "action": "close"}
        assert one(body, query).status == "resolved"

    def test_form_fields_read_as_json_does(self):
        fields = {"summary": "Disk & more", "details": "ünïcode", "action": "close", "dedup": "k"}
        assert read(urlencode(fields).encode()) == read(fields)

    def test_fields_in_the_query_alone_are_enough_and_nothing_else_of_it_is_kept(self):
        event = one(b"", {"summary": "s", "details": "d", "key": "hunter2", "token": "hunter2"})
        assert event.title == "s"
        assert "hunter2" not in repr(event)

    def test_the_query_is_scrubbed_too(self):
        event = one(b"", {"summary": "a\x00b"})
        assert event.title == "a\ufffdb"
        assert event.labels["tocsin_scrubbed"] == "true"

    def test_meta_is_labels(self):
        assert one({"summary": "s", "meta": {"region": "eu"}}).labels == {"region": "eu"}


class TestOtherConventions:
    @pytest.mark.parametrize(("state", "status"), [("alerting", "firing"), ("ok", "resolved")])
    def test_grafana_oncall(self, state, status):
        event = one(
            {"alert_uid": "u", "title": "t", "message": "m", "state": state, "link_to_upstream_details": "https://a/b"}
        )
        assert (event.key, event.title, event.status, event.links) == ("u", "t", status, (("Details", "https://a/b"),))
        assert event.annotations["description"] == "m"

    @pytest.mark.parametrize("severity", ["ok", "normal", "cleared", "closed", "OK"])
    def test_alerta_is_over_by_severity_and_correlated_events_are_one_alert(self, severity):
        base = {"resource": "r", "environment": "e", "correlate": ["node_up", "node_down"]}
        down = one(base | {"event": "node_down", "severity": "major"})
        up = one(base | {"event": "node_up", "severity": severity, "correlate": ["node_down", "node_up"]})
        assert (down.status, down.severity, up.status) == ("firing", "error", "resolved")
        assert down.key == up.key
        assert one(base | {"event": "other", "severity": "major"}).key != down.key

    def test_alertas_attributes_are_texts_and_its_text_is_in_the_title(self):
        event = one(
            {"resource": "r", "event": "e", "text": "it is down", "attributes": {"a": 1, "b": False, "api_token": "x"}}
        )
        assert event.title == "e on r: it is down"
        assert event.annotations == {"a": "1", "b": "false", "description": "it is down"}

    @pytest.mark.parametrize(
        ("state", "status", "severity"),
        [
            ("ok", "resolved", "error"),
            ("critical", "firing", "critical"),
            ("warning", "firing", "warning"),
            ("?", "firing", "error"),
        ],
    )
    def test_riemann(self, state, status, severity):
        event = one({"host": "h", "service": "s", "state": state, "description": "d", "metric": 0.5})
        assert (event.key, event.status, event.severity, event.title) == ("h/s", status, severity, "h s: d")
        assert event.annotations["metric"] == "0.5"

    def test_a_bare_text_is_an_alert_titled_by_its_first_line(self):
        event = one("\n disk full on db-1\nsecond line")
        assert (event.title, event.status, event.severity) == ("disk full on db-1", "firing", "error")
        assert "second line" in event.annotations["description"]

    def test_a_list_is_as_many_alerts_as_it_has_maps_and_texts(self):
        reading = read([{"message": "a"}, "b", 7, None])
        assert [event.title for event in reading.events] == ["a", "b"]
        assert reading.problems == ("2 of 4 items are neither a map nor a text.",)

    def test_what_nobody_foresaw_is_titled_by_its_first_text(self):
        assert one({"a": {"b": [1, {"c": "the roof is on fire"}]}}).title == "the roof is on fire"
        assert one({"x": "first", "y": {"summary": "a better one"}}).title == "a better one"
        assert one({"routing_key": "hunter2", "payload": {"summary": "s"}}).title == "s"
        assert one({"token": "hunter2", "n": 1}).title == "Alert without a text"

    def test_kapacitors_data_that_only_looks_like_json_is_text(self):
        assert one({"id": "1", "message": "m", "data": '{"Series":[{"name":NULL}]}'}).title == "m"

    def test_the_same_words_about_two_hosts_are_two_alerts(self):
        assert one({"title": "t", "host": "a"}).key != one({"title": "t", "host": "b"}).key
        assert one({"title": "t", "host": "a"}).key == one({"title": "t", "host": "a", "status": "ok"}).key

    @pytest.mark.parametrize(
        ("word", "status"),
        [
            ("resolved", "resolved"),
            ("Close", "resolved"),
            ("ack", "acknowledged"),
            ("acknowledge", "acknowledged"),
            ("boom", "firing"),
        ],
    )
    def test_status_words(self, word, status):
        assert one({"title": "t", "status": word}).status == status

    def test_an_unknown_severity_is_an_error_and_keeps_its_word(self):
        event = one({"title": "t", "severity": "Purple"})
        assert (event.severity, event.annotations["severity_raw"]) == ("error", "Purple")

    def test_times(self):
        event = one({"title": "t", "starts_at": SEEN, "timestamp": SEEN})
        assert (event.starts_at, event.ends_at) == (SEEN_US, None)
        event = one({"title": "t", "status": "ok", "timestamp": SEEN})
        assert (event.starts_at, event.ends_at) == (None, SEEN_US)

    def test_short_texts_are_labels_numbers_and_long_ones_are_not_and_secrets_are_neither(self):
        event = one({"title": "t", "region": "eu", "value": 93.5, "ok": True, "log": "x" * 300, "api_key": "hunter2"})
        assert event.labels == {"region": "eu", "ok": "true"}
        assert event.annotations == {"value": "93.5", "log": "x" * 300}

    def test_everything_is_kept_within_the_limits(self):
        event = one({"title": "t" * 999, "description": "d" * 99_999} | {f"f{n}": "v" for n in range(999)})
        assert (len(event.title), len(event.annotations["description"])) == (300, 8_192)
        assert len(event.labels) == 201
        assert event.labels["tocsin_truncated"] == "true"


SHOP = {
    "site": "berlin",
    "items": [
        {
            "what": {"name": "Queue", "id.full": "q/1"},
            "lvl": 3,
            "st": "2",
            "since": 1_784_999_000,
            "see": "https://a/b",
            "n": [7],
        },
        {"what": {"name": "Cache", "id.full": "c/1"}, "lvl": "low", "st": "down"},
    ],
}
MAPPING = {
    "events": "items",
    "title": "what.name",
    "key_parts": ["/site", "what.id.full"],
    "status": "st",
    "statuses": {"2": "resolved", "DOWN": "firing"},
    "severity": ["lvl", "=critical"],
    "severities": {"3": "warning", "low": "info"},
    "starts_at": "since",
    "ends_at": "until",
    "description": ["text", "what.name"],
    "link": "see",
    "labels": {"site": "/site", "fixed": "=yes", "absent": "no.such"},
    "annotations": {"first": "n.0"},
}


class TestMapping:
    def test_reads_each_event_of_a_list_by_its_paths_tables_and_constants(self):
        first, second = read(SHOP, **MAPPING).events
        assert (first.title, first.key, first.status, first.severity) == (
            "Queue",
            "berlin/q%2F1",
            "resolved",
            "warning",
        )
        assert (first.starts_at, first.ends_at) == (1_784_999_000_000_000, None)
        assert (first.labels["site"], first.labels["fixed"]) == ("berlin", "yes")
        assert "absent" not in first.labels
        assert (first.annotations["first"], first.annotations["description"]) == ("7", "Queue")
        assert first.links[0] == ("Link", "https://a/b")
        assert (second.title, second.key, second.status, second.severity) == ("Cache", "berlin/c%2F1", "firing", "info")

    def test_a_word_in_no_table_falls_back_to_the_common_words_and_the_unknown_fires_as_error(self):
        event = one(
            {"t": "x", "s": "purple", "st": "Resolved"}, title="t", severity="s", status="st", statuses={"a": "firing"}
        )
        assert (event.status, event.severity, event.annotations["severity_raw"]) == ("resolved", "error", "purple")
        assert one({"t": "x", "st": "purple"}, title="t", status="st").status == "firing"

    def test_what_is_not_mapped_follows_the_conventions(self):
        event = one({"my": {"id": "k"}, "message": "m", "state": "ok"}, key="my.id")
        assert (event.key, event.title, event.status) == ("k", "m", "resolved")

    def test_candidates_are_tried_in_order(self):
        settings = {"title": ["a", "b.c", "=nothing said"]}
        assert [one(body, **settings).title for body in ({"a": "1"}, {"a": "", "b": {"c": "2"}}, {"x": 1})] == [
            "1",
            "2",
            "nothing said",
        ]

    def test_a_key_that_is_missing_is_told_beside_the_alert_and_the_title_stands_in(self):
        event = one({"title": "t", "host": "h"}, key_parts=["host", "check"])
        assert event.annotations["mapping"] == "No key at `check`: other fields stand in for it."
        assert event.key != one({"title": "t", "host": "g"}, key_parts=["host", "check"]).key
        assert (
            one({"title": "t"}, key=["a", "b"]).annotations["mapping"]
            == "No key at `a`, `b`: other fields stand in for it."
        )

    def test_long_titles_make_keys_of_all_their_text(self):
        long = "x" * 30_000
        for settings in ({}, {"title": "title"}, {"key": "no.such"}):
            keys = {one({"title": f"{long}{end}\n"}, **settings).key for end in "ab"}
            assert len(keys) == 2

    def test_parts_of_a_key_do_not_run_into_each_other(self):
        settings = {"key_parts": ["a", "b"]}
        assert one({"a": "x/y", "b": "z"}, **settings).key != one({"a": "x", "b": "y/z"}, **settings).key

    def test_a_list_that_is_not_there_is_told_and_the_body_is_one_event(self):
        event = one({"title": "t"}, events="alerts.list")
        assert "no list at `alerts.list`" in event.annotations["mapping"]

    def test_a_mapped_title_is_the_key_when_nothing_better_is_there(self):
        settings = {"title": "t"}
        assert one({"t": "x", "message": "1"}, **settings).key == one({"t": "x", "message": "2"}, **settings).key
        assert one({"t": "x", "host": "a"}, **settings).key != one({"t": "x", "host": "b"}, **settings).key

    def test_netdatas_stable_key_can_be_chosen(self):
        """Its Events v2 body: the resolve comes with a dedup_key never seen before."""
        body = {"dedup_key": "u1", "payload": {"source": "h", "custom_details": {"alarm_id": 5}}}
        settings = {"key_parts": ["payload.custom_details.alarm_id", "payload.source"]}
        assert one(body, **settings).key == one(body | {"dedup_key": "u2"}, **settings).key == "5/h"

    def test_an_alert_expires_after_its_last_message_and_a_resolve_does_not(self):
        assert one({"title": "t"}, expires_in_s=600).expires_at == NOW + 600_000_000
        assert one({"title": "t", "status": "ok"}, expires_in_s=600).expires_at is None

    def test_a_pointer_escapes_slash_and_tilde(self):
        assert one({"a/b": {"c~d": "x"}}, title="/a~1b/c~0d").title == "x"

    @pytest.mark.parametrize("path", ["a.0", "a.b.c", "0", "a.99999999", "a.999999999999999999999", "a.-1"])
    def test_a_path_that_leads_nowhere_says_nothing(self, path):
        assert one({"a": [], "message": "m"}, title=path).title == "m"

    @pytest.mark.parametrize("body", [[], {}, 7, None, {"items": [1, 2]}])
    def test_nothing_usable_is_unreadable_unless_the_list_is_empty(self, body):
        if body == []:
            assert read(body).events == ()
            return
        with pytest.raises(Unreadable, match="Nothing in the body is an event"):
            read(body, events="items" if isinstance(body, dict) else None)


class TestSaving:
    @pytest.mark.parametrize(
        ("settings", "says"),
        [
            ({"title": "$.a"}, "title.0: write `alert.host` instead of `$.alert.host`"),
            ({"title": "a..b"}, "title.0: a path has a dot too many"),
            ({"title": ""}, "title.0: a path must not be empty"),
            ({"title": [" a"]}, "title.0: a path must not be empty or have spaces around it"),
            ({"title": "/a~b"}, "title.0: in a path that begins with /"),
            ({"title": "a\x00"}, "title.0: there are invisible characters in it"),
            ({"title": "=a\nb"}, "title.0: there are invisible characters in it"),
            ({"title": 7}, "title: Input should be a valid tuple"),
            ({"title": "a" * 501}, "title.0: String should have at most 500 characters"),
            ({"title": ["a"] * 21}, "title: Value should have at most 20 items"),
            ({"events": "=x"}, "events: this must be a path into the body, not a fixed text"),
            ({"key": "a", "key_parts": ["b"]}, "settings: set either key or key_parts, not both"),
            ({"statuses": {"a": "firing"}}, "settings: statuses needs status"),
            ({"severities": {"a": "error"}}, "settings: severities needs severity"),
            (
                {"status": "s", "statuses": {"a": "broken"}},
                "statuses.a: Input should be 'firing', 'resolved' or 'acknowledged'",
            ),
            (
                {"status": "s", "statuses": {"a": "firing", "A": "resolved"}},
                "settings: statuses has the same word twice",
            ),
            ({"expires_in_s": 5}, "expires_in_s: Input should be greater than or equal to 60"),
            (
                {"expires_in_s": 60, "expire_after_s": 60},
                "settings: set either expires_in_s or expire_after_s, not both",
            ),
            ({"labels": {"": "a"}}, "labels..[key]: String should have at least 1 character"),
            ({"labels": {"a\n": "b", "c\x07d": "e"}}, "there are invisible characters in it"),
            ({"template": "{{ x }}"}, "template: there is no such setting"),
        ],
    )
    def test_a_mapping_that_cannot_work_is_refused_with_its_reason(self, settings, says):
        with pytest.raises(BadSettings) as refusal:
            parse_settings("generic", settings)
        assert says in str(refusal.value)

    def test_a_mapping_survives_being_stored(self):
        settings = GenericSettings.model_validate(MAPPING)
        assert GenericSettings.model_validate(settings.model_dump(mode="json")) == settings

    def test_the_form_knows_that_one_path_or_several_may_be_given(self):
        schema = GenericSettings.model_json_schema()["properties"]["title"]
        assert {"type": "string"} in schema["anyOf"]


def test_the_mapping_in_the_docs_reads_the_example_in_the_docs():
    page = DOCS.read_text(encoding="utf-8")
    example, mapping = (re.search(rf"```json {name}\n(.*?)```", page, re.DOTALL)[1] for name in ("example", "mapping"))
    event = one(json.loads(example), **json.loads(mapping))
    assert (event.title, event.key, event.status, event.severity) == ("Queue depth", "berlin/17", "resolved", "error")
    assert (event.starts_at, event.labels["site"], event.labels["team"]) == (1_784_999_000_000_000, "berlin", "storage")

"""Datadog: the quirks of real deliveries, one promise a test."""

from __future__ import annotations

import json
import re
from urllib.parse import urlencode

import pytest

from app.sources.datadog import MAX_NAMES, MAX_TEMPLATES, TEMPLATES, Datadog, DatadogSettings
from app.sources.event import Received, Unreadable

NOW = 1_785_000_000_000_000
MS = 1_784_999_000_000


def read(body):
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Datadog().read(Received(raw), DatadogSettings(), NOW)


def one(body):
    (event,) = read(body).events
    return event


def message(**more):
    return {"alert_id": "7", "alert_scope": "host:a", "org_id": "1", "title": "Disk", "transition": "Triggered"} | more


class TestStatus:
    @pytest.mark.parametrize(
        ("word", "status"),
        [
            ("Triggered", "firing"),
            ("Re-Triggered", "firing"),
            ("No Data", "firing"),
            ("Re-No Data", "firing"),
            ("Warn", "firing"),
            ("Re-Warn", "firing"),
            ("Renotify", "firing"),
            ("Unheard of", "firing"),
            ("Recovered", "resolved"),
            ("RECOVERED", "resolved"),
            ("Warn Recovered", "resolved"),
            ("Recovered from No Data", "resolved"),
            ("Alert Recovery", "resolved"),
        ],
    )
    @pytest.mark.parametrize(
        "name", ["transition", "alert_transition", "ALERT_TRANSITION", "$ALERT_TRANSITION", "alert.alert_transition"]
    )
    def test_transition_decides_under_any_of_its_names(self, word, status, name):
        outer, _, inner = name.partition(".")
        body = {"title": "Disk"} | ({outer: {inner: word}} if inner else {name: word})
        assert one(body).status == status

    @pytest.mark.parametrize(
        ("title", "status"),
        [
            ("[Triggered] x", "firing"),
            ("[P1] [Recovered on {host:a}] x", "resolved"),
            ("[OK] x", "resolved"),
            ("[Recovered from No Data on {host:a}] x", "resolved"),
            ("[Alert] x", "firing"),
            ("[No Data on {host:a,env:b}] x", "firing"),
            ("[Strange] x", "firing"),
            ("x", "firing"),
        ],
    )
    def test_without_a_transition_the_title_decides(self, title, status):
        assert one({"title": title}).status == status

    def test_without_either_success_is_an_end(self):
        assert one({"title": "x", "alert_type": "success"}).status == "resolved"
        assert one({"title": "x", "alert_type": "success", "transition": "Triggered"}).status == "firing"

    @pytest.mark.parametrize("word", ["null", "", "$ALERT_TRANSITION", "ALERT_TRANSITION", None])
    def test_a_transition_that_says_nothing_leaves_it_to_the_title(self, word):
        assert one({"title": "[Recovered] x", "transition": word}).status == "resolved"


class TestTitle:
    @pytest.mark.parametrize(
        ("title", "name"),
        [
            ("[P1] [Triggered on {host:a,env:b}] Name", "Name"),
            ("[Triggered] [Synthetics] Name", "[Synthetics] Name"),
            ("[P3] [Synthetics] Name", "[Synthetics] Name"),
            ("[Re-Triggered on {issue.id:2d-f2}] [New issue] Name", "[New issue] Name"),
            ("[Synthetics] Name", "[Synthetics] Name"),
            ("[Triggered] two\nlines", "two lines"),
            ("[[x]] y", "[[x]] y"),
            ("[", "["),
        ],
    )
    def test_loses_its_prefix_and_keeps_its_name(self, title, name):
        assert one({"title": title}).title == name

    def test_no_data_says_so(self):
        assert one(message(transition="No Data")).title == "No data: Disk"

    def test_the_message_stands_in_for_a_missing_title(self):
        assert one({"body": "%%%\n\nDisk full\nmore\n%%%"}).title == "Disk full"
        assert one({"alert_id": "7"}).title == "Datadog monitor 7"


class TestIdentity:
    def test_the_cycle_key_is_best_and_never_comes_again(self):
        event = one(message(alert_cycle_key="c1"))
        assert (event.key, event.once) == ("cycle:c1", True)

    def test_monitor_scope_and_org_join_trigger_and_recovery(self):
        trigger = one(message(alert_scope="host:a,env:b", id="1", event_id="11"))
        recovery = one(message(alert_scope="env:b, host:a", transition="Recovered", id="2", event_id="12"))
        assert trigger.key == recovery.key == "monitor:1/7/env:b,host:a"
        assert not trigger.once

    def test_another_scope_monitor_or_org_is_another_alert(self):
        keys = {
            one(message(**more)).key for more in ({}, {"alert_scope": "host:b"}, {"alert_id": "8"}, {"org_id": "2"})
        }
        assert len(keys) == 4

    def test_scope_and_monitor_are_read_from_title_and_text_when_no_field_says_them(self):
        body = "[Monitor](https://app.datadoghq.com/monitors/99?a=1&amp;group=host%3Adb-1&amp;b=2)"
        assert one({"title": "[Triggered] x", "body": body}).key == "monitor:/99/host:db-1"
        assert one({"title": "[Triggered on {host:a}] x", "body": body}).key == "monitor:/99/host:a"
        assert one({"title": "x", "body": "https://app.datadoghq.eu/monitors#12/edit"}).key == "monitor:/12/"

    @pytest.mark.parametrize(
        ("text", "link"),
        [
            ("[a](https://app.datadoghq.com/monitors/99?) b", "https://app.datadoghq.com/monitors/99"),
            ("/monitors/5, then (http://dd.test/monitors/99)", "http://dd.test/monitors/99"),
            ("https://httpbin.test/monitors#99 and https://a.test/monitors/5", "https://httpbin.test/monitors#99"),
            ("see http://a.test or http://b.test/x/monitors/99", "http://b.test/x/monitors/99"),
            ("://b/monitors/5 ftp://b/monitors/5 http://a b/monitors/5 http:///monitors/x", None),
            ("http://" + "a" * 201 + "/monitors/5", None),
            ("httpfoo/monitors/5", None),
            ("all: http://a.test/monitors, this: http://b.test/monitors/99", "http://b.test/monitors/99"),
        ],
    )
    def test_the_first_whole_address_of_a_monitor_in_the_text_is_its_link(self, text, link):
        event = one({"title": "x", "body": text})
        assert dict(event.links).get("Monitor") == link
        assert event.labels.get("monitor_id") == ("99" if link else None)

    def test_without_a_scope_the_aggregation_key_tells_groups_apart(self):
        assert one(message(alert_scope="", aggreg_key="g1")).key == "monitor:1/7/g1"
        assert one({"title": "x", "aggregate": "g1"}).key == "aggregate:/g1"

    def test_without_anything_the_name_is_the_key_whatever_its_prefix(self):
        trigger, recovery = one({"title": "[Triggered on {host:a}] x"}), one({"title": "[Recovered on {host:a}] x"})
        assert trigger.key == recovery.key
        assert trigger.key != one({"title": "[Triggered on {host:b}] x"}).key

    def test_a_long_name_counts_to_its_end(self):
        keys = {one({"title": f"[Triggered] {'x' * 9_000}{end}"}).key for end in "ab"}
        assert len(keys) == 2

    @pytest.mark.parametrize(
        "literal", ["$ALERT_CYCLE_KEY", "ALERT_CYCLE_KEY", "${ALERT_CYCLE_KEY}", "null", "NULL", " "]
    )
    def test_a_variable_that_was_not_filled_in_is_absent(self, literal):
        assert one(message(alert_cycle_key=literal)).key == "monitor:1/7/host:a"


class TestSeverity:
    @pytest.mark.parametrize(
        ("more", "severity"),
        [
            ({"priority": "P1"}, "critical"),
            ({"priority": "p2"}, "error"),
            ({"priority": "P3"}, "warning"),
            ({"priority": "P5", "alert_type": "error"}, "info"),
            ({"priority": "normal", "alert_type": "warning"}, "warning"),
            ({"priority": "low", "alert_type": "error"}, "error"),
            ({"title": "[P4] [Triggered] x", "alert_type": "error"}, "info"),
            ({"alert_type": "info"}, "info"),
            ({"alert_type": "purple"}, "error"),
            ({}, "error"),
            ({"transition": "Warn"}, "warning"),
            ({"transition": "Re-Warn", "priority": "P1"}, "warning"),
            ({"transition": "Warn", "priority": "P5"}, "info"),
        ],
    )
    def test_priority_then_type_and_a_warn_is_no_more_than_a_warning(self, more, severity):
        assert one(message(**more)).severity == severity

    def test_an_unknown_type_keeps_its_word(self):
        assert one(message(alert_type="purple")).annotations["severity_raw"] == "purple"


class TestTimes:
    def test_only_triggered_names_a_beginning(self):
        starts = {
            word: one(message(transition=word, date=str(MS))).starts_at for word in ("Triggered", "Renotify", "Warn")
        }
        assert starts == {"Triggered": MS * 1_000, "Renotify": None, "Warn": None}

    def test_the_time_of_a_recovery_is_the_end(self):
        event = one(message(transition="Recovered", date=str(MS), last_updated=str(MS + 5_000)))
        assert (event.starts_at, event.ends_at) == (None, (MS + 5_000) * 1_000)

    @pytest.mark.parametrize("date", [MS // 1_000, str(MS // 1_000), MS, "2026-07-25T17:03:20Z"])
    def test_seconds_milliseconds_and_dates_are_accepted(self, date):
        assert one(message(date=date)).starts_at == MS * 1_000

    @pytest.mark.parametrize("date", ["", "null", "$DATE", "soon", None, {}, "99999999999999999"])
    def test_a_date_that_says_nothing_is_none(self, date):
        assert one(message(date=date)).starts_at is None


class TestTagsAndTexts:
    @pytest.mark.parametrize(
        "tags",
        [
            "env:prod,url:http://a:8080,monitor,env:eu",
            ["env:prod", "url:http://a:8080", "monitor", "env:eu"],
            '["env:prod", "url:http://a:8080", "monitor", "env:eu"]',
        ],
    )
    def test_tags_split_on_the_first_colon_only(self, tags):
        labels = one(message(tags=tags)).labels
        assert (labels["env"], labels["url"], labels["monitor"]) == ("prod,eu", "http://a:8080", "true")

    def test_scope_and_host_are_labels(self):
        labels = one(message(alert_scope="host:a,kube:b", hostname="h")).labels
        assert (labels["host"], labels["kube"], labels["alertname"]) == ("a", "b", "Disk")

    def test_fences_and_entities_are_gone_from_the_text(self):
        assert one(message(body="%%%\na &amp; b &lt;c&gt;\n%%%")).annotations["description"] == "a & b <c>"

    def test_entities_and_percent_signs_smuggle_nothing_in(self):
        event = one(
            {
                "title": "[Triggered] x",
                "body": "&#0; &#x202e; https://a.example/monitors/1?group=%00%E2%80%AE",
                "tags": '["a\\u0000:b\\u202e"]',
            }
        )
        said = "".join([event.key, event.title, *event.labels, *event.labels.values(), *event.annotations.values()])
        assert not re.search("[\x00\u202e]", said)

    def test_a_secret_in_the_body_is_not_kept(self):
        assert "hunter2" not in repr(one(message(secret="hunter2", token="hunter2", api_key="hunter2")))

    def test_only_web_links_are_kept(self):
        assert one(message(link="javascript:alert(1)", snapshot="https://p/s.png")).links == (
            ("Snapshot", "https://p/s.png"),
        )


class TestForms:
    def test_encoded_as_form_reads_the_same(self):
        fields = message(date=str(MS), tags="env:prod")
        assert read(urlencode(fields).encode()) == read(fields)

    def test_a_form_that_wraps_json_reads_the_same(self):
        fields = message(body="a & b + c")
        for name in ("payload", "data"):
            assert read(urlencode({name: json.dumps(fields)}).encode()) == read(fields)
            assert read(f"{name}={json.dumps(fields)}".encode()) == read(fields)

    def test_the_test_button_is_a_test_and_a_monitor_named_test_is_not(self):
        text = "Test notification triggered by a@b.example."
        assert one({"title": "[Triggered] [TEST] x", "body": text}).test
        assert not one({"title": "[Triggered] [TEST] x", "body": "Disk"}).test
        assert not one({"title": "[Triggered] x", "body": text}).test

    def test_several_bodies_in_a_list_are_several_events(self):
        reading = read([message(), {}, message(alert_id="8")])
        assert len(reading.events) == 2
        assert reading.problems == ("1 of 3 parts of the body are no message of Datadog.",)

    @pytest.mark.parametrize("body", [{}, {"id": "1", "event_type": "x"}, [], ["x"], "x", {"title": "null"}])
    def test_what_says_nothing_is_not_datadogs(self, body):
        with pytest.raises(Unreadable, match="no message of Datadog"):
            read(body)


class TestTemplates:
    def test_the_same_names_in_another_place_are_another_template(self):
        for _ in range(2):
            assert one({"title": "x", "alert": {"id": "7"}, "more": "y"}).labels["monitor_id"] == "7"
            assert "monitor_id" not in one({"title": "x", "alert": "y", "more": {"id": "7"}}).labels
            assert "monitor_id" not in one({"title": "x", "alert": "y", "more": "z", "id": "7"}).labels

    def test_the_first_of_several_fields_that_says_something_counts(self):
        assert one({"Title": "null", "title": "a", "TITLE": "b"}).title == "a"
        assert one({"event": {"title": "c"}, "title": "", "alert": {"title": "a"}}).title == "a"
        assert one({"event": {"title": "c"}, "x": {"title": "a"}}).title == "c"

    def test_neither_many_templates_nor_long_ones_are_kept(self):
        for number in range(3 * MAX_TEMPLATES):
            one({"title": "x", f"more{number}": "y"})
            assert len(TEMPLATES) <= MAX_TEMPLATES
        long = "y" * MAX_NAMES
        assert one({"title": "x", long: "y"}).title == "x"
        assert not [names for names in TEMPLATES if long in names]


def test_the_recommended_body_is_read_whole():
    """The JSON of the guide, filled in as Datadog would."""
    snippet = re.search(r"```json\n(.*?)```", Datadog.setup, re.DOTALL)[1]
    values = {
        "ALERT_ID": "7",
        "ALERT_CYCLE_KEY": "c9",
        "AGGREG_KEY": "g9",
        "ALERT_TRANSITION": "Triggered",
        "ALERT_TYPE": "error",
        "ALERT_PRIORITY": "P2",
        "ALERT_TITLE": "Disk is full",
        "ALERT_SCOPE": "host:a",
        "TAGS": "env:prod,team:blue",
        "HOSTNAME": "a",
        "TEXT_ONLY_MSG": "It is.",
        "LINK": "https://app.datadoghq.com/event/1",
        "SNAPSHOT": "https://p.datadoghq.com/1.png",
        "DATE": str(MS),
        "ORG_ID": "1",
        "ALERT_METRIC": "disk.used",
        "ALERT_QUERY": "avg:disk.used > 90",
    }
    used = set(re.findall(r"\$([A-Z_]+)", snippet))
    assert used == set(values)
    event = one(json.loads(re.sub(r"\$([A-Z_]+)", lambda match: values[match[1]], snippet)))
    assert (event.key, event.once, event.status, event.severity) == ("cycle:c9", True, "firing", "error")
    assert (event.title, event.starts_at) == ("Disk is full", MS * 1_000)
    assert event.labels["team"] == "blue"
    assert event.labels["monitor_id"] == "7"
    assert event.annotations["query"] == "avg:disk.used > 90"
    assert [name for name, _ in event.links] == ["Event", "Snapshot"]

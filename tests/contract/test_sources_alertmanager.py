"""Alertmanager and Grafana: the quirks of real senders, one promise a test."""

from __future__ import annotations

import json
from typing import ClassVar

import pytest

from app.clock import DAY, MINUTE, SECOND
from app.sources.alertmanager import Alertmanager, AlertmanagerSettings, Grafana
from app.sources.event import MAX_LABELS, MAX_TITLE, MAX_VALUE, Received, Unreadable

NOW = 1_785_000_000_000_000  # 2026-07-25T17:20:00Z
PAST, FUTURE = "2026-07-25T17:00:00Z", "2026-07-25T17:24:00Z"
ZERO = "0001-01-01T00:00:00Z"


def read(body, settings=None, source=None):
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return (source or Alertmanager()).read(Received(raw), settings or AlertmanagerSettings(), NOW)


def alert(**more):
    return {"labels": {"alertname": "A", "instance": "i"}, "annotations": {"summary": "S"}, "fingerprint": "f1"} | more


def group(*alerts, **more):
    return {"version": "4", "status": "firing", "alerts": list(alerts)} | more


def events(body, settings=None):
    return read(body, settings).events


def one(body, settings=None):
    (event,) = events(body, settings)
    return event


class TestStatus:
    def test_each_alert_is_judged_by_its_own_status(self):
        found = events(group(alert(status="firing"), alert(status="resolved", endsAt=PAST)))
        assert [event.status for event in found] == ["firing", "resolved"]

    def test_a_resolved_group_with_hidden_alerts_resolves_only_what_it_names(self):
        """`max_alerts: 1`: the group said resolved while a hidden alert still fired."""
        reading = read(group(alert(status="resolved", endsAt=PAST), status="resolved", truncatedAlerts=3))
        (event,) = reading.events
        assert event.status == "resolved"
        assert "max_alerts" in event.annotations["left_out"]
        assert reading.problems == ()

    @pytest.mark.parametrize(
        ("own", "group_status", "ends", "expected"),
        [
            (None, "resolved", ZERO, "resolved"),
            (None, "firing", PAST, "firing"),
            (None, None, PAST, "resolved"),
            (None, None, FUTURE, "firing"),
            (None, None, ZERO, "firing"),
            (None, None, None, "firing"),
            ("firing", "resolved", PAST, "firing"),
            ("resolved", "firing", ZERO, "resolved"),
            ("Resolved", None, None, "resolved"),
            ("odd", "resolved", None, "resolved"),
            (["x"], {}, None, "firing"),
        ],
    )
    def test_own_status_then_the_groups_then_the_end(self, own, group_status, ends, expected):
        assert one(group(alert(status=own, endsAt=ends), status=group_status)).status == expected

    def test_the_zero_time_means_not_set(self):
        event = one(group(alert(status="firing", startsAt=ZERO, endsAt=ZERO)))
        assert (event.starts_at, event.ends_at, event.expires_at) == (None, None, None)

    def test_firing_with_an_end_ahead_is_a_lease(self):
        assert one(group(alert(status="firing", endsAt=FUTURE))).expires_at == NOW + 4 * MINUTE

    def test_a_time_far_ahead_is_not_believed(self):
        event = one(group(alert(status="resolved", startsAt="9998-01-01T00:00:00Z", endsAt="9999-01-01T00:00:00Z")))
        assert (event.starts_at, event.ends_at) == (None, None)

    @pytest.mark.parametrize("where", ["labels", "annotations"])
    def test_a_series_that_went_missing_in_grafana_is_resolved(self, where):
        body = alert(status="firing")
        body[where] = body[where] | {"grafana_state_reason": "MissingSeries"}
        assert one(group(body)).status == "resolved"
        body[where] = body[where] | {"grafana_state_reason": "NoData"}
        assert one(group(body)).status == "firing"


class TestIdentity:
    def test_the_same_alert_has_the_same_key_whatever_the_order_status_and_annotations(self):
        first = one(group(alert(status="firing")))
        second = one(
            group(
                alert(labels={"instance": "i", "alertname": "A"}, annotations={}, status="resolved", endsAt=PAST),
                groupKey="other",
                receiver="other",
            )
        )
        assert first.key == second.key

    def test_labels_tell_alerts_with_one_fingerprint_apart_and_fingerprints_those_with_equal_labels(self):
        """Grafana strips `__x__` labels but counts them in the fingerprint; old tools repeat one fingerprint."""
        keys = {
            one(group(alert())).key,
            one(group(alert(fingerprint="f2"))).key,
            one(group(alert(labels={"alertname": "A", "instance": "j"}))).key,
            one(group(alert(fingerprint=None))).key,
        }
        assert len(keys) == 4

    def test_label_texts_that_look_alike_when_joined_stay_apart(self):
        one_way = one(group(alert(labels={"a": 'x","b":"y'}))).key
        assert one_way != one(group(alert(labels={"a": "x", "b": "y"}))).key

    def test_an_empty_label_is_an_absent_one(self):
        bare, padded = one(group(alert())), one(group(alert(labels={"alertname": "A", "instance": "i", "zone": ""})))
        assert bare.key == padded.key
        assert "zone" not in padded.labels

    def test_long_labels_are_cut_in_the_event_but_never_in_the_key(self):
        long = "x" * (MAX_VALUE + 10)
        first, second = (one(group(alert(labels={"alertname": "A", "l": long + end}))) for end in "ab")
        assert first.key != second.key
        assert len(first.labels["l"]) == MAX_VALUE
        assert first.labels["tocsin_truncated"] == "true"

    def test_of_too_many_labels_the_first_by_name_stay_and_all_of_them_count(self):
        labels = {f"l{number:04}": "v" for number in range(MAX_LABELS + 50)} | {"severity": "warning"}
        first, second = one(group(alert(labels=labels))), one(group(alert(labels=labels | {"l0249": "other"})))
        assert first.key != second.key
        assert sorted(first.labels) == [f"l{number:04}" for number in range(MAX_LABELS)] + ["tocsin_truncated"]
        assert first.severity == "warning"

    def test_ignored_labels_make_a_pair_of_replicas_one_alert(self):
        settings = AlertmanagerSettings(ignore_labels=("replica", "prometheus_replica"))
        twins = [
            one(group(alert(labels={"alertname": "A", "replica": name}, fingerprint=name)), settings) for name in "ab"
        ]
        assert twins[0].key == twins[1].key
        assert twins[0].labels["replica"] == "a"
        assert one(group(alert(labels={"alertname": "B", "replica": "a"})), settings).key != twins[0].key

    def test_values_that_are_no_text_become_text(self):
        event = one(group(alert(labels={"alertname": "A", "code": 500, "up": False, "none": None, "list": [1, "a"]})))
        assert event.labels == {"alertname": "A", "code": "500", "up": "false", "list": '[1,"a"]'}


class TestTexts:
    @pytest.mark.parametrize(
        ("annotations", "title"),
        [
            ({"summary": "s", "title": "t", "message": "m", "description": "d"}, "s"),
            ({"title": "t", "message": "m", "description": "d"}, "t"),
            ({"message": "m", "description": "d"}, "m"),
            ({"description": "d"}, "d"),
            ({"summary": "  ", "description": "d"}, "d"),
            ({"summary": "two\r\n  lines\tand more "}, "two lines and more"),
            ({"other": "o"}, "A"),
            ({}, "A"),
            (None, "A"),
            ("just text", "just text"),
        ],
    )
    def test_title_is_the_first_text_that_says_something(self, annotations, title):
        assert one(group(alert(annotations=annotations))).title == title

    def test_an_alert_without_a_name_is_named_by_its_labels(self):
        assert one(group(alert(labels={"b": "2", "a": "1"}, annotations={}))).title == "a=1, b=2"
        assert one(group(alert(labels={}, annotations={"x": "y"}))).title == "Alert without a name"

    def test_a_long_title_is_cut_and_flagged(self):
        event = one(group(alert(annotations={"summary": "é" * 1_000})))
        assert event.title == "é" * MAX_TITLE
        assert event.labels["tocsin_truncated"] == "true"
        assert event.annotations["summary"] == "é" * 1_000

    def test_long_and_many_annotations_are_cut_and_flagged(self):
        event = one(group(alert(annotations={"description": "x" * 10_000} | {f"a{n}": "y" for n in range(300)})))
        assert len(event.annotations) == MAX_LABELS
        assert event.labels["tocsin_truncated"] == "true"
        assert max(map(len, event.annotations.values())) <= MAX_VALUE

    @pytest.mark.parametrize(
        ("labels", "severity"),
        [
            ({"severity": "critical"}, "critical"),
            ({"severity": "Warning"}, "warning"),
            ({"severity": "page"}, "critical"),
            ({"severity": "none"}, "none"),
            ({"severity": "purple"}, "error"),
            ({"severity": "2"}, "error"),
            ({}, "error"),
            ({"priority": "P1"}, "critical"),
            ({"priority": "soon"}, "error"),
            ({"severity": "info", "priority": "P1"}, "info"),
            ({"alertname": "Watchdog", "severity": "critical"}, "none"),
        ],
    )
    def test_severity_by_label_and_never_a_page_for_the_watchdog(self, labels, severity):
        assert one(group(alert(labels={"alertname": "A"} | labels))).severity == severity

    def test_an_unknown_severity_keeps_its_word(self):
        event = one(group(alert(labels={"alertname": "A", "severity": "purple"})))
        assert event.annotations["severity_raw"] == "purple"

    @pytest.mark.parametrize(
        ("name", "title"), [("DatasourceNoData", "No data: CPU"), ("DatasourceError", "Query error: CPU")]
    )
    def test_grafanas_own_trouble_shows_the_rules_name(self, name, title):
        assert one(group(alert(labels={"alertname": name, "rulename": "CPU"}))).title == title

    @pytest.mark.parametrize(
        "address",
        [
            *(
                "",
                "/graph",
                "?orgId=1",
                "javascript:alert(1)",
                "http://",
                "https:///x",
                "http://a b",
                "data:x",
                7,
                None,
            ),
            *(
                "http://a\n/b",
                "http://\u202ea",
                "HTTPX://a",
                "http://@",
                "ftp://a",
                ["http://a"],
                "http://a/" + "x" * 9_000,
            ),
        ],
    )
    def test_what_is_no_web_address_is_no_link(self, address):
        body = alert(generatorURL=address, dashboardURL=address)
        body["annotations"] = {"summary": "s", "runbook_url": address, "dashboard_url": address}
        assert one(group(body)).links == ()

    def test_links_to_source_runbook_and_dashboard(self):
        body = alert(
            generatorURL="http://p/g?a=1&b=2", panelURL="https://g/p", startsAt=PAST, endsAt=ZERO, status="firing"
        )
        body["annotations"] = {"runbook_url": "https://r/1", "dashboard_url": "https://d/1"}
        assert one(group(body)).links == (
            ("Source", "http://p/g?a=1&b=2"),
            ("Runbook", "https://r/1"),
            ("Dashboard", "https://d/1"),
            ("Panel", "https://g/p"),
        )

    def test_the_test_button_of_grafana_is_a_test(self):
        assert one(group(alert(labels={"alertname": "TestAlert", "instance": "Grafana"}))).test
        assert not one(group(alert(labels={"alertname": "TestAlert", "instance": "db"}))).test


class TestBatch:
    @pytest.mark.parametrize("broken", [None, 7, "x", [], {}, {"labels": "x"}, {"labels": [1]}, {"labels": {}}])
    def test_one_broken_alert_is_told_and_the_others_count(self, broken):
        reading = read(group(alert(), broken, alert(fingerprint="f2")))
        assert len(reading.events) == 2
        (problem,) = reading.problems
        assert problem.startswith("Alert 2 of the request ")

    def test_an_alert_without_labels_but_with_a_text_is_an_alert(self):
        assert one({"alerts": [{"title": "disk full", "state": "alerting"}]}).title == "disk full"

    def test_a_numeric_group_key_beyond_64_bits_is_accepted(self):
        body = json.dumps(group(alert())).replace(
            '"version": "4"', '"version": "3", "groupKey": 98765432109876543210987'
        )
        assert len(events(body.encode())) == 1

    def test_unknown_keys_are_ignored(self):
        assert len(events(group(alert(enrichments={"a": [1]}), notification_reason="repeat", routeLabels={}))) == 1

    def test_duplicate_keys_and_nanoseconds_parse(self):
        """As vmalert writes them: `alertname` twice."""
        body = b"""{"alerts":[{"status":"firing","startsAt":"2026-07-25T17:00:00.123456789Z",
                    "labels":{"alertname":"first","alertname":"last"}}]}"""
        event = one(body)
        assert event.labels == {"alertname": "last"}
        assert event.starts_at == NOW - 20 * MINUTE + 123_456

    def test_grafanas_body_is_read_by_its_own_kind_and_custom_text_is_an_alert(self):
        body = {"text": "🚨 anything", "colour": "red"}
        for source in (Alertmanager(), Grafana()):
            assert read(body, source=source).events[0].title == "🚨 anything"


class TestArray:
    def test_the_end_decides_and_a_status_key_means_nothing(self):
        ended, leased = alert(endsAt=PAST, status="firing"), alert(endsAt=FUTURE, status="resolved", labels={"a": "b"})
        first, second = events([ended, leased])
        assert (first.status, first.ends_at, first.expires_at) == ("resolved", NOW - 20 * MINUTE, None)
        assert (second.status, second.ends_at, second.expires_at) == ("firing", None, NOW + 4 * MINUTE)

    def test_an_end_at_this_very_instant_is_over(self):
        assert one([alert(endsAt="2026-07-25T17:20:00Z")]).status == "resolved"

    @pytest.mark.parametrize("ends", [None, "", ZERO, "0001-01-01T00:00:00.000Z", "gibberish"])
    def test_without_an_end_it_lives_for_the_resolve_timeout(self, ends):
        """As of amtool, with both times zero: a naive comparison closes its alerts at birth."""
        event = one([alert(startsAt=ends, endsAt=ends)])
        assert (event.status, event.starts_at, event.expires_at) == ("firing", None, NOW + 5 * MINUTE)

    def test_the_integrations_own_expiry_replaces_the_resolve_timeout_but_no_lease(self):
        settings = AlertmanagerSettings(expire_after_s=600)
        assert one([alert()], settings).expires_at == NOW + 600 * SECOND
        assert one([alert(endsAt=FUTURE)], settings).expires_at == NOW + 4 * MINUTE

    def test_the_last_of_one_label_set_wins(self):
        found = events([alert(endsAt=PAST), alert(labels={"x": "y"}), alert(endsAt=FUTURE)])
        assert [(event.status, event.labels) for event in found] == [
            ("firing", {"x": "y"}),
            ("firing", {"alertname": "A", "instance": "i"}),
        ]

    def test_an_alert_needs_a_label(self):
        reading = read([alert(), {"labels": {"a": ""}}, {"annotations": {"summary": "s"}}, "x"])
        assert (len(reading.events), len(reading.problems)) == (1, 3)

    def test_a_single_alert_without_its_list_is_read_as_one(self):
        assert one({"labels": {"alertname": "A"}}).expires_at == NOW + 5 * MINUTE

    def test_an_empty_list_says_nothing(self):
        assert (read([]).events, read([]).problems) == ((), ())


class TestLegacyGrafana:
    BODY: ClassVar[dict] = {
        "ruleId": 7,
        "ruleName": "CPU",
        "ruleUrl": "https://g.example/d/x?orgId=2",
        "state": "alerting",
        "title": "[Alerting] CPU",
    }

    @pytest.mark.parametrize(
        ("state", "status"), [("alerting", "firing"), ("ok", "resolved"), ("no_data", "firing"), ("odd", "firing")]
    )
    def test_state_decides(self, state, status):
        assert one(self.BODY | {"state": state}).status == status

    @pytest.mark.parametrize("state", ["pending", "paused"])
    def test_a_rule_that_is_not_judged_says_nothing(self, state):
        reading = read(self.BODY | {"state": state})
        assert (reading.events, reading.problems) == ((), ())

    def test_identity_is_host_organisation_and_rule(self):
        keys = [
            one(self.BODY).key,
            one(self.BODY | {"orgId": 3}).key,
            one(self.BODY | {"ruleId": 8}).key,
            one(self.BODY | {"ruleUrl": "https://other.example/d/x?orgId=2"}).key,
        ]
        assert keys[0] == "g.example/2/7"
        assert len(set(keys)) == 4
        assert one(self.BODY | {"state": "ok", "title": "[OK] CPU", "evalMatches": []}).key == keys[0]

    def test_one_alert_whatever_the_number_of_series_with_the_tags_they_share(self):
        matches = [{"metric": "m", "value": n, "tags": {"job": "web", "instance": str(n)}} for n in range(3)]
        event = one(self.BODY | {"evalMatches": matches})
        assert event.labels == {"alertname": "CPU", "job": "web"}
        assert event.annotations["values"] == "m=0, m=1, m=2"

    @pytest.mark.parametrize("odd", [{"evalMatches": 7}, {"evalMatches": [7]}, {"ruleUrl": "http://[x"}, {"tags": "x"}])
    def test_odd_fields_do_no_harm(self, odd):
        assert one(self.BODY | odd).title == "CPU"

    def test_what_hides_in_the_rules_address_is_scrubbed(self):
        assert one(self.BODY | {"ruleUrl": "https://g/?orgId=%00%ED%A0%80"}).key.isprintable()


def test_a_day_is_what_a_clock_may_be_ahead():
    assert one(group(alert(status="firing", startsAt="2026-07-26T17:19:59Z"))).starts_at == NOW + DAY - SECOND
    assert one(group(alert(status="firing", startsAt="2026-07-26T17:20:01Z"))).starts_at is None


@pytest.mark.parametrize("body", [{"alerts": 7}, {"alerts": {}}, {"status": "firing"}, "text", {"labels": "x"}])
def test_what_has_no_alerts_is_not_alertmanagers(body):
    with pytest.raises(Unreadable, match="no Alertmanager or Grafana message"):
        read(body)

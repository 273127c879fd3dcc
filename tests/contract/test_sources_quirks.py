"""How real senders behave, across kinds: an end finds its beginning, forms and odd bodies are read, what is no problem is none."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from app.sources.event import Received, Unreadable
from app.sources.registry import SOURCES

DATA = Path(__file__).parent.parent / "data"
NOW = 1_785_000_000_000_000

PAIRS = (
    ("sns", "alarm-asg.json", "ok-asg.json"),
    ("sns", "eventbridge-alarm.json", "eventbridge-ok.json"),
    ("sns", "eventbridge-health.json", "eventbridge-health-closed.json"),
    ("azure", "service-health-active.json", "service-health-resolved.json"),
    ("azure", "resource-health-unavailable.json", "resource-health-available.json"),
    ("gcp", "pubsub-open.json", "pubsub-closed.json"),
    ("newrelic", "workflow-activated.json", "workflow-closed.json"),
    ("sentry", "metric-alert-critical.json", "metric-alert-resolved.json"),
    ("datadog", "custom-no-data-derived.json", "custom-recovered-from-no-data-derived.json"),
    ("elastic", "connector-body-active.json", "connector-body-recovered.json"),
    ("elastic", "connector-body-contained.json", "connector-body-no-longer-contained.json"),
    ("elastic", "kibana-default-body-fired.json", "kibana-default-body-recovered.json"),
    ("elastic", "keep-body-fired.json", "keep-body-recovered.json"),
    ("netdata", "agent-pagerduty-v2-critical.json", "agent-custom-clear.json"),
    ("netdata", "cloud-nested-critical.json", "cloud-nested-clear.json"),
    ("netdata", "cloud-nodes-unreachable.json", "cloud-nodes-reachable.json"),
    ("splunk", "detector-anomalous.json", "detector-manually-resolved.json"),
    ("nagios", "command-service-problem.json", "flapping-stop-ok.json"),
    ("icinga", "command-service-problem.json", "command-downtime-end-ok.json"),
    ("checkmk", "service-problem.json", "service-downtime-cancelled-ok.json"),
    ("monit", "failed.json", "succeeded-without-status.json"),
    ("dynatrace", "davis-problem-open.json", "davis-problem-end.json"),
    ("uptimekuma", "down.json", "up.json"),
    ("healthchecks", "template-down.json", "json-variable-check-up.json"),
    ("pingdom", "down.json", "up.json"),
    ("site24x7", "down.json", "up.json"),
    ("statuspage", "incident-investigating.json", "incident-resolved.json"),
    ("statuspage", "better-stack-downtime.json", "better-stack-operational.json"),
    ("statuspage", "instatus-major-outage.json", "instatus-operational.json"),
    ("jenkins", "notification-plugin-failure.json", "notification-plugin-success.json"),
    ("jenkins", "notification-plugin-failure-before-checkout.json", "notification-plugin-success.json"),
    ("github", "workflow-run-failure.json", "workflow-run-success.json"),
    ("email", "nagios-subject.eml", "nagios-subject-recovery.eml"),
)


def read(kind, body, **settings):
    source = SOURCES[kind]
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return source.read(Received(raw), source.Settings.model_validate(settings).unsigned(), NOW).events


def one(kind, body, **settings):
    (event,) = read(kind, body, **settings)
    return event


@pytest.mark.parametrize(("kind", "begin", "end"), PAIRS)
def test_an_end_has_the_key_of_its_beginning(kind, begin, end):
    """Or its incident never closes."""
    fired, ends = one(kind, (DATA / kind / begin).read_bytes()), read(kind, (DATA / kind / end).read_bytes())
    assert (fired.status, {event.status for event in ends}) == ("firing", {"resolved"})
    assert fired.key in {event.key for event in ends}
    assert fired.ends_at is None


@pytest.mark.parametrize(
    ("kind", "body", "key"),
    [
        ("netdata", b'   {"alarm_id": "5", "host": "h", "status": "CRITICAL", "name": "x"}', "alarm/h/5"),
        ("netdata", {"alarmId": "5", "host": "h", "status": "WARNING", "name": "x"}, "alarm/h/5"),
        (
            "uptimekuma",
            (
                b'------x\r\nContent-Disposition: form-data; name="data"\r\n\r\n'
                b'{"heartbeat":{"status":0,"monitorID":3},"monitor":{"id":3,"name":"a"},"msg":"m"}\r\n------x--\r\n'
            ),
            "monitor/3",
        ),
        ("site24x7", b"STATUS=DOWN&MONITORNAME=shop&MONITOR_ID=7", "monitor/7"),
        ("nagios", b"payload=%7B%22host%22%3A%22a%22%2C%22state%22%3A%22DOWN%22%7D", "a/"),
        ("nagios", b"HOSTNAME=a&SERVICEDESC=disk%2Fvar&SERVICESTATE=WARNING&NOTIFICATIONTYPE=PROBLEM", "a/disk%2Fvar"),
        ("checkmk", b"host=a&event=UP+-%3E+DOWN&what=HOST&site=s", "s/a/"),
        ("sentry", {"action": "unresolved", "data": {"issue": {"id": 7, "title": "t"}}}, "issue/7"),
        ("azure", {"data": {"essentials": {"alertRule": "r", "monitorCondition": "Fired"}}}, "rule/r/"),
        ("newrelic", {"state": "CREATED", "issueUrl": "https://nr.test/a/issues/abc?x=1"}, "abc"),
    ],
)
def test_what_they_really_send_fires_under_a_key_that_stays(kind, body, key):
    event = one(kind, body)
    assert (event.status, event.key) == ("firing", key)


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("nagios", {"host": "a", "state": "UP", "type": "FLAPPINGSTART"}),
        ("nagios", {"host": "a", "state": "DOWN", "type": "DOWNTIMESTART (HOST)"}),
        ("icinga", {"type": "downtime-start", "tags": {"host": "a"}, "severity": "crit"}),
        ("uptimekuma", {"heartbeat": {"status": 2}, "monitor": {"id": 1}, "msg": "pending"}),
        ("healthchecks", {"name": "a", "status": "grace"}),
        ("site24x7", {"STATUS": "MAINTENANCE", "MONITORNAME": "a"}),
        ("netdata", {"alarm_id": 1, "name": "a", "status": "UNINITIALIZED"}),
        ("sentry", {"action": "assigned", "data": {"issue": {"id": 1}}}),
        ("sentry", {"action": "created", "installation": {"uuid": "x"}, "data": {"installation": {}}}),
        ("jenkins", {"name": "a", "build": {"phase": "COMPLETED", "status": "ABORTED"}}),
        (
            "github",
            {"action": "completed", "workflow_run": {"conclusion": "cancelled", "head_branch": "m"}, "repository": {}},
        ),
    ],
)
def test_what_is_neither_a_problem_nor_its_end_is_answered_and_means_nothing(kind, body):
    assert read(kind, body) == ()


@pytest.mark.parametrize(
    ("kind", "body", "status"),
    [
        ("nagios", {"host": "a", "state": "DOWN", "type": "ACKNOWLEDGEMENT"}, "acknowledged"),
        ("icinga", {"type": "acknowledgement-set", "tags": {"host": "a"}, "severity": "crit"}, "acknowledged"),
        ("newrelic", {"state": "ACKNOWLEDGED", "issueId": "a"}, "acknowledged"),
        ("sentry", {"action": "archived", "data": {"issue": {"id": 1}}}, "acknowledged"),
        ("dynatrace", {"PID": "1", "State": "MERGED"}, "resolved"),
        ("nagios", {"host": "a", "state": "OK", "service": "s", "type": "PROBLEM"}, "resolved"),
    ],
)
def test_acknowledgements_and_odd_ends(kind, body, status):
    assert one(kind, body).status == status


def test_a_time_series_that_is_over_leaves_the_others_of_its_alarm_burning():
    burning, over = (
        one("sns", (DATA / "sns" / name).read_bytes())
        for name in ("contributor-alarm.json", "contributor-ok-of-another.json")
    )
    assert (burning.status, over.status) == ("firing", "resolved")
    assert burning.key != over.key


@pytest.mark.parametrize("raw", ["ALARM", "OK"])
def test_an_alarm_has_one_key_whoever_tells_of_it(raw):
    """CloudWatch itself, or EventBridge."""
    told = json.loads(json.loads((DATA / "sns" / "eventbridge-ok.json").read_text())["Message"])
    alarm = {"AlarmName": "ServerCpuTooHigh", "AlarmArn": told["resources"][0], "NewStateValue": raw}
    told["detail"]["state"]["value"] = raw
    direct, bridged = (one("sns", {"Type": "Notification", "Message": json.dumps(body)}) for body in (alarm, told))
    assert (direct.key, direct.status, direct.title) == (bridged.key, bridged.status, bridged.title)


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("activity-log-service-health.json", {"properties": {"trackingId": "1ABC-D2E", "title": "another"}}),
        ("activity-log-administrative.json", {"operationId": "another"}),
    ],
)
def test_two_entries_of_azures_activity_log_are_two_problems(name, changes):
    body = json.loads((DATA / "azure" / name).read_text())
    first = one("azure", body)
    body["data"]["context"]["activityLog"] |= changes
    assert one("azure", body).key != first.key


def test_azure_says_that_service_health_is_over_by_its_stage_alone():
    body = json.loads((DATA / "azure" / "activity-log-service-health.json").read_text())
    body["data"]["context"]["activityLog"]["properties"]["stage"] = "RCA"
    over = one("azure", body)
    assert (over.status, over.key) == (
        "resolved",
        "service-health/%2Fsubscriptions%2Fcccc2c2c-dd3d-ee4e-ff5f-aaaaaa6a6a6a/0NIH-U2O",
    )


def test_one_alert_of_netdata_on_two_nodes_or_charts_is_two_problems():
    address = "https://app.netdata.cloud/spaces/s/rooms/r/alerts/disk.used:::{}?chart={}&transition=t"
    keys = set()
    for node, chart in (("n1", "disk._"), ("n2", "disk._"), ("n1", "disk._home")):
        url = address.format(node, chart)
        older = {"alert": "disk", "chart": chart, "severity": "critical", "alert_url": url}
        newer = {"alert": {"name": "disk", "state": {"status": "Critical"}, "url": url}, "node": {"hostname": node}}
        keys |= {one("netdata", older).key, one("netdata", newer).key}
    assert len(keys) == 3


def test_issues_of_new_relic_that_all_have_the_link_of_the_example_stay_apart():
    """It fills in its template's example where it knows no address; the id is the issue's own."""
    opened, closed = (
        one("newrelic", (DATA / "newrelic" / name).read_bytes())
        for name in ("workflow-example-link-created.json", "workflow-example-link-closed-another.json")
    )
    assert (opened.status, closed.status) == ("firing", "resolved")
    assert opened.key != closed.key
    assert not opened.links


def test_netdata_tells_of_all_nodes_that_went_at_once():
    told = {"status": "unreachable", "nodes": [{"hostname": "a"}, {"hostname": "b"}]}
    assert [event.key for event in read("netdata", told)] == ["reachable/a", "reachable/b"]


def test_that_an_alarm_was_edited_is_no_problem():
    edited = {
        "detail-type": "CloudWatch Alarm Configuration Change",
        "detail": {"alarmName": "a", "operation": "update"},
    }
    assert read("sns", {"Type": "Notification", "Message": json.dumps(edited)}) == ()


def test_what_services_of_aws_publish_under_one_subject_stays_apart():
    """RDS, DMS and others: every notice has the subject of all others."""
    notices = [
        {"Source ID": name, "Event ID": f"https://aws.test/#{number}", "Event Message": "told"}
        for name, number in (("a", "RDS-EVENT-0031"), ("b", "RDS-EVENT-0031"), ("a", "RDS-EVENT-0006"))
    ]
    bodies = [
        {"Type": "Notification", "Subject": "RDS Notification Message", "Message": json.dumps(n)} for n in notices
    ]
    assert len({one("sns", body).key for body in bodies}) == 3


def test_an_alarm_without_enough_data_is_what_the_setting_says():
    body = (DATA / "sns" / "insufficient-data-after-alarm.json").read_bytes()
    assert read("sns", body) == ()
    assert one("sns", body, insufficient_data="resolved").status == "resolved"
    assert one("sns", body, insufficient_data="firing").status == "firing"


def test_branches_of_others_count_only_where_the_setting_says():
    body = (DATA / "github" / "workflow-run-failure-on-a-branch.json").read_bytes()
    assert read("github", body) == ()
    assert one("github", body, branches=["try-it"]).status == "firing"


def test_a_fork_has_a_main_branch_too_and_it_is_nobody_s_here():
    body = json.loads((DATA / "github" / "workflow-run-failure-of-a-fork.json").read_text())
    assert read("github", body) == ()
    body["workflow_run"]["head_repository"]["full_name"] = body["repository"]["full_name"]
    assert one("github", body).status == "firing"


def test_hosts_with_slashes_and_equal_names_stay_apart():
    keys = {
        one("nagios", {"host": host, "service": service, "state": "DOWN"}).key
        for host, service in (("a", "b/c"), ("a/b", "c"), ("a%2Fb", "c"), ("a", "b"), ("b", "a"))
    }
    assert len(keys) == 5


def test_a_time_without_a_zone_of_a_local_clock_is_not_believed():
    body = {
        "payload": {"source": "h", "timestamp": "2026-07-25T17:05:00", "custom_details": {"alarm_id": 1, "name": "x"}}
    }
    assert one("netdata", body).starts_at is None


@pytest.mark.parametrize(
    ("failed", "passed"),
    [
        ("Connection failed", "Connection succeeded"),
        ("Resource limit matched", "Resource limit succeeded"),
        ("CPU usage matched limit", "CPU usage ok"),
        ("Does not exist", "Exists"),
        ("Does exist", "Exists not"),
        ("Content match", "Content doesn't match"),
        ("Checksum changed", "Checksum not changed"),
        ("Invalid type", "Type succeeded"),
        ("Data access error", "Data access succeeded"),
        ("Timeout", "Timeout recovery"),
        ("Link down", "Link up"),
        ("Download bytes exceeded", "Download bytes ok"),
        ("Upload errors detected", "Upload errors ok"),
        ("Process is a zombie", "Zombie check succeeded"),
        ("Program start failed", "Program started"),
        ("Certificate validity failed", "Certificate not changed"),
        ("odd", "OK"),
    ],
)
def test_monits_words_for_one_test_of_a_service(failed, passed):
    """The end has the key of its beginning, with the script's word and without it, and no other test has it."""
    service = {"MONIT_HOST": "web-1", "MONIT_SERVICE": "nginx"}
    begin, end = (one("monit", service | {"MONIT_EVENT": words}) for words in (failed, passed))
    assert (begin.status, end.status, begin.key) == ("firing", "resolved", end.key)
    told = one("monit", service | {"MONIT_EVENT": failed, "status": "resolved"})
    assert (told.status, told.key) == ("resolved", begin.key)
    assert one("monit", service | {"MONIT_EVENT": "ICMP succeeded"}).key != begin.key


def test_one_test_of_monit_that_passes_leaves_the_others_of_its_service_burning():
    burning, over = (
        one("monit", (DATA / "monit" / name).read_bytes()) for name in ("failed.json", "succeeded-other-test.json")
    )
    assert (burning.status, over.status) == ("firing", "resolved")
    assert burning.key != over.key


@pytest.mark.parametrize(
    ("fields", "title"),
    [
        ({"host.name": ["node-1"]}, "Low memory on node-1"),
        ({"host.name": ["node-1", "node-2"], "root_cause_entity_name": "shop"}, "Low memory on node-1, node-2"),
        ({"root_cause_entity_name": "shop", "affected_entity_names": ["a", "b"]}, "Low memory on shop"),
        ({"affected_entity_names": ["a", "b"]}, "Low memory on a, b"),
        ({"smartscape.affected_entities": [{"id": "1", "name": "checkout"}, None]}, "Low memory on checkout"),
        ({"event.name": "Low memory on NODE-1", "host.name": "node-1"}, "Low memory on NODE-1"),
        ({}, "Low memory"),
    ],
)
def test_a_davis_event_says_in_words_where_it_is(fields, title):
    event = one("dynatrace", {"event.id": "1", "event.name": "Low memory", "event.status": "ACTIVE", **fields})
    assert event.title == title
    assert not any(content.startswith("[") for content in event.labels.values())


def test_tags_of_site24x7_are_words():
    tagged = one("site24x7", {"MONITORNAME": "a", "STATUS": "DOWN", "TAGS": ["prod:eu", "shop"]})
    assert tagged.labels["tags"] == "prod:eu, shop"


@pytest.mark.parametrize(
    ("active", "over"),
    [
        ({"action_group": "query matched"}, {"action_group": "recovered"}),
        ({"alert": {"action_group": "fired"}}, {"alert": {"action_group": "recovered"}}),
        ({"alert": {"actionGroupName": "Alert"}}, {"alert": {"actionGroupName": "Recovered"}}),
        ({"kibana": {"alert": {"actionGroup": "fired"}}}, {"kibana": {"alert": {"actionGroup": "recovered"}}}),
        ({"alert": {"status": "active"}}, {"alert": {"status": "recovered"}}),
        ({"alertActionGroup": "default"}, {"alertActionGroup": "resolved"}),
        ({"status": "firing"}, {"status": "resolved"}),
        ({"state": "active"}, {"state": "recovered"}),
    ],
)
def test_elastic_says_in_many_ways_that_an_alert_is_over(active, over):
    rule = {"rule_id": "r", "rule_name": "High CPU", "alert_id": "host-1"}
    begin, end = one("elastic", rule | active), one("elastic", rule | over)
    assert (begin.status, end.status, begin.key, end.key) == ("firing", "resolved", "r/host-1", "r/host-1")


@pytest.mark.parametrize(
    "names", [("alertName", "alertId", "alertInstanceId"), ("alert_name", "alert_id", "alert_instance_id")]
)
def test_two_alerts_of_one_rule_of_an_older_kibana_are_two(names):
    """There an alert's id was its rule's."""
    first, second = (one("elastic", dict(zip(names, ("High CPU", "r", host), strict=True))) for host in ("a", "b"))
    assert (first.title, second.title) == ("High CPU: a", "High CPU: b")
    assert first.key != second.key


def test_the_test_of_kibanas_xmatters_connector_pages_nobody():
    body = {"signalId": "test-alert", "alertActionGroupName": "test-rule:test-alert", "ruleName": "Test Rule"}
    assert one("elastic", body | {"date": "2026-07-25T17:00:00.000Z", "spaceId": "test-space"}).test
    assert not one("elastic", body | {"signalId": "r:test-alert"}).test


QUIET = ("FLAPPINGSTOP", "FLAPPINGEND", "FLAPPINGDISABLED", "DOWNTIMEEND", "DOWNTIMECANCELLED", "DOWNTIMEREMOVED")


@pytest.mark.parametrize("kind", ["nagios", "icinga", "checkmk"])
@pytest.mark.parametrize("what", ["FLAPPINGSTART", "DOWNTIMESTART", "ALERTHANDLER (OK)", *QUIET, "DOWNTIMEEND (HOST)"])
def test_only_the_end_of_flapping_or_of_a_downtime_in_a_good_state_is_the_end_of_a_problem(kind, what):
    """Nothing tells of a recovery within."""
    for state, good in (("OK", True), ("UP", True), ("CRITICAL", False), ("DOWN", False), ("", False)):
        told = read(kind, {"type": what, "notification_type": what, "host": "a", "state": state})
        ends = good and what.split()[0] in QUIET
        assert [event.status for event in told] == ["resolved"] * ends


@pytest.mark.parametrize("data", ["", "no base64", "bm8ganNvbg==", "W10=", "e30=", "Ä", 5, None, {}])
def test_what_pubsub_pushes_and_is_no_incident_is_refused_and_not_lost(data):
    with pytest.raises(Unreadable):
        read("gcp", {"message": {"data": data, "messageId": "1"}, "subscription": "s"})


def test_an_incident_beside_a_message_is_read_as_it_is():
    assert one("gcp", {"incident": {"incident_id": "1", "state": "open"}, "message": {"data": ""}}).key == "1"


@pytest.mark.parametrize(
    "body",
    [
        {"component": {"id": "1", "name": "API", "status": "UNDERMAINTENANCE"}},
        {"component": {"id": "1", "name": "API"}, "component_update": {"new_status": "maintenance"}},
        {"incident": {"id": "1", "name": "Work", "status": "INPROGRESS"}},
        {"event_type": "maintenance", "maintenance": {"id": "1", "name": "Work", "status": "NOTSTARTEDYET"}},
    ],
)
def test_planned_work_on_the_pages_of_others_is_no_problem_either(body):
    assert read("statuspage", {"page": {"id": "p"}} | body) == ()


@pytest.mark.parametrize(
    ("word", "severity"),
    [("DEGRADEDPERFORMANCE", "warning"), ("PARTIALOUTAGE", "error"), ("MAJOROUTAGE", "critical"), ("minor", "warning")],
)
def test_how_bad_an_incident_is_on_the_pages_of_others(word, severity):
    event = one("statuspage", {"incident": {"id": "1", "name": "Down", "status": "INVESTIGATING", "impact": word}})
    assert (event.status, event.severity, "severity_raw" in event.annotations) == ("firing", severity, False)

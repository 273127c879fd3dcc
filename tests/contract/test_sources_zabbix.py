"""Zabbix: macros, updates, identity; and the media types that ship with Tocsin."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from app.sources.event import Received, Unreadable
from app.sources.zabbix import NAMES, Zabbix, ZabbixSettings

NOW = 1_785_000_000_000_000
SEEN_S = 1_784_999_000
MEDIA = Path(__file__).parent.parent.parent / "docs" / "zabbix"


def read(body):
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Zabbix().read(Received(raw), ZabbixSettings(), NOW)


def one(body):
    (event,) = read(body).events
    return event


def problem(**more):
    return {
        "event_id": "459",
        "event_value": "1",
        "event_update_status": "0",
        "event_name": "Disk full",
        "event_nseverity": "4",
        "event_severity": "High",
        "host_name": "db-1",
        "trigger_id": "13",
    } | more


class TestStatus:
    @pytest.mark.parametrize(
        ("value", "status"),
        [
            ("1", "firing"),
            ("0", "resolved"),
            (1, "firing"),
            (0, "resolved"),
            ("PROBLEM", "firing"),
            ("WARNING", "firing"),
            ("OK", "resolved"),
            ("RESOLVED", "resolved"),
            ("Recovery", "resolved"),
            ("odd", "firing"),
            ("{EVENT.VALUE}", "firing"),
        ],
    )
    def test_value_or_word_decides_and_the_unknown_fires(self, value, status):
        assert one(problem(event_value=value)).status == status

    def test_the_recovery_value_counts_when_nothing_else_is_there(self):
        assert one({"event_id": "1", "event_name": "x", "event_recovery_value": "0"}).status == "resolved"

    def test_an_acknowledgement_is_one(self):
        body = problem(event_update_status="1", event_update_action="acknowledged, commented", event_update_user="Ann")
        event = one(body | {"event_update_message": "on it"})
        assert event.status == "acknowledged"
        assert event.key == one(problem()).key
        assert (event.annotations["acknowledged_by"], event.annotations["note"]) == ("Ann", "on it")

    @pytest.mark.parametrize(
        "action",
        ["commented", "unacknowledged", "closed", "changed severity from Warning to High", "commented, unacknowledged"],
    )
    def test_other_updates_are_notes_and_no_events(self, action):
        reading = read(problem(event_update_status="1", event_update_action=action))
        assert (reading.events, reading.problems) == ((), ())

    @pytest.mark.parametrize(("acked", "count"), [("Yes", 1), ("No", 0), ("{EVENT.ACK.STATUS}", 0)])
    def test_without_the_action_the_state_of_the_problem_tells(self, acked, count):
        body = problem(event_update_status="1", event_update_action="{EVENT.UPDATE.ACTION}", event_ack_status=acked)
        assert len(read(body).events) == count

    def test_an_edit_of_a_problem_that_is_over_neither_reopens_nor_resolves(self):
        body = problem(event_value="0", event_update_status="1", event_update_action="acknowledged")
        assert read(body).events == ()


class TestIdentity:
    def test_the_event_id_joins_problem_steps_and_recovery_and_never_comes_again(self):
        events = [
            one(problem()),
            one(problem(event_opdata="97 %")),
            one(problem(event_value="0", event_recovery_id="460")),
        ]
        assert {(event.key, event.once) for event in events} == {("event:459", True)}

    @pytest.mark.parametrize("absent", [{}, {"event_id": ""}, {"event_id": "{EVENT.ID}"}, {"event_id": None}])
    def test_without_it_trigger_and_host_do(self, absent):
        body = problem()
        del body["event_id"]
        event = one(body | absent)
        assert (event.key, event.once) == ("trigger:13/db-1", False)

    def test_the_trigger_id_may_stand_in_a_link(self):
        body = {"hostname": "h", "status": "OK", "link": "https://z/tr_events.php?triggerid=77&eventid=5"}
        assert one(body).key == "trigger:77/h"

    def test_without_any_id_host_and_name_do(self):
        keys = {one({"host": host, "trigger": name}).key for host in "ab" for name in "xy"}
        assert len(keys) == 4


class TestSeverity:
    @pytest.mark.parametrize(
        ("more", "severity"),
        [
            ({"event_nseverity": "0"}, "warning"),
            ({"event_nseverity": "1"}, "info"),
            ({"event_nseverity": "2"}, "warning"),
            ({"event_nseverity": "3"}, "warning"),
            ({"event_nseverity": "4"}, "error"),
            ({"event_nseverity": "5"}, "critical"),
            ({"event_nseverity": 5}, "critical"),
            ({"event_nseverity": "5", "event_severity": "Katastrophe"}, "critical"),
            ({"event_nseverity": "", "event_severity": "Disaster"}, "critical"),
            ({"event_nseverity": "", "event_severity": "Katastrophe"}, "error"),
            ({"event_nseverity": "", "event_severity": "3"}, "warning"),
            ({"event_nseverity": "{EVENT.NSEVERITY}", "event_severity": "not classified"}, "warning"),
        ],
    )
    def test_the_number_comes_before_the_word_that_an_admin_can_rename(self, more, severity):
        assert one(problem(**more)).severity == severity

    def test_an_unknown_word_is_kept(self):
        event = one(problem(event_nseverity="", event_severity="Katastrophe"))
        assert event.annotations["severity_raw"] == "Katastrophe"

    def test_zero_in_a_recovery_says_nothing(self):
        assert one(problem(event_value="0", event_nseverity="0", event_severity="Not classified")).severity == "error"

    @pytest.mark.parametrize(("source", "severity"), [("1", "info"), ("2", "info"), ("3", "warning"), ("0", "error")])
    def test_events_that_are_no_problems_of_a_trigger_wake_nobody(self, source, severity):
        assert one({"event_id": "1", "alert_subject": "s", "event_source": source}).severity == severity


class TestTextsAndTimes:
    @pytest.mark.parametrize("literal", ["{EVENT.UPDATE.MESSAGE}", "{$ZABBIX.URL}", "{#FSNAME}", "{EVENT.TAGS.x y}"])
    def test_a_macro_that_stayed_literal_is_absent(self, literal):
        event = one(problem(trigger_description=literal, event_opdata=literal, zabbix_url=literal))
        assert literal not in repr(event)

    def test_a_name_with_a_brace_in_it_is_a_name(self):
        assert one(problem(event_name="FS {#FSNAME}: full")).title == "FS {#FSNAME}: full"
        assert one({"event_name": "FS {#FSNAME}: full", "x": "{HOST.NAME}"}).title == "FS {#FSNAME}: full"

    def test_local_times_of_the_server_are_not_believed(self):
        event = one(problem(event_date="2026.07.25", event_time="16:30:00"))
        assert event.starts_at is None
        assert one(problem(event_time="2026-07-25T16:30:00")).starts_at is None

    def test_timestamps_and_times_with_a_zone_are(self):
        assert one(problem(event_timestamp=str(SEEN_S))).starts_at == SEEN_S * 1_000_000
        assert one(problem(event_time="2026-07-25T19:03:20.5+02:00")).starts_at == SEEN_S * 1_000_000 + 500_000

    def test_a_recovery_ends_and_a_problem_does_not(self):
        times = {"event_timestamp": str(SEEN_S), "event_recovery_timestamp": str(SEEN_S + 60)}
        assert one(problem(**times)).ends_at is None
        recovery = one(problem(event_value="0", **times))
        assert (recovery.starts_at, recovery.ends_at) == (SEEN_S * 1_000_000, (SEEN_S + 60) * 1_000_000)

    @pytest.mark.parametrize(
        "tags", ['[{"tag":"scope","value":"capacity"},{"tag":"x","value":""}]', [{"tag": "scope", "value": "capacity"}]]
    )
    def test_tags_are_labels(self, tags):
        assert one(problem(event_tags=tags)).labels["scope"] == "capacity"

    def test_broken_tags_do_no_harm(self):
        assert one(problem(event_tags='[{"tag":')).title == "Disk full"
        assert one(problem(event_tags="[" * 5_000)).title == "Disk full"

    def test_host_group_and_service_are_labels(self):
        labels = one(problem(host_ip="10.0.0.1", host_group="Databases", service_name="Shop")).labels
        assert {
            "host": "db-1",
            "host_ip": "10.0.0.1",
            "host_group": "Databases",
            "service": "Shop",
        }.items() <= labels.items()

    def test_a_link_is_made_only_of_a_web_address_and_numbers(self):
        made = ("Zabbix event", "https://z/zabbix/tr_events.php?triggerid=13&eventid=459")
        assert one(problem(zabbix_url="https://z/zabbix/")).links == (made,)
        assert one(problem(zabbix_url="javascript:x")).links == ()
        assert one(problem(zabbix_url="https://z", trigger_id="13&x=1")).links == ()

    def test_credentials_of_other_tools_in_the_parameters_are_not_kept(self):
        assert "hunter2" not in repr(one(problem(helpdesk_user_token="hunter2", password="hunter2")))


class TestButton:
    def test_a_body_of_literal_macros_is_a_test(self):
        event = one(dict.fromkeys(problem(), "{EVENT.X}") | {"item": "{ITEM.NAME1} is {ITEM.VALUE1}"})
        assert event.test
        assert event.status == "firing"

    def test_a_real_problem_with_unfilled_parts_is_none(self):
        assert not one(problem(event_update_message="{EVENT.UPDATE.MESSAGE}", item="{ITEM.NAME1} is 5")).test

    @pytest.mark.parametrize("body", [{}, [], "x", {"x": "y"}, [1], {"event_id": ""}])
    def test_what_says_nothing_is_not_zabbixs(self, body):
        with pytest.raises(Unreadable, match="no Zabbix message"):
            read(body)


@pytest.fixture(params=["6.0", "7.0"])
def media_type(request):
    exported = yaml.safe_load((MEDIA / f"tocsin_media_type_{request.param}.yaml").read_text(encoding="utf-8"))
    assert set(exported) == {"zabbix_export"}
    assert exported["zabbix_export"]["version"] == request.param
    (media_type,) = exported["zabbix_export"]["media_types"]
    return media_type


class TestMediaType:
    SCRIPT_ONLY = frozenset({"tocsin_url", "http_proxy"})

    def test_has_what_the_import_asks_for(self, media_type):
        assert (media_type["name"], media_type["type"]) == ("Tocsin", "WEBHOOK")
        assert media_type["script"].strip()
        for template in media_type["message_templates"]:
            assert set(template) == {"event_source", "operation_mode", "subject", "message"}
        modes = {(template["event_source"], template["operation_mode"]) for template in media_type["message_templates"]}
        assert {("TRIGGERS", "PROBLEM"), ("TRIGGERS", "RECOVERY"), ("TRIGGERS", "UPDATE")} <= modes

    def test_sends_only_parameters_that_are_read(self, media_type):
        sent = {parameter["name"] for parameter in media_type["parameters"]}
        assert sent - self.SCRIPT_ONLY <= {name for names in NAMES.values() for name in names}
        needed = {
            "event_id",
            "event_value",
            "event_update_status",
            "event_update_action",
            "event_nseverity",
            "event_name",
        }
        assert needed | {"host_name", "trigger_id", "event_tags", "zabbix_url"} <= sent

    def test_its_script_uses_its_own_parameters_sends_json_and_takes_200_and_202(self, media_type):
        script = media_type["script"]
        for name in self.SCRIPT_ONLY:
            assert f"params.{name}" in script
        assert "JSON.stringify(params)" in script
        assert "Content-Type: application/json" in script
        assert "status !== 200 && status !== 202" in script
        assert "log(4" in script
        assert "url" not in " ".join(line for line in script.splitlines() if "Zabbix.log" in line)

    def test_its_messages_are_understood_filled_in_and_as_the_test_button_sends_them(self, media_type):
        body = {parameter["name"]: parameter.get("value", "") for parameter in media_type["parameters"]}
        for name in self.SCRIPT_ONLY:
            del body[name]
        assert one(body).test
        real = one(body | problem(event_timestamp=str(SEEN_S), host_group="Databases"))
        assert (real.key, real.status, real.test, real.title) == ("event:459", "firing", False, "Disk full")
        assert real.starts_at == SEEN_S * 1_000_000

"""The commands in integrations/ that tools without a webhook call: what they send is read, and the key stays out of argv."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from urllib.parse import urlencode

import pytest

from app.sources.event import Received
from app.sources.registry import SOURCES

ROOT = Path(__file__).parent.parent.parent / "integrations"
NOW = 1_785_000_000_000_000
CURL = '#!/bin/sh\ncat > "$OUT.config"\nprintf "%s\\0" "$@" > "$OUT"\n'
"""Stands in for curl: writes down how it was called."""
HOSTILE = """a "quoted" & 100% 'text' `id` ü = 1"""


def sent(tmp_path, script: str, *arguments: str, **environment: str) -> list[str]:
    """What curl was called with."""
    stand_in = tmp_path / "curl"
    stand_in.write_text(CURL)
    stand_in.chmod(0o755)
    (tmp_path / "key").write_text("hunter2\n")
    known = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "OUT": str(tmp_path / "out"), **environment}
    known["TOCSIN_KEY_FILE"] = str(tmp_path / "key")
    subprocess.run([str(ROOT / script), *arguments], env=known, check=True, timeout=20)
    assert (tmp_path / "out.config").read_text() == 'header = "X-Tocsin-Key: hunter2"\n'
    called = (tmp_path / "out").read_text().split("\0")[:-1]
    assert not any("hunter2" in part for part in called)
    assert {"-fsS", "--retry", "--max-time"} <= set(called)
    return called


def event_of(kind: str, called: list[str]):
    """The one event in the form that curl would send."""
    pairs = [called[place + 1].partition("=") for place, part in enumerate(called) if part == "--data-urlencode"]
    body = urlencode([(name, said) for name, _, said in pairs]).encode()
    source = SOURCES[kind]
    (event,) = source.read(Received(body, "application/x-www-form-urlencoded"), source.Settings(), NOW).events
    return event


@pytest.mark.parametrize(("kind", "folder"), [("nagios", "nagios"), ("icinga", "icinga2")])
def test_a_notification_command_sends_what_its_configuration_hands_it(tmp_path, kind, folder):
    url = f"https://tocsin.test/v1/in/{kind}"
    pairs = (
        "type=PROBLEM",
        "host=db-1",
        "service=disk",
        "state=CRITICAL",
        f"output={HOSTILE}",
        "author=",
        "time=1784999000",
    )
    called = sent(tmp_path, f"{folder}/tocsin-notify", *pairs, TOCSIN_URL=url)
    assert called[-1] == url
    assert "author=" not in called
    event = event_of(kind, called)
    assert (event.status, event.severity, event.key) == ("firing", "critical", "db-1/disk")
    assert event.annotations["description"] == HOSTILE
    assert event.starts_at == 1_784_999_000_000_000


@pytest.mark.parametrize(("kind", "file"), [("nagios", "nagios/tocsin.cfg"), ("icinga", "icinga2/tocsin.conf")])
def test_the_shipped_configuration_names_only_fields_that_are_read(kind, file):
    text = (ROOT / file).read_text()
    names = set(re.findall(r'"(\w+)=\$', text))
    assert {"type", "host", "service", "state", "output", "time"} <= names
    body = urlencode({name: "1784999000" if name == "time" else f"{name}-said" for name in names} | {"type": "PROBLEM"})
    source = SOURCES[kind]
    (event,) = source.read(Received(body.encode()), source.Settings(), NOW).events
    shown = repr(event)
    unread = {name for name in names - {"type", "time", "url", "author", "severity"} if f"{name}-said" not in shown}
    assert unread == set()


def test_the_script_of_checkmk_sends_host_and_service(tmp_path):
    common = {
        "NOTIFY_PARAMETER_1": "https://tocsin.test/v1/in/checkmk",
        "NOTIFY_PARAMETER_2": "hunter2",
        "NOTIFY_HOSTNAME": "db-1",
        "OMD_SITE": "prod",
        "NOTIFY_NOTIFICATIONTYPE": "PROBLEM",
    }
    service = {"NOTIFY_WHAT": "SERVICE", "NOTIFY_SERVICEDESC": "disk", "NOTIFY_SERVICESTATE": "CRITICAL"}
    event = event_of("checkmk", sent(tmp_path, "checkmk/tocsin", **common, **service, NOTIFY_SERVICEOUTPUT=HOSTILE))
    assert (event.status, event.severity, event.key) == ("firing", "critical", "prod/db-1/disk")
    assert event.annotations["description"] == HOSTILE
    over = {**common, "NOTIFY_NOTIFICATIONTYPE": "RECOVERY", "NOTIFY_HOSTSTATE": "UP"}
    event = event_of("checkmk", sent(tmp_path, "checkmk/tocsin", **over))
    assert (event.status, event.key) == ("resolved", "prod/db-1/")


@pytest.mark.parametrize(("word", "status"), [("firing", "firing"), ("resolved", "resolved")])
def test_the_script_of_monit_sends_the_word_it_is_called_with(tmp_path, word, status):
    environment = {"MONIT_HOST": "web-1", "MONIT_SERVICE": "nginx", "MONIT_EVENT": "Connection failed"}
    event = event_of("monit", sent(tmp_path, "monit/tocsin-notify", word, "critical", **environment))
    assert (event.status, event.severity, event.key) == (status, "critical", "web-1/nginx/connection")


def test_the_sender_of_netdatas_agent_names_only_fields_that_are_read():
    text = (ROOT / "netdata" / "health_alarm_notify.conf").read_text()
    names = re.findall(r'--data-urlencode "(\w+)=', text)
    body = urlencode({name: f"{name}-said" for name in names} | {"status": "CRITICAL", "when": "1784999000"})
    source = SOURCES["netdata"]
    (event,) = source.read(Received(body.encode()), source.Settings(), NOW).events
    assert (event.key, event.severity) == ("alarm/host-said/alarm_id-said", "critical")
    assert event.starts_at == 1_784_999_000_000_000

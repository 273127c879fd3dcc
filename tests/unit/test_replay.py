"""`tocsin replay`: a stream through the real pipeline, as somebody types it."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from app.cli.replaying.stream import began_at
from app.clock import from_datetime
from app.sources import registry


def _post(at: float, name: str, episode: str, **labels: str) -> str:
    alert: dict[str, Any] = {
        "status": "firing",
        "labels": {"alertname": name, "severity": "critical", **labels},
        "startsAt": f"2026-01-01T00:00:{int(at):02d}Z",
        "generatorURL": f"http://prometheus/graph?g0.expr=up&ep={episode}",
    }
    payload = {"version": "4", "status": "firing", "alerts": [alert]}
    return json.dumps({"at": at, "source": "alertmanager", "integration": "am", "payload": payload})


def _replay(*arguments: str) -> subprocess.CompletedProcess[str]:
    """A process of its own, as it sets up logs of its own."""
    command = [sys.executable, "-m", "app", "replay", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def test_a_stream_is_told_as_incidents_with_reasons_and_pages(tmp_path: Path) -> None:
    stream, out = tmp_path / "stream.jsonl", tmp_path / "result.json"
    lines = [
        _post(1, "Slow", "E1", host="db-1"),
        _post(20, "Down", "E2", host="db-1"),
        _post(40, "Late", "E3", host="x"),
    ]
    stream.write_text("\n".join(lines) + "\n")
    done = _replay(str(stream), "--out", str(out))
    assert done.returncode == 0, done.stderr
    found = json.loads(out.read_text())
    went = found["alert_to_incident"]
    assert went["E1"] == went["E2"] != went["E3"]
    assert found["reasons"]["E2"]["because"].startswith("0.9")
    assert [page["incident"] for page in found["pages"]] == [went["E1"], went["E3"]]


def test_a_rule_is_tried_on_a_recorded_stream(tmp_path: Path) -> None:
    """What it would have held pages later; one that can't be is refused with a reason."""
    stream, rules, out = (tmp_path / name for name in ("stream.jsonl", "rules.json", "result.json"))
    stream.write_text("\n".join([_post(1, "Slow", "E1", host="db-1"), _post(2, "Down", "E2", host="x")]) + "\n")
    rules.write_text(json.dumps([{"name": "slow", "when": ['alertname="Slow"'], "then": {"hold_s": 300}}]))
    done = _replay(str(stream), "--out", str(out), "--with", str(rules))
    assert done.returncode == 0, done.stderr
    found = json.loads(out.read_text())
    told = {page["incident"]: page["at"] for page in found["pages"]}
    went = found["alert_to_incident"]
    assert told[went["E1"]] >= 301
    assert told[went["E2"]] < 10
    rules.write_text(json.dumps([{"name": "slow", "when": ['a="1"', 'a="2"'], "then": {"hold_s": 300}}]))
    assert "can never match" in _replay(str(stream), "--with", str(rules)).stderr


def test_a_line_that_is_no_message_is_named(tmp_path: Path) -> None:
    stream = tmp_path / "stream.jsonl"
    stream.write_text(_post(1, "Slow", "E1") + "\nnonsense\n")
    done = _replay(str(stream))
    assert done.returncode != 0
    assert "line 2 is no message" in done.stderr


def test_when_a_stream_began_is_known_though_it_begins_with_repeats_of_what_failed_days_ago(tmp_path: Path) -> None:
    """Else all that ended in it would seem to end days ahead, which nobody believes."""
    stream = tmp_path / "stream.jsonl"
    old = [_post(at, "Disk", "E1").replace("2026-01-01", "2025-12-29") for at in range(1, 50)]
    stream.write_text("\n".join([*old * 10, _post(50, "Slow", "E2", host="db-1")]) + "\n")
    assert began_at(stream, registry.installed()) == from_datetime(datetime(2026, 1, 1, tzinfo=UTC))

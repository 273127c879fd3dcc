"""The commands as a user runs them: processes of their own, an empty home, a folder that holds nothing else."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx
import pytest

ROOT = Path(__file__).resolve().parents[2]
ANSWERS_WITHIN_S = 60


class Machine:
    """A fresh one: three empty folders (home, current, temporary) and no settings."""

    def __init__(self, folder: Path) -> None:
        self.home, self.here, self.temporary = (folder / name for name in ("home", "here", "tmp"))
        for made in (self.home, self.here, self.temporary):
            made.mkdir()

    def environment(self, settings: dict[str, str]) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.home),
            "TMPDIR": str(self.temporary),
            "PYTHONPATH": str(ROOT),
            "PYTHONDONTWRITEBYTECODE": "1",
            **{f"TOCSIN_{name}": value for name, value in settings.items()},
        }

    def tocsin(self, *words: str, **settings: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "app", *words],
            cwd=self.here,
            env=self.environment(settings),
            capture_output=True,
            text=True,
            timeout=ANSWERS_WITHIN_S,
            check=False,
        )

    def start(self, *words: str, **settings: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "app", *words],
            cwd=self.here,
            env=self.environment(settings),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def is_as_it_was(self) -> bool:
        return not any(any(folder.iterdir()) for folder in (self.home, self.here, self.temporary))


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def one_clear_line(ended: subprocess.CompletedProcess[str]) -> str:
    """What a person is told who can put it right: one line, exit code 2, nothing on standard output."""
    assert ended.returncode == 2, ended
    assert ended.stdout == ""
    assert len(ended.stderr.splitlines()) == 1, ended.stderr
    assert ended.stderr.startswith("tocsin: ")
    return ended.stderr.removeprefix("tocsin: ").strip()


def lines_until(process: subprocess.Popen[str], pattern: str) -> Iterator[str]:
    assert process.stdout is not None
    for line in process.stdout:
        yield line
        if re.search(pattern, line):
            return
    assert process.stderr is not None
    raise AssertionError(f"ended before {pattern!r}: {process.stderr.read()}")


def test_the_demo_shows_a_page_and_its_acknowledgement_and_leaves_nothing_behind(machine):
    shown = machine.tocsin("demo", "--once")
    assert shown.returncode == 0, shown
    promised = (
        r"http://127\.0\.0\.1:\d+ is ready",
        r"POST /v1/people +201  Ana Ortiz",
        r"POST /v1/in/alertmanager/\*\*\* +202  Alertmanager: 2 alerts",
        r"incident #1: first alert",
        r"Ana is paged, \d+ ms after that answer",
        r"PAGE · P1 · incident #1 · to Ana Ortiz",
        r"Why you: on call in Shop",
        r"http://127\.0\.0\.1:\d+/a/\S+",
        r"POST /v1/in/generic/\*\*\* +202  Payment script: 1 alert",
        r"incident #1: 0\.60: it came by an integration of checkout",
        r"POST /v1/in/datadog/\*\*\* +202",
        r"incident #2: first alert",
        r"POST /v1/in/zabbix/\*\*\* +202",
        r"incident #2: 0\.\d+: a host of the same group db",
        r"GET /a/\*\*\* +200  its buttons; #1 is still triggered",
        r"POST /a/\*\*\* +303  #1 is acknowledged by Ana Ortiz",
        r"#1 acknowledged by Ana Ortiz: escalation has stopped, Ben is not paged about it",
        r"The demo has ended",
    )
    assert re.search(".*".join(promised), shown.stdout, re.DOTALL), shown.stdout
    assert "\x1b" not in shown.stdout, "colours belong on a terminal only"
    assert shown.stderr == ""
    assert machine.is_as_it_was()


def test_the_demo_says_live_that_a_person_acknowledged_and_ends_with_ctrl_c(machine):
    showing = machine.start("demo")
    try:
        said = "".join(lines_until(showing, "Ctrl-C ends the demo"))
        link = re.search(r"http://\S+/a/\S+", said)
        assert link, said
        with httpx.Client(trust_env=False) as browser:
            page = browser.get(link[0])
            action = re.search(r'<form[^>]* action="([^"]+)"', page.text)
            assert page.status_code == 200
            assert action
            assert browser.post(page.url.join(action[1])).status_code == 303
        assert "escalation has stopped" in list(lines_until(showing, "acknowledged by Ana Ortiz"))[-1]
        showing.send_signal(signal.SIGINT)
        rest, trouble = showing.communicate(timeout=ANSWERS_WITHIN_S)
    finally:
        showing.kill()
        showing.wait()
    assert (showing.returncode, trouble) == (0, "")
    assert "The demo has ended" in rest
    assert machine.is_as_it_was()
    with pytest.raises(httpx.ConnectError):
        httpx.get(link[0], trust_env=False)


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
def test_the_server_prints_nothing_but_logs_and_ends_with_0_when_it_is_told_to(machine, stop):
    serving = machine.start("serve", "--port", "0", "--host", "127.0.0.1")
    try:
        assert serving.stderr is not None
        ready = json.loads(serving.stderr.readline())
        assert ready["event"] == "ready"
        assert httpx.get(f"{ready['address']}/readyz", trust_env=False).status_code == 200
        serving.send_signal(stop)
        pages, log = serving.communicate(timeout=ANSWERS_WITHIN_S)
    finally:
        serving.kill()
        serving.wait()
    assert serving.returncode == 0
    assert pages == ""
    assert [json.loads(line)["event"] for line in log.splitlines()] == ["stopping", "stopped"]


def test_a_taken_address_is_one_clear_line(machine):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        said = one_clear_line(machine.tocsin("serve", "--port", port))
    assert f"127.0.0.1:{port}" in said
    assert "another program listens there" in said
    assert machine.is_as_it_was()


def _newer(file: Path) -> str:
    with closing(sqlite3.connect(file)) as made:
        made.execute("CREATE TABLE alembic_version (version_num TEXT)")
        made.execute("INSERT INTO alembic_version VALUES ('9999')")
        made.commit()
    return f"sqlite:///{file}"


def test_a_database_of_a_newer_version_is_one_clear_line(machine, tmp_path):
    url = _newer(tmp_path / "newer.db")
    said = one_clear_line(machine.tocsin("serve", "--port", "0", DATABASE_URL=url))
    assert "schema 9999, which this version does not know" in said


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        (
            {"DATABSE_URL": "x"},
            "TOCSIN_DATABSE_URL is set, but there is no such setting; did you mean TOCSIN_DATABASE_URL",
        ),
        ({"PORT": "web", "LEASE_S": "1"}, "TOCSIN_PORT: .*integer.*; TOCSIN_LEASE_S: .*15"),
        ({"DATABASE_URL": "postgresql+asyncpg://t:s3cret@127.0.0.1:1/t"}, r"t:\*\*\*@.*connection refused"),
        ({"DATABASE_URL": "sqlite:////nowhere/at/all/t.db"}, "there is no folder /nowhere/at/all"),
    ],
)
def test_wrong_settings_are_one_clear_line(machine, settings, says):
    said = one_clear_line(machine.tocsin("serve", **{"PORT": "0", **settings}))
    assert re.search(says, said), said
    assert "s3cret" not in said


def test_a_key_is_printed_once_and_known_by_its_end_after_that(machine):
    made = machine.tocsin("key", "create", "--name", "me", "--role", "admin")
    assert made.returncode == 0, made
    key = made.stdout.removesuffix("\n")
    assert re.fullmatch(r"tocsin_[\w-]{40,}", key)
    assert key not in made.stderr
    assert "can't be shown again" in made.stderr
    again = one_clear_line(machine.tocsin("key", "create", "--name", "me", "--role", "read-only"))
    assert "already a key named 'me'" in again
    listed = machine.tocsin("key", "list").stdout
    assert re.search(rf"^\d+ +me +admin +\.\.\.{key[-4:]} .*valid$", listed, re.MULTILINE), listed
    assert key not in listed
    revoked = machine.tocsin("key", "revoke", listed.split()[0])
    assert (revoked.returncode, revoked.stdout.split()[:2]) == (0, ["revoked", "'me'"])


def test_migrating_says_in_one_line_what_it_did_and_the_second_time_that_there_was_nothing_to_do(machine):
    first, second = machine.tocsin("migrate"), machine.tocsin("migrate")
    assert (first.returncode, second.returncode) == (0, 0), (first, second)
    now = re.fullmatch(r"schema empty -> (\w+)\n", first.stdout)
    assert now, first.stdout
    assert second.stdout == f"schema {now[1]}, nothing to do\n"


def test_the_doctor_on_a_fresh_machine_finds_nothing_wrong_and_makes_no_database(machine):
    said = machine.tocsin("doctor")
    assert said.returncode == 0, said
    assert re.search(r"^warn +database +.*there is no such file yet. To do: `tocsin serve`", said.stdout, re.MULTILINE)
    assert "Nothing is wrong; 2 things to look at." in said.stdout
    assert machine.is_as_it_was()


def test_the_doctor_names_what_is_missing_on_an_empty_installation(machine):
    machine.tocsin("migrate")
    said = machine.tocsin("doctor", "--json")
    document = json.loads(said.stdout)
    found = {finding["about"]: finding for finding in document["findings"]}
    assert (said.returncode, document["ok"]) == (0, True)
    assert "WAL, synchronous FULL" in found["database"]["says"]
    for about in ("integrations", "API keys", "on call", "notifiers", "links"):
        assert found[about]["mark"] == "warn", found[about]
        assert found[about]["do"]


def test_the_doctor_ends_with_1_when_the_database_does_not_keep_what_was_promised(machine, database):
    """PostgreSQL: the tests' server runs with fsync off. SQLite: the folder is not there."""
    url = database if database.startswith("postgresql") else "sqlite:////nowhere/t.db"
    said = machine.tocsin("doctor", DATABASE_URL=url, SMTP_URL="smtp://t:s3cret@127.0.0.1:1")
    assert said.returncode == 1, said
    wanted = "fsync is off" if database.startswith("postgresql") else "there is no folder /nowhere"
    assert re.search(rf"^wrong +database +.*{wanted}", said.stdout, re.MULTILINE), said.stdout
    assert re.search(r"^wrong +mail server +127\.0\.0\.1:1 can't be reached", said.stdout, re.MULTILINE)
    assert re.search(r"^\d things wrong", said.stdout, re.MULTILINE)
    assert "s3cret" not in said.stdout


def test_the_document_of_the_api_needs_no_database_and_no_settings(machine):
    said = machine.tocsin("openapi")
    assert said.returncode == 0, said
    assert json.loads(said.stdout)["openapi"].startswith("3.1")
    assert machine.is_as_it_was()


def test_help_comes_at_once_because_nothing_heavy_is_imported_for_it(machine):
    code = (
        "import sys\n"
        "from app.main import cli\n"
        "cli(['--help'], standalone_mode=False)\n"
        "print(sorted({'sqlalchemy', 'fastapi', 'pydantic', 'asyncio', 'rich'} & sys.modules.keys()))"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code], env=machine.environment({}), capture_output=True, text=True, check=True
    )
    assert ended.stdout.endswith("[]\n"), ended.stdout
    assert "doctor" in ended.stdout

"""Prometheus, vmalert, Grafana's ruler and amtool find an Alertmanager: leases, statuses, errors and listings as they know them."""

from __future__ import annotations

import asyncio
import json
import shutil
import sys
from base64 import b64encode
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from app.api.wire.alertmanager import open_alerts
from app.clock import MINUTE, iso
from app.routing.matchers import parse
from tests.harness.api_world import api
from tests.harness.town import Resident, Sender, Town, town
from tests.harness.wire import TOGETHER, listening

DATA = Path(__file__).parent.parent / "data" / "alertmanager"


async def _checkout(story: Town) -> tuple[Resident, Sender]:
    ana = await story.person("Ana")
    service = await story.service("checkout", await story.policy([[ana]], delay_s=3_600), **TOGETHER)
    return ana, await story.integration("alertmanager", service)


def _alert(story: Town, name: str, *, ends_in_min: float | None = 4, **more: Any) -> dict[str, Any]:
    ends = {} if ends_in_min is None else {"endsAt": iso(story.clock.now() + int(ends_in_min * MINUTE))}
    labels = {"alertname": name, "severity": "critical", "instance": "db-1"}
    return {"labels": labels, "annotations": {"summary": name}, "generatorURL": "http://prom/g?x=1", **ends, **more}


async def _posts(story: Town, sender: Sender, alerts: Any, path: str = "/api/v2/alerts", **how: Any) -> httpx.Response:
    content = alerts if isinstance(alerts, bytes) else json.dumps(alerts).encode()
    answer = await story.web.post(path, content=content, headers=_bearer(sender), **how)
    await story.settled()
    return answer


def _bearer(sender: Sender) -> dict[str, str]:
    return {"authorization": f"Bearer {sender.key}"}


async def _gets(story: Town, sender: Sender, path: str) -> Any:
    answer = await story.web.get(f"/api/v2{path}", headers=_bearer(sender))
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_an_alert_is_a_lease_that_each_sending_renews(database: str) -> None:
    """Prometheus sends each minute, with an end four minutes ahead; what it stops sending ends, and nobody is paged twice."""
    async with town(database) as story:
        ana, sender = await _checkout(story)
        answer = await _posts(story, sender, [_alert(story, "DiskFull")])
        assert (answer.status_code, answer.content) == (200, b"")
        await ana.is_paged("DiskFull")
        for _ in range(6):
            await story.passes(minutes=1)
            await _posts(story, sender, [_alert(story, "DiskFull")])
        assert (await story.incident()).state == "triggered"
        await story.passes(minutes=4, seconds=10)
        assert (await story.incident()).state == "resolved"
        # Sent again after it had expired it is news; resolved it is sent for a quarter of an hour, and nothing comes of it.
        await _posts(story, sender, [_alert(story, "DiskFull")])
        await ana.is_paged("DiskFull")
        for _ in range(3):
            await _posts(
                story, sender, [_alert(story, "DiskFull", ends_in_min=-1), _alert(story, "Unheard", ends_in_min=-1)]
            )
            await story.passes(minutes=1)
        assert [incident.state for incident in await story.incidents()] == ["resolved", "resolved"]


async def test_a_batch_with_a_broken_alert_stores_the_others_and_says_so(database: str) -> None:
    async with town(database) as story:
        ana, sender = await _checkout(story)
        batch = [_alert(story, "Good"), {"labels": {}}, "x", _alert(story, "AlsoGood")]
        answer = await _posts(story, sender, batch)
        assert answer.status_code == 400
        assert "Alert 2 of the request has no usable labels" in answer.json()
        await ana.is_paged()
        assert {row.title for row in await story.rows("SELECT title FROM alerts")} > {"Good", "AlsoGood"}
        assert (await story.rows("SELECT count(*) AS many FROM unparsed"))[0].many == 1
        broken = await _posts(story, sender, (DATA / "post-trailing-comma.broken.txt").read_bytes())
        assert (broken.status_code, broken.headers["content-type"]) == (400, "application/json")
        assert isinstance(broken.json(), str)
        assert (await _posts(story, sender, [])).status_code == 200
        twice = b'[{"labels":{"alertname":"Twice","alertname":"Twice","severity":"info"}}]'
        assert (await _posts(story, sender, twice)).status_code == 200  # vmalert


async def test_every_way_to_give_the_key_opens_and_no_other(database: str) -> None:
    async with town(database) as story:
        _, sender = await _checkout(story)
        basic = b64encode(f"prometheus:{sender.key}".encode()).decode()
        for path, headers in (
            ("/api/v2/alerts", {"authorization": f"Basic {basic}"}),
            ("/api/v2/alerts/", _bearer(sender)),
            (f"{sender.path}/api/v2/alerts", {}),
            ("/v1/in/alertmanager/api/v2/alerts", {"authorization": f"Basic {basic}"}),
            (f"/api/v2/alerts?key={sender.key}", {}),
        ):
            assert (await story.web.post(path, content=b"[]", headers=headers)).status_code == 200, path
        for headers in ({}, {"authorization": "Bearer nobody's"}):
            answer = await story.web.post("/api/v2/alerts", content=b"[]", headers=headers)
            assert (answer.status_code, type(answer.json())) == (401, str)
        for probe in ("/-/healthy", "/-/ready", f"{sender.path}/-/ready"):
            assert (await story.web.get(probe)).status_code == 200
        assert (await story.web.get("/api/v2/nothing", headers=_bearer(sender))).status_code == 404


async def test_what_is_open_is_listed_by_alert_and_by_incident_and_only_ones_own(database: str) -> None:
    async with town(database) as story:
        ana, sender = await _checkout(story)
        stranger = await story.integration("alertmanager", None)
        await _posts(story, sender, [_alert(story, "A"), _alert(story, "B"), _alert(story, "Over", ends_in_min=-1)])
        await ana.is_paged()
        (b, a) = await _gets(story, sender, "/alerts")
        assert (a["labels"], a["annotations"]) == (_alert(story, "A")["labels"], {"summary": "A"})
        assert a["status"] == {"state": "active", "silencedBy": [], "inhibitedBy": [], "mutedBy": []}
        assert a["receivers"] == [{"name": "checkout"}]
        assert a["endsAt"] == iso(story.clock.now() + 4 * MINUTE)
        assert a["generatorURL"] == "http://prom/g?x=1"
        assert len(a["fingerprint"]) == 16 != b["fingerprint"]
        (group,) = await _gets(story, sender, "/alerts/groups")
        assert (group["labels"], group["alerts"]) == ({"incident": "1"}, [b, a])
        assert await _gets(story, sender, "/alerts?active=0") == []
        assert await _gets(story, sender, '/alerts?filter=alertname="A"&filter=instance=~"db-.*"') == [a]
        inlet = await story.world.directory.inlet("alertmanager", sender.key)
        rows, _, _ = await story.store.read(open_alerts, inlet, [parse('alertname="A"'), parse("instance=~.*")])
        assert [row.title for row in rows] == ["A"]  # narrowed by the database, so that no limit hides it
        odd = {"alertname": 'Ü 50%_"\\x', "path": "C:\\a"}
        await _posts(story, sender, [{"labels": odd}])
        wanted = quote('alertname="Ü 50%_\\"\\\\x"')
        (found,) = await _gets(story, sender, f"/alerts?filter={wanted}")
        assert found["labels"] == odd
        await _posts(story, sender, [{"labels": odd, "endsAt": iso(story.clock.now())}])
        assert await _gets(story, sender, "/alerts?receiver=check.*") == [b, a]
        assert await _gets(story, sender, "/alerts?receiver=&active=") == [b, a]
        assert await _gets(story, sender, "/alerts/groups?receiver=other") == []
        refused = await story.web.get("/api/v2/alerts?filter=nonsense", headers=_bearer(sender))
        assert (refused.status_code, "is no matcher" in refused.json()) == (400, True)
        assert await _gets(story, stranger, "/alerts") == []
        assert await _gets(story, sender, "/receivers") == [{"name": "checkout"}]
        assert (await _gets(story, sender, "/status"))["cluster"]["status"] == "disabled"


async def test_a_silence_of_its_api_keeps_its_own_alerts_quiet_and_ends(database: str) -> None:
    async with town(database) as story:
        ana, sender = await _checkout(story)
        stranger = await story.integration("alertmanager", None)

        async def posts(said: dict[str, Any], by: Sender = sender) -> httpx.Response:
            return await story.web.post("/api/v2/silences", json=said, headers=_bearer(by))

        silence = {
            "matchers": [{"name": "alertname", "value": "Disk.*", "isRegex": True}],
            "startsAt": iso(story.clock.now()),
            "endsAt": iso(story.clock.now() + 30 * MINUTE),
            "createdBy": "ana",
            "comment": "new disks",
        }
        made = await posts(silence)
        assert made.status_code == 200, made.text
        silence_id = made.json()["silenceID"]
        await _posts(story, sender, [_alert(story, "DiskFull", ends_in_min=60)])
        await ana.is_not_paged()
        (shown,) = await _gets(story, sender, "/alerts")
        assert (shown["status"]["state"], shown["status"]["silencedBy"]) == ("suppressed", [silence_id])
        assert await _gets(story, sender, "/alerts?silenced=false") == []
        (listed,) = await _gets(story, sender, "/silences?filter=alertname=~Disk.*")
        assert listed == await _gets(story, sender, f"/silence/{silence_id}")
        # Operators of silences look for what they wrote, word for word, and end only what is theirs.
        assert (listed["status"], listed["comment"], listed["createdBy"]) == ({"state": "active"}, "new disks", "ana")
        assert listed["matchers"] == [{"name": "alertname", "value": "Disk.*", "isRegex": True, "isEqual": True}]
        for other in ("alertname=Disk.*", "alertname=~Di.*", "alertname!=x", "host!=x"):
            assert await _gets(story, sender, f"/silences?filter={other}") == [], other
        assert await _gets(story, sender, "/silences?active=false") == []
        # Another integration's key sees nothing of it, and can't end it.
        assert await _gets(story, stranger, "/silences") == []
        other = await story.web.delete(f"/api/v2/silence/{silence_id}", headers=_bearer(stranger))
        assert (other.status_code, type(other.json())) == (404, str)
        # The same with its id and another end keeps its id.
        longer = {**listed, "endsAt": iso(story.clock.now() + 40 * MINUTE)}
        assert (await posts(longer)).json() == {"silenceID": silence_id}
        assert (await _gets(story, sender, f"/silence/{silence_id}"))["createdBy"] == "ana"
        # What people write who mean all of it: it is over this integration's alerts, and never over more.
        everything = (
            await posts({**silence, "matchers": [{"name": "alertname", "value": ".+", "isRegex": True}]})
        ).json()
        assert (await _gets(story, stranger, "/silences")) == []
        await story.web.delete(f"/api/v2/silence/{everything['silenceID']}", headers=_bearer(sender))
        for wrong in (
            {**silence, "matchers": []},
            {**silence, "matchers": [{"name": "a", "value": ".*", "isRegex": True}]},
            {**silence, "matchers": [{"name": "a", "value": "x", "isRegex": False, "isEqual": False}]},
            {**silence, "matchers": [{"name": "a", "value": "(", "isRegex": True}]},
            {**silence, "endsAt": "soon"},
            {**silence, "endsAt": iso(story.clock.now() - MINUTE)},
            {**silence, "comment": ""},
        ):
            answer = await posts(wrong)
            assert (answer.status_code, type(answer.json())) == (400, str), wrong
        assert (await posts({**silence, "id": "12345"})).status_code == 404
        assert (await posts({**silence, "comment": "\0", "endsAt": iso(story.clock.now() + MINUTE)})).status_code == 200
        await story.passes(minutes=2)
        ended = await story.web.delete(f"/api/v2/silence/{silence_id}", headers=_bearer(sender))
        assert (ended.status_code, ended.content) == (200, b"")
        await story.settled()
        await ana.is_paged("DiskFull")
        shown = {one["id"]: one["status"]["state"] for one in await _gets(story, sender, "/silences?active=true")}
        assert shown[silence_id] == "expired"


async def test_the_longest_names_make_a_silence_that_can_be_read(database: str) -> None:
    async with api(database) as asked:
        story = asked.story
        made = await asked.admin.create("integrations", {"name": "n" * 200, "kind": "alertmanager"})
        sent = {
            "matchers": [{"name": "a", "value": "b", "isRegex": False}],
            "endsAt": iso(story.clock.now() + MINUTE),
            "createdBy": "a" * 300,
            "comment": "c",
        }
        path = f"/v1/in/alertmanager/{made['key']}/api/v2/silences"
        assert (await story.web.post(path, json=sent)).status_code == 200
        (shown,) = (await story.web.get(path)).json()
        assert (shown["createdBy"], shown["status"]) == ("a" * 90, {"state": "active"})


async def test_a_silence_stays_over_an_integration_that_is_renamed(database: str) -> None:
    async with api(database) as asked:
        story = asked.story
        made = await asked.admin.create("integrations", {"name": "eu", "kind": "alertmanager"})
        path = f"/v1/in/alertmanager/{made['key']}/api/v2"
        sent = {
            "matchers": [{"name": "alertname", "value": "Disk", "isRegex": False}],
            "endsAt": iso(story.clock.now() + MINUTE),
            "createdBy": "ana",
            "comment": "new disks",
        }
        silence_id = (await story.web.post(f"{path}/silences", json=sent)).json()["silenceID"]
        (before,) = (await story.web.get(f"{path}/silences")).json()
        renamed = {"name": 'the "new" eu', "kind": "alertmanager"}
        await asked.admin.done(200, "PUT", f"/integrations/{made['id']}", version=1, json=renamed)
        await story.web.post(f"{path}/alerts", json=[_alert(story, "Disk")])
        await story.settled()
        (alert,) = (await story.web.get(f"{path}/alerts")).json()
        assert alert["status"]["silencedBy"] == [silence_id]
        (after,) = (await story.web.get(f"{path}/silences")).json()
        assert {**after, "updatedAt": before["updatedAt"]} == before


async def _run(*command: str) -> tuple[int | None, str]:
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
    )
    async with asyncio.timeout(30):
        said, _ = await process.communicate()
    return process.returncode, said.decode()


PROMETHEUS = """
global: {evaluation_interval: 200ms}
rule_files: [rules.yml]
alerting:
  alertmanagers:
  - static_configs: [{targets: ["HOST"]}]
    path_prefix: PREFIX
"""
RULES = """
groups:
- name: g
  rules:
  - alert: AlwaysOn
    expr: vector(1)
    labels: {severity: critical}
    annotations: {summary: "Prometheus says so"}
"""


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
async def test_amtool_and_prometheus_themselves(
    database: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Debian's programs, where they are installed: what is missing is said aloud, and docs/alertmanager.md says how to get it."""
    amtool, prometheus = shutil.which("amtool"), shutil.which("prometheus")
    async with town(database) as story, listening(story) as url:
        ana, sender = await _checkout(story)
        if amtool:
            at = f"--alertmanager.url={url}{sender.path}"
            made = ("alert", "add", "Made", "severity=critical", "--annotation=summary=By hand")
            assert await _run(amtool, *made, at) == (0, "")
            await ana.is_paged("By hand")
            code, listed = await _run(amtool, "alert", "query", "--output=json", "alertname=~Ma.*", at)
            assert (code, [one["labels"]["alertname"] for one in json.loads(listed)]) == (0, ["Made"])
            add = ("silence", "add", "alertname=Later", "--duration=1h", "--comment=by hand")
            code, silence_id = await _run(amtool, *add, at)
            assert (code, silence_id.strip().isdigit()) == (0, True)
            code, listed = await _run(amtool, "silence", "query", "--output=json", at)
            assert (code, [one["comment"] for one in json.loads(listed)]) == (0, ["by hand"])
            assert await _run(amtool, "silence", "expire", silence_id.strip(), at) == (0, "")
        if prometheus:
            (tmp_path / "rules.yml").write_text(RULES)
            config = PROMETHEUS.replace("HOST", url.removeprefix("http://")).replace("PREFIX", sender.path)
            (tmp_path / "prometheus.yml").write_text(config)
            process = await asyncio.create_subprocess_exec(
                prometheus,
                f"--config.file={tmp_path}/prometheus.yml",
                f"--storage.tsdb.path={tmp_path}/data",
                "--web.listen-address=127.0.0.1:0",
                "--rules.alert.resend-delay=200ms",
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.DEVNULL,
            )
            try:
                async with asyncio.timeout(30):
                    while not await story.rows("SELECT id FROM alerts WHERE title = 'Prometheus says so'"):
                        await asyncio.sleep(0.05)
            finally:
                process.terminate()
                await process.wait()
            await story.settled()
        ana.phone.taken = len(ana.phone.inbox())
    with capsys.disabled():
        for name, found in (("amtool", amtool), ("prometheus", prometheus)):
            if not found:
                sys.stdout.write(f"\nNOT PROVED HERE: {name} is not installed (see docs/alertmanager.md)\n")

"""What the doctor makes of facts: one line each, with what to do whenever there is something to do."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, time
from pathlib import Path

import pytest

from app.cli.checks import clocks, postgres, reach, schema, sqlite, ways_in, ways_out
from app.cli.checks.configured import Configured
from app.cli.checks.finding import Finding
from app.clock import DAY, HOUR, MINUTE, SECOND, Micros
from app.ids import PersonId
from app.incidents.service import Service
from app.notifiers import registry
from app.oncall.rota import Rota
from app.oncall.schedule import Layer, Restriction, Schedule
from app.paging.plan import LevelPlan, Missed, PlannedPage
from app.paging.policy import Channel, Policy
from app.people.person import Person
from app.people.team import Team
from app.rota.reach import Contact, Facts, Lead, Named, OnDuty
from app.sources.integration import Integration
from app.store.jobs import Backlog

MONDAY: Micros = 1_794_787_200 * SECOND
"""2026-11-16T00:00:00Z."""


def marks(found: list[Finding]) -> dict[str, str]:
    return {finding.says: finding.mark for finding in found}


def only(found: list[Finding], mark: str) -> Finding:
    """The one finding of that mark, which says what to do."""
    (one,) = [finding for finding in found if finding.mark == mark]
    assert one.do
    return one


HEALTHY_FILE = sqlite.Facts(Path("/var/lib/tocsin/tocsin.db"), (3, 45, 1), "wal", 2, "ext4", 50 * 10**9)


def test_a_file_that_everybody_may_read_is_a_warning():
    seen, *_ = [finding for finding in sqlite.judge(replace(HEALTHY_FILE, mode=0o100644)) if finding.mark == "warn"]
    assert "every user of this machine may read" in seen.says
    assert "chmod 600 /var/lib/tocsin/tocsin.db" in seen.do


def test_a_healthy_file_is_one_line_and_its_disk_another():
    assert [finding.mark for finding in sqlite.judge(HEALTHY_FILE)] == ["ok", "ok"]


@pytest.mark.parametrize(
    ("facts", "mark", "says"),
    [
        (replace(HEALTHY_FILE, journal_mode="delete"), "wrong", "not WAL"),
        (replace(HEALTHY_FILE, synchronous=1), "wrong", "synchronous is not FULL"),
        (replace(HEALTHY_FILE, version=(3, 31, 1)), "wrong", "SQLite is 3.31.1"),
        (replace(HEALTHY_FILE, file_system="nfs4"), "wrong", "network file system"),
        (replace(HEALTHY_FILE, file_system="fuse.sshfs"), "wrong", "network file system"),
        (replace(HEALTHY_FILE, free_bytes=10**7), "wrong", "0.0 GB free"),
        (replace(HEALTHY_FILE, free_bytes=5 * 10**8), "warn", "0.5 GB free"),
        (replace(HEALTHY_FILE, file_system="tmpfs"), "warn", "gone at the next restart"),
        (replace(HEALTHY_FILE, file_system="overlay"), "warn", "a container's own layer"),
    ],
)
def test_what_endangers_a_file_is_named(facts, mark, says):
    assert says in only(sqlite.judge(facts), mark).says


def test_the_file_system_is_that_of_the_longest_mount_point():
    mounts = """/dev/vda1 / ext4 rw 0 0
server:/x /mnt nfs4 rw 0 0
/dev/vdb /mnt/local\\040disk xfs rw 0 0
tmpfs /mntx tmpfs rw 0 0
short"""
    kinds = {path: sqlite.file_system_of(Path(path), mounts) for path in ("/a/b", "/mnt/t.db", "/mnt/local disk/t.db")}
    assert kinds == {"/a/b": "ext4", "/mnt/t.db": "nfs4", "/mnt/local disk/t.db": "xfs"}
    assert sqlite.file_system_of(Path("/a"), "") == ""


HEALTHY_SERVER = postgres.Facts(160_004, "16.4", "on", "on", "on", "", in_recovery=False)


def test_a_healthy_server_is_one_line():
    (finding,) = postgres.judge(HEALTHY_SERVER)
    assert (finding.mark, finding.do) == ("ok", "")
    assert "synchronous_commit on" in finding.says


@pytest.mark.parametrize(
    ("facts", "says"),
    [
        (replace(HEALTHY_SERVER, synchronous_commit="off"), "synchronous_commit is off"),
        (replace(HEALTHY_SERVER, fsync="off"), "fsync is off"),
        (replace(HEALTHY_SERVER, full_page_writes="off"), "full_page_writes is off"),
        (replace(HEALTHY_SERVER, version_num=130_012, version="13.12"), "PostgreSQL is 13.12"),
        (replace(HEALTHY_SERVER, in_recovery=True), "standby"),
    ],
)
def test_what_breaks_the_promise_of_a_server_is_wrong(facts, says):
    assert says in only(postgres.judge(facts), "wrong").says


@pytest.mark.parametrize(
    ("found", "mark"), [("0002", "ok"), ("0001", "warn"), (None, "warn"), ("0003", "wrong")], ids=str
)
def test_the_schema_is_ours_older_empty_or_unknown(found, mark):
    assert schema.judge(found, "0002", frozenset({"0001", "0002"})).mark == mark


def test_a_clock_that_was_set_while_we_looked_is_noticed():
    start = clocks.Reading(MONDAY, 100.0)
    assert clocks.judge_machine(start, clocks.Reading(MONDAY + 2 * SECOND, 102.0)).mark == "ok"
    assert "+30.0 s" in only([clocks.judge_machine(start, clocks.Reading(MONDAY + 32 * SECOND, 102.0))], "warn").says


def test_a_clock_before_this_version_was_written_is_wrong():
    start = clocks.Reading(0, 1.0)
    only([clocks.judge_machine(start, start)], "wrong")


@pytest.mark.parametrize(("ahead_s", "mark"), [(0, None), (1, None), (5, "warn"), (60, "wrong")])
def test_a_row_from_the_future_says_that_a_clock_went_back(ahead_s, mark):
    found = clocks.judge_newest(MONDAY + ahead_s * SECOND, MONDAY)
    assert [finding.mark for finding in found] == ([mark] if mark else [])


def test_the_clock_of_the_database_is_compared_within_the_time_the_question_took():
    assert clocks.judge_database(MONDAY, MONDAY + SECOND, MONDAY + 2 * SECOND).mark == "ok"
    assert "5.0 s behind" in only([clocks.judge_database(MONDAY, MONDAY - 5 * SECOND, MONDAY)], "warn").says
    assert "60.0 s ahead" in only([clocks.judge_database(MONDAY, MONDAY + MINUTE, MONDAY)], "wrong").says


def test_rules_of_time_zones_of_years_ago_are_old():
    assert clocks.judge_zones("2026f", MONDAY).mark == "ok"
    assert clocks.judge_zones("2025b", MONDAY).mark == "ok"
    only([clocks.judge_zones("2024a", MONDAY)], "warn")


def person(name: str, **method: object) -> Person:
    methods = [{"id": "1", "kind": "console", **method}] if method else []
    return Person.model_validate({"name": name, "contact_methods": methods})


def told(*names: str, missed: str = "") -> LevelPlan:
    pages = tuple(PlannedPage(1, None, "1", "console", name, "why", 0, False, None) for name in names)
    return LevelPlan(pages, (Missed(missed),) if missed else ())


def rota(*people: int, start: time = time(0), end: time = time(0)) -> Rota:
    hours = (Restriction(frozenset(range(7)), start, end),)
    turns = tuple(PersonId(one) for one in people)
    return Rota.of(Schedule("UTC", (Layer("weekly", turns, "week", (1,), date(2026, 11, 2), time(0), hours),)))


def ahead(turns: Rota, *, second: Lead | None = None, verified: bool = True, fallback: tuple[Lead, ...] = ()) -> Facts:
    """The policy of the town: whoever is on call in Shop, then Ben."""
    contacts = {ANA: Contact("Ana", True, verified), BEN: Contact("Ben", True, verified)}
    levels = ((OnDuty(SHOP),), (second or Named((BEN,)),))
    return Facts(levels, fallback, contacts, {SHOP: turns}, {SHOP: "Shop"})


ANA, BEN, SHOP, RULES = 1, 2, 10, 20

TOWN = Configured(
    now=MONDAY,
    people={ANA: person("Ana", enabled=True), BEN: person("Ben", enabled=True)},
    teams={5: Team.model_validate({"name": "Shop", "members": [{"person_id": "2"}]})},
    services={30: Service(name="checkout", policy_id=str(RULES), team_id="5")},
    integrations={40: Integration(name="Prometheus", kind="alertmanager", service_id="30")},
    policies={
        RULES: Policy.model_validate(
            {
                "name": "Day and night",
                "levels": [{"targets": [{"kind": "schedule", "id": "10"}]}, {"targets": [{"kind": "team", "id": "5"}]}],
            }
        )
    },
    channels={},
    told={RULES: (told("Ana"), told("Ben"))},
    ahead={RULES: ahead(rota(ANA, BEN), second=Named((ANA, BEN)))},
)


def test_where_everybody_is_reached_there_is_a_line_for_each_level_and_policy_and_nothing_to_do():
    found = reach.judge(TOWN)
    assert {finding.mark for finding in found} == {"ok"}
    assert [finding.about for finding in found] == [
        "policy Day and night, level 1",
        "policy Day and night, level 2",
        "policy Day and night",
    ]
    assert found[0].says == "it reaches Ana now"


def test_without_a_policy_every_page_goes_to_the_console_and_that_is_said():
    assert "console" in only(reach.judge(replace(TOWN, policies={}, told={}, ahead={}, services={})), "warn").says


@pytest.mark.parametrize(
    ("service", "mark", "says"),
    [
        (Service(name="db"), "warn", "it has no escalation policy"),
        (Service(name="db", policy_id="99"), "wrong", "its escalation policy was deleted"),
        (Service(name="db", policy_id=str(RULES), team_id="99"), "warn", "the team that owns it was deleted"),
    ],
)
def test_a_service_that_leads_nowhere_is_named(service, mark, says):
    finding = only(reach.judge(replace(TOWN, services={30: service})), mark)
    assert (finding.about, says in finding.says) == ("service db", True)


def test_a_level_that_reaches_nobody_now_is_wrong_and_says_why():
    finding = only(reach.judge(replace(TOWN, told={RULES: (told(missed="nobody is on call"), told("Ben"))})), "wrong")
    assert finding.about == "policy Day and night, level 1"
    assert finding.says == "it reaches nobody now: nobody is on call"


def test_a_level_that_misses_one_target_is_worth_a_look():
    town = replace(TOWN, told={RULES: (told("Ana", missed="a channel in the policy was deleted"), told("Ben"))})
    assert only(reach.judge(town), "warn").says == "it reaches Ana now, but a channel in the policy was deleted"


NIGHTS_OFF = rota(ANA, start=time(8), end=time(20))
GONE = Named((99,))


def test_hours_ahead_in_which_nobody_is_reached_are_found_before_they_come():
    town = replace(TOWN, ahead={RULES: ahead(NIGHTS_OFF, second=GONE)})
    finding = only(reach.judge(town), "wrong")
    assert finding.about == "policy Day and night"
    assert finding.says.startswith(
        "Mon 16 Nov 00:00 to 08:00, UTC, nobody is reached: level 1: nobody is on call in Shop"
    )
    assert finding.says.endswith("there is no fallback. And 30 more such times in the next 30 days")


def test_hours_that_the_fallback_catches_are_worth_a_look_only():
    town = replace(TOWN, ahead={RULES: ahead(NIGHTS_OFF, second=GONE, fallback=(Named((BEN,)),))})
    assert "the fallback is told: Ben" in only(reach.judge(town), "warn").says


def test_where_only_unverified_contact_methods_are_used_is_worth_a_look():
    town = replace(TOWN, ahead={RULES: ahead(NIGHTS_OFF, verified=False)})
    assert "have not verified a contact method: Ben, Ana" in only(reach.judge(town), "warn").says


def test_one_person_on_all_levels_is_worth_a_look():
    town = replace(TOWN, ahead={RULES: ahead(rota(ANA), second=Named((ANA,)))})
    assert "every level reaches one and the same person: Ana" in only(reach.judge(town), "warn").says


def test_somebody_whose_turn_comes_within_the_month_and_who_cannot_be_reached_is_named_now():
    town = replace(TOWN, now=MONDAY + 5 * DAY, people={ANA: person("Ana", enabled=True), BEN: person("Ben")})
    finding = only(reach.judge(town), "wrong")
    assert finding.about == "person Ben"
    assert finding.says == (
        "Ben has no contact method that is enabled, and takes a turn in Shop from Mon 23 Nov 00:00, UTC"
    )


def test_a_contact_method_that_is_switched_off_reaches_nobody():
    town = replace(TOWN, people={ANA: person("Ana", enabled=False), BEN: person("Ben", enabled=True)})
    assert only(reach.judge(town), "wrong").about == "person Ana"


def test_somebody_who_was_deleted_and_still_has_a_turn_is_wrong():
    assert "deleted" in only(reach.judge(replace(TOWN, people={BEN: person("Ben", enabled=True)})), "wrong").says


def test_names_that_would_move_the_cursor_stay_on_their_line():
    town = replace(TOWN, services={30: Service(name="db\x1b[2J\nok all is well")})
    assert only(reach.judge(town), "warn").about == "service db[2J ok all is well"


HEARD = ways_in.Facts(MONDAY, Backlog(0, None), frozenset({40}), frozenset({40}), admins=1, given_up=0)


@pytest.mark.parametrize(
    ("facts", "integration", "mark", "says"),
    [
        (replace(HEARD, seen=frozenset()), None, "warn", "it has never said anything"),
        (replace(HEARD, keyed=frozenset()), None, "wrong", "it has no key"),
        (HEARD, Integration(name="x", kind="generic"), "warn", "it belongs to no service"),
        (replace(HEARD, admins=0), None, "warn", "no admin key"),
        (replace(HEARD, given_up=2), None, "warn", "2 open incidents have told everybody"),
        (
            replace(HEARD, backlog=Backlog(7, MONDAY - HOUR)),
            None,
            "wrong",
            "7 jobs are due and the oldest has waited 3600 s",
        ),
    ],
)
def test_what_keeps_alerts_out_or_pages_in_is_named(facts, integration, mark, says):
    town = replace(TOWN, integrations={40: integration}) if integration else TOWN
    assert says in only(ways_in.judge(facts, town), mark).says


def test_an_installation_that_was_heard_of_and_is_not_late_has_nothing_to_do():
    assert {finding.mark for finding in ways_in.judge(HEARD, TOWN)} == {"ok"}
    assert {finding.mark for finding in ways_in.judge(replace(HEARD, backlog=Backlog(1, MONDAY - SECOND)), TOWN)} == {
        "ok"
    }


def test_no_integration_at_all_is_worth_a_look():
    assert "no alert can come in" in only(ways_in.judge(HEARD, replace(TOWN, integrations={})), "warn").says


def test_a_console_alone_is_worth_a_look():
    assert "console" in only(ways_out.judge_addresses(TOWN, registry.build(), mail=False), "warn").says


def test_an_address_that_its_notifier_would_refuse_is_wrong_and_not_repeated():
    method = {"id": "1", "kind": "webhook", "label": "phone", "address": {"url": "ftp://s3cret"}}
    town = replace(TOWN, people={ANA: Person.model_validate({"name": "Ana", "contact_methods": [method]})})
    finding = only(ways_out.judge_addresses(town, registry.build(), mail=False), "wrong")
    assert finding.says.startswith("Ana's webhook 'phone' can't be used: webhook: url: must be")
    assert "s3cret" not in finding.says


def test_mail_without_a_mail_server_is_wrong():
    method = {"id": "1", "kind": "email", "address": {"to": "ana@example.com"}}
    town = replace(TOWN, people={ANA: Person.model_validate({"name": "Ana", "contact_methods": [method]})})
    assert only(ways_out.judge_addresses(town, registry.build(), mail=False), "wrong").about == "mail server"
    assert only_ok(ways_out.judge_addresses(town, registry.build(), mail=True)) == "every address is valid (email)"


def test_a_channel_of_a_kind_that_is_not_installed_is_wrong():
    town = replace(TOWN, channels={9: Channel(name="room", kind="smoke-signals")})
    assert "no such kind" in only(ways_out.judge_addresses(town, registry.build(), mail=False), "wrong").says


def only_ok(found: list[Finding]) -> str:
    (finding,) = found
    assert finding.mark == "ok"
    return finding.says


@pytest.mark.parametrize(
    ("public", "mark"), [("", "warn"), ("http://tocsin.example.com", "warn"), ("https://tocsin.example.com", "ok")]
)
def test_links_must_open_elsewhere_and_encrypted(public, mark):
    assert ways_out.judge_public_url(public, public or "http://127.0.0.1:8080").mark == mark


def test_a_secret_that_can_be_found_by_trying_is_a_warning_that_does_not_repeat_it():
    assert ways_out.judge_secret("") == ways_out.judge_secret("a-b" * 12) == []
    (found,) = ways_out.judge_secret("letmein")
    assert "has 7 characters" in found.says
    assert "letmein" not in found.says + found.do

"""The sentences of an explanation: tables of facts and what is said of them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from app.clock import DAY, HOUR, MINUTE, SECOND, Micros
from app.explain.deeds import deed
from app.explain.entries import entries
from app.explain.explanation import explain
from app.explain.facts import AlertSeen, Attempt, Facts, Happened, LeftOut, PageSeen, PolicySeen, Unreached
from app.explain.people import people
from app.explain.stopped import stopped
from app.explain.tries import outcome, page_lines
from app.explain.wording import clock, joined, names, quote, relative, sentence, took
from app.incidents.incident import Incident, opened
from tests.harness.clock import START


@pytest.mark.parametrize(
    ("gap", "said"),
    [
        (0, "+00:00"),
        (12 * SECOND + 999_999, "+00:12"),
        (61 * MINUTE + 3 * SECOND, "+1:01:03"),
        (2 * DAY + HOUR, "+2d 01:00:00"),
        (-90 * SECOND, "-01:30"),
    ],
)
def test_how_long_after_the_beginning(gap: Micros, said: str) -> None:
    assert relative(gap) == said


@pytest.mark.parametrize(
    ("gap", "said"),
    [
        (0, "0 s"),
        (240_000, "0.2 s"),
        (2_000_000, "2 s"),
        (40 * SECOND, "40 s"),
        (190 * SECOND, "3 min 10 s"),
        (5 * MINUTE, "5 min"),
        (125 * MINUTE, "2 h 5 min"),
        (25 * HOUR, "1 day 1 h"),
        (-SECOND, "0 s"),
    ],
)
def test_how_long_something_took(gap: Micros, said: str) -> None:
    assert took(gap) == said


@pytest.mark.parametrize(
    ("at", "said"),
    [
        (START + 5 * MINUTE, "00:05:00 UTC"),
        (START + DAY, "6 Jan 00:00:00 UTC"),
        (START - 10 * DAY, "26 Dec 2025 00:00:00 UTC"),
    ],
)
def test_an_instant_names_its_day_where_it_is_another_one(at: Micros, said: str) -> None:
    assert clock(at, START) == said


def test_names_and_lists_and_other_peoples_words() -> None:
    assert names(["Ana"]) == "Ana"
    assert names(["Ana", "Ben", "Ana"]) == "Ana and Ben"
    assert names([f"P{number}" for number in range(9)]) == "P0, P1, P2, P3, P4 and 4 more"
    assert joined(["a", "b", "c"]) == "a, b and c"
    assert sentence("level 1") == "Level 1."
    assert sentence("What?") == "What?"
    assert quote("one\ntwo\x1b[31m \u202ered") == "one two[31m red"
    assert len(quote("x" * 5_000)) == 300


def incident(**more: Any) -> Incident:
    made = opened(
        incident_id=1,
        number=17,
        service_id=2,
        title="DiskFull",
        severity="critical",
        impact="medium",
        grouping=b"",
        now=START,
    )
    for name, value in more.items():
        setattr(made, name, value)
    return made


TRY = Attempt(100, 1, START, START + 200_000, "accepted")
PAGE = PageSeen(
    id=50,
    number=1,
    epoch=1,
    round=0,
    level=0,
    person_id=7,
    channel_id=None,
    recipient="Ana",
    way="ntfy (phone)",
    reason="on call in Primary (layer weekly, turn 12)",
    policy_version=3,
    fallback=False,
    due_at=START,
    state="sent",
    outcome="accepted",
    detail="",
    created_at=START,
    done_at=START,
    tries=(TRY,),
)
SECOND_WAY = replace(PAGE, id=51, number=2, way="email", fallback=True, due_at=0, state="waiting", tries=())


def facts(*timeline: Happened, pages: tuple[PageSeen, ...] = (PAGE,), **more: Any) -> Facts:
    known = {"policies": {(9, 3): PolicySeen("Shop", 3, 3, (300, 300, 300))}, **more}
    return Facts(
        START + HOUR,
        known.pop("incident", incident(policy_id=9)),
        "checkout",
        timeline=timeline,
        pages=pages,
        **known,
    )


def happened(
    kind: str, actor: str = "tocsin", reason: str = "", after: Micros = 0, place: int = 60, **detail: Any
) -> Happened:
    return Happened(place, START + after, kind, actor, reason, detail)


@pytest.mark.parametrize(
    ("attempt", "said"),
    [
        (TRY, "was taken by the provider after 0.2 s"),
        (replace(TRY, outcome="delivered", receipt="m-1"), "was delivered after 0.2 s (receipt m-1)"),
        (replace(TRY, outcome="refused", detail="410 gone"), "was refused after 0.2 s: 410 gone"),
        (replace(TRY, outcome="refused"), "was refused after 0.2 s: no reason was given"),
        (replace(TRY, outcome="try_again", detail="503"), "could not be sent yet: 503"),
        (
            replace(TRY, outcome="unknown", detail="no answer within 4 s"),
            "had no clear answer after 0.2 s (no answer within 4 s): it may have arrived or not",
        ),
        (replace(TRY, outcome=None, finished_at=None), "is being sent; there is no answer yet"),
        (replace(TRY, outcome="bundled", detail="with 4 others"), "ended as bundled: with 4 others"),
    ],
)
def test_what_came_of_a_try(attempt: Attempt, said: str) -> None:
    assert outcome(attempt) == said


REFUSED = replace(TRY, outcome="refused", detail="410")
BUSY = replace(TRY, outcome="try_again", detail="503")


@pytest.mark.parametrize(
    ("pages", "said"),
    [
        (
            (PAGE,),
            [
                (
                    "Page 1 for Ana by ntfy (phone) was taken by the provider after 0.2 s. Why Ana: on call in Primary (layer "
                    "weekly, turn 12)."
                )
            ],
        ),
        (
            (
                replace(PAGE, state="failed", tries=(REFUSED,)),
                replace(SECOND_WAY, due_at=START + 200_000, tries=(replace(TRY, id=101),), state="sent"),
            ),
            [
                (
                    "Page 1 for Ana by ntfy (phone) was refused after 0.2 s: 410. So page 2, by email, was due at once. Why Ana: "
                    "on call in Primary (layer weekly, turn 12)."
                ),
                "Page 2 for Ana by email was taken by the provider after 0.2 s.",
            ],
        ),
        (
            (replace(PAGE, state="waiting", tries=(BUSY,), next_try_at=START + 4 * SECOND),),
            [
                (
                    "Page 1 for Ana by ntfy (phone) could not be sent yet: 503. It is tried again at 00:00:04 UTC. Why Ana: on "
                    "call in Primary (layer weekly, turn 12)."
                )
            ],
        ),
        (
            (
                replace(
                    PAGE,
                    state="failed",
                    tries=(
                        BUSY,
                        replace(
                            BUSY,
                            id=101,
                            number=2,
                            started_at=START + 5 * SECOND,
                            finished_at=START + 6 * SECOND,
                            late_s=5,
                        ),
                    ),
                ),
            ),
            [
                (
                    "Page 1 for Ana by ntfy (phone) could not be sent yet: 503. It was tried again 4.8 s later. Why Ana: on call "
                    "in Primary (layer weekly, turn 12)."
                ),
                (
                    "Page 1 for Ana by ntfy (phone), try 2, could not be sent yet: 503. It went out 5 s late. This way was given "
                    "up after 2 tries."
                ),
            ],
        ),
        (
            (
                replace(
                    PAGE,
                    due_at=START + 2 * MINUTE,
                    state="not_needed",
                    tries=(),
                    detail="Ben had it before this page was due",
                    done_at=START + 2 * MINUTE,
                ),
            ),
            [
                "Page 1 for Ana by ntfy (phone) was put off until 00:02:00 UTC (+02:00) by their own rules.",
                "Page 1 for Ana by ntfy (phone) was not sent: Ben had it before it was due (00:02:00 UTC).",
            ],
        ),
        (
            (replace(PAGE, state="failed", tries=(), detail="this contact method was removed"),),
            ["Page 1 for Ana by ntfy (phone) could not be tried: this contact method was removed."],
        ),
        ((SECOND_WAY,), []),
        (
            (
                replace(PAGE, state="blocked", outcome="try_again", tries=(BUSY,), next_try_at=START + MINUTE),
                replace(SECOND_WAY, fallback=False, due_at=START + 200_000),
            ),
            [
                (
                    "Page 1 for Ana by ntfy (phone) could not be sent yet: 503. It is tried again at 00:01:00 UTC. So page 2, by "
                    "email, was due at once. Why Ana: on call in Primary (layer weekly, turn 12)."
                ),
            ],
        ),
        (
            (replace(PAGE, state="waiting", outcome=None, tries=(), others=1, next_try_at=START + 10 * SECOND),),
            [
                (
                    "Page 1 for Ana by ntfy (phone) was one too many at a time: it goes out at 00:00:10 UTC, in one message with "
                    "1 other page."
                ),
            ],
        ),
    ],
)
def test_what_is_said_of_a_page(pages: tuple[PageSeen, ...], said: list[str]) -> None:
    known = facts(pages=pages)
    assert [line[-1] for page in pages for line in page_lines(known, page)] == said


LEVEL_1 = happened("level_told", reason="level 1: Ana", place=49, level=0, round=0, policy_version=3)
LEVEL_2 = happened(
    "level_told", reason="level 2: Ben", place=70, after=5 * MINUTE, level=1, round=0, policy_version=3, policy_id="9"
)
BEN = replace(
    PAGE,
    id=69,
    number=3,
    level=1,
    person_id=8,
    recipient="Ben",
    created_at=START + 5 * MINUTE,
    due_at=START + 5 * MINUTE,
    tries=(replace(TRY, id=102, started_at=START + 5 * MINUTE, finished_at=START + 5 * MINUTE),),
)


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        (
            happened("triggered", "Prometheus", "opened by DiskFull: first"),
            "Incident #17 was opened by DiskFull: first.",
        ),
        (happened("triggered", "api key bot", "reported by api key bot"), "Incident #17 was reported by api key bot."),
        (LEVEL_1, "Level 1 (Shop, version 3) told Ana."),
        (
            replace(LEVEL_1, detail={**LEVEL_1.detail, "missed": [{"reason": "team SRE has no members"}]}),
            "Level 1 (Shop, version 3) told Ana. Not told: team SRE has no members.",
        ),
        (
            happened("level_told", reason="level 4: Zoe; gone", level=3, round=0, policy_version=3),
            "Level 4: Zoe; gone.",
        ),
        (
            happened("level_reached_nobody", reason="level 2: nobody; gone", level=1, round=1, policy_version=3),
            "Level 2, round 2 (Shop, version 3) reached nobody and was passed over at once: nobody; gone.",
        ),
        (
            happened("acknowledged", "Ana", "Ana has it", 3 * MINUTE),
            "Ana, by the link of a page, acknowledged 3 min after the first page: paging stopped.",
        ),
        (
            happened("acknowledged", "Ben", "Ben has it (taken over from Ana)", until=START + HOUR),
            (
                "Ben acknowledged (taken over from Ana): paging stopped. It begins anew at 01:00:00 UTC unless this is resolved "
                "before."
            ),
        ),
        (
            happened("acknowledged", "api key bot", "api key bot has it"),
            "Api key bot, by the API, acknowledged: paging stopped.",
        ),
        (
            happened("acknowledged", "someone via war-room", "has it"),
            "Someone, by the link of a page to war-room, acknowledged: paging stopped.",
        ),
        (
            happened("snoozed", "Zoe", "quiet until later", until=START + HOUR),
            "Zoe asked for quiet until 01:00:00 UTC; then paging begins anew.",
        ),
        (happened("ack_expired", reason="the acknowledgement of Ana ended"), "The acknowledgement of Ana ended."),
        (happened("escalated", "Zoe", "level 2 is told now", level=1), "Zoe did not wait: level 2 is told now."),
        (happened("resolved", "Zoe", "fixed, says Zoe"), "Zoe resolved it: fixed."),
        (happened("resolved", reason="all have resolved"), "The incident is resolved: all have resolved."),
        (happened("reopened", "Zoe", "reopened by Zoe"), "Zoe reopened it: paging begins anew."),
        (happened("closed", "Zoe", "verified by Zoe"), "Zoe closed it: verified."),
        (happened("note", "Zoe", "is it\nDNS?"), "Zoe noted: is it DNS?"),
        (happened("severity_raised", reason="P4 became P2: worse"), "P4 became P2: worse."),
        (happened("policy_exhausted", reason="the policy has ended: x"), "The policy has ended: x."),
        (happened("undelivered", reason="the policy has ended: y"), "The policy has ended: y."),
        (happened("fallback_told", reason="so the fallback is told: Eva"), "So the fallback is told: Eva."),
        (happened("page_failed", reason="Ana by sms: no", after=HOUR), "Ana by sms: no."),
        (happened("page_failed", reason="told by its try", after=200_000), ""),
        (happened("reassigned", "Zoe", "given to Ana"), "Zoe: given to Ana."),
    ],
)
def test_what_is_said_of_an_entry(entry: Happened, said: str) -> None:
    refused = replace(PAGE, id=52, number=9, tries=(replace(TRY, outcome="refused"),))
    assert deed(facts(entry, pages=(PAGE, refused)), entry) == said


@pytest.mark.parametrize(
    ("pages", "before", "said"),
    [
        ((PAGE, BEN), LEVEL_1, "because nobody had it 5 min after level 1."),
        (
            (replace(PAGE, state="failed", done_at=START), BEN),
            LEVEL_1,
            "because nothing that level 1 sent got through.",
        ),
        ((BEN,), replace(LEVEL_1, kind="level_reached_nobody"), "because level 1 reached nobody."),
    ],
)
def test_a_level_says_why_it_was_told_just_then(pages: tuple[PageSeen, ...], before: Happened, said: str) -> None:
    assert deed(facts(before, LEVEL_2, pages=pages), LEVEL_2).endswith(said)


ACK = happened("acknowledged", "Ben", "Ben has it", after=560 * SECOND, place=90)


@pytest.mark.parametrize(
    ("timeline", "level"),
    [
        ((LEVEL_1, LEVEL_2, ACK), 2),
        ((LEVEL_1, ACK, happened("resolved", place=95)), 1),
        ((ACK,), 0),
        ((LEVEL_1, happened("escalated", place=80, level=2), replace(ACK, id=91)), 2),
        ((LEVEL_1, ACK, happened("ack_expired", place=95)), None),
        ((LEVEL_1, LEVEL_2), None),
    ],
)
def test_which_level_was_not_reached_any_more(timeline: tuple[Happened, ...], level: int | None) -> None:
    found = stopped(timeline)
    assert (found.next_level if found else None) == level


def test_who_was_not_reached_is_told_how_narrowly() -> None:
    unreached = (
        Unreached(2, 11, "Cleo", "named in the escalation policy"),
        Unreached(3, 12, "Dan", ""),
        Unreached(2, 7, "Ana", "member of team SRE"),
        Unreached(2, None, "war-room", "a channel"),
    )
    known = facts(LEVEL_1, LEVEL_2, ACK, pages=(PAGE, BEN), unreached=unreached, names={11: "Cleo", 12: "Dan"})
    said = {one.name: one.brief for one in people(known)}
    assert list(said) == ["Ana", "Ben", "Cleo", "Dan"]
    assert said["Cleo"] == (
        "Cleo was not paged: level 3 (named in the escalation policy) was not reached, because Ben acknowledged 40 s before "
        "it was due (00:10:00 UTC)"
    )
    assert said["Dan"] == "Dan was not paged: level 4 was not reached, because Ben acknowledged at 00:09:20 UTC"
    assert said["Ben"].endswith("and acknowledged at 00:09:20 UTC, 4 min 20 s after the first page")
    assert said["Ana"].endswith("and did not answer")


def test_who_was_paged_at_another_time_is_not_said_not_to_have_been() -> None:
    """Their page is among those that were left out."""
    missed = replace(LEVEL_1, detail={**LEVEL_1.detail, "missed": [{"reason": "Zoe has none", "person_id": "13"}]})
    assert [one.name for one in people(facts(missed, names={13: "Zoe"}))] == ["Ana", "Zoe"]
    assert [one.name for one in people(facts(missed, names={13: "Zoe"}, told_before=frozenset({13})))] == ["Ana"]


@pytest.mark.parametrize(
    ("page", "said"),
    [
        (
            replace(PAGE, state="failed", tries=(REFUSED,)),
            "Ana was not reached: page 1 by ntfy (phone) was refused after 0.2 s: 410",
        ),
        (
            replace(PAGE, state="waiting", tries=(BUSY,)),
            "Ana was not reached so far: page 1 by ntfy (phone) could not be sent yet: 503",
        ),
        (replace(PAGE, state="waiting", tries=()), "Ana is paged at 00:00:00 UTC unless somebody has it before"),
        (
            replace(PAGE, state="not_needed", tries=(), detail="Ben had it before this page was due"),
            "Ana was not paged: Ben had it before it was due (00:00:00 UTC)",
        ),
    ],
)
def test_somebody_to_whom_nothing_was_sent(page: PageSeen, said: str) -> None:
    (one,) = people(facts(pages=(page,)))
    assert (one.brief, one.paged) == (said, False)


def test_what_happened_at_one_instant_is_in_the_order_in_which_it_came_about() -> None:
    """A level is read before the pages that tell it, though its entry was written after them; ids have 63 bits."""
    far = 1 << 62
    page = replace(PAGE, id=far + 3, tries=(replace(TRY, id=far + 9),))
    later = replace(PAGE, id=far + 4, number=2, due_at=START + MINUTE, tries=(), state="waiting")
    known = facts(
        happened("triggered", "Prometheus", "opened", place=far + 2),
        replace(LEVEL_1, id=far + 5),
        happened("resolved", place=far + 20),
        pages=(page, later),
        alerts=(
            AlertSeen(
                far + 1,
                "DiskFull",
                "critical",
                "Prometheus",
                "alertmanager",
                "first",
                START,
                START,
                3,
                START - HOUR,
                START,
                "sender",
            ),
        ),
    )
    lines = entries(known)
    assert [line.kind for line in lines] == [
        "alert_over",
        "alert",
        "triggered",
        "priority",
        "level_told",
        "page",
        "try",
        "resolved",
    ]
    assert "Its sender says that it began at 4 Jan 23:00:00 UTC." in lines[1].sentence
    assert "It was sent 3 times, last at 00:00:00 UTC." in lines[1].sentence


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"state": "acknowledged", "acknowledged_by": "Ana"}, "Ana has it."),
        (
            {"state": "acknowledged", "acknowledged_by": "Ana", "ack_until": START + HOUR},
            "Ana has it until 01:00:00 UTC; then paging begins anew.",
        ),
        (
            {"state": "resolved", "resolved_by": "tocsin", "resolution": "recovered", "resolved_at": START + HOUR},
            "It was resolved at 01:00:00 UTC (it recovered by itself).",
        ),
        (
            {"state": "closed", "resolved_by": "Ana", "resolution": "fix", "resolved_at": START + HOUR},
            "It was resolved at 01:00:00 UTC by Ana (fix).",
        ),
        ({"escalation": "exhausted"}, "Nobody has it, and nobody else will be told: the policy has ended."),
        ({"state": "merged"}, "It is merged."),
    ],
)
def test_the_summary_ends_with_how_it_stands(more: dict[str, Any], said: str) -> None:
    found = explain(facts(LEVEL_1, incident=incident(**more), left_out=LeftOut(alerts=1_200)))
    assert found.summary[-1] == said
    assert 2 <= len(found.summary) <= 4
    assert found.left_out[0].startswith("Left out, from the middle: 1,200 alerts.")


def test_a_crowd_is_counted_in_the_summary() -> None:
    crowd = tuple(
        replace(PAGE, id=50 + number, number=number, person_id=number, recipient=f"P{number}") for number in range(1, 9)
    )
    assert explain(facts(pages=crowd)).summary[1].endswith("; 5 others were paged too.")

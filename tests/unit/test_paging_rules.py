"""What follows a send, who is told at a level, and how a person is reached: tables of facts and properties."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.clock import SECOND
from app.notifiers.notifier import Accepted, Delivered, Refused, TryAgain, Unknown
from app.paging.course import Rules, given_to
from app.paging.plan import InTurn, Missed, Position, Reached, next_position, plan_level
from app.paging.policy import Level, Policy
from app.paging.recipients import quiet_left_s
from app.paging.retry import (
    LAST_TRY,
    LONGEST_ASKED_S,
    MAX_TRIES,
    MAX_UNKNOWN_TRIES,
    Again,
    Blocked,
    Done,
    Failed,
    after_send,
    backoff_s,
)
from app.people.person import ContactMethod, Person, Urgency, steps

NOW = 1_767_571_200_000_000


@pytest.mark.parametrize("outcome", [Delivered("r"), Accepted()])
def test_what_was_taken_is_done(outcome: Delivered | Accepted) -> None:
    assert after_send(outcome, 1, NOW, 0.5) == Done()


def test_what_was_refused_is_never_sent_again() -> None:
    assert after_send(Refused("wrong number"), 1, NOW, 0.5) == Failed("wrong number")


def test_a_provider_in_trouble_is_tried_again_with_growing_pauses_then_ever_more_rarely_and_given_up_after_a_day() -> (
    None
):
    pauses = []
    for tries in range(1, MAX_TRIES):
        following = after_send(TryAgain("503"), tries, NOW, 1.0)
        assert isinstance(following, Again)
        assert following.beside
        pauses.append((following.at - NOW) // SECOND)
    assert pauses == [2, 4, 8, 16, 32]
    for tries in range(MAX_TRIES, LAST_TRY):
        following = after_send(TryAgain("503"), tries, NOW, 1.0)
        assert isinstance(following, Blocked)
        pauses.append((following.at - NOW) // SECOND)
    assert pauses[5:10] == [64, 128, 256, 512, 900]
    assert sum(pauses) > 24 * 3_600
    assert isinstance(after_send(TryAgain("503"), LAST_TRY, NOW, 1.0), Failed)


def test_retry_after_is_kept_but_not_without_end() -> None:
    asked = after_send(TryAgain("429", after_s=90), 1, NOW, 0.0)
    assert isinstance(asked, Again)
    assert asked.at == NOW + 90 * SECOND
    endless = after_send(TryAgain("429", after_s=86_400), 1, NOW, 0.0)
    assert isinstance(endless, Again)
    assert endless.at == NOW + LONGEST_ASKED_S * SECOND


def test_no_answer_is_tried_again_a_few_times_only() -> None:
    assert isinstance(after_send(Unknown("timeout"), 1, NOW, 0.0), Again)
    assert isinstance(after_send(Unknown("timeout"), MAX_UNKNOWN_TRIES, NOW, 0.0), Failed)


@given(st.integers(1, 60), st.floats(0, 1, exclude_max=True))
def test_a_pause_is_at_least_a_second_and_at_most_a_minute(tries: int, chance: float) -> None:
    assert 1.0 <= backoff_s(tries, chance) <= 60.0


PUSH = ContactMethod(id="1", kind="ntfy", label="push")
SMS = ContactMethod(id="2", kind="webhook", label="sms")
OFF = ContactMethod(id="3", kind="email", label="mail", enabled=False)


def person(**more: object) -> Person:
    return Person.model_validate({"name": "Ana", "contact_methods": [PUSH, SMS, OFF], **more})


def test_without_rules_the_methods_stand_in_for_each_other_in_order() -> None:
    assert [(step.method.label, step.delay_s, step.fallback) for step in steps(person(), "high")] == [
        ("push", 0, False),
        ("sms", 0, True),
    ]


def test_rules_are_followed_in_order_of_delay_and_only_for_their_urgency() -> None:
    rules = [
        {"contact_method": "sms", "delay_s": 120},
        {"contact_method": "1", "delay_s": 0},
        {"contact_method": "sms", "urgency": "low"},
        {"contact_method": "mail", "delay_s": 5},
    ]
    found = steps(person(rules=rules), "high")
    assert [(step.method.label, step.delay_s) for step in found] == [("push", 0), ("sms", 120)]


def test_a_rule_that_names_no_contact_method_of_the_person_is_refused_with_those_there_are() -> None:
    with pytest.raises(ValueError, match=r"fax.*known: .*push"):
        person(rules=[{"contact_method": "fax"}])


def test_nobody_is_told_twice_on_one_level_and_who_can_not_be_reached_is_named() -> None:
    ana = Reached(1, "Ana", "on call in Primary", person=person())
    ben = Reached(2, "Ben", "named", person=Person(name="Ben"))
    plan = plan_level([ana, ben, Reached(1, "Ana", "member of team", person=person()), Missed("gone")], "high")
    assert [(page.recipient, page.notifier, page.fallback) for page in plan.pages] == [
        ("Ana", "ntfy", False),
        ("Ana", "webhook", True),
    ]
    assert [one.reason for one in plan.missed] == ["Ben has no contact method that is enabled", "gone"]


@given(st.integers(1, 20), st.integers(0, 9))
def test_a_policy_tells_every_level_in_every_round_and_then_ends(levels: int, repeat: int) -> None:
    told, at = [], next_position(Position(0, 0), levels, repeat)
    while at is not None:
        told.append((at.round, at.level))
        at = next_position(Position(at.level + 1, at.round), levels, repeat)
    assert told == [(round_, level) for round_ in range(repeat + 1) for level in range(levels)]


NIGHTS = [{"start": "22:00", "end": "07:00"}]


def ways(found: Person, urgency: Urgency, quiet_s: int = 0) -> list[tuple[str, int, bool]]:
    plan = plan_level([Reached(1, "Ana", "named", person=found, quiet_s=quiet_s)], urgency)
    return [(page.label, page.delay_s, page.fallback) for page in plan.pages]


def test_in_quiet_hours_low_urgency_waits_until_they_end_and_high_urgency_never_does() -> None:
    quiet = person(
        quiet_hours=NIGHTS,
        rules=[{"contact_method": "push"}, {"contact_method": "sms", "urgency": "low", "delay_s": 60}],
    )
    assert ways(quiet, "low", 3_600) == [("sms", 3_660, False)]
    assert ways(quiet, "low") == [("sms", 60, False)]
    assert ways(quiet, "high", 3_600) == [("push", 0, False)]


def test_a_rule_for_quiet_hours_takes_the_place_of_waiting() -> None:
    rules = [
        {"contact_method": "push", "urgency": "low", "hours": "other"},
        {"contact_method": "sms", "urgency": "low", "hours": "quiet"},
    ]
    assert ways(person(quiet_hours=NIGHTS, rules=rules), "low", 3_600) == [("sms", 0, False)]
    assert ways(person(quiet_hours=NIGHTS, rules=rules), "low") == [("push", 0, False)]


def test_nothing_silences_high_urgency_whole() -> None:
    """Ana has a rule for the day only; at night every method she has is used."""
    rules = [{"contact_method": "push", "hours": "other"}]
    assert ways(person(quiet_hours=NIGHTS, rules=rules), "high", 3_600) == [("push", 0, False), ("sms", 0, True)]


def test_hours_without_quiet_hours_are_refused() -> None:
    with pytest.raises(ValueError, match="no meaning without `quiet_hours`"):
        person(rules=[{"contact_method": "push", "hours": "quiet"}])


def test_quiet_hours_that_never_end_are_none() -> None:
    always = person(quiet_hours=[{"start": "00:00", "end": "00:00"}])
    assert quiet_left_s(always, NOW) == 0
    assert quiet_left_s(person(quiet_hours=[{"start": "00:00", "end": "06:00"}]), NOW) == 6 * 3_600


def team(*members: Reached | Missed) -> InTurn:
    return InTurn(9, "Shop", members)


def test_of_a_team_the_first_who_can_be_told_has_the_turn() -> None:
    ana, ben = Reached(1, "Ana", "turn", person=Person(name="Ana")), Reached(2, "Ben", "turn", person=person())
    cleo = Reached(3, "Cleo", "turn", person=person())
    plan = plan_level([team(ana, ben, cleo)], "high")
    assert (plan.people, plan.turns) == ({2: "Ben"}, ((9, 2),))
    assert [one.reason for one in plan.missed] == ["Ana has no contact method that is enabled"]
    beside = plan_level([ben, team(ben, cleo)], "high")
    assert (list(beside.people), beside.turns) == ([2, 3], ((9, 3),)), "who is told anyway keeps their turn"
    assert plan_level([ben, team(ben)], "high").missed == ()
    nobody = plan_level([team(ana)], "high")
    assert (nobody.turns, nobody.missed[-1].reason) == ((), "nobody of team Shop can be told")


def test_who_has_acknowledged_is_not_told_again() -> None:
    ana, ben = Reached(1, "Ana", "named", person=person()), Reached(2, "Ben", "named", person=person())
    plan = plan_level([ana, ben], "high", have={1})
    assert (list(plan.people), [one.reason for one in plan.missed]) == ([2], ["Ana has acknowledged already"])


@pytest.mark.parametrize(
    ("target", "says"),
    [
        ({"kind": "person", "id": "1", "pick": "next"}, "teams only"),
        ({"kind": "team", "id": "1", "role": "secondary"}, "schedules only"),
    ],
)
def test_a_target_asks_only_for_what_its_kind_has(target: dict[str, str], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        Level.model_validate({"targets": [target]})


def test_a_channel_alone_can_not_acknowledge_for_all() -> None:
    with pytest.raises(ValueError, match="a channel can't acknowledge"):
        Level.model_validate({"targets": [{"kind": "channel", "id": "1"}], "ack": "all"})


def test_people_it_was_given_to_come_before_the_policy_and_nothing_waits() -> None:
    policy = Policy.model_validate(
        {"name": "Usual", "levels": [{"targets": [{"kind": "person", "id": "1"}], "delay_s": 60}]}
    )
    given = given_to(Rules(policy, 5, 2, waits_until=NOW), {"people": ["7", "8"], "by": "Ben"})
    assert given.policy is not None
    assert [[target.id for target in level.targets] for level in given.policy.levels] == [["7", "8"], ["1"]]
    assert (given.waits_until, given.given_by, given.policy.levels[0].delay_s) == (None, "Ben", 60)
    alone = given_to(Rules(None), {"people": ["7"]}).policy
    assert alone is not None
    assert len(alone.levels) == 1
    assert given_to(Rules(policy, waits_until=NOW), {"by": "Ben"}).waits_until is None
    assert given_to(Rules(policy, waits_until=NOW), {}).waits_until == NOW

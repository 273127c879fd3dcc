"""By which way a notice goes next, and which way it surely arrived by."""

from __future__ import annotations

from dataclasses import asdict

import pytest

from app.notifiers.notifier import Accepted, Delivered, Outcome, Refused, TryAgain, Unknown
from app.paging.retry import after_send
from app.paging.ways import (
    INTERRUPTED,
    Way,
    Ways,
    after_try,
    as_now,
    how_it_went,
    methods_of,
    next_way,
    read_ways,
    surely_by,
)
from app.people.person import ContactMethod, NotificationRule, Person

PHONE = ContactMethod(id="1", kind="ntfy", label="phone", address={"topic": "a"})
MAIL = ContactMethod(id="2", kind="email", label="mail", address={"to": "a@x.test"})
CHAT = ContactMethod(id="3", kind="slack", address={"url": "https://x.test"}, enabled=False)
ANA = Person(name="Ana", contact_methods=(PHONE, MAIL, CHAT))


def after(*outcomes: Outcome, methods: tuple[ContactMethod, ...] = (PHONE, MAIL)) -> Ways:
    """The ways after tries that went so, one after the other."""
    used: Ways = ()
    for outcome in outcomes:
        used, method = next_way(as_now(used, methods), methods)
        assert method is not None
        used = after_try(used, outcome, after_send(outcome, used[-1].tries, 0, 0.5))
    return used


def told(used: Ways) -> list[tuple[str, str, int]]:
    return [(way.label, way.state, way.tries) for way in used]


@pytest.mark.parametrize(
    ("outcomes", "expected"),
    [
        ([Delivered()], [("phone", "sent", 1)]),
        ([Refused("gone")], [("phone", "failed", 1)]),
        ([Refused("gone"), Accepted()], [("phone", "failed", 1), ("mail", "sent", 1)]),
        ([TryAgain("busy"), Accepted()], [("phone", "sent", 2)]),
        ([TryAgain("busy")] * 6 + [Accepted()], [("phone", "failed", 6), ("mail", "sent", 1)]),
        ([Unknown("hm")] * 3 + [Accepted()], [("phone", "failed", 3), ("mail", "sent", 1)]),
        ([Refused("a"), Refused("b")], [("phone", "failed", 1), ("mail", "failed", 1)]),
    ],
)
def test_one_way_is_used_until_it_has_failed_and_then_the_next(
    outcomes: list[Outcome], expected: list[tuple[str, str, int]]
) -> None:
    assert told(after(*outcomes)) == expected


def test_when_every_way_has_failed_there_is_none_left_and_each_says_why() -> None:
    used = after(Refused("no such topic"), Refused("no such mailbox"))
    assert next_way(as_now(used, (PHONE, MAIL)), (PHONE, MAIL))[1] is None
    assert how_it_went(used) == "phone: no such topic; mail: no such mailbox"


@pytest.mark.parametrize(
    ("outcomes", "expected"),
    [
        ([Accepted()], "1"),
        ([Refused("gone"), Delivered()], "2"),
        ([TryAgain("busy")] * 6 + [Accepted()], "2"),
        ([Unknown("hm"), Accepted()], "1"),
        ([Unknown("hm")] * 3 + [Accepted()], None),
        ([Unknown("hm"), Refused("gone"), Accepted()], None),
        ([Refused("a"), Refused("b")], None),
        ([], None),
    ],
)
def test_only_a_way_without_a_rival_counts_as_the_one_it_arrived_by(
    outcomes: list[Outcome], expected: str | None
) -> None:
    """Who answers proves that they read at one place; where two are possible, at none of them."""
    way = surely_by(after(*outcomes))
    assert (way.method if way else None) == expected


def test_a_try_that_never_came_back_is_unknown_and_made_again_by_the_same_way() -> None:
    used, _ = next_way((), (PHONE, MAIL))
    (known,) = as_now(used, (PHONE, MAIL))
    assert (known.outcome, known.detail, known.perhaps) == ("unknown", INTERRUPTED, True)
    used, method = next_way((known,), (PHONE, MAIL))
    assert (method, told(used)) == (PHONE, [("phone", "trying", 2)])


@pytest.mark.parametrize("methods", [(MAIL,), (PHONE.model_copy(update={"address": {"topic": "b"}}), MAIL)])
def test_a_way_that_was_removed_or_changed_meanwhile_has_failed(methods: tuple[ContactMethod, ...]) -> None:
    """The new address of a contact method is a way of its own."""
    used = as_now(after(TryAgain("busy")), methods)
    assert told(used) == [("phone", "failed", 1)]
    assert "busy; it was changed or removed since" in used[0].detail
    assert next_way(used, methods)[1] == methods[0]


def test_methods_follow_the_rules_of_the_urgency_and_only_one_may_be_asked_for() -> None:
    ruled = ANA.model_copy(
        update={
            "rules": (
                NotificationRule(contact_method="mail", delay_s=60),
                NotificationRule(contact_method="phone"),
                NotificationRule(contact_method="mail", delay_s=120),
            )
        }
    )
    assert methods_of(ruled, "high", None) == (PHONE, MAIL)
    assert methods_of(ruled, "low", None) == (PHONE, MAIL)
    assert methods_of(ANA, "high", "2") == (MAIL,)
    assert methods_of(ANA, "high", "3") == (CHAT,)
    assert methods_of(ANA, "high", "9") == ()


def test_ways_are_stored_and_read_back_as_they_are() -> None:
    used = after(Unknown("hm"), Refused("gone"), Accepted())
    assert read_ways([asdict(way) for way in used]) == used
    assert all(isinstance(way, Way) for way in used)

"""Opsgenie's search language: what is meant, what is refused, and that nothing makes it run away."""

from __future__ import annotations

import random

import pytest

from app.api.wire.opsgenie_alerts import ACTIONS, request_id, request_of
from app.api.wire.opsgenie_query import BadQuery, parse

ALERT = {
    "id": "8012345678901234",
    "tinyId": "17",
    "alias": "db-2/lag",
    "message": "Replication lag of db-2",
    "description": "behind by 900 s",
    "status": "open",
    "acknowledged": False,
    "isSeen": False,
    "snoozed": False,
    "tags": ["db", "Team:Storage"],
    "count": 3,
    "createdAt": "2026-07-25T17:20:00.000Z",
    "source": "prometheus",
    "entity": "db-2",
    "owner": "",
    "priority": "P2",
    "responders": [{"type": "team", "id": "NOC", "name": "NOC"}],
    "integration": {"id": "1", "name": "from Opsgenie", "type": "API"},
    "actions": [],
    "details": {"Region": "eu"},
}


@pytest.mark.parametrize(
    "query",
    [
        "",
        "*",
        "status: open",
        "status:open",
        "Status = OPEN",
        'message: "replication lag"',
        "message: repl*",
        "message: la*",
        "lag",
        "LAG AND prometheus",
        "lag prometheus",
        '"db-2"',
        "tag: db",
        "tags: team:storage OR nothing",
        'tag: "team:storage"',
        "NOT status: closed",
        "status: (closed OR open)",
        "(status: closed OR priority: P2) AND NOT tag: web",
        "priority: P1 OR priority: P2 AND count >= 3",
        "count: 3",
        "count > 2 AND count < 4",
        "createdAt > 1784999999000 AND createdAt <= 1785000000000",
        "createdAt >= 2026-07-25T17:20:00Z",
        "createdAt: > 1784999999000",
        "alias: db-2*",
        "alias: db-2/lag",
        "responders: noc",
        "teams: NOC",
        'integration.name: "from Opsgenie"',
        "details.Region: eu",
        "acknowledged: false",
        "tinyId: 17",
        "status: open owner:NULL",
        "NOT responders: null",
        "alias: db* actions = NULL",
        "createdAt>24-07-2026",
        "createdAt < 25-07-2026T18:00:00Z",
    ],
)
def test_these_mean_the_alert(query: str) -> None:
    assert parse(query)(ALERT)


@pytest.mark.parametrize(
    "query",
    [
        "status: closed",
        "message: backup",
        "message: eplication*",
        "tag: d",
        "alias: db-2",
        "NOT lag",
        "lag AND web",
        "status: open priority: P1",
        "createdAt < 1784999999000",
        "count > 3",
        "details.Region: us",
        "details.none: eu",
        "owner: bo",
        'owner: "NULL"',
        "tags: NULL",
        "createdAt > 26-07-2026",
        "AND",
    ],
)
def test_these_do_not(query: str) -> None:
    assert not parse(query)(ALERT)


@pytest.mark.parametrize(
    ("query", "why"),
    [
        ("beauty: high", "is no field"),
        ("(status: open", "closing bracket"),
        ("status: open)", "was not expected"),
        ("status:", "needs a value"),
        ("status: open AND", "ends too early"),
        ("count > many", "needs a number"),
        ("(" * 60 + "a" + ")" * 60, "nested"),
        ("NOT " * 60 + "a", "nested"),
        ("a" * 1_001, "1000 characters"),
        ('"open', "nothing is known"),
        (": open", "was expected"),
    ],
)
def test_what_can_not_be_meant_is_refused_with_the_reason(query: str, why: str) -> None:
    with pytest.raises(BadQuery, match=why):
        parse(query)


def test_nothing_else_is_ever_raised() -> None:
    pieces = (
        "status",
        "lag",
        ":",
        "=",
        "(",
        ")",
        "AND",
        "OR",
        "NOT",
        '"',
        '"a b"',
        "*",
        "<",
        ">=",
        "\\",
        " ",
        "é",
        "7",
        "details.x",
    )
    chance = random.Random(7)
    for _ in range(3_000):
        query = chance.choice(("", " ")).join(chance.choices(pieces, k=chance.randrange(1, 12)))
        try:
            parse(query)(ALERT)
        except BadQuery:
            continue


def test_a_request_is_read_back_from_its_own_id() -> None:
    digest = bytes(range(16))
    for place, (action, status) in enumerate(ACTIONS):
        asked = request_of(request_id(digest, action, 1_785_000_000_123_456))  # type: ignore[arg-type]
        assert asked is not None
        assert (asked.digest, asked.action, asked.status, place) == (digest, action, status, place)
        assert asked.at == 1_785_000_000_123_000
    for text in ("", "43a29c5c-3dbf-4fa4-9c26-f4f71023e120", request_id(digest, "Create", 0)[:-2] + "99", "x" * 52):
        assert request_of(text) is None

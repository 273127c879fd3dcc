"""Which code proves a contact method: a table over the pure decision."""

from __future__ import annotations

from dataclasses import replace

import pytest

from app.people.contacts import MAX_TRIES, Check, Verdict, address_digest, code_digest, judged
from app.people.person import ContactMethod

PHONE = ContactMethod(id="1", kind="ntfy", label="phone", address={"topic": "ana", "token": None})
RIGHT = code_digest("secret", 7, "1", "123456")
CHECK = Check(address_digest(PHONE), RIGHT, 1_000, 0, None, "")


@pytest.mark.parametrize(
    ("check", "said", "now", "expected"),
    [
        (CHECK, "123456", 999, "verified"),
        (CHECK, "123457", 999, "wrong"),
        (CHECK, "123456", 1_000, "no_code"),
        (None, "123456", 0, "no_code"),
        (replace(CHECK, code=None), "123456", 0, "no_code"),
        (replace(CHECK, tries=MAX_TRIES - 1), "123456", 0, "verified"),
        (replace(CHECK, tries=MAX_TRIES - 1), "123457", 0, "spent"),
        (replace(CHECK, tries=MAX_TRIES), "123456", 0, "spent"),
        (replace(CHECK, address=b"x" * 16), "123456", 0, "changed"),
        (replace(CHECK, verified_at=1), "123456", 0, "verified"),
    ],
)
def test_a_code_is_judged(check: Check | None, said: str, now: int, expected: Verdict) -> None:
    assert judged(check, address_digest(PHONE), code_digest("secret", 7, "1", said), now) == expected


def test_a_code_is_good_for_one_person_one_method_and_one_installation() -> None:
    others = [
        code_digest("other", 7, "1", "123456"),
        code_digest("secret", 8, "1", "123456"),
        code_digest("secret", 7, "2", "123456"),
    ]
    assert len({RIGHT, *others}) == 4


@pytest.mark.parametrize(
    ("changed", "same"),
    [
        ({"label": "other"}, True),
        ({"enabled": False}, True),
        ({"address": {"topic": "ana"}}, True),
        ({"address": {"token": None, "topic": "ana"}}, True),
        ({"address": {"topic": "ben"}}, False),
        ({"address": {"topic": "ana", "token": "tk_x"}}, False),
        ({"kind": "webhook"}, False),
    ],
)
def test_only_kind_and_address_are_what_is_checked(changed: dict, same: bool) -> None:
    assert (address_digest(PHONE.model_copy(update=changed)) == address_digest(PHONE)) is same

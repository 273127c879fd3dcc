"""Which pages go to a person one by one: never more than the limit, and never all of it for one service."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.clock import MINUTE, SECOND, Micros
from app.paging.storm import Allowance, Heard, alone, bundle_due

NOW: Micros = 1_767_571_200_000_000
TEN = Allowance(10, 600)


@pytest.mark.parametrize(
    ("heard", "first", "goes"),
    [
        ({}, True, True),
        ({}, False, True),
        ({1: 7}, True, True),
        ({1: 7}, False, True),
        ({1: 8}, True, False),
        ({1: 8}, False, False),
        ({2: 8}, True, True),
        ({2: 8}, False, False),
        ({2: 8, 1: 1}, True, True),
        ({2: 8, 1: 2}, True, False),
        ({2: 10}, True, False),
    ],
)
def test_a_page_of_service_1_when_a_person_was_told_so_much_of_each(
    heard: dict[int | None, int], first: bool, goes: bool
) -> None:
    assert alone(Heard(heard), 1, first=first, allowance=TEN) is goes


@given(
    st.integers(1, 40),
    st.lists(st.tuples(st.sampled_from([1, 2, 3, None]), st.booleans()), max_size=120),
)
def test_never_more_than_the_limit_and_a_storm_leaves_something_to_others(
    limit: int, pages: list[tuple[int | None, bool]]
) -> None:
    heard, allowance = Heard(), Allowance(limit, 600)
    for service, first in pages:
        if alone(heard, service, first=first, allowance=allowance):
            heard = heard.and_one(service)
    assert heard.pages <= limit
    assert max(heard.by_service.values(), default=0) <= limit - limit // 4
    if limit >= 4 and len(heard.by_service) == 1:
        assert alone(heard, 99, first=True, allowance=allowance), "the first page of another service goes by itself"


def test_a_limit_of_nothing_is_no_limit() -> None:
    assert alone(Heard({1: 1_000}), 1, first=False, allowance=Allowance(0, 600))


def test_a_bundle_waits_for_more_and_comes_at_most_once_a_minute() -> None:
    assert bundle_due(NOW, None) == NOW + 10 * SECOND
    assert bundle_due(NOW, NOW - 10 * SECOND) == NOW + 50 * SECOND
    assert bundle_due(NOW, NOW - 10 * MINUTE) == NOW + 10 * SECOND

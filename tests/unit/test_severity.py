"""The words for severity."""

from __future__ import annotations

import pytest

from app.sources.severity import DATADOG, RANK, UNKNOWN, WORDS, ZABBIX, lookup


@pytest.mark.parametrize(
    ("severity", "words"),
    [
        ("critical", "critical crit severe emergency page disaster Sev0 Sev1 P1 fatal"),
        ("error", "error high Sev2 P2 major"),
        ("warning", "warning warn medium average Sev3 P3"),
        ("info", "info information informational ok normal low Sev4 P4 P5"),
        ("none", "none"),
    ],
)
def test_each_word_that_senders_use_is_known_in_any_case(severity, words):
    for word in words.split():
        for written in (word, word.upper(), word.capitalize(), f" {word.lower()} "):
            assert lookup(written) == severity


def test_not_classified_is_a_warning():
    assert lookup("Not classified") == "warning"


@pytest.mark.parametrize("word", ["purple", "", " ", "1", "5", "critical!", "\x00"])
def test_other_words_and_bare_numbers_are_unknown_and_the_unknown_is_an_error(word):
    assert lookup(word) is None
    assert UNKNOWN == "error"


def test_zabbix_counts_upwards():
    found = [lookup(str(number), ZABBIX) for number in range(6)]
    assert found == ["warning", "info", "warning", "warning", "error", "critical"]
    assert lookup("6", ZABBIX) is None


def test_datadog_knows_priorities_and_types_and_not_the_priority_of_an_event():
    assert [lookup(word, DATADOG) for word in ("P1", "p5", "error", "warning", "info")] == [
        "critical",
        "info",
        "error",
        "warning",
        "info",
    ]
    assert [lookup(word, DATADOG) for word in ("normal", "low", "success", "user_update")] == [None] * 4


def test_every_word_has_a_rank_and_is_written_as_it_is_looked_up():
    for table in (WORDS, ZABBIX, DATADOG):
        assert set(table.values()) <= set(RANK)
        assert all(word == word.strip().lower() for word in table)

"""A link opens what it was made for, until its end, and nothing that was not made here opens anything."""

from __future__ import annotations

import random
import string
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.clock import HOUR, SECOND
from app.paging import links
from app.paging.links import ACTIONS, Expired, Forged, Link

NOW = 1_767_571_200 * SECOND + 123_456
SECRET = "a-secret-of-this-test-and-nothing-else"
ALPHABET = string.ascii_letters + string.digits + "-_"
ANA = Link(
    "acknowledge",
    269_845_684_231_847_936,
    42,
    "Ana Ortega",
    269_845_684_231_847_937,
    NOW // SECOND * SECOND + 24 * HOUR,
)

IDS = st.integers(1, 2**63 - 1)
LINKS = st.builds(
    Link,
    action=st.sampled_from(ACTIONS),
    incident_id=IDS,
    number=st.integers(1, 2**32 - 1),
    recipient=st.text(st.characters(exclude_categories=["Cs"]), max_size=200),
    person_id=st.none() | IDS,
    expires_at=st.integers(NOW // SECOND + 1, 2**32 - 1).map(lambda at: at * SECOND),
    epoch=st.integers(0, 2**32 - 1),
)


def test_a_made_link_says_what_it_was_made_for_and_ends_after_its_hours() -> None:
    token = links.make(
        SECRET,
        incident_id=ANA.incident_id,
        number=42,
        recipient="Ana Ortega",
        person_id=ANA.person_id,
        action="acknowledge",
        now=NOW,
        hours=24,
    )
    assert links.read(SECRET, token, NOW) == ANA


@given(LINKS)
def test_what_is_read_is_what_was_written_and_writing_it_again_gives_the_same_token(link: Link) -> None:
    token = links.write(SECRET, link)
    assert links.read(SECRET, token, NOW) == link
    assert links.write(SECRET, links.read(SECRET, token, NOW)) == token


@given(LINKS)
def test_a_token_needs_no_quoting_ends_in_a_letter_and_is_never_longer_than_what_is_looked_at(link: Link) -> None:
    token = links.write(SECRET, link)
    assert quote(token, safe="") == token
    assert token[-1].isalpha()
    assert len(token) <= links.MAX_TOKEN


def test_the_longest_name_a_person_can_have_fits() -> None:
    token = links.write(SECRET, Link("snooze", 2**63 - 1, 2**32 - 1, "\U0001f6a8" * 200, 2**63 - 1, ANA.expires_at))
    assert links.read(SECRET, token, NOW).recipient == "\U0001f6a8" * 200


def test_a_link_for_a_short_name_fits_into_an_sms_with_room_for_words() -> None:
    assert len(links.write(SECRET, ANA)) <= 76


def test_changing_cutting_or_adding_any_character_closes_a_link() -> None:
    token = links.write(SECRET, ANA)
    changed = [
        token[:place] + other + token[place + 1 :]
        for place in range(len(token))
        for other in ALPHABET + ".=~ \n\x00é"
        if other != token[place]
    ]
    cut = [token[:end] for end in range(len(token))] + [token[start:] for start in range(1, len(token))]
    longer = [token + more for more in ("A", ".", "=", "==", "\n", " ", "/", ".A")] + ["A" + token, " " + token]
    for other in changed + cut + longer:
        with pytest.raises(Forged):
            links.read(SECRET, other, NOW)


def test_a_link_signed_with_another_secret_opens_nothing() -> None:
    with pytest.raises(Forged):
        links.read(SECRET + "x", links.write(SECRET, ANA), NOW)


def test_a_link_never_works_for_another_incident_person_action_or_end() -> None:
    """The signature of one is of no use on the content of another."""
    signature = links.write(SECRET, ANA).rpartition(".")[2]
    others = [
        Link("resolve", ANA.incident_id, 42, "Ana Ortega", ANA.person_id, ANA.expires_at),
        Link("acknowledge", ANA.incident_id + 1, 42, "Ana Ortega", ANA.person_id, ANA.expires_at),
        Link("acknowledge", ANA.incident_id, 43, "Ana Ortega", ANA.person_id, ANA.expires_at),
        Link("acknowledge", ANA.incident_id, 42, "Ben", ANA.person_id, ANA.expires_at),
        Link("acknowledge", ANA.incident_id, 42, "Ana Ortega", 1, ANA.expires_at),
        Link("acknowledge", ANA.incident_id, 42, "Ana Ortega", ANA.person_id, ANA.expires_at + SECOND),
        Link("acknowledge", ANA.incident_id, 42, "Ana Ortega", ANA.person_id, ANA.expires_at, epoch=1),
    ]
    for other in others:
        value = links.write(SECRET, other).rpartition(".")[0]
        with pytest.raises(Forged):
            links.read(SECRET, f"{value}.{signature}", NOW)


def test_a_link_works_until_its_last_moment_and_not_a_microsecond_longer() -> None:
    token = links.write(SECRET, ANA)
    assert links.read(SECRET, token, ANA.expires_at - 1) == ANA
    with pytest.raises(Expired):
        links.read(SECRET, token, ANA.expires_at)


def test_a_forged_link_is_forged_even_when_its_time_is_over() -> None:
    """Nobody learns from the answer whether a token was ever ours."""
    with pytest.raises(Forged):
        links.read(SECRET, links.write("another", ANA), ANA.expires_at + HOUR)


def test_100_000_forged_tokens_open_nothing() -> None:
    chance = random.Random(33)
    token = links.write(SECRET, ANA)
    value = token.rpartition(".")[0]
    opened = 0
    for _ in range(50_000):
        guessed = "".join(chance.choices(ALPHABET, k=21)) + chance.choice("AQgw")
        shuffled = "".join(chance.choices(ALPHABET, k=chance.randrange(0, 90)))
        for forged in (f"{value}.{guessed}", f"{shuffled}.{guessed}"):
            try:
                links.read(SECRET, forged, NOW)
            except Forged:
                continue
            opened += 1
    assert opened == 0


@pytest.mark.parametrize("junk", ["", ".", "..", "a.b", "\x00.\x00", "é.é", "A" * 100_000, "." * 100_000, "\ud800.A"])
def test_whatever_comes_as_a_token_is_forged_and_nothing_worse(junk: str) -> None:
    with pytest.raises(Forged):
        links.read(SECRET, junk, NOW)


def test_the_links_beside_a_link_have_its_incident_person_and_end() -> None:
    beside = links.read(SECRET, links.beside(SECRET, ANA, "resolve", epoch=7), NOW)
    assert beside == Link("resolve", ANA.incident_id, 42, "Ana Ortega", ANA.person_id, ANA.expires_at, 7)
    assert links.beside(SECRET, beside, "acknowledge") == links.write(SECRET, ANA)


def test_without_a_secret_nothing_is_signed() -> None:
    with pytest.raises(ValueError, match="secret"):
        links.write("", ANA)


def test_a_channels_link_does_not_pass_for_a_person() -> None:
    assert ANA.actor == "Ana Ortega"
    assert Link("acknowledge", 1, 1, "ops", None, NOW).actor == "someone via ops"

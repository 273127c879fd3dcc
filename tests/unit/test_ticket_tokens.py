"""A ticket opens what it was made for, until its end, and nothing that was not made here opens anything."""

from __future__ import annotations

import random
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.clock import HOUR, SECOND
from app.paging import links
from app.paging.tokens import Expired, Forged, LinkError
from app.rota import tickets
from app.rota.tickets import MAX_TOKEN, PURPOSES, Door, Ticket

NOW = 1_767_571_200 * SECOND + 123_456
SECRET = "a-secret-of-this-test-and-nothing-else"
ALPHABET = string.ascii_letters + string.digits + "-_"
ANA = Ticket("swap", 269_845_684_231_847_936, 269_845_684_231_847_937, NOW // SECOND * SECOND + 24 * HOUR)
IDS = st.integers(1, 2**63 - 1)
TICKETS = st.builds(
    Ticket,
    purpose=st.sampled_from(PURPOSES),
    subject=IDS,
    person_id=IDS,
    expires_at=st.integers(NOW // SECOND + 1, 2**32 - 1).map(lambda at: at * SECOND),
)


def made(**more: int) -> str:
    facts = {"subject": ANA.subject, "person_id": ANA.person_id, "hours": 24} | more
    return tickets.make(SECRET, purpose="swap", now=NOW, **facts)


def test_a_made_ticket_says_what_it_was_made_for_and_ends_after_its_hours() -> None:
    assert tickets.read(SECRET, made(), NOW) == ANA
    assert tickets.read(SECRET, made(), ANA.expires_at - 1) == ANA
    with pytest.raises(Expired):
        tickets.read(SECRET, made(), ANA.expires_at)


@given(TICKETS)
def test_what_is_read_is_what_was_written_and_writing_it_again_gives_the_same_token(ticket: Ticket) -> None:
    token = tickets.write(SECRET, ticket)
    assert tickets.read(SECRET, token, NOW) == ticket
    assert tickets.write(SECRET, tickets.read(SECRET, token, NOW)) == token
    assert len(token) < MAX_TOKEN
    assert token[-1] in string.ascii_letters


def test_no_changed_character_opens_anything() -> None:
    token = made()
    for place, character in enumerate(token):
        for other in ALPHABET + "=":
            if other != character:
                with pytest.raises(Forged):
                    tickets.read(SECRET, token[:place] + other + token[place + 1 :], NOW)


def test_no_cut_lengthened_or_differently_spelt_token_opens_anything() -> None:
    token = made()
    value, _, signature = token.rpartition(".")
    others = [token[:-1], token + "A", token + "=", f"{value}=.{signature}", f"{value}.{signature}==", token.upper()]
    others += [token.replace(".", ".."), " " + token, token + "\n", "", ".", value, "." + signature, "é" + token]
    others += [token * 2, "x" * 100_000]
    for other in others:
        with pytest.raises(Forged):
            tickets.read(SECRET, other, NOW)


def test_no_random_token_opens_anything() -> None:
    chance = random.Random(7)
    length = len(made())
    for _ in range(20_000):
        token = "".join(chance.choices(ALPHABET, k=length - 23)) + "." + "".join(chance.choices(ALPHABET, k=22))
        with pytest.raises(Forged):
            tickets.read(SECRET, token, NOW)


def test_another_installations_ticket_opens_nothing() -> None:
    with pytest.raises(Forged):
        tickets.read("another-secret", made(), NOW)


def test_a_link_of_a_page_is_no_ticket_and_a_ticket_is_no_link() -> None:
    """They are signed apart, so that nobody can pass off the one as the other."""
    link = links.make(
        SECRET, incident_id=1, number=1, recipient="", person_id=2, action="acknowledge", now=NOW, hours=1
    )
    with pytest.raises(LinkError):
        tickets.read(SECRET, link, NOW)
    with pytest.raises(LinkError):
        links.read(SECRET, made(), NOW)


def test_there_is_no_ticket_without_a_secret() -> None:
    with pytest.raises(ValueError, match="secret"):
        tickets.write("", ANA)


def test_an_address_is_short_enough_for_an_sms() -> None:
    address = Door(SECRET, "https://tocsin.example.com").address(made())
    assert address.startswith("https://tocsin.example.com/t/")
    assert len(address) <= 90

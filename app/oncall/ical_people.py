"""Whose an event of a calendar is: by address, by the texts that were mapped, by names. Pure.

Nobody is guessed: an address or a name that two people share finds neither, and a name counts only as whole words. Must
never know how an event is written in a file.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from app.ids import PersonId

MAX_WORDS = 12
"""Of a text that is looked for."""
MAX_READ = 2_000
"""Characters of an event's title that are looked through."""
_WORD = re.compile(r"\w+")
_ADDRESS = re.compile(r"[^\s<>()\[\]\",;:]+@[^\s<>()\[\]\",;:]+")

Words = tuple[str, ...]
K = TypeVar("K")


def words(text: str) -> Words:
    """The words of a text, the same for every way of writing them."""
    return tuple(_WORD.findall(unicodedata.normalize("NFKC", text).casefold()))


@dataclass(frozen=True, slots=True)
class Match:
    """Who can be found, and by what. Build with `Match.of`."""

    ids: frozenset[PersonId] = frozenset()
    emails: Mapping[str, PersonId] = field(default_factory=dict)
    texts: Mapping[Words, PersonId] = field(default_factory=dict)
    names: Mapping[Words, PersonId] = field(default_factory=dict)
    everything: PersonId | None = None
    """Whose the whole calendar is: every event in which no text of `texts` stands is theirs."""
    organizers: bool = False
    """Whether whoever made an event is taken for its owner when nobody else is found: so in a calendar of leave, where
    each person writes their own, never in one of shifts, which one person often writes for all."""

    @classmethod
    def of(
        cls,
        people: Iterable[tuple[PersonId, str, str]],
        texts: Mapping[str, PersonId] | None = None,
        everything: PersonId | None = None,
        *,
        organizers: bool = False,
    ) -> Match:
        """`people`: id, name and e-mail address of each; `texts`: what stands in an event, and whose it is then."""
        known = tuple(people)
        return cls(
            ids=frozenset(person for person, _, _ in known),
            emails=_unshared((email.strip().casefold(), person) for person, _, email in known if email.strip()),
            texts=_unshared((words(text), person) for text, person in (texts or {}).items()),
            names=_unshared((words(name), person) for person, name, _ in known),
            everything=everything,
            organizers=organizers,
        )

    def people(
        self, title: str, attendees: Iterable[str] = (), organizer: str = "", person_id: str = ""
    ) -> tuple[PersonId, ...]:
        """Whose an event is: all of them are on call, or away. Empty: nobody known."""
        said = words(title[:MAX_READ])
        if self.everything is not None:
            return _found(said, self.texts) or (self.everything,)
        ours = int(person_id) if person_id.isascii() and person_id.isdecimal() and len(person_id) < 20 else 0
        if ours in self.ids:
            return (PersonId(ours),)
        found = (
            self._addressed(attendees)
            or _found(said, self.texts)
            or self._addressed(_ADDRESS.findall(title[:MAX_READ]))
            or _found(said, self.names)
        )
        if not found and self.organizers and _address(organizer) in self.emails:
            return (self.emails[_address(organizer)],)
        return found

    def _addressed(self, addresses: Iterable[str]) -> tuple[PersonId, ...]:
        return tuple(dict.fromkeys(self.emails[one] for one in map(_address, addresses) if one in self.emails))


def _address(said: str) -> str:
    """The address of "mailto:Ana@example.org"."""
    return said.strip().casefold().removeprefix("mailto:").strip()


def _found(said: Words, known: Mapping[Words, PersonId]) -> tuple[PersonId, ...]:
    """Everybody whose text stands in the words, the longest text first: "Ana Maria" is not also "Ana"."""
    longest = min(MAX_WORDS, max(map(len, known), default=0))
    found: dict[PersonId, None] = {}
    place = 0
    while place < len(said):
        for many in range(min(longest, len(said) - place), 0, -1):
            person = known.get(said[place : place + many])
            if person is not None:
                found[person] = None
                place += many
                break
        else:
            place += 1
    return tuple(found)


def _unshared(pairs: Iterable[tuple[K, PersonId]]) -> dict[K, PersonId]:
    """Without what stands for two different people."""
    found: dict[K, set[PersonId]] = {}
    for key, person in pairs:
        found.setdefault(key, set()).add(person)
    return {key: next(iter(people)) for key, people in found.items() if key and len(people) == 1}

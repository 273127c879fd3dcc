"""The usual way of a sender: one map a request, or a list of them, each about one problem.

A dialect says what one map means; this reads the request, keeps the good when some of a batch is broken, and lays the
remapping of the integration over it. Knows no sender.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Generic, TypeVar

from app.clock import Micros
from app.sources.decode import Document, decode
from app.sources.event import Event, Reading, Received, Unreadable
from app.sources.limits import finish, fitted
from app.sources.remapping import Places, remapped
from app.sources.source import SourceSettings

S = TypeVar("S", bound=SourceSettings)


class Dialect(Generic[S]):
    """What dialects of one map a message have in common. Implements Source."""

    kind: ClassVar[str]
    title: ClassVar[str]
    Settings: ClassVar[type[SourceSettings]] = SourceSettings
    expected: ClassVar[str]
    """What makes a body this sender's, as the end of a sentence: "`incident` was expected"."""
    places: ClassVar[Places] = Places()

    def events(self, message: dict[str, Any], settings: S, now: Micros) -> Sequence[Event] | None:
        """What one map says: nothing to open or close is an empty answer; None when it is not this sender's."""
        raise NotImplementedError

    def proven(self, received: Received, settings: S, now: Micros) -> str:
        """What is unique to a signed delivery; empty where nothing is signed. Raises Unproven."""
        return ""

    def decoded(self, received: Received) -> Document:
        """The JSON of a request. Raises Unreadable."""
        return decode(received.body)

    def read(self, received: Received, settings: S, now: Micros) -> Reading:
        """See Source.read."""
        proof = self.proven(received, settings, now)
        body, scrubbed = self.decoded(received)
        messages = body if type(body) is list else [body]
        events: list[Event] = []
        lost, remaps = 0, settings.remaps
        for message in messages:
            told = self.events(message, settings, now) if type(message) is dict and message else None
            if told is None:
                lost += 1
                continue
            for event in told:
                kept = fitted(event)
                if not kept.title:
                    kept = kept._replace(title=f"{self.title} alert")
                events.append(remapped(kept, settings, self.places, message, body) if remaps else kept)
        if lost == len(messages):
            raise Unreadable(f"This is no message of {self.title}: {self.expected}.")
        problems = [f"{lost} of {len(messages)} parts of the body are no message of {self.title}."] if lost else []
        return finish(events, problems, scrubbed=scrubbed, proof=proof)

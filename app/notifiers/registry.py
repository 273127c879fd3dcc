"""Every way to reach somebody, by kind: ours in an explicit list, others by the entry point group `tocsin.notifiers`.

And addresses between their three forms: checked, for storing (secrets in clear), for showing (secrets as `***`).
Knows no database and no person.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterable, Mapping
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Final, TextIO

from pydantic import SecretStr, ValidationError

from app.notifiers.apprise import Apprise
from app.notifiers.console import Console
from app.notifiers.email import Email
from app.notifiers.notifier import Address, Limits, Notifier
from app.notifiers.ntfy import Ntfy
from app.notifiers.pace import Pace
from app.notifiers.slack import Slack
from app.notifiers.telegram import Telegram
from app.notifiers.webhook import Webhook

GROUP: Final = "tocsin.notifiers"
HIDDEN: Final = "***"

Notifiers = Mapping[str, Notifier[Any]]


class BadAddress(Exception):
    """The document is no address of this kind. `problems` names each field and what is wrong, never a value."""

    def __init__(self, kind: str, problems: tuple[tuple[str, str], ...]) -> None:
        self.kind = kind
        self.problems = problems
        said = "; ".join(f"{field}: {problem}" if field else problem for field, problem in problems)
        super().__init__(f"{kind}: {said}")


class BadNotifier(Exception):
    """An installed package offers a notifier that can't be used; the text names it and says why."""


def build(stream: TextIO | None = None, offered: Iterable[EntryPoint] | None = None) -> Notifiers:
    """All notifiers by kind. `stream` is the console's (default: standard output); `offered` replaces the installed
    packages' entry points. Raises BadNotifier rather than starting without a channel that somebody relies on.
    """  # noqa: D205 - one sentence a thing, no summary to tell apart
    ours: tuple[Notifier[Any], ...] = (
        Console(stream or sys.stdout),
        Email(),
        Webhook(),
        Slack(),
        Ntfy(),
        Telegram(),
        Apprise(),
    )
    notifiers = {notifier.kind: notifier for notifier in ours}
    for point in entry_points(group=GROUP) if offered is None else offered:
        notifier = _load(point)
        if notifier.kind in notifiers:
            raise BadNotifier(f"{point.name} ({point.value}): the kind {notifier.kind!r} exists already")
        notifiers[notifier.kind] = notifier
    return notifiers


def _load(point: EntryPoint) -> Notifier[Any]:
    """The notifier of another package: its class, or an instance of it."""
    name = f"{point.name} ({point.value})"
    try:
        found = point.load()
        notifier = found() if isinstance(found, type) else found
    except (ImportError, AttributeError, TypeError) as error:
        raise BadNotifier(f"{name} can't be loaded: {error}") from error
    address = getattr(notifier, "Address", None)
    fits = (
        isinstance(getattr(notifier, "kind", None), str)
        and isinstance(getattr(notifier, "title", None), str)
        and isinstance(getattr(notifier, "limits", None), Limits)
        and isinstance(address, type)
        and issubclass(address, Address)
        and inspect.iscoroutinefunction(getattr(notifier, "send", None))
    )
    if not fits:
        raise BadNotifier(f"{name} is no notifier: it needs kind, title, limits, Address and async send")
    return notifier  # type: ignore[no-any-return] # checked above as far as an object can be


def parse_address(notifiers: Notifiers, kind: str, document: Mapping[str, Any]) -> Address:
    """The checked address. Raises BadAddress, also for a kind that is not there."""
    notifier = notifiers.get(kind)
    if notifier is None:
        raise BadAddress(kind, (("", f"no such kind; there are {', '.join(sorted(notifiers))}"),))
    try:
        return notifier.Address.model_validate(dict(document))
    except ValidationError as error:
        found = error.errors(include_url=False, include_context=False, include_input=False)
        problems = tuple((".".join(map(str, one["loc"])), one["msg"].removeprefix("Value error, ")) for one in found)
    raise BadAddress(kind, problems)


def pace_of(notifier: Notifier[Any]) -> Pace:
    """How fast its provider may be called, where the notifier knows."""
    pace = getattr(notifier, "pace", None)
    return pace if isinstance(pace, Pace) else Pace()


def provider_of(notifier: Notifier[Any], address: Address) -> str:
    """Which of the notifier's providers the address leads to, by its host; empty where there is only one.

    A notifier that has several says so by a method `provider(address)`. The answer is shown to people.
    """
    named = getattr(notifier, "provider", None)
    return str(named(address)) if named is not None else ""


def stored_document(address: Address) -> dict[str, Any]:
    """The address as JSON values, secrets in clear: for the store only. `parse_address` reads it back."""
    return _values(address, hidden=False)


def public_address(address: Address) -> dict[str, Any]:
    """The address as JSON values, each secret as `***`: for people and logs."""
    return _values(address, hidden=True)


def _values(address: Address, *, hidden: bool) -> dict[str, Any]:
    """JSON values of every field; pydantic's own JSON mode would hide the secrets for good."""
    shown = address.model_dump(mode="json")
    for field in type(address).model_fields:
        value = getattr(address, field)
        if isinstance(value, SecretStr):
            shown[field] = HIDDEN if hidden else value.get_secret_value()
    return shown

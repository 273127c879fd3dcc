"""Addresses of people and channels on their way in and out: checked, secrets kept, secrets never shown.

A secret leaves as `***`. The `***` sent back keeps what is stored, as long as the rest of the address stays the same: a
stored secret never goes where it was not meant for. Must never know the database.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app.api.problems import FieldError, Invalid, invalid
from app.notifiers.registry import HIDDEN, BadAddress, Notifiers, parse_address, public_address, stored_document


def checked(
    notifiers: Notifiers, kind: str, address: Mapping[str, Any], kept: Mapping[str, Any], where: str = ""
) -> dict[str, Any]:
    """The address as it is stored. `kept` is the one stored before for the same place, or empty.

    Raises Invalid; its fields begin with `where`.
    """
    hidden = {name for name, value in address.items() if value == HIDDEN}
    if lost := sorted(name for name in hidden if kept.get(name) is None):
        raise Invalid(*(_fault(f"{where}address.{name}", NOTHING_KEPT) for name in lost))
    try:
        stored = stored_document(parse_address(notifiers, kind, {**address, **{name: kept[name] for name in hidden}}))
    except BadAddress as error:
        raise Invalid(*(_fault(_path(where, field), said) for field, said in error.problems)) from None
    if hidden and stored != {**stored, **kept}:
        raise invalid(f"{where}address.{min(hidden)}", REST_CHANGED)
    return stored


NOTHING_KEPT = "*** stands for a secret that is stored already; there is none here, so send the secret itself"
REST_CHANGED = "*** keeps the stored secret only while the rest of the address stays the same; send the secret itself"


def _path(where: str, field: str) -> str:
    return f"{where}address.{field}" if field else f"{where}kind"


def _fault(path: str, message: str) -> FieldError:
    return FieldError(where="body", field=path, message=message)


def shown(notifiers: Notifiers, kind: str, stored: Mapping[str, Any]) -> dict[str, Any]:
    """The address for people. One that its notifier no longer reads is hidden whole."""
    try:
        return public_address(parse_address(notifiers, kind, stored))
    except BadAddress:
        return dict.fromkeys(stored, HIDDEN)

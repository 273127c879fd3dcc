"""The fields that addresses of several kinds share, checked when they are entered. Their errors never repeat the value."""

from __future__ import annotations

from typing import Annotated, Final
from urllib.parse import urlsplit

from pydantic import AfterValidator, SecretStr

from app.notifiers.text import MAX_URL, safe_url

_MAX_HEADER: Final = 4_096


def checked_url(url: str) -> str:
    """The address of a provider as a person typed it. Raises ValueError."""
    try:
        parts = urlsplit(url)
        named = parts.hostname and (parts.port is None or parts.port > 0)
    except ValueError:
        raise ValueError("must be a plain http or https URL") from None
    if len(url) > MAX_URL or not safe_url(url) or not named:
        raise ValueError("must be a plain http or https URL")
    if parts.username is not None or parts.password is not None:
        raise ValueError("must not hold a user name or password")
    return url


def host_of(url: str) -> str:
    """Whose address it is, without anything of it that is secret: `hooks.example.org`, `10.0.0.7:8080`."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    return f"{host}:{parts.port}" if parts.port else host


def _checked_secret_url(value: SecretStr) -> SecretStr:
    checked_url(value.get_secret_value())
    return value


def _checked_header(value: SecretStr) -> SecretStr:
    text = value.get_secret_value()
    if not text or len(text) > _MAX_HEADER or not text.isascii() or not text.isprintable() or text != text.strip():
        raise ValueError("must be printable ASCII without spaces at its ends")
    return value


Url = Annotated[str, AfterValidator(checked_url)]
"""An http or https URL that is no secret."""
SecretUrl = Annotated[SecretStr, AfterValidator(_checked_secret_url)]
"""An http or https URL whose path is the permission to use it."""
SecretHeader = Annotated[SecretStr, AfterValidator(_checked_header)]
"""A token that goes into a header."""

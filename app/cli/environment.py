"""Settings as the environment has them, checked before anything starts: what is misspelt or can't be meant is named.

A misspelt variable would otherwise be a setting that silently is not there. Values are never repeated when they may hold a
secret. Must never open a database or a socket.
"""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

from app.cli.trouble import Trouble

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

    from app.settings import Settings

PREFIX: Final = "TOCSIN_"

_KUBERNETES: Final = re.compile(r"TOCSIN_(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT_\d+_(TCP|UDP)(_\w+)?)")
"""What Kubernetes adds to every pod beside a Service named tocsin; nobody wrote it, so nobody misspelt it."""


def read_settings(environ: Mapping[str, str] | None = None, **overrides: Any) -> Settings:
    """The settings of this process; an override that is not None goes before its variable. Raises Trouble."""
    from pydantic import ValidationError

    from app.settings import Settings

    environ = os.environ if environ is None else environ
    if unknown := unknown_variables(environ, Settings.model_fields):
        raise Trouble("; ".join(unknown))
    given = {name: value for name, value in overrides.items() if value is not None}
    try:
        settings = Settings(**given)
    except ValidationError as error:
        faults = error.errors(include_url=False, include_context=False)
        raise Trouble("; ".join(_sentence(fault, environ) for fault in faults)) from None
    _check(settings)
    return settings


def unknown_variables(environ: Iterable[str], fields: Iterable[str]) -> list[str]:
    """One sentence for each variable that looks like a setting and is none, naming the closest that is."""
    known = {f"{PREFIX}{field.upper()}" for field in fields}
    sentences = []
    for name in sorted(environ):
        if not name.upper().startswith(PREFIX) or name.upper() in known or _KUBERNETES.fullmatch(name):
            continue
        close = difflib.get_close_matches(name.upper(), known, n=1)
        hint = f"did you mean {close[0]}?" if close else "`tocsin settings` lists all."
        sentences.append(f"{name} is set, but there is no such setting; {hint}")
    return sentences


def _sentence(fault: ErrorDetails, environ: Mapping[str, str]) -> str:
    field = str(fault["loc"][0]) if fault["loc"] else ""
    name = f"{PREFIX}{field.upper()}"
    if name == "TOCSIN_PORT" and environ.get(name, "").startswith("tcp://"):
        return (
            f"{name} was set by Kubernetes, because a Service is named tocsin: set enableServiceLinks: false for the "
            "pod, or name the Service otherwise"
        )
    said = fault["msg"].removeprefix("Value error, ")
    return f"{name}: {said[:1].lower()}{said[1:]}"


def _check(settings: Settings) -> None:
    """What each part would refuse when it is built, refused now and with the name of the variable. Raises Trouble."""
    from app.logs import FORMATS, LEVELS

    _one_of("LOG_FORMAT", settings.log_format, FORMATS)
    _one_of("LOG_LEVEL", settings.log_level, LEVELS)
    _check_public_url(settings.public_url)
    _check_database_url(settings.database_url)
    _check_heartbeat_url(settings.heartbeat_url.get_secret_value())
    _check_hints_url(settings.hints_url)
    _check_outbound(settings)


def _one_of(name: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise Trouble(f"{PREFIX}{name} is {value!r}; it must be one of {', '.join(known)}")


def _check_public_url(url: str) -> None:
    if not url:
        return
    from app.notifiers.address import checked_url

    try:
        checked_url(url)
    except ValueError as error:
        raise Trouble(f"{PREFIX}PUBLIC_URL {error}, such as https://tocsin.example.com") from None


def _check_heartbeat_url(url: str) -> None:
    from app.sources.limits import is_web

    if url and not is_web(url):
        raise Trouble(f"{PREFIX}HEARTBEAT_URL must be an http or https URL, such as https://hc-ping.com/UUID")


def _check_database_url(url: str) -> None:
    from sqlalchemy import make_url
    from sqlalchemy.exc import ArgumentError

    forms = "sqlite:///FILE or postgresql+asyncpg://USER:PASSWORD@HOST/NAME"
    try:
        driver = make_url(url).drivername
    except (ArgumentError, ValueError):
        raise Trouble(f"{PREFIX}DATABASE_URL can't be read; it must be {forms}") from None
    if driver not in ("sqlite", "postgresql+asyncpg"):
        raise Trouble(f"{PREFIX}DATABASE_URL starts with {driver}://; it must be {forms}")
    if driver == "sqlite" and make_url(url).database in (None, "", ":memory:"):
        raise Trouble(f"{PREFIX}DATABASE_URL names no file; a database in memory would lose every alert")
    if driver == "postgresql+asyncpg" and (unknown := sorted(set(make_url(url).query) - _parameters())):
        raise Trouble(
            f"{PREFIX}DATABASE_URL ends with {unknown[0]}=, which asyncpg does not know; ssl=require asks for TLS"
        )


def _parameters() -> set[str]:
    """What may stand behind the question mark."""
    from inspect import signature

    from asyncpg import connect

    return {"sslmode", "prepared_statement_cache_size", "prepared_statement_name_func", *signature(connect).parameters}


def _check_hints_url(url: str) -> None:
    from sqlalchemy import make_url
    from sqlalchemy.exc import ArgumentError

    if url in ("", "off"):
        return
    try:
        driver = make_url(url).drivername
    except (ArgumentError, ValueError):
        driver = ""
    if driver not in ("postgresql", "postgresql+asyncpg"):
        raise Trouble(
            f"{PREFIX}HINTS_URL can't be read; it must be postgresql+asyncpg://USER:PASSWORD@HOST/NAME, off, or empty"
        )


def _check_outbound(settings: Settings) -> None:
    from email.utils import parseaddr

    from app.notifiers.guard import read_allowance
    from app.notifiers.pace import read_paces

    try:
        read_allowance(settings.outbound_allow)
        read_paces(settings.provider_pace)
        if url := settings.smtp_url.get_secret_value():
            from app.notifiers.smtp import read_mail_server

            read_mail_server(url)
    except ValueError as error:
        raise Trouble(str(error)) from None
    if parseaddr(settings.smtp_from)[1].count("@") != 1:
        raise Trouble(f"{PREFIX}SMTP_FROM must be an address such as tocsin@example.org")

"""Logs: one line an event, as JSON or for a terminal, on standard error; secrets never.

Our own lines come from structlog, those of uvicorn and of the libraries from `logging`; both end in the same masks and the
same form. Masks work on names (`token`, `password`, ...) and on what is inside any text (paths that carry a key, URLs with
a password, `Bearer ...`), because a secret mostly leaks inside somebody else's sentence.
Must never know what is logged, nor read settings.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
from collections.abc import Mapping
from typing import Any, Final, Literal, TextIO, cast

import orjson
import structlog
from structlog.types import EventDict, Processor, WrappedLogger

MASK: Final = "***"
LEVELS: Final = ("debug", "info", "warning", "error")
FORMATS: Final = ("auto", "json", "console")
Form = Literal["json", "console"]

MAX_DEPTH: Final = 6
"""Values nested deeper are left out: nobody reads them, and a cycle must not hang a log line."""

_SECRET_NAMES: Final = frozenset(
    {
        "key",
        "keys",
        "token",
        "secret",
        "password",
        "passwd",
        "authorization",
        "cookie",
        "credentials",
        "dsn",
        "signature",
    }
)
_WORDS: Final = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")

_IN_TEXT: Final = (
    # What a statement was given may hold addresses and keys.
    (re.compile(r"\[parameters: [^\n]*"), f"[parameters: {MASK}]"),
    (re.compile(r"(/v1/in/[^/\s?#\"']{1,60}/)[^/\s?#\"'<>]+"), rf"\1{MASK}"),
    (re.compile(r"(/[abcrt]/)[\w.~%=-]{8,}"), rf"\1{MASK}"),
    (re.compile(r"([a-z][a-z0-9+.-]{0,30}://)[^/\s?#\"'<>]+@", re.IGNORECASE), rf"\1{MASK}@"),
    (re.compile(r"(\b(?:bearer|basic|token)[ :]+)[\w.~+/=-]{8,}", re.IGNORECASE), rf"\1{MASK}"),
    (
        re.compile(
            r"""(\b(?:[\w-]{0,40}[_-])?(?:key|token|secret|password|passwd|authorization|signature|sig)["']?\s?[=:]\s?["']?)"""
            r"""(?!\*\*\*)[^\s&"',;<>\[\]{}()]+""",
            re.IGNORECASE,
        ),
        rf"\1{MASK}",
    ),
    # Our own API keys know themselves by how they begin.
    (re.compile(r"\b(tocsin_)[\w-]{16,}"), rf"\1{MASK}"),
    # Providers whose whole address is the permission to use it.
    (re.compile(r"(/services/)[\w/]{8,}"), rf"\1{MASK}"),
    (re.compile(r"(/bot)\d+:[\w-]+"), rf"\1{MASK}"),
)
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029]")
_LONE: Final = re.compile("[\ud800-\udfff]")
_LARGEST: Final = 2**63 - 1
_MANY_LINES: Final = frozenset({"exception", "stack"})

_CHATTY: Final = ("sqlalchemy", "asyncpg", "alembic", "httpx", "httpcore", "apprise", "urllib3", "mail")
"""Libraries whose debug lines repeat statements with values, or whole addresses."""


def masked_text(text: str) -> str:
    """The text with what looks like a secret blotted out."""
    for pattern, replacement in _IN_TEXT:
        text = pattern.sub(replacement, text)
    return text


def masked(name: str, value: Any, depth: int = 0) -> Any:
    """The value of one field as it may be written down: of JSON types only, secrets as `***`."""
    if value is None or isinstance(value, bool | float) or (isinstance(value, int) and abs(value) <= _LARGEST):
        return value
    if depth > MAX_DEPTH:
        return "..."
    if _is_secret(name):
        return MASK if value else value
    if isinstance(value, Mapping):
        return {str(key): masked(str(key), inner, depth + 1) for key, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [masked("", inner, depth + 1) for inner in value]
    said = masked_text(value if isinstance(value, str) else str(value))
    if name not in _MANY_LINES:
        said = said.replace("\n", "\\n")
    # A label that moves the cursor or starts a new line would forge what an operator reads.
    return _LONE.sub("\ufffd", _CONTROL.sub(lambda found: f"\\x{ord(found[0]):02x}", said))


def _is_secret(name: str) -> bool:
    return any(word.lower() in _SECRET_NAMES for word in _WORDS.findall(name))


def mask_secrets(_: WrappedLogger, __: str, fields: EventDict) -> EventDict:
    """The processor that every line goes through last, before it is put into its form."""
    return {name: masked(name, value) for name, value in fields.items()}


def set_up(form: str, level: str, stream: TextIO) -> None:
    """Sends all logs of this process to `stream`. `form` is one of FORMATS, `level` one of LEVELS; ValueError if not."""
    if form not in FORMATS:
        raise ValueError(f"TOCSIN_LOG_FORMAT is {form!r}; it must be one of {', '.join(FORMATS)}")
    if level not in LEVELS:
        raise ValueError(f"TOCSIN_LOG_LEVEL is {level!r}; it must be one of {', '.join(LEVELS)}")
    chosen = _form(form, stream)
    common = _common(chosen)
    renderer = _renderer(chosen, colours=stream.isatty() and not os.environ.get("NO_COLOR"))
    tolerant = cast("TextIO", _Tolerant(stream))
    structlog.configure(
        processors=[structlog.contextvars.merge_contextvars, *common, mask_secrets, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(tolerant),
        cache_logger_on_first_use=False,
    )
    _set_up_libraries(common, renderer, level.upper(), tolerant)


class _Tolerant:
    """A stream whose troubles (a full disk, a closed pipe) stay its own: no page may fail because a log line did."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> None:
        with contextlib.suppress(OSError, ValueError):  # ValueError: closed, or an encoding that lacks the character
            self._stream.write(text)

    def flush(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            self._stream.flush()


def _form(form: str, stream: TextIO) -> Form:
    if form == "auto":
        return "console" if stream.isatty() else "json"
    return cast("Form", form)


def _common(form: Form) -> list[Processor]:
    """What every line gets, wherever it comes from."""
    clock = "iso" if form == "json" else "%H:%M:%S"
    return [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt=clock, utc=form == "json"),
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,
    ]


def _renderer(form: Form, *, colours: bool) -> Processor:
    if form == "json":
        return structlog.processors.JSONRenderer(serializer=_json)
    return structlog.dev.ConsoleRenderer(
        colors=colours,
        # The rich form would print every local variable, and with them secrets.
        exception_formatter=structlog.dev.plain_traceback,
    )


def _json(fields: Any, **_: Any) -> str:
    return orjson.dumps(fields, default=str, option=orjson.OPT_NON_STR_KEYS).decode()


def _set_up_libraries(common: list[Processor], renderer: Processor, level: str, stream: TextIO) -> None:
    """The root of `logging` gets one handler; what libraries set up for themselves is taken away."""
    handler = logging.StreamHandler(stream)
    handler.setLevel(level)
    handler.addFilter(_worth_reading)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *common],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, mask_secrets, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [], True


def _worth_reading(record: logging.LogRecord) -> bool:
    if record.name.split(".")[0] in _CHATTY:
        return record.levelno >= logging.WARNING
    # uvicorn tells its start and stop at length; server.py says both in one line each.
    return not (record.name.startswith("uvicorn") and record.levelno < logging.WARNING)

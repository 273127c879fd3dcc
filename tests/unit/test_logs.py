"""What may stand in a log: every line in one form, and no secret in any of them."""

from __future__ import annotations

import io
import json
import logging

import pytest
import structlog
from pydantic import SecretStr
from sqlalchemy.exc import OperationalError

from app import logs

CANARY = "c4n4ry-Zq9xW7vT5sR3pL1m"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class FullDisk(io.StringIO):
    def write(self, text: str) -> int:
        raise OSError(28, "No space left on device")


@pytest.fixture(autouse=True)
def logging_as_before():
    """Each test sets logging up; what was before is put back."""
    root = logging.getLogger()
    before = (root.handlers[:], root.level)
    yield
    root.handlers, root.level = before
    structlog.reset_defaults()


def lines(stream: io.StringIO) -> list[dict]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def set_up(form: str = "json", level: str = "info", stream: io.StringIO | None = None) -> io.StringIO:
    stream = stream or io.StringIO()
    logs.set_up(form, level, stream)
    return stream


LEAKS = [
    {"api_key": CANARY},
    {"token": CANARY},
    {"linkToken": CANARY},
    {"smtp_password": CANARY},
    {"Authorization": f"Bearer {CANARY}"},
    {"headers": {"x-tocsin-key": CANARY}},
    {"headers": [{"authorization": [CANARY]}]},
    {"header": f"authorization: Bearer {CANARY}"},
    {"header": f"Basic {CANARY}=="},
    {"path": f"/v1/in/alertmanager/{CANARY}"},
    {"path": f"https://t.example/v1/in/generic/{CANARY}?x=1"},
    {"path": f"/a/{CANARY}.abc"},
    {"path": f"/c/{CANARY}.ics"},
    {"path": f"/t/{CANARY}.abc"},
    {"path": f"/b/{CANARY}.abc"},
    {"path": f"/r/{CANARY}.abc"},
    {"why": f"open https://t.example/a/{CANARY} to answer"},
    {"database": f"postgresql+asyncpg://tocsin:{CANARY}@db/tocsin"},
    {"smtp_url": f"smtp://me:{CANARY}@mail:587"},
    {"url": f"https://hooks.example/x?token={CANARY}&y=1"},
    {"url": f"https://hooks.slack.com/services/T000/B000/{CANARY}"},
    {"url": f"https://api.telegram.org/bot12345:{CANARY}/sendMessage"},
    {"said": f"no such key tocsin_{CANARY}x"},
    {"error": ValueError(f"password={CANARY}")},
    {"error": f'{{"secret": "{CANARY}"}}'},
    {"setting": SecretStr(CANARY)},
    {"body": f"key={CANARY}".encode()},
    {"sql": f"INSERT INTO x VALUES (?)\n[parameters: ('ana', '{CANARY}')]\n(Background)"},
]


@pytest.mark.parametrize("fields", LEAKS)
@pytest.mark.parametrize("form", ["json", "console"])
def test_no_secret_is_written_whatever_field_it_hides_in(fields, form):
    stream = set_up(form)
    structlog.get_logger("x").info("something", **fields)
    assert "something" in stream.getvalue()
    assert CANARY not in stream.getvalue()


@pytest.mark.parametrize("said", [str(next(iter(fields.values()))) for fields in LEAKS[8:20]])
def test_no_secret_is_written_by_a_library(said):
    stream = set_up()
    logging.getLogger("uvicorn.error").error("trouble with %s", said)
    logging.getLogger("asyncio").warning(said)
    assert [line["level"] for line in lines(stream)] == ["error", "warning"]
    assert CANARY not in stream.getvalue()


@pytest.mark.parametrize("form", ["json", "console"])
def test_no_secret_is_written_by_a_traceback(form):
    """Neither the message, nor the statement's values, nor the local variables of the frames."""
    stream = set_up(form)
    token = CANARY + "-local"  # noqa: F841 - a traceback with local variables would show it
    try:
        try:
            raise OSError(f"smtp://u:{CANARY}@h refused")
        except OSError as error:
            raise OperationalError("SELECT 1", {"address": CANARY}, error) from error
    except OperationalError:
        structlog.get_logger().exception("failed")
        logging.getLogger("x").exception("failed too")
    assert "Traceback" in stream.getvalue()
    assert CANARY not in stream.getvalue()


def test_what_is_no_secret_stays_readable():
    stream = set_up()
    structlog.get_logger().info(
        "ready", address="http://127.0.0.1:8080", path="/v1/incidents/12", monkey="banana", page=7, late=None, ok=True
    )
    (line,) = lines(stream)
    assert {name: line[name] for name in ("address", "path", "monkey", "page", "late", "ok", "event", "level")} == {
        "address": "http://127.0.0.1:8080",
        "path": "/v1/incidents/12",
        "monkey": "banana",
        "page": 7,
        "late": None,
        "ok": True,
        "event": "ready",
        "level": "info",
    }
    assert line["timestamp"].endswith("Z")


def test_libraries_end_in_the_same_form_as_our_own_lines():
    stream = set_up()
    logging.getLogger("uvicorn.error").warning("Exceeded %s", "something")
    (line,) = lines(stream)
    assert line["event"] == "Exceeded something"
    assert line["logger"] == "uvicorn.error"
    assert line["level"] == "warning"
    assert set(line) == {"event", "logger", "level", "timestamp"}


def test_chatty_libraries_say_nothing_below_a_warning_even_at_debug():
    """Their debug lines repeat statements with values, and whole addresses."""
    stream = set_up(level="debug")
    for name in ("sqlalchemy.engine.Engine", "alembic.runtime.migration", "httpcore.http11"):
        logger = logging.getLogger(name)
        logger.setLevel(logging.DEBUG)
        logger.debug("SELECT %s", CANARY)
        logger.info("SELECT %s", CANARY)
        logger.setLevel(logging.NOTSET)
    assert stream.getvalue() == ""


def test_the_level_holds_for_our_lines_and_for_those_of_libraries():
    stream = set_up(level="warning")
    structlog.get_logger().info("hidden")
    logging.getLogger("uvicorn.error").info("hidden")
    structlog.get_logger().warning("shown")
    assert [line["event"] for line in lines(stream)] == ["shown"]


def test_auto_is_for_people_on_a_terminal_and_json_elsewhere(monkeypatch):
    monkeypatch.delenv("NO_COLOR", raising=False)
    terminal = set_up("auto", stream=Terminal())
    structlog.get_logger().info("ready", port=8080)
    assert "\x1b[" in terminal.getvalue()
    assert not terminal.getvalue().startswith("{")
    pipe = set_up("auto")
    structlog.get_logger().info("ready", port=8080)
    assert lines(pipe)[0]["port"] == 8080


def test_no_color_is_honoured(monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    terminal = set_up("auto", stream=Terminal())
    structlog.get_logger().info("ready")
    assert "\x1b[" not in terminal.getvalue()


@pytest.mark.parametrize("form", ["json", "console"])
def test_hostile_text_stays_on_its_line_and_moves_no_cursor(form):
    stream = set_up(form)
    structlog.get_logger().info("alert", title="a\n\x1b[2J{}\u2028\ud800\x00", size=2**70)
    assert len(stream.getvalue().splitlines()) == 1
    assert "\x1b[2J" not in stream.getvalue()
    stream.getvalue().encode()


def test_values_that_contain_themselves_end():
    endless: dict = {}
    endless["again"] = endless
    stream = set_up()
    structlog.get_logger().info("deep", value=endless)
    assert "..." in stream.getvalue()


def test_a_log_that_cannot_be_written_fails_nothing_else():
    set_up(stream=FullDisk())
    structlog.get_logger().error("page_tried")
    logging.getLogger("uvicorn.error").error("trouble")


@pytest.mark.parametrize(("form", "level", "named"), [("xml", "info", "FORMAT"), ("json", "loud", "LEVEL")])
def test_a_wrong_setting_is_named(form, level, named):
    with pytest.raises(ValueError, match=f"TOCSIN_LOG_{named} is .* must be one of"):
        logs.set_up(form, level, io.StringIO())

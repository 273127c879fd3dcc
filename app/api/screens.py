"""What people see in a browser: templates, one style sheet, and headers that leave a page nothing to do but be read.

There is no script anywhere. The policy allows no source but the style sheet's own hash, so that even a hole in the
escaping would run nothing; the page may not be framed, kept, indexed or named to the sites it links to.
Knows no incident.
"""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from starlette.responses import HTMLResponse

_FOLDER = Path(__file__).parent / "templates"
_STYLE = (_FOLDER / "style.css").read_text("utf-8")
_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()

RETRY_AFTER_S = "5"

HEADERS = {
    "Content-Security-Policy": (
        f"default-src 'none'; style-src 'sha256-{_HASH}'; img-src data:; form-action 'self'; "
        "frame-ancestors 'none'; base-uri 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "X-Robots-Tag": "noindex, nofollow, noarchive",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}

_UNSEEN = dict.fromkeys([*range(9), *range(11, 32), 127, *range(0x202A, 0x202F), *range(0x2066, 0x206A), 0xFEFF], " ")
"""Control characters, and those that turn the direction of writing: with the last "gpj.exe" reads as "exe.jpg". Right-to-left
text needs none of them, because every text of an alert stands in an element with a direction of its own."""


def legible(value: Any) -> Any:
    """What a template may print: text without characters that only deceive the reader."""
    return value.translate(_UNSEEN) if type(value) is str else value


_TEMPLATES = Environment(
    loader=FileSystemLoader(_FOLDER),
    autoescape=True,
    undefined=StrictUndefined,
    finalize=legible,
    trim_blocks=True,
    lstrip_blocks=True,
)
_TEMPLATES.globals["style"] = Markup(_STYLE)  # noqa: S704 - our own file; nothing of an alert is ever marked safe


def markup(template: str, context: dict[str, Any]) -> str:
    """The page as text. Every value is escaped. Raises UndefinedError when the template asks for what is not there."""
    return _TEMPLATES.get_template(template).render(context)


def screen(template: str, context: dict[str, Any], *, status: int = 200, **headers: str) -> HTMLResponse:
    """The page as an answer, with HEADERS."""
    return HTMLResponse(markup(template, context), status, HEADERS | headers)


def notice(status: int, heading: str, *lines: str, **headers: str) -> HTMLResponse:
    """A page that says one thing and what to do about it."""
    return screen("notice.html", {"heading": heading, "lines": lines}, status=status, **headers)


def elsewhere() -> HTMLResponse:
    """The answer to a form that another site sent."""
    return notice(
        403, "Not from here", "Another site sent this for you, so nothing was done. Open the link in your page."
    )


def nowhere() -> HTMLResponse:
    """The answer to a browser that asks for what is not there."""
    return notice(
        404,
        "Nothing is at this address",
        "If it came with a page, open the link there once more, or copy all of it: it may have been cut on its way.",
        "The address of this server alone, with nothing behind it, says what Tocsin is and how it is set up.",
    )


def trouble(*more: str) -> HTMLResponse:
    """The answer when the database can't be reached; `more` says what else to do."""
    return notice(
        503,
        "Tocsin can't reach its database",
        "Nothing is known to have been changed. Load this page again in a few seconds.",
        *more,
        **{"Retry-After": RETRY_AFTER_S},
    )

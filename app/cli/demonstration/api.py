"""HTTP as the demo speaks it: the API with its key, senders without, and links as a browser opens them.

Standard library only: what the demo does can be repeated with curl. Must never know what a request means.
"""

from __future__ import annotations

import http.client
import json
from dataclasses import dataclass
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urlencode, urljoin, urlsplit

from app.cli.trouble import Trouble

TIMEOUT_S = 15.0
BROWSER = "Mozilla/5.0 (X11; Linux x86_64) Tocsin-demo"


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer."""

    status: int
    body: str
    location: str = ""

    def document(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


class Api:
    """One server, and the key that opens its API."""

    def __init__(self, address: str, key: str) -> None:
        self.address = address
        self._host = urlsplit(address).netloc
        self._key = key

    def get(self, path: str) -> Any:
        """The document at a path of the API."""
        return self._asked("GET", path, None)

    def post(self, path: str, document: Any) -> Any:
        """What is answered to a document posted to the API."""
        return self._asked("POST", path, document)

    def _asked(self, method: str, path: str, document: Any) -> Any:
        body = None if document is None else json.dumps(document).encode()
        headers = {"Authorization": f"Bearer {self._key}", "Content-Type": "application/json"}
        return _expected(self._send(method, path, body, headers), method, path).document()

    def send(self, path: str, body: bytes) -> Answer:
        """What a monitoring tool does: one POST, with the key in the path."""
        return _expected(self._send("POST", path, body, {"Content-Type": "application/json"}), "POST", "the alert")

    def open(self, link: str) -> Answer:
        """What a browser does with a link."""
        headers = {"User-Agent": BROWSER, "Accept": "text/html", "Sec-Fetch-Site": "none"}
        return _expected(self._send("GET", _path(link), None, headers), "GET", "the link")

    def press(self, link: str, page: Answer) -> Answer:
        """What a browser does when the first button of a page is pressed; the answer says where to go then."""
        form = _FirstForm()
        form.feed(page.body)
        if form.action is None:
            raise Trouble("the page behind the link has no button")
        headers = {
            "User-Agent": BROWSER,
            "Content-Type": "application/x-www-form-urlencoded",
            "Origin": self.address,
            "Sec-Fetch-Site": "same-origin",
        }
        path = _path(urljoin(link, form.action))
        return _expected(self._send("POST", path, urlencode(form.fields).encode(), headers), "POST", "the button")

    def _send(self, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> Answer:
        connection = http.client.HTTPConnection(self._host, timeout=TIMEOUT_S)
        try:
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            text = response.read().decode("utf-8", "replace")
            return Answer(response.status, text, response.headers.get("Location", ""))
        except OSError as error:
            raise Trouble(f"the demo's server does not answer: {error}") from None
        finally:
            connection.close()


def _expected(answer: Answer, method: str, what: str) -> Answer:
    if answer.status >= 400:
        raise Trouble(f"{method} {what} was answered {answer.status}: {answer.body[:300]}")
    return answer


def _path(link: str) -> str:
    parts = urlsplit(link)
    return f"{parts.path}?{parts.query}" if parts.query else parts.path


class _FirstForm(HTMLParser):
    """Where the first form of a page leads, and its fields."""

    def __init__(self) -> None:
        super().__init__()
        self.action: str | None = None
        self.fields: dict[str, str] = {}
        self._inside = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        if tag == "form" and self.action is None:
            self.action, self._inside = found.get("action", ""), True
        elif tag in ("input", "button") and self._inside and found.get("name"):
            self.fields[found["name"]] = found.get("value", "")

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._inside = False

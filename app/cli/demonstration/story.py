"""What the demo does, act by act: a team is set up, tools raise alerts, somebody is paged, somebody answers.

Everything is asked of the server by HTTP, and what is told is what the server says. Must never know how it looks.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from app.cli.demonstration import team
from app.cli.demonstration.api import Api
from app.cli.demonstration.running import Running
from app.cli.demonstration.samples import sample
from app.cli.demonstration.stage import Stage
from app.cli.trouble import Trouble
from app.clock import Clock

PAGE_WITHIN_S: Final = 10.0
LOOK_EVERY_S: Final = 0.25
MASK: Final = "***"
_LINK: Final = re.compile(r"https?://\S+/a/\S+")
_TOLD_ELSEWHERE: Final = frozenset({"triggered", "alert", "page"})
"""Entries of a timeline that the demo shows in another way."""


@dataclass(frozen=True, slots=True)
class Page:
    """A page as the person got it."""

    link: str


class Story:
    """One showing."""

    def __init__(self, stage: Stage, running: Running, clock: Clock) -> None:
        self._stage = stage
        self._running = running
        self._clock = clock
        self._api = Api(running.address, running.key)
        self._began_s = clock.monotonic()
        self._inlets: dict[str, str] = {}
        self._told: set[str] = set()

    def set_up(self) -> None:
        """The team, its schedule, policy, services and integrations."""
        self._stage.section("A small team, set up through the HTTP API")
        now = self._clock.now()
        ana = self._made("people", team.person("Ana Ortiz", "ana@example.com"), "Ana Ortiz, paged on this terminal")
        ben = self._made("people", team.person("Ben Okafor", "ben@example.com"), "Ben Okafor, paged on this terminal")
        shop = self._made("teams", team.team("Shop", [ana, ben]), "Shop: Ana and Ben")
        rota = self._made(
            "schedules",
            team.schedule("Shop", [ana, ben], now),
            f"Shop: weekly, Mondays {team.HANDOFF}; this week Ana",
        )
        rules = f"Shop: who is on call; {team.LEVEL_1_S} s later Ben"
        policy = self._made("policies", team.policy("Shop", rota, ben), rules)
        services = {
            name: self._made("services", team.service(name, shop, policy), name) for name in ("checkout", "database")
        }
        for kind, name, service in team.TOOLS:
            document = team.integration(name, kind, services[service])
            answer = self._api.post("/v1/integrations", document)
            self._inlets[kind] = answer["url"].removeprefix(self._running.address)
            self._stage.request("POST /v1/integrations", 201, f"{name}, for {service}")

    def _made(self, collection: str, document: dict[str, Any], meaning: str) -> str:
        answer = self._api.post(f"/v1/{collection}", document)
        self._stage.request(f"POST /v1/{collection}", 201, meaning)
        return str(answer["id"])

    def raise_alerts(self) -> list[Page]:
        """Each tool sends its message; the pages that come of it."""
        self._stage.section("Something breaks. Four monitoring tools send what they send")
        self._began_s = self._clock.monotonic()
        pages = []
        for kind, name, _ in team.TOOLS:
            answer = self._api.send(self._inlets[kind], sample(kind, self._clock.now()))
            answered_s = self._clock.monotonic()
            count = answer.document()["events"]
            many = "1 alert, committed" if count == 1 else f"{count} alerts, committed"
            self._stage.request(f"POST /v1/in/{kind}/{MASK}", answer.status, f"{name}: {many}")
            if self._tell_alerts():
                pages.append(self._wait_for_page(answered_s))
        return pages

    def _tell_alerts(self) -> bool:
        """What became of the alerts that came since; answers whether one opened an incident."""
        opened = False
        for number, entry in self._news():
            opened = opened or entry["kind"] == "triggered"
            if entry["kind"] == "alert":
                self._stage.say(f"    {entry['detail']['title']}")
                self._stage.say(f"      incident #{number}: {entry['reason']}", "dim")
        return opened

    def _wait_for_page(self, answered_s: float) -> Page:
        written = self._running.page(PAGE_WITHIN_S)
        if written is None:
            raise Trouble(f"no page came within {PAGE_WITHIN_S:.0f} s")
        took_ms = max(0.0, written.at_s - answered_s) * 1_000
        self._stage.page(written.framed, f"Ana is paged, {took_ms:.0f} ms after that answer:")
        return _page(written.framed)

    def follow(self) -> None:
        """Tells what happens, until the person has enough of it (KeyboardInterrupt). Raises Trouble if the server ends."""
        self._stage.section("Now you are Ana")
        self._stage.say("Open a link above in a browser and press Acknowledge. Opening it alone changes nothing.")
        self._stage.say(f"If you wait instead, Ben is paged after {team.LEVEL_1_S} s. Ctrl-C ends the demo.")
        self._stage.space()
        quiet = False
        while self._running.alive():
            written = self._running.page(LOOK_EVERY_S)
            self._tell_news()
            if written:
                self._stage.page(written.framed, "What was sent:")
            if not quiet and self._everybody_quiet():
                quiet = True
                self._stage.space()
                self._stage.say("Nobody will be paged any more. Look around as long as you like; Ctrl-C ends the demo.")
        raise Trouble("the demo's server ended by itself")

    def answer(self, pages: list[Page]) -> None:
        """Acknowledges each page by its link, as a browser does. Raises Trouble when that did not stop the paging."""
        self._stage.section("Ana opens each link and presses Acknowledge")
        for number, page in enumerate(pages, start=1):
            shown = self._api.open(page.link)
            state = self._state(number)
            self._stage.request(f"GET /a/{MASK}", shown.status, f"its buttons; #{number} is still {state}")
            pressed = self._api.press(page.link, shown)
            incident = self._api.get(f"/v1/incidents/{number}")
            by = f"#{number} is {incident['state']} by {incident['acknowledged_by']}"
            self._stage.request(f"POST /a/{MASK}", pressed.status, by)
            if incident["state"] != "acknowledged":
                raise Trouble(f"incident #{number} is {incident['state']} after its link was used")
        self._stage.space()
        self._tell_news()

    def _tell_news(self) -> None:
        for number, entry in self._news():
            if entry["kind"] not in _TOLD_ELSEWHERE and entry["detail"].get("level") != 1:
                self._stage.news(self._clock.monotonic() - self._began_s, *self._sentence(number, entry))

    def _sentence(self, number: int, entry: dict[str, Any]) -> tuple[str, str]:
        """One entry in words, and its colour."""
        match entry["kind"]:
            case "acknowledged":
                level = self._api.get(f"/v1/incidents/{number}")["level"]
                rest = "Ben is not paged about it" if level < 2 else "nobody else is paged about it"
                return f"#{number} acknowledged by {entry['actor']}: escalation has stopped, {rest}.", "green"
            case "level_told":
                return f"#{number} nobody has acknowledged, so the policy goes on with {entry['reason']}", ""
            case "policy_exhausted" | "undelivered":
                return f"#{number} {entry['reason']}", "yellow"
            case kind:
                by = "" if entry["actor"] == "tocsin" else f" by {entry['actor']}"
                return f"#{number} {kind.replace('_', ' ')}{by}: {entry['reason']}", ""

    def _news(self) -> Iterator[tuple[int, dict[str, Any]]]:
        """What the timelines say that was not told before, oldest incident first."""
        for incident in reversed(self._api.get("/v1/incidents")["items"]):
            number = int(incident["number"])
            for entry in self._api.get(f"/v1/incidents/{number}/timeline?limit=500")["items"]:
                if entry["id"] not in self._told:
                    self._told.add(entry["id"])
                    yield number, entry

    def _everybody_quiet(self) -> bool:
        found = self._api.get("/v1/incidents?state=triggered")["items"]
        return all(incident["escalation"] == "exhausted" for incident in found)

    def _state(self, number: int) -> str:
        return str(self._api.get(f"/v1/incidents/{number}")["state"])


def _page(framed: str) -> Page:
    """The link of a page as it was written."""
    found = _LINK.search(framed)
    if found is None:
        raise Trouble("the page has no link")
    return Page(found[0])

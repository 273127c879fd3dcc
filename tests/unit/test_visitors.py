"""Who opens links: what is known to be a machine is not called a person, and people's phones are not called machines."""

from __future__ import annotations

import pytest

from app.paging.visitors import MAX_SHOWN, shown, who

BROWSER = {"accept": "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8", "accept-language": "de-DE,de;q=0.9"}
SAFARI = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/19.0 Mobile/15E148 Safari/604.1"
)
CHROME = (
    "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Mobile Safari/537.36"
)

MACHINES = {
    "Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)": "Slack's link preview",
    "Slack-ImgProxy (+https://api.slack.com/robots)": "Slack's link preview",
    "facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)": "a link preview (Facebook, Apple Messages)",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_11_1) AppleWebKit/601.2.4 (KHTML, like Gecko) Version/9.0.1 "
    "Safari/601.2.4 facebookexternalhit/1.1 Facebot Twitterbot/1.0": "a link preview (Facebook, Apple Messages)",
    "WhatsApp/2.23.20.0 A": "WhatsApp's link preview",
    "TelegramBot (like TwitterBot)": "Telegram's link preview",
    "Twitterbot/1.0": "X's link preview",
    "Mozilla/5.0 (compatible; Discordbot/2.0; +https://discordapp.com)": "Discord's link preview",
    "LinkedInBot/1.0 (compatible; Mozilla/5.0; Apache-HttpClient +http://www.linkedin.com)": "LinkedIn's link preview",
    "Mozilla/5.0 (Windows NT 6.1; WOW64) SkypeUriPreview Preview/0.5 skype-url-preview@microsoft.com": (
        "the link preview of Teams, Outlook or Skype"
    ),
    "Mozilla/5.0 (compatible; MicrosoftPreview/2.0; +https://aka.ms/MicrosoftPreview)": (
        "the link preview of Teams, Outlook or Skype"
    ),
    "Microsoft Office/16.0 (Windows NT 10.0; Microsoft Outlook 16.0.10730; Pro)": "Microsoft Office or Outlook",
    "Microsoft Office Existence Discovery": "Microsoft Office or Outlook",
    "Mozilla/4.0 (compatible; ms-office; MSOffice 16)": "Microsoft Office or Outlook",
    "Barracuda Sentinel (EE)": "Barracuda's link scanner",
    "ProofPoint URL Defense": "Proofpoint's link scanner",
    "Mimecast-URL-Protect/1.0": "Mimecast's link scanner",
    "CiscoSecureEmail/15.0": "Cisco's link scanner",
    "TMES/3.0": "Trend Micro's link scanner",
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)": "a machine of Google's",
    "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)": "a machine of Google's",
    "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; bingbot/2.0)": "a search engine",
    "Mozilla/5.0 (compatible; AhrefsBot/7.0; +http://ahrefs.com/robot/)": "it calls itself a machine",
    "curl/8.14.1": "a program, not a browser",
    "Wget/1.25.0": "a program, not a browser",
    "python-requests/2.32.5": "a program, not a browser",
    "Python/3.13 aiohttp/3.13.0": "a program, not a browser",
    "Go-http-client/2.0": "a program, not a browser",
    "okhttp/4.12.0": "a program, not a browser",
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 HeadlessChrome/142.0.0.0 Safari/537.36": "an automated browser",
    "SomeMailGateway Link Checker 2": "it calls itself a machine",
}

PEOPLE = (
    SAFARI,
    CHROME,
    "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36 Edg/142.0.0.0",
    # A phone whose maker's name ends in "bot".
    "Mozilla/5.0 (Linux; Android 9; CUBOT NOTE 20) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0 Mobile Safari/537.36",
    # Slack's own window on a phone is a person; its preview is not.
    SAFARI + " Slack_SSB/25.10.0",
)


@pytest.mark.parametrize(("agent", "why"), MACHINES.items())
def test_previews_scanners_and_programs_are_machines_whatever_else_they_send(agent: str, why: str) -> None:
    visitor = who("GET", BROWSER | {"user-agent": agent})
    assert (visitor.by, visitor.why) == ("machine", why)


@pytest.mark.parametrize("agent", PEOPLE)
def test_browsers_of_people_are_people(agent: str) -> None:
    assert who("GET", BROWSER | {"user-agent": agent}).by == "person"


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"purpose": "prefetch"}, "a browser that fetched ahead"),
        ({"sec-purpose": "prefetch;prerender"}, "a browser that fetched ahead"),
        ({"x-purpose": "preview"}, "a browser that fetched ahead"),
        ({"x-moz": "prefetch"}, "a browser that fetched ahead"),
        ({"accept": "*/*"}, "it did not ask for a page"),
        ({"accept": ""}, "it did not ask for a page"),
        ({"accept-language": ""}, "it speaks no language"),
        ({"sec-fetch-dest": "iframe"}, "it did not open a page"),
        ({"user-agent": ""}, "it does not say what it is"),
        ({"user-agent": "  "}, "it does not say what it is"),
    ],
)
def test_a_browser_that_does_not_ask_as_a_person_would_is_a_machine(more: dict[str, str], why: str) -> None:
    visitor = who("GET", BROWSER | {"user-agent": SAFARI} | more)
    assert (visitor.by, visitor.why) == ("machine", why)


def test_head_is_always_a_machine() -> None:
    assert who("HEAD", BROWSER | {"user-agent": SAFARI}).by == "machine"


def test_a_user_agent_is_stored_as_one_short_printable_line() -> None:
    kept = shown("a\r\nb\x00c\u202e" + "x" * 10_000)
    assert kept.isprintable()
    assert len(kept) == MAX_SHOWN

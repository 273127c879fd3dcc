"""Who opened a link: a person, or a machine that looks at links before or instead of people. Pure.

Chats fetch a link to show a preview, mail gateways to look for malware, browsers ahead of a tap. Nothing they do changes
an incident (opening never does); this only keeps them apart in the log, so that "Ana opened it" is not said of a scanner.
Many scanners pass for a browser on purpose, so `person` means no more than "nothing speaks against it", and nothing may
ever be decided on it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

MAX_SHOWN = 200


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who it was, and how we know."""

    by: Literal["person", "machine"]
    why: str


KNOWN: tuple[tuple[str, str], ...] = (
    # Chats and social networks that show a preview. Apple's Messages calls itself facebookexternalhit as well.
    (r"slackbot|slack-imgproxy", "Slack's link preview"),
    (r"facebookexternalhit|facebot|meta-external", "a link preview (Facebook, Apple Messages)"),
    (r"whatsapp/", "WhatsApp's link preview"),
    (r"telegrambot", "Telegram's link preview"),
    (r"twitterbot", "X's link preview"),
    (r"discordbot", "Discord's link preview"),
    (r"linkedinbot", "LinkedIn's link preview"),
    (r"skypeuripreview|microsoftpreview|bingpreview", "the link preview of Teams, Outlook or Skype"),
    (r"mattermost-bot|rocket\.chat|synapse|zulip|google-chat|line-poker", "a chat's link preview"),
    (r"iframely|embedly|redditbot|pinterestbot|mastodon|vkshare", "a link preview"),
    # Office asks whether a link is a document before it hands it to the browser; Defender looks behind links.
    (r"microsoft office|ms-?office|oneoutlook", "Microsoft Office or Outlook"),
    (r"safelinks|windows-?defender|smartscreen", "Microsoft's link scanner"),
    (r"barracuda", "Barracuda's link scanner"),
    (r"proofpoint", "Proofpoint's link scanner"),
    (r"mimecast", "Mimecast's link scanner"),
    (r"ironport|ciscosecureemail|talos", "Cisco's link scanner"),
    (r"symantec|messagelabs|cloudmark", "Symantec's link scanner"),
    (r"trendmicro|trend micro|\btmes\b", "Trend Micro's link scanner"),
    (r"sophos|fortinet|fortimail|forcepoint|fireeye|trellix|zscaler", "a mail gateway's link scanner"),
    (r"checkpoint|vade ?secure|hornetsecurity|kaspersky|bitdefender|f-secure", "a mail gateway's link scanner"),
    (r"virustotal|urlscan|netcraft|phishtank|trustwave", "a link scanner"),
    # Search engines and their helpers.
    (r"googlebot|googleother|google-safety|google-inspectiontool|apis-google|adsbot", "a machine of Google's"),
    (r"googleimageproxy|google-pageren|google web preview|feedfetcher|google-read-aloud", "a machine of Google's"),
    (r"bingbot|applebot|yandex|baiduspider|duckduckbot|petalbot", "a search engine"),
    (r"bytespider|gptbot|chatgpt-user|claudebot|perplexitybot", "an assistant's crawler"),
    # Programs and libraries.
    (r"\bcurl/|\bwget/|httpie/|powershell|postmanruntime|insomnia", "a program, not a browser"),
    (r"python-|python/|aiohttp|httpx/|go-http-client|reqwest|ruby|faraday", "a program, not a browser"),
    (r"\bjava/|okhttp|apache-httpclient|dart[:/]|restsharp|winhttp|libwww-perl", "a program, not a browser"),
    (r"node-fetch|axios/|undici|\bgot \(|guzzlehttp|uptime|blackbox exporter", "a program, not a browser"),
    (r"headlesschrome|phantomjs|puppeteer|playwright|selenium|cypress|lighthouse", "an automated browser"),
    # Whoever says what it is. Cubot is a maker of phones.
    (r"(?<!cu)bot\b|crawler|spider|\bscan(?:ner)?\b|link ?check", "it calls itself a machine"),
    (r"preview|prefetch|\bfetch(?:er)?\b|monitor", "it calls itself a machine"),
)
"""What a user agent contains, and who that is; the first that fits counts. Case does not."""

_KNOWN = tuple((re.compile(pattern, re.IGNORECASE), why) for pattern, why in KNOWN)

AHEAD = ("purpose", "sec-purpose", "x-purpose", "x-moz")
"""Headers by which a browser says that it fetches before anybody asked."""


def who(method: str, headers: Mapping[str, str]) -> Visitor:
    """Who made this request. The names of `headers` are lower case (or the mapping does not care)."""
    agent = headers.get("user-agent", "")
    if method == "HEAD":
        return Visitor("machine", "it asked with HEAD")
    if not agent.strip():
        return Visitor("machine", "it does not say what it is")
    if known := _named(agent):
        return Visitor("machine", known)
    return _by_manners(headers)


def _named(agent: str) -> str:
    """The first row of KNOWN that fits, wherever in the text; empty when none does."""
    start = agent[:1_000]
    return next((why for pattern, why in _KNOWN if pattern.search(start)), "")


def _by_manners(headers: Mapping[str, str]) -> Visitor:
    """What calls itself a browser also asks like one."""
    for name in AHEAD:
        said = headers.get(name, "").lower()
        if "prefetch" in said or "prerender" in said or "preview" in said:
            return Visitor("machine", "a browser that fetched ahead")
    if "text/html" not in headers.get("accept", "").lower():
        return Visitor("machine", "it did not ask for a page")
    if not headers.get("accept-language", "").strip():
        return Visitor("machine", "it speaks no language")
    if headers.get("sec-fetch-dest", "document") != "document":
        return Visitor("machine", "it did not open a page")
    return Visitor("person", "it asked as a browser does")


def shown(agent: str) -> str:
    """A user agent as it is stored: one line, printable, cut."""
    return "".join(char if char.isprintable() else " " for char in agent[:MAX_SHOWN])

"""The long tail: some 170 services through the Apprise library, for which no notifier of our own exists.

Apprise blocks, dials by itself and reads files and runs programs for some kinds of URL. So: only kinds that do nothing
but HTTP are allowed, options that read files or weaken the connection are refused, it runs in a thread of the bounded
pool, and every address it dials is judged by the guard at that moment (watch.py). It tells success or failure, no more;
which failure is read from the words it logs. No receipts, no Retry-After: a notifier of our own is always better.
"""

from __future__ import annotations

import asyncio
import functools
import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Annotated, Any, ClassVar, Final
from urllib.parse import parse_qsl

import apprise
from apprise.plugins import url_to_dict
from pydantic import AfterValidator, Field, SecretStr

from app.notifiers.errors import NotSent
from app.notifiers.exchange import outcome_of
from app.notifiers.guard import Allowed
from app.notifiers.notifier import Accepted, Address, Limits, Message, Outcome, Refused, TryAgain, Unknown
from app.notifiers.outbound import Outbound
from app.notifiers.text import MAX_URL, safe_url, text_of, title_of
from app.notifiers.watch import watched

# Every kind of Apprise 2.2 that speaks HTTP and nothing else. Left out: those that touch this machine (dbus, gnome,
# glib, macosx, windows, syslog, blink1), read key files (fcm, vapid, mailto, deltachat), or open connections of their own
# (amqp, aprs, growl, irc, mqtt, nostr, rsyslog, session, smpp, xmpp).
_KINDS: Final = """
46elks apprise apprises atalk azure bark barks betterstack bluesky brevo bsky bulksms bulkvs burstsms chanify clickatell
clicksend cliq cm d7sms dapnet dingtalk discord dot eight00com elks emby embys enigma2 enigma2s evolution evolutions
exotel feishu firehydrant flock flowtriq flowtriqs fluxer fluxers form forms freemobile gchat github goalert goalerts
gorush gorushs gotify gotifys groundmail groupme guilded gupshup hassio hassios httpsms humhub humhubs ifttt ilert
incidentio infobip jellyfin jellyfins jira join json jsons kakao kakaotalk kaleyra kavenegar klr kodi kodis kook kudosity
kumulos lametric lametrics lark lauther lfg line mailersend mailgun mastodon mastodons matrix matrixs misskey misskeys
mmost mmosts mobilemessage mobilemsg msg91 msgbird ncloud nclouds nctalk nctalks nexmo notica noticas notifiarr notifico
notificos notifyre ntfy ntfys o365 octopush onebot onebots onesignal opsgenie pagerduty pagertree parsep parseps pbul
pinglet pinglets pingram pjet pjets plivo postmark pover prowl psafer psafers push pushdeer pushdeers pushed pushme
pushplus pushward pushy qq reddit resend revolt ringc rocket rockets ryver schan sendgrid sendpulse serwersms ses seven
sfr signal signalgrid signals signl4 simplepush sinch slack smsc smseagle smseagles smsmanager smsmgr smstunnel smtp2go
sns sparkpost spike splunk spugpush spush squadcast stackfield strmlabs synology synologys telesign telnyx tgram threema
toot toots trigv trigvs tweet twilio twist twitter viber victorops voipms vonage webex wechat wecom wecombot whapi
whatsapp workflow workflows wpush wxpusher wxteams x xbmc xbmcs xmatters xml xmls youlmk zalo zcliq zohocliq zoom zulip
"""
ALLOWED_KINDS: Final = frozenset(_KINDS.split())

# Verification and redirects are not for an address to decide; files, stores, templates and retries are not Apprise's job.
_OPTIONS: Final = """
verify redirect attach attach-as filename file file_url template templates keyfile subfile
pgp pgppub pgpprv config store retry wait optional cto rto tag schema
"""
FORBIDDEN_OPTIONS: Final = frozenset(_OPTIONS.split())

_STATUS: Final = re.compile(r"error=['\"]?(\d{3})\b")
_NEVER_CONNECTED: Final = (
    "NewConnectionError",
    "NameResolutionError",
    "ConnectTimeout",
    "CertificateError",
    "SSLError",
)


def why_refused(kind: str, options: frozenset[str]) -> str | None:
    """Why an Apprise URL of this kind with these options is not used, or None."""
    if kind not in ALLOWED_KINDS:
        return f"{kind}:// is not allowed: only services that are reached by HTTP are"
    unwanted = sorted(options & FORBIDDEN_OPTIONS)
    return f"the option {unwanted[0]!r} is not allowed" if unwanted else None


def _checked(value: SecretStr) -> SecretStr:
    url = value.get_secret_value()
    kind, colon, rest = url.partition("://")
    if not colon or not rest or len(url) > MAX_URL or not url.isprintable() or not kind.replace("-", "").isalnum():
        raise ValueError("must be an Apprise URL, service://...")
    query = rest.partition("?")[2]
    reason = why_refused(kind.lower(), frozenset(name.lower().strip() for name, _ in parse_qsl(query, True)))
    if reason:
        raise ValueError(reason)
    return value


class AppriseAddress(Address):
    """One Apprise URL; tokens and passwords stand in it."""

    url: Annotated[SecretStr, AfterValidator(_checked)] = Field(description="An Apprise URL, such as discord://...")


class Apprise:
    """Accepted means that the service did not complain."""

    kind: ClassVar[str] = "apprise"
    title: ClassVar[str] = "Apprise"
    limits: ClassVar[Limits] = Limits(title=200, text=1_500)
    Address: ClassVar[type[Address]] = AppriseAddress

    def provider(self, address: AppriseAddress) -> str:
        """The service; of its host and of what else stands in the address nobody can say whether it is secret."""
        return address.url.get_secret_value().partition("://")[0].lower()

    async def send(self, address: AppriseAddress, message: Message, outbound: Outbound) -> Outcome:
        """Unknown when the time is over: the thread can't be stopped, its send may still succeed."""
        url = address.url.get_secret_value()
        work = functools.partial(_send, url, message, self.limits, outbound.allowed, outbound.timeout_s)
        try:
            async with asyncio.timeout(outbound.timeout_s):
                return await outbound.in_thread(work)
        except TimeoutError:
            return Unknown("Apprise: no answer in time")
        except NotSent as error:
            return TryAgain(f"Apprise: {error}")


def _send(url: str, message: Message, limits: Limits, allowed: Allowed, timeout_s: float) -> Outcome:
    """In a thread: one send, and what came of it."""
    with watched(allowed) as watch, _overheard() as words:
        try:
            service = _service(url, timeout_s)
            sent = not isinstance(service, Refused) and service.notify(**_dressed(message, limits))
        except Exception as error:  # noqa: BLE001 - 170 plugins of a library, any of which may stumble over an answer
            return Unknown(f"Apprise stumbled: {type(error).__name__}")
    if watch.refusal:
        return Refused(f"Apprise: {watch.refusal}")
    if isinstance(service, Refused):
        return service
    return Accepted() if sent else _failure(str(getattr(service, "service_name", "Apprise")), words)


def _service(url: str, timeout_s: float) -> Any:
    """The plugin for this URL, or Refused. The URL is judged once more as Apprise itself reads it."""
    read: dict[str, Any] | None = url_to_dict(url)  # type: ignore[no-untyped-call] # Apprise leaves it untyped
    if not read:
        return Refused("Apprise can't read this address")
    reason = why_refused(str(read["schema"]), frozenset(str(name).lower() for name in read.get("qsd") or ()))
    service = None if reason else apprise.Apprise.instantiate(read, asset=_asset())
    if service is None:
        return Refused(f"Apprise: {reason or 'the address is incomplete or its service is not available'}")
    if not service.verify_certificate or service.redirects:
        return Refused("Apprise: the address weakens its own connection")
    service.socket_connect_timeout = timeout_s / 2
    service.socket_read_timeout = timeout_s
    return service


@functools.cache
def _asset() -> apprise.AppriseAsset:
    return apprise.AppriseAsset(
        app_id="Tocsin",
        app_desc="Tocsin",
        app_url="",
        image_url_mask="",
        image_url_logo="",
        http_redirects=False,
        secure_logging=True,
        pgp_autogen=False,
        pem_autogen=False,
        storage_mode=apprise.PersistentStoreMode.MEMORY,
    )


def _dressed(message: Message, limits: Limits) -> dict[str, Any]:
    """What the plugin is asked to send. The address comes first, because short messages lose their end."""
    lines = (safe_url(message.url) or "", text_of(message, limits.text))
    loud = apprise.NotifyType.FAILURE if message.urgency == "high" else apprise.NotifyType.WARNING
    return {
        "title": title_of(message, limits.title),
        "body": "\n".join(line for line in lines if line) or "(no text)",
        "notify_type": loud if message.kind != "test" and message.severity else apprise.NotifyType.INFO,
        "body_format": apprise.NotifyFormat.TEXT,
        "overflow": apprise.OverflowMode.TRUNCATE,
    }


def _failure(name: str, words: list[str]) -> Outcome:
    """What a failure amounts to, from the status or the connection error in the plugin's own log lines."""
    statuses = [int(found[1]) for line in words if (found := _STATUS.search(line))]
    if statuses:
        return outcome_of(statuses[-1], f"{name} answered {statuses[-1]}")
    if any(sign in line for line in words for sign in _NEVER_CONNECTED):
        return TryAgain(f"{name}: no connection")
    return Unknown(f"{name} did not take the message, and Apprise does not say why")


_words: ContextVar[list[str] | None] = ContextVar("tocsin_apprise_words", default=None)


class _Ear(logging.Filter):
    """Keeps what the plugin of this send says, and lets none of it pass: its lines hold tokens."""

    def filter(self, record: logging.LogRecord) -> bool:
        words = _words.get()
        if words is not None and len(words) < 100:
            words.append(record.getMessage()[:2_000])
        return False


@functools.cache
def _listen() -> None:
    """Once a process: Apprise's log stays with us, and the HTTP library under it stops writing whole URLs."""
    logger = logging.getLogger("apprise")
    logger.setLevel(logging.DEBUG)
    logger.addFilter(_Ear())
    logging.getLogger("urllib3").setLevel(logging.ERROR)


@contextmanager
def _overheard() -> Iterator[list[str]]:
    _listen()
    words: list[str] = []
    token = _words.set(words)
    try:
        yield words
    finally:
        _words.reset(token)

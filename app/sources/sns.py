"""AWS SNS, with CloudWatch alarms in it: the envelope and its signature, the subscription, and the alarm in the text.

A signature only proves that some topic of AWS sent this; `topics` says which ones may. The certificate can only come from
SNS itself: its address is checked against one pattern before anybody dials it.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from typing import Any, ClassVar, Literal, Self
from urllib.parse import quote

import orjson
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from pydantic import Field

from app.clock import MINUTE, Micros, from_datetime
from app.sources import aws, conventions, severity, times
from app.sources.decode import decode
from app.sources.event import Event, Reading, Received, Status, Unproven, Unreadable
from app.sources.fields import instant, joined, part, said
from app.sources.limits import finish, fitted, links, one_line, text
from app.sources.remapping import Places, remapped
from app.sources.signature import check_age
from app.sources.source import SourceSettings, Word
from app.sources.tags import tags

FRESH: Micros = 70 * MINUTE
"""SNS sends again for an hour at most; what is older is no retry."""

_CERTIFICATE = re.compile(
    r"https://sns\.[a-z0-9-]{1,40}\.amazonaws\.com(?:\.cn)?/SimpleNotificationService-\w{1,100}\.pem"
)
_SUBSCRIBE = re.compile(
    r"https://sns\.[a-z0-9-]{1,40}\.amazonaws\.com(?:\.cn)?/\?Action=ConfirmSubscription&[\w.:%=&-]{1,2000}"
)
_SIGNED = ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type")
_SIGNED_BEFORE = ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type")
_ALWAYS = {"Message", "MessageId", "Timestamp", "TopicArn", "Type"}
_HASHES = {"1": hashes.SHA1, "2": hashes.SHA256}
_STATES: Mapping[str, Status] = {"ALARM": "firing", "OK": "resolved"}
_PLACES = Places(("NewStateValue", "detail.state.value"), ())
_GRADE = re.compile(r"\b(?:priority|severity)\s*[=:]\s*([\w-]{1,30})", re.IGNORECASE)
_RUNBOOK = re.compile(r"\brunbook\s*[=:]\s*(https?://\S{1,1000})", re.IGNORECASE)
_REGION = re.compile(r"[a-z0-9-]{1,40}")


class SnsSettings(SourceSettings):
    """What an integration of SNS can set."""

    verify: bool = Field(
        default=True, description="False takes messages without a signature: raw message delivery, and tests by hand."
    )
    topics: tuple[Word, ...] = Field(
        default=(),
        max_length=100,
        description="The ARNs of topics that may send. Unset: every topic that knows the address.",
    )
    insufficient_data: Literal["ignore", "firing", "resolved"] = Field(
        default="ignore", description="What an alarm without enough data means: by default it stays as it was."
    )

    def unsigned(self) -> Self:
        """See SourceSettings."""
        return self.model_copy(update={"verify": False})


class Sns:
    """AWS SNS topics."""

    kind: ClassVar[str] = "sns"
    title: ClassVar[str] = "AWS SNS and CloudWatch"
    setup: ClassVar[str] = """
*SNS - Topics - (the topic of your alarms) - Create subscription*: protocol HTTPS, endpoint `{url}`. Tocsin confirms it within a minute. Put
the topic's ARN into the setting `topics` of this integration. With the command line:

```sh
aws sns subscribe --topic-arn ARN --protocol https --notification-endpoint {url}
```
"""
    example: ClassVar[dict[str, Any]] = {
        "Type": "Notification",
        "TopicArn": "test",
        "MessageId": "test",
        "Message": '{"AlarmName":"A test of the way from CloudWatch","NewStateValue":"ALARM","AWSAccountId":"test"}',
    }
    Settings: ClassVar[type[SourceSettings]] = SnsSettings

    def certificate(self, received: Received, settings: SnsSettings) -> str:
        """See Certified."""
        return certificate_url(_envelope(received)[0]) if settings.verify else ""

    def read(self, received: Received, settings: SnsSettings, now: Micros) -> Reading:
        """See Source.read. A message that is no alarm is read by the common conventions, with its subject as title."""
        envelope, scrubbed = _envelope(received)
        if settings.verify:
            verify(_as_signed(received.body) if scrubbed else envelope, received.certificate, now)
        records = envelope.get("Records")
        envelopes = (
            [part(one, "Sns") for one in records] if type(records) is list and not settings.verify else [envelope]
        )
        events: list[Event] = []
        confirm = ""
        for one in envelopes:
            topic, kind = said(one, "TopicArn"), said(one, "Type")
            if settings.topics and topic not in settings.topics:
                raise Unproven(f"The topic {topic or '(none)'} is not one of those in the settings (topics).")
            if kind == "SubscriptionConfirmation":
                confirm = _confirmation(one)
            events += _events(one, kind, settings, now)
        proof = joined(said(envelope, "TopicArn"), said(envelope, "MessageId")) if settings.verify else ""
        return finish([fitted(event) for event in events], (), scrubbed=scrubbed, proof=proof, confirm=confirm)


def _envelope(received: Received) -> tuple[dict[str, Any], bool]:
    value, scrubbed = decode(received.body)
    if type(value) is not dict or not value.keys() & {"Type", "Records", "AlarmName", "Message"}:
        raise Unreadable("This is no message of SNS: an envelope with `Type` and `Message` was expected.")
    return value, scrubbed


def _as_signed(body: bytes) -> dict[str, Any]:
    """The envelope as it came: what `decode` replaced in it was signed too. What is no strict JSON, SNS did not sign."""
    try:
        return part(orjson.loads(body))
    except orjson.JSONDecodeError:
        raise Unproven("The signature is wrong: the message is not the JSON that SNS sends.") from None


def certificate_url(envelope: Mapping[str, Any]) -> str:
    """Where the certificate lies. Raises Unproven unless that is SNS itself."""
    if not said(envelope, "Signature"):
        raise Unproven("The signature is missing; for raw message delivery set `verify` to false.")
    url = said(envelope, "SigningCertURL", "SigningCertUrl")
    if not _CERTIFICATE.fullmatch(url):
        raise Unproven("The address of the certificate is not one of SNS (https://sns.REGION.amazonaws.com/...pem).")
    return url


def verify(envelope: Mapping[str, Any], certificate: bytes, now: Micros) -> None:
    """Raises Unproven unless the envelope was signed with this certificate, and not long ago."""
    algorithm = _HASHES.get(said(envelope, "SignatureVersion"))
    if algorithm is None:
        raise Unproven("The SignatureVersion is neither 1 nor 2.")
    names = _SIGNED if said(envelope, "Type") == "Notification" else _SIGNED_BEFORE
    fields = {name: envelope[name] for name in names if type(envelope.get(name)) is str}
    # What is signed is lines without lengths: a field that may hold several could claim to be its neighbours too.
    if not fields.keys() >= _ALWAYS or any("\n" in value for name, value in fields.items() if name != "Message"):
        raise Unproven("A signed field is missing or has more than one line, as SNS sends none.")
    signed = "".join(f"{name}\n{value}\n" for name, value in fields.items())
    try:
        known = x509.load_pem_x509_certificate(certificate)
        key = known.public_key()
        if not isinstance(key, rsa.RSAPublicKey):
            raise Unproven("The certificate of SNS has no RSA key.")
        given = base64.b64decode(said(envelope, "Signature"), validate=True)
        # Version 1 is SHA-1 by AWS' own choice; a topic can be set to version 2.
        key.verify(given, signed.encode("utf-8", "surrogatepass"), padding.PKCS1v15(), algorithm())
    except binascii.Error:
        raise Unproven("The signature is no base64.") from None
    except ValueError:
        raise Unproven("What lies at the address of the certificate is none.") from None
    except InvalidSignature:
        raise Unproven("The signature is wrong: the message was changed, or somebody else signed it.") from None
    if not from_datetime(known.not_valid_before_utc) <= now <= from_datetime(known.not_valid_after_utc):
        raise Unproven("The certificate of SNS is not valid now.")
    check_age(times.parse(envelope.get("Timestamp")), now, "Timestamp", FRESH)


def _confirmation(envelope: Mapping[str, Any]) -> str:
    url = said(envelope, "SubscribeURL")
    if not _SUBSCRIBE.fullmatch(url):
        raise Unproven(
            "The SubscribeURL is not one of SNS (https://sns.REGION.amazonaws.com/?Action=ConfirmSubscription)."
        )
    return url


def _events(envelope: dict[str, Any], kind: str, settings: SnsSettings, now: Micros) -> list[Event]:
    topic = said(envelope, "TopicArn")
    if kind == "SubscriptionConfirmation":
        title = f"{topic or 'An SNS topic'} sends to Tocsin now"
        return [Event("firing", joined("subscribed", topic), title, "info", {"topic": topic}, test=True)]
    if kind == "UnsubscribeConfirmation":
        title = f"{topic or 'An SNS topic'} no longer sends to Tocsin"
        return [Event("firing", joined("unsubscribed", topic), title, "error", {"topic": topic})]
    inner = envelope if "AlarmName" in envelope else _inner(envelope.get("Message"))
    fields = part(inner)
    if alarm := fields if "AlarmName" in fields else aws.alarm_of(fields):
        event = _alarm(alarm, topic, settings, now)
    elif aws.is_event(fields):
        event = aws.happened(fields, now)
    else:
        event = aws.announced(fields) or _other(inner, one_line(said(envelope, "Subject")), now)
    if event is None:
        return []
    if not alarm:
        event = event._replace(labels={**event.labels, "topic": topic})
    message = fields or envelope
    return [remapped(fitted(event), settings, _PLACES, message, envelope) if settings.remaps else event]


def _inner(message: Any) -> Any:
    """The JSON in the text of a message, or the text."""
    if type(message) is str and message.lstrip().startswith("{"):
        try:
            return decode(message.encode("utf-8", "replace")).value
        except Unreadable:
            return message
    return message


def _other(message: Any, subject: str, now: Micros) -> Event:
    """Whatever else somebody publishes."""
    event = conventions.read(message, now)
    described = text(message) if type(message) is str else event.annotations.get("description", "")
    return event._replace(
        title=subject or event.title,
        key=conventions.title_key(message, subject) if subject and event.key.startswith("text:") else event.key,
        annotations={**event.annotations, "description": described},
    )


def _alarm(alarm: dict[str, Any], topic: str, settings: SnsSettings, now: Micros) -> Event | None:
    name, word = said(alarm, "AlarmName"), said(alarm, "NewStateValue").upper()
    status = _STATES.get(word, "firing")
    if word == "INSUFFICIENT_DATA":
        if settings.insufficient_data == "ignore":
            return None
        status = settings.insufficient_data
    arn = said(alarm, "AlarmArn")
    pieces = (arn or topic).split(":")
    region = pieces[3] if len(pieces) > 3 and _REGION.fullmatch(pieces[3]) else ""
    account = said(alarm, "AWSAccountId")
    about, trigger = said(alarm, "AlarmDescription"), part(alarm, "Trigger")
    # An alarm over many time series tells of each by itself: some are over while others still burn.
    series, attributes = said(alarm, "AlarmContributorId"), tags(alarm.get("AlarmContributorAttributes"))
    grade, runbook = _GRADE.search(about), _RUNBOOK.search(about)
    at = instant(alarm, now, "StateChangeTime")
    return Event(
        status=status,
        key=(arn or joined(region, account, name)) + (f"/{series}" if series else ""),
        title=": ".join(filter(None, (name or "CloudWatch alarm", ", ".join(attributes.values())))),
        severity=(severity.lookup(grade[1]) if grade else None) or severity.UNKNOWN,
        labels={
            **_dimensions(trigger),
            **attributes,
            "alertname": name,
            "region": region,
            "account": account,
            "namespace": said(trigger, "Namespace"),
            "metric": said(trigger, "MetricName"),
        },
        annotations={"description": about, "reason": said(alarm, "NewStateReason"), "state": word},
        links=links(("CloudWatch", _console(region, name)), ("Runbook", runbook[1] if runbook else "")),
        starts_at=at if status == "firing" else None,
        ends_at=at if status == "resolved" else None,
    )


def _dimensions(trigger: dict[str, Any]) -> dict[str, str]:
    found = trigger.get("Dimensions")
    each = [part(one) for one in found] if type(found) is list else []
    return {said(one, "name"): said(one, "value") for one in each if said(one, "name")}


def _console(region: str, name: str) -> str:
    if not region or not name:
        return ""
    return (
        f"https://{region}.console.aws.amazon.com/cloudwatch/home?region={region}#alarmsV2:alarm/{quote(name, safe='')}"
    )

"""An SNS of the tests: a key and a certificate of its own, envelopes signed as SNS signs them, and the way to it."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from functools import cache
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import NameOID

from app.clock import Micros, iso
from app.notifiers.errors import NotSent
from app.notifiers.outbound import Got

AWS = "sns.amazonaws.com"
CERTIFICATE_URL = "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-b95095beb82e8f6a.pem"
TOPIC = "arn:aws:sns:eu-west-1:123456789012:alerts"
SUBSCRIBE_URL = (
    f"https://sns.eu-west-1.amazonaws.com/?Action=ConfirmSubscription&TopicArn={TOPIC}&Token=2336412f37fb687f"
)
_HASHES = {"1": hashes.SHA1, "2": hashes.SHA256}


@cache
def keys(name: str) -> tuple[rsa.RSAPrivateKey, bytes]:
    """A private key and its certificate as PEM; the same for each test."""
    key = rsa.generate_private_key(65_537, 2_048)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(datetime(2020, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2040, 1, 1, tzinfo=UTC))
        .sign(key, hashes.SHA256())
    )
    return key, made.public_bytes(serialization.Encoding.PEM)


def signed(envelope: dict[str, Any], version: str = "1", signer: str = AWS) -> bytes:
    """The body of a request: the envelope with its signature."""
    whole = {"SigningCertURL": CERTIFICATE_URL, **envelope, "SignatureVersion": version}
    names = ["Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"]
    if whole["Type"] != "Notification":
        names = ["Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"]
    text = "".join(f"{name}\n{whole[name]}\n" for name in names if whole.get(name) is not None)
    signature = keys(signer)[0].sign(text.encode(), padding.PKCS1v15(), _HASHES[version]())
    return json.dumps({**whole, "Signature": base64.b64encode(signature).decode()}).encode()


def notification(now: Micros, number: int, message: Any, **more: Any) -> dict[str, Any]:
    """The envelope of a notification."""
    text = message if isinstance(message, str) else json.dumps(message)
    envelope = {"Type": "Notification", "MessageId": f"m-{number}", "TopicArn": TOPIC, "Message": text}
    return {**envelope, "Timestamp": iso(now), **more}


def alarm(state: str, name: str = "Disk full") -> dict[str, Any]:
    """What CloudWatch says of an alarm."""
    return {
        "AlarmName": name,
        "AlarmDescription": "PRIORITY=P1",
        "AWSAccountId": "123456789012",
        "NewStateValue": state,
        "NewStateReason": "Threshold Crossed",
        "AlarmArn": f"arn:aws:cloudwatch:eu-west-1:123456789012:alarm:{name}",
    }


class WayToAws:
    """Stands where the guarded way out does, and leads to this SNS alone."""

    def __init__(self, now: Any) -> None:
        self.now = now
        self.asked: list[str] = []
        self.down = False

    async def aclose(self) -> None:
        return None

    def fetch_deadline(self) -> float:
        return 0.0

    async def get(self, url: str, **_: Any) -> Got:
        self.asked.append(url)
        if self.down:
            raise NotSent("sns.eu-west-1.amazonaws.com: no connection in time")
        return Got(200, {}, keys(AWS)[1] if url.endswith(".pem") else b"<ConfirmSubscriptionResponse/>")

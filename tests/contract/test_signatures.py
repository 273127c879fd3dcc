"""Signed senders: what is missing, wrong, old or somebody else's is refused by name; and nobody dials a stranger for SNS."""

from __future__ import annotations

import hashlib
import hmac
import json

import pytest

from app.clock import MINUTE, SECOND, iso
from app.sources.event import Received, Unproven
from app.sources.redaction import MASK, MAX_SAMPLE, redacted
from app.sources.registry import SOURCES, parse_settings
from tests.contract.test_sources import firing
from tests.harness.aws import AWS, CERTIFICATE_URL, SUBSCRIBE_URL, TOPIC, alarm, keys, notification, signed

NOW = 1_785_000_000_000_000
SECRET = "a secret of twenty"
SCHEMES = {
    "sentry": ("Sentry-Hook-Signature", "", "Sentry-Hook-Timestamp", False),
    "github": ("X-Hub-Signature-256", "sha256=", "", False),
    "grafana": ("X-Grafana-Alerting-Signature", "", "X-Time", True),
    "generic": ("X-Signature", "sha256=", "", False),
}


def settings(kind):
    more = {"timestamp_header": "X-Time"} if kind == "grafana" else {}
    return parse_settings(kind, {"secret": SECRET, **more})


def headers(kind, body, *, secret=SECRET, at=NOW, **without):
    """As the sender would send them."""
    name, prefix, time_header, time_signed = SCHEMES[kind]
    said = str(at // SECOND)
    text = f"{said}:".encode() + body if time_signed else body
    found = {name: prefix + hmac.new(secret.encode(), text, hashlib.sha256).hexdigest()}
    if time_header:
        found[time_header] = said
    return tuple((header.lower().encode(), value.encode()) for header, value in found.items() if header not in without)


def read(kind, body, given, chosen=None):
    return SOURCES[kind].read(Received(body, "", None, given), chosen or settings(kind), NOW)


@pytest.mark.parametrize("kind", SCHEMES)
class TestSharedSecrets:
    def test_what_is_signed_counts_and_without_a_secret_nothing_is_asked(self, kind):
        body, _, plain = firing(kind)
        assert read(kind, body, headers(kind, body)).events == plain.events
        assert read(kind, body, (), parse_settings(kind, {})).events == plain.events

    @pytest.mark.parametrize(
        "change", ["missing", "empty", "other secret", "other body", "garbage", "not ascii", "cut"]
    )
    def test_what_is_not_is_refused(self, kind, change):
        body, _, _ = firing(kind)
        good = headers(kind, body)
        name = SCHEMES[kind][0].lower().encode()
        given = {
            "missing": tuple(pair for pair in good if pair[0] != name),
            "empty": tuple((one, b"" if one == name else value) for one, value in good),
            "other secret": headers(kind, body, secret="another secret"),
            "other body": headers(kind, body + b" "),
            "garbage": tuple((one, b"sha256=zz" if one == name else value) for one, value in good),
            "not ascii": tuple((one, b"\xff\xfe" if one == name else value) for one, value in good),
            "cut": tuple((one, value[:-1] if one == name else value) for one, value in good),
        }[change]
        with pytest.raises(Unproven, match="missing" if change in ("missing", "empty") else "wrong"):
            read(kind, body, given)


@pytest.mark.parametrize("kind", ["sentry", "grafana"])
@pytest.mark.parametrize("away", [-6 * MINUTE, 6 * MINUTE, -NOW])
def test_a_signature_that_is_old_or_ahead_is_refused(kind, away):
    body, _, _ = firing(kind)
    with pytest.raises(Unproven, match=r"old|has no time"):
        read(kind, body, headers(kind, body, at=NOW + away))
    assert read(kind, body, headers(kind, body, at=NOW - 4 * MINUTE)).proof


def test_only_what_no_repeat_of_the_sender_has_is_a_proof():
    """Grafana without a time signs a repeat as the message before it, and two runs of a script may say the same."""
    body, _, _ = firing("grafana")
    untimed = parse_settings("grafana", {"secret": SECRET})
    digest = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest().encode()
    assert read("grafana", body, ((b"x-grafana-alerting-signature", digest),), untimed).proof == ""
    body, _, _ = firing("generic")
    assert read("generic", body, headers("generic", body)).proof == ""
    body, _, _ = firing("github")
    assert read("github", body, headers("github", body)).proof


def sns(body, certificate=None, **chosen):
    received = Received(body, "text/plain", None, (), keys(AWS)[1] if certificate is None else certificate)
    source, known = SOURCES["sns"], parse_settings("sns", chosen)
    source.certificate(received, known)
    return source.read(received, known, NOW)


class TestSns:
    @pytest.mark.parametrize("version", ["1", "2"])
    @pytest.mark.parametrize("more", [{}, {"Subject": "ALARM: Disk"}, {"Message": "äöü\n\u202e text"}])
    def test_both_versions_with_and_without_subject(self, version, more):
        reading = sns(signed(notification(NOW, 1, alarm("ALARM"), **more), version))
        assert len(reading.events) == 1
        assert reading.proof

    def test_a_confirmation_names_the_address_to_ask_and_is_a_test(self):
        envelope = {
            "Type": "SubscriptionConfirmation",
            "MessageId": "m",
            "TopicArn": TOPIC,
            "Token": "t",
            "Message": "x",
        }
        reading = sns(signed({**envelope, "SubscribeURL": SUBSCRIBE_URL, "Timestamp": iso(NOW)}))
        assert reading.confirm == SUBSCRIBE_URL
        assert reading.events[0].test

    @pytest.mark.parametrize(
        "change",
        [
            {"Message": "other"},
            {"MessageId": "other"},
            {"TopicArn": "other"},
            {"Timestamp": iso(NOW - SECOND)},
            {"Subject": "x"},
        ],
    )
    def test_whatever_was_changed_after_the_signature_is_refused(self, change):
        body = json.loads(signed(notification(NOW, 1, alarm("ALARM"))))
        with pytest.raises(Unproven, match="wrong"):
            sns(json.dumps({**body, **change}).encode())

    def test_another_topic_cannot_sign_for_ours(self):
        """What SNS signs is lines without lengths: the message of a topic of one's own can hold the lines of a whole one."""
        own = "arn:aws:sns:eu-west-1:666666666666:own"
        lies = (
            f"{json.dumps(alarm('OK'))}\nMessageId\nm-9\nTimestamp\n{iso(NOW)}\nTopicArn\n{TOPIC}\nType\nNotification"
        )
        body = json.loads(signed(notification(NOW, 1, lies, TopicArn=own)))
        rest = f"\nMessageId\nm-1\nTimestamp\n{iso(NOW)}\nTopicArn\n{own}\nType\nNotification"
        forged = {
            "MessageId": "m-9",
            "TopicArn": TOPIC,
            "Message": json.dumps(alarm("OK")),
            "Type": f"Notification{rest}",
        }
        with pytest.raises(Unproven, match="more than one line"):
            sns(json.dumps({**body, **forged}).encode(), topics=[TOPIC])

    @pytest.mark.parametrize(
        "change",
        [{"MessageId": "m-1\nSubject\nDisk", "Subject": None}, {"Message": "full\nMessageId\nm-1", "MessageId": None}],
    )
    def test_a_message_taken_before_cannot_come_as_another(self, change):
        body = json.loads(signed(notification(NOW, 1, "full", Subject="Disk")))
        with pytest.raises(Unproven, match="missing or has more than one line"):
            sns(json.dumps({**body, **change}).encode())

    @pytest.mark.parametrize(
        ("change", "why"),
        [
            ({"Signature": ""}, "missing"),
            ({"Signature": "!"}, "no base64"),
            ({"Signature": "aGk="}, "wrong"),
            ({"SignatureVersion": "3"}, "neither 1 nor 2"),
            ({"SigningCertURL": ""}, "not one of SNS"),
        ],
    )
    def test_what_cannot_be_checked_is_refused(self, change, why):
        body = json.loads(signed(notification(NOW, 1, alarm("ALARM"))))
        with pytest.raises(Unproven, match=why):
            sns(json.dumps({**body, **change}).encode())

    def test_another_key_an_old_time_a_strange_certificate_or_topic_is_refused(self):
        good = notification(NOW, 1, alarm("ALARM"))
        for body, certificate, why in (
            (signed(good, signer="mallory"), None, "wrong"),
            (signed({**good, "Timestamp": iso(NOW - 71 * MINUTE)}), None, "old"),
            (signed({**good, "Timestamp": iso(NOW + 71 * MINUTE)}), None, "old"),
            (signed(good), b"<html>", "there is none|is none"),
        ):
            with pytest.raises(Unproven, match=why):
                sns(body, certificate)
        with pytest.raises(Unproven, match="not one of those"):
            sns(signed(good), topics=["arn:aws:sns:eu-west-1:1:other"])
        assert sns(signed(good), topics=[TOPIC]).events

    @pytest.mark.parametrize(
        "url",
        [
            CERTIFICATE_URL.replace("https", "http"),
            CERTIFICATE_URL.replace("amazonaws.com", "amazonaws.com.evil.example"),
            CERTIFICATE_URL.replace("sns.eu-west-1.", "sns.eu-west-1.evil.example/"),
            CERTIFICATE_URL.replace("https://", "https://evil@"),
            CERTIFICATE_URL.replace(".com/", ".com:8443/"),
            CERTIFICATE_URL.replace(".com/", ".com/../"),
            CERTIFICATE_URL.replace(".com/", ".com\\@evil.example/"),
            CERTIFICATE_URL + "?x=1",
            CERTIFICATE_URL + "#x",
            CERTIFICATE_URL.replace(".pem", ".pem.txt"),
            CERTIFICATE_URL.replace("sns.", "s3."),
            CERTIFICATE_URL.replace("sns.eu-west-1", "sns.eu.west"),
            "https://169.254.169.254/SimpleNotificationService-1.pem",
            "https://bucket.s3.amazonaws.com/SimpleNotificationService-1.pem",
            "file:///etc/passwd",
        ],
    )
    def test_the_certificate_can_only_come_from_sns(self, url):
        body = json.loads(signed(notification(NOW, 1, alarm("ALARM"))))
        with pytest.raises(Unproven, match="not one of SNS"):
            sns(json.dumps({**body, "SigningCertURL": url}).encode())

    @pytest.mark.parametrize(
        "url",
        [
            SUBSCRIBE_URL.replace("https", "http"),
            SUBSCRIBE_URL.replace("amazonaws.com", "amazonaws.com.evil.example"),
            SUBSCRIBE_URL.replace("https://", "https://evil@"),
            SUBSCRIBE_URL.replace("ConfirmSubscription", "DeleteTopic"),
            SUBSCRIBE_URL + "&x=@evil.example/",
            "http://169.254.169.254/latest/meta-data",
            "",
        ],
    )
    def test_only_sns_itself_is_asked_to_confirm(self, url):
        envelope = {
            "Type": "SubscriptionConfirmation",
            "MessageId": "m",
            "TopicArn": TOPIC,
            "Token": "t",
            "Message": "x",
        }
        with pytest.raises(Unproven, match="not one of SNS"):
            sns(signed({**envelope, "SubscribeURL": url, "Timestamp": iso(NOW)}))


class TestRedaction:
    @pytest.mark.parametrize(
        "body",
        [
            b'{"a": {"api_key": "hunter2", "password": {"x": "hunter2"}}, "b": [{"routing_key": "hunter2"}]}',
            b"payload=x&token=hunter2&more=1",
            b"not json, Authorization: Bearer hunter2hunter2 and password=hunter2",
            b'{"broken": "x", "secret": "hunter2", ',
            b'{"url": "https://user:hunter2@example.org/x"}',
            b'{"text": "Authorization: GenieKey hunter2hunter2"}',
        ],
    )
    def test_secrets_are_masked_in_json_forms_and_texts(self, body):
        shown = redacted(body)
        assert "hunter2" not in shown
        assert MASK in shown

    def test_what_is_kept_is_bounded_and_the_rest_stays(self):
        assert len(redacted(b'{"a": "' + b"x" * 100_000 + b'"}')) == MAX_SAMPLE
        for depth in (400, 900):  # hidden from the decoder behind brackets in texts
            assert redacted(b'["]",' * depth + b'"token=abc"' + b',"["]' * depth).startswith('["]",["]"')
        assert json.loads(redacted(b'{"title": "disk full", "n": [1, null]}')) == {"title": "disk full", "n": [1, None]}

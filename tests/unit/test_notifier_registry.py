"""The list of notifiers, and addresses between their checked, stored and shown forms."""

from __future__ import annotations

import json
from importlib.metadata import EntryPoint

import pytest
from pydantic import SecretStr

from app.notifiers.notifier import Accepted, Address, Limits
from app.notifiers.registry import BadAddress, BadNotifier, build, parse_address, public_address, stored_document
from tests.harness.reach import CANARY, document

NOTIFIERS = build(offered=())


class ThirdAddress(Address):
    number: str


class Third:
    kind = "carrier-pigeon"
    title = "Pigeon"
    limits = Limits(title=10, text=20)
    Address = ThirdAddress

    async def send(self, address, message, outbound):
        return Accepted()


class Impostor(Third):
    kind = "slack"


class Half:
    kind = "half"


def point(name: str) -> EntryPoint:
    return EntryPoint(name=name.lower(), value=f"{__name__}:{name}", group="tocsin.notifiers")


def test_these_are_ours():
    assert list(NOTIFIERS) == ["console", "email", "webhook", "slack", "ntfy", "telegram", "apprise"]


@pytest.mark.parametrize("kind", NOTIFIERS)
def test_each_says_its_name_and_limits(kind):
    notifier = NOTIFIERS[kind]
    assert notifier.kind == kind
    assert notifier.title
    assert 50 <= notifier.limits.title <= notifier.limits.text


@pytest.mark.parametrize("kind", NOTIFIERS)
def test_an_address_survives_the_store(kind):
    address = parse_address(NOTIFIERS, kind, document(kind, 8080))
    stored = json.loads(json.dumps(stored_document(address)))
    assert parse_address(NOTIFIERS, kind, stored) == address


@pytest.mark.parametrize("kind", NOTIFIERS)
def test_a_shown_address_holds_no_secret(kind):
    address = parse_address(NOTIFIERS, kind, document(kind, 8080))
    assert CANARY not in json.dumps(public_address(address))
    assert CANARY not in repr(address)
    secrets = {field for field in type(address).model_fields if isinstance(getattr(address, field), SecretStr)}
    assert {field for field, value in public_address(address).items() if value == "***"} == secrets


@pytest.mark.parametrize("kind", NOTIFIERS)
def test_every_field_is_described_for_the_form(kind):
    assert all(field.description for field in NOTIFIERS[kind].Address.model_fields.values())


WRONG = [
    ("email", {"to": "Ana <ana@example.org>"}, "to"),
    ("email", {"to": "ana@example.org\nBcc: x@y.test"}, "to"),
    ("email", {"to": "ana@example.org,x@y.test"}, "to"),
    ("email", {"to": "ana@@example.org"}, "to"),
    ("email", {"to": "ana@exa mple.org"}, "to"),
    ("email", {"to": "@example.org"}, "to"),
    ("email", {"to": "ana@example..org"}, "to"),
    ("email", {"to": "ana@-example.org"}, "to"),
    ("email", {"to": '"a b"@example.org'}, "to"),
    ("email", {"to": "a" * 65 + "@example.org"}, "to"),
    ("email", {}, "to"),
    ("webhook", {"url": "ftp://x.test/" + CANARY}, "url"),
    ("webhook", {"url": f"https://user:{CANARY}@x.test/"}, "url"),
    ("webhook", {"url": f"https://{CANARY}:99999999/"}, "url"),
    ("webhook", {"url": f"https://[{CANARY}/"}, "url"),
    ("webhook", {"url": "https:///" + CANARY}, "url"),
    ("webhook", {"url": "https://x.test/" + CANARY * 100}, "url"),
    ("webhook", {"url": "https://x.test/", "authorization": f"Bearer\r\nX: {CANARY}"}, "authorization"),
    ("webhook", {"url": "https://x.test/", "authorization": f"Bearer é{CANARY}"}, "authorization"),
    ("webhook", {"url": "https://x.test/", CANARY + "x": 1}, ""),
    ("slack", {"url": "javascript:" + CANARY}, "url"),
    ("ntfy", {"topic": "a/b"}, "topic"),
    ("ntfy", {"topic": ""}, "topic"),
    ("ntfy", {"topic": "x", "server": "ntfy.sh"}, "server"),
    ("ntfy", {"topic": "x", "token": CANARY + "\n"}, "token"),
    ("telegram", {"token": CANARY, "chat_id": "1"}, "token"),
    ("telegram", {"token": f"1:{CANARY}/../../x", "chat_id": "1"}, "token"),
    ("telegram", {"token": f"123456:{CANARY}", "chat_id": "me"}, "chat_id"),
    ("telegram", {"token": f"123456:{CANARY}", "chat_id": "1", "thread_id": 0}, "thread_id"),
    ("apprise", {"url": CANARY}, "url"),
    ("apprise", {"url": f"file:///etc/{CANARY}"}, "url"),
    ("apprise", {"url": f"https://hooks.slack.com/services/{CANARY}"}, "url"),
    ("apprise", {"url": f"json://x.test/{CANARY}?verify=no"}, "url"),
    ("apprise", {"url": f"json://x.test/{CANARY}\r\n"}, "url"),
    ("no-such-kind", {}, ""),
]


@pytest.mark.parametrize(("kind", "given", "field"), WRONG)
def test_a_wrong_address_is_refused_by_field_without_quoting_it(kind, given, field):
    with pytest.raises(BadAddress) as caught:
        parse_address(NOTIFIERS, kind, given)
    assert all(problem for _, problem in caught.value.problems)
    assert field == "" or {name for name, _ in caught.value.problems} == {field}
    assert all(CANARY not in problem for _, problem in caught.value.problems)
    if field:
        assert CANARY not in str(caught.value)


def test_another_packages_notifier_joins_by_its_entry_point():
    notifiers = build(offered=[point("Third")])
    assert notifiers["carrier-pigeon"].title == "Pigeon"
    assert stored_document(parse_address(notifiers, "carrier-pigeon", {"number": "7"})) == {"number": "7"}


@pytest.mark.parametrize("name", ["Impostor", "Half", "NoSuchThing"])
def test_a_notifier_that_can_not_be_used_stops_the_start_with_its_name(name):
    with pytest.raises(BadNotifier, match=name):
        build(offered=[point(name)])

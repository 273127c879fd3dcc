"""What an Apprise URL can't make this process do: touch the machine, dial inside, or weaken its own connection."""

from __future__ import annotations

import socket
import subprocess
import sys

import pytest
from apprise.manager_plugins import NotificationManager

from app.notifiers.apprise import ALLOWED_KINDS, FORBIDDEN_OPTIONS
from app.notifiers.guard import Allowed
from app.notifiers.notifier import Accepted, Refused, TryAgain
from app.notifiers.outbound import Outbound, OutboundSettings
from app.notifiers.registry import BadAddress, build, parse_address
from app.notifiers.watch import watched
from tests.harness.providers import Answering, provider
from tests.harness.reach import MESSAGE, NOW, no_trust

NOTIFIERS = build(offered=())

LOCAL = [
    "file", "syslog", "dbus", "kde", "qt", "gnome", "glib", "gio", "macosx", "windows", "growl", "blink1", "mailto",
    "mailtos", "deltachat", "fcm", "vapid", "rsyslog", "mqtt", "mqtts", "amqp", "irc", "xmpp", "smpp", "aprs", "nostr",
    "session", "exec", "python", "unix", "include", "http", "https",
]  # fmt: skip


async def send(url: str, *, allow: tuple[str, ...] = ()):
    outbound = Outbound(OutboundSettings(timeout_s=5.0, allow=allow), now=lambda: NOW, trust=no_trust)
    outcome = await NOTIFIERS["apprise"].send(parse_address(NOTIFIERS, "apprise", {"url": url}), MESSAGE, outbound)
    await outbound.aclose()
    return outcome


@pytest.mark.parametrize("kind", LOCAL)
def test_kinds_that_do_more_than_http_are_refused(kind):
    with pytest.raises(BadAddress, match="not allowed"):
        parse_address(NOTIFIERS, "apprise", {"url": f"{kind}://user:pass@host/path"})


def test_every_allowed_kind_exists_and_needs_nothing_but_http():
    """Read from the installed Apprise: no allowed plugin's module opens sockets or starts programs by itself."""
    manager = NotificationManager()
    for kind in sorted(ALLOWED_KINDS):
        module = sys.modules[manager[kind].__module__]
        assert not {"subprocess", "smtplib", "paho", "dbus", "gi", "ctypes"} & set(vars(module)), kind


@pytest.mark.parametrize("option", sorted(FORBIDDEN_OPTIONS))
@pytest.mark.parametrize("spell", [str, str.upper, lambda option: "%" + option.encode().hex()[:2] + option[1:]])
def test_options_that_weaken_read_files_or_keep_state_are_refused(option, spell):
    with pytest.raises(BadAddress, match=f"option '{option}' is not allowed"):
        parse_address(NOTIFIERS, "apprise", {"url": f"json://host.test/?a=b&{spell(option)}=x"})


@pytest.mark.parametrize(
    "where",
    [
        "127.0.0.1:{port}",
        "localhost:{port}",
        "2130706433:{port}",
        "127.1:{port}",
        "0x7f000001:{port}",
        "0.0.0.0:{port}",
    ],
)
async def test_a_forbidden_address_is_refused_however_it_is_spelled(where):
    async with provider() as fake:
        outcome = await send(f"json://{where.format(port=fake.port)}/")
        assert isinstance(outcome, Refused | TryAgain), outcome
        assert fake.accepted == 0


async def test_a_forbidden_address_is_refused_with_the_setting_to_change():
    async with provider() as fake:
        outcome = await send(f"json://localhost:{fake.port}/")
        assert isinstance(outcome, Refused)
        assert "TOCSIN_OUTBOUND_ALLOW" in outcome.reason


async def test_a_name_the_operator_allowed_is_dialled():
    async with provider() as fake:
        assert isinstance(await send(f"json://localhost:{fake.port}/", allow=("localhost",)), Accepted)


async def test_a_redirect_is_not_followed_to_anywhere():
    async with provider() as inside, provider(Answering(302, b"", {"Location": inside.url()})) as fake:
        outcome = await send(f"json://127.0.0.1:{fake.port}/", allow=("127.0.0.0/8",))
        assert isinstance(outcome, Refused)
        assert inside.accepted == 0


async def test_an_address_that_apprise_can_not_use_is_refused():
    outcome = await send("discord://only-half")
    assert isinstance(outcome, Refused)


def test_under_watch_no_program_starts_and_no_local_socket_is_dialled():
    with watched(Allowed()) as watch:
        with pytest.raises(PermissionError, match="program"):
            subprocess.Popen([sys.executable, "-c", ""])
        with socket.socket(socket.AF_UNIX) as local, pytest.raises(PermissionError, match="local socket"):
            local.connect("/dev/log")
        with (
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as loose,
            pytest.raises(PermissionError, match="loopback"),
        ):
            loose.sendto(b"x", ("127.0.0.1", 514))
    assert watch.refusal
    assert "program" in watch.refusal


def test_outside_the_watch_everything_is_as_before():
    with watched(Allowed()):
        pass
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as loose:
        assert loose.sendto(b"x", ("127.0.0.1", 9)) == 1

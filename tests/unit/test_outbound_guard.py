"""Nothing but the public internet is ever dialled by default, however it is spelled, named or answered."""

from __future__ import annotations

from ipaddress import ip_network

import httpcore
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.notifiers.dial import Dial
from app.notifiers.guard import Allowed, read_allowance, why_forbidden
from app.notifiers.outbound import Forbidden, NotSent, Outbound, OutboundSettings
from tests.harness.reach import no_trust

PUBLIC = "93.184.216.34"
PUBLIC6 = "2606:2800:220:1:248:1893:25c8:1946"

LITERALS = [
    "http://127.0.0.1/",
    "http://127.0.0.1:6379/",
    "http://127.255.255.254/",
    "http://0.0.0.0/",
    "http://0.1.2.3/",
    "http://10.0.0.1/",
    "http://10.255.255.255/",
    "http://172.16.0.1/",
    "http://172.31.255.255/",
    "http://192.168.1.1/",
    "http://100.64.0.1/",
    "http://100.127.255.255/",
    "http://100.100.100.200/latest/meta-data/",
    "http://169.254.169.254/latest/meta-data/",
    "http://169.254.170.2/v2/credentials",
    "http://168.63.129.16/machine",
    "http://192.0.0.192/opc/v2/",
    "http://192.0.2.1/",
    "http://198.18.0.1/",
    "http://198.51.100.1/",
    "http://203.0.113.1/",
    "http://192.88.99.1/",
    "http://224.0.0.1/",
    "http://239.255.255.250/",
    "http://240.0.0.1/",
    "http://255.255.255.255/",
    "http://[::]/",
    "http://[::1]/",
    "http://[::1]:8080/",
    "http://[0:0:0:0:0:0:0:1]/",
    "http://[::ffff:127.0.0.1]/",
    "http://[::ffff:7f00:1]/",
    "http://[::ffff:10.0.0.1]/",
    "http://[::ffff:169.254.169.254]/",
    "http://[::ffff:93.184.216.34]/",
    "http://[::127.0.0.1]/",
    "http://[64:ff9b::7f00:1]/",
    "http://[64:ff9b::a9fe:a9fe]/",
    "http://[64:ff9b:1::1]/",
    "http://[2002:7f00:1::]/",
    "http://[2001::7f00:1]/",
    "http://[2001:db8::1]/",
    "http://[fc00::1]/",
    "http://[fd00:ec2::254]/",
    "http://[fdff::1]/",
    "http://[fe80::1]/",
    "http://[fec0::1]/",
    "http://[ff02::1]/",
    "http://[100::1]/",
    "http://[5f00::1]/",
    "http://[3fff::1]/",
]

ODD_SPELLINGS = [
    "http://2130706433/",
    "http://0x7f000001/",
    "http://0x7f.0.0.1/",
    "http://0x7f.1/",
    "http://0177.0.0.1/",
    "http://017700000001/",
    "http://127.1/",
    "http://127.0.1/",
    "http://127.0.0.1./",
    "http://127.0.0.01/",
    "http://1/",
    "http://0/",
    "http://3232235777/",
    "http://0xa9fea9fe/",
    "http://169.254.43518/",
    "http://1.2.3.4.5/",
    "http://999.1.1.1/",
    "http://①②⑦.⓪.⓪.①/",
    "http://127。0。0。1/",
    "http://user@93.184.216.34/",
    "http://93.184.216.34@127.0.0.1/",
    "http://127.0.0.1\\@93.184.216.34/",
    "http://127.0.0.1#@93.184.216.34/",
    "http://[::1%25lo]/",
    "http:///",
    "http://",
    "//127.0.0.1/",
    "/path",
    "",
    "ftp://93.184.216.34/",
    "file:///etc/passwd",
    "gopher://127.0.0.1:6379/_FLUSHALL",
    "unix:///var/run/docker.sock",
    "http+unix://%2Fvar%2Frun%2Fdocker.sock/",
    "ws://93.184.216.34/",
    "javascript:alert(1)",
    "http://good.test:99999/",
    "http://good.test:abc/",
    "http://[::1/",
]

NAMES = {
    "localhost": ["127.0.0.1", "::1"],
    "localhost.localdomain": ["127.0.0.1"],
    "metadata.google.internal": ["169.254.169.254"],
    "rebind.test": ["10.0.0.7"],
    "mixed.test": [PUBLIC, "127.0.0.1"],
    "mixed-late.test": [PUBLIC, "93.184.216.35", "93.184.216.36", "93.184.216.37", "93.184.216.38", "10.0.0.1"],
    "mixed6.test": [PUBLIC6, "::1"],
    "mapped.test": ["::ffff:10.0.0.1"],
    "scoped.test": ["fe80::1%eth0"],
    "private6.test": ["fd12:3456::1"],
    "zero.test": ["0.0.0.0"],
    "nonsense.test": ["not-an-address"],
    "nowhere.test": [],
}


class NoNetwork(httpcore.AsyncNetworkBackend):
    """Writes down what is dialled and reaches nobody."""

    def __init__(self) -> None:
        self.dialled: list[tuple[str, int]] = []

    async def connect_tcp(self, host, port, timeout=None, local_address=None, socket_options=None):  # noqa: ASYNC109 - httpcore's interface
        self.dialled.append((host, port))
        raise httpcore.ConnectError("nobody there")


class Names:
    """A resolver that knows only what it is told, and counts."""

    def __init__(self, names: dict[str, list[str]]) -> None:
        self.names = names
        self.asked: list[str] = []

    async def __call__(self, host, port):
        self.asked.append(host)
        return self.names.get(host, [])


async def post(url: str, names: Names, *allow: str) -> tuple[NotSent | None, NoNetwork]:
    network = NoNetwork()
    outbound = Outbound(OutboundSettings(allow=allow), now=lambda: 0, resolve=names, network=network, trust=no_trust)
    with pytest.raises(NotSent) as caught:
        await outbound.post(url, json={})
    await outbound.aclose()
    return caught.value, network


@pytest.mark.parametrize("url", LITERALS)
async def test_a_special_address_is_never_dialled(url):
    error, network = await post(url, Names({}))
    assert isinstance(error, Forbidden)
    assert network.dialled == []


@pytest.mark.parametrize("url", ODD_SPELLINGS)
async def test_an_odd_spelling_is_never_dialled(url):
    """Not even when the resolver would make a public address of it: no two parsers shall disagree."""
    names = Names({host: [PUBLIC] for host in ("2130706433", "127.1", "0x7f.1", "0", "1", "", "good.test")})
    error, network = await post(url, names)
    assert isinstance(error, Forbidden), error
    assert network.dialled == []


@pytest.mark.parametrize("name", NAMES)
async def test_a_name_that_leads_inside_is_never_dialled(name):
    """Also when only one of many answers does."""
    error, network = await post(f"https://{name}/hook", Names(NAMES))
    assert isinstance(error, Forbidden) or name == "nowhere.test"
    assert network.dialled == []


@pytest.mark.parametrize(
    ("url", "dialled"),
    [
        (f"http://{PUBLIC}/", (PUBLIC, 80)),
        (f"https://[{PUBLIC6}]:8443/", (PUBLIC6, 8443)),
        ("https://good.test/", (PUBLIC, 443)),
        ("https://GOOD.test./", (PUBLIC, 443)),
        ("https://nat64.test/", ("64:ff9b::5db8:d822", 443)),
        ("http://münchen.test/", (PUBLIC, 80)),
    ],
)
async def test_what_is_public_is_dialled_at_the_very_address_that_was_judged(url, dialled):
    names = Names(
        {
            "good.test": [PUBLIC],
            "good.test.": [PUBLIC],
            "nat64.test": ["64:ff9b::5db8:d822"],
            "xn--mnchen-3ya.test": [PUBLIC],
        }
    )
    error, network = await post(url, names)
    assert not isinstance(error, Forbidden)
    assert network.dialled == [dialled]


async def test_a_name_is_resolved_once_a_connection_and_judged_each_time():
    """DNS rebinding: public at first, loopback later. The second answer is refused, never dialled."""
    answers = iter([[PUBLIC], ["127.0.0.1"]])
    network = NoNetwork()

    async def resolve(host, port):
        return next(answers)

    outbound = Outbound(OutboundSettings(), now=lambda: 0, resolve=resolve, network=network, trust=no_trust)
    for expected in (NotSent, Forbidden):
        with pytest.raises(expected):
            await outbound.post("https://rebind.test/", json={})
    await outbound.aclose()
    assert network.dialled == [(PUBLIC, 443)]


async def test_the_next_address_of_a_name_is_tried_when_one_is_dead_but_not_without_end():
    many = [f"93.184.216.{last}" for last in range(1, 9)]
    _, network = await post("http://many.test/", Names({"many.test": many}))
    assert network.dialled == [(address, 80) for address in many[:4]]


@pytest.mark.parametrize(
    ("allow", "address", "dialled"),
    [
        (("10.0.0.0/8",), "10.1.2.3", True),
        (("10.0.0.0/8",), "192.168.0.1", False),
        (("fd00::/8",), "fd12::1", True),
        (("127.0.0.1",), "127.0.0.1", True),
        (("127.0.0.1",), "::ffff:127.0.0.1", False),
        (("inside.test",), "10.1.2.3", True),
        (("Inside.TEST.",), "127.0.0.1", True),
        (("inside.test",), "100.64.0.1", True),
        (("inside.test",), "169.254.169.254", False),
        (("inside.test",), "fd00:ec2::254", False),
        (("inside.test",), "0.0.0.0", False),
        (("inside.test",), "224.0.0.1", False),
        (("169.254.169.254/32",), "169.254.169.254", True),
        (("other.test",), "10.1.2.3", False),
        (("test",), "10.1.2.3", False),
    ],
)
async def test_what_the_operator_allows_is_dialled_and_no_more(allow, address, dialled):
    """A name opens private addresses only: its DNS may not lead to the metadata service."""
    _, network = await post("http://inside.test/", Names({"inside.test": [address]}), *allow)
    assert bool(network.dialled) is dialled


@pytest.mark.parametrize("entry", ["10.0.0.1/8", "10.0.0.0/33", "", "a b", "http://x", "127.1", "0x7f000001", "*.x"])
def test_an_allowance_that_can_not_be_meant_is_refused_by_name(entry):
    with pytest.raises(ValueError, match="TOCSIN_OUTBOUND_ALLOW"):
        read_allowance([entry])


def test_the_refusal_says_which_setting_would_allow_it():
    assert "TOCSIN_OUTBOUND_ALLOW" in (why_forbidden(Allowed(), ["x.test"], "10.0.0.1") or "")


@settings(deadline=None)
@given(st.ip_addresses(network="0.0.0.0/0") | st.ip_addresses(network="::/0"))
def test_whatever_python_calls_not_global_is_forbidden(address):
    """The standard library's own register as a second opinion; ours is never the laxer one."""
    if why_forbidden(Allowed(), [], str(address)) is None and address not in ip_network("64:ff9b::/96"):
        assert address.is_global


async def test_mail_goes_to_the_operators_own_server_although_it_is_private():
    """The server is written in the settings, so no second setting is asked for; nobody else's address gets that."""
    dial = Dial(Allowed(), Names({"mail.internal": ["10.0.0.25"]}))
    assert await dial.addresses("mail.internal", 25, trusted=True) == ("10.0.0.25",)
    with pytest.raises(Forbidden):
        await dial.addresses("mail.internal", 25)

"""Which addresses may be dialled. Pure: a host, an address and the operator's allowance in, a reason to refuse out.

Everything that is not the public internet is refused unless the operator allowed it: by network (`10.1.0.0/16`), or by
name (`ntfy.internal`). A name opens private, loopback and carrier-grade NAT addresses only: whoever controls that name's
DNS must not reach the metadata service through it, so those need their network written out.
Knows no socket and no resolver.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final

SETTING: Final = "TOCSIN_OUTBOUND_ALLOW"

_NAMEABLE: Final = frozenset({"a private", "a loopback", "a carrier-grade NAT"})

_IPV4: Final = tuple(
    (IPv4Network(network), what)
    for network, what in (
        ("0.0.0.0/8", "an unspecified"),
        ("10.0.0.0/8", "a private"),
        ("100.100.100.200/32", "a cloud metadata"),
        ("100.64.0.0/10", "a carrier-grade NAT"),
        ("127.0.0.0/8", "a loopback"),
        ("168.63.129.16/32", "a cloud metadata"),
        ("169.254.0.0/16", "a link-local or cloud metadata"),
        ("172.16.0.0/12", "a private"),
        ("192.0.0.0/24", "a reserved"),
        ("192.0.2.0/24", "a documentation"),
        ("192.88.99.0/24", "a 6to4 relay"),
        ("192.168.0.0/16", "a private"),
        ("198.18.0.0/15", "a benchmarking"),
        ("198.51.100.0/24", "a documentation"),
        ("203.0.113.0/24", "a documentation"),
        ("224.0.0.0/4", "a multicast"),
        ("240.0.0.0/4", "a reserved"),
    )
)

_IPV6: Final = tuple(
    (IPv6Network(network), what)
    for network, what in (
        ("::/128", "an unspecified"),
        ("::1/128", "a loopback"),
        ("::ffff:0:0/96", "an IPv4-mapped"),
        ("::/96", "an IPv4-compatible"),
        ("2001::/23", "a special-purpose"),
        ("2001:db8::/32", "a documentation"),
        ("2002::/16", "a 6to4"),
        ("3fff::/20", "a documentation"),
        ("fd00:ec2::/32", "a cloud metadata"),
        ("fc00::/7", "a private"),
        ("fe80::/10", "a link-local"),
        ("fec0::/10", "a site-local"),
        ("ff00::/8", "a multicast"),
    )
)
_GLOBAL_IPV6: Final = IPv6Network("2000::/3")
_NAT64: Final = IPv6Network("64:ff9b::/96")


@dataclass(frozen=True, slots=True)
class Allowed:
    """What the operator lets us dial although it is not public."""

    networks: tuple[IPv4Network | IPv6Network, ...] = ()
    hosts: frozenset[str] = frozenset()


def read_allowance(entries: Iterable[str]) -> Allowed:
    """`10.0.0.0/8`, `::1` or `ntfy.internal`, one an entry. Raises ValueError naming the entry that is none of them."""
    networks: list[IPv4Network | IPv6Network] = []
    hosts: set[str] = set()
    for entry in (given.strip() for given in entries):
        try:
            networks.append(ip_network(entry))
        except ValueError:
            if not _is_name(entry):
                raise ValueError(f"{SETTING}: {entry!r} is neither a network such as 10.0.0.0/8 nor a name") from None
            hosts.add(_plain(entry))
    return Allowed(tuple(networks), frozenset(hosts))


def why_odd(host: str) -> str | None:
    """Why this host is not even to be resolved, or None.

    `127.1`, `0x7f000001` and `017700000001` are loopback to a C library and a name to everything else: refused, so that
    no two parsers can disagree about them.
    """
    plain = _plain(host)
    last = plain.rpartition(".")[2]
    if not last:
        return "the address has no host"
    if last.isdecimal() or last.startswith("0x"):
        try:
            usual = str(IPv4Address(plain)) == host
        except ValueError:
            usual = False
        if not usual:
            return f"{host} is not an address in the usual form (four decimal numbers)"
    return None


def why_forbidden(allowed: Allowed, hosts: Iterable[str], address: str) -> str | None:
    """Why `address`, which one of the names `hosts` led to, may not be dialled; None when it may. Says how to allow it."""
    try:
        number = ip_address(address)
    except ValueError:
        return f"{address} is not an IP address"
    what = _kind(number)
    if what is None or any(number in network for network in allowed.networks if network.version == number.version):
        return None
    if what in _NAMEABLE and any(_plain(host) in allowed.hosts for host in hosts):
        return None
    return f"{address} is {what} address; if it is meant, add it to {SETTING}"


def _kind(number: IPv4Address | IPv6Address) -> str | None:
    """What sort of address it is when it is not a public one, with its article."""
    if isinstance(number, IPv4Address):
        return next((what for network, what in _IPV4 if number in network), None)
    if number.scope_id is not None:
        return "a scoped"
    if number in _NAT64:
        # The only embedding that real networks need (IPv6-only hosts reach IPv4 through it): judge what is inside.
        return _kind(IPv4Address(int(number) & 0xFFFF_FFFF))
    special = next((what for network, what in _IPV6 if number in network), None)
    return special or (None if number in _GLOBAL_IPV6 else "a reserved")


def _plain(host: str) -> str:
    """One spelling of a host: no brackets, no trailing dot, lower case."""
    return host.strip("[]").rstrip(".").lower()


def _is_name(entry: str) -> bool:
    labels = _plain(entry).split(".")
    return all(label and label.replace("-", "").replace("_", "").isalnum() for label in labels) and not why_odd(entry)

"""Fetching a file from an address that somebody entered: conditional, bounded, and never where it must not go."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from app.notifiers.fetch import Failed, Fetched, NotModified, fetch
from app.notifiers.outbound import Outbound, OutboundSettings
from tests.harness.providers import Answering, How, provider
from tests.harness.reach import no_trust

SECRET = "private-4f7a1c"
TLS = Path(__file__).parent.parent / "data" / "tls"


async def _loopback(host: str, port: int) -> tuple[str, ...]:
    return ("127.0.0.1",)


def outbound(timeout_s: float = 5.0, **more: object) -> Outbound:
    settings = OutboundSettings(timeout_s=timeout_s, allow=("127.0.0.1/32",))
    how = {"resolve": _loopback, "trust": no_trust} | more
    return Outbound(settings, now=lambda: 0, **how)  # type: ignore[arg-type] # the same doors as in test_outbound.py


async def fetched(url: str, *, limit: int = 1_000, out: Outbound | None = None, **conditions: str) -> object:
    way = out or outbound()
    try:
        return await fetch(way, url, accept="text/calendar", limit_bytes=limit, **conditions)
    finally:
        await way.aclose()


async def test_what_was_given_is_asked_with_the_next_time() -> None:
    dated = {"ETag": '"7"', "Last-Modified": "Mon, 02 Mar 2026 10:00:00 GMT"}
    async with provider(Answering(200, b"file", headers=dated)) as fake:
        got = await fetched(fake.url(f"/{SECRET}"))
        assert got == Fetched(b"file", '"7"', "Mon, 02 Mar 2026 10:00:00 GMT")
        fake.usual = Answering(304)
        assert isinstance(got, Fetched)
        again = await fetched(fake.url("/"), etag=got.etag, last_modified=got.last_modified)
        assert again == NotModified()
        first, second = (seen.headers for seen in fake.seen)
        assert "if-none-match" not in first
        assert (second["if-none-match"], second["if-modified-since"]) == ('"7"', "Mon, 02 Mar 2026 10:00:00 GMT")
        assert fake.seen[0].method == "GET"
        assert not {"authorization", "cookie", "referer"} & first.keys()


async def test_an_unchanged_that_nobody_asked_for_is_a_failure() -> None:
    async with provider(Answering(304)) as fake:
        assert await fetched(fake.url("/")) == Failed("127.0.0.1 answered 304")


async def test_redirects_are_followed_three_times_at_most() -> None:
    async with provider(Answering(200, b"file")) as fake:
        for step in range(4):
            fake.by_path[f"/{step}"] = Answering(302, headers={"Location": f"/{step + 1}"})
        fake.by_path["/x"] = Answering(301, headers={"Location": fake.url("/2")})
        assert await fetched(fake.url("/1")) == Fetched(b"file")
        assert await fetched(fake.url("/x")) == Fetched(b"file")
        assert await fetched(fake.url("/0")) == Failed(
            "127.0.0.1 still redirects after 3 redirects; give the final address"
        )


@pytest.mark.parametrize(
    ("location", "reason"),
    [
        ("http://127.0.0.2:1/", "127.0.0.2 is a loopback address"),
        ("http://10.0.0.1/", "10.0.0.1 is a private address"),
        ("http://169.254.169.254/latest/meta-data", "169.254.169.254 is a link-local or cloud metadata address"),
        ("http://[::1]/", "::1 is a loopback address"),
        ("http://0x7f000001/", "not an address in the usual form"),
        ("http://user:password@127.0.0.1/", "without a user name"),
        ("file:///etc/passwd", "redirects to nothing that is followed"),
        ("//", "redirects to nothing that is followed"),
        ("http://[", "redirects to nothing that is followed"),
        ("", "redirects to nothing that is followed"),
    ],
)
async def test_a_redirect_goes_through_the_same_guard(location: str, reason: str) -> None:
    async with provider(Answering(302, headers={"Location": location})) as fake:
        got = await fetched(fake.url(f"/{SECRET}"))
        assert isinstance(got, Failed)
        assert reason in got.reason
        assert SECRET not in got.reason
        assert len(fake.seen) == 1


async def test_no_redirect_leaves_tls() -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(TLS / "server.pem", TLS / "server.key")
    async with provider(Answering(200, b"file")) as plain, provider(tls=context) as fake:
        fake.usual = Answering(302, headers={"Location": plain.url("/")})
        out = outbound(trust=lambda: ssl.create_default_context(cafile=TLS / "ca.pem"))
        got = await fetched(f"https://provider.test:{fake.port}/", out=out)
        assert isinstance(got, Failed)
        assert "never to less" in got.reason
        assert plain.seen == []


async def test_a_larger_file_is_not_read_to_its_end() -> None:
    async with provider(Answering(200, b"x" * 1_001)) as fake:
        assert await fetched(fake.url("/"), limit=1_000) == Failed("what 127.0.0.1 answered is larger than 0 MB")
        assert await fetched(fake.url("/"), limit=1_001) == Fetched(b"x" * 1_001)


@pytest.mark.parametrize(
    ("status", "reason"),
    [(401, "it wants a login"), (403, "taken back"), (404, "taken back"), (410, "gone"), (500, ""), (204, "")],
)
async def test_any_other_status_is_a_failure(status: int, reason: str) -> None:
    async with provider(Answering(status, b"")) as fake:
        got = await fetched(fake.url(f"/{SECRET}"))
        assert isinstance(got, Failed)
        assert got.reason.startswith(f"127.0.0.1 answered {status}")
        assert reason in got.reason


@pytest.mark.parametrize("how", ["hang", "hang_in_body", "drop_before", "drop_after", "drop_in_body", "nonsense"])
async def test_a_server_on_a_bad_day_is_a_failure_in_time(how: How) -> None:
    async with provider(Answering(200, b"half a file", how=how)) as fake:
        got = await fetched(fake.url(f"/{SECRET}"), out=outbound(timeout_s=0.1))
        assert isinstance(got, Failed)
        assert "127.0.0.1" in got.reason
        assert SECRET not in got.reason


async def test_what_was_not_asked_for_is_not_unpacked() -> None:
    async with provider(Answering(200, b"\x1f\x8b", headers={"Content-Encoding": "gzip"})) as fake:
        got = await fetched(fake.url("/"))
        assert got == Failed("127.0.0.1 answered in a compressed form that was not asked for")
        assert fake.seen[0].headers["accept-encoding"] == "identity"


async def test_conditions_that_could_not_be_sent_back_are_not_kept() -> None:
    async with provider(Answering(200, b"file", headers={"ETag": '"' + "x" * 600 + '"'})) as fake:
        assert await fetched(fake.url("/")) == Fetched(b"file")

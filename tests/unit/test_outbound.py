"""The one client: what it never does on anybody's behalf, and what it says about a failure."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path

import pytest

from app.notifiers.errors import OutboundError
from app.notifiers.outbound import NoAnswer, NotSent, Outbound, OutboundSettings, system_trust
from app.notifiers.threads import Threads
from tests.harness.providers import Answering, provider
from tests.harness.reach import no_trust

TLS = Path(__file__).parent.parent / "data" / "tls"
HOST = "provider.test"


async def _loopback(host, port):
    return ("127.0.0.1",)


def outbound(timeout_s: float = 5.0, **more) -> Outbound:
    settings = OutboundSettings(timeout_s=timeout_s, allow=("127.0.0.0/8",))
    return Outbound(settings, now=lambda: 0, **({"resolve": _loopback, "trust": no_trust} | more))


def trust() -> ssl.SSLContext:
    return ssl.create_default_context(cafile=TLS / "ca.pem")


def server_tls() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(TLS / "server.pem", TLS / "server.key")
    return context


async def test_tls_checks_the_name_although_the_judged_number_is_dialled():
    async with provider(Answering(200, b"hello"), server_tls()) as fake:
        out = outbound(trust=trust)
        answer = await out.post(f"https://{HOST}:{fake.port}/", json={})
        assert answer.body == "hello"
        assert fake.seen[0].headers["host"] == f"{HOST}:{fake.port}"
        with pytest.raises(NotSent, match="certificate is not trusted"):
            await out.post(f"https://other.test:{fake.port}/", json={})
        await out.aclose()
        assert len(fake.seen) == 1


async def test_a_certificate_of_nobody_we_trust_is_not_sent_to():
    async with provider(Answering(200), server_tls()) as fake:
        out = outbound(trust=system_trust)
        with pytest.raises(NotSent, match="certificate is not trusted"):
            await out.post(f"https://{HOST}:{fake.port}/", json={})
        await out.aclose()
        assert fake.seen == []


async def test_proxies_of_the_environment_play_no_part(monkeypatch):
    async with provider() as fake, provider() as proxy:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy", "HTTPS_PROXY"):
            monkeypatch.setenv(name, proxy.url())
        out = outbound()
        await out.post(fake.url(), json={})
        await out.aclose()
        assert len(fake.seen) == 1
        assert proxy.accepted == 0


async def test_a_password_file_plays_no_part(monkeypatch, tmp_path):
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login somebody password secret\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    async with provider() as fake:
        out = outbound()
        await out.post(fake.url(), json={})
        await out.aclose()
        assert "authorization" not in fake.seen[0].headers


async def test_no_cookie_is_kept_for_the_next_request():
    async with provider(Answering(200, b"", {"Set-Cookie": "session=1; Path=/"})) as fake:
        out = outbound()
        await out.post(fake.url(), json={})
        await out.post(fake.url(), json={})
        await out.aclose()
        assert all("cookie" not in seen.headers for seen in fake.seen)


async def test_a_redirect_is_an_answer_like_any_other():
    async with provider(Answering(307, b"", {"Location": "/next"})) as fake:
        out = outbound()
        assert (await out.post(fake.url(), json={})).status == 307
        await out.aclose()
        assert len(fake.seen) == 1


async def test_a_big_answer_is_cut_and_its_connection_closed():
    async with provider(Answering(200, b"x" * 3_000_000)) as fake:
        out = outbound()
        answer = await out.post(fake.url(), json={})
        assert len(answer.body) == 64 * 1024
        await fake.all_closed()
        await out.aclose()


async def test_compression_is_not_asked_for():
    async with provider() as fake:
        out = outbound()
        await out.post(fake.url(), json={})
        await out.aclose()
        assert fake.seen[0].headers["accept-encoding"] == "identity"


async def test_a_connection_is_kept_for_the_next_request_and_closed_in_the_end():
    async with provider() as fake:
        out = outbound()
        for _ in range(3):
            await out.post(fake.url(), json={})
        assert fake.accepted == 1
        await out.aclose()
        await fake.all_closed()


async def test_many_requests_at_once_each_get_their_own_answer():
    async with provider() as fake:
        out = outbound()
        answers = await asyncio.gather(*(out.post(fake.url(f"/{number}"), json={}) for number in range(50)))
        await out.aclose()
        assert [answer.status for answer in answers] == [200] * 50
        assert {seen.path for seen in fake.seen} == {f"/{number}" for number in range(50)}


async def test_the_answer_keeps_only_the_headers_that_are_read():
    async with provider(Answering(200, b"", {"Retry-After": "3", "Location": "/secret", "X-Token": "secret"})) as fake:
        out = outbound()
        answer = await out.post(fake.url(), json={})
        await out.aclose()
        assert dict(answer.headers) == {"content-type": "application/json", "retry-after": "3"}


async def test_a_name_that_takes_for_ever_to_resolve_is_not_sent():
    async def never(host, port):
        await asyncio.get_running_loop().create_future()
        return ()

    out = outbound(0.1, resolve=never)
    with pytest.raises(NotSent):
        await out.post("http://slow.test/", json={})
    await out.aclose()


@pytest.mark.parametrize("error", [OSError("no such name"), UnicodeError("label too long")])
async def test_a_name_that_is_not_found_is_not_sent(error):
    async def broken(host, port):
        raise error

    out = outbound(resolve=broken)
    with pytest.raises(NotSent, match=r"gone\.test was not found"):
        await out.post("http://gone.test/token", json={})
    await out.aclose()


async def test_a_header_with_a_newline_never_leaves():
    async with provider() as fake:
        out = outbound()
        with pytest.raises(OutboundError):
            await out.post(fake.url(), json={}, headers={"X-A": "a\r\nX-B: b"})
        await out.aclose()
        assert fake.seen == []


async def test_failures_name_the_host_and_nothing_else_of_the_address():
    async with provider(Answering(how="drop_after")) as fake:
        out = outbound()
        with pytest.raises(NoAnswer) as caught:
            await out.post(fake.url("/secret?token=secret", HOST), json={})
        await out.aclose()
        assert HOST in str(caught.value)
        assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"allow": ("10.0.0.0/99",)}, "TOCSIN_OUTBOUND_ALLOW"),
        ({"smtp_url": "smtp://mail.test"}, "TOCSIN_SMTP_FROM"),
        ({"smtp_url": "smtp://mail.test", "smtp_from": "nobody"}, "TOCSIN_SMTP_FROM"),
        ({"smtp_url": "smtp://mail.test", "smtp_from": "a@b.test\nBcc: c@d.test"}, "TOCSIN_SMTP_FROM"),
        ({"smtp_url": "http://user:secret@mail.test", "smtp_from": "a@b.test"}, "TOCSIN_SMTP_URL"),
        ({"smtp_url": "smtp://u:secret@mail.test?tls=maybe", "smtp_from": "a@b.test"}, "TOCSIN_SMTP_URL"),
    ],
)
def test_settings_that_can_not_be_meant_are_refused_by_name_and_without_secrets(settings, said):
    with pytest.raises(ValueError, match=said) as caught:
        Outbound(OutboundSettings(**settings), now=lambda: 0)
    assert "secret" not in str(caught.value)


def test_settings_do_not_show_the_mail_password():
    assert "secret" not in repr(OutboundSettings(smtp_url="smtp://user:secret@mail.test"))


async def test_threads_are_bounded_and_one_too_many_is_refused_at_once():
    """And each is free again when its work ends, also when the work failed."""
    import threading

    threads, gate = Threads(2), threading.Event()
    running = [asyncio.ensure_future(threads.run(gate.wait)) for _ in range(2)]
    await asyncio.wait(running, timeout=0)
    with pytest.raises(NotSent, match="busy"):
        await threads.run(int)
    gate.set()
    await asyncio.gather(*running)
    with pytest.raises(ZeroDivisionError):
        await threads.run(lambda: 1 // 0)
    assert await asyncio.gather(threads.run(int), threads.run(int)) == [0, 0]

"""The generator: prebuilt requests over kept-open connections, in a process of its own.

    python -m bench.load PLAN.json      prints one JSON line with what it saw

Nothing is built while the clock runs; a connection sends its next request when it has its answer. How fast it could go is
measured in the same run against a server that answers without looking (`null`), so that its own limit is known.
"""

from __future__ import annotations

import asyncio
import json
import resource
import sys
import time
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

LABELS = 12
ANNOTATIONS = 3


def alert(number: int, run: str, starts_at: str) -> str:
    """One alert of Alertmanager's webhook, as JSON: 12 labels, 3 annotations, about 900 bytes."""
    labels = ", ".join(f'"label_{place}": "value-{place}-of-some-length"' for place in range(LABELS - 3))
    return (
        f'{{"status": "firing", "labels": {{"alertname": "HighLatency", "instance": "host-{run}-{number}:9100", '
        f'"severity": "critical", {labels}}}, "annotations": {{"summary": "Latency of host {number} is high", '
        f'"description": "The 99th percentile has been above one second for five minutes.", '
        f'"runbook_url": "https://runbooks.example.com/latency"}}, "startsAt": "{starts_at}", '
        f'"endsAt": "0001-01-01T00:00:00Z", "generatorURL": "http://prometheus.example.com/graph", '
        f'"fingerprint": "{number:016x}"}}'
    )


def webhook(first: int, many: int, run: str) -> bytes:
    """One webhook of `many` alerts that began just now: what began hours ago is another case. `run`: seconds since 1970."""
    starts_at = time.strftime("%Y-%m-%dT%H:%M:%S.123Z", time.gmtime(int(run) - 60))
    alerts = ", ".join(alert(first + place, run, starts_at) for place in range(many))
    return (
        f'{{"version": "4", "groupKey": "{{}}:{{}}", "truncatedAlerts": 0, "status": "firing", "receiver": "tocsin", '
        f'"groupLabels": {{}}, "commonLabels": {{}}, "commonAnnotations": {{}}, '
        f'"externalURL": "http://alertmanager.example.com", "alerts": [{alerts}]}}'
    ).encode()


def alertmanager_post(first: int, many: int, run: str) -> bytes:
    """The same alerts as a POST to Alertmanager's own API v2."""
    now = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime())
    parts = []
    for place in range(many):
        document = json.loads(alert(first + place, run, now))
        parts.append({name: document[name] for name in ("labels", "annotations", "generatorURL")})
    return json.dumps(parts).encode()


def request(path: str, body: bytes) -> bytes:
    """The bytes of one request."""
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


class Connection(asyncio.Protocol):
    """Sends the next request when the answer to the last is complete."""

    def __init__(self, requests: Iterator[bytes], seen: Seen) -> None:
        self.requests = requests
        self.seen = seen
        self.buffer = b""
        self.began = 0.0
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.send()

    def send(self) -> None:
        following = next(self.requests, None)
        assert self.transport is not None
        if following is None:
            self.transport.close()
            if not self.done.done():
                self.done.set_result(None)
            return
        self.began = time.perf_counter()
        self.transport.write(following)

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        head, found, rest = self.buffer.partition(b"\r\n\r\n")
        if not found:
            return
        lower = head.lower()
        at = lower.find(b"content-length:")
        length = (
            int(lower[at + 15 : lower.find(b"\r\n", at) if lower.find(b"\r\n", at) > 0 else None]) if at >= 0 else 0
        )
        if len(rest) < length:
            return
        self.buffer = b""
        self.seen.answers[head[9:12].decode()] += 1
        self.seen.latencies.append(time.perf_counter() - self.began)
        self.send()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.done.done():
            self.seen.answers["lost"] += 1
            self.done.set_result(None)


class Seen:
    """What came back."""

    def __init__(self) -> None:
        self.answers: Counter[str] = Counter()
        self.latencies: list[float] = []


async def drive(
    host: str, port: int, requests: list[bytes], connections: int, pace_s: float = 0.0
) -> tuple[Seen, float]:
    """Sends all requests over `connections`; answers what was seen and how long it took. `pace_s`: one each so often."""
    seen = Seen()
    feed = iter(requests)
    loop = asyncio.get_running_loop()
    began = time.perf_counter()
    if pace_s:
        await _paced(host, port, feed, seen, pace_s, len(requests))
    else:
        made = [await loop.create_connection(lambda: Connection(feed, seen), host, port) for _ in range(connections)]
        await asyncio.gather(*(connection.done for _, connection in made))
    return seen, time.perf_counter() - began


async def _paced(host: str, port: int, feed: Iterator[bytes], seen: Seen, pace_s: float, many: int) -> None:
    loop = asyncio.get_running_loop()
    waiting: asyncio.Queue[bytes] = asyncio.Queue()

    async def sender() -> None:
        while body := await waiting.get():
            alone = iter([body])
            _, connection = await loop.create_connection(partial(Connection, alone, seen), host, port)
            await connection.done

    senders = [asyncio.create_task(sender()) for _ in range(16)]
    start = loop.time()
    for place in range(many):
        await asyncio.sleep(max(0.0, start + place * pace_s - loop.time()))
        waiting.put_nowait(next(feed))
    for _ in senders:
        waiting.put_nowait(b"")
    await asyncio.gather(*senders)


def quantile(values: list[float], share: float) -> float:
    """The smallest value that `share` of all do not exceed, in the unit of the values; 0 of none."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


def build(plan: dict[str, Any]) -> list[bytes]:
    """The requests of a plan."""
    make = alertmanager_post if plan["form"] == "alertmanager" else webhook
    size, many, run = plan["alerts_per_post"], plan["posts"], plan["run"]
    bodies = [make(place * size, size, run) for place in range(many)]
    requests = [request(plan["path"], body) for body in bodies]
    return requests * int(plan.get("times", 1))


def main() -> None:
    """Runs one plan."""
    plan = json.loads(Path(sys.argv[1]).read_text())
    requests = build(plan)
    print("built", flush=True)
    sys.stdin.readline()
    before = resource.getrusage(resource.RUSAGE_SELF)
    seen, took_s = asyncio.run(
        drive(plan["host"], plan["port"], requests, plan["connections"], plan.get("pace_s", 0.0))
    )
    after = resource.getrusage(resource.RUSAGE_SELF)
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(
        json.dumps(
            {
                "took_s": took_s,
                "cpu_s": cpu_s,
                "posts": len(requests),
                "alerts": len(requests) * plan["alerts_per_post"],
                "answers": dict(seen.answers),
                "p50_ms": quantile(seen.latencies, 0.5) * 1_000,
                "p99_ms": quantile(seen.latencies, 0.99) * 1_000,
            }
        ),
        flush=True,
    )


if __name__ == "__main__":
    main()

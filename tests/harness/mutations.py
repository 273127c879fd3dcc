"""Mutated messages, quickly: a recorded body cut into JSON tokens once, then put together again with a few of them changed.

Most mutations stay valid JSON (another value, another name, a member that is gone or stands twice), because those come
deepest into a source; the others break the bytes. Seeded: the same seed gives the same messages.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, NamedTuple

_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*"|[{}\[\],:]|[^"{}\[\],:]+', re.DOTALL)
_SCALAR = re.compile(rb'"|-?\d|true$|false$|null$')

_SAID: tuple[Any, ...] = (
    *(
        None,
        True,
        False,
        0,
        -1,
        1,
        3,
        10**18,
        1.5,
        -0.0,
        "",
        " ",
        "\x00",
        "\ud800",
        "\u202e",
        "\u2028",
        "null",
        "0",
    ),
    *(
        "0001-01-01T00:00:00Z",
        "9999-12-31T23:59:59-14:00",
        "2026-07-25T17:00:00+0200",
        1_784_999_000,
        "1784999000123",
    ),
    *(
        "javascript:alert(1)",
        "http://a b",
        "http://\x00",
        "https://a/issues/x",
        "\r\nBcc: x",
        "x" * 9_000,
        "é" * 400,
    ),
    *(
        "{EVENT.ID}",
        "{State}",
        "$TAGS",
        "resolved",
        "closed",
        "OK",
        "UP",
        "critical",
        "SUCCESS",
        "[" * 300,
        "a=b&c=%00",
    ),
    *("[P1] [Triggered on {" + "a" * 300, '["a\\u0000:b"]', "&#x202e;&#0;", "?triggerid=1", "💥\u200d", "DOWN -> "),
    *([], {}, [[]], {"a": {"b": {}}}, [None], {"": ""}, {"value": "x", "tag": ["y"]}, ["a:b", 7], {"labels": {}}),
    *(
        {"id": [1], "name": None},
        [{"name": {}, "value": 1}],
        {"labels": {"a": None}},
        "arn:aws:sns:eu:1:x",
        "Recovered",
    ),
)
VALUES: tuple[bytes, ...] = (
    *(json.dumps(value).encode() for value in _SAID),
    *(b"1e999", b"NaN", b"99999999999999999999999", b'"\\ud800"', b'"\xff"', b"-"),
)
BYTES: tuple[bytes, ...] = (
    *(b"\x00", b"\xff", b"\xed\xa0\x80", b'"', b"\\", b"\\u0000", b"\\ud800", b"\\u202e", b"{", b"}", b"[", b"]", b","),
    *(b":", b"NaN", b"1e999", b"\n", b"payload=", b"&", b"%00", b"\xef\xbb\xbf", b" " * 40, b"[" * 80, b"9" * 500),
)


class _Body(NamedTuple):
    tokens: list[bytes]
    values: list[int]
    """Where scalars stand that are no names."""
    names: list[int]
    members: list[tuple[int, int]]
    """From and to of `"name":scalar,`."""


def _cut(body: bytes) -> _Body:
    with suppress(ValueError):
        body = json.dumps(json.loads(body), separators=(",", ":"), ensure_ascii=False).encode("utf-8", "surrogatepass")
    tokens = _TOKEN.findall(body)
    ahead = [*tokens[1:], b""]
    names = [place for place, token in enumerate(tokens) if token[:1] == b'"' and ahead[place] == b":"]
    known = set(names)
    values = [place for place, token in enumerate(tokens) if place not in known and _SCALAR.match(token)]
    scalars = set(values)
    members = [
        (place, place + 4) for place in names if place + 2 in scalars and tokens[place + 3 : place + 4] == [b","]
    ]
    return _Body(tokens, values, names, members)


class Mutations:
    """A stream of mutations of these bodies. `bodies` may be of any format; what is no JSON is only broken in its bytes."""

    def __init__(self, bodies: Sequence[bytes], seed: str) -> None:
        self._bodies = [_cut(body) for body in bodies]
        self._names = tuple(sorted({body.tokens[place] for body in self._bodies for place in body.names})) or (b'""',)
        self._bits = random.Random(seed).getrandbits

    def one(self) -> bytes:
        """The next message."""
        bits = self._bits(96)
        tokens, values, names, members = self._bodies[(bits & 0xFF) % len(self._bodies)]
        bits >>= 8
        tokens, end = tokens.copy(), None
        for _ in range(1 + (bits & 1) + (bits & 2)):
            action, at, bits = bits & 15, bits >> 4 & 0xFFFF, bits >> 20
            if action < 7 and values:
                tokens[values[at % len(values)]] = VALUES[bits % len(VALUES)]
            elif action < 10 and names:
                tokens[names[at % len(names)]] = self._names[bits % len(self._names)]
            elif action < 12 and members:
                start, after = members[at % len(members)]
                if action == 10:
                    tokens[start:after] = (b"", b"", b"", b"")
                else:
                    tokens[start] = b"".join(tokens[start:after]) + tokens[start]
            elif action == 12:
                tokens[at % len(tokens)] = BYTES[bits % len(BYTES)]
            elif action == 13:
                tokens[at % len(tokens)] = b""
            elif action == 14:
                place = at % len(tokens)
                half = len(tokens[place]) // 2
                tokens[place] = tokens[place][:half] + BYTES[bits % len(BYTES)] + tokens[place][half:]
            elif action == 15 and bits & 7 == 0:
                end = at % len(tokens)
        return b"".join(tokens if end is None else tokens[:end])

"""Receipts: what a provider says later of a page that it took. In time, at once, too late, twice, or never; well or not.

The provider called `sms` promises them, in runs with the feature `receipts`. What it said, and was heard saying, is in the book.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from app.notifiers.notifier import Accepted, Message
from app.paging import receipt_links, receipts
from app.store.errors import StoreError
from tests.sim.chance import chance, pick
from tests.sim.providers import Call
from tests.sim.replica import Gone, Running

if TYPE_CHECKING:
    from tests.sim.run import Run

TRIES = 3
_AFTER_S = (0.0, 0.05, 2.0, 20.0, 50.0, 58.0, 62.0, 300.0)


def promised(run: Run, call: Call, message: Message, pages: list[str]) -> None:
    """A provider was called; if it took these pages and promised receipts, it does what it will do."""
    answer = call.answer
    if not pages or not isinstance(answer, Accepted) or not answer.awaits_receipt:
        return
    run.book.promised.update(dict.fromkeys(pages, False))
    key = ("receipt of", call.to, call.page, run.loop.time())
    draw = chance(run.seed, *key)
    if draw < 0.15 or (not call.delivered and draw < 0.6):
        return
    state: receipts.Receipt = "delivered" if call.delivered and draw > 0.3 else "failed"
    after_s = pick(_AFTER_S, run.seed, "after", *key)
    token = message.receipt_url.rpartition("/")[2]
    for again_s in (0.0, 1.5) if chance(run.seed, "twice", *key) < 0.2 else (0.0,):
        run.spawn(_says(run, token, state, after_s + again_s, pages))


async def _says(run: Run, token: str, state: receipts.Receipt, after_s: float, pages: list[str]) -> None:
    await asyncio.sleep(after_s)
    for attempt in range(TRIES):
        replica = run.replica(chance(run.seed, "receipt", token, attempt))
        try:
            await replica.ask(lambda life: _heard(life, token, state))
        except (Gone, TimeoutError, StoreError) as error:
            run.say(f"a receipt ({state}): {type(error).__name__}")
            await asyncio.sleep(5)
        else:
            run.say(f"a receipt ({state}) of {' '.join(pages)} is taken")
            for page in pages:
                run.book.promised[page] = True
            return


async def _heard(life: Running, token: str, state: receipts.Receipt) -> None:
    """As app/api/receipts.py does it."""
    world = life.world
    assert world is not None
    link = receipt_links.read(world.secret, token, world.clock.now())
    await world.store.write(receipts.receive, link, state, "the phone is switched off" if state == "failed" else "")
    world.wake.set()

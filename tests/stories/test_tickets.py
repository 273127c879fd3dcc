"""Answering a swap or a drill by its link: looking changes nothing, pressing acts once, and a link that is not ours opens nothing."""

from __future__ import annotations

import re
from typing import Any

import httpx
import pytest

from app.api.forms import MAX_FORM
from app.clock import HOUR, SECOND
from app.rota import tickets
from app.rota.tickets import Ticket
from app.store import resources
from app.store.database import Writing
from tests.harness.link_world import PHONE, PRESS
from tests.harness.rota_town import RotaTown, rota_town

SCANNERS = ("Slackbot-LinkExpanding 1.0", "Barracuda Sentinel (EE)", "python-requests/2.32.5", PHONE["user-agent"])
TABLES = ("swaps", "overrides", "drills", "notices", "jobs", "contact_checks", "link_opens", "shift_record")


async def everything(rota: RotaTown) -> dict[str, list[Any]]:
    story = rota.asked.story
    return {table: [tuple(row) for row in await story.rows(f"SELECT * FROM {table} ORDER BY 1")] for table in TABLES}


async def swap(rota: RotaTown, **more: Any) -> str:
    """Ana asks Ben for a day against a day; answers Ben's link."""
    await rota.asks("Ana", "Ben", ("01-07", "01-08"), ("01-08", "01-09"), **more)
    return await link(rota, "Ben")


async def drill(rota: RotaTown) -> str:
    """Ana is tried out; answers her link."""
    await rota.responder.post(f"{rota.path}/drill", status=201)
    return await link(rota, "Ana")


async def link(rota: RotaTown, name: str) -> str:
    """The path of the last link that somebody was sent."""
    await rota.asked.story.settled()
    found = [one.json["url"] for one in rota.people[name].phone.inbox() if one.json["url"]]
    assert found, f"{name} was sent no link"
    assert found[-1].startswith("http://tocsin.test/t/")
    return str(found[-1].removeprefix("http://tocsin.test"))


async def opens(rota: RotaTown, path: str, method: str = "GET", **headers: str) -> httpx.Response:
    return await rota.asked.story.web.request(method, path, headers=PHONE | headers)


async def presses(rota: RotaTown, path: str, word: str) -> httpx.Response:
    """Opens the page, presses a button that is there, and answers where the browser goes."""
    shown = await opens(rota, path)
    assert f'value="{word}"' in shown.text, shown.text
    (action,) = re.findall(r'action="\./([^"]+)"', shown.text)
    answer = await rota.asked.story.web.post(f"/t/{action}", headers=PRESS, data={"answer": word})
    if answer.status_code != 303:
        return answer
    await rota.asked.story.settled()
    return await opens(rota, str(answer.url.join(answer.headers["location"]).raw_path.decode()))


async def state(rota: RotaTown) -> str:
    ((found,),) = await rota.asked.story.rows("SELECT state FROM swaps")
    return str(found)


async def test_machines_open_every_ticket_and_change_nothing(database: str) -> None:
    async with rota_town(database, "Ana", "Ben") as rota:
        paths = [await swap(rota), await drill(rota)]
        before = await everything(rota)
        for path in paths:
            for agent in SCANNERS:
                for method in ("GET", "HEAD"):
                    answer = await opens(rota, path, method, **{"user-agent": agent})
                    assert answer.status_code == 200
        assert await everything(rota) == before
        counted = rota.asked.story.world.metrics.registry.get_sample_value
        assert counted("tocsin_link_opens_total", {"by": "person"}) == 2
        assert counted("tocsin_link_opens_total", {"by": "machine"}) == 14


async def test_a_swap_shows_what_changes_hands_in_the_persons_own_time(database: str) -> None:
    async with rota_town(database, "Ana", "Ben") as rota:
        await rota.asked.story.store.write(_moves, rota.people["Ben"].id, "America/New_York")
        shown = (await opens(rota, await swap(rota, reason="a <b>wedding</b>"))).text
        text = re.sub(r"<style>.*?</style>|<[^>]+>|\s+", " ", shown, flags=re.DOTALL)
        text = re.sub(r"\s+", " ", text)
        assert "Ana asks you to swap in Primary" in text
        assert "You would be on call Tue 6 Jan 19:00 to Wed 7 Jan 19:00, New York" in text
        assert "primary · Wed 7 Jan 00:00 to Thu 8 Jan 00:00, UTC" in text
        assert "In return you give Wed 7 Jan 19:00 to Thu 8 Jan 19:00, New York" in text
        assert "a &lt;b&gt;wedding&lt;/b&gt;" in text
        assert "You can answer for 2 days more" in text


async def test_accepting_swaps_the_shifts_and_says_so(database: str) -> None:
    async with rota_town(database, "Ana", "Ben") as rota:
        path = await swap(rota)
        after = await presses(rota, path, "accept")
        assert "Accepted" in after.text
        assert "By Ben, just now." in after.text
        assert "<button" not in after.text
        assert await rota.shifts("01-07", "01-09") == ["Ben 07T00 08T00", "Ana 08T00 09T00"]
        assert await state(rota) == "accepted"
        told = rota.people["Ana"].phone.inbox()[-1].json
        assert told["title"] == "Ben accepted your swap in Primary"


async def test_declining_changes_nothing_but_the_swap(database: str) -> None:
    async with rota_town(database, "Ana", "Ben") as rota:
        after = await presses(rota, await swap(rota), "decline")
        assert "Declined" in after.text
        assert await state(rota) == "declined"
        assert await rota.asked.story.rows("SELECT * FROM overrides") == []


async def test_an_answer_that_can_not_be_is_refused_in_a_sentence_on_the_page(database: str) -> None:
    """It was answered before, by the API or in another window."""
    async with rota_town(database, "Ana", "Ben") as rota:
        path = await swap(rota)
        await presses(rota, path, "decline")
        answer = await rota.asked.story.web.post(path, headers=PRESS, data={"answer": "accept"})
        assert answer.status_code == 409
        assert "Nothing was done: this swap was declined by Ben." in answer.text
        assert await state(rota) == "declined"


async def test_a_swap_whose_shifts_changed_meanwhile_is_refused_with_what_to_do(database: str) -> None:
    async with rota_town(database, "Ana", "Ben") as rota:
        path = await swap(rota)
        await rota.cover(person="Cat", start="01-07T06", end="01-07T12")
        answer = await presses(rota, path, "accept")
        assert answer.status_code == 409
        assert "ask for a new swap" in answer.text
        assert await state(rota) == "asked"


async def test_a_swap_that_is_withdrawn_or_began_offers_no_buttons(database: str) -> None:
    async with rota_town(database, "Ana", "Ben") as rota:
        path = await swap(rota)
        (made,) = (await rota.asked.reader.get(f"{rota.path}/swaps"))["items"]
        await rota.responder.post(f"/swaps/{made['id']}/withdraw")
        shown = await opens(rota, path)
        assert "It is not asked for any more" in shown.text
        assert "<button" not in shown.text


async def test_a_swap_without_a_word_does_nothing(database: str) -> None:
    """Which of two was meant is not guessed; a drill has only one answer."""
    async with rota_town(database, "Ana", "Ben") as rota:
        web = rota.asked.story.web
        path = await swap(rota)
        for body in (
            b"",
            b"answer=",
            b"answer=here",
            b"answer=maybe",
            b"answer=accept&x=" + b"y" * MAX_FORM,
            b"\xff=1",
        ):
            answer = await web.post(path, headers=PRESS, content=body)
            assert answer.status_code == 400, body
        json = await web.post(
            path, headers={**PRESS, "content-type": "application/json"}, content=b'{"answer":"accept"}'
        )
        assert json.status_code == 400
        assert await state(rota) == "asked"
        assert (await web.post(await drill(rota))).status_code == 303


async def test_i_am_here_answers_the_drill_once(database: str) -> None:
    async with rota_town(database, "Ana", "Ben") as rota:
        path = await drill(rota)
        shown = await opens(rota, path)
        assert "This is a drill: nothing is broken." in shown.text
        assert "You are on call in Primary (primary)." in shown.text
        await rota.asked.story.passes(seconds=40)
        after = await presses(rota, path, "here")
        assert "You answered after 40 s." in after.text
        assert "<button" not in after.text
        await rota.asked.story.passes(minutes=1)
        again = await rota.asked.story.web.post(path, headers=PRESS)
        assert again.headers["location"].endswith("?did=already")
        ((answered, created),) = await rota.asked.story.rows("SELECT answered_at, created_at FROM drills")
        assert answered - created == 40 * SECOND


async def test_a_drill_can_be_answered_late_and_says_what_that_means(database: str) -> None:
    async with rota_town(database, "Ana", "Ben") as rota:
        path = await drill(rota)
        await rota.asked.story.passes(minutes=11)
        assert "The time to answer is over" in (await opens(rota, path)).text
        assert "later than 10 min, so it counts as failed" in (await presses(rota, path, "here")).text


async def test_another_site_can_not_press_the_button(database: str) -> None:
    async with rota_town(database, "Ana", "Ben") as rota:
        for path, word in ((await swap(rota), "accept"), (await drill(rota), "here")):
            before = await everything(rota)
            for site in ("cross-site", "same-site"):
                headers = {**PRESS, "sec-fetch-site": site}
                answer = await rota.asked.story.web.post(path, headers=headers, data={"answer": word})
                assert answer.status_code == 403
            assert await everything(rota) == before


async def test_a_ticket_ends_with_its_time_and_with_its_person(database: str) -> None:
    async with rota_town(database, "Ana", "Ben") as rota:
        paths = [await swap(rota), await drill(rota)]
        await rota.asked.story.store.write(_remove, rota.people["Ana"].id)
        assert (await opens(rota, paths[1])).status_code == 410
        await rota.asked.story.passes(hours=48)
        before = await everything(rota)
        for path in paths:
            for method in ("GET", "HEAD", "POST"):
                answer = await rota.asked.story.web.request(method, path, headers=PRESS, data={"answer": "accept"})
                assert answer.status_code == 410
                assert "Primary" not in answer.text
        assert await everything(rota) == before


async def _remove(tx: Writing, person_id: int) -> None:
    found = (await resources.load(tx, "person", [person_id]))[person_id]
    await resources.remove(tx, found, "the story", seen=found.version)


async def _moves(tx: Writing, person_id: int, time_zone: str) -> None:
    found = (await resources.load(tx, "person", [person_id]))[person_id]
    await resources.replace(tx, found, found.name, {**found.document, "time_zone": time_zone}, "x", seen=found.version)


async def test_what_is_not_there_or_not_theirs_gets_the_same_answer_as_a_forged_ticket(database: str) -> None:
    async with rota_town(database, "Ana", "Ben") as rota:
        await swap(rota)
        await drill(rota)
        story = rota.asked.story
        ((swap_id, drill_id),) = await story.rows("SELECT s.id, d.id FROM swaps s, drills d")
        ana, ben, cat = (rota.people[name].id for name in ("Ana", "Ben", "Cat"))
        end, secret = story.clock.now() + HOUR, story.world.secret
        tokens = [
            tickets.write("another secret", Ticket("swap", swap_id, ben, end)),
            tickets.write(secret, Ticket("swap", swap_id, cat, end)),
            tickets.write(secret, Ticket("swap", swap_id, ana, end)),
            tickets.write(secret, Ticket("swap", swap_id + 1, ben, end)),
            tickets.write(secret, Ticket("swap", drill_id, ana, end)),
            tickets.write(secret, Ticket("drill", drill_id, ben, end)),
            tickets.write(secret, Ticket("drill", swap_id, ben, end)),
            "nonsense",
            "some/path/../x",
        ]
        before = await everything(rota)
        for method, body in (("GET", {}), ("POST", {"answer": "accept"}), ("POST", {"answer": "here"})):
            answers = [await story.web.request(method, f"/t/{token}", headers=PRESS, data=body) for token in tokens]
            refused = {(one.status_code, one.text) for one in answers if one.status_code != 400}
            assert refused == {(404, answers[0].text)}
        assert await everything(rota) == before


@pytest.mark.parametrize("which", [swap, drill])
async def test_every_answer_forbids_scripts_frames_caches_and_referrers(database: str, which: Any) -> None:
    async with rota_town(database, "Ana", "Ben") as rota:
        path = await which(rota)
        web = rota.asked.story.web
        found = [
            await opens(rota, path),
            await opens(rota, path, "HEAD"),
            await web.get("/t/nonsense"),
            await web.post("/t/nonsense"),
            await web.post(path, headers={**PRESS, "sec-fetch-site": "cross-site"}),
            await web.post(path, headers=PRESS, data={"answer": "decline" if which is swap else "here"}),
        ]
        for answer in found:
            policy = answer.headers["content-security-policy"]
            assert policy.startswith("default-src 'none'; style-src 'sha256-")
            assert "unsafe" not in policy
            assert answer.headers["referrer-policy"] == "no-referrer"
            assert answer.headers["cache-control"] == "no-store"
            assert "noindex" in answer.headers["x-robots-tag"]
            assert "set-cookie" not in answer.headers
        assert "<script" not in found[0].text.lower()


async def test_when_the_database_is_gone_the_page_says_so_and_claims_nothing(database: str) -> None:
    async with rota_town(database, "Ana", "Ben") as rota:
        path = await swap(rota)
        story = rota.asked.story

        async def rename(tx: Writing, old: str, new: str) -> None:
            await tx.conn.exec_driver_sql(f"ALTER TABLE {old} RENAME TO {new}")

        await story.store.write(rename, "swaps", "elsewhere")
        for method in ("GET", "POST"):
            answer = await story.web.request(method, path, headers=PRESS, data={"answer": "accept"})
            assert answer.status_code == 503
            assert answer.headers["retry-after"] == "5"
        await story.store.write(rename, "elsewhere", "swaps")

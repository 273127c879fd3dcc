"""Proving that a person reads what is sent to a contact method: codes, their limits, and what takes the proof away."""

from __future__ import annotations

import re
from typing import Any

from app.people.contacts import verified
from app.people.person import Person
from app.store import resources
from app.store.database import Reading
from tests.harness.api_world import Asked, api
from tests.harness.providers import answering
from tests.harness.town import Resident


def path(person: Resident, act: str = "", method: str = "ana") -> str:
    return f"/people/{person.id}/contact-methods" + (f"/{method}/{act}" if act else "")


async def code_of(asked: Asked, person: Resident, method: str = "ana") -> str:
    """Has a code sent, and reads it off the phone."""
    await asked.responder.done(202, "POST", path(person, "code", method))
    text = (await person.is_paged())["text"]
    found = re.search(r"\b[0-9]{6}\b", text)
    assert found, text
    return found[0]


async def proved(asked: Asked, person: Resident) -> dict[str, Any]:
    items = (await asked.reader.get(path(person)))["items"]
    return {item["id"]: item["verified_by"] for item in items}


async def read_back(asked: Asked, person: Resident, code: str) -> dict[str, Any]:
    return await asked.responder.post(path(person, "verify"), {"code": code})


def other(code: str) -> str:
    """A code that is not this one."""
    return f"{(int(code) + 1) % 1_000_000:06d}"


async def edit(asked: Asked, person: Resident, **changed: Any) -> None:
    """Changes the person's first contact method."""
    now = await asked.admin.get(f"/people/{person.id}")
    fields = ("id", "kind", "label", "address", "enabled")
    methods = [{name: method[name] for name in fields} for method in now["contact_methods"]]
    methods[0] |= changed
    document = {"name": now["name"], "contact_methods": methods}
    await asked.admin.done(200, "PUT", f"/people/{person.id}", version=now["version"], json=document)


async def test_the_code_that_was_read_off_the_phone_proves_the_contact_method(database: str) -> None:
    async with api(database) as asked:
        ana = await asked.story.person("Ana", contact_methods=asked.story.phones("ana", "second"))
        assert await proved(asked, ana) == {"ana": None, "second": None}
        code = await code_of(asked, ana)
        assert ana.last["kind"] == "test"
        assert code not in ana.last["title"], "a title shows on a locked phone"
        done = await read_back(asked, ana, code)
        assert (done["id"], done["verified_by"]) == ("ana", "code")
        assert done["verified_at"].startswith("2026-01-05T00:00")
        assert await proved(asked, ana) == {"ana": "code", "second": None}


async def test_a_code_works_once(database: str) -> None:
    async with api(database) as asked:
        ana = await asked.story.person("Ana")
        code = await code_of(asked, ana)
        await read_back(asked, ana, code)
        problem = await asked.responder.refused(409, "POST", path(ana, "verify"), json={"code": code})
        assert problem["code"] == "no_code"
        assert await proved(asked, ana) == {"ana": "code"}


async def test_five_wrong_tries_end_a_code(database: str) -> None:
    """Counted, though each is refused; the right one does not help any more."""
    async with api(database) as asked:
        ana = await asked.story.person("Ana")
        code = await code_of(asked, ana)
        codes = [
            (await asked.responder.refused(409, "POST", path(ana, "verify"), json={"code": guess}))["code"]
            for guess in [*[other(code)] * 5, code]
        ]
        assert codes == ["wrong_code"] * 4 + ["too_many_tries"] * 2
        assert await proved(asked, ana) == {"ana": None}


async def test_the_last_try_may_be_the_right_one(database: str) -> None:
    async with api(database) as asked:
        ana = await asked.story.person("Ana")
        code = await code_of(asked, ana)
        for _ in range(4):
            await asked.responder.refused(409, "POST", path(ana, "verify"), json={"code": other(code)})
        await read_back(asked, ana, code)


async def test_a_code_ends_after_fifteen_minutes_and_when_a_new_one_is_sent(database: str) -> None:
    async with api(database) as asked:
        ana = await asked.story.person("Ana")
        first = await code_of(asked, ana)
        second = await code_of(asked, ana)
        assert first != second
        problem = await asked.responder.refused(409, "POST", path(ana, "verify"), json={"code": first})
        assert problem["code"] == "wrong_code"
        await asked.story.passes(minutes=15)
        problem = await asked.responder.refused(409, "POST", path(ana, "verify"), json={"code": second})
        assert problem["code"] == "no_code"


async def test_at_most_three_codes_in_fifteen_minutes_go_to_one_place(database: str) -> None:
    async with api(database) as asked:
        ana = await asked.story.person("Ana", contact_methods=asked.story.phones("ana", "second"))
        for _ in range(3):
            last = await code_of(asked, ana)
        problem = await asked.responder.refused(409, "POST", path(ana, "code"))
        assert problem["code"] == "too_many_codes"
        await asked.responder.done(202, "POST", path(ana, "code", "second"))
        await read_back(asked, ana, last)
        await asked.story.passes(minutes=15)
        await code_of(asked, ana)


async def test_a_repeated_request_sends_one_code(database: str) -> None:
    async with api(database) as asked:
        ana = await asked.story.person("Ana")
        for _ in range(2):
            await asked.responder.done(202, "POST", path(ana, "code"), headers={"idempotency-key": "k"})
        await ana.is_paged()


async def test_another_address_or_kind_takes_the_proof_away_and_another_label_does_not(database: str) -> None:
    async with api(database) as asked:
        ana = await asked.story.person("Ana")
        await read_back(asked, ana, await code_of(asked, ana))
        await edit(asked, ana, label="new name", enabled=False)
        assert await proved(asked, ana) == {"ana": "code"}
        await edit(asked, ana, address={"url": asked.story.provider.url("/elsewhere")})
        assert await proved(asked, ana) == {"ana": None}


async def test_a_code_that_went_to_the_old_address_proves_nothing_of_the_new_one(database: str) -> None:
    async with api(database) as asked:
        ana = await asked.story.person("Ana")
        code = await code_of(asked, ana)
        await edit(asked, ana, address={"url": asked.story.provider.url("/elsewhere")})
        problem = await asked.responder.refused(409, "POST", path(ana, "verify"), json={"code": code})
        assert problem["code"] == "method_changed"
        assert await proved(asked, ana) == {"ana": None}


async def test_a_code_is_kept_nowhere_that_can_be_read(database: str) -> None:
    """Neither its row nor the notice that carried it holds the digits, nor a digest that can be tried out."""
    async with api(database) as asked:
        ana = await asked.story.person("Ana")
        code = await code_of(asked, ana)
        for table in ("contact_checks", "notices", "jobs", "idempotency"):
            for row in await asked.story.rows(f"SELECT * FROM {table}"):
                assert code not in str([value for value in row if not isinstance(value, int)])


async def test_a_code_by_a_way_that_fails_says_so_in_the_notices(database: str) -> None:
    async with api(database) as asked:
        asked.story.provider.by_path["/ana"] = answering(404)
        ana = await asked.story.person("Ana", contact_methods=asked.story.phones("ana", "second"))
        sent = await asked.responder.done(202, "POST", path(ana, "code"))
        await asked.story.settled()
        ana.phone.taken = len(ana.phone.inbox())
        (notice,) = (await asked.reader.get(f"/people/{ana.id}/notices"))["items"]
        assert (notice["id"], notice["state"]) == (sent["notice_id"], "failed")
        assert {seen.path for seen in asked.story.provider.seen} == {"/ana"}, "no other way proves this one"


async def test_who_may_and_what_is_refused(database: str) -> None:
    async with api(database) as asked:
        ana = await asked.story.person("Ana")
        await asked.reader.refused(403, "POST", path(ana, "code"))
        await asked.reader.refused(403, "POST", path(ana, "verify"), json={"code": "123456"})
        await asked.responder.refused(404, "POST", path(ana, "code", "nothing"))
        await asked.responder.refused(404, "POST", "/people/7/contact-methods/ana/code")
        await asked.responder.refused(404, "POST", path(ana, "verify", "nothing"), json={"code": "123456"})
        await asked.responder.refused(409, "POST", path(ana, "verify"), json={"code": "123456"})
        for code in ("12345", "1234567", "12345a", "\N{ARABIC-INDIC DIGIT ONE}23456", 123456, ""):
            await asked.responder.refused(422, "POST", path(ana, "verify"), json={"code": code})


async def test_the_proved_methods_of_many_people_are_read_at_once(database: str) -> None:
    async with api(database) as asked:
        ana = await asked.story.person("Ana", contact_methods=asked.story.phones("ana", "second"))
        ben = await asked.story.person("Ben")
        await read_back(asked, ana, await code_of(asked, ana))

        async def question(view: Reading) -> dict[int, frozenset[str]]:
            found = await resources.load(view, "person", [ana.id, ben.id])
            return await verified(view, {key: Person.model_validate(one.document) for key, one in found.items()})

        assert await asked.story.store.read(question) == {ana.id: frozenset({"ana"}), ben.id: frozenset()}


async def test_a_test_page_says_that_nothing_is_wrong_and_is_not_sent_too_often(database: str) -> None:
    async with api(database) as asked:
        ana = await asked.story.person("Ana")
        for _ in range(3):
            await asked.responder.done(202, "POST", path(ana, "test"))
            page = await ana.is_paged("nothing is wrong")
            assert (page["kind"], page["urgency"]) == ("test", "high")
        problem = await asked.responder.refused(409, "POST", path(ana, "test"))
        assert problem["code"] == "too_many_tests"
        await asked.responder.refused(404, "POST", path(ana, "test", "fax"))

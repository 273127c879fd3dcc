"""How a person can be reached, and the proof of it: a code that is sent by one contact method and read back.

Pages go by contact methods that were never proved too; who watches ahead counts the proved ones only.
"""

from __future__ import annotations

from enum import Enum
from typing import Annotated, Literal

from fastapi import APIRouter, Path
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from app.api.idempotency import Made, RequestedOf, once
from app.api.parameters import IdText
from app.api.problems import NotFound, answers
from app.api.resources import read_one
from app.clock import iso
from app.oncall.facts import schedules_of
from app.paging.codes import send_code, send_test
from app.people import contacts
from app.people.contacts import MAX_TRIES, Check, Verdict
from app.people.person import ContactMethod, Person
from app.rota.ahead import look_again_of
from app.store.database import Reading, Writing
from app.store.resources import Refused
from app.world import World

MethodText = Annotated[str, Path(min_length=1, max_length=40, description="The id of the contact method.")]


class MethodShown(BaseModel):
    """One contact method, without its address."""

    id: str
    kind: str
    label: str
    enabled: bool
    verified_at: str | None = Field(description="When it was proved to reach the person; null: never, as it is now.")
    verified_by: Literal["code", "drill"] | None


class MethodList(BaseModel):
    """All of one person's, in their order."""

    items: list[MethodShown]


class CodeSent(BaseModel):
    """A code is on its way."""

    notice_id: str = Field(description="How it goes stands in the person's notices.")
    expires_at: str


class TestSent(BaseModel):
    """A test page is on its way."""

    notice_id: str = Field(description="How it goes stands in the person's notices.")


class Code(BaseModel):
    """What the person read."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    code: str = Field(pattern=r"^[0-9]{6}$", description="Six digits.")


def _shown(method: ContactMethod, check: Check | None) -> MethodShown:
    proved = check if check is not None and check.verified_at is not None else None
    return MethodShown(
        id=method.id,
        kind=method.kind,
        label=method.label,
        enabled=method.enabled,
        verified_at=iso(proved.verified_at or 0) if proved else None,
        verified_by="drill" if proved and proved.verified_by == "drill" else "code" if proved else None,
    )


async def _person(view: Reading, person_id: int) -> Person:
    return Person.model_validate((await read_one(view, "person", person_id)).document)


async def _method(view: Reading, person_id: int, method_id: str) -> ContactMethod:
    """Raises NotFound."""
    for method in (await _person(view, person_id)).contact_methods:
        if method.id == method_id:
            return method
    raise NotFound("This person has no such contact method.")


async def listed(view: Reading, person_id: int) -> MethodList:
    """A person's contact methods. Raises NotFound."""
    person = await _person(view, person_id)
    known = await contacts.checks(view, {person_id: person})
    return MethodList(items=[_shown(method, known.get((person_id, method.id))) for method in person.contact_methods])


async def send(tx: Writing, secret: str, person_id: int, method_id: str) -> Made:
    """Sends a code. Raises NotFound, Refused."""
    notice_id = await send_code(tx, secret, person_id, await _method(tx, person_id, method_id))
    sent = CodeSent(notice_id=str(notice_id), expires_at=iso(tx.now + contacts.CODE_LIVES))
    return Made(sent.model_dump(), 202)


async def test(tx: Writing, person_id: int, method_id: str, actor: str) -> Made:
    """Sends a test page. Raises NotFound, Refused."""
    notice_id = await send_test(tx, person_id, await _method(tx, person_id, method_id), actor)
    return Made(TestSent(notice_id=str(notice_id)).model_dump(), 202)


async def confirm(tx: Writing, secret: str, person_id: int, method_id: str, code: str) -> tuple[Verdict, MethodShown]:
    """Takes a code. A wrong one is counted, so nothing is raised for it here. Raises NotFound."""
    method = await _method(tx, person_id, method_id)
    verdict = await contacts.confirm(tx, secret, person_id, method, code)
    if verdict == "verified":
        await look_again_of(tx, await schedules_of(tx, [person_id]))
    return verdict, _shown(method, await contacts.held(tx, person_id, method_id))


_REFUSALS: dict[Verdict, tuple[str, str]] = {
    "wrong": ("wrong_code", "that is not the code that was sent last; look again"),
    "spent": ("too_many_tries", f"a code can be tried {MAX_TRIES} times; have a new one sent"),
    "no_code": ("no_code", "no code is waiting: none was sent, or its time is over; have a new one sent"),
    "changed": ("method_changed", "the contact method was changed since the code was sent; have a new one sent"),
}


def add_routes(routes: APIRouter, world: World) -> None:
    """The routes of proving contact methods."""
    tags: list[str | Enum] = ["people"]
    base = "/people/{item_id}/contact-methods"

    @routes.get(
        base,
        tags=tags,
        summary="How a person can be reached, and what is proved",
        operation_id="list_contact_methods",
        responses=answers(404),
    )
    async def list_contact_methods(item_id: IdText) -> MethodList:
        """In the person's order. Addresses are in the person's document."""
        return await world.store.read(listed, int(item_id))

    @routes.post(
        f"{base}/{{method_id}}/code",
        status_code=202,
        response_model=CodeSent,
        tags=tags,
        summary="Send a code to a contact method",
        operation_id="send_contact_code",
        responses=answers(404, 409),
    )
    async def send_contact_code(item_id: IdText, method_id: MethodText, request: RequestedOf) -> Response:
        """Six digits, good for 15 minutes and 5 tries; at most 3 codes in 15 minutes. A new one replaces the one before."""
        made = await world.store.write(once, request.asked(), send, world.secret, int(item_id), method_id)
        world.wake.set()
        return made.response()

    @routes.post(
        f"{base}/{{method_id}}/test",
        status_code=202,
        response_model=TestSent,
        tags=tags,
        summary="Send a test page to a contact method",
        operation_id="test_contact_method",
        responses=answers(404, 409),
    )
    async def test_contact_method(item_id: IdText, method_id: MethodText, request: RequestedOf) -> Response:
        """As urgent as a page is, and it says that nothing is wrong. At most 3 in 15 minutes."""
        made = await world.store.write(once, request.asked(), test, int(item_id), method_id, request.actor)
        world.wake.set()
        return made.response()

    @routes.post(
        f"{base}/{{method_id}}/verify",
        tags=tags,
        summary="Prove a contact method by the code that was sent",
        operation_id="verify_contact_method",
        responses=answers(404, 409, 413),
    )
    async def verify_contact_method(item_id: IdText, method_id: MethodText, said: Code) -> MethodShown:
        """It stays proved until its kind or address is changed."""
        verdict, method = await world.store.write(confirm, world.secret, int(item_id), method_id, said.code)
        if verdict != "verified":
            raise Refused(*_REFUSALS[verdict])
        return method

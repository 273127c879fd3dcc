"""Whatever the OpenAPI document allows, and what it does not, is answered: never with an error of ours.

Messages are made by schemathesis from the document, a few an operation (TEST_SCHEMATHESIS says how many), always the same.
Nothing that they begin is carried out: the worker is stopped, so no address that they name is dialled.
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as hypothesis_settings
from hypothesis.errors import Unsatisfiable
from schemathesis.generation import GenerationMode

from app.api.access import create_key
from tests.harness.api_world import CONTRACT
from tests.harness.clock import StoryClock
from tests.harness.providers import Answering, provider
from tests.harness.town import begin

EACH = int(os.environ.get("TEST_SCHEMATHESIS", "2"))
"""Messages an operation that fit the document, and as many that do not."""
WORKER = "GET /livez"
"""Says that the worker does not run, as is the case here."""
SCHEMA = schemathesis.openapi.from_dict(CONTRACT.document)


def messages(operation: Any, mode: GenerationMode) -> list[dict[str, Any]]:
    """Requests to one operation, as httpx takes them."""
    made: list[dict[str, Any]] = []

    @hypothesis_settings(
        max_examples=EACH,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def collect(case: Any) -> None:
        made.append(case.as_transport_kwargs(base_url="http://tocsin.test"))

    with suppress(Unsatisfiable):  # an operation that takes nothing can be given nothing wrong
        collect()
    return made


async def test_no_message_that_the_document_describes_or_forbids_is_answered_with_a_fault_of_ours(tmp_path):
    async with provider(Answering(200, b"{}")) as fake:
        story = await begin(f"sqlite:///{tmp_path}/tocsin.db", StoryClock(), fake)
        story.process.worker.stop()
        _, key = await story.store.write(create_key, "schemathesis", "admin")
        asked, faults = 0, []
        try:
            for found in SCHEMA.get_all_operations():
                operation = found.ok()
                if operation.label == WORKER:
                    continue
                for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
                    for how in messages(operation, mode):
                        answer = await sent(story.web, how, key)
                        asked += 1
                        if answer is None or answer.status_code >= 500:
                            faults.append((operation.label, how, answer and answer.text))
        finally:
            await story.ends()
    assert faults == []
    assert story.errors == []
    assert asked > 300


async def sent(web: httpx.AsyncClient, how: dict[str, Any], key: str) -> httpx.Response | None:
    """The answer; a message that cannot even be written down as HTTP is no message."""
    kept = {
        name: value for name, value in how.items() if name in ("method", "url", "params", "json", "data", "content")
    }
    headers = {name: value for name, value in (how.get("headers") or {}).items() if name.lower() != "authorization"}
    try:
        request = web.build_request(**kept, headers={**headers, "authorization": f"Bearer {key}"})
    except (UnicodeError, httpx.InvalidURL, TypeError, ValueError):
        return httpx.Response(400)
    return await web.send(request)


@pytest.fixture(autouse=True)
def quiet_generation(recwarn):
    """Warnings of the generator are about the document's own examples."""
    yield
    recwarn.clear()

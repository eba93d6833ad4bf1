"""Every address of the OpenAPI document, called with what the document allows and what it does not:
never a 5xx that the document does not promise, never an answer outside its schema.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from gateway.api.app import route_table
from gateway.api.openapi import document
from gateway.api.settings import APISettings
from gateway.app.demo_world import TENANT, furnish, prepare
from gateway.app.serve import running
from store.keys import KeyRole
from tests.unit.api.fakes import world

EXAMPLES = 12
SPEC = document(route_table(world().services, APISettings(), asyncio.Event()), "1")
schema = schemathesis.openapi.from_dict(SPEC)


@schemathesis.serializer("application/x-ndjson")
def as_lines(context: object, value: object) -> bytes:
    """A generated text as it stands: most are no lines of JSON, which must be no fault of ours."""
    return str(value).encode(errors="replace")


@dataclass(frozen=True)
class Served:
    address: str
    keys: dict[str, str]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A furnished gateway in a thread of its own: the test itself speaks plain blocking HTTP."""
    folder: Path = tmp_path_factory.mktemp("schemathesis")
    found: list[Served] = []
    ready, stop = threading.Event(), threading.Event()

    async def serve() -> None:
        async with running(prepare(folder), work=False) as (gateway, serving):
            assert serving is not None
            await furnish(gateway)
            roles = (KeyRole.SELLER, KeyRole.OPERATOR, KeyRole.SUPERVISOR)
            keys = {
                role.value: (await gateway.keys.new(TENANT, role, role.value)).token
                for role in roles
            }
            found.append(Served(serving.address, keys))
            ready.set()
            await asyncio.to_thread(stop.wait)

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    assert ready.wait(30)
    yield found[0]
    stop.set()
    thread.join(30)


@schema.parametrize()
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    database=None,
    phases=(Phase.generate,),
    suppress_health_check=list(HealthCheck),
)
def test_no_answer_lies_outside_the_document(case: schemathesis.Case[Any], served: Served) -> None:
    roles = case.operation.definition.raw.get("x-roles", ["seller"])
    role = next((role for role in ("seller", "operator") if role in roles), "supervisor")
    headers = {"Authorization": f"Bearer {served.keys[role]}"}
    if case.query.get("wait"):
        case.query["wait"] = "0"
    answer = case.call(base_url=served.address, headers=headers, timeout=20)
    checks = [
        content_type_conformance,
        response_schema_conformance,
        status_code_conformance,
    ]
    if answer.status_code not in (501, 503):
        checks.append(not_a_server_error)
    case.validate_response(answer, checks=checks)

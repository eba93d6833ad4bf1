"""A served API with fakes behind it, and a client that speaks JSON."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

import orjson
import pytest
from aiohttp import ClientSession

from gateway.api.app import create_app, serving
from gateway.api.settings import APISettings
from tests.unit.api.fakes import World, world

QUICK = APISettings(
    header_deadline_s=0.3,
    body_deadline_s=0.3,
    idle_s=5,
    lingering_s=0.1,
    connections_per_peer=8,
    body_limit=20_000,
    batch_limit=60_000,
    batch_lines=50,
    wait_poll_s=0.001,
    twin_wait_s=0.02,
    drain_s=2,
)


@dataclass(frozen=True)
class Reply:
    """A whole answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def doc(self) -> Any:
        return orjson.loads(self.body)


@dataclass(frozen=True)
class API:
    """Calls as one key: ``<tenant>-<role>``."""

    world: World
    session: ClientSession
    address: str
    port: int

    async def call(
        self,
        method: str,
        path: str,
        doc: Any = None,
        *,
        key: str | None = "alpha-seller",
        data: bytes | AsyncIterator[bytes] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Reply:
        sent = {} if key is None else {"Authorization": f"Bearer {key}"}
        if doc is not None:
            data = orjson.dumps(doc)
        if data is not None:
            sent["Content-Type"] = "application/json"
        sent |= headers or {}
        async with self.session.request(
            method, self.address + path, data=data, headers=sent
        ) as answer:
            return Reply(answer.status, answer.headers, await answer.read())

    async def get(self, path: str, **how: Any) -> Reply:
        return await self.call("GET", path, **how)

    async def post(self, path: str, doc: Any = None, **how: Any) -> Reply:
        return await self.call("POST", path, doc, **how)

    async def batch(self, *lines: Any, **how: Any) -> Reply:
        body = b"\n".join(line if isinstance(line, bytes) else orjson.dumps(line) for line in lines)
        headers = {"Content-Type": "application/x-ndjson", **how.pop("headers", {})}
        return await self.call("POST", "/v1/batches", data=body, headers=headers, **how)


@pytest.fixture
async def api() -> AsyncIterator[API]:
    here = world()
    async with serving(create_app(here.services, QUICK)) as running, ClientSession() as session:
        yield API(here, session, running.address, running.port)

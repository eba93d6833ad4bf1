"""The route that offers signing: messages and SignedInfo of tenants a key was offered to."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from aiohttp import ClientSession

from gateway.api.answers import SignatureOut
from gateway.api.app import create_app, serving
from gateway.app.config import KeySection
from gateway.app.keyring import KeyRings
from gateway.app.offering import OfferedRings
from gateway.app.surroundings import ThreadExecutor
from signing import RemoteKey, RemoteSettings, sign, verify, verify_own
from signing.errors import AgentUnreachable, CallRefused
from tests.integration.api.conftest import API, QUICK
from tests.unit.api.fakes import world
from tests.unit.signing.make import BODY, INFO, SCOPE, file_key, policy

SECTIONS = {
    "default": KeySection(file=Path("unused.pem"), offered_to=frozenset({"alpha"})),
    "other": KeySection(file=Path("unused.pem")),
}


def text(content: bytes) -> str:
    return base64.b64encode(content).decode()


@pytest.fixture
async def offering() -> AsyncIterator[API]:
    made = world()
    executor = ThreadExecutor(1)
    rings = KeyRings.of_keys({"default": file_key(), "other": file_key()}, executor)
    services = replace(made.services, signing=OfferedRings(rings, SECTIONS))
    async with (
        serving(create_app(services, QUICK)) as running,
        ClientSession() as session,
    ):
        yield API(made, session, running.address, running.port)
    executor.close()


async def test_a_message_that_a_platform_built_is_signed(offering: API) -> None:
    done = await offering.call("POST", "/v1/signatures", {"key": "default", "document": text(BODY)})
    assert done.status == 200
    made = SignatureOut.model_validate_json(done.body)
    assert made.document is not None
    assert verify(base64.b64decode(made.document), policy()).content == BODY
    expected = sign(BODY, file_key())
    assert made.signature == text(expected.signature)
    assert (made.key_name, made.profile) == (expected.key_name, "CEB-RSA-SHA1")
    assert made.certificate == file_key().certificate.der_base64.decode()


async def test_our_own_remote_key_signs_through_it(offering: API) -> None:
    settings = RemoteSettings(
        f"{offering.address}/v1/signatures",
        key="default",
        token="alpha-seller",
        certificate=file_key().certificate,
    )
    key = RemoteKey("remote", settings)
    signed = await asyncio.to_thread(sign, BODY, key, canonical=True)
    verify_own(signed, key)
    stranger = RemoteKey("remote", replace(settings, token="beta-seller"))
    with pytest.raises(CallRefused):
        await asyncio.to_thread(sign, BODY, stranger, canonical=True)


@pytest.mark.parametrize(
    "doc, key, status",
    [
        ({"key": "default", "document": text(BODY)}, "beta-seller", 404),
        ({"key": "other", "document": text(BODY)}, "alpha-seller", 404),
        ({"key": "none", "document": text(BODY)}, "alpha-seller", 404),
        ({"key": "default", "document": text(BODY)}, "alpha-viewer", 403),
        ({"key": "default"}, "alpha-seller", 422),
        ({"key": "default", "document": "", "data": ""}, "alpha-seller", 422),
        ({"key": "default", "document": "*"}, "alpha-seller", 422),
        ({"key": "default", "document": text(b"<a/>")}, "alpha-seller", 422),
        ({"key": "default", "document": text(sign(BODY, file_key()).content)}, "alpha-seller", 422),
        ({"key": "default", "data": text(b"pay me")}, "alpha-seller", 422),
        (
            {"key": "default", "data": text(INFO.format(scope="", digest="A" * 27 + "=").encode())},
            "alpha-seller",
            422,
        ),
        (
            {
                "key": "default",
                "data": text(INFO.format(scope=SCOPE, digest="A" * 27 + "=").encode() + b"\n"),
            },
            "alpha-seller",
            422,
        ),
    ],
)
async def test_nothing_else_is_signed_for_anybody_else(
    offering: API, doc: dict[str, str], key: str, status: int
) -> None:
    done = await offering.call("POST", "/v1/signatures", doc, key=key)
    assert done.status == status


async def test_a_ring_without_a_key_that_is_well_asks_to_come_again(offering: API) -> None:
    made = world()
    broken = KeyRings.of_keys({"default": file_key()}, ThreadExecutor(1))
    assert broken.ring("default").set_aside("test-key", AgentUnreachable())
    services = replace(made.services, signing=OfferedRings(broken, SECTIONS))
    async with serving(create_app(services, QUICK)) as running:
        api = API(made, offering.session, running.address, running.port)
        done = await api.call("POST", "/v1/signatures", {"key": "default", "document": text(BODY)})
    assert (done.status, done.headers["Retry-After"]) == (503, "5")
    assert done.doc["reason"] == "SIGN-211"


async def test_a_gateway_that_offers_nothing_has_nothing_here() -> None:
    made = world()
    async with (
        serving(create_app(made.services, QUICK)) as running,
        ClientSession() as session,
    ):
        api = API(made, session, running.address, running.port)
        done = await api.call("POST", "/v1/signatures", {"key": "a", "document": text(BODY)})
    assert done.status == 404

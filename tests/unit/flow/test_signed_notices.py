"""Signatures of notices, as a foreign Standard Webhooks verifier sees them."""

from __future__ import annotations

import base64
from dataclasses import replace
from datetime import UTC, datetime

import orjson
import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from standardwebhooks import Webhook, WebhookVerificationError

from adapters.base import NO_ANSWER, NOT_ALLOWED, Request, Response
from adapters.notify.standard import deliver, public_key
from gateway.domain.ids import CaseId, EffectId, EndpointId, TenantId
from gateway.ports import Effect, EffectKind, Endpoint, NoticeResult

NOW = int(datetime.now(UTC).timestamp()) * 1_000_000
OLD = "whsec_" + base64.b64encode(b"o" * 32).decode()
NEW = "whsec_" + base64.b64encode(b"n" * 32).decode()
KEY = "whsk_" + base64.b64encode(b"k" * 32).decode()
ENDPOINT = Endpoint(
    EndpointId("ep_1"), TenantId("shop"), "seller", "https://hooks.example.com/", NEW
)
NOTICE = Effect(
    EffectId("notice1"),
    EffectKind.NOTICE,
    "ep_1",
    NOW,
    CaseId("case1"),
    TenantId("shop"),
    "case.released",
    {"at": NOW, "order_no": "A-1", "seq": 7, "data": {"stage": "released"}},
)


def micros() -> int:
    """Now: the foreign verifier knows no other clock, and a test may run long after its import."""
    return int(datetime.now(UTC).timestamp()) * 1_000_000


def request_of(endpoint: Endpoint, now: int | None = None) -> Request:
    return next(deliver(endpoint, [NOTICE], micros() if now is None else now))


def test_a_foreign_verifier_takes_the_signature() -> None:
    request = request_of(ENDPOINT)
    value = Webhook(NEW).verify(request.body, dict(request.headers))
    assert value == orjson.loads(request.body)
    with pytest.raises(WebhookVerificationError):
        Webhook(OLD).verify(request.body, dict(request.headers))


def test_both_secrets_sign_until_the_overlap_ends() -> None:
    now = micros()
    rotated = replace(ENDPOINT, old_secrets=(OLD,), old_until=now + 1)
    request = request_of(rotated, now)
    for secret in (OLD, NEW):
        assert Webhook(secret).verify(request.body, dict(request.headers))
    later = request_of(replace(rotated, old_until=now), now)
    assert Webhook(NEW).verify(later.body, dict(later.headers))
    with pytest.raises(WebhookVerificationError):
        Webhook(OLD).verify(later.body, dict(later.headers))


def test_an_ed25519_key_signs_beside_the_secret() -> None:
    request = request_of(replace(ENDPOINT, signing_key=KEY))
    assert Webhook(NEW).verify(request.body, dict(request.headers))
    given = dict(one.split(",", 1) for one in request.headers["webhook-signature"].split())
    assert set(given) == {"v1", "v1a"}
    shown = public_key(KEY)
    assert shown.startswith("whpk_")
    verifier = Ed25519PublicKey.from_public_bytes(base64.b64decode(shown[5:]))
    headers = request.headers
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + request.body
    verifier.verify(base64.b64decode(given["v1a"]), signed)
    with pytest.raises(InvalidSignature):
        verifier.verify(base64.b64decode(given["v1a"]), signed + b" ")


@pytest.mark.parametrize(
    "status, body, says",
    [
        (204, b"", "ok"),
        (410, b"", "gone"),
        (302, b"", "retry"),
        (500, b"", "retry"),
        (NO_ANSWER, b"", "retry"),
        (NOT_ALLOWED, b"the port is not one that may be called", "retry"),
    ],
)
def test_an_answer_says_what_becomes_of_a_notice(status: int, body: bytes, says: str) -> None:
    exchange = deliver(ENDPOINT, [NOTICE], NOW)
    next(exchange)
    with pytest.raises(StopIteration) as ended:
        exchange.send(Response(status, {}, body))
    result: NoticeResult = ended.value.value[0]
    assert (result.effect_id, result.status) == (NOTICE.effect_id, says)
    assert body.decode() in result.detail

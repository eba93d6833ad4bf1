"""Standard Webhooks: one notice, or up to 100 in one signed POST.

Headers ``webhook-id``, ``webhook-timestamp``, ``webhook-signature``: over ``id.timestamp.body``
HMAC-SHA256 (``v1,``) with a ``whsec_`` secret and ed25519 (``v1a,``) with a ``whsk_`` key, base64;
after a rotation the old ones sign too, all separated by spaces. A batch is ``{"notices": [...]}``
and answers with a result for each notice. Payloads are thin: they name the case and carry no
personal data.
"""

import base64
import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

import orjson
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from adapters.base import NO_ANSWER, NOT_ALLOWED, Exchange, Request, Response
from gateway.domain.codec import from_micros
from gateway.ports import Effect, Endpoint, NoticeResult

_HMAC: Final = "whsec_"
_ED25519: Final = "whsk_"
_PUBLIC: Final = "whpk_"
_TIMEOUT_S: Final = 15
_GONE: Final = 410
_OK: Final = range(200, 300)
_RESULTS: Final = frozenset({"ok", "retry", "refused"})


def notice_value(notice: Effect) -> dict[str, Any]:
    """The JSON value of one notice."""
    payload = notice.payload
    value = {
        "id": notice.effect_id,
        "type": notice.ref,
        "created_at": from_micros(payload["at"]).isoformat().replace("+00:00", "Z"),
        "data": payload["data"],
    }
    if notice.case_id is not None:
        value["case"] = {
            "id": notice.case_id,
            "order_no": payload["order_no"],
            "sequence": payload["seq"],
        }
    return value


def signature(secret: str, message_id: str, timestamp: int, body: bytes) -> str:
    """A body's signature: ``v1,`` under a ``whsec_`` secret, ``v1a,`` under a ``whsk_`` key."""
    signed = f"{message_id}.{timestamp}.".encode() + body
    if secret.startswith(_ED25519):
        seed = base64.b64decode(secret.removeprefix(_ED25519))
        signer = Ed25519PrivateKey.from_private_bytes(seed)
        return "v1a," + base64.b64encode(signer.sign(signed)).decode("ascii")
    key = base64.b64decode(secret.removeprefix(_HMAC))
    digest = hmac.digest(key, signed, "sha256")
    return "v1," + base64.b64encode(digest).decode("ascii")


def public_key(signing_key: str) -> str:
    """The ``whpk_`` key that verifies what a ``whsk_`` key signs."""
    seed = base64.b64decode(signing_key.removeprefix(_ED25519))
    public = Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()
    return _PUBLIC + base64.b64encode(public).decode("ascii")


def signatures(secrets: Sequence[str], message_id: str, timestamp: int, body: bytes) -> str:
    """The value of ``webhook-signature``: one signature under each secret."""
    return " ".join(signature(secret, message_id, timestamp, body) for secret in secrets)


def deliver(
    endpoint: Endpoint, notices: Sequence[Effect], now: int
) -> Exchange[list[NoticeResult]]:
    """One POST with these notices; gives the result of each."""
    values = [notice_value(notice) for notice in notices]
    single = endpoint.batch_size == 1 and len(values) == 1
    body = orjson.dumps(values[0] if single else {"notices": values})
    message_id = notices[0].effect_id if single else _batch_id(notices)
    timestamp = now // 1_000_000
    response = yield Request(
        method="POST",
        url=endpoint.url,
        headers={
            "content-type": "application/json",
            "webhook-id": message_id,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": signatures(endpoint.secrets_at(now), message_id, timestamp, body),
        },
        body=body,
        timeout_s=_TIMEOUT_S,
    )
    return interpret(notices, response, single=single)


def _batch_id(notices: Sequence[Effect]) -> str:
    text = ",".join(notice.effect_id for notice in notices)
    return "batch_" + hashlib.sha256(text.encode()).hexdigest()[:32]


def interpret(notices: Sequence[Effect], response: Response, *, single: bool) -> list[NoticeResult]:
    """What an answer says of each notice.

    2xx delivers a single notice. A batch's 2xx names a result for each notice; one that is not
    named was not dealt with and is sent again. 410 refuses this and all others, everything else is
    tried again.
    """
    if response.status == _GONE:
        return [NoticeResult(one.effect_id, "gone", "410 Gone", _GONE) for one in notices]
    if response.status == NOT_ALLOWED:
        why = f"address refused: {response.body.decode('ascii', 'replace')}"
        return [NoticeResult(one.effect_id, "retry", why) for one in notices]
    if response.status == NO_ANSWER:
        return [NoticeResult(one.effect_id, "retry", "no answer") for one in notices]
    if response.status not in _OK:
        code = response.status
        return [NoticeResult(one.effect_id, "retry", f"HTTP {code}", code) for one in notices]
    if single:
        return [NoticeResult(notices[0].effect_id, "ok", code=response.status)]
    results = _batch_results(notices, response.body)
    return [replace(one, code=response.status) for one in results]


def _batch_results(notices: Sequence[Effect], body: bytes) -> list[NoticeResult]:
    """The results of a batch; an answer that is not the agreed form delivers nothing."""
    try:
        items = orjson.loads(body)["results"]
        named = {
            str(item["id"]): (str(item["status"]), str(item.get("detail", ""))) for item in items
        }
    except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError):
        return [
            NoticeResult(one.effect_id, "retry", "answer is not a batch result") for one in notices
        ]
    results = []
    for notice in notices:
        status, detail = named.get(notice.effect_id, ("retry", "not named in the answer"))
        if status not in _RESULTS:
            status, detail = "retry", "unknown status in the answer"
        results.append(NoticeResult(notice.effect_id, status, detail[:200]))
    return results

"""Standard Webhooks: one notice, or up to 100 in one signed POST.

Headers ``webhook-id``, ``webhook-timestamp``, ``webhook-signature`` (HMAC-SHA256 over
``id.timestamp.body``, base64, ``v1,``). A batch is ``{"notices": [...]}`` and answers with a
result for each notice. Payloads are thin: they name the case and carry no personal data.
"""

import base64
import hashlib
import hmac
from collections.abc import Sequence
from typing import Any, Final

import orjson

from adapters.base import NO_ANSWER, NOT_ALLOWED, Exchange, Request, Response
from gateway.domain.codec import from_micros
from gateway.ports import Effect, Endpoint, NoticeResult

_PREFIX: Final = "whsec_"
_TIMEOUT_S: Final = 15
_GONE: Final = 410
_OK: Final = range(200, 300)
_RESULTS: Final = frozenset({"ok", "retry", "refused"})


def notice_value(notice: Effect) -> dict[str, Any]:
    """The JSON value of one notice."""
    payload = notice.payload
    return {
        "id": notice.effect_id,
        "type": notice.ref,
        "created_at": from_micros(payload["at"]).isoformat().replace("+00:00", "Z"),
        "case": {
            "id": notice.case_id,
            "order_no": payload["order_no"],
            "sequence": payload["seq"],
        },
        "data": payload["data"],
    }


def signature(secret: str, message_id: str, timestamp: int, body: bytes) -> str:
    """The ``v1,`` signature of a body under a ``whsec_`` secret."""
    key = base64.b64decode(secret.removeprefix(_PREFIX))
    signed = f"{message_id}.{timestamp}.".encode() + body
    digest = hmac.digest(key, signed, "sha256")
    return "v1," + base64.b64encode(digest).decode("ascii")


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
            "webhook-signature": signature(endpoint.secret, message_id, timestamp, body),
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
    named was not dealt with and is sent again. 410 refuses for good, everything else is tried
    again.
    """
    if response.status == _GONE:
        return [NoticeResult(one.effect_id, "refused", "410 Gone") for one in notices]
    if response.status == NOT_ALLOWED:
        why = f"address refused: {response.body.decode('ascii', 'replace')}"
        return [NoticeResult(one.effect_id, "retry", why) for one in notices]
    if response.status == NO_ANSWER:
        return [NoticeResult(one.effect_id, "retry", "no answer") for one in notices]
    if response.status not in _OK:
        return [NoticeResult(one.effect_id, "retry", f"HTTP {response.status}") for one in notices]
    if single:
        return [NoticeResult(notices[0].effect_id, "ok")]
    return _batch_results(notices, response.body)


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

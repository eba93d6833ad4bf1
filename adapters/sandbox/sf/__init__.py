"""An SF-like express platform: digests checked, one order a reference, waybill numbers given."""

import base64
import hashlib
import json
import re
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final
from urllib.parse import parse_qsl

from aiohttp import web

__all__ = ["Behaviour", "Customer", "Running", "start"]

_BODY_BYTES: Final = 256 * 1024
_SKEW_MS: Final = 10 * 60 * 1000
_FIELDS: Final = ("partnerID", "requestID", "serviceCode", "timestamp", "msgDigest", "msgData")
_CARGO: Final = ("name", "count", "unit", "weight", "amount", "currency", "sourceArea")
_SAFE: Final = re.compile(r"[A-Za-z0-9*\-._]")


@dataclass(frozen=True, slots=True)
class Customer:
    """A customer's partner id and check word."""

    partner_id: str
    checkword: str


@dataclass(frozen=True, slots=True)
class Behaviour:
    """How the platform misbehaves.

    ``lose_answers`` calls are carried out and not answered; ``fail_first`` calls are answered
    with ``fail_code``. ``filter_result`` is what it says of every address.
    """

    fail_first: int = 0
    fail_code: str = "A1005"
    lose_answers: int = 0
    filter_result: int = 2


@dataclass(slots=True)
class Tally:
    """What the platform has seen; ``orders`` are answers by reference."""

    calls: int = 0
    unsigned: int = 0
    duplicates: int = 0
    orders: dict[str, dict[str, Any]] = field(default_factory=dict)
    asked: dict[str, dict[str, Any]] = field(default_factory=dict)


class RefusedError(Exception):
    """A call is answered with a code, by the gateway or (``inner``) by the service."""

    def __init__(self, code: str, *, inner: bool = False) -> None:
        super().__init__(code)
        self.code = code
        self.inner = inner


def _encoded(text: str) -> str:
    """As Java's URLEncoder does it, written down letter by letter."""
    parts = []
    for byte in text.encode():
        char = chr(byte)
        if char == " ":
            parts.append("+")
        elif byte < 128 and _SAFE.match(char):
            parts.append(char)
        else:
            parts.append(f"%{byte:02X}")
    return "".join(parts)


class Platform:
    """Serves one customer."""

    def __init__(
        self, customer: Customer, behaviour: Behaviour, clock: Callable[[], datetime]
    ) -> None:
        self._customer = customer
        self.behaviour = behaviour
        self._clock = clock
        self._requests: set[str] = set()
        self.tally = Tally()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Serve one POST."""
        self.tally.calls += 1
        body = await request.read()
        try:
            if self.tally.calls <= self.behaviour.fail_first:
                raise RefusedError(self.behaviour.fail_code)
            inner = self._serve(request.content_type, body)
        except RefusedError as refused:
            self.tally.unsigned += refused.code == "A1006"
            if not refused.inner:
                return _outer(refused.code, None)
            inner = {
                "success": False,
                "errorCode": refused.code,
                "errorMsg": "",
                "msgData": None,
            }
        if self.tally.calls <= self.behaviour.lose_answers:
            assert request.transport is not None
            request.transport.close()
        return _outer("A1000", json.dumps(inner, ensure_ascii=False))

    def _serve(self, content_type: str, body: bytes) -> dict[str, Any]:
        fields = self._verified(content_type, body)
        document = json.loads(fields["msgData"], parse_float=Decimal)
        match fields["serviceCode"]:
            case "EXP_RECE_CREATE_ORDER":
                data = self._create(document)
            case "EXP_RECE_SEARCH_ORDER_RESP":
                data = self._search(document)
            case _:
                raise RefusedError("A1004")
        return {"success": True, "errorCode": "S0000", "errorMsg": None, "msgData": data}

    def _verified(self, content_type: str, body: bytes) -> Mapping[str, str]:
        if content_type != "application/x-www-form-urlencoded":
            raise RefusedError("A1001")
        pairs = parse_qsl(body.decode("ascii"), keep_blank_values=True, strict_parsing=True)
        fields = dict(pairs)
        if sorted(name for name, _ in pairs) != sorted(_FIELDS):
            raise RefusedError("A1001")
        if fields["partnerID"] != self._customer.partner_id:
            raise RefusedError("A1004")
        text = _encoded(fields["msgData"] + fields["timestamp"] + self._customer.checkword)
        digest = base64.b64encode(hashlib.md5(text.encode()).digest()).decode()
        if digest != fields["msgDigest"]:
            raise RefusedError("A1006")
        now_ms = int(self._clock().timestamp() * 1000)
        if abs(now_ms - int(fields["timestamp"])) > _SKEW_MS:
            raise RefusedError("A1006")
        if fields["requestID"] in self._requests or len(fields["requestID"]) > 40:
            raise RefusedError("A1007")
        self._requests.add(fields["requestID"])
        return fields

    def _create(self, document: dict[str, Any]) -> dict[str, Any]:
        reference = document.get("orderId")
        if not isinstance(reference, str) or not reference:
            raise RefusedError("1010", inner=True)
        if reference in self.tally.orders:
            self.tally.duplicates += 1
            raise RefusedError("8016", inner=True)
        _check_order(document)
        count = document["parcelQty"]
        base = 1_000_000_000_000 + 1000 * len(self.tally.orders)
        numbers = [
            {"waybillType": 1 if at == 0 else 2, "waybillNo": f"SF{base + at + 1}"}
            for at in range(count)
        ]
        self.tally.asked[reference] = document
        self.tally.orders[reference] = {
            "orderId": reference,
            "originCode": "574",
            "destCode": "571",
            "filterResult": self.behaviour.filter_result,
            "waybillNoInfoList": numbers if self.behaviour.filter_result != 3 else [],
        }
        return self.tally.orders[reference]

    def _search(self, document: Mapping[str, Any]) -> dict[str, Any]:
        found = self.tally.orders.get(document.get("orderId", ""))
        if found is None:
            raise RefusedError("8017", inner=True)
        return found


def _check_order(document: Mapping[str, Any]) -> None:
    """An international order needs its customs value, its goods, and both ends of its way."""
    value = document.get("customsInfo", {})
    if not value.get("declaredValue") or not value.get("declaredValueCurrency"):
        raise RefusedError("1020", inner=True)
    cargo = document.get("cargoDetails") or [{}]
    if any(one.get(name) in (None, "") for one in cargo for name in _CARGO):
        raise RefusedError("6200", inner=True)
    ends = {one.get("contactType"): one for one in document.get("contactInfoList", [])}
    if set(ends) != {1, 2}:
        raise RefusedError("1028", inner=True)
    for end in ends.values():
        if not end.get("address") or not (end.get("mobile") or end.get("tel")):
            raise RefusedError("1028", inner=True)
    if not 1 <= document.get("parcelQty", 0) <= 307:
        raise RefusedError("1038", inner=True)


def _outer(code: str, data: str | None) -> web.Response:
    answer = {
        "apiErrorMsg": "",
        "apiResponseID": uuid.uuid4().hex.upper(),
        "apiResultCode": code,
        "apiResultData": data,
    }
    return web.json_response(answer)


class Running:
    """A started platform: where it listens, what it has seen, how to stop it."""

    def __init__(self, runner: web.AppRunner, url: str, platform: Platform) -> None:
        self._runner = runner
        self.url = url
        self.platform = platform

    @property
    def tally(self) -> Tally:
        """Counters and orders."""
        return self.platform.tally

    async def close(self) -> None:
        """Stop listening and drop open connections."""
        await self._runner.cleanup()


def _system_clock() -> datetime:
    return datetime.now(UTC)


async def start(
    host: str = "127.0.0.1",
    port: int = 0,
    *,
    customer: Customer,
    behaviour: Behaviour | None = None,
    clock: Callable[[], datetime] = _system_clock,
) -> Running:
    """Start a platform with one customer; port 0 picks a free port, the address is ``url``."""
    platform = Platform(customer, behaviour or Behaviour(), clock)
    app = web.Application(client_max_size=_BODY_BYTES)
    app.add_routes([web.post("/std/service", platform.handle)])
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, host, port).start()
    return Running(runner, f"http://{host}:{runner.addresses[0][1]}/std/service", platform)

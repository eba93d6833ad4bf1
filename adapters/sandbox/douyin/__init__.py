"""A Douyin-like open platform: signed calls, pages of orders, opening of personal values."""

import asyncio
import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from aiohttp import web

__all__ = ["Behaviour", "Running", "Shop", "start"]

_SKEW_S: Final = 600
_BODY_BYTES: Final = 1024 * 1024
_DEEPEST_ROW: Final = 10_000
_MOST_OPENED: Final = 50
_SYSTEM: Final = ("app_key", "method", "timestamp", "v", "sign", "sign_method", "access_token")


@dataclass(frozen=True, slots=True)
class Shop:
    """One shop's app key, secret and token."""

    app_key: str
    secret: str
    access_token: str


@dataclass(frozen=True, slots=True)
class Behaviour:
    """How the platform misbehaves: calls to fail first, and how; values never opened."""

    fail_first: int = 0
    fail_status: int = 200
    fail_sub_code: str = "isp.service-error"
    sealed: frozenset[str] = frozenset()
    cut_at: int | None = None


@dataclass(slots=True)
class Tally:
    """What the platform has seen."""

    calls: int = 0
    unsigned: int = 0
    opened: list[tuple[str, str]] = field(default_factory=list)


class RefusedError(Exception):
    """A call is answered with a code."""

    def __init__(self, code: int, sub_code: str) -> None:
        super().__init__(sub_code)
        self.code = code
        self.sub_code = sub_code


def seal(order_no: str, clear: str) -> str:
    """A ciphertext as the platform shows it; only the platform can read it."""
    mark = hashlib.sha256(f"{order_no}|{clear}".encode()).hexdigest()[:8]
    return "##" + base64.b64encode(f"{mark}|{clear}".encode()).decode() + "##"


class Platform:
    """Serves one shop. ``orders`` are order objects as the platform stores them."""

    def __init__(
        self,
        shop: Shop,
        orders: Sequence[Mapping[str, Any]],
        behaviour: Behaviour,
        clock: Callable[[], datetime],
    ) -> None:
        self._shop = shop
        self.orders = list(orders)
        self.behaviour = behaviour
        self._clock = clock
        self.tally = Tally()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Serve one POST."""
        self.tally.calls += 1
        behaviour = self.behaviour
        if self.tally.calls <= behaviour.fail_first:
            await asyncio.sleep(0)
            if behaviour.fail_status != 200:
                return web.Response(status=behaviour.fail_status)
            return _refusal(RefusedError(20000, behaviour.fail_sub_code))
        try:
            body = await request.read()
            method = self._verify(request, body)
            data = self._do(method, json.loads(body))
        except RefusedError as refused:
            self.tally.unsigned += refused.sub_code.startswith("isv.signature")
            return _refusal(refused)
        text = json.dumps(
            {"code": 10000, "msg": "success", "sub_code": "", "sub_msg": "", "data": data},
            ensure_ascii=False,
        )
        return web.Response(text=text[: behaviour.cut_at], content_type="application/json")

    def _verify(self, request: web.Request, body: bytes) -> str:
        """The method called; raises RefusedError unless all of the call is as documented."""
        query = request.query
        if sorted(query) != sorted(_SYSTEM):
            raise RefusedError(40001, "isv.parameter-missing")
        method = query["method"]
        if request.path != "/" + method.replace(".", "/"):
            raise RefusedError(40001, "isv.method-path-mismatch")
        if query["app_key"] != self._shop.app_key or query["v"] != "2":
            raise RefusedError(40002, "isv.app-key-invalid")
        if query["access_token"] != self._shop.access_token:
            raise RefusedError(30002, "isv.access-token-expired")
        if query["sign_method"] != "hmac-sha256":
            raise RefusedError(40003, "isv.signature-method")
        sent_at = int(query["timestamp"])
        if abs(self._clock().timestamp() - sent_at) > _SKEW_S:
            raise RefusedError(40003, "isv.timestamp-invalid")
        if not hmac.compare_digest(self._sign(query, body), query["sign"]):
            raise RefusedError(40003, "isv.signature-invalid")
        return method

    def _sign(self, query: Mapping[str, str], body: bytes) -> str:
        try:
            parameters = json.loads(body)
        except ValueError:
            raise RefusedError(40001, "isv.json-invalid") from None
        # What the platform signs is its own rendering: compact, sorted at every level.
        rendered = json.dumps(parameters, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        parts = [self._shop.secret]
        for name, value in (
            ("app_key", query["app_key"]),
            ("method", query["method"]),
            ("param_json", rendered),
            ("timestamp", query["timestamp"]),
            ("v", query["v"]),
        ):
            parts += (name, value)
        parts.append(self._shop.secret)
        key = self._shop.secret.encode()
        return hmac.new(key, "".join(parts).encode(), hashlib.sha256).hexdigest()

    def _do(self, method: str, parameters: Mapping[str, Any]) -> Mapping[str, Any]:
        match method:
            case "order.searchList":
                return self._search(parameters)
            case "order.batchDecrypt":
                return self._decrypt(parameters)
            case _:
                raise RefusedError(40001, "isv.method-not-found")

    def _search(self, asked: Mapping[str, Any]) -> Mapping[str, Any]:
        page, size = asked["page"], asked["size"]
        if not 0 < size <= 100 or page < 0 or page * size >= _DEEPEST_ROW:
            raise RefusedError(50002, "isv.page-invalid")
        if asked.get("order_by") != "update_time":
            raise RefusedError(50002, "isv.order-by-invalid")
        rows = [
            order
            for order in self.orders
            if asked["update_time_start"] <= order["update_time"] < asked["update_time_end"]
        ]
        rows.sort(key=lambda order: (order["update_time"], str(order["order_id"])))
        if not asked.get("order_asc"):
            rows.reverse()
        shown = rows[page * size : (page + 1) * size]
        return {"page": page, "size": len(shown), "total": len(rows), "shop_order_list": shown}

    def _decrypt(self, asked: Mapping[str, Any]) -> Mapping[str, Any]:
        infos = asked["cipher_infos"]
        if not 0 < len(infos) <= _MOST_OPENED:
            raise RefusedError(50002, "isv.cipher-count-invalid")
        return {"decrypt_infos": [self._opened(one) for one in infos]}

    def _opened(self, info: Mapping[str, str]) -> Mapping[str, Any]:
        order_no, cipher = info["auth_id"], info["cipher_text"]
        known = any(
            str(order["order_id"]) == order_no and cipher in json.dumps(order)
            for order in self.orders
        )
        answer: dict[str, Any] = {"auth_id": order_no, "cipher_text": cipher}
        if not known or cipher in self.behaviour.sealed:
            return answer | {"decrypt_text": "", "err_no": 300008, "err_msg": "not authorised"}
        self.tally.opened.append((order_no, cipher))
        clear = base64.b64decode(cipher.strip("#")).decode().partition("|")[2]
        return answer | {"decrypt_text": clear, "err_no": 0, "err_msg": ""}


def _refusal(refused: RefusedError) -> web.Response:
    return web.json_response(
        {
            "code": refused.code,
            "msg": "failed",
            "sub_code": refused.sub_code,
            "sub_msg": "",
            "data": None,
        }
    )


class Running:
    """A started platform: where it listens, what it has seen, how to stop it."""

    def __init__(self, runner: web.AppRunner, url: str, platform: Platform) -> None:
        self._runner = runner
        self.url = url
        self.platform = platform

    @property
    def tally(self) -> Tally:
        """Counters, and every value that was opened."""
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
    shop: Shop,
    orders: Sequence[Mapping[str, Any]] = (),
    behaviour: Behaviour | None = None,
    clock: Callable[[], datetime] = _system_clock,
) -> Running:
    """Start a platform with one shop; port 0 picks a free port, the address is ``url``."""
    platform = Platform(shop, orders, behaviour or Behaviour(), clock)
    app = web.Application(client_max_size=_BODY_BYTES)
    app.add_routes([web.post("/{area}/{call}", platform.handle)])
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, host, port).start()
    return Running(runner, f"http://{host}:{runner.addresses[0][1]}", platform)

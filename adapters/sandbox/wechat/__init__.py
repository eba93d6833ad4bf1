"""A WeChat-Pay-like customs service: every request's signature checked, every answer signed."""

import base64
import json
import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from aiohttp import web
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

__all__ = ["Behaviour", "Merchant", "Payment", "Running", "start"]

_SKEW_S: Final = 300
_BODY_BYTES: Final = 64 * 1024
_SCHEME: Final = "WECHATPAY2-SHA256-RSA2048 "
_PAIR: Final = re.compile(r'(\w+)="([^"]*)"')
_NEEDED: Final = (
    "appid",
    "mchid",
    "out_trade_no",
    "transaction_id",
    "customs",
    "merchant_customs_no",
)
_SPLIT: Final = ("fee_type", "order_fee", "transport_fee", "product_fee")


@dataclass(frozen=True, slots=True)
class Merchant:
    """A merchant as the service knows it: numbers, certificate serial, public key."""

    mchid: str
    appid: str
    serial: str
    public_key: rsa.RSAPublicKey
    customs: frozenset[str]


@dataclass(frozen=True, slots=True)
class Payment:
    """A payment that was made: amount in fen, and who paid."""

    transaction_id: str
    out_trade_no: str
    amount: int
    payer_name: str = ""
    payer_id: str = ""


@dataclass(frozen=True, slots=True)
class Behaviour:
    """How the service misbehaves.

    ``lose_answers`` commands are carried out and answered with nothing; ``fail_first`` requests
    fail with 500. ``states`` are what a filing becomes, one a query; the last one stays.
    ``forge`` breaks the signature of answers; ``skew_s`` dates them wrongly.
    """

    fail_first: int = 0
    lose_answers: int = 0
    states: tuple[str, ...] = ("PROCESSING", "SUCCESS")
    forge: bool = False
    skew_s: int = 0


@dataclass(slots=True)
class Tally:
    """What the service has seen."""

    calls: int = 0
    unsigned: int = 0
    filed: int = 0
    repeated: int = 0
    refiled: int = 0


@dataclass(slots=True)
class _Filing:
    request: dict[str, Any]
    states: list[str]
    check: str = "UNCHECKED"


class RefusedError(Exception):
    """A request is answered with an error."""

    def __init__(self, status: int, code: str, field_name: str = "") -> None:
        super().__init__(code)
        self.status = status
        self.code = code
        self.field_name = field_name


@dataclass(slots=True)
class Service:
    """The service and its ledger of filings, one for each order, sub-order and customs place."""

    merchant: Merchant
    key: rsa.RSAPrivateKey
    serial: str
    payments: dict[str, Payment]
    behaviour: Behaviour
    clock: Callable[[], datetime]
    oaep: bool = True
    tally: Tally = field(default_factory=Tally)
    filings: dict[tuple[str, str], _Filing] = field(default_factory=dict)
    _nonces: set[str] = field(default_factory=set)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Serve one request."""
        self.tally.calls += 1
        body = await request.read()
        try:
            self._verify(request, body)
            if self.tally.calls <= self.behaviour.fail_first:
                raise RefusedError(500, "SYSTEM_ERROR")
            answer = self._do(request, body)
        except RefusedError as refused:
            self.tally.unsigned += refused.status == 401
            detail = {"field": refused.field_name, "location": "body"}
            document = {"code": refused.code, "message": refused.code, "detail": detail}
            return self._signed(document, refused.status)
        if request.method != "GET" and self.tally.calls <= self.behaviour.lose_answers:
            assert request.transport is not None
            request.transport.close()
        return self._signed(answer, 200)

    def _verify(self, request: web.Request, body: bytes) -> None:
        header = request.headers.get("Authorization", "")
        given = dict(_PAIR.findall(header.removeprefix(_SCHEME)))
        named = {"mchid", "nonce_str", "signature", "timestamp", "serial_no"}
        if not header.startswith(_SCHEME) or set(given) != named:
            raise RefusedError(401, "SIGN_ERROR", "authorization")
        merchant = self.merchant
        if (given["mchid"], given["serial_no"]) != (merchant.mchid, merchant.serial):
            raise RefusedError(401, "SIGN_ERROR", "serial_no")
        age = self.clock().timestamp() - int(given["timestamp"])
        if abs(age) > _SKEW_S or given["nonce_str"] in self._nonces:
            raise RefusedError(401, "SIGN_ERROR", "timestamp")
        head = (request.method, request.raw_path, given["timestamp"], given["nonce_str"])
        signed = "".join(f"{line}\n" for line in head).encode() + body + b"\n"
        try:
            signature = base64.b64decode(given["signature"], validate=True)
            merchant.public_key.verify(signature, signed, padding.PKCS1v15(), hashes.SHA256())
        except (InvalidSignature, ValueError):
            raise RefusedError(401, "SIGN_ERROR", "signature") from None
        self._nonces.add(given["nonce_str"])

    def _signed(self, document: Mapping[str, Any], status: int) -> web.Response:
        body = json.dumps(document, ensure_ascii=False).encode()
        timestamp = str(int(self.clock().timestamp()) + self.behaviour.skew_s)
        nonce = secrets.token_hex(16)
        signed = f"{timestamp}\n{nonce}\n".encode() + body + b"\n"
        if self.behaviour.forge:
            signed += b" "
        signature = self.key.sign(signed, padding.PKCS1v15(), hashes.SHA256())
        headers = {
            "Wechatpay-Timestamp": timestamp,
            "Wechatpay-Nonce": nonce,
            "Wechatpay-Signature": base64.b64encode(signature).decode(),
            "Wechatpay-Serial": self.serial,
            "Content-Type": "application/json",
        }
        return web.Response(body=body, status=status, headers=headers)

    def _do(self, request: web.Request, body: bytes) -> Mapping[str, Any]:
        if request.method == "GET":
            return self._query(request.query)
        try:
            asked = json.loads(body)
        except ValueError:
            raise RefusedError(400, "PARAM_ERROR", "/") from None
        self._check_named(asked)
        match request.method, request.path.rpartition("/")[2]:
            case "POST", "orders":
                return self._file(asked, changes=False)
            case "PATCH", "orders":
                return self._file(asked, changes=True)
            case "POST", "redeclare":
                return self._refile(asked)
            case "POST", "verify-certificate":
                return self._check_identity(asked, request.headers.get("Wechatpay-Serial", ""))
            case _:
                raise RefusedError(404, "NO_SUCH_CALL")

    def _check_named(self, asked: Mapping[str, Any]) -> None:
        for name in _NEEDED:
            if not isinstance(asked.get(name), str) or not asked[name]:
                raise RefusedError(400, "PARAM_ERROR", f"/{name}")
        if (asked["mchid"], asked["appid"]) != (self.merchant.mchid, self.merchant.appid):
            raise RefusedError(403, "NO_AUTH", "/mchid")
        if asked["customs"] not in self.merchant.customs:
            raise RefusedError(400, "PARAM_ERROR", "/customs")
        payment = self.payments.get(asked["transaction_id"])
        if payment is None or payment.out_trade_no != asked["out_trade_no"]:
            raise RefusedError(400, "TRADE_INFO_WRONG", "/transaction_id")

    def _file(self, asked: dict[str, Any], *, changes: bool) -> Mapping[str, Any]:
        self._check_amounts(asked)
        key = _key(asked)
        known = self.filings.get(key)
        if known is None and changes:
            raise RefusedError(404, "ORDER_NOT_EXIST")
        if known is not None and not changes:
            if known.request != asked:
                raise RefusedError(400, "REQUEST_DATA_DIFFERS")
            self.tally.repeated += 1
            return self._told(known)
        filing = _Filing(asked, list(self.behaviour.states))
        self.filings[key] = filing
        self.tally.filed += 1
        return self._told(filing)

    def _check_amounts(self, asked: Mapping[str, Any]) -> None:
        is_split = "sub_order_no" in asked
        if is_split != all(name in asked for name in _SPLIT):
            raise RefusedError(400, "PARAM_ERROR", "/order_fee")
        if not is_split:
            return
        fees = [asked[name] for name in ("order_fee", "transport_fee", "product_fee")]
        if not all(type(fee) is int and fee >= 0 for fee in fees) or fees[0] != fees[1] + fees[2]:
            raise RefusedError(400, "PARAM_ERROR", "/order_fee")
        others = sum(
            one.request.get("order_fee", 0)
            for key, one in self.filings.items()
            if one.request["transaction_id"] == asked["transaction_id"] and key != _key(asked)
        )
        if others + fees[0] > self.payments[asked["transaction_id"]].amount:
            raise RefusedError(400, "RULE_LIMIT", "/order_fee")

    def _refile(self, asked: Mapping[str, Any]) -> Mapping[str, Any]:
        filing = self.filings.get(_key(asked))
        if filing is None:
            raise RefusedError(404, "ORDER_NOT_EXIST")
        if filing.states[0] not in ("SUCCESS", "EXCEPT"):
            raise RefusedError(400, "RULE_LIMIT", "/state")
        self.tally.refiled += 1
        filing.states = list(self.behaviour.states)
        return self._told(filing)

    def _check_identity(self, asked: Mapping[str, Any], serial: str) -> Mapping[str, Any]:
        if serial != self.serial or asked.get("certificate_type") != "IDCARD":
            raise RefusedError(400, "PARAM_ERROR", "/certificate_type")
        number = self._opened(asked.get("certificate_id", ""))
        name = self._opened(asked.get("certificate_name", ""))
        payment = self.payments[asked["transaction_id"]]
        is_same = (name, number) == (payment.payer_name, payment.payer_id)
        result = "SAME" if is_same else "DIFFERENT"
        filing = self.filings.get(_key(asked))
        if filing is not None:
            filing.check = result
        return {**asked, "certificate_check_result": result}

    def _opened(self, sealed: str) -> str:
        try:
            data = base64.b64decode(sealed, validate=True)
            return self.key.decrypt(data, self._padding()).decode()
        except ValueError:
            raise RefusedError(400, "PARAM_ERROR", "/certificate_id") from None

    def _padding(self) -> padding.AsymmetricPadding:
        if self.oaep:
            return padding.OAEP(padding.MGF1(hashes.SHA1()), hashes.SHA1(), None)  # noqa: S303
        return padding.PKCS1v15()

    def _told(self, filing: _Filing) -> Mapping[str, Any]:
        asked = filing.request
        told = {name: asked[name] for name in ("appid", "mchid", "out_trade_no", "transaction_id")}
        told |= {"state": "PROCESSING", "verify_department": "NETSUNION"}
        told["verify_department_trade_id"] = "V" + asked["transaction_id"]
        told["certificate_check_result"] = filing.check
        if "sub_order_no" in asked:
            told["sub_order_no"] = asked["sub_order_no"]
            told["sub_order_id"] = "S" + asked["sub_order_no"]
        return told

    def _query(self, query: Mapping[str, str]) -> Mapping[str, Any]:
        if query.get("mchid") != self.merchant.mchid:
            raise RefusedError(403, "NO_AUTH", "mchid")
        name, value = query.get("order_type", ""), query.get("order_no", "")
        rows = [
            filing
            for filing in self.filings.values()
            if filing.request.get(name) == value
            and filing.request["customs"] == query.get("customs")
        ]
        if not rows:
            raise RefusedError(404, "ORDER_NOT_EXIST")
        offset, limit = int(query.get("offset", "0")), int(query.get("limit", "20"))
        shown = [_row(filing, self.clock()) for filing in rows[offset : offset + limit]]
        payment_no = rows[0].request["transaction_id"]
        return {
            "appid": self.merchant.appid,
            "mchid": self.merchant.mchid,
            "transaction_id": payment_no,
            "verify_department": "NETSUNION",
            "verify_department_trade_id": "V" + payment_no,
            "offset": offset,
            "limit": limit,
            "total_count": len(rows),
            "data": shown,
        }


def _key(asked: Mapping[str, Any]) -> tuple[str, str]:
    return asked.get("sub_order_no") or asked["out_trade_no"], asked["customs"]


def _row(filing: _Filing, now: datetime) -> Mapping[str, Any]:
    asked = filing.request
    state = filing.states.pop(0) if len(filing.states) > 1 else filing.states[0]
    row = {
        "mch_customs_no": asked["merchant_customs_no"],
        "customs": asked["customs"],
        "state": state,
        "certificate_check_result": filing.check,
        "modify_time": now.isoformat(timespec="seconds"),
    }
    if "sub_order_no" in asked:
        row["sub_order_no"] = asked["sub_order_no"]
        row["sub_order_id"] = "S" + asked["sub_order_no"]
        row |= {name: asked[name] for name in _SPLIT}
    return row


class Running:
    """A started service: where it listens, what it has seen, how to stop it."""

    def __init__(self, runner: web.AppRunner, url: str, service: Service) -> None:
        self._runner = runner
        self.url = url
        self.service = service

    @property
    def tally(self) -> Tally:
        """Counters."""
        return self.service.tally

    async def close(self) -> None:
        """Stop listening and drop open connections."""
        await self._runner.cleanup()


def _system_clock() -> datetime:
    return datetime.now(UTC)


async def start(
    host: str = "127.0.0.1",
    port: int = 0,
    *,
    merchant: Merchant,
    key: rsa.RSAPrivateKey,
    serial: str = "PUB_KEY_ID_0000000000000000000000000001",
    payments: tuple[Payment, ...] = (),
    behaviour: Behaviour | None = None,
    clock: Callable[[], datetime] = _system_clock,
    path: str = "/v3/global/customs",
    oaep: bool = True,
) -> Running:
    """Start a service with one merchant; port 0 picks a free port, the address is ``url``.

    ``key`` signs answers and opens sealed values. ``oaep`` says how values are sealed.
    """
    known = {payment.transaction_id: payment for payment in payments}
    service = Service(merchant, key, serial, known, behaviour or Behaviour(), clock, oaep)
    app = web.Application(client_max_size=_BODY_BYTES)
    app.add_routes([web.route("*", path + "/{call}", service.handle)])
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, host, port).start()
    return Running(runner, f"http://{host}:{runner.addresses[0][1]}", service)

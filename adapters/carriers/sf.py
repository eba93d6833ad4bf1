"""SF Express (顺丰) open platform: one order, one waybill number or more.

A call is a form whose ``msgData`` is JSON text; ``msgDigest`` is the base64 of an MD5 over
``msgData``, time and check word, URL-encoded as Java does it. The answer is JSON with JSON inside a
text. The carrier knows a parcel by our reference, so the same order asked for twice (8016) or
with an answer that was lost is looked up, never ordered again under another reference.
"""

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from types import MappingProxyType
from typing import Final

import orjson

from adapters.base import (
    NO_ANSWER,
    AuthScheme,
    Caller,
    CallFailed,
    CarrierAdapter,
    Contact,
    Exchange,
    Limits,
    Option,
    OptionKind,
    ParseFailure,
    Request,
    Response,
    Shipment,
    ShipmentOutcome,
    ShipmentState,
    Terms,
)
from adapters.wire import Node, Unreadable, form, form_value, loads
from gateway.domain.errors import Retry
from gateway.domain.money import plain
from gateway.domain.papers import Consignee, Waybill

CARRIER: Final = "SF"
CARRIER_NAME: Final = "顺丰速运"

_CREATE: Final = "EXP_RECE_CREATE_ORDER"
_SEARCH: Final = "EXP_RECE_SEARCH_ORDER_RESP"
_GATEWAY_OK: Final = "A1000"
_OK: Final = "S0000"
_DUPLICATE: Final = "8016"
_MOTHER, _CHILD, _RETURN = "1", "2", "3"
_FILTERED: Final = MappingProxyType(
    {
        "1": ShipmentState.IN_REVIEW,
        "2": ShipmentState.ACCEPTED,
        "3": ShipmentState.REFUSED,
    }
)
_MOST_PARCELS: Final = 307

TERMS: Final = Terms(
    auth=AuthScheme.MD5_DIGEST,
    limits=Limits(requests_per_minute=1800),
    base_url="https://bspgw.sf-express.com/std/service",
    sandbox_url="https://sfapi-sbox.sf-express.com/std/service",
    options=(
        Option("partner_id", OptionKind.PLAIN, "顾客编码", "partner id"),
        Option("checkword", OptionKind.UNSENT, "校验码", "check word"),
        Option("monthly_card", OptionKind.PLAIN, "月结卡号", "monthly account", is_required=False),
        Option(
            "express_type",
            OptionKind.PLAIN,
            "快件产品编码，默认 2",
            "product number, 2 if not set",
            is_required=False,
        ),
    ),
    retries=MappingProxyType(
        {
            "A1005": Retry.LATER,
            "A1009": Retry.UNKNOWN_OUTCOME,
            "A1099": Retry.UNKNOWN_OUTCOME,
            _DUPLICATE: Retry.UNKNOWN_OUTCOME,
            "http.429": Retry.LATER,
            "http.5*": Retry.UNKNOWN_OUTCOME,
        }
    ),
)


def digest(message: str, timestamp: str, checkword: str) -> str:
    """``msgDigest``: base64 of the MD5 over the URL-encoded message, time and check word."""
    text = form_value(message + timestamp + checkword)
    # The carrier's rule; a request is protected by TLS, this only names who sends it.
    return base64.b64encode(hashlib.md5(text.encode(), usedforsecurity=False).digest()).decode()


def call(caller: Caller, service: str, document: Mapping[str, object]) -> Request:
    """A signed call of one service."""
    account = caller.account
    message = orjson.dumps(dict(document)).decode()
    timestamp = str(caller.clock.now() // 1000)
    fields = {
        "partnerID": account.option("partner_id"),
        "requestID": caller.rng.guid(),
        "serviceCode": service,
        "timestamp": timestamp,
        "msgDigest": digest(message, timestamp, account.option("checkword")),
        "msgData": message,
    }
    headers = {"content-type": "application/x-www-form-urlencoded;charset=UTF-8"}
    return Request("POST", account.base_url, headers, form(fields).encode())


def build(caller: Caller, shipment: Shipment) -> Request:
    """The request for the waybill of one shipment."""
    account = caller.account
    document: dict[str, object] = {
        "language": "zh-CN",
        "orderId": shipment.reference,
        "customsInfo": {
            "declaredValue": _number(shipment.declared.amount),
            "declaredValueCurrency": shipment.declared.currency,
        },
        "cargoDetails": [
            {
                "name": one.name,
                "count": _number(one.quantity),
                "unit": one.unit,
                "weight": _number(one.weight_kg),
                "amount": _number(one.price.amount),
                "currency": one.price.currency,
                "sourceArea": one.origin,
            }
            for one in shipment.cargo
        ],
        "contactInfoList": [_contact(1, shipment.sender), _contact(2, shipment.consignee)],
        "payMethod": 1,
        "expressTypeId": _express_type(account.option("express_type", "2")),
        "parcelQty": shipment.parcels,
        "totalWeight": _number(shipment.weight_kg),
        "isReturnRoutelabel": 1,
    }
    card = account.option("monthly_card")
    if card:
        document["monthlyCard"] = card
    return call(caller, _CREATE, document)


def _express_type(text: str) -> int | str:
    return int(text) if text.isascii() and text.isdigit() else text


def _number(value: Decimal) -> orjson.Fragment:
    """A decimal as a JSON number, digit by digit."""
    return orjson.Fragment(plain(value).encode())


def _contact(role: int, contact: Contact) -> dict[str, object]:
    is_mobile = len(contact.phone) == 11 and contact.phone.startswith("1")
    found: dict[str, object] = {
        "contactType": role,
        "contact": contact.name,
        "mobile" if is_mobile else "tel": contact.phone,
        "country": contact.country,
        "province": contact.province,
        "city": contact.city,
        "county": contact.county,
        "address": contact.address,
    }
    return {name: value for name, value in found.items() if value != ""}


def _answer(response: Response) -> Node | CallFailed:
    """The inner answer of a call, or why there is none."""
    if response.status != 200:
        code = f"http.{response.status}"
        reason = "no answer" if response.status == NO_ANSWER else f"HTTP {response.status}"
        return CallFailed(code, TERMS.retry_of(code), reason)
    try:
        return _opened(response.body)
    except Unreadable as fault:
        return CallFailed("unreadable", Retry.UNKNOWN_OUTCOME, str(fault))


def _opened(raw: bytes) -> Node | CallFailed:
    """The ``msgData`` inside an answer; raises :class:`Unreadable` for what has another form."""
    outer = loads(raw)
    code = outer.get("apiResultCode").text()
    if code != _GATEWAY_OK:
        return CallFailed(code, TERMS.retry_of(code), f"the carrier's gateway refused with {code}")
    inner = loads(outer.get("apiResultData").text(), "/apiResultData")
    code = inner.get("errorCode").text()
    if code != _OK or inner.get("success").value not in (True, "true"):
        return CallFailed(code, TERMS.retry_of(code), f"the carrier refused with {code}")
    return inner.get("msgData")


def interpret(
    caller: Caller, shipment: Shipment, response: Response
) -> ShipmentOutcome | CallFailed:
    """What an answer says of a shipment; its waybills carry the order's own consignee.

    Carriers mask what they know of people, and customs compares with the order.
    """
    answer = _answer(response)
    if isinstance(answer, CallFailed):
        return answer
    try:
        if answer.get("orderId").text() != shipment.reference:
            return CallFailed("mixed_up", Retry.UNKNOWN_OUTCOME, "answers for another shipment")
        outcome = _outcome(answer)
    except Unreadable as fault:
        return CallFailed("unreadable", Retry.UNKNOWN_OUTCOME, str(fault))
    return replace(outcome, waybills=tuple(_completed(one, shipment) for one in outcome.waybills))


def _completed(waybill: Waybill, shipment: Shipment) -> Waybill:
    """A waybill with what we told the carrier; a weight is stated where there is one parcel."""
    to = shipment.consignee
    return replace(
        waybill,
        order_no=shipment.order_no,
        gross_weight_kg=shipment.weight_kg if shipment.parcels == 1 else None,
        pack_count=1,
        goods_info=" ".join(dict.fromkeys(one.name for one in shipment.cargo)),
        consignee=Consignee(to.name, to.phone, to.full_address, to.district),
    )


def _outcome(answer: Node) -> ShipmentOutcome:
    numbers: dict[str, list[str]] = {_MOTHER: [], _CHILD: [], _RETURN: []}
    for info in answer.get("waybillNoInfoList").items():
        kind = info.get("waybillType").text()
        if kind not in numbers:
            raise Unreadable(info.get("waybillType").path, "is not 1, 2 or 3")
        numbers[kind].append(info.get("waybillNo").text())
    state = _FILTERED.get(answer.get("filterResult").text_or_none() or "", ShipmentState.UNKNOWN)
    parcels = list(dict.fromkeys((*numbers[_MOTHER], *numbers[_CHILD])))
    if len(numbers[_MOTHER]) > 1 or len(parcels) > _MOST_PARCELS:
        raise Unreadable(answer.get("waybillNoInfoList").path, "names too many waybills")
    if not parcels and state is not ShipmentState.REFUSED:
        raise Unreadable(answer.get("waybillNoInfoList").path, "names no waybill")
    return ShipmentOutcome(
        state,
        tuple(
            Waybill(number, carrier_code=CARRIER, carrier_name=CARRIER_NAME) for number in parcels
        ),
        next(iter(numbers[_RETURN]), None),
    )


def create(caller: Caller, shipment: Shipment) -> Exchange[ShipmentOutcome | CallFailed]:
    """Ask for the waybill; look it up where it exists already, or where nobody knows."""
    response = yield build(caller, shipment)
    made = interpret(caller, shipment, response)
    if not isinstance(made, CallFailed) or made.retry is not Retry.UNKNOWN_OUTCOME:
        return made
    found = yield from find(caller, shipment)
    return made if isinstance(found, CallFailed) else found


def find(caller: Caller, shipment: Shipment) -> Exchange[ShipmentOutcome | CallFailed]:
    """Look a shipment up by our reference; orders nothing."""
    response = yield call(
        caller, _SEARCH, {"language": "zh-CN", "orderId": shipment.reference, "searchType": "1"}
    )
    return interpret(caller, shipment, response)


def parse(raw: bytes) -> tuple[Waybill | ParseFailure, ...]:
    """The waybills that the bytes of an answer tell of, without what we know besides."""
    try:
        answer = _opened(raw)
        if isinstance(answer, CallFailed):
            return (ParseFailure("", answer.reason),)
        return _outcome(answer).waybills
    except Unreadable as fault:
        return (ParseFailure(fault.path, fault.reason),)


ADAPTER: Final = CarrierAdapter(
    id="sf",
    title_zh="顺丰速运",
    title_en="SF Express",
    terms=TERMS,
    build=build,
    interpret=interpret,
    create=create,
    find=find,
    parse=parse,
)

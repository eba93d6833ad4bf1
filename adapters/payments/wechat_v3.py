"""WeChat Pay (财付通) version 3: has the payment filed with customs, and asks what became of it.

Requests are signed with SHA256withRSA, answers are verified before anything they say is used, and
the buyer's name and number travel sealed for the payment company alone. A filing counts as split
exactly when ``sub_order_no`` is sent. There are no notifications: the state is asked for.

Filing the same again is safe, filing something else under the same numbers is refused, so after
an unknown outcome the state is asked for and nothing is sent blindly.
"""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from types import MappingProxyType
from typing import Final

import orjson

from adapters.amounts import from_fen, to_fen
from adapters.base import (
    NO_ANSWER,
    AuthScheme,
    Caller,
    CallFailed,
    Exchange,
    FilingOutcome,
    FilingState,
    KeyUnusable,
    Limits,
    Option,
    OptionKind,
    ParseFailure,
    PartnerKeys,
    PaymentAdapter,
    PaymentFiling,
    Polling,
    Request,
    Response,
    SignatureRefused,
    Terms,
)
from adapters.wire import Node, Unreadable, form, loads, path_and_query
from gateway.domain.errors import Retry
from gateway.domain.papers import IdentityCheck, PaymentSlip, known

COMPANY_CODE: Final = "4403169D3W"
COMPANY_NAME: Final = "财付通支付科技有限公司"

_SCHEME: Final = "WECHATPAY2-SHA256-RSA2048"
_PATH: Final = "/v3/global/customs"
_SKEW_S: Final = 300
_PAGE: Final = 20
_MOST_PAGES: Final = 50
_SECOND: Final = 1_000_000
_CHINA: Final = timezone(timedelta(hours=8))
_OK: Final = range(200, 300)

_STATES: Final = MappingProxyType(
    {
        "UNDECLARED": FilingState.NOT_FILED,
        "NDECLARED": FilingState.NOT_FILED,  # as the vendor's own list misspells it
        "SUBMITTED": FilingState.PENDING,
        "PROCESSING": FilingState.PENDING,
        "SUCCESS": FilingState.FILED,
        "FAIL": FilingState.REFUSED,
        "EXCEPT": FilingState.FAULTED,
    }
)
_VERIFIED_BY: Final = MappingProxyType(
    {
        "UNIONPAY": "1",
        "CUP": "1",
        "1": "1",
        "NETSUNION": "2",
        "NUCC": "2",
        "2": "2",
        "OTHERS": "3",
        "OTHER": "3",
        "3": "3",
    }
)

TERMS: Final = Terms(
    auth=AuthScheme.RSA_SHA256,
    limits=Limits(requests_per_minute=300, page_size=_PAGE),
    base_url="https://apihk.mch.weixin.qq.com",
    sandbox_url=None,
    options=(
        Option("mchid", OptionKind.PLAIN, "商户号", "merchant id"),
        Option("appid", OptionKind.PLAIN, "应用号", "application id"),
        Option(
            "path",
            OptionKind.PLAIN,
            f"接口路径，默认 {_PATH}（旧文档为 /global/v3/customs）",
            f"path of the calls, {_PATH} if not set (older pages: /global/v3/customs)",
            is_required=False,
        ),
    ),
    retries=MappingProxyType(
        {
            "SYSTEM_ERROR": Retry.LATER,
            "SYSTEMERROR": Retry.LATER,
            "FREQUENCY_LIMITED": Retry.LATER,
            "http.429": Retry.LATER,
            "http.5*": Retry.LATER,
        }
    ),
    needs_keys=True,
)


def signing_text(method: str, url: str, timestamp: str, nonce: str, body: str) -> str:
    """What a request's signature covers; every line ends with LF, the last one too."""
    return f"{method}\n{path_and_query(url)}\n{timestamp}\n{nonce}\n{body}\n"


def _keys(caller: Caller) -> PartnerKeys:
    keys = caller.account.keys
    if keys is None:
        raise KeyUnusable(f"account {caller.account.name} has no keys")
    return keys


def signed(
    caller: Caller,
    method: str,
    tail: str,
    document: Mapping[str, object] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Request:
    """A signed request; ``tail`` follows the configured path."""
    account = caller.account
    url = account.base_url.rstrip("/") + account.option("path", _PATH).rstrip("/") + tail
    body = b"" if document is None else orjson.dumps(dict(document))
    timestamp = str(caller.clock.now() // _SECOND)
    nonce = caller.rng.guid().replace("-", "")
    keys = _keys(caller)
    text = signing_text(method, url, timestamp, nonce, body.decode())
    signature = base64.b64encode(keys.sign(text.encode())).decode()
    authorization = (
        f'{_SCHEME} mchid="{account.option("mchid")}",nonce_str="{nonce}",'
        f'signature="{signature}",timestamp="{timestamp}",serial_no="{keys.serial}"'
    )
    given = {"accept": "application/json", "authorization": authorization}
    if body:
        given["content-type"] = "application/json"
    return Request(method, url, given | dict(headers or {}), body)


def _named(caller: Caller, filing: PaymentFiling) -> dict[str, object]:
    """The numbers by which every call names a filing."""
    account = caller.account
    named: dict[str, object] = {
        "appid": account.option("appid"),
        "mchid": account.option("mchid"),
        "out_trade_no": filing.payment_order_no,
        "transaction_id": filing.transaction_id,
        "customs": filing.customs_place,
        "merchant_customs_no": filing.merchant_code,
    }
    if filing.is_split:
        named["sub_order_no"] = filing.order_no
    return named


def build(caller: Caller, filing: PaymentFiling) -> Request:
    """The request to file, or to correct, one payment.

    Without a split the company files the payment's own amount less what was refunded, so no
    amount is sent. Raises ``InvalidValue`` for an amount that is no whole number of fen.
    """
    document = _named(caller, filing)
    if filing.is_split:
        whole = to_fen(filing.amount, "amount")
        freight = to_fen(filing.freight, "freight")
        document |= {
            "fee_type": "CNY",
            "order_fee": whole,
            "transport_fee": freight,
            "product_fee": whole - freight,
        }
    if filing.tax.amount:
        document["duty"] = to_fen(filing.tax, "tax")
    return signed(caller, "PATCH" if filing.is_change else "POST", "/orders", document)


def _answer(caller: Caller, response: Response, *, asks_only: bool) -> Node | CallFailed:
    """A verified answer, or why there is none; after a command silence is an unknown outcome."""
    if response.status not in _OK:
        return _refusal(caller, response, asks_only=asks_only)
    try:
        verify(caller, response)
        return loads(response.body)
    except SignatureRefused as fault:
        return CallFailed(fault.code, _lost(asks_only=asks_only), str(fault))
    except Unreadable as fault:
        return CallFailed("unreadable", _lost(asks_only=asks_only), str(fault))


def _lost(*, asks_only: bool) -> Retry:
    return Retry.LATER if asks_only else Retry.UNKNOWN_OUTCOME


def _refusal(caller: Caller, response: Response, *, asks_only: bool) -> CallFailed:
    """An error answer: believed only when it is signed, else all that is known is its status."""
    status = f"http.{response.status}"
    reason = "no answer" if response.status == NO_ANSWER else f"HTTP {response.status}"
    by_status = TERMS.retry_of(status)
    try:
        verify(caller, response)
        code = loads(response.body).get("code").text()
    except (SignatureRefused, Unreadable):
        retry = by_status if by_status is Retry.NEVER else _lost(asks_only=asks_only)
        return CallFailed(status, retry, reason)
    # A throttled request was not carried out, one that met a fault inside may have been.
    retry = TERMS.retry_of(code, status)
    if retry is Retry.LATER and response.status != 429:
        retry = _lost(asks_only=asks_only)
    return CallFailed(code, retry, f"refused with {code} ({reason})")


def verify(caller: Caller, response: Response) -> None:
    """Raise :class:`SignatureRefused` unless an answer is the company's own and of now."""
    headers = response.headers
    timestamp = headers.get("wechatpay-timestamp", "")
    nonce = headers.get("wechatpay-nonce", "")
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) < 12):
        raise SignatureRefused("the answer is not signed")
    if abs(caller.clock.now() // _SECOND - int(timestamp)) > _SKEW_S:
        raise SignatureRefused("the answer was signed at another time")
    try:
        signature = base64.b64decode(headers.get("wechatpay-signature", ""), validate=True)
    except (binascii.Error, ValueError):
        raise SignatureRefused("the signature of the answer is not base64") from None
    data = f"{timestamp}\n{nonce}\n".encode() + response.body + b"\n"
    _keys(caller).verify(headers.get("wechatpay-serial", ""), data, signature)


def interpret(
    caller: Caller, filing: PaymentFiling, response: Response
) -> FilingOutcome | CallFailed:
    """What the answer to a filing says."""
    answer = _answer(caller, response, asks_only=False)
    if isinstance(answer, CallFailed):
        return answer
    try:
        if not _concerns(answer, filing):
            return CallFailed("mixed_up", Retry.UNKNOWN_OUTCOME, "answers for another payment")
        return _outcome(answer, answer, filing)
    except Unreadable as fault:
        return CallFailed("unreadable", Retry.UNKNOWN_OUTCOME, str(fault))


def _concerns(answer: Node, filing: PaymentFiling) -> bool:
    """Whether an answer speaks of this payment, as far as it says so."""
    stated = {
        "transaction_id": filing.transaction_id,
        "out_trade_no": filing.payment_order_no,
    }
    return all(answer.get(name).text_or_none() in (None, value) for name, value in stated.items())


def _outcome(head: Node, row: Node, filing: PaymentFiling) -> FilingOutcome:
    """One filing as an answer tells it: ``head`` speaks of the payment, ``row`` of the order."""
    state = _STATES.get(row.get("state").text().upper(), FilingState.UNKNOWN)
    part_no = row.get("sub_order_id").text_or_none()
    fee = row.get("order_fee")
    if filing.is_split and part_no is None and state in (FilingState.FILED, FilingState.PENDING):
        raise Unreadable(row.get("sub_order_id").path, "is missing")
    slip = PaymentSlip(
        transaction_id=part_no if filing.is_split and part_no else filing.transaction_id,
        amount=filing.amount if fee.is_absent else fee.money(),
        order_no=filing.order_no,
        company_code=COMPANY_CODE,
        company_name=COMPANY_NAME,
        identity_check=_identity(row),
    )
    body = head.get("verify_department").text_or_none()
    return FilingOutcome(
        state=state,
        slip=slip,
        verification_body=None if body is None else _VERIFIED_BY.get(body.upper()),
        verification_no=head.get("verify_department_trade_id").text_or_none(),
        explanation=row.get("explanation").text_or_none(),
        changed_at=_moment(row.get("modify_time")),
    )


def _identity(row: Node) -> IdentityCheck | None:
    """The company's comparison of payer and buyer; the vendor's own samples vary its case."""
    stated = row.get("certificate_check_result").text_or_none()
    if stated is None:
        stated = row.get("cert_check_result").text_or_none()
    if stated is None:
        return None
    try:
        return IdentityCheck(stated.upper())
    except ValueError:
        raise Unreadable(
            row.get("certificate_check_result").path, "is not SAME, DIFFERENT or UNCHECKED"
        ) from None


def _moment(node: Node) -> datetime | None:
    """A time with its offset, China's where none is given; one in another form is not needed."""
    try:
        moment = datetime.fromisoformat(node.text_or_none() or "")
        return (moment if moment.tzinfo else moment.replace(tzinfo=_CHINA)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def query(caller: Caller, filing: PaymentFiling) -> Exchange[FilingOutcome | CallFailed]:
    """Ask what became of a filing; NOT_FILED when the company knows of none."""
    for page in range(_MOST_PAGES):
        response = yield signed(caller, "GET", "/orders?" + form(_asked(caller, filing, page)))
        answer = _answer(caller, response, asks_only=True)
        if isinstance(answer, CallFailed):
            return _unknown_there(response, answer, filing)
        try:
            rows = list(answer.get("data").items())
            ours = next((row for row in rows if _is_ours(row, filing)), None)
            if ours is not None:
                return _outcome(answer, ours, filing)
            if (page + 1) * _PAGE >= answer.get("total_count").whole(0) or not rows:
                return _not_filed(filing)
        except Unreadable as fault:
            return CallFailed("unreadable", Retry.LATER, str(fault))
    return CallFailed("too_many", Retry.NEVER, "the payment has more filings than can be read")


def _asked(caller: Caller, filing: PaymentFiling, page: int) -> dict[str, str]:
    account = caller.account
    return {
        "appid": account.option("appid"),
        "mchid": account.option("mchid"),
        "order_type": "sub_order_no" if filing.is_split else "out_trade_no",
        "order_no": filing.order_no,
        "customs": filing.customs_place,
        "offset": str(page * _PAGE),
        "limit": str(_PAGE),
    }


def _unknown_there(
    response: Response, failed: CallFailed, filing: PaymentFiling
) -> FilingOutcome | CallFailed:
    """A signed "there is no such order" is an answer, not a failure."""
    is_signed = not failed.code.startswith("http.")
    return _not_filed(filing) if response.status == 404 and is_signed else failed


def _not_filed(filing: PaymentFiling) -> FilingOutcome:
    slip = PaymentSlip(
        transaction_id=filing.transaction_id,
        amount=filing.amount,
        order_no=filing.order_no,
        company_code=COMPANY_CODE,
        company_name=COMPANY_NAME,
    )
    return FilingOutcome(FilingState.NOT_FILED, slip)


def _is_ours(row: Node, filing: PaymentFiling) -> bool:
    """Whether a row of a query speaks of this order at this customs place."""
    part = row.get("sub_order_no").text_or_none()
    place = row.get("customs").text_or_none()
    if place not in (None, filing.customs_place):
        return False
    if filing.is_split:
        return part == filing.order_no
    return part in (None, filing.payment_order_no)


def check_identity(
    caller: Caller, filing: PaymentFiling
) -> Exchange[IdentityCheck | CallFailed | None]:
    """Have the buyer's name and number compared with the payer's; None without both of them."""
    name, number = known(filing.buyer.name), known(filing.buyer.id_number)
    if name is None or number is None:
        return None
    keys = _keys(caller)
    try:
        serial, sealed_number = keys.seal(number.upper())
        _, sealed_name = keys.seal(name)
    except KeyUnusable as fault:
        return CallFailed(fault.code, Retry.NEVER, str(fault))
    document = _named(caller, filing) | {
        "certificate_type": "IDCARD",
        "certificate_id": base64.b64encode(sealed_number).decode(),
        "certificate_name": base64.b64encode(sealed_name).decode(),
    }
    response = yield signed(
        caller, "POST", "/verify-certificate", document, {"wechatpay-serial": serial}
    )
    answer = _answer(caller, response, asks_only=True)
    if isinstance(answer, CallFailed):
        return answer
    try:
        return _identity(answer)
    except Unreadable as fault:
        return CallFailed("unreadable", Retry.LATER, str(fault))


def declare(caller: Caller, filing: PaymentFiling) -> Exchange[FilingOutcome | CallFailed]:
    """File a payment, have the buyer's identity checked, and ask once what became of it.

    When nobody knows whether the filing arrived, asking is all that is done: NOT_FILED then means
    that the same filing may be made again.
    """
    response = yield build(caller, filing)
    filed = interpret(caller, filing, response)
    if isinstance(filed, CallFailed) and filed.retry is not Retry.UNKNOWN_OUTCOME:
        return filed
    if isinstance(filed, CallFailed):
        return (yield from _settled(caller, filing, filed))
    if filed.state is FilingState.PENDING:
        asked = yield from query(caller, filing)
        filed = _newer(filed, asked)
    checked = yield from check_identity(caller, filing)
    return _with_identity(filed, checked)


def _settled(
    caller: Caller, filing: PaymentFiling, failed: CallFailed
) -> Exchange[FilingOutcome | CallFailed]:
    """What became of a filing whose answer was lost, as far as the company tells it."""
    asked = yield from query(caller, filing)
    if isinstance(asked, CallFailed) or (
        filing.is_change and asked.state is not FilingState.NOT_FILED
    ):
        # An earlier filing answers for itself, not for its correction.
        return failed
    checked = yield from check_identity(caller, filing)
    return _with_identity(asked, checked)


def _newer(filed: FilingOutcome, asked: FilingOutcome | CallFailed) -> FilingOutcome:
    """The filing as a later query tells it; a query that does not see it yet changes nothing."""
    if isinstance(asked, CallFailed):
        return replace(filed, trouble=asked)
    return filed if asked.state is FilingState.NOT_FILED else asked


def _with_identity(
    outcome: FilingOutcome, checked: IdentityCheck | CallFailed | None
) -> FilingOutcome:
    if isinstance(checked, CallFailed):
        return replace(outcome, trouble=checked)
    identity = checked or outcome.slip.identity_check or IdentityCheck.UNCHECKED
    return replace(outcome, slip=replace(outcome.slip, identity_check=identity))


def refile(caller: Caller, filing: PaymentFiling) -> Exchange[FilingOutcome | CallFailed]:
    """Have the same filing pushed to customs once more.

    Only for a filing that is FILED, where the port lost it, or FAULTED.
    """
    response = yield signed(caller, "POST", "/redeclare", _named(caller, filing))
    return interpret(caller, filing, response)


def parse(raw: bytes) -> tuple[PaymentSlip | ParseFailure, ...]:
    """The payment slips that the bytes of a query's answer tell of, each or its failure.

    For bytes that were verified when they came; a row without an amount is no slip.
    """
    try:
        answer = loads(raw)
        payment_no = answer.get("transaction_id").text()
        rows = list(answer.get("data").items())
    except Unreadable as fault:
        return (ParseFailure(fault.path, fault.reason),)
    found: list[PaymentSlip | ParseFailure] = []
    for row in rows:
        try:
            found.append(_slip(row, payment_no))
        except Unreadable as fault:
            found.append(ParseFailure(fault.path, fault.reason))
    return tuple(found)


def _slip(row: Node, payment_no: str) -> PaymentSlip:
    currency = row.get("fee_type").text_or_none()
    if currency not in (None, "CNY"):
        raise Unreadable(row.get("fee_type").path, "must be CNY")
    return PaymentSlip(
        transaction_id=row.get("sub_order_id").text_or_none() or payment_no,
        amount=from_fen(row.get("order_fee").fen()),
        order_no=row.get("sub_order_no").text_or_none(),
        company_code=COMPANY_CODE,
        company_name=COMPANY_NAME,
        identity_check=_identity(row),
    )


ADAPTER: Final = PaymentAdapter(
    id="wechat_v3",
    title_zh="微信支付",
    title_en="WeChat Pay v3",
    terms=TERMS,
    polling=Polling(
        pauses_s=(60, 120, 300, 600, 1800),
        alarm_after_s=7200,
        refile_gap_s=1800,
        refile_most=3,
    ),
    build=build,
    interpret=interpret,
    declare=declare,
    query=query,
    refile=refile,
    parse=parse,
)

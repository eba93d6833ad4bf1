"""Douyin shops (抖店): orders pulled with ``order.searchList``, personal values opened on demand.

Requests are signed with HMAC-SHA256 over app key, method, parameters and time. Amounts are whole
fen, times seconds since 1970. Names, phones, addresses and identity numbers arrive encrypted and
masked; ``order.batchDecrypt`` opens them, and only those of orders that may be declared, because
the platform counts and audits every opening.

What the lines say of price cuts follows DOMAIN: what the shop gave lowers the line, what the
platform or a talent gave was paid without cash and becomes the order's ``discount``, unless the
account says ``discount_mode = net``.
"""

import hmac
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from types import MappingProxyType
from typing import Final

import orjson

from adapters.amounts import from_fen, shares, unit_price
from adapters.base import (
    NO_ANSWER,
    Account,
    AuthScheme,
    Caller,
    CallFailed,
    Cursor,
    Exchange,
    Limits,
    NothingYet,
    Opened,
    Option,
    OptionKind,
    ParseFailure,
    Pulled,
    PullResult,
    Request,
    Response,
    Sighting,
    SightingKey,
    SourceAdapter,
    Standing,
    Terms,
    Windows,
)
from adapters.wire import Node, Unreadable, element_spans, form, loads, post_json
from gateway.domain.codec import to_micros
from gateway.domain.errors import Retry
from gateway.domain.papers import Consignee, Masked, Order, OrderLine, PaymentRef, Person

_OK: Final = 10000
_SECOND: Final = 1_000_000
_ORDERS: Final = ("data", "shop_order_list")
_DECRYPT_BATCH: Final = 50
# Deep pages are refused (page x size is bounded): a busier window is cut in half instead.
_DEEPEST_ROW: Final = 5000
# One answer must stay below the client's cap of one megabyte with orders of many lines.
_PAGE_SIZE: Final = 50

_UNPAID: Final = frozenset({1, 103})
_PREPARING: Final = frozenset({2, 105})
_SHIPPED: Final = frozenset({3, 5, 101})
_CANCELLED: Final = frozenset({4, 21, 22, 39})
# Bonded (BBC) and direct (BC); personal parcels and off-island shopping are declared elsewhere.
_CROSS_BORDER: Final = frozenset({21, 22})

WINDOWS: Final = Windows(window_s=3600, overlap_s=300, lag_s=60)

TERMS: Final = Terms(
    auth=AuthScheme.HMAC_SHA256,
    limits=Limits(requests_per_minute=300, page_size=_PAGE_SIZE),
    base_url="https://openapi-fxg.jinritemai.com",
    sandbox_url=None,
    options=(
        Option("app_key", OptionKind.PLAIN, "应用标识", "app key"),
        Option("secret", OptionKind.UNSENT, "应用密钥", "app secret"),
        Option("access_token", OptionKind.HIDDEN, "店铺授权令牌", "the shop's access token"),
        Option(
            "discount_mode",
            OptionKind.PLAIN,
            "平台优惠：deduct 计入非现金抵扣（默认），net 冲减商品价格",
            "what the platform gave: deduct as non-cash discount (default), or net off the lines",
            is_required=False,
        ),
    ),
    retries=MappingProxyType(
        {
            "isp.*": Retry.LATER,
            "20000": Retry.LATER,
            "http.429": Retry.LATER,
            "http.5*": Retry.LATER,
        }
    ),
)


def signature(secret: str, app_key: str, method: str, param_json: str, timestamp: str) -> str:
    """The request signature: HMAC-SHA256 in lower-case hex, version 2 of the platform's rule.

    ``param_json`` must be compact, its names sorted at every level, not escaped for HTML.
    """
    signed = f"app_key{app_key}method{method}param_json{param_json}timestamp{timestamp}v2"
    text = secret + signed + secret
    return hmac.digest(secret.encode(), text.encode(), "sha256").hex()


def call(caller: Caller, method: str, parameters: Mapping[str, object]) -> Request:
    """A signed call of one method, ``order.searchList`` for example."""
    account = caller.account
    body = orjson.dumps(dict(parameters), option=orjson.OPT_SORT_KEYS)
    timestamp = str(caller.clock.now() // _SECOND)
    app_key = account.option("app_key")
    secret = account.option("secret")
    query = {
        "method": method,
        "app_key": app_key,
        "access_token": account.option("access_token"),
        "timestamp": timestamp,
        "v": "2",
        "sign_method": "hmac-sha256",
        "sign": signature(secret, app_key, method, body.decode(), timestamp),
    }
    url = f"{account.base_url.rstrip('/')}/{method.replace('.', '/')}?{form(query)}"
    return post_json(url, body)


def pull(caller: Caller, cursor: Cursor) -> Exchange[PullResult]:
    """Read one page and open the personal values of its orders that may be declared.

    A window's last page is read first: when an order changes meanwhile it leaves the window, and
    what moves up lands on pages that are read later, so none is missed.
    """
    window = WINDOWS.next(cursor, caller.clock.now())
    if window is None:
        return NothingYet(WINDOWS.ready_at(cursor))
    while True:
        page = int(window.page or 0)
        response = yield _search(caller, window, page)
        answer = interpret(response)
        if isinstance(answer, CallFailed):
            return answer
        try:
            total = answer.get("data").get("total").whole(0)
        except Unreadable as fault:
            return CallFailed("unreadable", Retry.LATER, str(fault))
        if window.page or total <= _PAGE_SIZE:
            break
        halved = _halved(window) if total > _DEEPEST_ROW else None
        last = str((total - 1) // _PAGE_SIZE)
        window = halved or Cursor(window.start, window.end, last)
    opened, trouble = yield from _open(caller, response.body)
    if trouble is not None and trouble.retry is not Retry.NEVER:
        return trouble
    after = str(page - 1) if page else None
    return Pulled(response.body, Cursor(window.start, window.end, after), opened, trouble)


def _search(caller: Caller, window: Cursor, page: int) -> Request:
    parameters = {
        "update_time_start": window.start // _SECOND,
        "update_time_end": window.end // _SECOND,
        "order_by": "update_time",
        "order_asc": True,
        "page": page,
        "size": _PAGE_SIZE,
    }
    return call(caller, "order.searchList", parameters)


def _halved(window: Cursor) -> Cursor | None:
    """The first half of a window; None when it would end no later than the window before it."""
    middle = (window.start + window.end) // 2 // _SECOND * _SECOND
    if middle <= window.start + WINDOWS.overlap_s * _SECOND:
        return None
    return Cursor(window.start, middle, "")


def interpret(response: Response) -> Node | CallFailed:
    """The answer of a call, or why there is none. Reading changes nothing, so 5xx may be tried
    again.
    """
    if response.status != 200:
        status = f"http.{response.status}"
        reason = "no answer" if response.status == NO_ANSWER else f"HTTP {response.status}"
        return CallFailed(status, TERMS.retry_of(status), reason)
    try:
        answer = loads(response.body)
        code = answer.get("code").whole()
        sub_code = answer.get("sub_code").text_or_none() or ""
    except Unreadable as fault:
        return CallFailed("unreadable", Retry.LATER, str(fault))
    if code != _OK:
        retry = TERMS.retry_of(sub_code, str(code))
        return CallFailed(sub_code or str(code), retry, f"refused with code {code} {sub_code}")
    return answer


def _open(
    caller: Caller, raw: bytes
) -> Exchange[tuple[dict[tuple[str, str], str], CallFailed | None]]:
    """Have the ciphertexts of a page opened; what stays closed is shown masked."""
    wanted = list(_ciphertexts(raw, caller.known))
    opened: dict[tuple[str, str], str] = {}
    for start in range(0, len(wanted), _DECRYPT_BATCH):
        batch = wanted[start : start + _DECRYPT_BATCH]
        asked = [{"auth_id": order_no, "cipher_text": text} for order_no, text in batch]
        response = yield call(caller, "order.batchDecrypt", {"cipher_infos": asked})
        answer = interpret(response)
        if isinstance(answer, CallFailed):
            return opened, answer
        try:
            opened |= _opened(answer, frozenset(batch))
        except Unreadable as fault:
            return opened, CallFailed("unreadable", Retry.LATER, str(fault))
    closed = len(wanted) - len(opened)
    if closed:
        reason = f"{closed} of {len(wanted)} values stayed closed"
        return opened, CallFailed("not_opened", Retry.NEVER, reason)
    return opened, None


def _opened(answer: Node, asked: frozenset[tuple[str, str]]) -> dict[tuple[str, str], str]:
    """What an answer opens of what was asked; anything else in it is passed over."""
    found = {}
    for item in answer.get("data").get("decrypt_infos").items():
        key = (item.get("auth_id").text(), item.get("cipher_text").text())
        clear = item.get("decrypt_text").text_or_none()
        if key in asked and clear is not None and not item.get("err_no").whole(0):
            found[key] = clear
    return found


def _ciphertexts(raw: bytes, known: Container[SightingKey]) -> Iterator[tuple[str, str]]:
    """(order number, ciphertext) of every personal value of the orders that may be declared."""
    for _, _, order in _orders(raw):
        try:
            key = _key(order)
            if key in known or not _standing(order).may_be_declared:
                continue
            ciphers = [field.text_or_none() for field in _closed_fields(order)]
        except Unreadable:  # parse() will say so
            continue
        yield from ((key.order_no, cipher) for cipher in dict.fromkeys(ciphers) if cipher)


def _key(order: Node) -> SightingKey:
    modified = order.get("update_time").moment()
    if modified is None:
        raise Unreadable(order.get("update_time").path, "is missing")
    shop, order_no = order.get("shop_id").text(), order.get("order_id").text()
    return SightingKey(shop, order_no, to_micros(modified))


def _closed_fields(order: Node) -> tuple[Node, ...]:
    identity = order.get("user_id_info")
    named = () if identity.value is None else ("encrypt_id_card_no", "encrypt_id_card_name")
    address = order.get("post_addr")
    detail = () if address.value is None else (address.get("encrypt_detail"),)
    return (
        order.get("encrypt_post_receiver"),
        order.get("encrypt_post_tel"),
        *detail,
        *(identity.get(name) for name in named),
    )


def _orders(raw: bytes) -> Iterator[tuple[int, int, Node]]:
    """Each order of a page with its own bytes. Raises nothing: the bytes were valid JSON."""
    for index, (offset, length) in enumerate(element_spans(raw, _ORDERS)):
        node = loads(raw[offset : offset + length])
        yield offset, length, Node(node.value, f"/data/shop_order_list/{index}")


def parse(account: Account, raw: bytes, opened: Opened) -> tuple[Sighting | ParseFailure, ...]:
    """The orders of a page, each with the bytes that say so, or why one cannot be read."""
    answer = interpret(Response(200, {}, raw))
    if isinstance(answer, CallFailed):
        return (ParseFailure("", answer.reason),)
    try:
        expected = sum(1 for _ in answer.get("data").get("shop_order_list").items())
    except Unreadable as fault:
        return (ParseFailure(fault.path, fault.reason),)
    found: list[Sighting | ParseFailure] = []
    for offset, length, node in _orders(raw):
        try:
            found.append(_Reading(account, node, opened).sighting(offset, length))
        except Unreadable as fault:
            found.append(ParseFailure(fault.path, fault.reason, offset, length))
    if len(found) != expected:
        return (ParseFailure("/data/shop_order_list", "the list cannot be told apart"),)
    return tuple(found)


def _standing(order: Node) -> Standing:
    if order.get("biz").whole(0) not in _CROSS_BORDER:
        return Standing.ELSEWHERE
    status = order.get("order_status").whole()
    stated = {status, order.get("main_status").whole(status)}
    if stated & _CANCELLED:
        return Standing.CANCELLED
    if stated & _UNPAID:
        return Standing.UNPAID
    if any(_is_after_sale(line) for line in order.get("sku_order_list").items()):
        return Standing.AFTER_SALE
    if stated <= _PREPARING:
        return Standing.READY
    return Standing.SHIPPED if stated <= _PREPARING | _SHIPPED else Standing.UNKNOWN


def _is_after_sale(line: Node) -> bool:
    """Whether a line was cancelled, or its buyer has asked for something: a person decides."""
    after = line.get("after_sale_info")
    status = 0 if after.value is None else after.get("after_sale_status").whole(0)
    return bool(status) or line.get("order_status").whole(0) in _CANCELLED


@dataclass(frozen=True, slots=True)
class _Line:
    """The amounts of one line in fen: what stands on it, what came off, the tax in its price."""

    node: Node
    listed: int
    cut: int
    tax: int
    included_tax: int


@dataclass(frozen=True, slots=True)
class _Reading:
    """One order on its way into a paper."""

    account: Account
    order: Node
    opened: Opened

    def sighting(self, offset: int, length: int) -> Sighting:
        key = _key(self.order)
        return Sighting(key, self.paper(key.order_no), _standing(self.order), offset, length)

    def paper(self, order_no: str) -> Order:
        """The order as customs wants it: what the shop gave is off the lines."""
        order = self.order
        lines, discount = self._lines()
        goods = sum(line.listed - line.cut - line.included_tax for line in lines)
        freight = self._freight()
        tax = order.get("tax_amount").fen(sum(line.tax for line in lines))
        return Order(
            order_no=order_no,
            goods_value=from_fen(goods),
            freight=from_fen(freight),
            discount=from_fen(discount),
            tax=from_fen(tax),
            paid=order.get("pay_amount").money(),
            lines=tuple(_order_line(number, line) for number, line in enumerate(lines, 1)),
            buyer=self._buyer(order_no),
            consignee=self._consignee(order_no),
            payment=PaymentRef(transaction_id=self._payment_no()),
            ordered_at=order.get("create_time").moment(),
        )

    def _freight(self) -> int:
        order = self.order
        charged = order.get("post_amount")
        if not charged.is_absent:
            return charged.fen()
        listed = order.get("post_origin_amount").fen(0)
        given = order.get("post_promotion_amount").fen(0)
        if given > listed:
            raise Unreadable(order.get("post_promotion_amount").path, "is more than the freight")
        return listed - given

    def _lines(self) -> tuple[list[_Line], int]:
        """The lines, and what was paid without cash, in fen."""
        nodes = list(self.order.get("sku_order_list").items())
        if not nodes:
            raise Unreadable(self.order.get("sku_order_list").path, "has no line")
        listed = [_listed(node) for node in nodes]
        cuts, discount = self._cuts(nodes, listed)
        lines = []
        for node, amount, cut in zip(nodes, listed, cuts, strict=True):
            tax = node.get("tax_amount").fen(0)
            line = _Line(node, amount, cut, tax, tax if _has_tax(node, self.order) else 0)
            if line.cut + line.included_tax > amount:
                raise Unreadable(node.get("promotion_amount").path, "is more than the line")
            lines.append(line)
        return lines, discount

    def _cuts(self, nodes: Sequence[Node], listed: Sequence[int]) -> tuple[list[int], int]:
        """What comes off each line in fen, and the order's non-cash part.

        The lines' own figures are used where they add up to what the order says; else the
        order's figure is shared out by amount.
        """
        order = self.order
        given = order.get("promotion_amount").fen(0)
        others = sum(
            order.get(name).fen(0)
            for name in ("promotion_platform_amount", "promotion_talent_amount")
        )
        if self.account.option("discount_mode", "deduct") == "net":
            others = 0
        if others > given:
            raise Unreadable(order.get("promotion_amount").path, "is less than its parts")
        stated = [node.get("promotion_amount").fen(0) for node in nodes]
        if not others and sum(stated) == given:
            return stated, 0
        of_shop = [_shop_cut(node) for node in nodes]
        if None not in of_shop and sum(cut or 0 for cut in of_shop) == given - others:
            return [cut or 0 for cut in of_shop], others
        return shares(given - others, listed), others

    def _payment_no(self) -> str | None:
        """The payment's number; several payments of one order are nobody's to choose from."""
        order = self.order
        phases = {
            phase.get("channel_payment_no").text_or_none()
            for phase in order.get("order_phase_list").items()
        } - {None}
        if len(phases) > 1:
            raise Unreadable(
                order.get("order_phase_list").path,
                "names several payments: agree with the payment company which number is declared",
            )
        return order.get("channel_payment_no").text_or_none() or next(iter(phases), None)

    def _buyer(self, order_no: str) -> Person:
        identity = self.order.get("user_id_info")
        account = self.order.get("doudian_open_id").text_or_none()
        if identity.value is None:
            return Person(account=account)
        number = self._value(order_no, identity, "id_card_no")
        return Person(
            name=self._value(order_no, identity, "id_card_name"),
            id_type=None if number is None else "1",
            id_number=number,
            account=account,
        )

    def _consignee(self, order_no: str) -> Consignee:
        order = self.order
        address, district = self._address(order_no)
        return Consignee(
            name=self._value(order_no, order, "post_receiver"),
            phone=self._value(order_no, order, "post_tel"),
            address=address,
            district=district,
        )

    def _address(self, order_no: str) -> tuple[str | Masked | None, str | None]:
        address = self.order.get("post_addr")
        if address.value is None:
            return None, None
        places = [address.get(name) for name in ("province", "city", "town", "street")]
        named = [place for place in places if place.value is not None]
        parts = [name for place in named if (name := place.get("name").text_or_none())]
        detail = self._value(order_no, address, "detail")
        town = address.get("town")
        code = None if town.value is None else town.get("id").text_or_none()
        district = code if code and len(code) == 6 and code.isdigit() else None
        if isinstance(detail, str):
            return " ".join((*parts, detail)), district
        shown = detail.shown if detail is not None else "***"
        return (Masked(" ".join((*parts, shown))) if parts else detail), district

    def _value(self, order_no: str, holder: Node, name: str) -> str | Masked | None:
        """A personal value: clear, opened, masked, or absent."""
        cipher = holder.get(f"encrypt_{name}").text_or_none()
        clear = self.opened.get((order_no, cipher)) if cipher else None
        shown = holder.get(name).text_or_none()
        mask = holder.get(f"mask_{name}").text_or_none()
        if clear is not None:
            return clear
        if shown is not None:
            return Masked(shown) if "*" in shown else shown
        return Masked(mask or "***") if mask or cipher else None


def _listed(line: Node) -> int:
    """What a line costs before anything came off, in fen."""
    stated = line.get("sum_amount")
    if not stated.is_absent:
        return stated.fen()
    return line.get("origin_amount").fen() * line.get("item_num").whole(most=10**9)


def _shop_cut(line: Node) -> int | None:
    stated = line.get("promotion_shop_amount")
    return None if stated.is_absent else stated.fen()


def _has_tax(line: Node, order: Node) -> bool:
    """Whether the price already covers the tax."""
    stated = line.get("has_tax")
    return (order.get("has_tax") if stated.is_absent else stated).value in (True, "1", "true")


def _order_line(number: int, line: _Line) -> OrderLine:
    node = line.node
    quantity = node.get("item_num").whole(most=10**9)
    if not quantity:
        raise Unreadable(node.get("item_num").path, "must be at least 1")
    total = from_fen(line.listed - line.cut - line.included_tax)
    sku = node.get("code").text_or_none() or node.get("out_sku_id").text_or_none()
    if sku is None:
        raise Unreadable(node.get("out_sku_id").path, "is missing")
    return OrderLine(
        line_no=number,
        sku=sku,
        name=node.get("product_name").text(),
        model="",
        quantity=Decimal(quantity),
        unit="",
        price=unit_price(total, quantity),
        total=total,
        origin="",
    )


ADAPTER: Final = SourceAdapter(
    id="douyin",
    title_zh="抖店",
    title_en="Douyin shop",
    terms=TERMS,
    windows=WINDOWS,
    pull=pull,
    parse=parse,
)

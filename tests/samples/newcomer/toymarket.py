"""A marketplace that somebody else adds: one module, found by its entry point."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Final

import orjson

from adapters.amounts import from_fen
from adapters.base import (
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
    Sighting,
    SightingKey,
    SourceAdapter,
    Standing,
    Terms,
    Windows,
)
from adapters.wire import Node, Unreadable, element_spans, form, loads
from gateway.domain.codec import to_micros
from gateway.domain.errors import Retry
from gateway.domain.papers import Order, OrderLine, Person

WINDOWS: Final = Windows(window_s=1800, overlap_s=300, lag_s=60)
STANDINGS: Final[Mapping[str, Standing]] = {
    "paid": Standing.READY,
    "new": Standing.UNPAID,
    "gone": Standing.CANCELLED,
}
TERMS: Final = Terms(
    auth=AuthScheme.HMAC_SHA256,
    limits=Limits(requests_per_minute=60, page_size=20),
    base_url="https://api.toymarket.example",
    sandbox_url="https://sandbox.toymarket.example",
    options=(Option("token", OptionKind.HIDDEN, "令牌", "token"),),
    retries={"busy": Retry.LATER, "http.429": Retry.LATER, "http.5*": Retry.LATER},
)


def pull(caller: Caller, cursor: Cursor) -> Exchange[PullResult]:
    """Read one page of a window."""
    window = WINDOWS.next(cursor, caller.clock.now())
    if window is None:
        return NothingYet(WINDOWS.ready_at(cursor))
    asked = {"from": str(window.start), "to": str(window.end), "page": window.page or "1"}
    token = caller.account.option("token")
    url = f"{caller.account.base_url}/orders?{form(asked)}"
    response = yield Request("GET", url, {"authorization": f"Bearer {token}"})
    if response.status != 200:
        status = f"http.{response.status}"
        return CallFailed(status, TERMS.retry_of(status), status)
    try:
        more = loads(response.body).get("next").text_or_none()
    except Unreadable as fault:
        return CallFailed("unreadable", Retry.LATER, str(fault))
    return Pulled(response.body, Cursor(window.start, window.end, more))


def parse(account: Account, raw: bytes, opened: Opened) -> tuple[Sighting | ParseFailure, ...]:
    """The orders of a page."""
    try:
        expected = sum(1 for _ in loads(raw).get("orders").items())
    except Unreadable as fault:
        return (ParseFailure(fault.path, fault.reason),)
    found: list[Sighting | ParseFailure] = []
    for index, (offset, length) in enumerate(element_spans(raw, ("orders",))):
        node = Node(orjson.loads(raw[offset : offset + length]), f"/orders/{index}")
        try:
            found.append(_sighting(node, account, offset, length))
        except Unreadable as fault:
            found.append(ParseFailure(fault.path, fault.reason, offset, length))
    assert len(found) == expected
    return tuple(found)


def _sighting(node: Node, account: Account, offset: int, length: int) -> Sighting:
    order_no = node.get("no").text()
    changed = node.get("changed").moment()
    if changed is None:
        raise Unreadable(node.get("changed").path, "is missing")
    paid = node.get("paid").money()
    zero = from_fen(0)
    line = OrderLine(1, node.get("sku").text(), "toy", "", Decimal(1), "", paid, paid, "")
    paper = Order(
        order_no=order_no,
        goods_value=paid,
        freight=zero,
        discount=zero,
        tax=zero,
        paid=paid,
        lines=(line,),
        buyer=Person(name=node.get("buyer").text_or_none()),
    )
    standing = STANDINGS.get(node.get("status").text(), Standing.UNKNOWN)
    key = SightingKey(account.name, order_no, to_micros(changed))
    return Sighting(key, paper, standing, offset, length)


ADAPTER: Final = SourceAdapter(
    id="toymarket",
    title_zh="玩具市场",
    title_en="Toy market",
    terms=TERMS,
    windows=WINDOWS,
    pull=pull,
    parse=parse,
)

"""What has to be true after a run, by our store and by what the strangers saw."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence

from sqlalchemy import Connection, select

from adapters.sandbox.customs import Filing
from adapters.sandbox.hooks import Notice
from gateway.app.checks import check_everything
from gateway.app.container import Gateway, open_gateway
from gateway.app.demo_world import TENANT, demo_profile
from gateway.domain.case import CaseStage
from gateway.flow.status import RELEASE
from gateway.ports import CaseFilter
from store.tables import message
from tests.crash.orders import Wanted
from tests.crash.world import Told, World


async def broken_promises(where: World, orders: Sequence[Wanted], told: Told) -> list[str]:
    """Every promise that a run broke; the gateway must have ended."""
    async with open_gateway(where.settings) as gateway:
        report = await check_everything(gateway)
        broken = [str(violation) for violation in report.violations]
        broken += [line async for line in _lost_papers(gateway, orders, told)]
        broken += await _unknown_bytes(gateway, where)
    for wanted in orders:
        broken += _ledger_faults(where, wanted)
    broken += _strangers_in_ledger(where, orders)
    broken += _notice_faults(where, orders)
    return broken


async def _lost_papers(
    gateway: Gateway, orders: Sequence[Wanted], told: Told
) -> AsyncIterator[str]:
    """Papers that were answered with 2xx and are not there, byte for byte as they were sent."""
    for wanted in orders:
        lines = wanted.order.lines()
        missing = [line["type"] for line in lines if _answer(told, line) is None]
        if missing:
            yield f"{wanted.order_no}: {missing} never answered"
        page = await gateway.reads.cases(TENANT, CaseFilter(order_no=wanted.order_no), None, 10)
        if len(page.items) != 1:
            yield f"{wanted.order_no}: {len(page.items)} cases"
            continue
        case = await gateway.reads.case(TENANT, page.items[0].key.case_id)
        assert case is not None
        kept = {kind.value for kind in case.papers}
        lost = {line["type"] for line in lines} - kept
        if lost:
            yield f"{wanted.order_no}: acknowledged and lost: {sorted(lost)}"


async def _unknown_bytes(gateway: Gateway, where: World) -> list[str]:
    """Messages at customs whose bytes are not those that are kept here as signed."""
    async with gateway.store.read() as reading:
        kept = await reading.run_sync(_kept_digests)
    ledger = where.authority.ledger
    return [
        f"{filing.order_key[1]}: customs has {filing.kind.value} bytes that are not kept here"
        for filing in (*ledger.orders.values(), *ledger.inventories.values())
        if not {version.digest for version in filing.versions} <= kept
    ]


def _kept_digests(connection: Connection) -> set[str]:
    return {
        bytes(row.sha256).hex()
        for row in connection.execute(select(message.c.sha256).where(message.c.body.is_not(None)))
    }


def _answer(told: Told, line: dict[str, str]) -> str | None:
    return told.answers.get((line["type"], line["order_no"]))


# --- the ledger --------------------------------------------------------------------------------


def _ledger_faults(where: World, wanted: Wanted) -> Iterator[str]:
    """One order in the authority's own ledger: accepted exactly once, or never seen."""
    profile = demo_profile()
    ledger, number = where.authority.ledger, wanted.order_no
    order = ledger.order(profile.platform.code, number)
    inventories = ledger.inventories_of(profile.platform.code, number)
    if not wanted.is_filed:
        if order is not None or inventories:
            yield f"{number}: customs has it although its papers do not agree"
        return
    if order is None or len(inventories) != 1:
        yield f"{number}: {len(inventories)} inventories at customs, order {order is not None}"
        return
    yield from _taken_once(number, order)
    yield from _taken_once(number, inventories[0])
    is_released = "800" in inventories[0].trail
    if is_released != (wanted.stage is CaseStage.RELEASED):
        yield f"{number}: customs released it: {is_released}, here it is {wanted.stage}"
    if is_released and not inventories[0].live:
        yield f"{number}: its inventory at customs does not live"


def _taken_once(number: str, filing: Filing) -> Iterator[str]:
    """Faults of one record at customs.

    The same bytes may come again while their answer is on its way; customs judges a record that it
    refused before anew, to the same end. Whatever it accepted, it accepted once.
    """
    taken = [version for version in filing.versions if version.taken]
    if not taken or (len(taken) > 1 and "120" in filing.trail):
        yield f"{number}: {filing.kind.value} taken {len(taken)} times"
    contents = {(version.guid, version.app_time) for version in filing.versions}
    if len(contents) > 1:
        yield f"{number}: {filing.kind.value} sent again with other bytes: {sorted(contents)}"
    digests = {version.digest for version in filing.versions}
    if len(digests) > 1:
        yield f"{number}: {filing.kind.value} sent again in another message"
    counts = Counter(filing.trail)
    twice = [status for status in ("120", "800") if counts[status] > 1]
    if twice:
        yield f"{number}: {filing.kind.value} got {twice} more than once"


def _strangers_in_ledger(where: World, orders: Sequence[Wanted]) -> Iterator[str]:
    known = {wanted.order_no for wanted in orders}
    ledger = where.authority.ledger
    for filing in (*ledger.orders.values(), *ledger.inventories.values()):
        if filing.order_key[1] not in known:
            yield f"{filing.order_key[1]}: customs has an order that nobody sent"
    for one in ledger.messages.values():
        if one.outcome != "taken":
            yield f"message {one.cop_msg_id}: {one.outcome}"


# --- notices -----------------------------------------------------------------------------------


def _notice_faults(where: World, orders: Sequence[Wanted]) -> Iterator[str]:
    """Each release is told under one id; nothing else is."""
    releases: dict[str, set[str]] = {}
    for notice in where.warehouse.received.values():
        if notice.type != RELEASE:
            yield f"{_order_no(notice)}: {notice.type} told to the warehouse"
            continue
        releases.setdefault(_order_no(notice), set()).add(notice.id)
    told: dict[str, list[str]] = {}
    for notice in where.seller.received.values():
        told.setdefault(_order_no(notice), []).append(notice.type)
    for wanted in orders:
        ids = releases.pop(wanted.order_no, set())
        due = 1 if wanted.stage is CaseStage.RELEASED else 0
        if len(ids) != due:
            yield f"{wanted.order_no}: {len(ids)} release notices, {due} due"
        heard = Counter(told.get(wanted.order_no, ()))
        twice = [kind for kind, count in heard.items() if count > 1]
        if twice:
            yield f"{wanted.order_no}: {twice} told to the seller under several ids"
        if due and not heard[f"case.{CaseStage.RELEASED.value}"]:
            yield f"{wanted.order_no}: the seller was not told of the release"
    for number in releases:
        yield f"{number}: a release of an order that nobody sent"
    for tally in (where.warehouse.tally, where.seller.tally):
        if tally.unsigned or tally.faulty:
            yield f"{tally.unsigned} unsigned and {tally.faulty} faulty notices"


def _order_no(notice: Notice) -> str:
    assert isinstance(notice.case, dict)
    return str(notice.case["order_no"])

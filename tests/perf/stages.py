"""What each stage costs by itself: one thread, no storage, messages of a hundred records.

The decisions are the real ones; only the store is replaced by views that are kept nowhere, so that
the figures are those of reading, deciding, writing and signing alone.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any, Final, cast

import orjson
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from adapters.discovery import regime
from adapters.sandbox.customs import CustomsAuthority
from adapters.sandbox.customs import Settings as CustomsSettings
from gateway.api.decode import PaperItem, decode_line
from gateway.app.demo_orders import ITEMS, DemoOrder, demo_orders, goods_records
from gateway.app.demo_world import PROFILE, TENANT, demo_profile, prepare
from gateway.app.surroundings import NoCrash, SystemClock, SystemRng
from gateway.domain.case import CaseState, VerdictKind
from gateway.domain.declaration import DeclarationKind
from gateway.domain.ids import CaseId, MessageId, ReceiptId, record_guid
from gateway.domain.matching.matcher import PaperMatcher
from gateway.domain.matching.pack import builtin_names, builtin_text, compile_pack
from gateway.domain.papers import Order, PaperKind, PaymentSlip, Waybill
from gateway.domain.tables import NO_TABLES
from gateway.flow.context import Context
from gateway.flow.ingest import Incoming, Ingest
from gateway.ports import (
    CaseView,
    Command,
    DeclarationInput,
    MessageStage,
    Regime,
    Store,
    StoredMember,
    StoredMessage,
)
from signing import FileKey, load_file, sign, verify_own
from tests.perf.costs import StageCost, process_us
from tests.perf.goals import (
    BUILD_GATE_US,
    BUILD_GOAL_US,
    MATCH_GATE_US,
    MATCH_GOAL_US,
    SIGN_GATE_RATIO,
)

_RECORDS: Final = 100
_LINES: Final = 5
_SOURCE: Final = "bench"
_GUID: Final = "0A1B2C3D-0000-4000-8000-00000000BE4C"
_TAX: Final = Decimal("0.091")
_CENT: Final = Decimal("0.01")


class Master:
    """The demo's master data without a store (the ``MasterData`` port)."""

    def __init__(self) -> None:
        self._profile = demo_profile()
        self._goods = {one.sku: one for one in goods_records(self._profile.goods_scope)}

    def profile(self, *_: object) -> Any:
        """The one profile (Any: it stands for a port whose ids do not matter here)."""
        return self._profile

    profile_version = profile

    def goods(self, _tenant: object, _scope: object, skus: Sequence[str], _day: object) -> Any:
        """The records of these SKUs."""
        return {sku: self._goods[sku] for sku in skus if sku in self._goods}

    def goods_version(self, _tenant: object, _scope: object, sku: str, _version: int) -> Any:
        """The one version."""
        return self._goods[sku]

    def tables(self, *_: object) -> Any:
        """None was imported."""
        return NO_TABLES

    def endpoints(self, *_: object) -> Any:
        """Nobody is told."""
        return ()


class FreshViews:
    """Runs commands on fresh views and keeps nothing: what deciding costs without a store."""

    def __init__(self) -> None:
        self.views: dict[CaseId, CaseView] = {}

    async def submit_all(self, commands: Sequence[Command[Any]]) -> list[Any]:
        """Decide every command on new cases."""
        results = []
        for command in commands:
            views = {key.case_id: CaseView(key, CaseState(), 0, {}) for key in command.create}
            results.append(command.decide(command.facts, views, {}).result)
            self.views |= views
        return results


async def stage_costs(folder: Path, seconds: float) -> list[StageCost]:
    """Measure every stage for about ``seconds`` each."""
    key = _key(folder)
    customs = regime("ceb").create()
    context, views = _context(customs)
    orders = [_with_lines(one) for one in demo_orders(PROFILE, _RECORDS, 1, problems=False)]
    incoming = [_incoming(line) for order in orders for line in order.lines()]
    costs = [_decode_cost(orders, seconds)]
    costs.append(await _intake_cost(context, incoming, seconds))
    cases = list(views.views.values())
    costs.append(_match_cost(context, cases, seconds))
    bare_us = _bare_sign_us(seconds)
    for kind, name in ((DeclarationKind.ORDER, "311"), (DeclarationKind.INVENTORY, "621")):
        costs += _message_costs(customs, kind, name, cases, key, bare_us, seconds)
    costs.append(_receipt_cost(customs, cases, key, seconds))
    return costs


async def sample_message() -> bytes:
    """One message of a hundred orders (311), as it goes to a key."""
    customs = regime("ceb").create()
    context, views = _context(customs)
    orders = [_with_lines(one) for one in demo_orders(PROFILE, _RECORDS, 1, problems=False)]
    await Ingest(context).take([_incoming(line) for order in orders for line in order.lines()])
    inputs = _inputs(DeclarationKind.ORDER, list(views.views.values()))
    built = customs.build(DeclarationKind.ORDER, _GUID, inputs)
    assert not built.faults
    return built.body


def _key(folder: Path) -> FileKey:
    folder.mkdir(parents=True, exist_ok=True)
    file = prepare(folder).keys["default"].file
    assert file is not None
    return load_file(file, name="default")


def _context(customs: Regime) -> tuple[Context, FreshViews]:
    views = FreshViews()
    context = Context(
        clock=SystemClock(),
        rng=SystemRng(),
        crash=NoCrash(),
        executor=cast(Any, None),
        store=cast(Store, views),
        master=Master(),
        matcher=PaperMatcher([compile_pack(builtin_text(name)) for name in builtin_names()]),
        regime=customs,
        channels={},
        keys=cast(Any, None),
        notifier=cast(Any, None),
    )
    return context, views


def _with_lines(order: DemoOrder) -> DemoOrder:
    """The same order with five lines and the sums that follow."""
    lines, value, gross = [], Decimal(0), Decimal("0.2")
    for number in range(_LINES):
        item = ITEMS[number % len(ITEMS)]
        value += item.price
        gross += item.gross_kg
        lines.append(
            {
                "line_no": number + 1,
                "sku": item.sku,
                "name": item.name,
                "model": item.model,
                "unit": item.unit,
                "quantity": "1",
                "price": str(item.price),
                "total": str(item.price),
                "origin": item.origin,
            }
        )
    tax = (value * _TAX).quantize(_CENT, ROUND_HALF_UP)
    sums = {"goods_value": str(value), "discount": "0.00", "tax": str(tax)}
    paid = {"paid": str(value + tax)}
    assert order.payment is not None
    assert order.waybill is not None
    return replace(
        order,
        order={**order.order, **sums, **paid, "lines": lines},
        payment={**order.payment, "amount": paid["paid"]},
        waybill={**order.waybill, "gross_weight_kg": str(gross)},
    )


def _incoming(line: dict[str, Any]) -> Incoming:
    raw = orjson.dumps(line)
    item = decode_line(raw)
    assert isinstance(item, PaperItem)
    return Incoming(TENANT, demo_profile(), item.paper, _SOURCE, raw, 0, len(raw))


def _decode_cost(orders: Sequence[DemoOrder], seconds: float) -> StageCost:
    raws = [orjson.dumps(line) for order in orders for line in order.lines()]

    def work() -> None:
        for raw in raws:
            decode_line(raw)

    cost = process_us(work, seconds, len(orders))
    return StageCost("decode", cost, "order: three papers from JSON to values")


async def _intake_cost(context: Context, incoming: Sequence[Incoming], seconds: float) -> StageCost:
    ingest = Ingest(context)
    best, until = float("inf"), time.perf_counter() + seconds
    while time.perf_counter() < until:
        started = time.thread_time()
        await ingest.take(incoming)
        best = min(best, time.thread_time() - started)
    return StageCost("intake (T1)", best * 1e6 / _RECORDS, "order: compose, claim, match, plan")


def _match_cost(context: Context, cases: Sequence[CaseView], seconds: float) -> StageCost:
    profile, now = demo_profile(), context.clock.now()
    goods = Master().goods(None, None, [item.sku for item in ITEMS], None)

    def work() -> None:
        for view in cases:
            verdict = context.matcher(view.papers, profile, goods, {}, now)
            assert verdict.kind is VerdictKind.MATCHED, verdict

    cost = process_us(work, seconds, len(cases))
    unit = f"case: three papers, {_LINES} lines"
    return StageCost("match", cost, unit, MATCH_GATE_US, MATCH_GOAL_US)


def _bare_sign_us(seconds: float) -> float:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    data, scheme, digest = b"x" * 400, padding.PKCS1v15(), hashes.SHA1()
    return process_us(lambda: key.sign(data, scheme, digest), seconds, 1)


def _inputs(kind: DeclarationKind, cases: Sequence[CaseView]) -> list[DeclarationInput]:
    """What the flow gives the regime for these cases."""
    profile, master = demo_profile(), Master()
    inputs = []
    for view in cases:
        order = view.papers[PaperKind.ORDER].paper
        waybill = view.papers[PaperKind.WAYBILL].paper
        slip = view.papers[PaperKind.PAYMENT].paper
        planned = view.state.declaration(DeclarationKind.ORDER)
        assert isinstance(order, Order)
        assert isinstance(waybill, Waybill)
        assert isinstance(slip, PaymentSlip)
        assert planned is not None
        inputs.append(
            DeclarationInput(
                key=view.key,
                declaration=planned._replace(kind=kind, app_time="20261120100000"),
                guid=record_guid(view.key.case_id, kind.value, 1),
                profile=profile,
                order=order,
                waybill=waybill,
                payment_transaction_id=slip.transaction_id,
                goods=master.goods(None, None, [line.sku for line in order.lines], None),
            )
        )
    return inputs


def _message_costs(
    customs: Regime,
    kind: DeclarationKind,
    name: str,
    cases: Sequence[CaseView],
    key: FileKey,
    bare_us: float,
    seconds: float,
) -> list[StageCost]:
    inputs = _inputs(kind, cases)
    built = customs.build(kind, _GUID, inputs)
    assert not built.faults, built.faults
    body = built.body
    signed = sign(body, key, canonical=True)
    build_us = process_us(lambda: customs.build(kind, _GUID, inputs), seconds, len(inputs))
    sign_us = process_us(lambda: sign(body, key, canonical=True), seconds, 1)
    check_us = process_us(lambda: verify_own(signed, key), seconds, 1)
    # The digest of the message is counted with building it: a bare operation has none.
    digest_us = process_us(lambda: hashlib.sha1(body).digest(), seconds, 1)
    bare_ratio = (sign_us - digest_us) / bare_us
    unit = f"message without its digest: {bare_ratio:.2f} of a bare RSA operation"
    return [
        StageCost(
            f"build {name}",
            build_us + digest_us / len(inputs),
            f"declaration of {len(inputs)}, {_LINES} lines: build, validate, digest",
            BUILD_GATE_US,
            BUILD_GOAL_US,
        ),
        StageCost(f"sign {name}", sign_us - digest_us, unit, bare_us * SIGN_GATE_RATIO, bare_us),
        StageCost(f"verify own {name}", check_us, f"message of {len(body) // 1024} KiB"),
    ]


def _receipt_cost(
    customs: Regime, cases: Sequence[CaseView], key: FileKey, seconds: float
) -> StageCost:
    """Read the answers of the plain customs side to one 621 of a hundred records."""
    kind = DeclarationKind.INVENTORY
    inputs = _inputs(kind, cases)
    signed = sign(customs.build(kind, _GUID, inputs).body, key, canonical=True)
    members = tuple(
        StoredMember(one.key, one.declaration, position) for position, one in enumerate(inputs)
    )
    message = StoredMessage(
        message_id=MessageId(_GUID),
        guid=_GUID,
        kind=kind,
        tenant=TENANT,
        profile_id=PROFILE,
        group="bench",
        stage=MessageStage.SIGNED,
        created_at=SystemClock().now(),
        attempt=1,
        body=signed.content,
        members=members,
    )
    envelope = customs.wrap(message, demo_profile(), signed.content, message.created_at)
    authority, now = CustomsAuthority(1, CustomsSettings.bench()), datetime.now(UTC)
    authority.receive(envelope, now)
    files = [file.data for file in authority.due(now)]
    records = sum(len(customs.read(ReceiptId("r"), data).records) for data in files)
    assert records > 0, "customs gave no answer"

    def work() -> None:
        for data in files:
            customs.read(ReceiptId("r"), data)

    return StageCost("read receipt", process_us(work, seconds, records), "record: parse and read")

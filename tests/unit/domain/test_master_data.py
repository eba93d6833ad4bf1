"""Goods records, enterprises, mandates and profiles."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from gateway.domain.errors import InvalidValue
from gateway.domain.ids import TenantId
from gateway.domain.papers import PaperKind
from gateway.domain.profile import (
    ConfirmedBy,
    Enterprise,
    FiledBy,
    Mandate,
    OnTimeout,
    PaperFiling,
    Party,
    Role,
    Subscription,
)
from tests.unit.domain.papers import profile, record

DAY = date(2026, 11, 11)


@pytest.mark.parametrize(
    "changes, path",
    [
        ({"hs_code": "33049900"}, "hs_code"),
        ({"hs_code": "330499003X"}, "hs_code"),
        ({"unit2": "035"}, "unit2"),
        ({"factor1": Decimal(0)}, "factor1"),
        ({"unit2": "035", "factor2": Decimal(-1)}, "factor1"),
        ({"net_weight_kg": Decimal("0.09")}, "net_weight_kg"),
        ({"valid_from": DAY, "valid_to": date(2026, 11, 10)}, "valid_to"),
    ],
)
def test_a_goods_record_that_contradicts_itself(changes: dict[str, Any], path: str) -> None:
    record(1).check()
    with pytest.raises(InvalidValue) as caught:
        record(1, **changes).check()
    assert caught.value.path == path


def test_a_goods_record_holds_on_both_its_days() -> None:
    dated = record(1, valid_from=DAY, valid_to=DAY)
    assert dated.holds_on(DAY)
    assert not dated.holds_on(date(2026, 11, 10))
    assert not dated.holds_on(date(2026, 11, 12))


@pytest.mark.parametrize(
    "changes, path",
    [
        ({"merchant": Party("", "x")}, "merchant"),
        ({"customs_code": "29"}, "customs_code"),
        ({"account_book": None}, "area"),
        ({"cop_no_prefix": "TOOLONG"}, "cop_no_prefix"),
        ({"subscriptions": (Subscription("RET", "x"),) * 6}, "subscriptions"),
        ({"carriers": ()}, "carriers"),
    ],
)
def test_a_profile_that_cannot_be_right(changes: dict[str, Any], path: str) -> None:
    profile().check()
    with pytest.raises(InvalidValue) as caught:
        profile(**changes).check()
    assert caught.value.path == path


def test_who_files_and_who_is_meant_by_default() -> None:
    ours = profile()
    assert ours.filing(PaperKind.ORDER).filed_by is FiledBy.US
    assert ours.filing(PaperKind.WAYBILL).filed_by is FiledBy.OTHER
    assert ours.carrier(None) == ours.carriers[0]
    assert ours.carrier("nobody") is None
    two = replace(ours, payment_companies=(*ours.payment_companies, Party("Y", "y")))
    assert two.payment_company(None) is None
    assert two.payment_company("Y") == Party("Y", "y")


def test_enterprises_and_mandates() -> None:
    ours = Enterprise("3301960M01", "某某电商有限公司")
    ours.check()
    assert ours.is_named("3301960M01")
    assert not ours.is_named("3301960M02")
    for changes in ({"code": "x"}, {"social_credit_code": "x"}, {"name": " "}):
        with pytest.raises(InvalidValue):
            replace(ours, **changes).check()  # type: ignore[arg-type]
    mandate = Mandate(TenantId("t1"), ours.code, Role.MERCHANT, DAY, DAY)
    assert mandate.covers(TenantId("t1"), ours.code, Role.MERCHANT, DAY)
    assert not mandate.covers(TenantId("t2"), ours.code, Role.MERCHANT, DAY)
    assert not mandate.covers(TenantId("t1"), ours.code, Role.MERCHANT, date(2026, 11, 12))


@pytest.mark.parametrize(
    "filing, field",
    [
        (PaperFiling(FiledBy.US, ConfirmedBy.RECEIPT), "filed_by"),
        (PaperFiling(FiledBy.OTHER, ConfirmedBy.RECEIPT), "confirmed_by"),
    ],
)
@pytest.mark.parametrize("kind", [PaperKind.PAYMENT, PaperKind.WAYBILL])
def test_a_gate_that_nobody_watches_is_refused(
    filing: PaperFiling, field: str, kind: PaperKind
) -> None:
    with pytest.raises(InvalidValue) as caught:
        profile(filings={kind: filing}).check()
    assert caught.value.path == f"filings.{kind}.{field}"
    profile(filings={kind: PaperFiling(FiledBy.OTHER, ConfirmedBy.API, gate=False)}).check()
    sends = PaperFiling(FiledBy.OTHER, ConfirmedBy.STATEMENT, on_timeout=OnTimeout.SEND)
    profile(filings={kind: sends}).check()

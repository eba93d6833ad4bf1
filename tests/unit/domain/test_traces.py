"""Traces: what is counted of phones and addresses, and for how long."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

from gateway.domain.papers import Masked
from gateway.domain.traces import trace_of, traced, traces_of_late
from tests.unit.domain.papers import good

DAY = date(2026, 11, 28)


def test_a_trace_is_seen_for_thirty_days_and_never_after_forty_five() -> None:
    ages = [
        age
        for start in range(15)
        for age in range(60)
        if trace_of("phone", "1", DAY + timedelta(start - age))
        in traces_of_late("phone", "1", DAY + timedelta(start))
    ]
    assert max(ages) < 45
    assert all(ages.count(age) == 15 for age in range(31))


def test_spellings_of_one_phone_are_one_and_what_is_masked_is_none() -> None:
    order = good().order
    assert order is not None
    one = replace(order, buyer=replace(order.buyer, phone="+86 138-0013-8000"))
    assert traced(one)["phone"] == "13800138000"
    assert traced(one)["address"]
    masked = replace(order.buyer, phone=Masked("138****8000"))
    bare = replace(order, buyer=masked, consignee=replace(order.consignee, address=None))
    assert traced(bare) == {}

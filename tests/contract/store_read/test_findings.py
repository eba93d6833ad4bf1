"""The list of findings on every database: whose, which, how settled, page by page."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from gateway.domain.case import CaseKey, Verdict, VerdictKind
from gateway.domain.codec import verdict_to_doc
from gateway.domain.errors import InvalidValue
from gateway.domain.events import Event, EventKind
from gateway.domain.findings import Finding, Severity, finding_id
from gateway.domain.ids import Direction, ProfileId, TenantId, case_id
from gateway.ports import Changes, Command, FindingFilter, FindingRow, Found, Views
from store.findings import SqlFindings
from tests.contract.store.support import Bench, opened

SHOP, OTHER = TenantId("shop"), TenantId("other")
BLOCK = Finding("PAYMENT-AMOUNT", Severity.BLOCK, {"order.paid": "1", "payment.amount": "2"})
WARN = Finding("WEIGHT", Severity.WARN, {"waybill.gross_weight_kg": "3"})


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.needs_postgres)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "postgresql":
        return str(request.getfixturevalue("postgres_url"))
    return f"sqlite:///{tmp_path / 'store.db'}"


def key_of(tenant: TenantId, number: int) -> CaseKey:
    order_no = f"F{number}"
    name = case_id(tenant, Direction.IMPORT, "P", order_no)
    return CaseKey(name, tenant, Direction.IMPORT, "P", order_no, ProfileId(f"p{number % 2}"))


async def put(
    bench: Bench, key: CaseKey, *findings: Finding, settled: Finding | None = None
) -> None:
    def decide(facts: object, views: Views, found: Found) -> Changes[None]:
        verdict = Verdict(VerdictKind.MISMATCH, findings)
        view = views[key.case_id]
        view.record(Event(EventKind.CASE_MATCHED, verdict_to_doc(verdict) | {"pack": "x"}))
        if settled is not None:
            payload = {"finding": finding_id(settled), "how": "accepted_risk", "by": "s:k"}
            view.record(Event(EventKind.FINDING_RESOLVED, payload | {"reason": "small"}))
        return Changes(result=None)

    await bench.store.submit(Command(decide, None, create=(key,), lane=key.order_no))


async def listed(
    bench: Bench, wanted: FindingFilter, limit: int = 2, tenant: TenantId = SHOP
) -> list[FindingRow]:
    """Every row, page by page."""
    lists, after = SqlFindings(bench.store), None
    rows: list[FindingRow] = []
    async with asyncio.timeout(10):
        while True:
            page = await lists.findings(tenant, wanted, after, limit)
            rows += page.items
            after = page.after
            if after is None:
                return rows


async def test_findings_are_listed_filtered_and_paged(url: str) -> None:
    async with opened(url) as bench:
        for number in range(6):
            bench.clock.time += 1
            await put(bench, key_of(SHOP, number), BLOCK, WARN)
        await put(bench, key_of(SHOP, 6))
        await put(bench, key_of(SHOP, 7), WARN, settled=WARN)
        await put(bench, key_of(OTHER, 1), BLOCK)
        rows = await listed(bench, FindingFilter())
        assert len(rows) == 13
        assert len({(row.key.case_id, row.finding_id) for row in rows}) == 13
        assert {row.key.tenant for row in rows} == {SHOP}
        assert [row.finding for row in await listed(bench, FindingFilter(), tenant=OTHER)] == [
            BLOCK
        ]
        blocks = await listed(bench, FindingFilter(severities=frozenset({Severity.BLOCK})))
        assert {row.finding.rule for row in blocks} == {"PAYMENT-AMOUNT"}
        assert len(blocks) == 6
        assert len(await listed(bench, FindingFilter(rule="WEIGHT"))) == 7
        assert len(await listed(bench, FindingFilter(profile_id=ProfileId("p1")))) == 7
        assert len(await listed(bench, FindingFilter(is_open=True))) == 13
        assert await listed(bench, FindingFilter(is_open=False)) == []
        (settled,) = await listed(bench, FindingFilter(is_resolved=True))
        assert settled.resolution is not None
        assert (settled.resolution.how, settled.resolution.by) == ("accepted_risk", "s:k")
        assert len(await listed(bench, FindingFilter(is_resolved=False))) == 12
        only = FindingFilter(case_id=rows[0].key.case_id)
        assert {row.key.case_id for row in await listed(bench, only)} == {only.case_id}


async def test_a_foreign_cursor_is_refused(url: str) -> None:
    async with opened(url) as bench:
        with pytest.raises(InvalidValue):
            await SqlFindings(bench.store).findings(SHOP, FindingFilter(), "abc", 5)

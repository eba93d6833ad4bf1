"""Customs' XML over the API is judged as a file is, by a gateway that runs."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from gateway.api.answers_report import ReportOut
from gateway.api.faults import InvalidFields
from gateway.app.container import Gateway
from gateway.app.demo_world import PROFILE, TENANT, furnish, prepare
from gateway.app.preflight_api import MOST_RECORDS
from gateway.app.serve import running
from gateway.domain.ids import TenantId

CUSTOMS = Path(__file__).parents[2] / "samples" / "customs"


@asynccontextmanager
async def working(folder: Path) -> AsyncIterator[Gateway]:
    async with running(prepare(folder), api=False) as (gateway, _):
        await furnish(gateway)
        yield gateway


def changed(name: str, element: str, text: str) -> bytes:
    xml = (CUSTOMS / name).read_text("utf-8")
    new = f"<ceb:{element}>{text}</ceb:{element}>"
    xml, count = re.subn(f"<ceb:{element}>[^<]*</ceb:{element}>", new, xml, count=1)
    assert count == 1
    return xml.encode()


def body_of(xml: bytes) -> bytes:
    """A message without its declaration, to stand below a root."""
    return re.sub(rb"^<\?xml[^>]*\?>", b"", xml).strip()


async def told(gateway: Gateway, body: bytes, profile: str | None = PROFILE) -> dict[str, Any]:
    return await gateway.services.messages.foresee(TENANT, body, profile)


@pytest.mark.parametrize(
    "name,element,text,rule",
    [
        ("order_full.xml", "acturalPaid", "223.66", "ORDER-HEAD-SUM"),
        ("order_full.xml", "buyerIdNumber", "110101199003070004", "PARTY-ID-NUMBER"),
        ("inventory_direct.xml", "packNo", "2", "WAYBILL-PACK-COUNT"),
        ("inventory_direct.xml", "totalPrice", "200", "ORDER-LINE-TOTAL"),
    ],
)
async def test_a_planted_fault_is_named(
    name: str, element: str, text: str, rule: str, tmp_path: Path
) -> None:
    async with working(tmp_path) as gateway:
        clean = await told(gateway, (CUSTOMS / name).read_bytes())
        found = await told(gateway, changed(name, element, text))
        cases = await gateway.store.execute(
            lambda on: on.exec_driver_sql("SELECT count(*) FROM case_").scalar()
        )
    assert set(found["by_rule"]) - set(clean["by_rule"]) == {rule}
    assert found["blocked"] == 1
    # It is what the document says, it hides who bought, and nothing was stored.
    report = ReportOut.model_validate(found)
    assert "110101199003070004" not in report.model_dump_json()
    assert cases == 0


async def test_several_messages_in_one_body_are_judged_together(tmp_path: Path) -> None:
    parts = [body_of((CUSTOMS / f"{name}.xml").read_bytes()) for name in ("order_full", "payment")]
    async with working(tmp_path) as gateway:
        found = await told(gateway, b"<all>" + b"".join(parts) + b"</all>")
    assert found["rows"] == 2
    assert {place for one in found["results"] for place in one["rows"]} == {"order", "payment"}


HOSTILE = b'<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>'


async def test_what_is_no_message_of_papers_is_refused(tmp_path: Path) -> None:
    order = body_of((CUSTOMS / "order_full.xml").read_bytes())
    (one,) = re.findall(rb"<ceb:Order>.*?</ceb:Order>", order, re.DOTALL)
    many = order.replace(one, one * (MOST_RECORDS + 1))
    async with working(tmp_path) as gateway:
        for body in (b"", b"no xml", b"<a/>", HOSTILE, many):
            with pytest.raises(InvalidFields) as refused:
                await told(gateway, body)
            assert [fault.path for fault in refused.value.faults] == [""]
        assert (await told(gateway, order))["rows"] == 1


async def test_a_profile_is_the_tenants_own(tmp_path: Path) -> None:
    """Another tenant's profile is none here: nobody learns what it says."""
    order = (CUSTOMS / "order_full.xml").read_bytes()
    async with working(tmp_path) as gateway:
        unknown = await told(gateway, order, "elsewhere")
        foreign = await gateway.services.messages.foresee(TenantId("other"), order, PROFILE)
    assert [one["path"] for one in unknown["row_faults"]] == ["profile"]
    assert foreign["profile"]["assumed"]

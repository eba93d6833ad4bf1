"""The golden files: one for each message and envelope of each edition, in ``tests/samples/golden``.

``python -m tests.unit.schemas.golden`` writes them anew; a difference in a diff is a difference in
what would be filed.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from schemas.catalog import editions
from schemas.envelope import DXP, wrap
from schemas.plan import MessagePlan, load_plan
from tests.unit.schemas import values

FOLDER: Final = Path(__file__).parents[2] / "samples" / "golden"
_TIME: Final = "2024-01-01T12:00:00"


def golden(plan: MessagePlan) -> bytes:
    """Return the golden bytes of one message: one record with every field, two lines."""
    return values.message(plan, values.sample(plan.record))


def envelopes(business: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield the golden envelopes by name."""
    inner = wrap(
        business,
        cop_msg_id=values.GUID,
        sender_id="DXPENT0000000000",
        receiver_ids=["DXPEDCCEB0000002"],
        created=_TIME,
        msg_type="CEB311Message",
        file_name=f"CEB311Message_{values.GUID}.xml",
    )
    yield "DxpMsg", inner
    info = inner[inner.index(b"<dxp:CopMsgId>") : inner.index(b"</dxp:TransInfo>")].decode()
    node = (
        "<dxp:MsgId>00000001202401011200000000000001</dxp:MsgId><dxp:SubMsgId>1</dxp:SubMsgId>"
        f"<dxp:SendTime>{_TIME}</dxp:SendTime><dxp:EndNode>00000002</dxp:EndNode>"
        "<dxp:StaNode>00000001</dxp:StaNode>"
    )
    head = f'<dxp:DxpMsgSv xmlns:dxp="{DXP}" ver="1.0"><dxp:SvNo Ver="1.0">{node}</dxp:SvNo>'
    # Canonical form declares a namespace once, at the outermost element.
    nested = inner.replace(f' xmlns:dxp="{DXP}"'.encode(), b"", 1)
    yield "DxpMsgSv", head.encode() + nested + b"</dxp:DxpMsgSv>"
    answer = (
        f'<dxp:DxpRep xmlns:dxp="{DXP}" ver="1.0"><dxp:RecevierId>DXPENT0000000000</dxp:RecevierId>'
        "<dxp:AdNodeId>00000001</dxp:AdNodeId><dxp:Response><dxp:NodeId>00000001</dxp:NodeId>"
        "<dxp:ResponseCode>3003</dxp:ResponseCode><dxp:ResponseInfo>处理超时</dxp:ResponseInfo>"
        "<dxp:Results><dxp:Result><dxp:RecId>1</dxp:RecId><dxp:Code>3003</dxp:Code>"
        "<dxp:Info>处理超时</dxp:Info><dxp:Note>可重发</dxp:Note></dxp:Result></dxp:Results>"
        "<dxp:NoticeTime>2024-01-01</dxp:NoticeTime><dxp:Note>可重发</dxp:Note>"
        f"<dxp:OriHead>{info}</dxp:OriHead></dxp:Response></dxp:DxpRep>"
    )
    yield "DxpRep", answer.encode()


def files() -> Iterator[tuple[str, str, str, bytes]]:
    """Yield family, edition, name and bytes of every golden file."""
    for edition in editions("ceb"):
        plans = load_plan("ceb", edition)
        for name, plan in plans.items():
            yield "ceb", edition, name, golden(plan)
        for name, data in envelopes(golden(plans["CEB311Message"])):
            yield "dxp", edition, name, data


if __name__ == "__main__":
    for _, edition, name, data in files():
        path = FOLDER / edition / f"{name}.xml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)

"""Invented receipt files, written as customs writes them."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from xml.sax.saxutils import escape

CEB = "http://www.chinaport.gov.cn/ceb"
DXP = "http://www.chinaport.gov.cn/dxp"
CUSTOMS = "DXPEDCCEB0000002"
TIME = "20260301093005123"


def fields(**values: str) -> str:
    return "".join(f"<{name}>{escape(text)}</{name}>" for name, text in values.items() if text)


def order_return(number: int = 1, status: str = "2", info: str = "已接收", **changes: str) -> str:
    values = {
        "guid": f"aabbccdd-0000-4000-8000-{number:012d}",
        "ebpCode": "3105961A01",
        "ebcCode": "3105961B02",
        "orderNo": f"HT2026-{number:06d}",
        "returnStatus": status,
        "returnTime": TIME,
        "returnInfo": info,
    }
    return f"<OrderReturn>{fields(**(values | changes))}</OrderReturn>"


def inventory_return(
    number: int = 1,
    status: str = "120",
    info: str = "[Code:1800;Desc:逻辑校验通过]",
    **changes: str,
) -> str:
    values = {
        "guid": f"aabbccdd-0000-4000-8000-{number:012d}",
        "customsCode": "3105",
        "ebpCode": "3105961A01",
        "ebcCode": "3105961B02",
        "agentCode": "3105980C03",
        "copNo": f"CG{number:016d}",
        "preNo": f"B{number:017d}",
        "invtNo": f"31052026I{number:09d}",
        "returnStatus": status,
        "returnTime": TIME,
        "returnInfo": info,
    }
    return f"<InventoryReturn>{fields(**(values | changes))}</InventoryReturn>"


def message(name: str, records: Iterable[str], namespace: str = CEB) -> bytes:
    return (
        f'<?xml version="1.0" encoding="UTF-8"?><{name} xmlns="{namespace}" '
        f'guid="aabbccdd-0000-4000-8000-aaaaaaaaaaaa" version="1.0">{"".join(records)}</{name}>'
    ).encode()


def orders(*records: str) -> bytes:
    return message("CEB312Message", records)


def inventories(*records: str) -> bytes:
    return message("CEB622Message", records)


def refusal(cop_msg_id: str = "MSG-1", copy: str = "", status: str = "-1", **changes: str) -> bytes:
    values = {
        "guid": "aabbccdd-0000-4000-8000-bbbbbbbbbbbb",
        "returnStatus": status,
        "returnInfo": "王小明 110101199003070003 的报文格式错误",
        "returnTime": TIME,
        "oriCopMsgId": cop_msg_id,
        "oriMessageType": "CEB621Message",
    }
    copied = f"<oriBizMessage><![CDATA[{copy}]]></oriBizMessage>"
    record = f"<MessageReturn>{fields(**(values | changes))}{copied}</MessageReturn>"
    return message("CEB900Message", [record])


def envelope(data: bytes, sender: str = CUSTOMS, prefix: str = "", kind: str = "x") -> bytes:
    p, declared = (f"{prefix}:", f":{prefix}") if prefix else ("", "")
    return (
        f'<{p}DxpMsg xmlns{declared}="{DXP}" ver="1.0"><{p}TransInfo>'
        f"<{p}CopMsgId>c-1</{p}CopMsgId><{p}SenderId>{sender}</{p}SenderId>"
        f"<{p}ReceiverIds><{p}ReceiverId>DXPENT0000000001</{p}ReceiverId></{p}ReceiverIds>"
        f"<{p}CreatTime>2026-03-01T09:30:05Z</{p}CreatTime><{p}MsgType>{kind}</{p}MsgType>"
        f"</{p}TransInfo><{p}Data>{base64.b64encode(data).decode()}</{p}Data></{p}DxpMsg>"
    ).encode()


def answer(*codes: str, cop_msg_id: str = "MSG-1", addressed: str = CUSTOMS) -> bytes:
    original = (
        f"<OriHead><CopMsgId>{cop_msg_id}</CopMsgId><SenderId>DXPENT0000000001</SenderId>"
        f"<ReceiverIds><ReceiverId>{addressed}</ReceiverId></ReceiverIds>"
        "<CreatTime>2026-03-01T09:30:00</CreatTime><MsgType>CEB621Message</MsgType></OriHead>"
    )
    responses = "".join(
        f"<Response><ResponseCode>{code}</ResponseCode><ResponseInfo>说明</ResponseInfo>"
        f"<NoticeTime>2026-03-01</NoticeTime>{original}</Response>"
        for code in codes
    )
    return (
        f'<DxpRep xmlns="{DXP}" ver="1.0"><RecevierId>DXPENT0000000001</RecevierId>'
        f"{responses}</DxpRep>"
    ).encode()

"""DxpMsg, DxpMsgSv, DxpRep and bare messages."""

from __future__ import annotations

import base64
import re

import pytest
from lxml import etree

from schemas.envelope import (
    BareMessage,
    DxpResponse,
    Envelope,
    open_file,
    read_response,
    unwrap,
    wrap,
)
from schemas.errors import DoctypeRefusedError, EnvelopeError
from schemas.loader import parse
from schemas.validate import ValidatorPool
from tests.unit.schemas.sample import order_message

DXP = "http://www.chinaport.gov.cn/dxp"
INFO = (
    "<TransInfo><CopMsgId>ID-1</CopMsgId><SenderId>DXPEDCCEB0000002</SenderId><ReceiverIds>"
    "<ReceiverId>DXPENT0000000000</ReceiverId></ReceiverIds>"
    "<CreatTime>2024-01-01T12:00:00Z</CreatTime><MsgType>CEB622Message</MsgType></TransInfo>"
)
ANSWER = (
    '<d:DxpRep xmlns:d="{DXP}" ver="1.0"><d:RecevierId>DXPENT0000000000</d:RecevierId>'
    "<d:Response><d:ResponseCode>3001</d:ResponseCode><d:ResponseInfo>busy</d:ResponseInfo>"
    "<d:Results><d:Result><d:RecId>1</d:RecId><d:Code>9</d:Code></d:Result></d:Results>"
    "<d:NoticeTime>2024-01-01</d:NoticeTime><d:OriHead>{INFO}</d:OriHead></d:Response></d:DxpRep>"
)


def sealed(message: bytes = b"<a/>", **changes: object) -> bytes:
    values: dict[str, object] = {
        "cop_msg_id": "ID-1",
        "sender_id": "DXPENT0000000000",
        "receiver_ids": ["DXPEDCCEB0000002", "DXPEDCCEB0000009"],
        "created": "2024-01-01T12:00:00",
        "msg_type": "CEB311Message",
        "file_name": "CEB311Message_1.xml",
        **changes,
    }
    return wrap(message, **values)  # type: ignore[arg-type]


def dxp(body: str, root: str = "DxpMsg") -> bytes:
    return f'<?xml version="1.0"?><{root} xmlns="{DXP}" ver="1.0">{body}</{root}>'.encode()


def test_wrapped_bytes_come_back_unchanged() -> None:
    message = order_message()
    data = sealed(message)
    envelope = unwrap(data)
    assert envelope.data == message
    assert envelope.cop_msg_id == "ID-1"
    assert envelope.sender_id == "DXPENT0000000000"
    assert envelope.receiver_ids == ("DXPEDCCEB0000002", "DXPEDCCEB0000009")
    assert envelope.creat_time == "2024-01-01T12:00:00"
    assert envelope.msg_type == "CEB311Message"
    assert (envelope.file_name, envelope.text_encoding, envelope.keys) == (
        "CEB311Message_1.xml",
        None,
        (),
    )


def test_an_envelope_is_canonical_and_valid() -> None:
    for data in (sealed(), sealed(file_name=None)):
        assert etree.tostring(parse(data), method="c14n") == data
        ValidatorPool("dxp", "202205", "DxpMsg").check(parse(data))


@pytest.mark.parametrize(
    "changes",
    [
        {"cop_msg_id": ""},
        {"sender_id": "DXPENT00000000000"},
        {"receiver_ids": []},
        {"receiver_ids": ["DXPEDCCEB0000002"] * 6},
        {"msg_type": "x" * 31},
        {"file_name": "a\x00"},
    ],
)
def test_values_that_do_not_fit_are_refused(changes: dict[str, object]) -> None:
    with pytest.raises(EnvelopeError):
        sealed(**changes)  # type: ignore[arg-type]


def test_default_namespace_lines_keys_and_text_marks_are_read() -> None:
    payload = base64.encodebytes(b"<CEB622Message/>" * 10).decode()
    extra = (
        '<AddInfo><BizKey><Key name="RetType">1</Key><Key name="DealFlag">0</Key></BizKey>'
        '<IsText Encode="UTF-8"/></AddInfo>'
    )
    envelope = unwrap(dxp(f"{INFO}<Data>\n{payload}\n<!-- x --></Data>{extra}"))
    assert envelope.data == b"<CEB622Message/>" * 10
    assert envelope.keys == (("RetType", "1"), ("DealFlag", "0"))
    assert envelope.text_encoding == "UTF-8"
    assert envelope.creat_time.endswith("Z")


def test_a_transport_node_envelope_is_opened_to_the_inner_one() -> None:
    inner = dxp(f"{INFO}<Data>PGEvPg==</Data>").decode().partition("?>")[2]
    head = '<SvNo Ver="1.0"><MsgId>1</MsgId></SvNo>'
    assert unwrap(dxp(head + inner, "DxpMsgSv")).data == b"<a/>"
    with pytest.raises(EnvelopeError):
        unwrap(dxp(head, "DxpMsgSv"))


@pytest.mark.parametrize(
    "body",
    [
        INFO,
        f"{INFO}<Data></Data>",
        f"{INFO}<Data>A</Data>",
        f"{INFO}<Data>中文</Data>",
        f"{INFO}<Data>PGEvPg==</Data><Data>PGEvPg==</Data>",
        f"{INFO}{INFO}<Data>PGEvPg==</Data>",
        f"{INFO.replace('<MsgType>', '<MsgType>x</MsgType><MsgType>')}<Data>PGEvPg==</Data>",
    ],
)
def test_envelopes_without_clear_parts_are_refused(body: str) -> None:
    with pytest.raises(EnvelopeError):
        unwrap(dxp(body))


def test_an_answer_is_read_and_correlated() -> None:
    info = re.sub(r"<(/?)", r"<\1d:", INFO.partition("<TransInfo>")[2].partition("</Trans")[0])
    text = ANSWER.format(DXP=DXP, INFO=info)
    response = read_response(text.encode())
    ValidatorPool("dxp", "202205", "DxpRep").check(parse(text.encode()))
    assert response.receiver_id == "DXPENT0000000000"
    (answer,) = response.answers
    assert (answer.code, answer.info, answer.notice_time) == ("3001", "busy", "2024-01-01")
    assert answer.original.cop_msg_id == "ID-1"
    assert answer.original.receiver_ids == ("DXPENT0000000000",)
    assert [(result.rec_id, result.code) for result in answer.results] == [("1", "9")]
    with pytest.raises(EnvelopeError):
        read_response(dxp("<RecevierId>x</RecevierId>", "DxpRep"))


def test_files_are_told_apart() -> None:
    assert isinstance(open_file(sealed()), Envelope)
    bare = open_file(order_message())
    assert isinstance(bare, BareMessage)
    assert bare.kind.name == "CEB311Message"
    assert bare.data == order_message()
    response = dxp("<Response><ResponseCode>0001</ResponseCode></Response>", "DxpRep")
    assert isinstance(open_file(response), DxpResponse)
    for opener in (unwrap, read_response):
        with pytest.raises(EnvelopeError):
            opener(order_message())
    with pytest.raises(EnvelopeError):
        open_file(b"<html/>")
    with pytest.raises(EnvelopeError):
        open_file(b'<DxpMsg xmlns="urn:other"/>')
    with pytest.raises(DoctypeRefusedError):
        open_file(b"<!DOCTYPE a><a/>")

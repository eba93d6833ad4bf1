"""The transport envelope: DxpMsg around business messages, DxpRep as the platform's answer.

Sources: the public transport note of the data exchange platform; ``dxp/*.xsd``. Envelopes are read
by namespace and absolute path, with either prefix or none; CreatTime comes with and without zone
and is kept as it is. DxpMsgSv, what third-party nodes receive, is opened to the DxpMsg inside, also
when nodes have put one DxpMsgSv into another.
"""

from __future__ import annotations

import binascii
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from lxml import etree

from schemas.errors import EnvelopeError, UnknownDocumentError, ValueFault
from schemas.loader import LARGE, MIB, Limits, parse
from schemas.nodes import clean_text
from schemas.reader import MessageKind, identify, texts

CEB: Final = "http://www.chinaport.gov.cn/ceb"
DXP: Final = "http://www.chinaport.gov.cn/dxp"
MOST_RECEIVERS: Final = 5
MOST_NODES: Final = 4
"""A message passes two or three transport nodes; each may have wrapped it once more."""

_MESSAGE: Final = f"{{{DXP}}}DxpMsg"
_NODE_MESSAGE: Final = f"{{{DXP}}}DxpMsgSv"

_LARGE_DATA: Final = MIB
"""Beyond this only a message is worth decoding: what is compressed or padded is not."""

_HEAD: Final = 4000
_TYPE_LENGTH: Final = 30
_NAME_LENGTH: Final = 255
_ID_LENGTH: Final = 16


@dataclass(frozen=True, slots=True)
class TransInfo:
    """Who sent what to whom; absent parts are empty texts."""

    cop_msg_id: str
    sender_id: str
    receiver_ids: tuple[str, ...]
    creat_time: str
    msg_type: str


@dataclass(frozen=True, slots=True)
class Envelope:
    """An opened DxpMsg: ``data`` is the business message, byte for byte as it was put in.

    ``keys`` are the business keys (name, value). ``text_encoding`` is set when the sender marked
    the payload as text of that character set. ``nodes`` counts the DxpMsgSv around it: 0 or 1 as
    specified, more when transport nodes wrapped each other's.
    """

    info: TransInfo
    data: bytes
    keys: tuple[tuple[str, str], ...]
    file_name: str
    text_encoding: str | None
    nodes: int = 0

    @property
    def cop_msg_id(self) -> str:
        """The sender's identifier of this envelope."""
        return self.info.cop_msg_id

    @property
    def sender_id(self) -> str:
        """The DXP id of the sender."""
        return self.info.sender_id

    @property
    def receiver_ids(self) -> tuple[str, ...]:
        """The DXP ids of the receivers."""
        return self.info.receiver_ids

    @property
    def creat_time(self) -> str:
        """The time of creation as written, with or without zone."""
        return self.info.creat_time

    @property
    def msg_type(self) -> str:
        """The name of the business message as the sender claims it."""
        return self.info.msg_type


@dataclass(frozen=True, slots=True)
class DxpResult:
    """One single result inside an answer."""

    rec_id: str
    code: str
    info: str
    note: str


@dataclass(frozen=True, slots=True)
class DxpAnswer:
    """One Response: a code and the TransInfo of the envelope it answers."""

    code: str
    info: str
    notice_time: str
    note: str
    node_id: str
    results: tuple[DxpResult, ...]
    original: TransInfo


@dataclass(frozen=True, slots=True)
class DxpResponse:
    """An opened DxpRep."""

    receiver_id: str
    answers: tuple[DxpAnswer, ...]


@dataclass(frozen=True, slots=True)
class BareMessage:
    """A file that is a business message without envelope, already parsed."""

    kind: MessageKind
    data: bytes
    root: etree._Element


def wrap(
    message: bytes,
    *,
    cop_msg_id: str,
    sender_id: str,
    receiver_ids: Sequence[str],
    created: str,
    msg_type: str,
    file_name: str | None = None,
) -> bytes:
    """Return a DxpMsg around ``message``, whose bytes are final.

    ``created`` is ``yyyy-MM-ddTHH:mm:ss`` in Beijing time, without zone. Raises EnvelopeError when
    a value does not fit its field.
    """
    if not 1 <= len(receiver_ids) <= MOST_RECEIVERS:
        raise EnvelopeError(f"{len(receiver_ids)} receivers, 1 to {MOST_RECEIVERS} are possible")
    receivers = "".join(
        f"<dxp:ReceiverId>{_fit(one, 'ReceiverId', _ID_LENGTH)}</dxp:ReceiverId>"
        for one in receiver_ids
    )
    name = ""
    if file_name is not None:
        name = (
            f"<dxp:AddInfo><dxp:FileName>{_fit(file_name, 'FileName', _NAME_LENGTH)}"
            "</dxp:FileName></dxp:AddInfo>"
        )
    head = (
        f'<dxp:DxpMsg xmlns:dxp="{DXP}" ver="1.0"><dxp:TransInfo>'
        f"<dxp:CopMsgId>{_fit(cop_msg_id, 'CopMsgId', _NAME_LENGTH)}</dxp:CopMsgId>"
        f"<dxp:SenderId>{_fit(sender_id, 'SenderId', _ID_LENGTH)}</dxp:SenderId>"
        f"<dxp:ReceiverIds>{receivers}</dxp:ReceiverIds>"
        f"<dxp:CreatTime>{_fit(created, 'CreatTime', _TYPE_LENGTH)}</dxp:CreatTime>"
        f"<dxp:MsgType>{_fit(msg_type, 'MsgType', _TYPE_LENGTH)}</dxp:MsgType>"
        "</dxp:TransInfo><dxp:Data>"
    )
    return b"".join(
        (
            head.encode(),
            binascii.b2a_base64(message, newline=False),
            f"</dxp:Data>{name}</dxp:DxpMsg>".encode(),
        )
    )


def open_file(data: bytes, limits: Limits = LARGE) -> Envelope | DxpResponse | BareMessage:
    """Open what a channel delivered, whichever of the three it is; parsed once.

    Raises DocumentError for what is no document and EnvelopeError for an unknown root or an
    envelope without its parts.
    """
    root = parse(data, limits)
    kind = identify(root)
    if kind.namespace == DXP and kind.name == "DxpMsg":
        return _envelope(root)
    if kind.namespace == DXP and kind.name == "DxpMsgSv":
        return _node_envelope(root)
    if kind.namespace == DXP and kind.name == "DxpRep":
        return _response(root)
    if kind.namespace == CEB and kind.is_business:
        return BareMessage(kind, data, root)
    raise UnknownDocumentError(kind.namespace in (DXP, CEB))


def unwrap(data: bytes, limits: Limits = LARGE) -> Envelope:
    """Open a DxpMsg (or the one inside a DxpMsgSv); raises EnvelopeError for anything else."""
    opened = open_file(data, limits)
    if not isinstance(opened, Envelope):
        raise EnvelopeError("not a DxpMsg")
    return opened


def read_response(data: bytes, limits: Limits = LARGE) -> DxpResponse:
    """Open a DxpRep; raises EnvelopeError for anything else."""
    opened = open_file(data, limits)
    if not isinstance(opened, DxpResponse):
        raise EnvelopeError("not a DxpRep")
    return opened


def _fit(value: str, name: str, most: int) -> str:
    """Return escaped text of 1 to ``most`` characters, or raise."""
    faults: list[ValueFault] = []
    text = clean_text(value, name, faults)
    if faults or not 1 <= len(value) <= most:
        raise EnvelopeError(f"{name} is not a text of 1 to {most} legal characters")
    return text


def _one(root: etree._Element, path: str) -> str:
    """Return the single text at a path, empty when absent; two are ambiguous, hence an error."""
    found = [text.strip() for text in texts(root, DXP, path)]
    if len(found) > 1:
        raise EnvelopeError(f"{path} occurs {len(found)} times")
    return found[0] if found else ""


def _info(root: etree._Element, base: str) -> TransInfo:
    if len(root.findall(f"{{{DXP}}}{base}")) > 1:
        raise EnvelopeError(f"{base} occurs twice")
    receivers = texts(root, DXP, f"{base}/ReceiverIds/ReceiverId")
    return TransInfo(
        cop_msg_id=_one(root, f"{base}/CopMsgId"),
        sender_id=_one(root, f"{base}/SenderId"),
        receiver_ids=tuple(text.strip() for text in receivers),
        creat_time=_one(root, f"{base}/CreatTime"),
        msg_type=_one(root, f"{base}/MsgType"),
    )


def _node_envelope(root: etree._Element) -> Envelope:
    """Open a DxpMsgSv down to the one DxpMsg in it."""
    for nodes in range(1, MOST_NODES + 1):
        inner = [*root.iterfind(_MESSAGE), *root.iterfind(_NODE_MESSAGE)]
        if len(inner) != 1:
            raise EnvelopeError("a DxpMsgSv holds exactly one DxpMsg")
        (root,) = inner
        if root.tag == _MESSAGE:
            return replace(_envelope(root), nodes=nodes)
    raise EnvelopeError(f"more than {MOST_NODES} DxpMsgSv in each other")


def _envelope(root: etree._Element) -> Envelope:
    found = list(texts(root, DXP, "Data"))
    if len(found) != 1:
        raise EnvelopeError("a DxpMsg holds exactly one Data")
    if len(found[0]) > _LARGE_DATA and not _begins_as_xml(found[0]):
        raise EnvelopeError("Data is large and no XML")
    data = _decoded(found[0])
    if not data:
        raise EnvelopeError("Data is empty")
    keys = tuple(
        (key.get("name") or "", "".join(key.itertext()).strip())
        for key in root.iterfind(f"{{{DXP}}}AddInfo/{{{DXP}}}BizKey/{{{DXP}}}Key")
    )
    marks = root.findall(f"{{{DXP}}}AddInfo/{{{DXP}}}IsText")
    return Envelope(
        info=_info(root, "TransInfo"),
        data=data,
        keys=keys,
        file_name=_one(root, "AddInfo/FileName"),
        text_encoding=(marks[0].get("Encode") or "") if marks else None,
    )


def _decoded(text: str) -> bytes:
    try:
        return binascii.a2b_base64(text, strict_mode=False)
    except (binascii.Error, ValueError):
        raise EnvelopeError("Data is not base64") from None


def _begins_as_xml(text: str) -> bool:
    """Say whether the first bytes of a payload could begin a document."""
    head = "".join(text[:_HEAD].split())
    start = _decoded(head[: len(head) // 4 * 4]).removeprefix(b"\xef\xbb\xbf").lstrip()
    return start.startswith(b"<")


def _response(root: etree._Element) -> DxpResponse:
    answers = tuple(
        DxpAnswer(
            code=_one(answer, "ResponseCode"),
            info=_one(answer, "ResponseInfo"),
            notice_time=_one(answer, "NoticeTime"),
            note=_one(answer, "Note"),
            node_id=_one(answer, "NodeId"),
            results=tuple(
                DxpResult(
                    rec_id=_one(result, "RecId"),
                    code=_one(result, "Code"),
                    info=_one(result, "Info"),
                    note=_one(result, "Note"),
                )
                for result in answer.iterfind(f"{{{DXP}}}Results/{{{DXP}}}Result")
            ),
            original=_info(answer, "OriHead"),
        )
        for answer in root.iterfind(f"{{{DXP}}}Response")
    )
    if not answers:
        raise EnvelopeError("a DxpRep without Response")
    return DxpResponse(_one(root, "RecevierId"), answers)

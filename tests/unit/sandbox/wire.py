"""Messages written and signed by hand, and receipts read back, for the sandbox tests."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import NameOID
from lxml import etree

from adapters.sandbox.customs import OutgoingFile

NOW = datetime(2026, 11, 11, 2, 0, 0, tzinfo=UTC)
CEB = "http://www.chinaport.gov.cn/ceb"
DXP = "http://www.chinaport.gov.cn/dxp"
DSIG = "http://www.w3.org/2000/09/xmldsig#"
XSI = "http://www.w3.org/2001/XMLSchema-instance"
SENDER = "DXPENT0000000001"
CUSTOMS = "DXPEDCCEB0000002"
C14N = "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"
ID = "110101199003070003"
OTHER_ID = "310104198512240009"

LINES = (
    {"gnum": "1", "itemName": "婴儿奶粉", "qty": "2", "price": "139", "totalPrice": "278"},
    {"gnum": "2", "itemName": "面霜", "qty": "1", "price": "110", "totalPrice": "110"},
)

ORDER = {
    "guid": "0F0E0D0C-0000-4000-A000-000000000001",
    "appType": "1",
    "appTime": "20261111100000",
    "appStatus": "2",
    "orderType": "I",
    "orderNo": "SIM-RELEASE-0001",
    "ebpCode": "1100000001",
    "ebpName": "平台",
    "ebcCode": "1100000002",
    "ebcName": "商家",
    "goodsValue": "388",
    "freight": "0",
    "discount": "20",
    "taxTotal": "33.49",
    "acturalPaid": "401.49",
    "currency": "142",
    "buyerRegNo": "buyer-1",
    "buyerName": "张三",
    "buyerTelephone": "13800000001",
    "buyerIdType": "1",
    "buyerIdNumber": ID,
    "payCode": "1100000003",
    "payName": "支付公司",
    "payTransactionId": "T0001",
    "consignee": "张三",
    "consigneeTelephone": "13800000001",
    "consigneeAddress": "北京市朝阳区一号路 1 号",
}

INVENTORY = {
    "guid": "0F0E0D0C-0000-4000-A000-000000000002",
    "appType": "1",
    "appTime": "20261111100100",
    "appStatus": "2",
    "orderNo": "SIM-RELEASE-0001",
    "ebpCode": "1100000001",
    "ebpName": "平台",
    "ebcCode": "1100000002",
    "ebcName": "商家",
    "logisticsNo": "W0001",
    "logisticsCode": "1100000004",
    "logisticsName": "快递公司",
    "copNo": "GW0000000001",
    "assureCode": "1100000002",
    "emsNo": "T0100W000001",
    "ieFlag": "I",
    "declTime": "20261111",
    "customsCode": "0100",
    "portCode": "0100",
    "buyerIdType": "1",
    "buyerIdNumber": ID,
    "buyerName": "张三",
    "buyerTelephone": "13800000001",
    "consigneeAddress": "北京市朝阳区一号路1号",
    "agentCode": "1100000005",
    "agentName": "报关行",
    "areaCode": "1100000006",
    "areaName": "区内企业",
    "tradeMode": "1210",
    "trafMode": "4",
    "country": "142",
    "freight": "0",
    "insuredFee": "0",
    "currency": "142",
    "packNo": "1",
    "grossWeight": "2.5",
    "netWeight": "2",
}


def _element(name: str, value: str) -> str:
    text = value.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return f"<ceb:{name}>{text}</ceb:{name}>"


def _order_line(line: dict[str, str]) -> str:
    body = {
        "gnum": line["gnum"],
        "itemName": line["itemName"],
        "gmodel": "罐",
        "unit": "011",
        "qty": line["qty"],
        "price": line["price"],
        "totalPrice": line["totalPrice"],
        "currency": "142",
        "country": "601",
    }
    return "".join(_element(*item) for item in body.items())


def _inventory_line(line: dict[str, str]) -> str:
    body = {
        "gnum": line["gnum"],
        "itemRecordNo": "10",
        "gcode": "1901101000",
        "gname": line["itemName"],
        "gmodel": "罐",
        "barCode": "无",
        "country": "601",
        "currency": "142",
        "qty": line["qty"],
        "unit": "011",
        "qty1": "1",
        "unit1": "035",
        "price": line["price"],
        "totalPrice": line["totalPrice"],
    }
    return "".join(_element(*item) for item in body.items())


@dataclass(frozen=True)
class Draft:
    """A record before it is written: head fields and lines."""

    kind: str
    head: dict[str, str]
    lines: tuple[dict[str, str], ...] = LINES

    def set(self, **fields: str) -> Draft:
        return replace(self, head={**self.head, **fields})

    def xml(self) -> str:
        head = "".join(_element(name, value) for name, value in self.head.items() if value)
        if self.kind == "311":
            rows = "".join(
                f"<ceb:OrderList>{_order_line(row)}</ceb:OrderList>" for row in self.lines
            )
            return f"<ceb:Order><ceb:OrderHead>{head}</ceb:OrderHead>{rows}</ceb:Order>"
        rows = "".join(
            f"<ceb:InventoryList>{_inventory_line(row)}</ceb:InventoryList>" for row in self.lines
        )
        return f"<ceb:Inventory><ceb:InventoryHead>{head}</ceb:InventoryHead>{rows}</ceb:Inventory>"


def order(order_no: str = "SIM-RELEASE-0001", **fields: str) -> Draft:
    return Draft("311", {**ORDER, "orderNo": order_no, **fields})


def inventory(order_no: str = "SIM-RELEASE-0001", **fields: str) -> Draft:
    return Draft("621", {**INVENTORY, "orderNo": order_no, **fields})


def message(*drafts: Draft, sender: str = SENDER, guid: str = "A" * 36) -> bytes:
    name = f"CEB{drafts[0].kind}Message"
    transfer = "".join(
        _element(*item)
        for item in {
            "copCode": "1100000005",
            "copName": "报关行",
            "dxpMode": "DXP",
            "dxpId": sender,
        }.items()
    )
    body = "".join(draft.xml() for draft in drafts)
    return (
        f'<ceb:{name} xmlns:ceb="{CEB}" xmlns:xsi="{XSI}" guid="{guid}" version="1.0">'
        f"{body}<ceb:BaseTransfer>{transfer}</ceb:BaseTransfer></ceb:{name}>"
    ).encode()


@dataclass
class Signer:
    """An enterprise's key and self-made certificate."""

    key: rsa.RSAPrivateKey
    certificate: x509.Certificate
    key_name: str = ""
    algorithm: str = f"{DSIG}rsa-sha1"
    reference: str = ""

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.DER)

    @property
    def serial(self) -> str:
        return self.key_name or f"{self.certificate.serial_number:016x}"

    def sign(self, data: bytes) -> bytes:
        return self._splice(data, "ds:", ":ds")

    def sign_unprefixed(self, data: bytes) -> bytes:
        """Sign as some devices do: Signature in the default namespace."""
        return self._splice(data, "", "")

    def _splice(self, data: bytes, prefix: str, declared: str) -> bytes:
        digest = base64.b64encode(hashlib.sha1(data).digest()).decode()
        info = (
            f'<CanonicalizationMethod Algorithm="{C14N}"></CanonicalizationMethod>'
            f'<SignatureMethod Algorithm="{self.algorithm}"></SignatureMethod>'
            f'<Reference URI="{self.reference}"><Transforms><Transform '
            f'Algorithm="{DSIG}enveloped-signature"></Transform></Transforms>'
            f'<DigestMethod Algorithm="{DSIG}sha1"></DigestMethod>'
            f"<DigestValue>{digest}</DigestValue></Reference></SignedInfo>"
        )
        scope = (f'xmlns{declared}="{DSIG}"', f'xmlns:ceb="{CEB}"', f'xmlns:xsi="{XSI}"')
        names = " ".join(sorted(scope, key=lambda name: name[: name.index("=")]))
        signed = _prefixed(f"<SignedInfo {names}>{info}", prefix).encode()
        value = base64.b64encode(self.key.sign(signed, padding.PKCS1v15(), hashes.SHA1())).decode()
        block = _prefixed(
            f'<Signature xmlns{declared}="{DSIG}"><SignedInfo>{info}'
            f"<SignatureValue>{value}</SignatureValue><KeyInfo><KeyName>{self.serial}</KeyName>"
            f"<X509Data><X509Certificate>{base64.b64encode(self.der).decode()}</X509Certificate>"
            f"</X509Data></KeyInfo></Signature>",
            prefix,
        ).encode()
        end = data.rindex(b"</")
        return data[:end] + block + data[end:]


def _prefixed(text: str, prefix: str) -> str:
    return re.sub(r"<(/?)(?=\w)", rf"<\1{prefix}", text)


def make_signer(*, days: int = 365, serial: int = 0x0300000000012345) -> Signer:
    key = rsa.generate_private_key(65537, 2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test enterprise")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(serial)
        .not_valid_before(NOW - timedelta(days=400))
        .not_valid_after(NOW - timedelta(days=400) + timedelta(days=400 + days))
        .sign(key, hashes.SHA256())
    )
    return Signer(key, certificate)


def envelope(
    data: bytes,
    *,
    cop_msg_id: str = "MSG-1",
    sender: str = SENDER,
    receiver: str = CUSTOMS,
    msg_type: str | None = None,
) -> bytes:
    kind = msg_type if msg_type is not None else data[data.index(b"CEB") :][:13].decode()
    return (
        f'<dxp:DxpMsg xmlns:dxp="{DXP}" ver="1.0"><dxp:TransInfo>'
        f"<dxp:CopMsgId>{cop_msg_id}</dxp:CopMsgId><dxp:SenderId>{sender}</dxp:SenderId>"
        f"<dxp:ReceiverIds><dxp:ReceiverId>{receiver}</dxp:ReceiverId></dxp:ReceiverIds>"
        f"<dxp:CreatTime>2026-11-11T10:00:00</dxp:CreatTime><dxp:MsgType>{kind}</dxp:MsgType>"
        f"</dxp:TransInfo><dxp:Data>{base64.b64encode(data).decode()}</dxp:Data></dxp:DxpMsg>"
    ).encode()


@dataclass(frozen=True)
class Answer:
    """One receipt record as read off the wire."""

    type: str
    key: str
    status: str
    info: str
    time: str
    guid: str
    fields: dict[str, str] = field(default_factory=dict)


def _plain(element: etree._Element) -> dict[str, str]:
    return {etree.QName(child).localname: child.text or "" for child in element}


def business(file: OutgoingFile) -> etree._Element:
    root = etree.fromstring(file.data)
    data = root.findtext(f"{{{DXP}}}Data")
    assert data is not None
    return etree.fromstring(base64.b64decode(data))


def read(file: OutgoingFile) -> list[Answer]:
    """Read every record of a receipt file; a DxpRep gives one Answer of type DxpRep."""
    root = etree.fromstring(file.data)
    if etree.QName(root).localname == "DxpRep":
        code = root.findtext(f"{{{DXP}}}Response/{{{DXP}}}ResponseCode") or ""
        info = root.findtext(f"{{{DXP}}}Response/{{{DXP}}}ResponseInfo") or ""
        key = root.findtext(f"{{{DXP}}}Response/{{{DXP}}}OriHead/{{{DXP}}}CopMsgId") or ""
        return [Answer("DxpRep", key, code, info, "", "")]
    body = business(file)
    kind = etree.QName(body).localname
    answers = []
    for record in body:
        # A result of a summary (792) has a head and lines, and a state of its own.
        head = record.find(f"{{{CEB}}}SummaryResultHead")
        fields = _plain(record if head is None else head)
        key = fields.get("copNo") or fields.get("orderNo") or fields.get("oriCopMsgId", "")
        answers.append(
            Answer(
                kind[3:6],
                key,
                fields.get("returnStatus") or fields["decState"],
                fields.get("returnInfo", ""),
                fields.get("returnTime") or fields["opDate"],
                fields["guid"],
                fields,
            )
        )
    return answers


async def until(condition: Callable[[], object]) -> None:
    """Wait until a condition holds; fails after some seconds."""
    for _ in range(2000):
        if condition():
            return
        await asyncio.sleep(0.005)
    raise AssertionError("the condition never held")

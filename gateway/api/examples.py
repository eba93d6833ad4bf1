"""Worked examples of the API, in the order in which an integrator meets them.

They are what the documentation page shows, and a test sends every one of them, in this order, to a
gateway furnished as the demo is. ``answer`` is what the answer holds at least; ``saves`` names
members of the answer that later examples write as ``{case}``.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

Doc = Mapping[str, Any]  # Any: JSON


@dataclass(frozen=True, slots=True)
class Example:
    """One request and what comes back; ``lines`` are those of a batch."""

    title: str
    title_zh: str
    method: str
    path: str
    status: int
    answer: Doc
    body: Doc | None = None
    lines: tuple[Doc, ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    saves: Mapping[str, str] = field(default_factory=dict)


_PROFILE: Final = "hz-1210"
_ORDER_NO: Final = "DOCS-2026-0001"
_ID_NUMBER: Final = "110101199003070003"
_CONSIGNEE: Final = {
    "name": "张示例",
    "phone": "13800000001",
    "address": "浙江省 杭州市 西湖区 样本大道1号",
    "district": "330106",
}
ORDER: Final[Doc] = {
    "profile": _PROFILE,
    "order_no": _ORDER_NO,
    "goods_value": "265.50",
    "freight": "0.00",
    "discount": "0.00",
    "tax": "24.16",
    "paid": "289.66",
    "buyer": {
        "account": "u1",
        "name": "张示例",
        "phone": "13800000001",
        "id_number": _ID_NUMBER,
    },
    "consignee": _CONSIGNEE,
    "lines": [
        {
            "line_no": 1,
            "sku": "VITC-60",
            "name": "维生素C片",
            "model": "品牌:示例|60片/瓶",
            "unit": "142",
            "quantity": "3",
            "price": "88.50",
            "total": "265.50",
            "origin": "502",
        }
    ],
}
PAYMENT: Final[Doc] = {
    "profile": _PROFILE,
    "order_no": _ORDER_NO,
    "transaction_id": "DOCS-PAY-0001",
    "payer": {"name": "张示例", "id_type": "1", "id_number": _ID_NUMBER},
    "amount": "280.66",
    "paid_at": "2026-11-20T10:00:00+08:00",
}
WAYBILL: Final[Doc] = {
    "profile": _PROFILE,
    "order_no": _ORDER_NO,
    "waybill_no": "DOCS-WB-0001",
    "freight": "0.00",
    "insurance": "0.00",
    "gross_weight_kg": "0.60",
    "pack_count": 1,
    "goods_info": "日用品",
    "consignee": _CONSIGNEE,
}

EXAMPLES: Final = (
    Example(
        "Try an order before you send it: nothing is stored",
        "先预检订单：不保存任何内容",
        "POST",
        "/v1/preflight",
        200,
        {"is_new": True, "papers": [{"type": "order", "status": "accepted"}]},
        {"order": ORDER},
    ),
    Example(
        "Send the order; 201 means it is durable",
        "发送订单；返回 201 即已持久保存",
        "POST",
        "/v1/orders",
        201,
        {"status": "accepted", "order_no": _ORDER_NO, "revision": 1, "stage": "collecting"},
        ORDER,
        headers={"Idempotency-Key": "docs-order-1"},
        saves={"case": "case"},
    ),
    Example(
        "Was the answer lost? The same key and body replay it",
        "响应丢失？相同的键和请求体会重放同一响应",
        "POST",
        "/v1/orders",
        201,
        {"status": "accepted", "revision": 1},
        ORDER,
        headers={"Idempotency-Key": "docs-order-1"},
    ),
    Example(
        "Send the other papers together; this payment is 9.00 short",
        "其他单证可批量发送；此支付单少付 9.00 元",
        "POST",
        "/v1/batches",
        200,
        {"results": [{"line": 1, "status": "accepted"}, {"line": 2, "stage": "mismatch"}]},
        lines=({"type": "payment", **PAYMENT}, {"type": "waybill", **WAYBILL}),
    ),
    Example(
        "In a hurry? 202 once it is checked and durable; it is taken in right after",
        "赶时间？校验通过并持久保存后即返回 202，随后立即处理",
        "POST",
        "/v1/waybills",
        202,
        {"status": "received"},
        WAYBILL,
        headers={"Prefer": "respond-async"},
        saves={"submission": "submission"},
    ),
    Example(
        "What became of it: the answer that waiting would have had",
        "查询处理结果：与同步等待得到的响应相同",
        "GET",
        "/v1/submissions/{submission}?wait=30",
        200,
        {"status": "taken", "answer": {"status": 200, "body": {"status": "unchanged"}}},
    ),
    Example(
        "What stands in the way, with its cause and its fix",
        "哪些差异阻碍申报，原因及修正办法",
        "GET",
        "/v1/findings?severity=block&case={case}",
        200,
        {"findings": [{"case": "{case}", "finding": {"severity": "block"}}]},
    ),
    Example(
        "Send the corrected payment slip: the case goes on by itself",
        "发送更正后的支付单：该单自动继续",
        "POST",
        "/v1/payments",
        201,
        {"status": "accepted", "revision": 2, "changed": ["amount"]},
        {**PAYMENT, "amount": "289.66"},
    ),
    Example(
        "One case with its papers, findings, declarations, receipts and history",
        "查看一单的单证、差异、申报、回执与历史",
        "GET",
        "/v1/cases/{case}",
        200,
        {"case": "{case}", "order_no": _ORDER_NO, "held": False},
    ),
    Example(
        "Find a case by any number on any paper",
        "用任一单证上的任一编号查找",
        "GET",
        "/v1/cases?number=DOCS-PAY-0001",
        200,
        {"cases": [{"case": "{case}"}], "after": None},
    ),
    Example(
        "What happened, in order; go on with `after`, or ask for text/event-stream",
        "按顺序读取事件；用 after 继续，或请求 text/event-stream",
        "GET",
        "/v1/events?limit=1",
        200,
        {"events": [{"case": "{case}", "seq": 1, "type": "papers_received"}]},
    ),
    Example(
        "Which rule packs judge your cases, and what a pack of your own may extend",
        "哪些规则包在比对您的单证，自有规则包可继承哪些",
        "GET",
        "/v1/packs",
        200,
        {"packs": [], "builtin": ["export-default", "import-default"]},
    ),
    Example(
        "Have notices sent to your shop; the secret is shown this once",
        "登记通知地址；密钥仅显示这一次",
        "POST",
        "/v1/endpoints",
        201,
        {"role": "seller", "batch_size": 100},
        {
            "url": "http://127.0.0.1:9/webhooks",
            "role": "seller",
            "event_types": [],
            "batch_size": 100,
        },
    ),
    Example(
        "A refusal names every faulty field",
        "拒绝时会列出每个有误的字段",
        "POST",
        "/v1/waybills",
        422,
        {
            "code": "API-102",
            "errors": [{"path": "pack_count", "message": "must be at least 1"}],
        },
        {**WAYBILL, "pack_count": 0},
    ),
)

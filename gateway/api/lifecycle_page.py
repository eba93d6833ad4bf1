"""How a case moves, drawn from the lifecycle's own tables: no network, no script.

The picture shows the stages by level with the words that lead to them; the tables say what each
status of each receipt comes down to, and what may still be asked of a case.
"""

import base64
import hashlib
from collections.abc import Iterable, Mapping
from html import escape
from typing import Final

from adapters.customs.ceb.codes import word_of
from adapters.customs.ceb.receipts import ANSWERS
from gateway.domain.asking import REASONS, TABLE, Ask, Place
from gateway.domain.codes import code_table
from gateway.domain.declaration import DeclarationKind, DeclarationStage, Word
from gateway.domain.lifecycle import CASE, DECLARATION, ENDED, LEVEL

LIFECYCLE_DOCS: Final = "/v1/docs/lifecycle"

_STYLE: Final = (
    "body{font:16px/1.5 sans-serif;max-width:80rem;margin:2rem auto;padding:0 1rem}"
    "table{border-collapse:collapse;font-size:14px;margin:0 0 2rem}"
    "td,th{padding:.3rem .6rem;border:1px solid #ddd;text-align:left;vertical-align:top}"
    "svg{max-width:100%;height:auto}"
)
_DIGEST: Final = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
LIFECYCLE_HEADERS: Final = {
    "Content-Security-Policy": f"default-src 'none'; style-src 'sha256-{_DIGEST}';"
    " frame-ancestors 'none'"
}
_S: Final = DeclarationStage
_ZH: Final[Mapping[str, str]] = {
    "planned": "已计划",
    "claimed": "组包签名中",
    "sent": "已发送",
    "unknown": "未应答",
    "lodged": "电子口岸已接收",
    "stored": "海关入库",
    "accepted": "海关受理",
    "in_review": "人工审核",
    "approved": "审结",
    "inspection": "查验",
    "detained": "扣留移送",
    "suspended": "挂起",
    "released": "放行",
    "closed": "结关",
    "rejected": "退单",
    "returned_abroad": "退运",
    "cancelled": "已撤销",
    "refused": "报文被拒",
    "withdrawn": "已撤回",
}
_KINDS: Final[Mapping[DeclarationKind, str]] = {
    DeclarationKind.ORDER: "订单",
    DeclarationKind.PAYMENT: "支付单",
    DeclarationKind.WAYBILL: "运单",
    DeclarationKind.WAYBILL_STATUS: "运单状态",
    DeclarationKind.INVENTORY: "进口清单",
    DeclarationKind.CANCELLATION: "撤销申请",
    DeclarationKind.RETURN: "退货申请",
    DeclarationKind.ENTRY_LIST: "入库明细单",
    DeclarationKind.EXPORT_ORDER: "出口订单",
    DeclarationKind.FUNDS_RECEIPT: "收款单",
    DeclarationKind.EXPORT_WAYBILL: "出口运单",
    DeclarationKind.SITE_ARRIVAL: "运抵单",
    DeclarationKind.DEPARTURE: "离境单",
    DeclarationKind.EXPORT_INVENTORY: "出口清单",
    DeclarationKind.EXPORT_CANCELLATION: "出口撤销申请",
    DeclarationKind.MASTER_LIST: "清单总分单",
    DeclarationKind.SUMMARY_REQUEST: "汇总申请",
    DeclarationKind.EXPORT_RETURN: "出口退货申请",
    DeclarationKind.RETURN_TALLY: "退货理货明细",
}
_PLACES: Final[Mapping[Place, tuple[str, str]]] = {
    Place.NOT_SENT: ("Not sent", "未发送"),
    Place.WITH_CUSTOMS: ("Sent, no decision", "已发送，未受理"),
    Place.REJECTED: ("Rejected", "退单"),
    Place.ACCEPTED: ("Accepted, in review", "已受理、审核中"),
    Place.BEING_DECIDED: ("Approved, inspection, detained", "审结、查验、扣留"),
    Place.RELEASED: ("Released", "放行"),
    Place.CLOSED: ("Closed", "结关"),
    Place.CANCELLED: ("Cancelled", "已撤销"),
    Place.GONE: ("Returned abroad", "退运"),
}
_WIDTH, _HEIGHT, _GAP_X, _GAP_Y = 196, 44, 40, 16
_BEGINNING: Final = (_S.PLANNED, _S.CLAIMED)


def lifecycle_page() -> bytes:
    """The whole page: a picture of each direction, each kind's statuses, the questions."""
    return (
        '<!doctype html>\n<html lang="en">\n<head><meta charset="utf-8">'
        f"<title>The life of a case · 案件生命周期</title>\n<style>{_STYLE}</style></head>\n"
        "<body>\n"
        "<h1>The life of a case · 案件生命周期</h1>\n"
        '<p lang="en">An inventory moves to the right by level; within a level the newest'
        " returnTime wins. Every stage before release can end in a rejection (100). A release"
        " that comes before any sign of customs waits for it; a contradiction after release holds"
        " the case.</p>\n"
        '<p lang="zh">清单按级别向右推进；同级以最新回执时间为准。放行前任一状态都可能退单（100）。'
        "未见任何海关回执的放行须等待佐证；放行后的矛盾回执会暂停案件。</p>\n"
        "<h2>Import: 311, 411, 511, then 621 · 进口</h2>\n"
        f"{_picture(DeclarationKind.INVENTORY)}\n"
        "<h2>Export: 303, 403, 505, then 603 · 出口</h2>\n"
        '<p lang="en">Of the papers that the office asks for, 304 and 404 end at 120, 506 at 399;'
        " the inventory (603) is declared once customs has them all. 605 withdraws what is accepted"
        " or in review. Released goods come home by 213, which 214 grants with 800; the site counts"
        " them (215), which 216 ends with 399. 701 sums up what a period released; 702 ends at 399,"
        " and 792 tells the general declaration.</p>\n"
        '<p lang="zh">海关要求的单证中，304、404 以 120 为终态，506 以 399 为终态；'
        "全部入库后才申报清单（603）。已受理或审核中的清单可用 605 撤销。"
        "放行后退运以 213 申请，214 以 800 批准；"
        "货物退回后由监管场所申报理货明细（215），216 以 399 为终态。"
        "701 按期汇总已放行清单，702 以 399 为终态，792 告知报关单。</p>\n"
        f"{_picture(DeclarationKind.EXPORT_INVENTORY)}\n"
        "<h2>What each status means · 各回执状态的含义</h2>\n"
        f"{_statuses()}\n"
        "<h2>Change, cancel, declare again, return · 更改、撤销、重报、退货</h2>\n"
        f"{_questions()}\n</body>\n</html>\n"
    ).encode()


def _columns(kind: DeclarationKind) -> list[list[DeclarationStage]]:
    """The stages of an inventory by level, what is before and the ends."""
    reached = {*DECLARATION[kind].values(), _S.SENT, _S.UNKNOWN}
    levels = sorted({LEVEL[stage] for stage in reached if stage in LEVEL})
    columns = [list(_BEGINNING)]
    columns += [[one for one in LEVEL if LEVEL[one] == at and one in reached] for at in levels]
    columns.append([stage for stage in CASE if stage in ENDED])
    return columns


def _picture(kind: DeclarationKind) -> str:
    """Boxes by level as SVG; each names its stage in both languages and its statuses."""
    columns = _columns(kind)
    numbers = _statuses_of(kind)
    height = max(map(len, columns)) * (_HEIGHT + _GAP_Y) + 2 * _GAP_Y
    width = len(columns) * (_WIDTH + _GAP_X) + _GAP_X
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img"'
        f' width="{width}" height="{height}" font-family="sans-serif" font-size="12">'
        f"<title>Stages of an inventory · {_KINDS[kind]}状态</title>"
        f'<defs><marker id="tip-{kind.value}" markerWidth="8" markerHeight="8" refX="7" refY="4"'
        ' orient="auto">'
        '<path d="M0 0L8 4L0 8z" fill="#555"/></marker></defs>'
    ]
    for place, column in enumerate(columns):
        x = _GAP_X // 2 + place * (_WIDTH + _GAP_X)
        if 0 < place < len(columns) - 1:
            parts.append(
                f'<path d="M{x - _GAP_X + 4} {height // 2}H{x - 4}" stroke="#555"'
                f' stroke-width="2" marker-end="url(#tip-{kind.value})"/>'
            )
        top = (height - len(column) * (_HEIGHT + _GAP_Y) + _GAP_Y) // 2
        if place == len(columns) - 1:
            parts.append(
                f'<text x="{x}" y="{top - 8}">ends before release · 放行前终结</text>'
                f'<path d="M{x - _GAP_X // 2} {_GAP_Y}V{height - _GAP_Y}" stroke="#999"'
                ' stroke-dasharray="4 4"/>'
            )
        for row, stage in enumerate(column):
            y = top + row * (_HEIGHT + _GAP_Y)
            parts.append(_box(x, y, stage, numbers.get(stage, ())))
    return "".join((*parts, "</svg>"))


def _box(x: int, y: int, stage: DeclarationStage, numbers: Iterable[str]) -> str:
    told = ", ".join(numbers)
    colour = "#fde8e8" if stage in ENDED else "#e8f5e9" if stage is _S.RELEASED else "#f4f6fa"
    said = f"{_ZH[stage.value]}{f' ({told})' if told else ''}"
    return (
        f'<rect x="{x}" y="{y}" width="{_WIDTH}" height="{_HEIGHT}" rx="6" fill="{colour}"'
        ' stroke="#667"/>'
        f'<text x="{x + 8}" y="{y + 18}">{stage.value}</text>'
        f'<text x="{x + 8}" y="{y + 35}">{escape(said)}</text>'
    )


def _statuses_of(kind: DeclarationKind) -> dict[DeclarationStage, list[str]]:
    """Which statuses of a kind's receipt lead to which stage."""
    found: dict[DeclarationStage, list[str]] = {}
    for code in code_table("statuses").codes:
        stage = _stage(kind, word_of(kind, code, ""))
        if stage is not None:
            found.setdefault(stage, []).append(code)
    return found


def _stage(kind: DeclarationKind, word: Word) -> DeclarationStage | None:
    return DECLARATION[kind].get(word)


def _statuses() -> str:
    """One row for each receipt, one column for each status."""
    codes = list(code_table("statuses").codes.values())
    head = "".join(f"<th>{one.code}<br>{escape(one.zh)}</th>" for one in codes)
    rows = "\n".join(
        f"<tr><th>{name[3:6]} {escape(_KINDS[answer.kind])}<br>{answer.kind.value}</th>"
        + "".join(f"<td>{_cell(answer.kind, one.code)}</td>" for one in codes)
        + "</tr>"
        for name, answer in ANSWERS.items()
        if answer.kind is not None
    )
    return (
        f"<table>\n<tr><th>Receipt · 回执</th>{head}</tr>\n{rows}\n</table>\n"
        '<p lang="en">Below zero: an error, by its class. System errors go again with the same'
        " bytes; a signature error sets the key aside and leaves the case; a duplicate proves only"
        " that it was lodged; limits, rights and the rest are for a person. A code that no table"
        " holds is parked.</p>\n"
        '<p lang="zh">负数为异常，按类别处理：系统类以相同报文重发；签名类停用密钥、不动案件；'
        "重复类仅证明已接收；限额、权限及其他交人工。代码表以外的代码一律挂起。</p>"
    )


def _cell(kind: DeclarationKind, status: str) -> str:
    word = word_of(kind, status, "")
    stage = _stage(kind, word)
    if stage is not None:
        return f"{stage.value}<br>{_ZH[stage.value]}"
    if word is Word.NOT_SENT:
        return "sent again<br>原文重发"
    return "parked<br>挂起" if word is Word.DRAFT_ONLY else ""


def _questions() -> str:
    head = "".join(f"<th>{ask.value}</th>" for ask in Ask)
    rows = "\n".join(
        f"<tr><th>{_PLACES[place][0]}<br>{_PLACES[place][1]}</th>"
        + "".join(f"<td>{_answer(place, ask)}</td>" for ask in Ask)
        + "</tr>"
        for place in Place
    )
    return f"<table>\n<tr><th>Inventory · 清单</th>{head}</tr>\n{rows}\n</table>"


def _answer(place: Place, ask: Ask) -> str:
    standing = TABLE[place][ask]
    english, chinese = REASONS[standing.reason]
    return (
        f"<strong>{standing.answered.value}</strong><br>{escape(english)}<br>"
        f'<span lang="zh">{escape(chinese)}</span>'
    )

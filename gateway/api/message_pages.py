"""Reference pages of customs' messages for people to read: HTML in Chinese and English.

Made from the same rows as the Markdown that the command ``schema`` prints. They need no network.
"""

import base64
import hashlib
from collections.abc import Iterable, Sequence
from html import escape
from typing import Final

from schemas.plan import MessagePlan, Presence
from schemas.reference import FieldRow, MessageEntry, fields

_STYLE: Final = (
    "body{font:16px/1.5 sans-serif;max-width:80rem;margin:2rem auto;padding:0 1rem}"
    "table{border-collapse:collapse;font-size:14px}"
    "td,th{padding:.3rem .6rem;border-bottom:1px solid #ddd;text-align:left;vertical-align:top}"
    "th{position:sticky;top:0;background:#fff}"
    "tr.group td{background:#f4f4f4;font-weight:600}"
)
_DIGEST: Final = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
PAGE_HEADERS: Final = {
    "Content-Security-Policy": f"default-src 'none'; style-src 'sha256-{_DIGEST}';"
    " frame-ancestors 'none'",
    "Vary": "Accept",
}
_SIGNATURE: Final = {
    Presence.MANDATORY: ("必须", "mandatory"),
    Presence.OPTIONAL: ("可选", "optional"),
    Presence.NONE: ("无", "none"),
}
_SIDES: Final = {"import": "进口", "export": "出口", "both": "进出口"}
_WAYS: Final = {"sent": "企业发送", "received": "海关回执", "both": "双向"}


def index_html(entries: Sequence[MessageEntry]) -> bytes:
    """The list of all messages; each edition links to its page."""
    rows = "\n".join(_entry(one) for one in entries)
    return _page(
        "Messages · 报文",
        '<p lang="en">Every message of customs and every envelope, with the editions it exists'
        " in. Choose an edition to see all its fields.</p>\n"
        '<p lang="zh">海关全部报文与传输信封及其版本；点击版本查看全部字段。</p>\n'
        "<table>\n<thead><tr><th>Message · 报文</th><th>名称</th><th>Meaning</th>"
        "<th>Side · 进出口</th><th>Direction · 方向</th><th>Answer · 回执</th>"
        "<th>Editions · 版本</th></tr></thead>\n<tbody>\n"
        f"{rows}\n</tbody></table>",
    )


def message_html(plan: MessagePlan, editions: Iterable[str]) -> bytes:
    """One message in one edition: its facts, then every field with labels, type and codes."""
    zh, en = _SIGNATURE[plan.signature]
    others = " · ".join(
        f"<strong>{escape(one)}</strong>"
        if one == plan.edition
        else f'<a href="../{escape(one)}/{escape(plan.name)}">{escape(one)}</a>'
        for one in editions
    )
    facts = [
        ("Edition · 版本", others),
        ("Side · 进出口", f"{plan.side.value} · {_SIDES.get(plan.side.value, '')}"),
        ("Direction · 方向", f"{plan.direction.value} · {_WAYS.get(plan.direction.value, '')}"),
        ("Signature · 签名", f"{en} · {zh}"),
        ("Namespace · 命名空间", f"<code>{escape(plan.namespace)}</code>"),
    ]
    if plan.answer:
        link = f'<a href="{escape(plan.answer)}">{escape(plan.answer)}</a>'
        facts.append(("Answer · 回执", link))
    told = "".join(f"<tr><th>{name}</th><td>{value}</td></tr>" for name, value in facts)
    rows = "\n".join(_field(row) for row in fields(plan))
    title = f"{plan.name} {plan.root.label_zh} · {plan.root.label_en}"
    return _page(
        title,
        f'<p><a href="../../messages">All messages · 全部报文</a></p>\n<table>{told}</table>\n'
        "<h2>Fields · 字段</h2>\n"
        '<p lang="en">M: must be there; O: may be left out. C36: exactly 36 characters; C..60: at'
        " most 60; N19,5: 19 digits, 5 of them decimals.</p>\n"
        '<p lang="zh">M 必填，O 选填；C36 为 36 位定长，C..60 为最长 60 位，N19,5 为 19 位数字、'
        "其中 5 位小数。</p>\n"
        "<table>\n<thead><tr><th>Element · 元素</th><th>名称</th><th>Meaning</th>"
        "<th>Type · 类型</th><th>M/O</th><th>Occurs · 次数</th><th>Codes, note · 代码、说明</th>"
        f"</tr></thead>\n<tbody>\n{rows}\n</tbody></table>",
    )


def _entry(one: MessageEntry) -> str:
    plan = one.plan
    links = ", ".join(
        f'<a href="messages/{escape(edition)}/{escape(one.name)}">{escape(edition)}</a>'
        for edition in one.editions
    )
    cells = (plan.root.label_zh, plan.root.label_en, plan.side.value, plan.direction.value)
    return (
        f"<tr><td><code>{escape(one.name)}</code></td>"
        + "".join(f"<td>{escape(cell)}</td>" for cell in cells)
        + f"<td>{escape(plan.answer or '')}</td><td>{links}</td></tr>"
    )


def _field(row: FieldRow) -> str:
    codes = "<br>".join(
        f"<code>{escape(code)}</code> {escape(f'{zh} {en}'.strip())}"
        for code, (zh, en) in row.codes.items()
    ) or (f"table <code>{escape(row.code_list)}</code>" if row.code_list else "")
    remark = "<br>".join(part for part in (codes, escape(row.note)) if part)
    style = ' class="group"' if row.kind == "group" else ""
    return (
        f'<tr{style}><td><code>{escape(row.path)}</code></td><td lang="zh">'
        f"{escape(row.label_zh)}</td><td>{escape(row.label_en)}</td><td>{escape(row.kind)}</td>"
        f"<td>{'M' if row.required else 'O'}</td><td>{escape(row.occurs)}</td>"
        f"<td>{remark}</td></tr>"
    )


def _page(title: str, body: str) -> bytes:
    return (
        '<!doctype html>\n<html lang="en">\n<head><meta charset="utf-8">'
        f"<title>{escape(title)}</title>\n<style>{_STYLE}</style></head>\n<body>\n"
        f"<h1>{escape(title)}</h1>\n{body}\n</body>\n</html>\n"
    ).encode()

"""The pages that explain the API: worked examples, and every problem. They need no network."""

import base64
import hashlib
from html import escape
from typing import Final

import orjson

from gateway.api.call import Route
from gateway.api.examples import EXAMPLES, Example
from gateway.api.problems import P

PAGE_TYPE: Final = "text/html; charset=utf-8"


_STYLE: Final = (
    "body{font:16px/1.5 sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}"
    "pre{background:#f4f4f4;padding:.8rem;overflow-x:auto;font-size:14px}"
    "td,th{padding:.2rem .8rem .2rem 0;text-align:left;vertical-align:top}"
)
_DIGEST: Final = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
DOCS_HEADERS: Final = {
    "Content-Security-Policy": f"default-src 'none'; style-src 'sha256-{_DIGEST}';"
    " frame-ancestors 'none'"
}


def docs_page(routes: "tuple[Route, ...]") -> bytes:
    """Worked examples in English and Chinese, then every route with its roles, as HTML."""
    shown = "\n".join(_example(number, one) for number, one in enumerate(EXAMPLES, 1))
    rows = "\n".join(_row(route) for route in routes)
    return (
        '<!doctype html>\n<html lang="en">\n<head><meta charset="utf-8">'
        f"<title>Clearance gateway API</title>\n<style>{_STYLE}</style></head>\n<body>\n"
        "<h1>Clearance gateway API · 通关网关接口</h1>\n"
        "<p>Amounts are JSON strings, times RFC 3339 with a zone. A 2xx is durable. Every refusal"
        ' is a problem with a stable code: <a href="/v1/docs/problems">all problems</a>. What'
        ' matching finds: <a href="/v1/docs/rules">all rules</a>. The whole'
        ' description: <a href="/v1/openapi.json">OpenAPI 3.1</a>. Customs messages field by field:'
        ' <a href="/v1/docs/messages">messages · 报文</a>; code tables:'
        ' <a href="/v1/codes">codes · 代码表</a>; how a case moves:'
        ' <a href="/v1/docs/lifecycle">lifecycle · 生命周期</a>.</p>\n'
        '<p lang="zh">金额用 JSON 字符串，时间为带时区的 RFC 3339。返回 2xx 即已持久保存。每个拒绝'
        "都带稳定的错误码。</p>\n"
        f"<h2>Examples · 示例</h2>\n{shown}\n<h2>Routes · 接口</h2>\n<table>\n"
        "<tr><th>Route</th><th>What</th><th>Roles</th></tr>\n"
        f"{rows}\n</table>\n</body>\n</html>\n"
    ).encode()


def _row(route: Route) -> str:
    roles = "everybody" if route.roles is None else ", ".join(sorted(route.roles))
    return (
        f"<tr><td><code>{route.method} {escape(route.path)}</code></td>"
        f"<td>{escape(route.summary)}</td><td>{escape(roles)}</td></tr>"
    )


def _example(number: int, one: Example) -> str:
    command = [f"curl -X {one.method} '$GATEWAY{one.path}'", '-H "Authorization: Bearer $KEY"']
    command += [f"-H '{name}: {value}'" for name, value in one.headers.items()]
    if one.body is not None:
        command += ["-H 'Content-Type: application/json'", f"-d '{_pretty(one.body)}'"]
    if one.lines:
        body = "\n".join(orjson.dumps(line).decode() for line in one.lines)
        command += ["-H 'Content-Type: application/x-ndjson'", f"--data-binary '{body}'"]
    return (
        f'<section id="example-{number}">\n<h3>{number}. {escape(one.title)}</h3>\n'
        f'<p lang="zh">{one.title_zh}</p>\n<pre>{escape(" ".join(command))}</pre>\n'
        f"<pre>HTTP {one.status}\n{escape(_pretty(one.answer))}</pre>\n</section>"
    )


def _pretty(doc: object) -> str:
    return orjson.dumps(doc, option=orjson.OPT_INDENT_2).decode()


def problems_page() -> bytes:
    """Every kind of problem with its code, status and words in English and Chinese, as HTML."""
    kinds = "\n".join(_section(kind) for kind in P)
    return (
        '<!doctype html>\n<html lang="en">\n<head><meta charset="utf-8">'
        "<title>Problems of the clearance gateway</title></head>\n<body>\n"
        "<h1>Problems · 错误说明</h1>\n"
        f"{kinds}\n</body>\n</html>\n"
    ).encode()


def _section(problem: P) -> str:
    kind = problem.value
    return (
        f'<section id="{kind.slug}">\n<h2>{kind.code} {escape(kind.title)}'
        f' · <span lang="zh">{kind.title_zh}</span></h2>\n'
        f"<p>HTTP {kind.status}. {escape(kind.detail)}</p>\n"
        f'<p lang="zh">{kind.detail_zh}</p>\n</section>'
    )

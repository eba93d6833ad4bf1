"""The page that explains every problem: where the ``type`` of a problem leads. Needs no network."""

from html import escape
from typing import Final

from gateway.api.problems import P

PAGE_TYPE: Final = "text/html; charset=utf-8"


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

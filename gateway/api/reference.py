"""Reference pages of customs' messages: HTML for people, Markdown for who asks for it.

``Accept: text/markdown`` gives the pages as the command ``schema --markdown`` writes them.
"""

import asyncio
from functools import cache
from typing import Final

from gateway.api.call import Answer, Call
from gateway.api.docs_page import PAGE_TYPE
from gateway.api.message_pages import PAGE_HEADERS, index_html, message_html
from gateway.api.problems import P, Problem, Refusal
from schemas.errors import UnknownSchemaError
from schemas.reference import index_page, message, message_page, messages

MARKDOWN_TYPE: Final = "text/markdown; charset=utf-8"
_VARY: Final = {"Vary": "Accept"}


async def message_index(call: Call) -> Answer:
    """Every message with the editions it exists in."""
    is_markdown = _wants_markdown(call)
    return _answer(await asyncio.to_thread(_index, is_markdown), is_markdown)


async def message_reference(call: Call) -> Answer:
    """Every field of one message in one edition."""
    found, is_markdown = call.request.match_info, _wants_markdown(call)
    try:
        page = await asyncio.to_thread(_page, found["message"], found["edition"], is_markdown)
    except UnknownSchemaError:
        raise Refusal(Problem(P.NOT_FOUND)) from None
    return _answer(page, is_markdown)


def _wants_markdown(call: Call) -> bool:
    return call.request.headers.get("Accept", "").strip().lower().startswith("text/markdown")


def _answer(page: bytes, is_markdown: bool) -> Answer:
    if is_markdown:
        return Answer(page, media=MARKDOWN_TYPE, headers=_VARY)
    return Answer(page, media=PAGE_TYPE, headers=PAGE_HEADERS)


@cache
def _index(is_markdown: bool) -> bytes:
    return index_page().encode() if is_markdown else index_html(messages())


@cache
def _page(name: str, edition: str, is_markdown: bool) -> bytes:
    plan = message(name, edition)
    if is_markdown:
        return message_page(plan).encode()
    return message_html(plan, next(one.editions for one in messages() if one.name == name))

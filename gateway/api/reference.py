"""Reference pages of customs' messages, as the command ``schema`` prints them."""

import asyncio
from functools import cache
from typing import Final

from gateway.api.call import Answer, Call
from gateway.api.problems import P, Problem, Refusal
from schemas.errors import UnknownSchemaError
from schemas.reference import index_page, message, message_page

MARKDOWN_TYPE: Final = "text/markdown; charset=utf-8"


async def message_index(call: Call) -> Answer:
    """Every message with the editions it exists in."""
    return Answer(await asyncio.to_thread(_index), media=MARKDOWN_TYPE)


async def message_reference(call: Call) -> Answer:
    """Every field of one message in one edition."""
    found = call.request.match_info
    try:
        page = await asyncio.to_thread(_page, found["message"], found["edition"])
    except UnknownSchemaError:
        raise Refusal(Problem(P.NOT_FOUND)) from None
    return Answer(page, media=MARKDOWN_TYPE)


@cache
def _index() -> bytes:
    return index_page().encode()


@cache
def _page(name: str, edition: str) -> bytes:
    return message_page(message(name, edition)).encode()

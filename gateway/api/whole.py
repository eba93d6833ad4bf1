"""Answers of which all bytes are known: the headers that every answer carries, and how it is sent.

aiohttp prepares, serialises and writes a response in some twenty calls. An answer that is whole
needs none of them: the listener writes its bytes in one piece, the same ones.
"""

import re
from http import HTTPStatus
from typing import Final

from aiohttp import HttpVersion11, web
from aiohttp.abc import AbstractStreamWriter
from aiohttp.helpers import rfc822_formatted_time
from multidict import CIMultiDict

from gateway.api.call import Answer

_SAFE_HEADERS: Final = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "Server": "clearance",
    "X-Content-Type-Options": "nosniff",
}
# Headers that are written once: an answer that brings one of its own is sent aiohttp's way.
_OURS: Final = frozenset(
    {name.lower() for name in _SAFE_HEADERS}
    | {"connection", "content-length", "content-type", "date", "transfer-encoding", "x-request-id"}
)
_SAFE_LINES: Final = "".join(f"{name}: {value}\r\n" for name, value in _SAFE_HEADERS.items())
# Every status that comes with a body, and how an answer with it begins.
_STARTS: Final = {
    one.value: f"HTTP/1.1 {one.value} {one.phrase}\r\n{_SAFE_LINES}Content-Type: "
    for one in HTTPStatus
    if one >= HTTPStatus.OK and one not in (HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED)
}
# What no header may hold, as aiohttp has it: it would end the line, or the head.
_FORBIDDEN: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


class Whole(web.Response):
    """An answer for the listener to write in one piece; sent by aiohttp where that does not fit."""

    def __init__(self, answer: Answer, request_id: str) -> None:
        # The rest of aiohttp's own part is made in ``prepare``, by which aiohttp begins to send.
        self.set_status(answer.status)
        self._answer = answer
        self._request_id = request_id

    def in_one_piece(self, request: web.BaseRequest) -> bytes | None:
        """Head and body; None for what aiohttp has to send.

        That is an answer to HEAD or to HTTP/1.0, one without a body by its status, and one whose
        headers replace ours. Raises ``ValueError`` for a header that holds a control character.
        """
        answer = self._answer
        start = _STARTS.get(answer.status)
        if start is None or request.version != HttpVersion11 or request.method == "HEAD":
            return None
        lines = f"{answer.media}\r\nX-Request-Id: {self._request_id}\r\n"
        if _FORBIDDEN.search(answer.media + self._request_id):
            raise ValueError("a control character in a header")
        for name, value in (answer.headers or {}).items():
            if name.lower() in _OURS:
                return None
            line = f"{name}: {value}"
            if _FORBIDDEN.search(line):
                raise ValueError("a control character in a header")
            lines += f"{line}\r\n"
        self._keep_alive = request.keep_alive
        end = "\r\n" if self._keep_alive else "Connection: close\r\n\r\n"
        size, date = len(answer.body), rfc822_formatted_time()
        head = f"{start}{lines}Content-Length: {size}\r\nDate: {date}\r\n{end}"
        return head.encode() + answer.body

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        """Become aiohttp's own response, and begin to send it."""
        if not self.prepared:
            answer, headers = self._answer, headers_of(self._answer, self._request_id)
            super().__init__(body=answer.body, status=answer.status, headers=headers)
            if headers.get("Connection") == "close":
                self.force_close()
        return await super().prepare(request)


def respond(answer: Answer, request_id: str) -> web.Response:
    """The aiohttp response of an answer."""
    headers = headers_of(answer, request_id)
    response = web.Response(body=answer.body, status=answer.status, headers=headers)
    if headers.get("Connection") == "close":
        response.force_close()
    return response


def headers_of(answer: Answer, request_id: str) -> CIMultiDict[str]:
    """The headers of an answer; its own replace those that every answer carries."""
    headers = CIMultiDict(_SAFE_HEADERS)
    headers["Content-Type"] = answer.media
    headers["X-Request-Id"] = request_id
    if answer.headers:
        headers.update(answer.headers)
    return headers

"""Bodies under a Content-Encoding: undone here, never past a limit, and only when they are whole.

An HTTP library may take what it could undo of a stream that was cut off; half an order or half a
batch is not what the caller sent, so a stream without its end is refused.
"""

import zlib
from typing import Final

from gateway.api.problems import P, Problem, Refusal, refuse

ENCODINGS: Final = frozenset({"gzip", "deflate"})
_GZIP_WINDOW: Final = 16 + zlib.MAX_WBITS
_ZLIB_METHOD: Final = 8


class Inflater:
    """Undoes one gzip or deflate stream piece by piece; ``limit`` in bytes of what comes out."""

    __slots__ = ("_encoding", "_limit", "_out", "_stream")

    def __init__(self, encoding: str, limit: int) -> None:
        assert encoding in ENCODINGS
        self._encoding = encoding
        self._limit = limit
        self._out = 0
        self._stream = zlib.decompressobj(_GZIP_WINDOW) if encoding == "gzip" else None

    def feed(self, piece: bytes) -> bytes:
        """What a piece holds. Raises ``Refusal``: not such a stream, bytes after it, too large."""
        if not piece:
            return b""
        if self._stream is None:
            # RFC 9110 8.4.1.2: deflate is in a zlib frame, but some senders leave the frame out.
            is_framed = piece[0] & 0xF == _ZLIB_METHOD
            self._stream = zlib.decompressobj(zlib.MAX_WBITS if is_framed else -zlib.MAX_WBITS)
        if self._stream.eof:
            raise self._refused()
        try:
            out = self._stream.decompress(piece, self._limit - self._out + 1)
        except zlib.error:
            raise self._refused() from None
        self._out += len(out)
        if self._out > self._limit:
            raise refuse(P.TOO_LARGE, limit=self._limit)
        if self._stream.unused_data:
            raise self._refused()
        return out

    def finish(self) -> None:
        """The body has ended. Raises ``Refusal`` when its stream has not."""
        if self._stream is None or not self._stream.eof:
            raise self._refused()

    def _refused(self) -> Refusal:
        name = self._encoding
        detail = (
            f"The body is not a complete {name} stream: it is broken, was cut off, or more bytes"
            " follow it. Nothing was stored.",
            f"请求体不是完整的 {name} 数据流：数据损坏、被截断或其后另有内容。未保存任何内容。",
        )
        return Refusal(Problem(P.BAD_REQUEST, detail=detail))


def inflated(body: bytes, encoding: str, limit: int) -> bytes:
    """A whole body without its encoding; raises as :class:`Inflater`."""
    inflater = Inflater(encoding, limit)
    whole = inflater.feed(body)
    inflater.finish()
    return whole

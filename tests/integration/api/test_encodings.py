"""Bodies under a Content-Encoding: whole or refused, over a real socket."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import AsyncIterator

import orjson
import pytest
import structlog

from tests.integration.api.conftest import API
from tests.integration.api.test_intake import problem
from tests.unit.api.fakes import order_doc

GZIP = {"Content-Encoding": "gzip"}
ORDER = orjson.dumps(order_doc())


def flushed_short(body: bytes, window: int = 31) -> bytes:
    """A stream that says all of ``body`` but never that it ends."""
    stream = zlib.compressobj(wbits=window)
    return stream.compress(body) + stream.flush(zlib.Z_SYNC_FLUSH)


def raw_deflate(body: bytes) -> bytes:
    stream = zlib.compressobj(wbits=-15)
    return stream.compress(body) + stream.flush()


async def in_pieces(body: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(body), 100):
        yield body[start : start + 100]


CUT = [
    gzip.compress(ORDER)[:-9],
    gzip.compress(ORDER)[:-1],
    flushed_short(ORDER),
    gzip.compress(ORDER) + b"more",
    gzip.compress(ORDER) + gzip.compress(ORDER),
    gzip.compress(ORDER)[:-8] + bytes(8),
    b"\xff" * 40,
    ORDER,
]


@pytest.mark.parametrize("body", CUT)
async def test_an_order_that_is_no_complete_gzip_stream_is_not_taken(api: API, body: bytes) -> None:
    with structlog.testing.capture_logs() as logs:
        for data in (body, in_pieces(body)):
            doc = problem(await api.post("/v1/orders", data=data, headers=GZIP), 400, "API-100")
            assert "not a complete gzip stream" in doc["detail"]
    assert not [entry for entry in logs if entry["log_level"] == "error"]
    assert (await api.post("/v1/orders", data=ORDER)).status == 201


async def test_a_batch_that_is_cut_off_is_not_taken_in_part(api: API) -> None:
    lines = b"\n".join(orjson.dumps({"type": "order", **order_doc()}) for _ in range(3))
    headers = {**GZIP, "Content-Type": "application/x-ndjson"}
    for body in (flushed_short(lines), gzip.compress(lines)[:-20]):
        reply = await api.call("POST", "/v1/batches", data=body, headers=headers)
        problem(reply, 400, "API-100")
    reply = await api.call("POST", "/v1/batches", data=gzip.compress(lines), headers=headers)
    assert len(reply.doc["results"]) == 3
    assert reply.doc["results"][0]["status"] == "accepted"


@pytest.mark.parametrize("body", [zlib.compress(ORDER), raw_deflate(ORDER)])
async def test_deflate_is_taken_whole_with_and_without_its_frame(api: API, body: bytes) -> None:
    headers = {"Content-Encoding": "Deflate"}
    for data in (body[:-3], in_pieces(body[:-3])):
        problem(await api.post("/v1/orders", data=data, headers=headers), 400, "API-100")
    assert (await api.post("/v1/orders", data=in_pieces(body), headers=headers)).status == 201


async def test_gzip_in_pieces_is_taken_and_its_size_is_bounded(api: API) -> None:
    reply = await api.post("/v1/orders", data=in_pieces(gzip.compress(ORDER)), headers=GZIP)
    assert reply.status == 201
    for size, status, code in ((20_000, 400, "API-101"), (20_001, 413, "API-401")):
        blank = gzip.compress(b" " * size)
        for data in (blank, in_pieces(blank)):
            problem(await api.post("/v1/orders", data=data, headers=GZIP), status, code)


@pytest.mark.parametrize("encoding", ["br", "zstd", "gzip, gzip"])
async def test_other_encodings_are_415_and_no_fault_of_ours(api: API, encoding: str) -> None:
    headers = {"Content-Encoding": encoding}
    with structlog.testing.capture_logs() as logs:
        problem(await api.post("/v1/orders", data=ORDER, headers=headers), 415, "API-403")
    assert not [entry for entry in logs if entry["log_level"] == "error"]

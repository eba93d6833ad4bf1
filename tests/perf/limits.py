"""What this machine can do at best, measured in the same run: the scale for every other figure."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import asyncpg
import orjson
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import make_url

from gateway.app.demo_orders import demo_orders
from gateway.app.demo_world import PROFILE, free_port
from tests.perf.child import child
from tests.perf.generator import percentile
from tests.perf.wire import Connection, request

HTTP_CONNECTIONS: Final = 64
_ROW: Final = b"x" * 200
_BLOB: Final = 2048


@dataclass(frozen=True, slots=True)
class Limit:
    """One limit: how many a second, and how it was measured."""

    name: str
    per_second: float
    how: str


def timed(work: Callable[[], object], seconds: float) -> float:
    """How often a second ``work`` runs on this thread, measured for about ``seconds``."""
    done, started = 0, time.perf_counter()
    until = started + seconds
    while time.perf_counter() < until:
        work()
        done += 1
    return done / (time.perf_counter() - started)


def rsa_signatures(seconds: float) -> Limit:
    """Bare RSA-2048 signatures over SHA-1, as the CEB profile asks, on one thread."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    data = b"x" * 400
    rate = timed(
        lambda: key.sign(data, padding.PKCS1v15(), hashes.SHA1()),
        seconds,
    )
    return Limit("rsa_sign", rate, "RSA-2048 SHA-1, one thread")


def sealed_blobs(seconds: float) -> Limit:
    """Compressing and sealing a blob of 2 KiB, as every stored paper is."""
    cipher, blob = AESGCM(AESGCM.generate_key(256)), os.urandom(_BLOB // 4).hex().encode()
    rate = timed(lambda: cipher.encrypt(os.urandom(12), zlib.compress(blob, 1), b"aad"), seconds)
    return Limit("seal", rate, "zlib level 1 + AES-256-GCM of 1 KiB of hex, one thread")


def sqlite_commits(folder: Path, seconds: float) -> Limit:
    """One-row commits with WAL and ``synchronous=FULL``."""
    connection = sqlite3.connect(folder / "limit.db", isolation_level=None)
    try:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("CREATE TABLE one (body BLOB)")
        rate = timed(lambda: connection.execute("INSERT INTO one VALUES (?)", (_ROW,)), seconds)
    finally:
        connection.close()
    return Limit("sqlite_commit", rate, "one row a commit, WAL, synchronous=FULL, one connection")


async def postgres_commits(url: str, connections: int, seconds: float) -> Limit:
    """One-row commits over this many connections."""
    address = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    opened = [await asyncpg.connect(address) for _ in range(connections)]
    await opened[0].execute("CREATE TABLE IF NOT EXISTS limit_one (body bytea)")
    until = time.perf_counter() + seconds

    async def work(connection: asyncpg.Connection[asyncpg.Record]) -> int:
        done = 0
        while time.perf_counter() < until:
            await connection.execute("INSERT INTO limit_one VALUES ($1)", _ROW)
            done += 1
        return done

    started = time.perf_counter()
    async with asyncio.TaskGroup() as tasks:
        running = [tasks.create_task(work(connection)) for connection in opened]
    spent = time.perf_counter() - started
    await opened[0].execute("DROP TABLE limit_one")
    for connection in opened:
        await connection.close()
    return Limit(
        f"postgres_commit_{connections}",
        sum(task.result() for task in running) / spent,
        f"one row a commit, fsync on, {connections} connection(s)",
    )


async def bare_posts(folder: Path, seconds: float) -> Limit:
    """Requests a second of aiohttp that validates one order and does nothing else."""
    port = free_port()
    order = next(iter(demo_orders(PROFILE, 1, seed=1, problems=False))).order
    raw = request("/v1/orders", "127.0.0.1", orjson.dumps(order))
    async with child("tests.perf.bare", str(port), log=folder / "bare.log") as server:
        await server.expect("ready", 30)
        connections = [await Connection.open("127.0.0.1", port) for _ in range(HTTP_CONNECTIONS)]
        until = time.perf_counter() + seconds
        latencies: list[float] = []

        async def work(connection: Connection) -> None:
            while time.perf_counter() < until:
                started = time.perf_counter()
                reply = await connection.ask(raw)
                assert reply.status == 200, reply
                latencies.append((time.perf_counter() - started) * 1000)

        started = time.perf_counter()
        async with asyncio.TaskGroup() as tasks:
            for connection in connections:
                tasks.create_task(work(connection))
        spent = time.perf_counter() - started
        for connection in connections:
            connection.close()
    how = (
        f"one process, {HTTP_CONNECTIONS} connections, p50 {percentile(latencies, 0.5):.1f} ms, "
        f"p99 {percentile(latencies, 0.99):.1f} ms"
    )
    return Limit("http_post", len(latencies) / spent, how)


async def machine_limits(folder: Path, postgres: str | None, seconds: float) -> list[Limit]:
    """Every limit, one after the other; PostgreSQL's when a server is given."""
    limits = [
        await bare_posts(folder, seconds),
        sqlite_commits(folder, seconds),
        rsa_signatures(seconds),
        sealed_blobs(seconds),
    ]
    if postgres is not None:
        limits += [await postgres_commits(postgres, number, seconds) for number in (1, 8)]
    return limits

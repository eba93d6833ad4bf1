"""The strangers of the benchmark, a process of its own: customs on DXP folders, warehouse, seller.

All are plain (no checks of schema, signature or content), so that they cost little. Reads one JSON
plan from standard input, says ``ready``, then answers each line with one JSON object of counts
until its input ends.
"""

from __future__ import annotations

import asyncio
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass
from pathlib import Path

import orjson

from adapters.sandbox import seller, warehouse
from adapters.sandbox.customs import CustomsAuthority
from adapters.sandbox.customs import Settings as CustomsSettings
from adapters.sandbox.customs.folder import run_folder
from adapters.sandbox.hooks import Behaviour


@dataclass(frozen=True, slots=True)
class StrangersPlan:
    """Where the strangers are found."""

    send: str
    receive: str
    warehouse_port: int
    warehouse_secret: str
    seller_port: int
    seller_secret: str
    seed: int

    def to_json(self) -> str:
        """One line."""
        return orjson.dumps(asdict(self)).decode()


@dataclass(frozen=True, slots=True)
class Counts:
    """Different notices received so far, and the POSTs they came in."""

    warehouse: int
    seller: int
    posts: int
    duplicates: int

    @classmethod
    def from_json(cls, text: str) -> Counts:
        """Read one line of the process."""
        return cls(**orjson.loads(text))


async def serve(plan: StrangersPlan) -> None:
    """Run until standard input ends."""
    behaviour = Behaviour(plain=True)
    loop = asyncio.get_running_loop()
    async with AsyncExitStack() as stack:
        depot = await warehouse.start(
            port=plan.warehouse_port, secrets=[plan.warehouse_secret], behaviour=behaviour
        )
        stack.push_async_callback(depot.close)
        shop = await seller.start(
            port=plan.seller_port, secrets=[plan.seller_secret], behaviour=behaviour
        )
        stack.push_async_callback(shop.close)
        authority = CustomsAuthority(plan.seed, CustomsSettings.bench())
        stop = asyncio.Event()
        reader = stack.enter_context(ThreadPoolExecutor(1))
        tasks = await stack.enter_async_context(asyncio.TaskGroup())
        tasks.create_task(run_folder(authority, Path(plan.send), Path(plan.receive), stop=stop))
        print("ready", flush=True)
        while await loop.run_in_executor(reader, sys.stdin.readline):
            counts = Counts(
                len(depot.received),
                len(shop.received),
                depot.tally.requests + shop.tally.requests,
                depot.tally.duplicates + shop.tally.duplicates,
            )
            print(orjson.dumps(asdict(counts)).decode(), flush=True)
        stop.set()


def main() -> None:
    """Read the plan and serve it."""
    asyncio.run(serve(StrangersPlan(**orjson.loads(sys.stdin.readline()))))


if __name__ == "__main__":
    main()

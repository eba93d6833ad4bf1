"""A sandbox control on a loop of its own thread, for clients that block."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from adapters.sandbox.ukey import Card, Control
from signing import NewKey


def card_of(new: NewKey, *, pin: str = "246810") -> Card:
    pem = new.pem()
    certificate = new.certificate_pem()
    return Card(key_pem=pem.replace(certificate, b""), certificate_pem=certificate, pin=pin)


@contextmanager
def running_control(control: Control) -> Iterator[Control]:
    """Serve the control from another thread until left."""
    ready, loop = threading.Event(), asyncio.new_event_loop()
    leave = asyncio.Event()

    async def serve() -> None:
        async with control.running():
            ready.set()
            await leave.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()), daemon=True)
    thread.start()
    assert ready.wait(10)
    try:
        yield control
    finally:
        loop.call_soon_threadsafe(leave.set)
        thread.join(15)
        loop.close()

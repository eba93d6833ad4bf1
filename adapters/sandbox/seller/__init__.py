"""A seller's webhook receiver."""

from collections.abc import Sequence
from typing import Final

from adapters.sandbox.hooks import Behaviour, Notice, Receiver, Running, Tally, listen

__all__ = ["PATHS", "Behaviour", "Notice", "Running", "Tally", "start"]

PATHS: Final = ("/webhooks",)


async def start(
    host: str = "127.0.0.1",
    port: int = 0,
    *,
    secrets: Sequence[str],
    behaviour: Behaviour | None = None,
) -> Running:
    """Start a receiver of signed events.

    ``secrets`` are ``whsec_`` texts; any of them verifies a request, so a rotation can be
    followed. Port 0 picks a free port; the address is the answer's ``url``.
    """
    return await listen(Receiver(secrets, behaviour or Behaviour()), host, port, PATHS)

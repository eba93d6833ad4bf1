"""Answers kept under the key that a caller gave, so that asking twice does a thing once."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from gateway.domain.ids import TenantId


@dataclass(frozen=True, slots=True)
class KeptAnswer:
    """An answer as it was given: status, media type, further headers, exact bytes."""

    status: int
    media: str
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


class Turn(StrEnum):
    """What a key means for the request that carries it.

    ``ours``: nobody did this, or whoever began it is gone. ``kept``: it was done. ``busy``: a twin
    is at it. ``differs``: the key stands for another request.
    """

    OURS = "ours"
    KEPT = "kept"
    BUSY = "busy"
    DIFFERS = "differs"


@dataclass(frozen=True, slots=True)
class Begun:
    """Whose turn it is; ``attempt`` fences who has the turn, ``answer`` comes with ``kept``."""

    turn: Turn
    attempt: int = 0
    answer: KeptAnswer | None = None


class AnswerBook(Protocol):
    """Keeps answers by caller, route and key for at least seven days."""

    async def begin(self, tenant: TenantId, scope: str, request: bytes) -> Begun:
        """Take the turn for a scope (caller, route and key), or learn why not.

        ``request`` is the digest of what is asked.
        """
        ...

    async def keep(self, scope: str, attempt: int, answer: KeptAnswer) -> None:
        """Keep the answer of a turn; ignored when the turn has passed to somebody else."""
        ...

    async def give_back(self, scope: str, attempt: int) -> None:
        """Nothing was done: the key is free again."""
        ...

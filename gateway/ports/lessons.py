"""The knowledge base: what a tenant's own cases taught about rejections, kept as it grows."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from gateway.domain.ids import TenantId
from gateway.domain.lessons import Lesson


@dataclass(frozen=True, slots=True)
class Learned:
    """Every lesson, the code seen most often first; not ``is_complete`` while there are events that
    were not learned from yet.
    """

    lessons: Sequence[Lesson]
    is_complete: bool


class LessonBook(Protocol):
    """Learns from events once, in the order of the stream."""

    async def learn(self, tenant: TenantId, most: int) -> Learned:
        """Learn from the events that came since, at most about ``most`` of them, and tell all."""
        ...

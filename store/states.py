"""States of cases as last committed here: what saves reading a case's document again."""

from collections import OrderedDict
from dataclasses import dataclass

from gateway.domain.case import CaseKey, CaseState
from gateway.domain.ids import CaseId


@dataclass(frozen=True, slots=True)
class KnownState:
    """A case as the fold of one chain of events, which the hash at its head names."""

    head: bytes
    key: CaseKey
    state: CaseState


class StateCache:
    """The newest committed states seen by this process, the least recently used dropped first.

    An entry counts only for the head of the chain that the database names under its lock: even a
    database that lost its last commits is never mistaken. Used from one thread: that of the lanes.
    """

    __slots__ = ("_entries", "_limit")

    def __init__(self, limit: int) -> None:
        self._entries: OrderedDict[CaseId, KnownState] = OrderedDict()
        self._limit = limit

    def get(self, case_id: CaseId, head: bytes) -> KnownState | None:
        """The state of a case with exactly this head, if it is known."""
        entry = self._entries.get(case_id)
        if entry is None or entry.head != head:
            return None
        self._entries.move_to_end(case_id)
        return entry

    def put(self, case_id: CaseId, entry: KnownState) -> None:
        """Remember a state whose commit has succeeded."""
        self._entries[case_id] = entry
        self._entries.move_to_end(case_id)
        if len(self._entries) > self._limit:
            self._entries.popitem(last=False)

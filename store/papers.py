"""Paper revisions as stored: a sealed JSON document each, and the cache of those just taken in."""

from collections import OrderedDict
from threading import Lock
from typing import Final, NamedTuple

import orjson

from gateway.domain.codec import revision_from_doc, revision_to_doc
from gateway.domain.ids import CaseId
from gateway.domain.papers import PaperKind, PaperRevision
from gateway.ports import Rng
from store.crypto import DataKey

# What a paper takes in memory beside its document: objects are several times their JSON.
_OBJECT_FACTOR: Final = 6


class PaperPlace(NamedTuple):
    """Which revision of which paper of which case."""

    case_id: CaseId
    kind: PaperKind
    revision: int

    @property
    def row_id(self) -> str:
        """The id under which the row's blob is sealed."""
        return f"{self.case_id}/{self.kind.value}/{self.revision}"


def encode_revision(revision: PaperRevision) -> bytes:
    """The JSON document of a paper revision."""
    return orjson.dumps(revision_to_doc(revision))


def decode_revision(document: bytes) -> PaperRevision:
    """The paper revision of a document."""
    return revision_from_doc(orjson.loads(document))


def seal_revision(place: PaperPlace, document: bytes, key: DataKey, rng: Rng) -> bytes:
    """The blob of a document, sealed with the key of its case."""
    return key.seal("paper", place.row_id, document, rng)


def open_revision(place: PaperPlace, blob: bytes, key: DataKey) -> PaperRevision:
    """The paper revision of a blob; raises ``DamagedBlob``."""
    return decode_revision(key.open("paper", place.row_id, blob))


class PaperCache:
    """Revisions of committed papers, the least recently used dropped first, bounded in bytes.

    A revision never changes, so an entry is never stale. Safe to use from several threads.
    """

    __slots__ = ("_bytes", "_entries", "_limit", "_lock")

    def __init__(self, limit_bytes: int) -> None:
        self._entries: OrderedDict[PaperPlace, tuple[PaperRevision, int]] = OrderedDict()
        self._limit = limit_bytes
        self._bytes = 0
        self._lock = Lock()

    def get(self, place: PaperPlace) -> PaperRevision | None:
        """The revision, if it is still here."""
        with self._lock:
            entry = self._entries.get(place)
            if entry is None:
                return None
            self._entries.move_to_end(place)
            return entry[0]

    def put(self, place: PaperPlace, revision: PaperRevision, document_bytes: int) -> None:
        """Keep a committed revision whose document has this size."""
        size = document_bytes * _OBJECT_FACTOR
        with self._lock:
            if size > self._limit or place in self._entries:
                return
            self._entries[place] = (revision, size)
            self._bytes += size
            while self._bytes > self._limit:
                self._bytes -= self._entries.popitem(last=False)[1][1]

    @property
    def size_bytes(self) -> int:
        """What the cache takes, as estimated from the documents."""
        return self._bytes

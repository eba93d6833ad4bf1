"""Filings that partners make for us: a payment company files its slip, a carrier its waybill.

A filing is asked for once. When nobody knows whether the asking arrived, the partner is asked what
became of it; only a partner that twice knows of nothing is asked to file again.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final, NamedTuple

from gateway.domain.papers import PaperKind


class FilingStage(StrEnum):
    """Where a partner's filing stands; ``sending`` is stored before the first byte leaves."""

    REQUESTED = "requested"
    SENDING = "sending"
    UNKNOWN = "unknown"
    NOT_SEEN = "not_seen"
    PENDING = "pending"
    FAULTED = "faulted"
    FILED = "filed"
    REFUSED = "refused"


_S: Final = FilingStage
_ANSWERS: Final = frozenset({_S.PENDING, _S.FAULTED, _S.FILED, _S.REFUSED})

# The FILING table: what may follow within one request; a new request follows a final stage.
FILING: Final[Mapping[FilingStage, frozenset[FilingStage]]] = {
    _S.REQUESTED: frozenset({_S.SENDING, _S.REFUSED}),
    # Back to requested: the partner surely did not take it.
    _S.SENDING: _ANSWERS | {_S.UNKNOWN, _S.NOT_SEEN, _S.REQUESTED},
    _S.UNKNOWN: _ANSWERS | {_S.NOT_SEEN},
    # Asked twice, a pause apart, and unknown there both times: it was never taken.
    _S.NOT_SEEN: _ANSWERS | {_S.REQUESTED},
    _S.PENDING: _ANSWERS | {_S.UNKNOWN},
    # Pushed once more.
    _S.FAULTED: _ANSWERS | {_S.SENDING},
    _S.FILED: frozenset(),
    _S.REFUSED: frozenset(),
}
FINAL: Final = frozenset({_S.FILED, _S.REFUSED})


class PartnerFiling(NamedTuple):
    """One paper's filing by its partner: the ``number``-th request, of content with a digest.

    ``since`` is UTC microseconds of the request; ``tries`` counts how often it was sent.
    ``is_change`` corrects what an earlier request has filed.
    """

    kind: PaperKind
    number: int
    digest: str
    since: int
    stage: FilingStage = FilingStage.REQUESTED
    tries: int = 0
    is_change: bool = False

"""The registry of crash points: every place where a test kills the process, stage by stage.

The store passes ``<stage>.loaded``, ``<stage>.before_commit`` and ``<stage>.committed`` of each
command; the other points stand in the stage modules. A test fails when a point is passed that is
not listed here, or when a stage has none.
"""

from typing import Final

_COMMAND = ("loaded", "before_commit", "committed")


def _of_command(stage: str) -> tuple[str, ...]:
    return tuple(f"{stage}.{point}" for point in _COMMAND)


STAGES: Final = (
    "ingest",
    "normalise",
    "match",
    "declare",
    "sign",
    "transmit",
    "receipt",
    "status",
    "notify",
)

POINTS: Final = (
    *_of_command("ingest"),
    "normalise.composed",
    "match.decided",
    *_of_command("match"),
    *_of_command("declare"),
    "declare.built",
    "sign.signed",
    *_of_command("sign"),
    "transmit.before_first_byte",
    "transmit.after_last_byte",
    *_of_command("transmit"),
    "receipt.received",
    "receipt.kept",
    "receipt.acknowledged",
    *_of_command("receipt"),
    "status.decided",
    "notify.before_post",
    "notify.after_answer",
    "notify.recorded",
    *_of_command("notify"),
)

# A filing by a partner is a step of its own beside the nine stages: it is committed before the
# first byte leaves, sent, answered, and committed again.
FILING_POINTS: Final = (
    *_of_command("filing"),
    "filing.before_first_byte",
    "filing.after_last_byte",
    "filing.paper_taken",
)
ALL_POINTS: Final = (*POINTS, *FILING_POINTS)

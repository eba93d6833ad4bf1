"""What the record writers of all messages share: faults, and amounts in the one currency."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from gateway.domain.money import CNY, Money
from gateway.ports import DeclarationInput
from schemas.errors import RecordRefusedError, ValueFaultKind
from schemas.sources import Source, const
from schemas.writer import MessageWriter

FOREIGN_CURRENCY: Final = "must be in CNY: customs takes no other currency"

REASONS: Final[dict[ValueFaultKind, str]] = {
    ValueFaultKind.MISSING: "is required and missing",
    ValueFaultKind.WRONG_TYPE: "must be known in full, it is masked or of another type",
    ValueFaultKind.ILLEGAL_CHARACTER: "holds a character that XML cannot carry",
    ValueFaultKind.CARRIAGE_RETURN: "holds a carriage return",
    ValueFaultKind.NOT_FINITE: "is not a finite number",
    ValueFaultKind.TOTAL_DIGITS: "has more digits than the field takes",
    ValueFaultKind.FRACTION_DIGITS: "has more decimals than the field takes",
    ValueFaultKind.TOO_FEW: "occurs less often than it must",
    ValueFaultKind.TOO_MANY: "occurs more often than it may",
}


@dataclass(frozen=True, slots=True)
class FieldFault:
    """One field that cannot be filed: its path below the record and why; never its value."""

    path: str
    reason: str


class RecordFaults(ValueError):
    """A record that cannot be written; ``faults`` names every field that is wrong."""

    def __init__(self, faults: Sequence[FieldFault]) -> None:
        super().__init__(", ".join(f"{fault.path}: {fault.reason}" for fault in faults))
        self.faults = tuple(faults)


class Records(Protocol):
    """Writes the records of one message kind for one profile version; safe for threads."""

    @property
    def writer(self) -> MessageWriter:
        """The compiled writer, which also puts the message around the records."""
        ...

    def write(self, given: DeclarationInput) -> str:
        """One record as canonical XML text; raises :class:`RecordFaults`."""
        ...


def write_or_fault(write: Callable[[], str], known: Sequence[FieldFault]) -> str:
    """The written record; raises :class:`RecordFaults` with ``known`` faults and the writer's."""
    try:
        text = write()
    except RecordRefusedError as error:
        refused = [FieldFault(one.path, REASONS[one.kind]) for one in error.faults]
        raise RecordFaults([*known, *refused]) from None
    if known:
        raise RecordFaults(known)
    return text


def foreign_amounts(amounts: Iterable[tuple[str, Money | None]]) -> list[FieldFault]:
    """A fault for every amount that is not in CNY (currency 142 is fixed by the schema)."""
    return [
        FieldFault(path, FOREIGN_CURRENCY)
        for path, money in amounts
        if money is not None and money.currency != CNY
    ]


def constants(values: Iterable[tuple[str, str | int | None]]) -> dict[str, Source]:
    """Constant sources; what the profile does not know is left out of the mapping."""
    return {path: const(value) for path, value in values if value not in (None, "")}

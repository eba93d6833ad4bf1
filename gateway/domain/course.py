"""The course of a case by its direction: as what papers, inventory, cancellation and return are
declared.

Import: 311, 411, 511, 621, then 623, 625. Export: 303, 403, 505, 603, then 605, 213.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

from gateway.domain.declaration import DeclarationKind
from gateway.domain.ids import Direction
from gateway.domain.papers import PaperKind

_K: Final = DeclarationKind


class Course(NamedTuple):
    """What is declared on the way of one direction."""

    papers: Mapping[PaperKind, DeclarationKind]
    inventory: DeclarationKind
    cancellation: DeclarationKind
    taking_back: DeclarationKind


COURSES: Final[Mapping[Direction, Course]] = {
    Direction.IMPORT: Course(
        {
            PaperKind.ORDER: _K.ORDER,
            PaperKind.PAYMENT: _K.PAYMENT,
            PaperKind.WAYBILL: _K.WAYBILL,
        },
        _K.INVENTORY,
        _K.CANCELLATION,
        _K.RETURN,
    ),
    Direction.EXPORT: Course(
        {
            PaperKind.ORDER: _K.EXPORT_ORDER,
            PaperKind.PAYMENT: _K.FUNDS_RECEIPT,
            PaperKind.WAYBILL: _K.EXPORT_WAYBILL,
        },
        _K.EXPORT_INVENTORY,
        _K.EXPORT_CANCELLATION,
        _K.EXPORT_RETURN,
    ),
}
"""The courses of both directions."""

PAPER_OF: Final[Mapping[DeclarationKind, PaperKind]] = {
    filed: paper for course in COURSES.values() for paper, filed in course.papers.items()
}
"""The paper that a declaration files; inventories and requests file none."""


def course_of(inventory: DeclarationKind) -> Course:
    """The course that an inventory is declared on. Raises ``KeyError`` for another kind."""
    return _BY_INVENTORY[inventory]


_BY_INVENTORY: Final = {course.inventory: course for course in COURSES.values()}

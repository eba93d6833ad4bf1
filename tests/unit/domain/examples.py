"""The examples of every rule as cases of these tests, which can be changed further."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Final, TypeVar

from gateway.domain.matching.examples import ExampleCase, examples
from gateway.domain.papers import Basis, Order, Paper, PaperKind, PaymentSlip, Waybill
from tests.unit.domain.papers import Case

P = TypeVar("P", bound=Paper)


def case_of(make: Callable[[], ExampleCase]) -> Case:
    found = make()

    def paper(kind: PaperKind, cls: type[P]) -> P | None:
        revision = found.papers.get(kind)
        assert revision is None or isinstance(revision.paper, cls)
        return None if revision is None else revision.paper  # type: ignore[return-value]

    return Case(
        order=paper(PaperKind.ORDER, Order),
        payment=paper(PaperKind.PAYMENT, PaymentSlip),
        waybill=paper(PaperKind.WAYBILL, Waybill),
        profile=found.profile,
        goods=found.goods,
        taken=found.taken,
        now=found.now,
        basis=next((one.basis for one in found.papers.values()), Basis.TO_FILE),
        around=found.around,
    )


BAD: Final[Mapping[str, Callable[[], Case]]] = {
    one.rule: partial(case_of, one.bad_case) for one in examples()
}
GOOD: Final[Mapping[str, Callable[[], Case]]] = {
    one.rule: partial(case_of, one.good_case) for one in examples()
}

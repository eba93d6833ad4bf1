"""Copies that others filed: kept beside the paper, never composed into it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from gateway.domain.codec import revision_from_doc, revision_to_doc
from gateway.domain.ids import RawId
from gateway.domain.papers import Basis, Order, PaperKind, PaperRevision, SourceFact, copy_source
from gateway.flow.around import filed_copies
from gateway.flow.normalise import composed
from tests.unit.domain.papers import cny, good

SHOP, PLATFORM = "api", copy_source("3301960P01")
AT = datetime(2026, 11, 11, tzinfo=UTC)


def order(tax: str = "2.00") -> Order:
    found = good().order
    assert found is not None
    return replace(found, tax=cny(tax))


def said(source: str, paper: Order, minute: int = 0) -> SourceFact:
    return SourceFact(source, RawId("r"), 0, 1, AT + timedelta(minutes=minute), paper)


def after(*facts: SourceFact) -> PaperRevision:
    current: PaperRevision | None = None
    for fact in facts:
        step = composed(current, fact)
        current = step.revision or current
    assert current is not None
    return current


def copy_of(revision: PaperRevision) -> object:
    return filed_copies({PaperKind.ORDER: revision}).get(PaperKind.ORDER)


def test_a_copy_stands_beside_the_paper_whichever_came_first() -> None:
    own, copy = said(SHOP, order()), said(PLATFORM, order("3.00"), 1)
    for facts in ((own, copy), (copy, own)):
        revision = after(*facts)
        assert revision.paper == order()
        assert revision.basis is Basis.TO_FILE
        assert copy_of(revision) == order("3.00")
        assert copy_of(revision_from_doc(revision_to_doc(revision))) == order("3.00")


def test_a_copy_alone_is_the_paper_as_filed() -> None:
    revision = after(said(PLATFORM, order()))
    assert (revision.paper, revision.basis) == (order(), Basis.AS_FILED)
    assert copy_of(revision) is None
    newer = after(said(PLATFORM, order()), said(PLATFORM, order("3.00"), 1))
    assert (newer.paper, newer.basis, newer.revision) == (order("3.00"), Basis.AS_FILED, 2)


def test_the_newest_copy_counts_and_a_repeated_one_changes_nothing() -> None:
    first = after(said(SHOP, order()), said(PLATFORM, order("3.00"), 1))
    step = composed(first, said(PLATFORM, order("3.00"), 2))
    assert step.revision is None
    step = composed(first, said(PLATFORM, order("4.00"), 2))
    assert step.revision is not None
    assert step.changed == ("tax",)
    assert copy_of(step.revision) == order("4.00")
    # What the shop corrects afterwards stays beside it.
    corrected = after(*step.revision.facts, said(SHOP, order("4.00"), 3))
    assert corrected.paper == order("4.00")
    assert copy_of(corrected) == order("4.00")

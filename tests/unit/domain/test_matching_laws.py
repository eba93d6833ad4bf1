"""Laws of matching, over invented papers that are nearly right."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.domain.findings import Severity
from gateway.domain.matching import PaperMatcher, RulePack
from gateway.domain.papers import (
    IdentityCheck,
    Masked,
    Person,
    compose,
)
from tests.unit.domain.examples import BAD
from tests.unit.domain.papers import DEFAULT, ID, OTHER_ID, Case, cny, good

pytestmark = pytest.mark.law
MATCHER = PaperMatcher([DEFAULT])
# Two thousand examples of each law in CI, fewer while working.
_EXAMPLES = settings().max_examples
LAW = settings(max_examples=2_000 if _EXAMPLES == 300 else _EXAMPLES)
CENTS = st.integers(-200, 200).map(lambda cents: Decimal(cents) / 100)
NAMES = st.sampled_from(["王小明", "王 小明", "王大明", Masked("王**"), None])
NUMBERS = st.sampled_from([ID, ID.lower(), OTHER_ID, Masked("1101**********0003"), None])
RANK = {Severity.NOTE: 0, Severity.WARN: 1, Severity.BLOCK: 2}


@st.composite
def nearly_right(draw: Callable[..., object]) -> Case:
    """A good case of 1 to 6 lines with some amounts moved, some fields masked or absent."""
    case = good(draw(st.integers(1, 6)))  # type: ignore[arg-type]
    order, payment, waybill = case.order, case.payment, case.waybill
    assert order is not None
    assert payment is not None
    assert waybill is not None

    def moved(text: str) -> object:
        return cny(str(max(Decimal(text) + draw(CENTS), Decimal(0))))  # type: ignore[operator]

    for line in order.lines:
        if draw(st.booleans()):
            case = case.with_line(line.line_no, total=moved("21.00"))
    case = case.with_order(paid=moved(str(order.paid.amount)))
    case = case.with_payment(
        amount=moved(str(order.paid.amount)),
        identity_check=draw(st.sampled_from([None, *IdentityCheck])),
        order_no=draw(st.sampled_from(["SO-1", "SO-2", None])),
    )
    case = case.with_payer(name=draw(NAMES), id_number=draw(NUMBERS))
    case = case.with_consignee(phone=draw(st.sampled_from(["13800000002", "13800000003", None])))
    gone = draw(st.sampled_from(["order", "payment", "waybill", "", "", ""]))
    return replace(case, **{gone: None}) if gone else case  # type: ignore[arg-type]


@LAW
@given(nearly_right())
def test_matching_twice_gives_one_verdict(case: Case) -> None:
    verdict = case.match(MATCHER)
    assert case.match(MATCHER) == verdict
    assert case.match(PaperMatcher([DEFAULT])) == verdict


@LAW
@given(nearly_right(), st.randoms(use_true_random=False))
def test_the_order_of_lines_changes_nothing(case: Case, random: object) -> None:
    if case.order is None:
        return
    lines = list(case.order.lines)
    random.shuffle(lines)  # type: ignore[attr-defined]
    assert case.with_order(lines=tuple(lines)).match(MATCHER) == case.match(MATCHER)


def test_lines_that_share_a_number_change_nothing_either() -> None:
    case = good(3).with_line(3, line_no=2, total=cny("1"), price=cny("2"))
    assert case.order is not None
    verdicts = {
        repr(case.with_order(lines=lines).match(MATCHER))
        for lines in permutations(case.order.lines)
    }
    assert len(verdicts) == 1


@LAW
@given(nearly_right())
def test_the_order_of_papers_changes_nothing(case: Case) -> None:
    verdict = case.match(MATCHER)
    papers = case.papers
    for kinds in permutations(papers):
        again = MATCHER(
            {kind: papers[kind] for kind in kinds}, case.profile, case.goods, case.taken, case.now
        )
        assert again == verdict


@given(
    st.permutations(
        [
            Person(name="王小明"),
            Person(name=Masked("王**"), id_number=Masked("1101**")),
            Person(id_number=ID, id_type="1"),
        ]
    )
)
def test_the_arrival_of_partial_facts_changes_nothing(people: list[Person]) -> None:
    payment = good().payment
    assert payment is not None
    slips = [replace(payment, payer=person) for person in people]
    composed = compose(compose(slips[0], slips[1]), slips[2])
    assert replace(good(), payment=composed).match(MATCHER).findings == ()


def _tolerant(pack: RulePack, extra: Decimal) -> RulePack:
    settings = tuple(
        replace(
            one,
            parameters={
                name: value + extra if isinstance(value, Decimal) else value
                for name, value in one.parameters.items()
            },
        )
        for one in pack.settings
    )
    return replace(pack, settings=settings)


@LAW
@given(nearly_right(), st.integers(0, 300))
def test_a_wider_tolerance_never_adds_a_finding(case: Case, cents: int) -> None:
    strict = case.match(MATCHER).findings
    wide = case.match(PaperMatcher([_tolerant(DEFAULT, Decimal(cents) / 100)])).findings
    before = {(one.rule, tuple(one.paths)): RANK[one.severity] for one in strict}
    for finding in wide:
        assert RANK[finding.severity] <= before[finding.rule, tuple(finding.paths)]


@LAW
@given(nearly_right(), st.text(min_size=1, max_size=20, alphabet="abcxyz一二三"))
def test_fields_that_no_rule_reads_do_not_matter(case: Case, text: str) -> None:
    verdict = case.match(MATCHER)
    if case.payment is not None:
        case = case.with_payment(note=text, company_name=text)
        case = case.with_payer(phone=text, account=text)
    if case.waybill is not None:
        case = case.with_waybill(note=text, goods_info=text, carrier_name=text)
    if case.order is not None:
        case = case.with_order(note=text)
    assert case.match(MATCHER) == verdict


def test_every_rule_has_an_example_that_survives_together_with_all_others() -> None:
    """Two faults never hide each other: the findings of a pair are those of both."""
    first = BAD["PAYMENT-AMOUNT"]()
    for rule in ("GOODS-UNIT", "CLAIM-ORDER", "WAYBILL-PACK-COUNT", "PARTY-GUARANTOR"):
        other = BAD[rule]()
        both = replace(other, payment=first.payment)
        found = {one.rule for one in both.match(MATCHER).findings}
        assert found == {"PAYMENT-AMOUNT", rule}

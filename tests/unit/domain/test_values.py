"""Money, parties, papers and their documents."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stdnum.cn import ric, uscc

from gateway.domain.codec import (
    from_doc,
    from_micros,
    paper_from_doc,
    paper_to_doc,
    to_doc,
    to_micros,
)
from gateway.domain.errors import CurrencyMismatch, InvalidValue
from gateway.domain.goods import GoodsRecord
from gateway.domain.money import Currency, Money, parse_decimal, plain
from gateway.domain.papers import (
    Consignee,
    IdentityCheck,
    Masked,
    Order,
    OrderLine,
    PaymentRef,
    PaymentSlip,
    Person,
    Waybill,
    changed_paths,
    compose,
    kind_of,
)
from gateway.domain.party import (
    has_id_region,
    is_enterprise_code,
    is_resident_id,
    is_social_credit_code,
    mask,
    mask_name,
    normal_address,
    normal_name,
    normal_phone,
)
from gateway.domain.profile import FilingProfile
from tests.unit.domain.papers import ID, OTHER_ID, good, profile

IDS = [ID, OTHER_ID, "440305199506010005", "330102197908150006"]

# --- money ------------------------------------------------------------------------------------


@given(st.decimals(min_value=0, max_value=Decimal("99999999999999"), places=5))
def test_a_decimal_of_the_customs_format_comes_back(value: Decimal) -> None:
    assert parse_decimal(plain(value), "x") == value


@pytest.mark.parametrize(
    "text",
    ["", "-1", "+1", "1e3", "NaN", "inf", "1,000", " 1", "01", ".5", "5.", "9" * 15, "１", "1\n"],
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(InvalidValue) as caught:
        parse_decimal(text, "order.paid")
    assert caught.value.path == "order.paid"


@given(st.text(max_size=12))
def test_reading_a_decimal_is_total(text: str) -> None:
    try:
        value = parse_decimal(text, "x")
    except InvalidValue:
        return
    assert value >= 0
    assert value.is_finite()


@pytest.mark.parametrize(
    "value, text", [("10", "10"), ("1E+2", "100"), ("1.50", "1.5"), ("0.00", "0"), ("100", "100")]
)
def test_plain_text_of_decimals(value: str, text: str) -> None:
    assert plain(Decimal(value)) == text


def test_currencies_do_not_mix() -> None:
    yuan, dollar = Money(Decimal(1)), Money(Decimal(1), Currency("USD"))
    for mix in (Money.__add__, Money.__sub__, Money.__lt__, Money.__le__):
        with pytest.raises(CurrencyMismatch):
            mix(yuan, dollar)
    assert yuan + yuan == yuan * 2
    assert yuan - yuan < yuan
    assert yuan <= yuan * 1


# --- parties ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "number, is_issued",
    [
        ("110101199003070003", True),
        ("830000199003070003", True),
        ("911124199003070001", True),
        ("965156199003070001", True),
        ("990101199003070003", False),
        ("900124199003070001", False),
        ("160101199003070003", False),
        ("000000199003070003", False),
    ],
)
def test_where_identity_numbers_are_issued(number: str, is_issued: bool) -> None:
    assert has_id_region(number) is is_issued


@pytest.mark.parametrize("number", IDS)
def test_identity_numbers_as_python_stdnum_sees_them(number: str) -> None:
    assert is_resident_id(number)
    assert ric.calc_check_digit(number) == number[-1]
    for position, digit in product(range(6, 18), "0123456789X"):
        other = number[:position] + digit + number[position + 1 :]
        if is_resident_id(other):
            assert ric.calc_check_digit(other) == other[-1]
            assert ric.get_birth_date(other).year >= 1850


@given(st.sampled_from(IDS), st.integers(0, 16), st.sampled_from("0123456789"))
def test_a_wrong_digit_of_an_identity_number_is_noticed(
    number: str, position: int, digit: str
) -> None:
    other = number[:position] + digit + number[position + 1 :]
    assert is_resident_id(other) is (other == number)


@pytest.mark.parametrize(
    "text", ["", "1101011990030700", "11010119900230000X", ID + " ", "１" * 18]
)
def test_what_is_no_identity_number(text: str) -> None:
    assert not is_resident_id(text)


@given(st.text(alphabet="0123456789ABCDEFGHJKLMNPQRTUWXY", min_size=17, max_size=17))
def test_social_credit_codes_as_python_stdnum_sees_them(body: str) -> None:
    check = uscc.calc_check_digit(body)
    assert is_social_credit_code(body + check)
    assert is_enterprise_code(body + check)
    wrong = "0" if check != "0" else "1"
    assert not is_social_credit_code(body + wrong)


@given(st.text(max_size=30))
def test_normal_forms_are_idempotent(text: str) -> None:
    for normal in (normal_name, normal_address):
        once = normal(text)
        assert normal(once) == once


@pytest.mark.parametrize(
    "one, other",
    [
        ("王 小明", "王小明"),
        ("阿卜杜·拉", "阿卜杜•拉"),
        ("ＡＬＩＣＥ Ｗ", "alice w"),
        ("王小明 ", "王小明"),
    ],
)
def test_names_that_are_the_same(one: str, other: str) -> None:
    assert normal_name(one) == normal_name(other)


@pytest.mark.parametrize(
    "phone",
    ["13800000001", "+86 138-0000-0001", "008613800000001", "138 0000 0001", "８６13800000001"],
)
def test_phones_that_are_the_same(phone: str) -> None:
    assert normal_phone(phone) == "13800000001"


@given(st.text(max_size=30))
def test_masks_keep_four_characters_at_most(text: str) -> None:
    assert len(mask(text)) == len(text)
    assert len(mask(text).replace("*", "")) <= 4
    assert len(mask_name(text).replace("*", "")) <= 1


# --- composing --------------------------------------------------------------------------------

TEXTS = st.one_of(st.none(), st.text("abc", max_size=2), st.builds(Masked, st.just("a*")))
PLAIN = st.one_of(st.none(), st.text("abc", min_size=1, max_size=2))
MONEY = st.builds(Money, st.decimals(min_value=0, max_value=100, places=2))
DECIMALS = st.decimals(min_value=0, max_value=100, places=3)
TIMES = st.one_of(st.none(), st.datetimes(timezones=st.just(UTC)))
PEOPLE = st.builds(Person, TEXTS, PLAIN, TEXTS, TEXTS, PLAIN)
CONSIGNEES = st.builds(Consignee, TEXTS, TEXTS, TEXTS, PLAIN)
LINES = st.builds(
    OrderLine,
    st.integers(1, 9),
    st.text("s", max_size=2),
    st.text("n", max_size=2),
    st.text("m", max_size=2),
    DECIMALS,
    st.just("142"),
    MONEY,
    MONEY,
    st.just("116"),
    PLAIN,
)
ORDERS = st.builds(
    Order,
    st.text("o", max_size=2),
    MONEY,
    MONEY,
    MONEY,
    MONEY,
    MONEY,
    st.lists(LINES, max_size=2).map(tuple),
    buyer=PEOPLE,
    consignee=CONSIGNEES,
    payment=st.builds(PaymentRef, PLAIN, PLAIN, PLAIN),
    waybill_no=PLAIN,
    ordered_at=TIMES,
)
SLIPS = st.builds(
    PaymentSlip,
    st.text("p", max_size=2),
    MONEY,
    order_no=PLAIN,
    payer=PEOPLE,
    identity_check=st.one_of(st.none(), st.sampled_from(IdentityCheck)),
    paid_at=TIMES,
)
WAYBILLS = st.builds(
    Waybill,
    st.text("w", max_size=2),
    freight=st.one_of(st.none(), MONEY),
    gross_weight_kg=st.one_of(st.none(), DECIMALS),
    pack_count=st.one_of(st.none(), st.integers(1, 3)),
    consignee=CONSIGNEES,
)


@pytest.mark.parametrize("papers", [ORDERS, SLIPS, WAYBILLS], ids=["order", "payment", "waybill"])
@given(data=st.data())
def test_composing_is_associative_and_idempotent(papers: Any, data: st.DataObject) -> None:
    one, two, three = (data.draw(papers) for _ in range(3))
    assert compose(compose(one, two), three) == compose(one, compose(two, three))
    assert compose(one, one) == one


@given(TEXTS, TEXTS)
def test_a_known_value_beats_a_masked_one_and_a_masked_one_none(one: Any, two: Any) -> None:
    rank = {type(None): 0, Masked: 1, str: 2}
    value = compose(Waybill("w", consignee=Consignee(one)), Waybill("w", consignee=Consignee(two)))
    got = value.consignee.name
    known = [part for part in (one, two) if part]
    if not known:
        assert not got
    else:
        best = max(rank[type(part)] for part in known)
        assert got == [part for part in known if rank[type(part)] == best][-1]


def test_a_later_fact_without_lines_does_not_erase_them() -> None:
    order = good().order
    assert order is not None
    assert compose(order, replace(order, lines=())).lines == order.lines


# --- documents --------------------------------------------------------------------------------


@pytest.mark.parametrize("papers", [ORDERS, SLIPS, WAYBILLS], ids=["order", "payment", "waybill"])
@given(data=st.data())
def test_a_paper_comes_back_from_its_document(papers: Any, data: st.DataObject) -> None:
    paper = data.draw(papers)
    back = paper_from_doc(kind_of(paper), paper_to_doc(paper))
    assert paper_to_doc(back) == paper_to_doc(paper)
    for path in changed_paths(paper, back):
        assert path.split(".")[-1] in ("name", "phone", "id_number", "address")  # "" reads None


def test_master_data_comes_back_from_its_document() -> None:
    case = good()
    assert from_doc(FilingProfile, to_doc(profile())) == profile()
    for record in case.goods.values():
        dated = replace(record, valid_from=date(2026, 1, 1), vat_rate=Decimal("0.13"))
        assert from_doc(GoodsRecord, to_doc(dated)) == dated


def test_a_newer_document_is_refused_and_unknown_keys_are_not() -> None:
    order = good().order
    assert order is not None
    doc = paper_to_doc(order)
    assert paper_from_doc(kind_of(order), {**doc, "later": 1}) == order
    with pytest.raises(InvalidValue):
        paper_from_doc(kind_of(order), {**doc, "v": 2})


@given(st.datetimes(timezones=st.just(UTC)))
def test_times_travel_as_microseconds(moment: datetime) -> None:
    assert from_micros(to_micros(moment)) == moment

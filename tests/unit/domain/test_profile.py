"""Profiles: which cases the share of a going live covers, and what an export demands."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.declaration import DeclarationKind
from gateway.domain.errors import InvalidValue
from gateway.domain.ids import CaseId, Direction
from gateway.domain.papers import PaperKind
from gateway.domain.profile import ConfirmedBy, Consigning, FiledBy, PaperFiling, TradeMode
from tests.support import exports
from tests.unit.domain.papers import profile

case_ids = st.binary(min_size=12, max_size=12).map(lambda raw: CaseId(raw.hex()))


@given(case_ids, st.integers(0, 100), st.integers(0, 100))
def test_a_larger_share_covers_what_a_smaller_one_does(case: CaseId, one: int, two: int) -> None:
    small, large = sorted((one, two))
    if profile(ramp_percent=small).declares(case):
        assert profile(ramp_percent=large).declares(case)


@given(case_ids)
def test_nothing_covers_nothing_and_all_covers_all(case: CaseId) -> None:
    assert not profile(ramp_percent=0).declares(case)
    assert profile(ramp_percent=100).declares(case)


def test_a_share_is_about_that_share() -> None:
    ids = [CaseId(f"{number * 2654435761 % 2**32:08x}0000") for number in range(10_000)]
    covered = sum(map(profile(ramp_percent=10).declares, ids))
    assert 900 < covered < 1_100


@pytest.mark.parametrize("percent", [-1, 101])
def test_a_share_is_a_percentage(percent: int) -> None:
    with pytest.raises(InvalidValue, match="between 0 and 100") as refused:
        profile(ramp_percent=percent).check()
    assert refused.value.path == "ramp_percent"


def test_an_export_states_what_no_paper_carries_and_is_judged_by_its_own_pack() -> None:
    good = exports.profile()
    good.check()
    for changes, path in (
        ({"export": None}, "export"),
        ({"wrap_type": None}, "wrap_type"),
        ({"rule_pack": "import-default"}, "rule_pack"),
        ({"mode": TradeMode.BONDED_A, "area": good.merchant, "account_book": "T1"}, "mode"),
        ({"filings": {PaperKind.ORDER: SPARED}}, "filings.order.filed_by"),
        ({"direction": Direction.IMPORT, "assure_code": "1"}, "export"),
        ({"direction": Direction.IMPORT, "export": None}, "assure_code"),
    ):
        with pytest.raises(InvalidValue) as caught:
            exports.profile(**changes).check()
        assert caught.value.path == path
    exports.profile(filings={PaperKind.PAYMENT: SPARED}).check()


def test_a_merchant_reports_the_money_that_it_received_itself() -> None:
    ours = PaperFiling(FiledBy.US, ConfirmedBy.RECEIPT)
    merchant = exports.profile().merchant
    exports.profile(
        transfer=merchant, entrusted=frozenset(), filings={PaperKind.PAYMENT: ours}
    ).check()


SPARED = PaperFiling(FiledBy.NOBODY, ConfirmedBy.RECEIPT)


def test_lists_are_of_goods_under_a_bill_and_711_of_its_site() -> None:
    master, entry = DeclarationKind.MASTER_LIST, DeclarationKind.ENTRY_LIST
    exports.profile(consigning=Consigning((master,))).check()
    direct = {"mode": TradeMode.DIRECT, "area": None, "account_book": None}
    site = profile().agent
    profile(**direct, consigning=Consigning((entry,), operator=site)).check()
    for made, path in (
        (exports.profile(consigning=Consigning((entry,))), "consigning.files"),
        (exports.profile(consigning=Consigning((master,), 0)), "consigning.gather_s"),
        (profile(**direct, consigning=Consigning((entry,))), "consigning.operator"),
        (profile(consigning=Consigning((entry,), operator=site)), "consigning"),
    ):
        with pytest.raises(InvalidValue) as caught:
            made.check()
        assert caught.value.path == path


def test_parcels_are_gathered_by_even_parts_of_the_day() -> None:
    gathering = Consigning((DeclarationKind.MASTER_LIST,), 600)
    assert gathering.due_after(0) == 600_000_000
    assert gathering.due_after(599_999_999) == 600_000_000
    assert gathering.due_after(600_000_000) == 1_200_000_000

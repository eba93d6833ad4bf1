"""The quota ledger: reserve, commit once, give back, and what customs says."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.declaration import DeclarationKind, Word
from gateway.domain.errors import InvalidValue
from gateway.domain.ids import CaseId
from gateway.domain.quota import (
    QuotaAccount,
    QuotaAnswer,
    QuotaMove,
    QuotaStage,
    QuotaStep,
    asked,
    moved,
    raise_floor,
    release,
    reserve,
    standing,
    step_of,
    told_by_customs,
)

INVENTORY = DeclarationKind.INVENTORY
A, B = CaseId("a"), CaseId("b")
LIMIT = Decimal(26000)
EMPTY = QuotaAccount("hash", 2026)


def d(text: str) -> Decimal:
    return Decimal(text)


def on_word(
    account: QuotaAccount, case: CaseId, kind: DeclarationKind, word: Word, at: int
) -> QuotaAccount:
    step = step_of(kind, word)
    return account if step is None else moved(account, QuotaMove(case, step, at))


def on_cancelled(account: QuotaAccount, case: CaseId, at: int) -> QuotaAccount:
    return moved(account, QuotaMove(case, QuotaStep.GIVE_BACK, at))


def on_returned(account: QuotaAccount, case: CaseId, value: Decimal, at: int) -> QuotaAccount:
    return moved(account, QuotaMove(case, QuotaStep.RETURN, at, value))


def committed(amount: str, case: CaseId = A, at: int = 5) -> QuotaAccount:
    return on_word(reserve(EMPTY, case, d(amount), 1), case, INVENTORY, Word.LODGED, at)


def test_a_reservation_holds_until_it_runs_out() -> None:
    account = reserve(EMPTY, A, d("100"), 10, hold_us=50)
    assert account.reserved(59) == 100
    assert account.reserved(60) == 0
    assert account.reserved(10, without=A) == 0
    assert account.used() == 0


def test_a_changed_order_replaces_its_own_reservation() -> None:
    account = reserve(reserve(EMPTY, A, d("100"), 1), A, d("70"), 2)
    assert account.reserved(2) == 70
    with pytest.raises(InvalidValue, match="amount"):
        reserve(EMPTY, A, d("-1"), 1)


@pytest.mark.parametrize("word", [Word.LODGED, Word.ACCEPTED, Word.RELEASED])
def test_the_first_sign_of_customs_commits_once(word: Word) -> None:
    account = on_word(reserve(EMPTY, A, d("100"), 1), A, INVENTORY, word, 5)
    assert [account.used(), account.reserved(5)] == [100, 0]
    assert on_word(account, A, INVENTORY, Word.ACCEPTED, 9) == account
    assert reserve(account, A, d("50"), 9) == account


def test_a_reservation_that_ran_out_is_committed_all_the_same() -> None:
    account = reserve(EMPTY, A, d("100"), 1, hold_us=1)
    assert on_word(account, A, INVENTORY, Word.LODGED, 99).used() == 100


@pytest.mark.parametrize("word", [Word.REJECTED, Word.FAILED_LIMIT, Word.RETURNED_ABROAD])
def test_a_refusal_gives_back(word: Word) -> None:
    account = on_word(committed("100"), A, INVENTORY, word, 9)
    assert account.used() == 0
    again = on_word(reserve(account, A, d("100"), 10), A, INVENTORY, Word.ACCEPTED, 11)
    assert again.used() == 100


@pytest.mark.parametrize("word", [Word.FAILED_SYSTEM, Word.DUPLICATE, Word.NOT_SENT, Word.UNKNOWN])
def test_what_settles_nothing_moves_nothing(word: Word) -> None:
    account = committed("100")
    assert on_word(account, A, INVENTORY, word, 9) == account
    held = reserve(EMPTY, A, d("1"), 1)
    assert on_word(held, A, INVENTORY, word, 9) == held


def test_only_the_inventory_of_a_known_case_counts() -> None:
    held = reserve(EMPTY, A, d("1"), 1)
    assert on_word(held, A, DeclarationKind.ORDER, Word.ACCEPTED, 9) == held
    assert on_word(held, B, INVENTORY, Word.ACCEPTED, 9) == held


def test_a_cancellation_gives_everything_back() -> None:
    account = on_cancelled(committed("100"), A, 9)
    assert account.used() == 0
    assert on_cancelled(account, A, 10) == account
    assert on_cancelled(EMPTY, A, 10) == EMPTY


def test_a_return_gives_back_by_lines_and_never_more_than_was_used() -> None:
    account = on_returned(committed("100"), A, d("30"), 9)
    assert account.used() == 70
    account = on_returned(account, A, d("70"), 10)
    assert account.used() == 0
    assert on_returned(account, A, d("0.01"), 11) == account
    with pytest.raises(InvalidValue, match="value"):
        on_returned(account, A, d("-1"), 11)
    held = reserve(EMPTY, A, d("100"), 1)
    assert on_returned(held, A, d("30"), 9) == held


def test_an_abandoned_case_lets_go_of_its_reservation_only() -> None:
    held = release(reserve(EMPTY, A, d("100"), 1), A, 2)
    assert held.entries[0].stage is QuotaStage.GIVEN_BACK
    assert held.reserved(2) == 0
    assert release(committed("100"), A, 9).used() == 100
    assert release(EMPTY, A, 1) == EMPTY


def test_the_figure_of_customs_is_a_floor_that_never_sinks() -> None:
    account = raise_floor(committed("100", at=5), d("900"), "-621018", 7)
    assert account.used() == 900
    assert raise_floor(account, d("800"), "1313", 8) == account
    later = on_word(reserve(account, B, d("50"), 8), B, INVENTORY, Word.LODGED, 9)
    assert later.used() == 950
    assert later.used(without=B) == 900
    assert raise_floor(account, d("950"), "1313", 9).floor is not None
    below = raise_floor(committed("100"), d("40"), "1313", 9)
    assert below.used() == 100
    with pytest.raises(InvalidValue, match="used"):
        raise_floor(account, d("-1"), "1313", 9)


def test_a_return_after_the_figure_still_gives_back() -> None:
    account = raise_floor(EMPTY, d("500"), "1313", 4)
    account = on_word(reserve(account, A, d("100"), 5), A, INVENTORY, Word.LODGED, 6)
    assert account.used() == 600
    assert on_returned(account, A, d("40"), 9).used() == 560


def test_a_standing_answers_before_anything_is_paid() -> None:
    account = reserve(committed("20000"), B, d("3000"), 5)
    found = standing(account, LIMIT, 6)
    assert [found.used, found.reserved, found.left] == [20000, 3000, 3000]
    share = d("0.1")
    assert found.answer(d("3000.01"), share) is QuotaAnswer.OVER
    assert found.answer(d("3000"), share) is QuotaAnswer.NEAR
    assert found.answer(d("400.01"), share) is QuotaAnswer.NEAR
    assert found.answer(d("400"), share) is QuotaAnswer.FREE
    assert standing(account, LIMIT, 6, without=B).left == 6000


def test_what_does_not_fit_is_kept_without_holding_anything_back() -> None:
    account = asked(committed("20000"), B, d("7000"), LIMIT, 6)
    assert [account.reserved(6), account.used()] == [0, 20000]
    assert standing(account, LIMIT, 6).left == 6000
    # Customs took it all the same.
    assert on_word(account, B, INVENTORY, Word.LODGED, 9).used() == 27000
    assert asked(account, B, d("6000"), LIMIT, 7).reserved(7) == 6000
    assert asked(committed("100"), A, d("99999"), LIMIT, 9) == committed("100")


@pytest.mark.parametrize(
    "codes, text, used",
    [
        (("1313",), "订购人年度交易累计金额超限;totalPrice:26400.00,limitPrice:26000.00", "26300"),
        (("-621018",), "处理失败[已用25900.5，本次200]", "25900.5"),
        (("-621018",), "已使用额度：25900元，本次200元", "25900"),
    ],
)
def test_the_figure_in_a_refusal_raises_the_floor(
    codes: tuple[str, ...], text: str, used: str
) -> None:
    move = told_by_customs(A, codes, text, 9)
    assert move is not None
    account = moved(reserve(EMPTY, A, d("100"), 1), move)
    assert account.floor is not None
    assert (account.floor.used, account.floor.code) == (d(used), codes[0])
    assert moved(EMPTY, move) == EMPTY


@pytest.mark.parametrize(
    "codes, text",
    [
        (("1320",), "totalPrice:26400.00,limitPrice:26000.00"),
        (("1313",), "订购人年度交易累计金额超限"),
        ((), "已用1，本次2"),
    ],
)
def test_no_figure_no_floor(codes: tuple[str, ...], text: str) -> None:
    assert told_by_customs(A, codes, text, 9) is None


MOVES = st.lists(
    st.tuples(
        st.sampled_from([A, B]),
        st.sampled_from(["reserve", "cancel", "release", *Word]),
        st.integers(0, 500),
    ),
    max_size=25,
)


@given(MOVES)
def test_no_sequence_of_moves_counts_a_case_twice_or_below_zero(
    moves: list[tuple[CaseId, str, int]],
) -> None:
    account = EMPTY
    for at, (case, move, amount) in enumerate(moves):
        if move == "reserve":
            account = reserve(account, case, Decimal(amount), at)
        elif move == "cancel":
            account = on_cancelled(account, case, at)
        elif move == "release":
            account = release(account, case, at)
        else:
            account = on_word(account, case, INVENTORY, Word(move), at)
        assert len(account.entries) <= 2
        assert account.used() >= 0
        total = account.used() + account.reserved(at)
        assert total == account.used(A) + account.reserved(at, A) + (
            sum(one.used() + one.reserved(at) for one in account.entries if one.case_id == A)
        )

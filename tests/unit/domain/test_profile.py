"""The ramp of a going live: which cases a share covers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.errors import InvalidValue
from gateway.domain.ids import CaseId
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

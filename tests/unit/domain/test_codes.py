"""Customs' code tables: complete as they say, in both languages, and usable by findings."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.codes import (
    TABLES,
    CodeClass,
    Refile,
    cited,
    code_table,
    find_rejection,
    label_of,
    rejections,
)
from gateway.domain.errors import InvalidValue
from gateway.domain.matching import catalogue

IDEOGRAPH = re.compile("[\u4e00-\u9fff]")
# What can catch a fault before filing beside the rules of the catalogue.
OTHER_GUARDS = {"", "schema", "signing", "lifecycle", "grouping", "by-construction"}
COUNTS = {
    "units": 122,
    "currencies": 32,
    "countries": 87,
    "rejections": 172,
    "transport_answers": 15,
}


@pytest.mark.parametrize("name", TABLES)
def test_every_code_speaks_both_languages(name: str) -> None:
    table = code_table(name)
    assert IDEOGRAPH.search(table.title_zh)
    assert IDEOGRAPH.search(table.completeness_zh)
    assert table.completeness_en
    assert table.source
    assert table.codes
    for one in table.codes.values():
        assert IDEOGRAPH.search(one.zh), one
        assert one.en, one
        assert not IDEOGRAPH.search(one.en), one


@pytest.mark.parametrize("name", COUNTS)
def test_tables_hold_what_their_completeness_says(name: str) -> None:
    assert len(code_table(name).codes) == COUNTS[name]


def test_an_unknown_table_is_named() -> None:
    with pytest.raises(InvalidValue, match="units"):
        code_table("colours")


@pytest.mark.parametrize(
    "table, code, zh, en",
    [
        ("units", "140", "盒", "box"),
        ("countries", "303", "英国", "United Kingdom"),
        ("currencies", "142", "人民币", "Chinese yuan"),
        ("statuses", "800", "放行", "released"),
        ("transport_answers", "1002", "签名过期", "signature expired"),
    ],
)
def test_what_a_code_means(table: str, code: str, zh: str, en: str) -> None:
    assert label_of(table, code, "zh") == zh
    assert label_of(table, code, "en") == en
    assert label_of(table, "no-such-code", "en") is None


def test_a_status_names_the_receipts_it_occurs_in() -> None:
    statuses = code_table("statuses").codes
    assert "622" in statuses["800"].messages
    assert "312" not in statuses["800"].messages
    assert statuses["600"].confidence == "observed"


def test_rejections_name_what_would_have_caught_them() -> None:
    rules = {info.id for info in catalogue()}
    for one in rejections().values():
        is_rule_of_a_message = one.rule.startswith("CEB-")
        assert one.rule in rules | OTHER_GUARDS or is_rule_of_a_message, one
        for locale in ("zh", "en"):
            assert one.cause(locale)
            assert one.fix(locale)


def test_every_code_of_the_catalogue_is_explained() -> None:
    for info in catalogue():
        if info.code is not None:
            assert find_rejection(info.code) is not None, info.id


@pytest.mark.parametrize(
    "code, refile",
    [
        ("1327", ["order", "payment", "inventory"]),
        ("1332", ["order", "payment", "inventory"]),
        ("13035", ["order", "payment", "inventory"]),
        ("13127", ["order", "inventory"]),
        ("130126", ["order", "inventory"]),
        ("1320", ["inventory"]),
        ("1322", ["inventory"]),
        ("1313", []),
        ("1300", ["order", "payment", "inventory"]),
    ],
)
def test_what_to_file_again(code: str, refile: list[str]) -> None:
    found = find_rejection(code)
    assert found is not None
    assert found.refile == tuple(Refile(paper) for paper in refile)


@pytest.mark.parametrize(
    "code, expected",
    [
        ("-621017", CodeClass.SYSTEM),
        ("-621029", CodeClass.SIGNATURE),
        ("-621027", CodeClass.PERSON),
        ("-621005", CodeClass.LIMIT),
        ("-621016", CodeClass.RIGHTS),
        ("-621004", CodeClass.DUPLICATE),
        ("-401007", CodeClass.DUPLICATE),
        ("2600", CodeClass.PROGRESS),
    ],
)
def test_classes(code: str, expected: CodeClass) -> None:
    found = find_rejection(code)
    assert found is not None
    assert found.code_class is expected


class TestCited:
    def test_the_codes_of_a_text_in_order(self) -> None:
        info = "[Code:1327;Desc:姓名不一致],[code:1332;desc:a;b,c] [Code:1327;Desc:again]"
        assert [(one.code, one.text) for one in cited(info)] == [
            ("1327", "姓名不一致\nagain"),
            ("1332", "a;b,c"),
        ]

    @pytest.mark.parametrize("info", ["", "查验", "[guid]", "[Code:;Desc:x]", "[Code:1327;Desc:x"])
    def test_a_text_without_codes(self, info: str) -> None:
        assert cited(info) == ()

    @given(st.text(max_size=300))
    def test_any_text_is_taken(self, info: str) -> None:
        assert len(cited(info * 20)) <= 10

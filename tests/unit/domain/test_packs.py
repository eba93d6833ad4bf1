"""Rule packs: what they may say, how they extend each other, what they refuse."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.errors import InvalidValue, PackInvalid
from gateway.domain.findings import Severity
from gateway.domain.limits import LimitTable, PersonalLimit, dutiable_value
from gateway.domain.matching import builtin_names, builtin_text, catalogue, compile_pack
from gateway.domain.matching.pack import RuleSetting

HEAD = 'name = "x"\nversion = 1\nextends = "import-default"\n'
LIMITS = "[[limits]]\nin_force = 2019-01-01\nsingle = 5000\nannual = 26000\n"


def faults(text: str) -> tuple[str, ...]:
    with pytest.raises(PackInvalid) as caught:
        compile_pack(text)
    assert str(caught.value)
    return caught.value.faults


def setting(text: str, rule: str) -> RuleSetting:
    return next(one for one in compile_pack(text).settings if one.rule == rule)


def test_the_default_pack_runs_every_rule_as_it_is_declared() -> None:
    assert builtin_names() == ("export-default", "import-default")
    pack = compile_pack(builtin_text("import-default"))
    assert [one.rule for one in pack.settings] == [info.id for info in catalogue()]
    for one, info in zip(pack.settings, catalogue(), strict=True):
        assert one.severity is info.severity
        assert one.parameters == info.parameters
        is_copy = one.rule in ("PAYMENT-FILED-COPY", "WAYBILL-FILED-COPY")
        assert one.unverifiable is (None if is_copy else Severity.NOTE)
    assert pack.limits.on(date(2026, 1, 1)).single == Decimal(5000)


def test_a_pack_changes_what_it_names_and_keeps_the_rest() -> None:
    text = HEAD + '[rules.ORDER-HEAD-SUM]\ntolerance = 0.05\nseverity = "warn"\n'
    changed = setting(text, "ORDER-HEAD-SUM")
    assert changed.parameters == {"tolerance": Decimal("0.05")}
    assert changed.severity is Severity.WARN
    assert len(compile_pack(text).settings) == len(catalogue())
    assert compile_pack(text).name == "x"


def test_a_pack_that_stands_alone_runs_what_it_lists() -> None:
    text = 'name = "y"\nversion = 2\n' + LIMITS + "[rules.ORDER-HEAD-SUM]\n"
    assert [one.rule for one in compile_pack(text).settings] == ["ORDER-HEAD-SUM"]


def test_packs_extend_over_several_floors() -> None:
    texts = {
        "a": 'name = "a"\nversion = 1\nextends = "import-default"\n'
        "[rules.ORDER-HEAD-SUM]\ntolerance = 1\n[rules.CLAIM-ORDER]\nenabled = false\n",
        "b": 'name = "b"\nversion = 1\nextends = "a"\n[rules.CLAIM-ORDER]\nenabled = true\n',
    }

    def find(name: str) -> str:
        return texts.get(name) or builtin_text(name)

    pack = compile_pack('name = "c"\nversion = 1\nextends = "b"\n', find)
    assert any(one.rule == "CLAIM-ORDER" for one in pack.settings)
    head_sum = next(one for one in pack.settings if one.rule == "ORDER-HEAD-SUM")
    assert head_sum.parameters == {"tolerance": Decimal(1)}


def test_a_circle_of_packs_ends() -> None:
    text = 'name = "c"\nversion = 1\nextends = "c"\n'
    with pytest.raises(PackInvalid, match="circle"):
        compile_pack(text, lambda name: text)


@pytest.mark.parametrize(
    "text, fault",
    [
        ("[rules.ORDER-HEAD-SUMM]\n", "ORDER-HEAD-SUMM: there is no such rule; did you mean"),
        ("[rules.ORDER-HEAD-SUM]\ntolerence = 1\n", "tolerence: is not known here; did you mean"),
        ("[rules.ORDER-HEAD-SUM]\ntolerance = 'x'\n", "tolerance: must be a decimal number"),
        ("[rules.ORDER-HEAD-SUM]\ntolerance = true\n", "tolerance: must be a decimal number"),
        ("[rules.ORDER-HEAD-SUM]\ntolerance = -1\n", "must not be below 0"),
        ("[rules.ORDER-HEAD-SUM]\ntolerance = nan\n", "must not be below 0"),
        ("[rules.ORDER-LINE-COUNT]\nmost = 9.5\n", "most: must be a whole number"),
        ("[rules.ORDER-HEAD-SUM]\nseverity = 'fatal'\n", "severity: must be one of block, warn"),
        ("[rules.ORDER-HEAD-SUM]\nseverity = ['block']\n", "severity: must be one of block"),
        ("[rules.ORDER-HEAD-SUM]\nenabled = 'no'\n", "enabled: must be true or false"),
        ("[rules]\nX = 1\n", "rules: must be tables"),
        ("limits = 5\n", "limits"),
        ("[[limits]]\nin_force = 2019-01-01\nsingle = 5000\n", "limits[0]: must give"),
        (LIMITS.replace("2019-01-01", "'x'"), "in_force: must be a date"),
        (LIMITS.replace("26000", "'x'"), "must be amounts in CNY"),
        (LIMITS.replace("26000", "10"), "not above annual"),
        (LIMITS + LIMITS, "must follow each other"),
        ("verison = 1\n", "verison: is not known here; did you mean version?"),
    ],
)
def test_every_fault_names_its_place(text: str, fault: str) -> None:
    assert any(fault in one for one in faults(HEAD + text)), faults(HEAD + text)


def test_all_faults_are_told_at_once() -> None:
    text = "[rules.NO-SUCH]\n[rules.ORDER-HEAD-SUM]\ntolerance = 'x'\nseverity = 'y'\n"
    assert len(faults(text)) == 6  # with name, version and limits


@pytest.mark.parametrize(
    "text", ["", "=", 'name = ""\nversion = 0\n', HEAD.replace("import-default", "none")]
)
def test_texts_that_are_no_pack(text: str) -> None:
    assert faults(text)


@given(st.text(max_size=60))
def test_any_text_compiles_or_is_refused(text: str) -> None:
    with pytest.raises(PackInvalid):
        compile_pack(text)


def test_limits_hold_from_their_day_on() -> None:
    old = PersonalLimit(date(2016, 4, 8), Decimal(2000), Decimal(20000))
    new = PersonalLimit(date(2019, 1, 1), Decimal(5000), Decimal(26000))
    table = LimitTable((old, new))
    table.check()
    assert table.on(date(2018, 12, 31)) is old
    assert table.on(date(2019, 1, 1)) is new
    assert table.on(date(2000, 1, 1)) is old
    with pytest.raises(InvalidValue):
        LimitTable(()).check()
    with pytest.raises(InvalidValue):
        LimitTable((new, old)).check()


def test_tax_is_no_part_of_the_dutiable_value() -> None:
    assert dutiable_value(Decimal(100), Decimal(5), Decimal(1)) == Decimal(106)


def test_a_fault_is_told_with_its_line() -> None:
    text = (
        HEAD + '\n[rules.ORDER-HEAD-SUM]\nseverity = "fatal"\n\n[[limits]]\nin_force = 2019-01-01\n'
    )
    assert faults(text)[0].startswith("line 6: rules.ORDER-HEAD-SUM.severity")
    assert faults(text)[1].startswith("line 8: limits[0]")
    assert faults("a = \n")[0].startswith("line 1: not TOML")
    quoted = HEAD + "[rules.'NO-SUCH']\n"
    assert faults(quoted)[0].startswith("line 4: rules.NO-SUCH: there is no such rule")


def test_packs_that_extend_each_other_in_a_circle_are_refused_at_once() -> None:
    texts = {
        "a": 'name = "a"\nversion = 1\nextends = "b"\n',
        "b": 'name = "b"\nversion = 1\nextends = "a"\n',
    }
    with pytest.raises(PackInvalid, match="line 3: extends: goes in a circle: a -> b -> a"):
        compile_pack(texts["a"], texts.__getitem__)


def test_a_tolerance_that_nothing_could_break_is_refused() -> None:
    text = HEAD + "[rules.ORDER-HEAD-SUM]\ntolerance = 99999999999\n"
    assert "line 5: " in faults(text)[0]
    assert "never be broken" in faults(text)[0]

"""Matching as a whole: one example of each rule, verdicts, deadlines, severities, words."""

from __future__ import annotations

import inspect
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from gateway.domain.case import Verdict, VerdictKind
from gateway.domain.circumstances import Circumstances
from gateway.domain.codec import to_micros, verdict_from_doc, verdict_to_doc
from gateway.domain.errors import InvalidValue
from gateway.domain.findings import Finding, FixKind, Severity
from gateway.domain.ids import Direction
from gateway.domain.matching import (
    Group,
    Outcome,
    PaperMatcher,
    builtin_text,
    catalogue,
    compile_pack,
    explain,
    explain_missing,
    explain_unverified,
    find_rule,
)
from gateway.domain.matching.catalogue import RULES
from gateway.domain.matching.facts import Facts
from gateway.domain.matching.rule import Faults
from gateway.domain.papers import Basis, IdentityCheck, Masked, PaperKind
from gateway.domain.profile import ConfirmedBy, FiledBy, PaperFiling, TradeMode
from tests.unit.domain.examples import BAD, GOOD
from tests.unit.domain.papers import (
    DEFAULT,
    FILES_WAYBILL,
    ID,
    NOW,
    RECEIVED,
    Case,
    cny,
    direct,
    good,
    single_item,
)

# What the default pack only counts gives no finding there; a stricter pack makes one of it.
COUNTED = sorted(one.rule for one in DEFAULT.settings if one.unverifiable is None)
TOLD = [info.id for info in catalogue() if info.id not in COUNTED]


def rules_of(verdict: Verdict) -> set[str]:
    return {finding.rule for finding in verdict.findings}


def only(case: Case) -> Finding:
    findings = case.match().findings
    assert len(findings) == 1, findings
    return findings[0]


# --- every rule -------------------------------------------------------------------------------


@pytest.mark.parametrize("rule", TOLD)
def test_a_bad_example_breaks_its_rule_and_no_other(rule: str) -> None:
    verdict = BAD[rule]().match()
    info = find_rule(rule)
    assert info is not None
    assert rules_of(verdict) == {rule}
    finding = verdict.findings[0]
    assert finding.code == info.code
    assert finding.state == ("unverifiable" if rule == "INVENTORY-FILED-COPY" else "broken")
    assert verdict_from_doc(verdict_to_doc(verdict)) == verdict
    if finding.severity is not Severity.BLOCK:
        assert verdict.kind is VerdictKind.MATCHED
    elif info.leads_to is Outcome.MISMATCH:
        assert verdict.kind is VerdictKind.MISMATCH
    else:
        assert verdict.kind is VerdictKind.BLOCKED


@pytest.mark.parametrize("rule", sorted(GOOD))
def test_a_good_example_beside_it_breaks_nothing(rule: str) -> None:
    verdict = GOOD[rule]().match()
    assert verdict.findings == ()
    assert verdict.kind is VerdictKind.MATCHED


def test_papers_that_agree_match_without_a_finding() -> None:
    for case in (good(5), direct(5), good(1)):
        assert case.match() == Verdict(VerdictKind.MATCHED, counted=tuple(COUNTED))


def with_others(kind: PaperKind, *, copied: bool) -> Case:
    """Papers of which others file one, and whether the copy that they filed is there."""
    ours = dict.fromkeys(PaperKind, PaperFiling(FiledBy.US, ConfirmedBy.RECEIPT))
    theirs = PaperFiling(FiledBy.OTHER, ConfirmedBy.STATEMENT)
    profile = good().with_profile(filings=ours | {kind: theirs}, entrusted=frozenset(PaperKind))
    paper = getattr(profile, kind.value)
    return replace(profile, around=Circumstances(filed={kind: paper} if copied else {}))


@pytest.mark.parametrize("kind", [PaperKind.PAYMENT, PaperKind.WAYBILL])
def test_a_paper_that_others_file_counts_as_unverified_until_their_copy_is_there(
    kind: PaperKind,
) -> None:
    rule = f"{kind.value.upper()}-FILED-COPY"
    without, copied = with_others(kind, copied=False), with_others(kind, copied=True)
    verdict = without.match()
    assert (verdict.kind, verdict.findings) == (VerdictKind.MATCHED, ())
    assert (verdict.unverified, verdict.unverifiable) == ((rule,), 1)
    assert verdict_from_doc(verdict_to_doc(verdict)) == verdict
    assert copied.match().unverified == ()
    for case in (without, copied):
        text = f'name = "own"\nversion = 2\nextends = "import-default"\n[rules.{rule}]\n'
        pack = compile_pack(f'{text}unverifiable = "block"\n')
        strict = case.with_profile(rule_pack="own").match(PaperMatcher([pack]))
        held = VerdictKind.MATCHED if case is copied else VerdictKind.BLOCKED
        assert (strict.kind, strict.unverified) == (held, () if case is copied else (rule,))
        assert rules_of(strict) == set(strict.unverified)
        for locale in ("zh", "en"):
            told = {explain(one, locale) for one in strict.findings}
            assert told == {explain_unverified(one, locale) for one in strict.unverified}


def test_a_masked_field_counts_too_where_the_pack_says_so() -> None:
    text = 'name = "own"\nversion = 2\nextends = "import-default"\n'
    pack = compile_pack(text + '[rules.WAYBILL-PACK-COUNT]\nunverifiable = "count"\n')
    case = good().with_waybill(pack_count=None).with_profile(rule_pack="own")
    verdict = case.match(PaperMatcher([pack]))
    assert verdict.findings == ()
    assert "WAYBILL-PACK-COUNT" in verdict.unverified
    assert "absent or masked" in explain_unverified("WAYBILL-PACK-COUNT", "en")
    assert explain_unverified("ORDER-GONE", "en") == "ORDER-GONE"


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.info.id)
def test_a_rule_is_declared_as_it_is_written(rule: object) -> None:
    from gateway.domain.matching.rule import Rule

    assert isinstance(rule, Rule)
    info = rule.info
    names = list(inspect.signature(rule.check).parameters)
    assert names[1:] == list(info.parameters)
    if rule.reads_around is not None:
        # The circumstance that it names is all that it needs beside the papers.
        bad = BAD[info.id]()
        alone = {rule.reads_around: getattr(bad.around, rule.reads_around)}
        assert info.id in rules_of(replace(bad, around=Circumstances(**alone)).match())
    assert info.group in Group
    assert info.source
    for text in (info.zh, info.en):
        assert text.title
        assert text.cause
        assert text.fix
    assert not info.parameters or any(info.id == one.rule for one in DEFAULT.settings)


@pytest.mark.parametrize("rule", TOLD)
@pytest.mark.parametrize("locale", ["zh", "en"])
def test_a_finding_is_explained_with_all_its_parameters(rule: str, locale: str) -> None:
    text = explain(BAD[rule]().match().findings[0], locale)
    assert "{" not in text
    assert ("。" in text) is (locale == "zh")


@pytest.mark.parametrize("rule", sorted(BAD))
def test_no_finding_shows_a_personal_value(rule: str) -> None:
    case = BAD[rule]()
    shown = repr(case.match().findings)
    assert case.order is None or case.order.order_no
    for secret in (
        ID,
        "王小明",
        "王大明",
        "李小红",
        "李大红",
        "13800000001",
        "13800000002",
        "某某路",
    ):
        assert secret not in shown


# --- verdicts ---------------------------------------------------------------------------------


def test_missing_papers_wait_until_the_deadline_counted_from_the_first_fact() -> None:
    case = replace(good(), payment=None, waybill=None)
    verdict = case.match()
    assert verdict.kind is VerdictKind.WAITING
    assert verdict.missing == ("payment", "waybill")
    assert verdict.until == to_micros(RECEIVED + timedelta(hours=72))
    assert verdict.findings == ()


def test_missing_goods_records_are_named_once_each() -> None:
    case = replace(good(3).with_line(3, sku="SKU-1"), goods={})
    verdict = case.match()
    assert verdict.kind is VerdictKind.WAITING
    assert verdict.missing == ("goods:SKU-1", "goods:SKU-2")


def test_without_any_fact_the_deadline_counts_from_now() -> None:
    case = replace(good(), order=None, payment=None, waybill=None)
    verdict = case.match()
    assert verdict.until == NOW + case.profile.waiting_s * 1_000_000
    assert verdict.missing == ("order", "payment", "waybill")


def test_each_source_has_a_deadline_of_its_own() -> None:
    case = replace(good(), payment=None, waybill=None)
    case = replace(case, profile=replace(case.profile, waits={"payment": 3600}))
    soon, late = (to_micros(RECEIVED + timedelta(hours=hours)) for hours in (1, 72))
    verdict = replace(case, now=soon - 1).match()
    assert verdict.kind is VerdictKind.WAITING
    assert (verdict.missing, verdict.deadlines) == (("payment", "waybill"), (soon, late))
    assert verdict.until == soon
    assert verdict_from_doc(verdict_to_doc(verdict)) == verdict
    # The payment company's time is over, the carrier's is not.
    verdict = replace(case, now=soon).match()
    assert verdict.kind is VerdictKind.BLOCKED
    assert [one.rule for one in verdict.findings] == ["PAYMENT-MISSING"]
    assert (verdict.missing, verdict.until) == (("waybill",), late)
    assert verdict_from_doc(verdict_to_doc(verdict)) == verdict


def test_the_deadline_itself_is_too_late() -> None:
    deadline = to_micros(RECEIVED + timedelta(hours=72))
    case = replace(good(), payment=None)
    assert replace(case, now=deadline - 1).match().kind is VerdictKind.WAITING
    late = replace(case, now=deadline).match()
    assert late.kind is VerdictKind.BLOCKED
    assert late.missing == ()
    assert late.until is None


def test_the_strongest_outcome_wins_and_all_findings_stay() -> None:
    mismatch = good().with_payment(amount=cny("1"))
    both = mismatch.with_order(discount=cny("2"))
    waiting = replace(mismatch, waybill=None)
    assert mismatch.match().kind is VerdictKind.MISMATCH
    assert both.match().kind is VerdictKind.BLOCKED
    assert rules_of(both.match()) == {"ORDER-HEAD-SUM", "PAYMENT-AMOUNT"}
    assert waiting.match().kind is VerdictKind.MISMATCH
    assert waiting.match().missing == ("waybill",)
    assert waiting.match().until is not None


def test_findings_follow_the_catalogue_and_the_line_numbers() -> None:
    case = good(12)
    for number in (11, 2, 12):
        case = case.with_line(number, unit="011")
    case = case.with_profile(assure_code="X").with_payment(amount=cny("1"))
    findings = case.match().findings
    assert [finding.rule for finding in findings] == [
        "PAYMENT-AMOUNT",
        "PARTY-GUARANTOR",
        *["GOODS-UNIT"] * 3,
    ]
    assert [finding.params["line"] for finding in findings[2:]] == ["2", "11", "12"]


def test_another_profile_object_is_asked_anew() -> None:
    matcher = PaperMatcher([DEFAULT])
    assert good().match(matcher).findings == ()
    for _ in range(300):
        assert rules_of(BAD["PARTY-CODES"]().match(matcher)) == {"PARTY-CODES"}
    assert good().match(matcher).findings == ()


def test_a_profile_whose_pack_is_not_loaded_is_an_error() -> None:
    with pytest.raises(InvalidValue, match="rule_pack"):
        good().with_profile(rule_pack="other").match()


# --- single rules -----------------------------------------------------------------------------


@pytest.mark.parametrize("delta, severity", [("0.01", "note"), ("0.02", "block")])
def test_a_line_total_off_by_a_rounding_is_a_note(delta: str, severity: str) -> None:
    case = good()
    total = cny(str(Decimal("21") + Decimal(delta)))
    value = cny(str(Decimal("42") + Decimal(delta)))
    paid = cny(str(Decimal("48") + Decimal(delta)))
    case = case.with_line(1, total=total).with_order(goods_value=value, paid=paid)
    finding = only(case.with_payment(amount=paid))
    assert (finding.rule, finding.severity) == ("ORDER-LINE-TOTAL", severity)
    assert finding.delta == f"+{delta}"


def test_masked_values_that_fit_cannot_be_verified_and_do_not_block() -> None:
    case = good().with_payer(name=Masked("王**"), id_number=Masked("1101**********0003"))
    verdict = case.match()
    assert verdict.kind is VerdictKind.MATCHED
    assert rules_of(verdict) == {"PARTY-PAYER-NAME", "PARTY-PAYER-ID"}
    assert {(one.state, one.severity) for one in verdict.findings} == {("unverifiable", "note")}
    assert all(one.fixes == () for one in verdict.findings)


def test_masked_values_that_contradict_are_broken() -> None:
    case = good().with_payer(id_number=Masked("1101**********9999"))
    finding = only(case)
    assert (finding.rule, finding.state) == ("PARTY-PAYER-ID", "broken")


def test_two_masked_values_are_never_equal() -> None:
    case = good().with_consignee(phone=Masked("138****0002"))
    case = case.with_order(
        consignee=replace(good().order.consignee, phone=Masked("138****0002"))  # type: ignore[union-attr]
    )
    states = {one.rule: one.state for one in case.match().findings}
    assert states["PARTY-CONSIGNEE-PHONE"] == "unverifiable"


@pytest.mark.parametrize(
    "name, rule",
    [
        ("order_no", "WAYBILL-ORDER-NO"),
        ("pack_count", "WAYBILL-PACK-COUNT"),
    ],
)
def test_what_the_waybill_does_not_say_is_unverifiable(name: str, rule: str) -> None:
    finding = only(good().with_waybill(**{name: None}))
    assert (finding.rule, finding.state) == (rule, "unverifiable")
    assert explain(finding, "en").startswith(find_rule(rule).en.title)  # type: ignore[union-attr]


def test_a_value_that_is_empty_is_not_proposed() -> None:
    nameless = good().with_order(order_no="", waybill_no="WB-OTHER").match().findings
    assert {"PAYMENT-ORDER-NO", "WAYBILL-ORDER-NO"} <= {one.rule for one in nameless}
    assert "" not in [fix.value for one in nameless for fix in one.fixes]
    assert all(value for one in nameless for value in one.params.values())


@pytest.mark.parametrize("mode, is_asked", [("9710", False), ("9810", False), ("1210", True)])
def test_only_goods_of_a_zone_stand_in_an_account_book(mode: str, is_asked: bool) -> None:
    pack = compile_pack(builtin_text("export-default"))
    case = (
        good()
        .with_record(1, item_record_no=None)
        .with_profile(direction=Direction.EXPORT, mode=TradeMode(mode), rule_pack="export-default")
    )
    found = rules_of(case.match(PaperMatcher([pack])))
    assert ("INVENTORY-BONDED-GOODS" in found) is is_asked


def test_the_payer_is_verified_by_whoever_can() -> None:
    hidden = good().with_payer(name=None, id_number=None)
    assert hidden.with_payment(identity_check=IdentityCheck.SAME).match().findings == ()
    assert rules_of(hidden.match()) == {"PARTY-PAYER-NAME", "PARTY-PAYER-ID"}
    unchecked = hidden.with_payment(identity_check=IdentityCheck.UNCHECKED)
    assert only(unchecked).severity is Severity.WARN
    strict = unchecked.with_profile(require_identity_check=True)
    assert only(strict).severity is Severity.BLOCK
    assert strict.match().kind is VerdictKind.MISMATCH


def test_the_spelling_fix_names_the_payer_and_may_be_applied_by_staff() -> None:
    finding = only(BAD["PARTY-PAYER-SPELLING"]())
    assert finding.severity is Severity.WARN
    assert finding.fixes[0].kind is FixKind.FORM
    assert finding.fixes[0].path == "order.buyer.name"
    assert finding.fixes[0].value == "***明"


@pytest.mark.parametrize("rule", ["PARTY-CONSIGNEE-NAME", "PARTY-CONSIGNEE-PHONE"])
def test_a_consignee_blocks_only_when_the_filed_waybill_is_known(rule: str) -> None:
    case = BAD[rule]()
    assert only(case).severity is Severity.WARN
    assert only(case.with_profile(filings=FILES_WAYBILL)).severity is Severity.BLOCK
    assert only(replace(case, basis=Basis.AS_FILED)).severity is Severity.BLOCK


def test_an_address_blocks_only_when_we_file_the_waybill() -> None:
    case = BAD["PARTY-CONSIGNEE-ADDRESS"]()
    assert only(case).severity is Severity.WARN
    assert only(replace(case, basis=Basis.AS_FILED)).severity is Severity.WARN
    ours = only(case.with_profile(filings=FILES_WAYBILL))
    assert ours.severity is Severity.BLOCK
    assert ours.fixes[0].kind is FixKind.FORM


@pytest.mark.parametrize(
    "price, rules",
    [
        ("4995", set()),
        ("4995.01", {"LIMIT-INDIVISIBLE"}),
        ("25995", {"LIMIT-INDIVISIBLE"}),
        ("25995.01", {"LIMIT-SINGLE"}),
    ],
)
def test_the_limits_count_goods_freight_and_insurance(price: str, rules: set[str]) -> None:
    case = single_item(price)
    assert rules_of(case.match()) == rules
    insured = case.with_waybill(insurance=cny("0.01"))
    assert rules_of(insured.match()) == (rules or {"LIMIT-INDIVISIBLE"}) or price == "25995"


def test_two_of_an_item_are_divisible() -> None:
    case = single_item("6000").with_line(1, quantity=Decimal(2), price=cny("3000"))
    finding = only(case)
    assert (finding.rule, finding.code, finding.delta) == ("LIMIT-SINGLE", "-621005", "+1005")


def test_the_order_alone_is_enough_for_the_limit() -> None:
    case = replace(single_item("30000"), waybill=None, payment=None)
    assert rules_of(case.match()) == {"LIMIT-SINGLE"}


def test_texts_of_the_order_record_matter_only_when_we_file_it() -> None:
    case = BAD["ORDER-MANDATORY"]()
    filings = {PaperKind.ORDER: PaperFiling(FiledBy.OTHER, ConfirmedBy.STATEMENT)}
    finding = only(case.with_profile(filings=filings))
    assert (finding.rule, finding.state) == ("INVENTORY-FILED-COPY", "unverifiable")
    assert finding.rule in case.with_profile(filings=filings).match().unverified
    copied = replace(case.with_profile(filings=filings), basis=Basis.AS_FILED)
    assert copied.match().findings == ()
    assert copied.match().unverified == ()


def test_several_faults_of_one_text_are_all_told() -> None:
    case = good().with_line(1, name="\x01" + "名" * 250, unit="1")
    paths = [path for finding in case.match().findings for path in finding.paths]
    assert paths.count("order.lines.1.name") == 2
    assert "order.lines.1.unit" in paths


# --- packs and words --------------------------------------------------------------------------


def test_a_pack_may_let_a_paper_be_missing() -> None:
    text = 'name = "own"\nversion = 2\nextends = "import-default"\n'
    pack = compile_pack(text + "[rules.PAYMENT-MISSING]\nenabled = false\n")
    case = replace(good(), payment=None).with_profile(rule_pack="own")
    assert case.match(PaperMatcher([pack])).kind is VerdictKind.MATCHED


def test_a_pack_may_block_what_cannot_be_verified() -> None:
    text = 'name = "own"\nversion = 2\nextends = "import-default"\n'
    pack = compile_pack(text + '[rules.WAYBILL-PACK-COUNT]\nunverifiable = "block"\n')
    case = good().with_waybill(pack_count=None).with_profile(rule_pack="own")
    verdict = case.match(PaperMatcher([pack]))
    assert verdict.kind is VerdictKind.BLOCKED
    assert verdict.findings[0].state == "unverifiable"


def test_a_finding_of_another_release_is_still_told() -> None:
    old = Finding("ORDER-GONE", Severity.WARN, {"order.paid": "1"})
    assert explain(old, "en") == "ORDER-GONE: order.paid"
    bare = Finding("ORDER-HEAD-SUM", Severity.BLOCK, {"order.paid": "1"})
    assert "{paid}" in explain(bare, "zh")


@pytest.mark.parametrize("locale", ["zh", "en"])
def test_what_is_missing_is_told(locale: str) -> None:
    for name in ("order", "payment", "waybill", "goods:SKU-1"):
        text = explain_missing(name, locale)
        assert "{" not in text
        assert len(text) > 8
    assert "SKU-1" in explain_missing("goods:SKU-1", locale)
    assert explain_missing("passport", locale) == "passport"


def test_a_rule_that_raises_blocks_its_case_and_hides_no_other_finding(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from gateway.domain.matching import matcher as module

    def broken(facts: Facts) -> Faults:
        if facts.order.order_no == "SO-1":
            raise ZeroDivisionError
        return ()

    rules = tuple(
        replace(rule, check=broken) if rule.info.id == "ORDER-LINE-NUMBERS" else rule
        for rule in RULES
    )
    monkeypatch.setattr(module, "RULES", rules)
    ask = PaperMatcher([DEFAULT])
    bad = good().with_payment(amount=cny("47.99")).with_profile(assure_code="X")
    verdict = bad.match(ask)
    assert verdict.kind is VerdictKind.BLOCKED
    assert [one.rule for one in verdict.findings] == [
        "SYSTEM-RULE-FAILED",
        "PAYMENT-AMOUNT",
        "PARTY-GUARANTOR",
    ]
    failed = verdict.findings[0]
    assert failed.severity is Severity.BLOCK
    assert failed.params == {"rule": "ORDER-LINE-NUMBERS", "error": "ZeroDivisionError"}
    assert "ORDER-LINE-NUMBERS" in explain(failed, "zh")
    other = good().with_order(order_no="SO-2").with_payment(order_no="SO-2")
    assert other.with_waybill(order_no="SO-2").match(ask).findings == ()


def test_a_fault_about_the_profile_is_found_although_another_rule_raises(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from gateway.domain.matching import matcher as module

    def broken(facts: Facts) -> Faults:
        raise KeyError("x")

    rules = tuple(
        replace(rule, check=broken) if rule.info.id == "PARTY-CODES" else rule for rule in RULES
    )
    monkeypatch.setattr(module, "RULES", rules)
    verdict = good().with_profile(assure_code="X").match(PaperMatcher([DEFAULT]))
    assert {one.rule for one in verdict.findings} == {"SYSTEM-RULE-FAILED", "PARTY-GUARANTOR"}
    assert verdict.kind is VerdictKind.BLOCKED


def test_a_passport_is_one_finding_and_its_number_none() -> None:
    case = good().with_buyer(id_type="2", id_number="E12345678").with_payer(id_number="E12345678")
    assert only(case).rule == "PARTY-ID-TYPE"

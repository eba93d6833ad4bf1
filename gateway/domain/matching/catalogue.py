"""The catalogue: every rule there is, collected by name; its order is the order of findings."""

from typing import Final

from gateway.domain.findings import Severity
from gateway.domain.matching.rule import Outcome, Owner, Rule, RuleInfo, Text
from gateway.domain.matching.rules import (
    claim,
    deduction,
    filed,
    goods,
    identity,
    inventory,
    limit,
    order,
    party,
    payment,
    registry,
    tax,
    ties,
    timing,
    waybill,
)

RULES: Final[tuple[Rule, ...]] = (
    *order.RULES,
    *deduction.RULES,
    *payment.RULES,
    *ties.PAYMENT_RULES,
    *filed.PAYMENT_RULES,
    *waybill.RULES,
    *ties.WAYBILL_RULES,
    *filed.WAYBILL_RULES,
    *party.RULES,
    *identity.RULES,
    *goods.RULES,
    *inventory.RULES,
    *filed.ORDER_RULES,
    *limit.RULES,
    *tax.RULES,
    *registry.RULES,
    *claim.RULES,
    *timing.RULES,
)


RULE_FAILED: Final = Rule(
    RuleInfo(
        id="SYSTEM-RULE-FAILED",
        reads=(),
        severity=Severity.BLOCK,
        owner=Owner.DECLARANT,
        source="a rule that cannot be asked never lets a case pass",
        outcome=Outcome.BLOCKED,
        zh=Text(
            "规则执行失败",
            "规则 {rule} 执行时出错（{error}），本案件未能核对。",
            "请将规则编号报告给系统管理员；其他案件不受影响。",
        ),
        en=Text(
            "A rule failed",
            "Rule {rule} failed ({error}); this case could not be checked.",
            "Report the rule to the operator of the gateway; other cases are not touched.",
        ),
    ),
    lambda facts: (),
)
"""Not in the catalogue: what the matcher finds when a rule raises. Packs cannot switch it off."""


_INFOS: Final = {rule.info.id: rule.info for rule in (*RULES, RULE_FAILED)}


def catalogue() -> tuple[RuleInfo, ...]:
    """Every rule as people see it."""
    return tuple(rule.info for rule in RULES)


def find_rule(rule_id: str) -> RuleInfo | None:
    """The rule of an id, None when this release knows no such rule."""
    return _INFOS.get(rule_id)

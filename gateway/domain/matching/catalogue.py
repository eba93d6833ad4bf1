"""The catalogue: every rule there is, collected by name; its order is the order of findings."""

from typing import Final

from gateway.domain.matching.rule import Rule, RuleInfo
from gateway.domain.matching.rules import (
    claim,
    goods,
    inventory,
    limit,
    order,
    party,
    payment,
    timing,
    waybill,
)

RULES: Final[tuple[Rule, ...]] = (
    *order.RULES,
    *payment.RULES,
    *waybill.RULES,
    *party.RULES,
    *goods.RULES,
    *inventory.RULES,
    *limit.RULES,
    *claim.RULES,
    *timing.RULES,
)


def catalogue() -> tuple[RuleInfo, ...]:
    """Every rule as people see it."""
    return tuple(rule.info for rule in RULES)


def find_rule(rule_id: str) -> RuleInfo | None:
    """The rule of an id, None when this release knows no such rule."""
    return next((rule.info for rule in RULES if rule.info.id == rule_id), None)

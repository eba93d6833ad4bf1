"""Every rule about a single message, and which of them a message is held against."""

from functools import cache
from typing import Final

from adapters.customs.ceb.verify import export_rules, import_rules, shared_rules
from adapters.customs.ceb.verify.rule import MessageRule

MESSAGE_RULES: Final[tuple[MessageRule, ...]] = (
    *shared_rules.RULES,
    *import_rules.RULES,
    *export_rules.RULES,
)


@cache
def rules_for(number: str) -> tuple[MessageRule, ...]:
    """The rules of a message by its number, ``621``."""
    return tuple(rule for rule in MESSAGE_RULES if number in rule.messages)

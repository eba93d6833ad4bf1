"""Verify files offline: what they are, and everything that is wrong with them."""

from adapters.customs.ceb.verify.catalogue import MESSAGE_RULES, rules_for
from adapters.customs.ceb.verify.inspect import (
    FileFinding,
    FileReport,
    Inspector,
    Outcome,
    Source,
    unreadable,
)
from adapters.customs.ceb.verify.refusals import Refused
from adapters.customs.ceb.verify.rule import MessageRule
from adapters.customs.ceb.verify.signature import SignatureReport, SignatureState

__all__ = [
    "MESSAGE_RULES",
    "FileFinding",
    "FileReport",
    "Inspector",
    "MessageRule",
    "Outcome",
    "Refused",
    "SignatureReport",
    "SignatureState",
    "Source",
    "rules_for",
    "unreadable",
]

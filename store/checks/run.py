"""Running the checks over one picture of the database."""

from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import Final

from sqlalchemy import Connection

from store.checks.base import Check, CheckName, CheckSettings, Probe, Report, Violation
from store.checks.declarations import one_live_declaration
from store.checks.effects import effects_delivered_or_parked, quiescent
from store.checks.histories import chain_complete, fold_equals_state, legal_transitions
from store.checks.leaks import no_canary
from store.checks.messages import fencing, wire_equals_signed
from store.checks.papers import nothing_lost
from store.checks.releases import released_with_evidence
from store.checks.sharing import idempotent_answers, sums_preserved, tenants_apart
from store.crypto import StoreKeys

CHECKS: Final[Mapping[CheckName, Check]] = MappingProxyType(
    {
        CheckName.NOTHING_LOST: nothing_lost,
        CheckName.ONE_LIVE_DECLARATION: one_live_declaration,
        CheckName.WIRE_EQUALS_SIGNED: wire_equals_signed,
        CheckName.FOLD_EQUALS_STATE: fold_equals_state,
        CheckName.LEGAL_TRANSITIONS: legal_transitions,
        CheckName.CHAIN_COMPLETE: chain_complete,
        CheckName.EFFECTS_DELIVERED_OR_PARKED: effects_delivered_or_parked,
        CheckName.FENCING: fencing,
        CheckName.RELEASED_WITH_EVIDENCE: released_with_evidence,
        CheckName.TENANTS_APART: tenants_apart,
        CheckName.SUMS_PRESERVED: sums_preserved,
        CheckName.IDEMPOTENT_ANSWERS: idempotent_answers,
        CheckName.NO_CANARY: no_canary,
        CheckName.QUIESCENT: quiescent,
    }
)
# SQLite shows one picture a transaction by itself.
ONE_PICTURE: Final = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY"


def run_checks(
    connection: Connection,
    keys: StoreKeys,
    now: int,
    settings: CheckSettings | None = None,
    *,
    only: Collection[CheckName] = tuple(CheckName),
    most: int = 1_000,
) -> Report:
    """Run checks over a reading connection that has done nothing yet; ``now`` is UTC microseconds.

    All of them see one picture of the database (one transaction of an opened store's ``read()``),
    so they may run while the gateway works. At most ``most`` violations are reported a check.
    """
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(ONE_PICTURE)
    counts: dict[CheckName, int] = {}
    violations: list[Violation] = []
    is_cut = False
    for name, check in CHECKS.items():
        if name not in only:
            continue
        probe = Probe(connection, keys, settings or CheckSettings(), now)
        found = 0
        for violation in check(probe):
            found += 1
            if found > most:
                is_cut = True
                break
            violations.append(violation)
        counts[name] = probe.examined
    return Report(counts, tuple(violations), is_cut)

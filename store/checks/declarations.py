"""one_live_declaration: customs is asked at most once for one order and purpose."""

from collections.abc import Iterator, Sequence
from typing import Final

from sqlalchemy import select

from gateway.domain.case import CaseState
from gateway.domain.declaration import AppType, DeclarationStage, DeclarationState
from gateway.domain.ids import Direction
from gateway.domain.lifecycle import REQUESTS
from gateway.ports import Lookup
from store.checks.base import AnyRow, CaseSpan, CheckName, Probe, Violation, case_spans, state_of
from store.master import chunks
from store.tables import case_, claim, declaration, unlinked
from store.unlinked import UNLINKED

# What customs does not know, or knows no longer.
_DEAD: Final = frozenset(
    {
        DeclarationStage.REJECTED,
        DeclarationStage.REFUSED,
        DeclarationStage.WITHDRAWN,
        DeclarationStage.CANCELLED,
    }
)


def one_live_declaration(probe: Probe) -> Iterator[Violation]:
    """One new declaration per kind lives at most, and its case holds the claims it stands on.

    A change (appType 2) belongs to the declaration that it changes. Claims are unique over the
    whole deployment, so a case that holds its order and copNo shares them with no other. Each
    claimed version stands in the one message that its state names.
    """
    columns = (case_.c.platform, case_.c.order_no, case_.c.direction, case_.c.doc)
    for span in case_spans(probe, *columns):
        states = {case_id: state_of(row) for case_id, row in span.rows.items()}
        probe.examined += len(states)
        for case_id, state in states.items():
            yield from _twins(case_id, state)
        yield from _claims(probe, span, states)
        yield from _places(probe, span, states)
    yield from _lost_claims(probe)


def _found(subject: str, evidence: str) -> Violation:
    return Violation(CheckName.ONE_LIVE_DECLARATION, subject, evidence)


def _twins(case_id: str, state: CaseState) -> Iterator[Violation]:
    about = ((one.kind, one.request.get("return")) for one in state.declarations)
    for kind, returned in dict.fromkeys(about):
        # Requests are asked several times, each under a number of its own; each return is counted.
        if kind in REQUESTS:
            continue
        live = [
            one.version
            for one in state.declarations
            if (one.kind, one.request.get("return")) == (kind, returned)
            and one.app_type is AppType.NEW
            and one.stage not in _DEAD
        ]
        if len(live) > 1:
            yield _found(f"case {case_id}", f"{kind.value} lives in versions {live}")


def _claims(probe: Probe, span: CaseSpan, states: dict[str, CaseState]) -> Iterator[Violation]:
    needed: dict[bytes, list[tuple[str, str]]] = {}
    for case_id, state in states.items():
        for lookup in _stands_on(span.rows[case_id], state):
            needed.setdefault(probe.keys.lookup_hash(lookup), []).append((case_id, lookup.kind))
    holders: dict[bytes, str] = {}
    for some in chunks(sorted(needed)):
        rows = probe.connection.execute(
            select(claim.c.key_hash, claim.c.case_id).where(claim.c.key_hash.in_(some))
        )
        holders |= {bytes(row.key_hash): row.case_id for row in rows}
    for key_hash, claimants in needed.items():
        for case_id, kind in claimants:
            holder = holders.get(key_hash)
            if holder != case_id:
                by = f"held by case {holder}" if holder else "held by nobody"
                yield _found(f"case {case_id}", f"its {kind} claim is {by}")


def _stands_on(row: AnyRow, state: CaseState) -> Sequence[Lookup]:
    """The claims that a case's live declarations need."""
    live = [one for one in state.declarations if one.stage not in _DEAD]
    if not live:
        return ()
    # The number of a list is claimed by the first of its cases, for all.
    cop_nos = {one.cop_no for one in live if not (one.kind.is_paper or one.kind.is_list)}
    kind = "order" if row.direction == Direction.IMPORT else "export_order"
    return (
        Lookup(kind, f"{row.platform}|{row.order_no}"),
        *(Lookup("cop_no", number) for number in sorted(cop_nos)),
    )


def _places(probe: Probe, span: CaseSpan, states: dict[str, CaseState]) -> Iterator[Violation]:
    """Where each declaration version stands, by its row and by its state."""
    stored: dict[tuple[str, str, int], AnyRow] = {
        (row.case_id, row.kind, row.version): row
        for row in probe.connection.execute(
            select(*declaration.columns).where(span.covers(declaration.c.case_id))
        )
    }
    for case_id, state in states.items():
        for one in state.declarations:
            row = stored.pop((case_id, one.kind.value, one.version), None)
            evidence = _misplaced(one, row)
            if evidence is not None:
                yield _found(f"declaration {case_id}/{one.kind.value}/{one.version}", evidence)
    for place in stored:
        yield _found(f"declaration {'/'.join(map(str, place))}", "no case has planned it")


def _misplaced(one: DeclarationState, row: AnyRow | None) -> str | None:
    if one.message_id is None:
        return None if row is None else "it stands in a message and was never claimed"
    if row is None:
        return "it was claimed and stands in no message"
    if row.message_id != one.message_id:
        return f"it stands in message {row.message_id}, its state names {one.message_id}"
    if row.cop_no != one.cop_no or row.app_time != one.app_time:
        return "its copNo or appTime is not that of its state"
    return None


def _lost_claims(probe: Probe) -> Iterator[Violation]:
    """Claims of no case, or noted for another tenant than their case's.

    The claim of a paper that waits for its order belongs to that paper instead.
    """
    for kind_is_unlinked, holder, holder_id in (
        (claim.c.kind != UNLINKED, case_, case_.c.case_id),
        (claim.c.kind == UNLINKED, unlinked, unlinked.c.unlinked_id),
    ):
        rows = probe.connection.execute(
            select(claim.c.kind, claim.c.case_id, holder_id.label("found"))
            .join(holder, holder_id == claim.c.case_id, isouter=True)
            .where(kind_is_unlinked, holder_id.is_(None) | (holder.c.tenant != claim.c.tenant))
            .order_by(claim.c.case_id, claim.c.kind)
        )
        for row in rows:
            what = "stands under another tenant" if row.found else "is of nothing that exists"
            yield _found(f"case {row.case_id}", f"its {row.kind} claim {what}")

"""Documents: how domain values become versioned JSON values and come back.

Decimals travel as text, times as UTC microseconds, enums by value, ``Masked`` as
``{"masked": ...}``; what is None or empty is left out. Readers ignore keys that they do not know,
so a newer writer's document stays readable; a new key always has a default. The state of a case
has a codec by hand: it is read and written with every event.
"""

import types
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from functools import cache
from operator import attrgetter
from typing import Any, Final, Union, get_args, get_origin, get_type_hints

from gateway.domain.case import (
    AnswerCopy,
    Asked,
    CaseState,
    Hold,
    PaperStamp,
    TaxBill,
    Verdict,
    VerdictKind,
    Wish,
)
from gateway.domain.declaration import (
    AppType,
    BillStatus,
    DeclarationKind,
    DeclarationStage,
    DeclarationState,
    Pinned,
    Word,
)
from gateway.domain.errors import InvalidValue
from gateway.domain.filing import FilingStage, PartnerFiling
from gateway.domain.findings import Confidence, Finding, Fix, FixKind, LedgerRow, Severity
from gateway.domain.money import Money
from gateway.domain.papers import (
    Basis,
    Masked,
    Order,
    Paper,
    PaperKind,
    PaperRevision,
    PaymentSlip,
    SourceFact,
    Waybill,
)

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_PAPER_VERSION: Final = 1
_CLASS: Final[Mapping[PaperKind, type[Paper]]] = {
    PaperKind.ORDER: Order,
    PaperKind.PAYMENT: PaymentSlip,
    PaperKind.WAYBILL: Waybill,
}


def to_micros(moment: datetime) -> int:
    """UTC microseconds since 1970 of an aware time."""
    return (moment - _EPOCH) // _MICROSECOND


def from_micros(micros: int) -> datetime:
    """The aware UTC time of microseconds since 1970."""
    return _EPOCH + timedelta(microseconds=micros)


def paper_to_doc(paper: Paper) -> dict[str, Any]:
    """A paper as one versioned JSON value."""
    return {"v": _PAPER_VERSION, **to_doc(paper)}


def paper_from_doc(kind: PaperKind, doc: Mapping[str, Any]) -> Paper:
    """The paper of a document; raises :class:`InvalidValue` for a version this code cannot read."""
    if doc.get("v") != _PAPER_VERSION:
        raise InvalidValue("v", "this paper was stored by a newer version")
    paper: Paper = from_doc(_CLASS[kind], doc)
    return paper


def revision_to_doc(revision: PaperRevision) -> dict[str, Any]:
    """A paper revision as one JSON value; a fact's own paper only where it is not the composed
    one.
    """
    heard_at = revision.heard_at
    heard = {} if heard_at is None else {"heard_at": to_micros(heard_at)}
    return heard | {
        "kind": revision.kind.value,
        "revision": revision.revision,
        "digest": revision.digest,
        "basis": revision.basis.value,
        "paper": revision.doc or paper_to_doc(revision.paper),
        "facts": [_fact_to_doc(fact, revision.paper) for fact in revision.facts],
    }


def _fact_to_doc(fact: SourceFact, composed: Paper) -> dict[str, Any]:
    doc: dict[str, Any] = {
        "source": fact.source,
        "raw": fact.raw_id,
        "offset": fact.offset,
        "length": fact.length,
        "received_at": to_micros(fact.received_at),
    }
    if fact.paper is not composed and fact.paper != composed:
        doc["paper"] = paper_to_doc(fact.paper)
    return doc


def revision_from_doc(doc: Mapping[str, Any]) -> PaperRevision:
    """The paper revision of a document."""
    kind = PaperKind(doc["kind"])
    paper = paper_from_doc(kind, doc["paper"])
    return PaperRevision(
        kind=kind,
        revision=doc["revision"],
        digest=doc["digest"],
        paper=paper,
        facts=tuple(
            SourceFact(
                source=fact["source"],
                raw_id=fact["raw"],
                offset=fact["offset"],
                length=fact["length"],
                received_at=from_micros(fact["received_at"]),
                paper=paper_from_doc(kind, fact["paper"]) if "paper" in fact else paper,
            )
            for fact in doc["facts"]
        ),
        basis=Basis(doc["basis"]),
        heard_at=from_micros(doc["heard_at"]) if "heard_at" in doc else None,
    )


# --- any frozen dataclass ---------------------------------------------------------------------


def to_doc(value: Any) -> Any:
    """A domain value as JSON values (Any: it takes and gives every kind of value)."""
    cls: type = type(value)
    return _encoder(cls)(value)


@cache
def _encoder(cls: type) -> Callable[[Any], Any]:
    """What makes a document of values of a class. Raises :class:`InvalidValue`."""
    encode = _ENCODERS.get(cls)
    if encode is not None:
        return encode
    if is_dataclass(cls):
        return _fields_to_doc
    if issubclass(cls, Enum):
        return attrgetter("value")
    if issubclass(cls, Mapping):
        return lambda value: {str(to_doc(key)): to_doc(item) for key, item in value.items()}
    if issubclass(cls, tuple):
        return lambda value: [to_doc(item) for item in value]
    if issubclass(cls, frozenset):
        return lambda value: [to_doc(item) for item in sorted(value)]
    raise InvalidValue(cls.__name__, "has no document form")


def _fields_to_doc(value: Any) -> dict[str, Any]:
    """The fields of a data class; the types of nearly every field are asked first."""
    doc: dict[str, Any] = {}
    cls: type = type(value)
    names, read = _names(cls)
    for (name, is_required), item in zip(names, read(value), strict=True):
        kind = type(item)
        if kind is str:
            if item or is_required:
                doc[name] = item
        elif kind is Money:
            doc[name] = f"{_plain(item.amount)} {item.currency}"
        elif kind is Decimal:
            doc[name] = _plain(item)
        elif item is not None:
            encoded = to_doc(item)
            if is_required or encoded not in ({}, []):
                doc[name] = encoded
    return doc


def _plain(value: Decimal) -> str:
    """A decimal as text with every digit and no exponent."""
    text = str(value)
    return text if "E" not in text else format(value, "f")


_ENCODERS: Final[Mapping[type, Callable[[Any], Any]]] = {
    str: lambda value: value,
    int: lambda value: value,
    bool: lambda value: value,
    type(None): lambda value: value,
    Decimal: _plain,
    Money: lambda value: f"{_plain(value.amount)} {value.currency}",
    Masked: lambda value: {"masked": value.shown},
    datetime: to_micros,
    date: date.isoformat,
}


@cache
def _names(cls: type) -> tuple[tuple[tuple[str, bool], ...], Callable[[Any], tuple[Any, ...]]]:
    """The fields of a class, whether each is required (such a one is written even if empty), and
    what reads all of them at once.
    """
    names = tuple(
        (field.name, field.default is MISSING and field.default_factory is MISSING)
        for field in fields(cls)
    )
    if len(names) > 1:
        return names, attrgetter(*(name for name, _ in names))
    return names, lambda value: tuple(getattr(value, name) for name, _ in names)


def from_doc(cls: type, doc: Mapping[str, Any]) -> Any:
    """The value of a document of a frozen dataclass; what the document lacks keeps its default."""
    values: dict[str, Any] = {}
    for name, decode, required in _decoders(cls):
        if name in doc:
            values[name] = decode(doc[name])
        elif required:
            raise InvalidValue(name, "is missing from the stored document")
    return cls(**values)


@cache
def _decoders(cls: type) -> tuple[tuple[str, Callable[[Any], Any], bool], ...]:
    hints = get_type_hints(cls)
    return tuple(
        (
            field.name,
            _decoder(hints[field.name]),
            field.default is MISSING and field.default_factory is MISSING,
        )
        for field in fields(cls)
    )


def _decoder(hint: Any) -> Callable[[Any], Any]:
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return _union_decoder([item for item in arguments if item is not type(None)])
    if origin is tuple:
        item = _decoder(arguments[0])
        return lambda value: tuple(map(item, value))
    if origin is frozenset:
        item = _decoder(arguments[0])
        return lambda value: frozenset(map(item, value))
    if origin is not None and issubclass(origin, Mapping):
        key, item = _decoder(arguments[0]), _decoder(arguments[1])
        return lambda value: {key(name): item(content) for name, content in value.items()}
    supertype = getattr(hint, "__supertype__", None)
    if supertype is not None:
        return _decoder(supertype)
    return _plain_decoder(hint)


def _union_decoder(choices: list[Any]) -> Callable[[Any], Any]:
    if Masked in choices:
        return lambda value: Masked(value["masked"]) if isinstance(value, dict) else value
    return _decoder(choices[0])


def _plain_decoder(hint: Any) -> Callable[[Any], Any]:
    if hint is Money:
        return _money
    if hint is datetime:
        return from_micros
    if hint is date:
        return date.fromisoformat
    if isinstance(hint, type) and is_dataclass(hint):
        return lambda value: from_doc(hint, value)
    if hint in (Decimal,) or issubclass(hint, Enum):
        return hint  # type: ignore[no-any-return]
    return lambda value: value


def _money(text: str) -> Money:
    amount, _, currency = text.partition(" ")
    return Money(Decimal(amount), currency)  # type: ignore[arg-type]


# --- findings and verdicts --------------------------------------------------------------------


def finding_to_doc(finding: Finding) -> dict[str, Any]:
    """A finding as a JSON value, for events and the API."""
    doc: dict[str, Any] = {
        "rule": finding.rule,
        "severity": finding.severity.value,
        "state": finding.state,
        "paths": dict(finding.paths),
    }
    if finding.delta is not None:
        doc["delta"] = finding.delta
    if finding.params:
        doc["params"] = dict(finding.params)
    if finding.code is not None:
        doc["code"] = finding.code
    if finding.fixes:
        doc["fixes"] = [
            {
                "kind": fix.kind.value,
                "path": fix.path,
                "owner": fix.owner,
                "value": fix.value,
                "confidence": fix.confidence.value,
                "evidence": list(fix.evidence),
            }
            for fix in finding.fixes
        ]
    if finding.ledger:
        doc["ledger"] = [[row.name, row.amount] for row in finding.ledger]
    return doc


def finding_from_doc(doc: Mapping[str, Any]) -> Finding:
    """The finding of a document."""
    return Finding(
        rule=doc["rule"],
        severity=Severity(doc["severity"]),
        paths=doc["paths"],
        delta=doc.get("delta"),
        params=doc.get("params", {}),
        fixes=tuple(
            Fix(
                FixKind(fix["kind"]),
                fix["path"],
                fix["owner"],
                fix.get("value"),
                Confidence(fix.get("confidence", Confidence.LOW)),
                tuple(fix.get("evidence", ())),
            )
            for fix in doc.get("fixes", ())
        ),
        code=doc.get("code"),
        state=doc.get("state", "broken"),
        ledger=tuple(LedgerRow(name, amount) for name, amount in doc.get("ledger", ())),
    )


def verdict_to_doc(verdict: Verdict) -> dict[str, Any]:
    """A verdict as a JSON value: the payload of ``case_matched``."""
    doc: dict[str, Any] = {"verdict": verdict.kind.value}
    if verdict.findings:
        doc["findings"] = [finding_to_doc(finding) for finding in verdict.findings]
    if verdict.missing:
        doc["missing"] = list(verdict.missing)
    if verdict.until is not None:
        doc["until"] = verdict.until
    if len(set(verdict.deadlines)) > 1:  # Mostly all are due together.
        doc["deadlines"] = list(verdict.deadlines)
    if verdict.counted:
        doc["counted"] = list(verdict.counted)
    return doc


def verdict_from_doc(doc: Mapping[str, Any]) -> Verdict:
    """The verdict of a document."""
    missing, until = tuple(doc.get("missing", ())), doc.get("until")
    together = () if until is None else (until,) * len(missing)
    return Verdict(
        kind=VerdictKind(doc["verdict"]),
        findings=tuple(finding_from_doc(item) for item in doc.get("findings", ())),
        missing=missing,
        until=until,
        deadlines=tuple(doc.get("deadlines", together)),
        counted=tuple(doc.get("counted", ())),
    )


# --- the state of a case ----------------------------------------------------------------------


def _stamp_to_doc(stamp: PaperStamp) -> list[Any]:
    if stamp.bill:
        return [stamp.revision, stamp.digest, stamp.taken, list(stamp.earlier), stamp.bill]
    if stamp.earlier:
        return [stamp.revision, stamp.digest, stamp.taken, list(stamp.earlier)]
    return [stamp.revision, stamp.digest, *([stamp.taken] if stamp.taken else ())]


def _stamp_from_doc(doc: Sequence[Any]) -> PaperStamp:
    return PaperStamp(*doc[:3], *(tuple(one) for one in doc[3:4]), *doc[4:])


def state_to_doc(state: CaseState) -> dict[str, Any]:
    """The folded state of a case as a JSON value."""
    doc: dict[str, Any] = {"v": 1, "seq": state.seq}
    if state.verdict is not None:
        doc["verdict"] = verdict_to_doc(state.verdict)
    if state.papers:
        doc["papers"] = {kind.value: _stamp_to_doc(stamp) for kind, stamp in state.papers.items()}
    if state.declarations:
        doc["declarations"] = [_declaration_to_doc(one) for one in state.declarations]
    if state.hold is not None:
        doc["hold"] = [state.hold.by, state.hold.reason]
    if state.alarms:
        doc["alarms"] = list(state.alarms)
    if state.release_sequence:
        doc["releases"] = state.release_sequence
    if state.filings:
        doc["filings"] = [
            [*one[:4], one.stage.value, one.tries, one.is_change] for one in state.filings
        ]
    if state.asked is not None:
        wish, by, reason, after = state.asked
        doc["asked"] = [wish.value, by, reason, dict(after)]
    if state.bills:
        doc["bills"] = [[bill.bill_no, bill.status.value, *bill[2:]] for bill in state.bills]
    if state.copies:
        doc["copies"] = [[one.paper.value, one.word.value, one.returned_at] for one in state.copies]
    return doc


def state_from_doc(doc: Mapping[str, Any]) -> CaseState:
    """The folded state of a document."""
    verdict, papers, hold = doc.get("verdict"), doc.get("papers"), doc.get("hold")
    return CaseState(
        seq=doc["seq"],
        verdict=verdict_from_doc(verdict) if verdict else None,
        papers=(
            {PaperKind(kind): _stamp_from_doc(stamp) for kind, stamp in papers.items()}
            if papers
            else None
        ),
        declarations=tuple(_declaration_from_doc(one) for one in doc.get("declarations", ())),
        hold=Hold(*hold) if hold else None,
        alarms=tuple(doc.get("alarms", ())),
        release_sequence=doc.get("releases", 0),
        filings=tuple(
            PartnerFiling(PaperKind(kind), number, digest, since, FilingStage(stage), *rest)
            for kind, number, digest, since, stage, *rest in doc.get("filings", ())
        ),
        asked=Asked(Wish(asked[0]), *asked[1:]) if (asked := doc.get("asked")) else None,
        bills=tuple(
            TaxBill(number, BillStatus(status), *rest)
            for number, status, *rest in doc.get("bills", ())
        ),
        copies=tuple(
            AnswerCopy(PaperKind(paper), Word(word), returned_at)
            for paper, word, returned_at in doc.get("copies", ())
        ),
    )


# Short keys: this document is written with every event of every order.
_optional: Final = attrgetter(
    "message_id",
    "app_time",
    "sent_at",
    "pre_no",
    "invt_no",
    "status",
    "returned_at",
    "deferred",
    "released_at",
)
_OPTIONAL: Final = (
    "message",
    "app_time",
    "sent_at",
    "pre_no",
    "invt_no",
    "status",
    "returned_at",
    "deferred",
    "released_at",
)


_NO_REQUEST: Final = DeclarationState(DeclarationKind.ORDER, 1).request


def _declaration_to_doc(one: DeclarationState) -> dict[str, Any]:
    doc: dict[str, Any] = {
        "kind": one.kind.value,
        "version": one.version,
        "stage": one.stage.value,
        "app_type": one.app_type.value,
        "cop_no": one.cop_no,
        "pinned": [one.pinned.profile_version, one.pinned.papers, one.pinned.goods],
    }
    if one.attempt:
        doc["attempt"] = one.attempt
    if one.codes:
        doc["codes"] = list(one.codes)
    if one.seen:
        doc["seen"] = list(one.seen)
    for key, value in zip(_OPTIONAL, _optional(one), strict=True):
        if value is not None:
            doc[key] = value
    if one.request:
        doc["request"] = dict(one.request)
    return doc


def _declaration_from_doc(doc: Mapping[str, Any]) -> DeclarationState:
    get = doc.get
    return DeclarationState(
        kind=DeclarationKind(doc["kind"]),
        version=doc["version"],
        stage=DeclarationStage(doc["stage"]),
        app_type=AppType(doc["app_type"]),
        cop_no=doc["cop_no"],
        pinned=Pinned(*doc["pinned"]),
        message_id=get("message"),
        app_time=get("app_time"),
        attempt=get("attempt", 0),
        sent_at=get("sent_at"),
        pre_no=get("pre_no"),
        invt_no=get("invt_no"),
        status=get("status"),
        returned_at=get("returned_at"),
        codes=tuple(get("codes", ())),
        seen=tuple(get("seen", ())),
        deferred=get("deferred"),
        request=get("request", _NO_REQUEST),
        released_at=get("released_at"),
    )

"""Look at one file as a strict stranger would: what it is, and everything that is wrong with it.

Offline and without state that matters: schemas are compiled once and kept. Nothing raises for what
a file holds; what cannot be read is told in one sentence that says what was expected.
"""

from collections.abc import Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final

from lxml import etree

from adapters.customs.ceb.verify.catalogue import rules_for
from adapters.customs.ceb.verify.records import Record, records_of
from adapters.customs.ceb.verify.refusals import Refused, refusal_of
from adapters.customs.ceb.verify.signature import (
    SignatureReport,
    SignatureState,
    inspect_signature,
)
from gateway.domain.codes import CodeClass, Rejection, cited, code_table, find_rejection
from gateway.domain.findings import Severity
from gateway.domain.party import mask, mask_name
from schemas.catalog import load_editions
from schemas.envelope import BareMessage, DxpResponse, Envelope, open_file
from schemas.errors import SchemaError
from schemas.explain import Explainer
from schemas.explain import Fault as SchemaFault
from schemas.loader import LARGE, foreign_encoding, parse
from schemas.plan import MessagePlan, Presence, Side, load_plan
from schemas.reader import MessageReader, compile_reader, identify
from schemas.validate import ValidatorPool

MOST_FINDINGS: Final = 1000
_TWO: Final = 2
CEB: Final = "http://www.chinaport.gov.cn/ceb"

_SM2_EDITION: Final = "202205"
_SM2: Final = b"http://www.chinaport.gov.cn/2022/04/xmldsig#"
_PERSONAL_NAMES: Final = frozenset({"buyerName", "payerName", "consignee"})
_PERSONAL: Final = frozenset(
    {
        *("buyerIdNumber", "payerIdNumber", "buyerTelephone", "telephone", "buyerRegNo"),
        *("consigneeTelephone", "consigneeAddress", "consigneeDitrict", "ebcTelephone"),
    }
)
_KEYS: Final = {
    "311": ("ebpCode", "orderNo"),
    "303": ("ebpCode", "orderNo"),
    "411": ("payCode", "payTransactionId"),
    "511": ("logisticsCode", "logisticsNo"),
    "505": ("logisticsCode", "logisticsNo"),
}


class Source(StrEnum):
    """Who found it."""

    READER = "reader"
    ENVELOPE = "envelope"
    SCHEMA = "schema"
    RULE = "rule"
    SIGNATURE = "signature"
    CUSTOMS = "customs"


class Outcome(StrEnum):
    """What becomes of a file."""

    CLEAN = "clean"
    FAULTY = "faulty"
    UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True)
class FileFinding:
    """One fault or remark; ``value`` is masked where it is personal, None when there is none."""

    source: Source
    rule: str
    severity: Severity
    path: str
    zh: str
    en: str
    label_zh: str = ""
    label_en: str = ""
    value: str | None = None


@dataclass(frozen=True, slots=True)
class EnvelopeFacts:
    """The transport envelope of a file."""

    kind: str
    cop_msg_id: str
    sender: str
    receivers: tuple[str, ...]
    created: str
    msg_type: str


@dataclass(frozen=True, slots=True)
class FileReport:
    """What a file is and what is wrong with it; ``kind`` and ``edition`` are None if unknown."""

    kind: str | None = None
    edition: str | None = None
    editions: tuple[str, ...] = ()
    direction: str | None = None
    title_zh: str = ""
    title_en: str = ""
    records: int = 0
    envelope: EnvelopeFacts | None = None
    signature: SignatureReport | None = None
    findings: tuple[FileFinding, ...] = ()
    is_readable: bool = True

    @property
    def outcome(self) -> Outcome:
        """Unreadable, faulty (a finding that blocks), or clean (warnings and notes at most)."""
        if not self.is_readable:
            return Outcome.UNREADABLE
        faulty = any(one.severity is Severity.BLOCK for one in self.findings)
        return Outcome.FAULTY if faulty else Outcome.CLEAN


@dataclass(slots=True)
class _Set:
    """What is loaded of one schema edition, message by message as they are asked for."""

    plans: dict[str, MessagePlan]
    validators: dict[str, ValidatorPool] = field(default_factory=dict)
    explainers: dict[str, Explainer] = field(default_factory=dict)
    readers: dict[str, MessageReader] = field(default_factory=dict)


class Inspector:
    """Inspects files one after the other; keeps compiled schemas. For one thread at a time."""

    def __init__(self, now: datetime) -> None:
        """``now`` judges certificates of messages that name no time of sending."""
        self._now = now
        self._sets: dict[tuple[str, str], _Set] = {}
        self._ceb = tuple(one.edition for one in load_editions("ceb"))
        self._dxp = load_editions("dxp")[-1].edition

    def inspect(self, data: bytes, edition: str | None = None) -> FileReport:
        """What a file is and everything that is wrong with it.

        ``edition`` names the schema edition to hold it against; else the newest that it fits.
        """
        try:
            opened = open_file(data, LARGE)
            if isinstance(opened, DxpResponse):
                return self._transport_answer(data)
            if isinstance(opened, BareMessage):
                return self._message(opened.data, opened.root, edition, None, ())
            outer = self._envelope_findings(data, opened.nodes)
            facts = _envelope_facts(data, opened)
            return self._message(
                opened.data, parse(opened.data, LARGE), edition, facts, tuple(outer)
            )
        except SchemaError as error:
            return unreadable(*refusal_of(error))

    # -- messages ------------------------------------------------------------------------------

    def _message(
        self,
        data: bytes,
        root: etree._Element,
        edition: str | None,
        envelope: EnvelopeFacts | None,
        outer: Sequence[FileFinding],
    ) -> FileReport:
        kind = identify(root)
        if kind.namespace != CEB:
            return unreadable(Refused.NAMESPACE, envelope=envelope)
        message = self._known_as(kind.name)
        known = tuple(name for name in self._ceb if message in self._set(name).plans)
        if not known:
            return unreadable(Refused.MESSAGE, kind.name[:40], envelope)
        if edition is not None and edition not in known:
            return unreadable(Refused.EDITION, ", ".join(known), envelope)
        held, tolerated = _as_schemas_want(root, message)
        fits = [name for name in known if self._is_valid(name, message, held)]
        chosen = edition or self._choose(data, known, fits)
        plan = self._set(chosen).plans[message]
        records = tuple(records_of(root))
        first_time = next((one.text("appTime") for one in records), "")
        signature = inspect_signature(data, root, first_time, self._now)
        findings = [*outer, *_encoding_note(data)]
        if envelope is not None and envelope.msg_type not in ("", kind.name, message):
            findings.append(_other_type(envelope.msg_type, kind.name))
        findings += tolerated
        if chosen not in fits:
            shown = etree.tostring(held) if held is not root else data
            findings += self._schema_findings(chosen, plan, shown)
        told = {one.path for one in findings}
        findings += self._business(message, records)
        if plan.signature is not Presence.NONE:
            findings += _signature_findings(plan, records, signature)
        else:
            findings += self._reader_notes(chosen, plan, root, told)
            findings += _receipt_findings(message, records)
        return FileReport(
            kind=message,
            edition=chosen,
            editions=known,
            direction=None if plan.side is Side.BOTH else plan.side.value,
            title_zh=plan.root.label_zh,
            title_en=plan.root.label_en,
            records=len(records),
            envelope=envelope,
            signature=signature if plan.signature is not Presence.NONE else None,
            findings=tuple(findings[:MOST_FINDINGS]),
        )

    def _choose(self, data: bytes, known: Sequence[str], fits: Sequence[str]) -> str:
        """The newest edition that a message fits; SM2 is of 2022; else the newest there is."""
        if _SM2 in data and _SM2_EDITION in known:
            return _SM2_EDITION
        return fits[-1] if fits else known[-1]

    def _schema_findings(
        self, edition: str, plan: MessagePlan, data: bytes
    ) -> Iterator[FileFinding]:
        for fault in self._explainer("ceb", edition, plan.name).explain(data, LARGE):
            yield _schema_finding(plan, fault)

    def _business(self, name: str, records: Sequence[Record]) -> Iterator[FileFinding]:
        number = name[3:6]
        for rule in rules_for(number):
            for record in records:
                for hit in rule.check(record):
                    yield FileFinding(
                        Source.RULE,
                        rule.id,
                        hit.severity or rule.severity,
                        hit.path,
                        rule.zh.format(**hit.params),
                        rule.en.format(**hit.params),
                    )
        yield from _repeated(number, records)

    def _reader_notes(
        self, edition: str, plan: MessagePlan, root: etree._Element, told: set[str]
    ) -> Iterator[FileFinding]:
        """What a tolerant reader takes as it is, without what the schema refused already."""
        loaded = self._set(edition)
        reader = loaded.readers.get(plan.name)
        if reader is None:
            reader = loaded.readers[plan.name] = compile_reader(plan)
        read = reader.read(root)
        odds = [("", odd) for odd in read.notes]
        for position, record in enumerate(read.records, 1):
            odds += [(f"{plan.record.name}[{position}]/", odd) for odd in record.notes]
        for prefix, odd in odds:
            path = f"{prefix}{odd.path}"
            if path not in told:
                yield FileFinding(
                    Source.READER,
                    odd.kind.value,
                    Severity.NOTE,
                    path,
                    "与规范不符，读取时容忍。",
                    f"Odd but tolerated when read: {odd.kind.value}.",
                )

    def _known_as(self, name: str) -> str:
        """The message of a root name; one receipt has a second one in official samples."""
        full = f"{name}Message"
        plans = self._set(self._ceb[-1]).plans
        return full if full in plans and plans[full].other_root == name else name

    # -- envelopes -----------------------------------------------------------------------------

    def _transport_answer(self, data: bytes) -> FileReport:
        root = parse(data, LARGE)
        response = open_file(data, LARGE)
        assert isinstance(response, DxpResponse)
        findings = [*self._dxp_faults(data, root, "DxpRep")]
        findings += [_answer_finding(position, one) for position, one in _answers(response)]
        plan = self._set_of("dxp", self._dxp).plans.get("DxpRep")
        return FileReport(
            kind="DxpRep",
            edition=self._dxp,
            editions=(self._dxp,),
            title_zh=plan.root.label_zh if plan else "",
            title_en=plan.root.label_en if plan else "",
            records=len(response.answers),
            findings=tuple(findings),
        )

    def _envelope_findings(self, data: bytes, nodes: int) -> Iterator[FileFinding]:
        """Faults of the envelope; of nodes' envelopes in each other, of the innermost one."""
        root = parse(data, LARGE)
        name = identify(root).name
        for depth in range(1, nodes):
            inner = root.find(f"{{{identify(root).namespace}}}{name}")
            assert inner is not None
            root, data = inner, etree.tostring(inner)
            yield FileFinding(
                Source.READER,
                "repeated",
                Severity.NOTE,
                "/".join([name] * (depth + 1)),
                f"传输节点把 {name} 又套入 {name}，按容忍处理。",
                f"A transport node wrapped {name} in {name}: tolerated.",
            )
        yield from self._dxp_faults(data, root, name)

    def _dxp_faults(self, data: bytes, root: etree._Element, name: str) -> Iterator[FileFinding]:
        """Faults of the envelope itself."""
        edition = self._dxp
        plan = self._set_of("dxp", edition).plans.get(name)
        if plan is None or self._pool("dxp", edition, name).get().is_valid(root):
            return
        for fault in self._explainer("dxp", edition, name).explain(data, LARGE):
            found = _schema_finding(plan, fault)
            yield FileFinding(
                found.source,
                found.rule,
                found.severity,
                f"{name}/{fault.path}",
                found.zh,
                found.en,
                found.label_zh,
                found.label_en,
                found.value,
            )

    # -- what is loaded ------------------------------------------------------------------------

    def _set(self, edition: str) -> _Set:
        return self._set_of("ceb", edition)

    def _set_of(self, family: str, edition: str) -> _Set:
        found = self._sets.get((family, edition))
        if found is None:
            found = self._sets[family, edition] = _Set(dict(load_plan(family, edition)))
        return found

    def _pool(self, family: str, edition: str, name: str) -> ValidatorPool:
        pools = self._set_of(family, edition).validators
        if name not in pools:
            pools[name] = ValidatorPool(family, edition, name)
        return pools[name]

    def _is_valid(self, edition: str, name: str, root: etree._Element) -> bool:
        return self._pool("ceb", edition, name).get().is_valid(root)

    def _explainer(self, family: str, edition: str, name: str) -> Explainer:
        explainers = self._set_of(family, edition).explainers
        if name not in explainers:
            explainers[name] = Explainer(family, edition, name)
        return explainers[name]


def _encoding_note(data: bytes) -> Iterator[FileFinding]:
    declared = foreign_encoding(data)
    if declared:
        yield FileFinding(
            Source.READER,
            "encoding",
            Severity.NOTE,
            "?xml",
            f"编码声明为 {declared}，按容忍处理；规范为 UTF-8。",
            f"The message is written in {declared}: tolerated. Send UTF-8.",
        )


def _as_schemas_want(
    root: etree._Element, message: str
) -> tuple[etree._Element, list[FileFinding]]:
    """The tree as a schema is to see it, with a note for each liberty that was left out.

    Official samples break their own schemas: exports carry BaseTransfer twice, one receipt has its
    root without ``Message`` (traps of the export messages, 6).
    """
    found: list[FileFinding] = []
    held = root
    name = identify(root).name
    if name != message:
        held = deepcopy(root)
        held.tag = f"{{{CEB}}}{message}"
        zh = f"根元素写作 {name}，规范为 {message}，按容忍处理。"
        en = f"The root is called {name} instead of {message}: tolerated."
        found.append(FileFinding(Source.READER, "spelling", Severity.NOTE, name, zh, en))
    transfers = root.findall(f"{{{CEB}}}BaseTransfer")
    if len(transfers) == _TWO:
        held = deepcopy(root) if held is root else held
        held.remove(held.findall(f"{{{CEB}}}BaseTransfer")[1])
        zh = "报文含两个 BaseTransfer 节点（旧版官方出口样例如此），按容忍处理；请只发送一个。"
        en = (
            "The message carries BaseTransfer twice, as old official export samples do:"
            " tolerated. Send it once."
        )
        found.append(
            FileFinding(Source.READER, "repeated", Severity.NOTE, "BaseTransfer[2]", zh, en)
        )
    return held, found


def unreadable(
    refused: Refused,
    detail: str = "",
    envelope: EnvelopeFacts | None = None,
    *,
    detail_zh: str | None = None,
) -> FileReport:
    """The report of a file that nothing can be said about but why."""
    zh, en = refused.words(detail, detail_zh)
    finding = FileFinding(Source.READER, refused.name, Severity.BLOCK, "", zh, en)
    return FileReport(envelope=envelope, findings=(finding,), is_readable=False)


def _envelope_facts(data: bytes, opened: Envelope) -> EnvelopeFacts:
    return EnvelopeFacts(
        kind=identify(parse(data, LARGE)).name,
        cop_msg_id=opened.cop_msg_id,
        sender=opened.sender_id,
        receivers=opened.receiver_ids,
        created=opened.creat_time,
        msg_type=opened.msg_type,
    )


def _other_type(claimed: str, found: str) -> FileFinding:
    return FileFinding(
        Source.ENVELOPE,
        "MSG-TYPE",
        Severity.BLOCK,
        "DxpMsg/TransInfo/MsgType",
        f"信封声明的报文类型 {claimed[:40]} 与内容 {found} 不符。",
        f"The envelope says {claimed[:40]}, it holds a {found}.",
    )


def _schema_finding(plan: MessagePlan, fault: SchemaFault) -> FileFinding:
    place = "" if fault.record is None else f"{plan.record.name}[{fault.record}]/"
    name = fault.path.rpartition("/")[2]
    label_zh, label_en = fault.label_zh or name, fault.label_en or name
    value = None if fault.value is None else _shown(name, fault.value)
    said = "" if value is None else f"（值：{value}）"
    told = "" if value is None else f' (value "{value}")'
    return FileFinding(
        Source.SCHEMA,
        fault.rule.value,
        Severity.BLOCK,
        f"{place}{fault.path}",
        f"{label_zh} {name}：{fault.text_zh}{said}",
        f"{label_en} ({name}) {fault.text_en}{told}",
        label_zh,
        label_en,
        value,
    )


def _shown(name: str, value: str) -> str:
    """A value as it may be shown: persons are masked."""
    if name in _PERSONAL_NAMES:
        return mask_name(value)
    return mask(value) if name in _PERSONAL else value


def _repeated(number: str, records: Sequence[Record]) -> Iterator[FileFinding]:
    """Two records of one message with one business key: the later one loses its answer."""
    names = _KEYS.get(number, ("copNo",))
    seen: dict[tuple[str, ...], str] = {}
    for record in records:
        key = tuple(record.text(name) for name in names)
        if not all(key):
            continue
        if number in _RECEIPTS:
            return
        if key in seen:
            yield FileFinding(
                Source.RULE,
                "CEB-REPEATED",
                Severity.BLOCK,
                record.at(names[-1]),
                f"与 {seen[key]} 的{'+'.join(names)}相同，同一报文内不得重复。",
                f"Has the same {' and '.join(names)} as {seen[key]}; one message takes it once.",
            )
        seen.setdefault(key, record.path)


def _signature_findings(
    plan: MessagePlan, records: Sequence[Record], signature: SignatureReport
) -> Iterator[FileFinding]:
    declares = any(one.text("appStatus") == "2" for one in records)
    if signature.state is SignatureState.ABSENT:
        if plan.signature is Presence.OPTIONAL and declares:
            yield FileFinding(
                Source.SIGNATURE,
                "SIGN-401",
                Severity.WARN,
                "Signature",
                "申报报文（业务状态 2）应当签名。",
                "A message that declares (appStatus 2) should be signed.",
            )
        return
    for one in signature.findings:
        yield FileFinding(Source.SIGNATURE, one.rule, one.severity, "Signature", one.zh, one.en)


def _receipt_findings(name: str, records: Sequence[Record]) -> Iterator[FileFinding]:
    """What the statuses and codes of receipts mean; a refusal is the content, not a fault."""
    statuses = code_table("statuses").codes
    for record in records:
        status = record.text("returnStatus")
        if not status:
            continue
        codes = [one.code for one in cited(record.text("returnInfo"))]
        known = [found for code in (status, *codes) if (found := find_rejection(code))]
        for one in known:
            if one.code_class is not CodeClass.PROGRESS:
                yield _customs_code(record, one)
        if status not in statuses and not known:
            yield FileFinding(
                Source.CUSTOMS,
                "CEB-STATUS-UNKNOWN",
                Severity.NOTE,
                record.at("returnStatus"),
                f"{name} 的回执状态 {status[:12]} 不在代码表中。",
                f"The status {status[:12]} of {name} is in no table.",
            )


def _customs_code(record: Record, one: Rejection) -> FileFinding:
    refile = ", ".join(paper.value for paper in one.refile) or "nothing"
    again = "、".join(_PAPERS_ZH[paper.value] for paper in one.refile) or "无"
    return FileFinding(
        Source.CUSTOMS,
        one.code,
        Severity.NOTE,
        record.at("returnInfo" if one.status else "returnStatus"),
        f"{one.cause_zh}。{one.fix_zh}重报：{again}。",
        f"{one.cause_en}. {one.fix_en} File again: {refile}.",
    )


_RECEIPTS: Final = frozenset(
    "214 216 304 312 404 412 506 508 510 512 514 604 606 608 622 624 626 702 712 792 816 818 "
    "900".split()
)
_PAPERS_ZH: Final = {
    "order": "订单",
    "payment": "支付单",
    "waybill": "运单",
    "waybill_status": "运单状态",
    "inventory": "清单",
    "cancellation": "撤销申请单",
    "return": "退货申请单",
    "entry_list": "入库明细单",
}


def _answers(response: DxpResponse) -> Iterator[tuple[int, str]]:
    for position, one in enumerate(response.answers, 1):
        yield position, one.code


def _answer_finding(position: int, code: str) -> FileFinding:
    found = code_table("transport_answers").codes.get(code)
    return FileFinding(
        Source.CUSTOMS,
        f"DXP-{code[:8]}",
        Severity.NOTE,
        f"DxpRep/Response[{position}]/ResponseCode",
        found.zh if found else "代码表中没有此应答代码。",
        f"{found.en if found else 'an answer that no table holds'}.",
    )

"""Preflight of files: every order in them as matching would see it, nothing stored, nothing sent.

Beside a deployment its profiles, goods records, claims and stored papers count; without one a
profile is assumed that names every company of the files and nothing else.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, Protocol

from gateway.api.decode import GoodsItem, PaperItem
from gateway.api.faults import Fault
from gateway.api.reasons import value_fault
from gateway.api.views import Explain, finding_view, unverified_view
from gateway.app.ceb_rows import CEBFile, leaves_of
from gateway.app.import_rows import UnusableFile
from gateway.app.preflight_rows import UNNAMED_PROFILE, Given, GivenFile
from gateway.domain.errors import InvalidValue
from gateway.domain.goods import GoodsRecord, GoodsScope
from gateway.domain.ids import CaseId, ProfileId, TenantId
from gateway.domain.matching import explain_missing
from gateway.domain.papers import Order, Paper, PaperKind, PaperRevision, PaymentSlip, Waybill
from gateway.domain.profile import FilingProfile, Party, TradeMode
from gateway.domain.quota import QuotaAccount, buyer_of
from gateway.domain.tables import NO_TABLES, Tables
from gateway.flow.trial import (
    Surroundings,
    Trial,
    Tried,
    TriedCase,
    case_key_of,
    lookups_of,
    try_papers,
    with_order_numbers,
)
from gateway.ports import Lookup, Matcher
from schemas.explain import Fault as SchemaFault

Doc = dict[str, Any]  # Any: a JSON object
_NOBODY: Final = TenantId("preflight")
_SOURCE: Final = "preflight"
_SHOWN_FAULTS: Final = 1_000


class Known(Protocol):
    """What a deployment knows; :class:`Nothing` stands for none."""

    @property
    def profiles(self) -> Sequence[FilingProfile]:
        """The profiles that rows may name."""
        ...

    def goods(
        self, scope: GoodsScope, tenant: TenantId, skus: Sequence[str]
    ) -> dict[str, GoodsRecord]:
        """The goods records valid today."""
        ...

    async def holders(self, lookups: Sequence[Lookup]) -> Mapping[Lookup, CaseId]:
        """Which cases hold these numbers already."""
        ...

    async def papers(self, tenant: TenantId, case: CaseId) -> Mapping[PaperKind, PaperRevision]:
        """The papers of a case that is stored."""
        ...

    def tables(self, tenant: TenantId) -> Tables:
        """The reference tables that were imported."""
        ...

    async def account(self, profile: FilingProfile, order: Order) -> QuotaAccount | None:
        """The account of an order's buyer."""
        ...


@dataclass(frozen=True, slots=True)
class Nothing:
    """No deployment, or one profile from a file."""

    profiles: Sequence[FilingProfile] = ()

    def goods(
        self, scope: GoodsScope, tenant: TenantId, skus: Sequence[str]
    ) -> dict[str, GoodsRecord]:
        """None."""
        return {}

    async def holders(self, lookups: Sequence[Lookup]) -> Mapping[Lookup, CaseId]:
        """None."""
        return {}

    async def papers(self, tenant: TenantId, case: CaseId) -> Mapping[PaperKind, PaperRevision]:
        """None."""
        return {}

    def tables(self, tenant: TenantId) -> Tables:
        """None."""
        return NO_TABLES

    async def account(self, profile: FilingProfile, order: Order) -> QuotaAccount | None:
        """None."""
        return None


@dataclass(frozen=True, slots=True)
class RowFault:
    """What is wrong with a row that no rule speaks of; ``rule`` where one would have."""

    file: str
    place: str
    order_no: str | None
    fault: Fault
    rule: str | None = None

    def to_doc(self) -> Doc:
        """The JSON value."""
        return {
            "file": self.file,
            "at": self.place,
            "order_no": self.order_no,
            "rule": self.rule,
            **self.fault.to_doc(),
        }


@dataclass(slots=True)
class Report:
    """What became of a preflight."""

    files: list[str]
    rows: int
    trial: Trial
    faults: list[RowFault] = field(default_factory=list)
    assumed: FilingProfile | None = None

    @property
    def blocks(self) -> bool:
        """Whether anything keeps an order of these files from being declared."""
        return bool(self.faults) or any(case.blocks for case in self.trial.cases)

    def by_rule(self) -> dict[str, int]:
        """How often each rule found something."""
        found = Counter(one.rule for case in self.trial.cases for one in case.findings)
        found.update(fault.rule for fault in self.faults if fault.rule)
        return dict(sorted(found.items()))

    def to_doc(self, explain: Explain) -> Doc:
        """The JSON document of the report."""
        cases = self.trial.cases
        return {
            "files": self.files,
            "rows": self.rows,
            "orders": len(cases),
            "clean": sum(not case.findings for case in cases),
            "blocked": sum(case.blocks for case in cases),
            "profile": None if self.assumed is None else _assumed_doc(self.assumed),
            "by_rule": self.by_rule(),
            "results": [_case_doc(case, explain) for case in cases],
            "row_faults": [one.to_doc() for one in self.faults[:_SHOWN_FAULTS]],
            "unlinked": [one.place for one in self.trial.unlinked],
        }


def _assumed_doc(profile: FilingProfile) -> Doc:
    return {
        "assumed": True,
        "mode": profile.mode.value,
        "text": {
            "en": "no profile is known here: rules about the profile's own parties were not asked",
            "zh": "此处没有申报方案：未核对方案中的企业",
        },
    }


def _case_doc(case: TriedCase, explain: Explain) -> Doc:
    return {
        "order_no": case.key.order_no,
        "profile": case.profile.profile_id,
        "verdict": case.verdict.value,
        "blocks": case.blocks,
        "rows": {kind.value: list(places) for kind, places in case.places.items()},
        "findings": [finding_view(one, explain) for one in case.findings],
        "unverifiable": [finding_view(one, explain) for one in case.unverifiable],
        "unverified": unverified_view(case.unverified),
        "missing": [
            {
                "name": name,
                "text": {"en": explain_missing(name, "en"), "zh": explain_missing(name, "zh")},
            }
            for name in case.missing
        ],
    }


@dataclass(slots=True)
class _Run:
    files: Mapping[str, GivenFile]
    known: Known
    profile: str | None
    faults: list[RowFault] = field(default_factory=list)
    assumed: FilingProfile | None = None

    def all_rows(self) -> Iterator[tuple[str, Given]]:
        """Every row with its file."""
        return ((name, row) for name, file in self.files.items() for row in file.rows)

    def resolve(self, row: Given) -> FilingProfile | None:
        """The profile of a row; None when it names one that is not known here."""
        profiles = {one.profile_id: one for one in self.known.profiles}
        wanted = row.profile or self.profile
        if not profiles:
            self.assumed = self.assumed or assumed_profile([one for _, one in self.all_rows()])
            return self.assumed
        if isinstance(self.known, Nothing):
            return next(iter(profiles.values()))
        if wanted is not None:
            return profiles.get(ProfileId(wanted))
        fitting = [
            one for one in profiles.values() if row.head.get("ebpCode") in (None, one.platform.code)
        ] or list(profiles.values())
        if len(fitting) == 1:
            return fitting[0]
        names = ", ".join(sorted(profiles)[:20])
        raise UnusableFile(f"{row.place} names no profile; say --profile, one of: {names}")


def assumed_profile(rows: Sequence[Given]) -> FilingProfile:
    """A profile for files whose profile is not known: it names every company that they name.

    Its mode is direct (9610) where a waybill names means of transport, else bonded.
    """
    papers = [row.paper for row in rows]
    slips = [one for one in papers if isinstance(one, PaymentSlip)]
    waybills = [one for one in papers if isinstance(one, Waybill)]
    is_direct = any(one.transport_no or one.voyage_no or one.bill_no for one in waybills)
    refs = [one.payment.company_code for one in papers if isinstance(one, Order)]
    return FilingProfile(
        profile_id=ProfileId(UNNAMED_PROFILE),
        tenant=_NOBODY,
        version=1,
        mode=TradeMode.DIRECT if is_direct else TradeMode.BONDED,
        customs_code="0000",
        port_code="0000",
        platform=_ANYBODY,
        merchant=_ANYBODY,
        agent=_ANYBODY,
        assure_code=_ANYBODY.code,
        transfer=_ANYBODY,
        dxp_id="DXPENT0000000000",
        carriers=_companies([(one.carrier_code, one.carrier_name) for one in waybills]),
        payment_companies=_companies(
            [(one.company_code, one.company_name) for one in slips] + [(one, None) for one in refs]
        ),
        area=None if is_direct else _ANYBODY,
        account_book=None if is_direct else "T0000W000000",
    )


_TRANSPORT: Final = ("INVENTORY-DIRECT-FIELDS",)
_ANYBODY: Final = Party("3301960000", "?")


def _companies(named: Iterable[tuple[str | None, str | None]]) -> tuple[Party, ...]:
    """The companies that papers name; one that stands for all where none is named."""
    found = {code: name or "?" for code, name in named if code}
    return tuple(Party(code, name) for code, name in sorted(found.items())) or (_ANYBODY,)


async def preflight_files(
    files: Mapping[str, GivenFile],
    known: Known,
    matcher: Matcher,
    now: int,
    profile: str | None = None,
) -> Report:
    """Judge the rows of files together; ``profile`` is for rows that name none.

    Raises ``UnusableFile`` when the files hold nothing to judge, or rows need a profile.
    """
    run = _Run(files, known, profile)
    tried, excused = [], set[tuple[str, PaperKind]]()
    goods: dict[tuple[GoodsScope, str], GoodsRecord] = {}
    expected = set[PaperKind]()
    rows = 0
    for name, row in run.all_rows():
        rows += 1
        found = _row(run, name, row, goods)
        if row.paper_kind is not None and not row.is_inventory:
            expected.add(row.paper_kind)
        if found is None or row.paper is None:
            if row.order_no is not None and row.paper_kind is not None:
                excused.add((row.order_no, row.paper_kind))
        else:
            tried.append(_tried(_place(files, name, row), found, row, row.paper))
    if not rows:
        raise UnusableFile("the files hold no row")
    around = await _around(run, tried, goods, expected, excused)
    trial = try_papers(tried, around, matcher, now)
    told = _told(trial)
    run.faults = _unexplained(run, told)
    for name, file in files.items():
        for message, faults in zip(file.messages, file.schema, strict=True):
            run.faults += _schema_faults(name, message, faults, told)
    return Report(list(files), rows, trial, run.faults, run.assumed)


def _place(files: Mapping[str, GivenFile], name: str, row: Given) -> str:
    return row.place if len(files) == 1 else f"{name} {row.place}"


def _tried(place: str, profile: FilingProfile, row: Given, paper: Paper) -> Tried:
    """A paper, or what an inventory says of one under the profile that its head names."""
    codes = {"platform": row.head.get("ebpCode"), "merchant": row.head.get("ebcCode")}
    parties = {role: code for role, code in codes.items() if code}
    if not row.is_inventory:
        # A 511 has no place for the means of transport; only a 621 has.
        unasked = _TRANSPORT if row.head and isinstance(paper, Waybill) else ()
        source = row.item.source(_SOURCE) if isinstance(row.item, PaperItem) else _SOURCE
        return Tried(place, profile, paper, parties=parties, unasked=unasked, source=source)
    return Tried(place, profile, paper, inventory=_as_declared(profile, row.head))


def _party(head: Mapping[str, str], role: str) -> Party | None:
    code = head.get(f"{role}Code")
    return None if code is None else Party(code, head.get(f"{role}Name", "?"))


def _as_declared(profile: FilingProfile, head: Mapping[str, str]) -> FilingProfile:
    """A profile with the parties and the mode that the head of an inventory names."""
    modes = tuple(TradeMode)
    return replace(
        profile,
        platform=_party(head, "ebp") or profile.platform,
        merchant=_party(head, "ebc") or profile.merchant,
        agent=_party(head, "agent") or profile.agent,
        assure_code=head.get("assureCode") or profile.assure_code,
        area=_party(head, "area"),
        account_book=head.get("emsNo"),
        mode=next((one for one in modes if one == head.get("tradeMode")), profile.mode),
    )


def _row(
    run: _Run, name: str, row: Given, goods: dict[tuple[GoodsScope, str], GoodsRecord]
) -> FilingProfile | None:
    """The profile of a row that can be judged; its faults are noted, goods records kept."""
    for fault in row.faults:
        run.faults.append(RowFault(name, row.place, row.order_no, fault, _rule_of(row, fault)))
    if row.kind is None:
        return None
    profile = run.resolve(row)
    if profile is None:
        text = "is no filing profile here; see `clearance profiles list`"
        fault = Fault("profile", text, "不是已知的申报方案")
        run.faults.append(RowFault(name, row.place, row.order_no, fault))
        return None
    if isinstance(row.item, GoodsItem):
        scope = profile.goods_scope
        try:
            goods[scope, row.item.model.sku] = row.item.record(scope)
        except InvalidValue as error:
            run.faults.append(RowFault(name, row.place, None, value_fault(error)))
    return profile


async def _around(
    run: _Run,
    tried: Sequence[Tried],
    goods: dict[tuple[GoodsScope, str], GoodsRecord],
    expected: set[PaperKind],
    excused: set[tuple[str, PaperKind]],
) -> Surroundings:
    known = run.known
    has_goods = bool(goods)
    stored: dict[CaseId, Mapping[PaperKind, PaperRevision]] = {}
    accounts: dict[tuple[TenantId, str], QuotaAccount] = {}
    linked, _ = with_order_numbers(tried)
    is_deployed = not isinstance(known, Nothing)
    for order_no, item in linked:
        scope, tenant = item.profile.goods_scope, item.profile.tenant
        skus = [line.sku for line in getattr(item.paper, "lines", ())]
        wanted = [sku for sku in skus if (scope, sku) not in goods]
        if wanted:
            for sku, record in known.goods(scope, tenant, wanted).items():
                goods[scope, sku] = record
        case = case_key_of(item.profile, order_no).case_id
        if is_deployed and case not in stored:
            stored[case] = await known.papers(tenant, case)
        buyer = buyer_of(item.paper) if isinstance(item.paper, Order) else None
        if is_deployed and buyer is not None and (tenant, buyer) not in accounts:
            assert isinstance(item.paper, Order)
            account = await known.account(item.profile, item.paper)
            if account is not None:
                accounts[tenant, buyer] = account
    return Surroundings(
        goods=goods,
        expected=frozenset(expected),
        expects_goods=has_goods or is_deployed,
        excused=frozenset(excused),
        holders=await known.holders(lookups_of(tried)),
        stored=stored,
        tables={one: known.tables(one) for one in {item.profile.tenant for _, item in linked}},
        accounts=accounts,
    )


# --- faults of rows that no rule has told -----------------------------------------------------


def _rule_of(row: Given, fault: Fault) -> str | None:
    """The rule whose business a fault of a field is, where it has one."""
    prefix = (
        {
            PaperKind.ORDER: "ORDER",
            PaperKind.PAYMENT: "PAYMENT",
            PaperKind.WAYBILL: "WAYBILL",
        }.get(row.paper_kind)
        if row.paper_kind is not None
        else None
    )
    if prefix is None:
        return None
    if "characters" in fault.message:
        return f"{prefix}-TEXT-LENGTH" if prefix != "PAYMENT" else "PAYMENT-NUMBER-FORM"
    if "control character" in fault.message:
        return f"{prefix}-TEXT-CHARACTERS" if prefix != "PAYMENT" else "PAYMENT-NUMBER-FORM"
    if "is missing" in fault.message and prefix == "ORDER":
        return "ORDER-MANDATORY"
    return None


def _told(trial: Trial) -> dict[str, set[str]]:
    """For each order the fields that findings speak of."""
    told: dict[str, set[str]] = {}
    for case in trial.cases:
        leaves = told.setdefault(case.key.order_no, set())
        for finding in case.findings:
            leaves.update(leaf_of(path) for path in finding.paths)
            leaves.update(_ALSO.get(finding.rule, ()))
    return told


# What a finding speaks of beside the values that it shows.
_ALSO: Final[Mapping[str, tuple[str, ...]]] = {
    "ORDER-CURRENCY": ("currency",),
    "PAYMENT-CURRENCY": ("currency",),
    "WAYBILL-CURRENCY": ("currency",),
    "ORDER-LINE-NUMBERS": ("line_no",),
}


def _unexplained(run: _Run, told: Mapping[str, set[str]]) -> list[RowFault]:
    """The faults that no finding about the same field has told already."""
    return [
        one for one in run.faults if leaf_of(one.fault.path) not in told.get(one.order_no or "", ())
    ]


def leaf_of(path: str) -> str:
    """A path without paper and positions: enough to know a field by (``buyer.name``, ``total``)."""
    names = [part.partition("[")[0] for part in path.split(".")]
    kept = [name for name in names if name and not name.isdecimal() and name not in _FRAMES]
    return ".".join(kept) or names[-1]


_FRAMES: Final = frozenset({"order", "payment", "waybill", "lines"})


def _schema_faults(
    name: str, message: CEBFile, faults: Sequence[SchemaFault], told: Mapping[str, set[str]]
) -> Iterator[RowFault]:
    """What the schema says of a message, without what a rule has said of the same field."""
    orders = {record.number: record.head.get("orderNo") for record in message.records}
    for one in faults:
        order_no = orders.get(one.record or 0)
        element = one.path.rpartition("/")[2].partition("[")[0]
        if told.get(order_no or "", set()) & leaves_of(element):
            continue
        fault = Fault(one.path, f"{one.label_en} {one.text_en}", f"{one.label_zh}{one.text_zh}")
        place = "message" if one.record is None else f"record {one.record}"
        yield RowFault(name, place, order_no, fault, "SCHEMA")

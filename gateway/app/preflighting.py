"""Preflight of files: every order in them as matching would see it, nothing stored, nothing sent.

Beside a deployment its profiles, goods records, claims and stored papers count; without one a
profile is assumed that names every company of the files and nothing else. Imports and exports may
stand together: each is judged under a profile of its own direction.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, Protocol

from gateway.api.decode import GoodsItem, PaperItem
from gateway.api.faults import Fault
from gateway.api.reasons import value_fault
from gateway.api.views import Explain, finding_view, unverified_view
from gateway.app.assumed import ProfileRef, assumed_profiles
from gateway.app.ceb_exports import export_leaves_of
from gateway.app.ceb_rows import CEBFile, leaves_of
from gateway.app.import_rows import UnusableFile
from gateway.app.preflight_rows import Given, GivenFile
from gateway.domain.errors import InvalidValue
from gateway.domain.goods import GoodsRecord, GoodsScope
from gateway.domain.ids import CaseId, Direction, TenantId
from gateway.domain.matching import explain_missing
from gateway.domain.papers import (
    Order,
    Paper,
    PaperKind,
    PaperRevision,
    PaymentSlip,
    Waybill,
    kind_of,
)
from gateway.domain.profile import FilingProfile, Party, TradeMode
from gateway.domain.quota import QuotaAccount, buyer_of
from gateway.domain.tables import NO_TABLES, Tables
from gateway.flow.trial import (
    OrderRef,
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
    direction: Direction | None = None

    @property
    def order(self) -> OrderRef:
        """The order that the row is of."""
        return self.direction or Direction.IMPORT, self.order_no or ""

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
    assumed: Mapping[ProfileRef, FilingProfile] = field(default_factory=dict)

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
            "profile": _assumed_doc(self.assumed) if self.assumed else None,
            "by_rule": self.by_rule(),
            "results": [_case_doc(case, explain) for case in cases],
            "row_faults": [one.to_doc() for one in self.faults[:_SHOWN_FAULTS]],
            "unlinked": [one.place for one in self.trial.unlinked],
        }


def _assumed_doc(profiles: Mapping[ProfileRef, FilingProfile]) -> Doc:
    modes: dict[str, str] = {}
    for (way, _), one in profiles.items():
        modes.setdefault(way.value, one.mode.value)
    return {
        "assumed": True,
        "mode": next(iter(profiles.values())).mode.value,
        "modes": modes,
        "profiles": [
            {"direction": way.value, "named": name, "mode": one.mode.value}
            for (way, name), one in profiles.items()
        ],
        "text": {
            "en": "no profile is known here: rules about the profile's own parties were not asked",
            "zh": "此处没有申报方案：未核对方案中的企业",
        },
    }


def _case_doc(case: TriedCase, explain: Explain) -> Doc:
    return {
        "order_no": case.key.order_no,
        "direction": case.key.direction.value,
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
    assumed: Mapping[ProfileRef, FilingProfile]
    faults: list[RowFault] = field(default_factory=list)
    goods: dict[tuple[GoodsScope, str], GoodsRecord] = field(default_factory=dict)
    of_inventories: dict[OrderRef, dict[str, GoodsRecord]] = field(default_factory=dict)

    def all_rows(self) -> Iterator[tuple[str, Given]]:
        """Every row with its file."""
        return ((name, row) for name, file in self.files.items() for row in file.rows)

    def resolve(self, row: Given) -> FilingProfile | Fault:
        """The profile of a row, else why there is none.

        Raises ``UnusableFile`` when it names none and several fit.
        """
        if self.assumed:
            way = row.direction or next(iter(self.assumed))[0]
            return self.assumed[way, row.profile or self.profile]
        profiles = {str(one.profile_id): one for one in self.known.profiles}
        if isinstance(self.known, Nothing):
            return _checked(next(iter(profiles.values())), row)
        if row.profile is not None:
            named = profiles.get(row.profile)
            return _UNKNOWN if named is None else _checked(named, row)
        asked = None if self.profile is None else profiles.get(self.profile)
        if self.profile is not None and asked is None:
            return _UNKNOWN
        if asked is not None and row.direction in (None, asked.direction):
            return asked
        possible = [one for one in profiles.values() if row.direction in (None, one.direction)]
        if not possible:
            return _other_way(row.direction or _FIRST)
        fitting = [
            one for one in possible if row.head.get("ebpCode") in (None, one.platform.code)
        ] or possible
        if len(fitting) == 1:
            return fitting[0]
        names = ", ".join(sorted(str(one.profile_id) for one in possible)[:20])
        raise UnusableFile(
            f"{row.place} names no profile; say --profile, one of: {names}",
            "未指明申报方案，请用 --profile 选择其一",
        )


_FIRST: Final = Direction.IMPORT
_UNKNOWN: Final = Fault(
    "profile", "is no filing profile here; see `clearance profiles list`", "不是已知的申报方案"
)
_WAYS: Final[Mapping[Direction, str]] = {Direction.IMPORT: "进口", Direction.EXPORT: "出口"}


def _other_way(wanted: Direction) -> Fault:
    english = f"is needed, and none here is of {wanted.value}s; see `clearance profiles list`"
    return Fault("profile", english, f"缺少{_WAYS[wanted]}申报方案，此处没有")


def _checked(profile: FilingProfile, row: Given) -> FilingProfile | Fault:
    """The profile that a row is to be judged under, when it is one of the row's direction."""
    if row.direction in (None, profile.direction):
        return profile
    assert row.direction is not None
    english = f"is of {profile.direction}s, the paper is of an {row.direction.value}"
    chinese = f"该方案为{_WAYS[profile.direction]}申报，单证为{_WAYS[row.direction]}单证"
    return Fault("profile", english, chinese)


_TRANSPORT: Final = ("INVENTORY-DIRECT-FIELDS",)
_NUMBER: Final = ("WAYBILL-ORDER-NO",)
_COMPANY: Final = ("PAYMENT-COMPANY-KNOWN",)


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
    rows = [row for file in files.values() for row in file.rows]
    if not rows:
        raise UnusableFile("the files hold no row", "文件中没有任何行")
    run = _Run(files, known, profile, {} if known.profiles else assumed_profiles(rows, profile))
    tried, excused = [], set[tuple[OrderRef, PaperKind]]()
    expected = set[tuple[Direction, PaperKind]]()
    for name, row in run.all_rows():
        found = _row(run, name, row)
        if row.paper_kind is None:
            continue
        way = row.direction or _FIRST
        if found is not None and row.paper is not None:
            tried.append(_tried(_place(files, name, row), found, row, row.paper))
            continue
        if not row.is_inventory:
            expected.add((way, row.paper_kind))
        if row.order_no is not None:
            excused.add(((way, row.order_no), row.paper_kind))
    around = await _around(run, tried, expected, excused)
    trial = try_papers(tried, around, matcher, now)
    told = _told(trial)
    of_rows = _unexplained(run, told)
    for one in of_rows:
        if one.rule is not None:
            told.setdefault(one.order, set()).add(leaf_of(one.fault.path))
    schema = [
        fault
        for name, file in files.items()
        for message, faults in zip(file.messages, file.schema, strict=True)
        for fault in _schema_faults(name, message, faults, told)
    ]
    run.faults = [*_besides(of_rows, schema), *schema]
    return Report(list(files), len(rows), trial, run.faults, run.assumed)


def _place(files: Mapping[str, GivenFile], name: str, row: Given) -> str:
    return row.place if len(files) == 1 else f"{name} {row.place}"


def _tried(place: str, profile: FilingProfile, row: Given, paper: Paper) -> Tried:
    """A paper, or what an inventory says of one under the profile that its head names."""
    codes = {"platform": row.head.get("ebpCode"), "merchant": row.head.get("ebcCode")}
    parties = {role: code for role, code in codes.items() if code}
    if not row.is_inventory:
        unasked = _without_place(row, paper)
        source = row.item.source(_SOURCE) if isinstance(row.item, PaperItem) else _SOURCE
        return Tried(
            place,
            profile,
            paper,
            parties=parties,
            unasked=unasked,
            source=source,
            # A 511 is what customs gets of the waybill, whoever sends it.
            is_as_filed=bool(row.head) and isinstance(paper, Waybill),
        )
    return Tried(place, profile, paper, inventory=_as_declared(profile, row.head))


def _without_place(row: Given, paper: Paper) -> Sequence[str]:
    """The rules about what a message has no place for, or leaves out rightly."""
    if not row.head:
        return ()
    if isinstance(paper, Waybill):
        # A 511 has no place for the means of transport; only a 621 has. A 505 names no order.
        return _NUMBER if row.direction is Direction.EXPORT else _TRANSPORT
    is_foreign = isinstance(paper, PaymentSlip) and paper.company_code is None
    # A firm abroad that pays for an export has a name and no code (403).
    return _COMPANY if is_foreign and row.direction is Direction.EXPORT else ()


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
        area=_party(head, "area") or _party(head, "iac"),
        account_book=head.get("emsNo"),
        mode=next((one for one in modes if one == head.get("tradeMode")), profile.mode),
    )


def _row(run: _Run, name: str, row: Given) -> FilingProfile | None:
    """The profile of a row that can be judged; its faults are noted, goods records kept."""

    def note(fault: Fault, rule: str | None = None) -> None:
        run.faults.append(RowFault(name, row.place, row.order_no, fault, rule, row.direction))

    for fault in row.faults:
        note(fault, _rule_of(row, fault))
    if row.kind is None:
        return None
    profile = run.resolve(row)
    if isinstance(profile, Fault):
        note(profile)
        return None
    if isinstance(row.item, GoodsItem):
        try:
            _keep_goods(run, row, row.item, profile)
        except InvalidValue as error:
            note(value_fault(error))
    return profile


def _keep_goods(run: _Run, row: Given, item: GoodsItem, profile: FilingProfile) -> None:
    """What an inventory says of its goods is of its order alone; other records are of a scope."""
    sku = item.model.sku
    if row.is_inventory:
        order = (row.direction or _FIRST, row.order_no or "")
        run.of_inventories.setdefault(order, {})[sku] = item.record(profile.goods_scope)
        return
    wanted = row.profile or run.profile
    for one in [one for (_, name), one in run.assumed.items() if name == wanted] or (profile,):
        run.goods[one.goods_scope, sku] = item.record(one.goods_scope)


async def _around(
    run: _Run,
    tried: Sequence[Tried],
    expected: set[tuple[Direction, PaperKind]],
    excused: set[tuple[OrderRef, PaperKind]],
) -> Surroundings:
    known, goods = run.known, run.goods
    has_goods = bool(goods)
    stored: dict[CaseId, Mapping[PaperKind, PaperRevision]] = {}
    accounts: dict[tuple[TenantId, str], QuotaAccount] = {}
    linked, _ = with_order_numbers(tried)
    is_deployed = not isinstance(known, Nothing)
    # A waybill that leads to no order here may be the one that an order seems to lack.
    expected |= {
        (item.profile.direction, kind_of(item.paper)) for _, item in linked if not item.inventory
    }
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
        of_inventories=run.of_inventories,
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
    if row.paper_kind is None or row.direction is Direction.EXPORT:
        return None
    prefix = row.paper_kind.name
    is_control, is_long = "control character" in fault.message, "characters" in fault.message
    if row.paper_kind is PaperKind.PAYMENT:
        is_number = fault.path == "transaction_id" and (is_control or is_long)
        return "PAYMENT-NUMBER-FORM" if is_number else None
    if is_control or is_long:
        return f"{prefix}-TEXT-CHARACTERS" if is_control else f"{prefix}-TEXT-LENGTH"
    if "is missing" in fault.message and prefix == "ORDER":
        return "ORDER-MANDATORY"
    return None


def _told(trial: Trial) -> dict[OrderRef, set[str]]:
    """For each order the fields that findings speak of."""
    told: dict[OrderRef, set[str]] = {}
    for case in trial.cases:
        leaves = told.setdefault((case.key.direction, case.key.order_no), set())
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
    "ORDER-LINE-COUNT": ("OrderList", "InventoryList"),
}


def _unexplained(run: _Run, told: Mapping[OrderRef, set[str]]) -> list[RowFault]:
    """The faults that no finding about the same field has told already."""
    return [one for one in run.faults if leaf_of(one.fault.path) not in told.get(one.order, ())]


def _besides(faults: Sequence[RowFault], schema: Sequence[RowFault]) -> list[RowFault]:
    """The faults of rows without those that the schema tells of the same field."""
    said = {(one.order, leaf) for one in schema for leaf in _leaves(one.fault.path, one.order[0])}
    return [one for one in faults if one.rule or (one.order, leaf_of(one.fault.path)) not in said]


def _leaves(path: str, way: Direction) -> frozenset[str]:
    """The fields that a fault of the schema at a path speaks of, and the element's own name."""
    element = path.rpartition("/")[2].partition("[")[0]
    leaves = leaves_of(element) if way is Direction.IMPORT else export_leaves_of(element)
    return leaves | {element}


def leaf_of(path: str) -> str:
    """A path without paper and positions: enough to know a field by (``buyer.name``, ``total``)."""
    names = [part.partition("[")[0] for part in path.split(".")]
    kept = [name for name in names if name and not name.isdecimal() and name not in _FRAMES]
    return ".".join(kept) or names[-1]


_FRAMES: Final = frozenset({"order", "payment", "waybill", "lines"})


def _schema_faults(
    name: str,
    message: CEBFile,
    faults: Sequence[SchemaFault],
    told: Mapping[OrderRef, set[str]],
) -> Iterator[RowFault]:
    """What the schema says of a message, without what a rule has said of the same field."""
    records = {record.number: record for record in message.records}
    for one in faults:
        record = records.get(one.record or 0)
        way = _FIRST if record is None else record.direction
        order_no = None if record is None else record.head.get("orderNo")
        if told.get((way, order_no or ""), set()) & _leaves(one.path, way):
            continue
        fault = Fault(one.path, f"{one.label_en} {one.text_en}", f"{one.label_zh}{one.text_zh}")
        place = "message" if one.record is None else f"record {one.record}"
        yield RowFault(name, place, order_no, fault, "SCHEMA", way)

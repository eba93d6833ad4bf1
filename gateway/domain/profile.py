"""Enterprises, mandates and filing profiles: who files what, where, for whom."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from enum import StrEnum
from functools import cache
from typing import Final

from gateway.domain.declaration import DeclarationKind
from gateway.domain.errors import InvalidValue
from gateway.domain.goods import GoodsScope
from gateway.domain.ids import CaseId, Direction, ProfileId, TenantId
from gateway.domain.papers import PaperKind
from gateway.domain.party import is_enterprise_code, is_social_credit_code


class Role(StrEnum):
    """What an enterprise does in a declaration."""

    PLATFORM = "platform"
    MERCHANT = "merchant"
    PAYMENT_COMPANY = "payment_company"
    CARRIER = "carrier"
    AGENT = "agent"
    GUARANTOR = "guarantor"
    AREA_OPERATOR = "area_operator"
    SITE_OPERATOR = "site_operator"


class TradeMode(StrEnum):
    """The customs supervision mode; 9610 and 1210 are of both directions."""

    DIRECT = "9610"
    BONDED = "1210"
    BONDED_A = "1239"
    B2B = "9710"
    OVERSEAS_WAREHOUSE = "9810"

    @property
    def is_bonded(self) -> bool:
        """Whether the goods leave a bonded warehouse, or a special zone."""
        return self in (TradeMode.BONDED, TradeMode.BONDED_A)


MODES: Final[Mapping[Direction, frozenset[TradeMode]]] = {
    Direction.IMPORT: frozenset({TradeMode.DIRECT, TradeMode.BONDED, TradeMode.BONDED_A}),
    Direction.EXPORT: frozenset(TradeMode) - {TradeMode.BONDED_A},
}
"""Which modes goods of a direction can be declared in."""


@dataclass(frozen=True, slots=True)
class Enterprise:
    """A registered enterprise: customs code and social credit code are two names of one."""

    code: str
    name: str
    social_credit_code: str | None = None
    roles: frozenset[Role] = frozenset()
    valid_from: date | None = None
    valid_to: date | None = None

    def check(self) -> None:
        """Raise :class:`InvalidValue` when a code or the name cannot be right."""
        if not is_enterprise_code(self.code):
            raise InvalidValue("code", "must be a 10-character customs or 18-character credit code")
        if self.social_credit_code and not is_social_credit_code(self.social_credit_code):
            raise InvalidValue("social_credit_code", "the check character is wrong")
        if not self.name.strip():
            raise InvalidValue("name", "must be the registered name")

    def is_named(self, code: str) -> bool:
        """Whether a code names this enterprise."""
        return code in (self.code, self.social_credit_code)


@dataclass(frozen=True, slots=True)
class Mandate:
    """The right of a tenant to use an enterprise in a role for a period."""

    tenant: TenantId
    enterprise_code: str
    role: Role
    valid_from: date
    valid_to: date | None = None

    def covers(self, tenant: TenantId, code: str, role: Role, day: date) -> bool:
        """Whether this mandate allows the use on a day."""
        return (
            (self.tenant, self.enterprise_code, self.role) == (tenant, code, role)
            and self.valid_from <= day
            and (self.valid_to is None or day <= self.valid_to)
        )


@dataclass(frozen=True, slots=True)
class Party:
    """An enterprise as a declaration names it."""

    code: str
    name: str


class FiledBy(StrEnum):
    """Who files a paper with customs; ``nobody`` where the office asks for none (exports)."""

    US = "us"
    OTHER = "other"
    NOBODY = "nobody"


class ConfirmedBy(StrEnum):
    """How we learn that a paper's filing stands."""

    RECEIPT = "receipt"
    SUBSCRIPTION = "subscription"
    API = "api"
    STATEMENT = "statement"


class OnTimeout(StrEnum):
    """What to do when a paper is not confirmed within its max_wait."""

    HOLD = "hold"
    SEND = "send"


@dataclass(frozen=True, slots=True)
class PaperFiling:
    """How one paper reaches customs, and whether the inventory waits for it.

    ``max_wait_s`` runs from when everything agrees; after it a case is held, or its inventory is
    sent without the confirmation. Of a paper that we file, silence is looked at when its answer is
    overdue, not before.
    """

    filed_by: FiledBy
    confirmed_by: ConfirmedBy
    gate: bool = True
    max_wait_s: int = 3600
    on_timeout: OnTimeout = OnTimeout.HOLD


IMPORT_RECEIVER: Final = "DXPEDCCEB0000002"
EXPORT_RECEIVER: Final = "DXPEDCCEB0000003"
"""The DXP ids of the import and the export side of the e-port."""

_RAMP_DIGITS: Final = 8
_TIME: Final = re.compile(r"(?:[01][0-9]|2[0-3]):[0-5][0-9]", re.ASCII)
_MINUTE_US: Final = 60 * 1_000_000
_DAY_US: Final = 24 * 60 * _MINUTE_US
_DAY_S: Final = 24 * 3600
_MOST_WAIT_DAYS: Final = 14
_BEIJING_US: Final = 8 * 60 * _MINUTE_US
_BY_US: Final = PaperFiling(FiledBy.US, ConfirmedBy.RECEIPT)
_BY_OTHERS: Final = PaperFiling(FiledBy.OTHER, ConfirmedBy.STATEMENT)


def _minute_of(time: str) -> int:
    hours, _, minutes = time.partition(":")
    return int(hours) * 60 + int(minutes)


@cache
def _scope(port_code: str, mode: TradeMode, account_book: str) -> GoodsScope:
    """Asked for with every order, and always one of a few."""
    return GoodsScope(port_code, mode.value, account_book)


@dataclass(frozen=True, slots=True)
class Consigning:
    """What we file of a consignment: everything that travels under one bill with one carrier.

    ``files`` are kinds of lists: the entry list (711) of an import by its site ``operator``, the
    master list (607) of an export. Parcels are gathered for ``gather_s``, counted in even parts of
    the day; who comes later stands in a list of its own.
    """

    files: tuple[DeclarationKind, ...]
    gather_s: int = 1800
    operator: Party | None = None

    def due_after(self, moment: int) -> int:
        """When what is gathered at a moment is filed, both UTC microseconds."""
        step = self.gather_s * 1_000_000
        return moment - moment % step + step


_LISTS: Final[Mapping[Direction, DeclarationKind]] = {
    Direction.IMPORT: DeclarationKind.ENTRY_LIST,
    Direction.EXPORT: DeclarationKind.MASTER_LIST,
}


class Every(StrEnum):
    """How long a period is, by customs' calendar."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"


@dataclass(frozen=True, slots=True)
class Summary:
    """How released inventories are rolled into general declarations (701), which ``declarant``,
    a broker, files later.

    What was released within one period is requested together ``wait_days`` after its end, so that
    late releases are in it; a month's is due by the 15th of the next (announcement 2018 no. 194).
    ``by_producer`` keeps producers apart, ``keeps_names`` the names of the goods.
    """

    declarant: Party
    every: Every = Every.MONTH
    wait_days: int = 1
    by_producer: bool = False
    keeps_names: bool = True

    def period(self, day: date) -> tuple[str, date]:
        """The name of the period that a day of release is in, and the day it is requested on."""
        if self.every is Every.DAY:
            name, end = day.isoformat(), day + timedelta(days=1)
        elif self.every is Every.WEEK:
            year, week, weekday = day.isocalendar()
            name, end = f"{year}-W{week:02d}", day + timedelta(days=8 - weekday)
        else:
            name, end = f"{day:%Y-%m}", (day.replace(day=28) + timedelta(days=4)).replace(day=1)
        return name, end + timedelta(days=self.wait_days)


@dataclass(frozen=True, slots=True)
class ExportTerms:
    """What an export's inventory (603) states beside papers and goods records.

    ``destination_port`` is POD. ``is_summarised``: rolled into a general declaration later
    (statisticsFlag B). Without a ``producer`` the merchant is named. Goods may come home within
    ``return_days`` of their release (announcement 2020 no. 44: a year). With a ``summary`` we ask
    for the general declarations.
    """

    destination_port: str
    is_summarised: bool = False
    producer: Party | None = None
    return_days: int = 365
    summary: Summary | None = None


@dataclass(frozen=True, slots=True)
class Subscription:
    """A third party that gets copies of a message's data or receipts (BaseSubscribe)."""

    status: str
    dxp_address: str
    dxp_mode: str = "DXP"
    note: str | None = None


@dataclass(frozen=True, slots=True)
class FilingProfile:
    """Everything a tenant's declarations at one port have in common."""

    profile_id: ProfileId
    tenant: TenantId
    version: int
    mode: TradeMode
    customs_code: str
    port_code: str
    platform: Party
    merchant: Party
    agent: Party
    transfer: Party
    dxp_id: str
    carriers: tuple[Party, ...]
    payment_companies: tuple[Party, ...]
    direction: Direction = Direction.IMPORT
    assure_code: str = ""
    area: Party | None = None
    account_book: str | None = None
    loct_no: str | None = None
    country: str = "142"
    traf_mode: str = "7"
    wrap_type: str | None = None
    subscriptions: tuple[Subscription, ...] = ()
    receiver_id: str = IMPORT_RECEIVER
    edition: str = "202205"
    channel: str = "dxp"
    key_ring: str = "default"
    filings: Mapping[PaperKind, PaperFiling] = field(default_factory=dict)
    entrusted: frozenset[PaperKind] = frozenset()
    cop_no_prefix: str = "CG"
    # For how long a carrier gives no waybill number twice; six months have 184 days at most.
    waybill_window_days: int = 184
    waiting_s: int = 72 * 3600
    # How long what a source owes may be missing, by its name (order, payment, waybill, goods):
    # seconds from a case's first fact; what is not named here has waiting_s.
    waits: Mapping[str, int] = field(default_factory=dict)
    answer_timeout_s: int = 900
    resend_gap_s: int = 1800
    resend_limit: int = 3
    require_identity_check: bool = False
    rule_pack: str = "import-default"
    is_production: bool = False
    payment_places: tuple[str, ...] = ()
    # Of a hundred orders, how many we declare; the others are matched and held (golive).
    ramp_percent: int = 100
    # Days from release within which a return must be asked for, and its goods be back
    # (announcement 2020 no. 45), and how many days before each somebody is told.
    return_apply_days: int = 30
    return_back_days: int = 45
    return_warn_days: int = 5
    # When the warehouse closes a wave, every day, as HH:MM of Beijing.
    cut_offs: tuple[str, ...] = ()
    export: ExportTerms | None = None
    consigning: Consigning | None = None

    @property
    def is_export(self) -> bool:
        """Whether goods leave the country under it."""
        return self.direction is Direction.EXPORT

    @property
    def gathers(self) -> bool:
        """Whether parcels go into lists of ours once customs has their inventories."""
        is_summing = self.export is not None and self.export.summary is not None
        return is_summing or self.consigning is not None

    @property
    def goods_scope(self) -> GoodsScope:
        """The scope in which this profile looks up goods records."""
        return _scope(self.port_code, self.mode, self.account_book or "")

    def filing(self, kind: PaperKind) -> PaperFiling:
        """How one paper is filed: by default the order by us, the others by their companies."""
        found = self.filings.get(kind)
        if found is not None:
            return found
        return _BY_US if kind is PaperKind.ORDER else _BY_OTHERS

    def carrier(self, code: str | None) -> Party | None:
        """The carrier of a code; the only one when none is named."""
        return _pick(self.carriers, code)

    def payment_company(self, code: str | None) -> Party | None:
        """The payment company of a code; the only one when none is named."""
        return _pick(self.payment_companies, code)

    def cut_off_after(self, moment: int) -> int:
        """The first cut-off of the warehouse after a moment, both in UTC microseconds.

        Without cut-offs it is the end of the day in Beijing: a declaration is of its day.
        """
        local = moment + _BEIJING_US
        midnight = local - local % _DAY_US
        minutes = sorted(map(_minute_of, self.cut_offs)) or [0]
        today = (midnight + minute * _MINUTE_US for minute in minutes)
        tomorrow = midnight + _DAY_US + minutes[0] * _MINUTE_US
        return next((one for one in today if one > local), tomorrow) - _BEIJING_US

    def declares(self, case_id: CaseId) -> bool:
        """Whether the ramp of a going live covers a case; a case once covered stays so as the
        share grows.
        """
        return int(case_id[:_RAMP_DIGITS], 16) % 100 < self.ramp_percent

    def check(self) -> None:
        """Raise :class:`InvalidValue` for the first field that cannot be right."""
        if not 0 <= self.ramp_percent <= 100:
            raise InvalidValue("ramp_percent", "must be between 0 and 100")
        for name in ("return_apply_days", "return_back_days", "return_warn_days"):
            if getattr(self, name) < 1:
                raise InvalidValue(name, "must be at least 1")
        for path, party in (
            ("platform", self.platform),
            ("merchant", self.merchant),
            ("agent", self.agent),
        ):
            if not party.code or not party.name:
                raise InvalidValue(path, "needs both the registered code and name")
        if len(self.customs_code) != 4 or len(self.port_code) != 4:
            raise InvalidValue(
                "customs_code", "customs_code and port_code are 4-digit office codes"
            )
        self._check_direction()
        self._check_consigning()
        if self.mode.is_bonded and (self.area is None or not self.account_book):
            raise InvalidValue("area", "bonded modes need area and account_book (emsNo)")
        if not all(map(_TIME.fullmatch, self.cut_offs)):
            raise InvalidValue("cut_offs", 'must be times of day such as "16:30"')
        if not 2 <= len(self.cop_no_prefix) <= 4:
            raise InvalidValue("cop_no_prefix", "must have 2 to 4 characters")
        if len(self.subscriptions) > 5:
            raise InvalidValue("subscriptions", "at most 5 are possible")
        self._check_filings()
        if not self.carriers or not self.payment_companies:
            raise InvalidValue("carriers", "name at least one carrier and one payment company")

    def _check_direction(self) -> None:
        """What the direction demands: a mode of its own, and of an export its terms."""
        if self.mode not in MODES[self.direction]:
            raise InvalidValue("mode", "is no mode of the direction")
        if not self.is_export:
            if self.export is not None:
                raise InvalidValue("export", "belongs to an export alone")
            if not self.assure_code:
                raise InvalidValue("assure_code", "an import names who stands in for the tax")
            return
        if self.export is None:
            raise InvalidValue("export", "an export states its destination_port (POD)")
        if self.export.return_days < 1:
            raise InvalidValue("export.return_days", "must be at least 1")
        summary = self.export.summary
        if summary is not None and not self.export.is_summarised:
            raise InvalidValue("export.summary", "sums up inventories with is_summarised = true")
        if summary is not None and not 0 <= summary.wait_days <= _MOST_WAIT_DAYS:
            raise InvalidValue("export.summary.wait_days", "must lie between 0 and 14 days")
        if self.rule_pack == "import-default":
            raise InvalidValue("rule_pack", "judges imports; of exports it is export-default")
        if not self.wrap_type:
            raise InvalidValue("wrap_type", "an export states how it is packed")

    def _check_consigning(self) -> None:
        """Lists are of goods that travel under a bill, and 711 is its site operator's."""
        consigning = self.consigning
        if consigning is None:
            return
        if set(consigning.files) != {_LISTS[self.direction]}:
            raise InvalidValue("consigning.files", "is no list of the direction")
        if self.mode.is_bonded and not self.is_export:
            raise InvalidValue("consigning", "bonded goods travel under no bill")
        if not self.is_export and consigning.operator is None:
            raise InvalidValue("consigning.operator", "files the entry list (711): name it")
        if not 1 <= consigning.gather_s <= _DAY_S:
            raise InvalidValue("consigning.gather_s", "must be between 1 second and a day")

    def _check_right_to_file(self, kind: PaperKind, filing: PaperFiling) -> None:
        """A payment or waybill is filed by its own company, or by an entrusted operator for it."""
        companies = self.payment_companies if kind is PaperKind.PAYMENT else self.carriers
        if self.is_export and kind is PaperKind.PAYMENT:
            # A merchant reports the money that it received itself (403).
            companies = (*companies, self.merchant)
        is_own = self.transfer.code in {party.code for party in companies}
        if not is_own and kind not in self.entrusted:
            company = "payment company" if kind is PaperKind.PAYMENT else "carrier"
            raise InvalidValue(
                f"filings.{kind}.filed_by",
                f"the transfer enterprise is no registered {company} of the profile: have the "
                f"{company} file it, or name {kind} in entrusted",
            )
        if filing.confirmed_by is not ConfirmedBy.RECEIPT:
            raise InvalidValue(f"filings.{kind}.confirmed_by", "must be receipt when filed by us")

    def _check_filings(self) -> None:
        """Refuse what the flow cannot honour: a gate nobody watches must not stand open."""
        for kind in PaperKind:
            is_spared = self.filing(kind).filed_by is FiledBy.NOBODY
            if is_spared and not (self.is_export and kind is PaperKind.PAYMENT):
                raise InvalidValue(
                    f"filings.{kind}.filed_by", "nobody: only an export may spare its receipt of"
                    " funds",
                )  # fmt: skip
        for kind in (PaperKind.PAYMENT, PaperKind.WAYBILL):
            filing = self.filing(kind)
            if filing.filed_by is FiledBy.NOBODY:
                continue
            if filing.filed_by is FiledBy.US:
                self._check_right_to_file(kind, filing)
            elif filing.gate and filing.confirmed_by is ConfirmedBy.RECEIPT:
                raise InvalidValue(
                    f"filings.{kind}.confirmed_by",
                    "must be statement, api or subscription while gate is true",
                )


def _pick(parties: tuple[Party, ...], code: str | None) -> Party | None:
    if code is None:
        return parties[0] if len(parties) == 1 else None
    return next((party for party in parties if party.code == code), None)

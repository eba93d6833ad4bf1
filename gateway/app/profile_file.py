"""Filing profiles as files (TOML or JSON): checked once, with every fault and its path.

Lengths are those of the customs schema (CEB 202205: common.xsd, CEB621Message.xsd), so that a
profile which is accepted here can be written there. Names and defaults are those of
``gateway.domain.profile.FilingProfile``; ``tenant`` and ``version`` are not in the file.
"""

import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import orjson
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
)
from pydantic_core import PydanticCustomError

from gateway.api.faults import Fault, faults_of
from gateway.api.reasons import value_fault
from gateway.domain.codec import from_doc
from gateway.domain.errors import InvalidValue
from gateway.domain.ids import TenantId
from gateway.domain.party import is_enterprise_code
from gateway.domain.profile import EXPORT_RECEIVER, IMPORT_RECEIVER, FilingProfile, TradeMode

MAX_FILE_BYTES: Final = 1024 * 1024
_WEEK_S: Final = 7 * 24 * 3600
_MONTH_S: Final = 31 * 24 * 3600


class ProfileFaulty(Exception):
    """The file holds no usable profile; ``faults`` are all of its faults."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__(f"{len(faults)} faults")
        self.faults = tuple(faults)


def _enterprise(code: str) -> str:
    if not is_enterprise_code(code):
        raise PydanticCustomError("enterprise", "not an enterprise code")
    return code


def _text(limit: int) -> Any:
    return StringConstraints(min_length=1, max_length=limit, pattern=r"^\S(?:.*\S)?$")


EnterpriseCode = Annotated[str, AfterValidator(_enterprise)]
Office = Annotated[str, StringConstraints(pattern=r"^[0-9]{4}$")]
Code1 = Annotated[str, StringConstraints(pattern=r"^[0-9A-Z]$")]
Code3 = Annotated[str, StringConstraints(pattern=r"^[0-9]{3}$")]
TimeOfDay = Annotated[str, StringConstraints(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")]
Word = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]{1,64}$")]


class _Part(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")


class PartyFile(_Part):
    """An enterprise as a declaration names it: registered code and exact registered name."""

    code: EnterpriseCode
    name: Annotated[str, _text(100)]


class CompanyFile(_Part):
    """A carrier or payment company; its code is the one that papers name it by."""

    code: Annotated[str, _text(18)]
    name: Annotated[str, _text(100)]


class FilingFile(_Part):
    """How one paper reaches customs."""

    filed_by: Literal["us", "other", "nobody"]
    confirmed_by: Literal["receipt", "subscription", "api", "statement"] = "receipt"
    gate: bool = True
    max_wait_s: Annotated[int, Field(ge=0, le=_WEEK_S)] = 3600
    on_timeout: Literal["hold", "send"] = "hold"


class FilingsFile(_Part):
    """The papers whose filing differs from the usual."""

    order: FilingFile | None = None
    payment: FilingFile | None = None
    waybill: FilingFile | None = None


class SummaryFile(_Part):
    """How released inventories are rolled into general declarations (701)."""

    declarant: PartyFile
    every: Literal["day", "week", "month"] = "month"
    wait_days: Annotated[int, Field(ge=0, le=14)] = 1
    by_producer: bool = False
    keeps_names: bool = True


class ExportFile(_Part):
    """What an export's inventory (603) states beside papers and goods records."""

    destination_port: Annotated[str, StringConstraints(pattern=r"^[0-9A-Z]{3,4}$")]
    is_summarised: bool = False
    producer: PartyFile | None = None
    return_days: Annotated[int, Field(ge=1, le=730)] = 365
    summary: SummaryFile | None = None


class ConsigningFile(_Part):
    """What we file of a consignment: all parcels under one bill with one carrier."""

    files: Annotated[list[Literal["entry_list", "master_list"]], Field(min_length=1, max_length=1)]
    gather_s: Annotated[int, Field(ge=1, le=24 * 3600)] = 1800
    operator: PartyFile | None = None


class SubscriptionFile(_Part):
    """A third party that gets copies (BaseSubscribe)."""

    status: Literal["ALL", "DATA", "RET"]
    dxp_address: Annotated[str, _text(100)]
    dxp_mode: Literal["DXP"] = "DXP"
    note: Annotated[str, _text(1000)] | None = None


Seconds = Annotated[int, Field(ge=60, le=_MONTH_S)]


class WaitsFile(_Part):
    """How long what each source owes may be missing: shop, payment company, carrier, declarant."""

    order: Seconds | None = None
    payment: Seconds | None = None
    waybill: Seconds | None = None
    goods: Seconds | None = None


class ProfileFile(_Part):
    """A filing profile as its file holds it."""

    profile_id: Word
    mode: Literal["9610", "1210", "1239", "9710", "9810"]
    customs_code: Office
    port_code: Office
    platform: PartyFile
    merchant: PartyFile
    agent: PartyFile
    assure_code: Annotated[str, StringConstraints(max_length=30)] = ""
    transfer: PartyFile
    dxp_id: Annotated[str, _text(30)]
    carriers: Annotated[list[CompanyFile], Field(min_length=1)]
    payment_companies: Annotated[list[CompanyFile], Field(min_length=1)]
    direction: Literal["import", "export"] = "import"
    export: ExportFile | None = None
    consigning: ConsigningFile | None = None
    area: PartyFile | None = None
    account_book: Annotated[str, _text(30)] | None = None
    loct_no: Annotated[str, _text(10)] | None = None
    country: Code3 = "142"
    traf_mode: Code1 = "7"
    wrap_type: Code1 | None = None
    subscriptions: Annotated[list[SubscriptionFile], Field(max_length=5)] = []
    receiver_id: Annotated[str, _text(30)] = IMPORT_RECEIVER
    edition: Literal["202205"] = "202205"
    channel: Word = "dxp"
    key_ring: Word = "default"
    filings: FilingsFile = FilingsFile()
    entrusted: list[Literal["payment", "waybill"]] = []
    cop_no_prefix: Annotated[str, StringConstraints(pattern=r"^[0-9A-Z]{2,4}$")] = "CG"
    waybill_window_days: Annotated[int, Field(ge=1, le=3660)] = 184
    waiting_s: Seconds = 72 * 3600
    waits: WaitsFile = WaitsFile()
    answer_timeout_s: Annotated[int, Field(ge=1, le=_WEEK_S)] = 900
    resend_gap_s: Annotated[int, Field(ge=1, le=_WEEK_S)] = 1800
    resend_limit: Annotated[int, Field(ge=0, le=100)] = 3
    require_identity_check: bool = False
    rule_pack: Word = "import-default"
    is_production: bool = False
    payment_places: Annotated[list[Word], Field(max_length=20)] = []
    ramp_percent: Annotated[int, Field(ge=0, le=100)] = 100
    return_apply_days: Annotated[int, Field(ge=1, le=365)] = 30
    return_back_days: Annotated[int, Field(ge=1, le=365)] = 45
    return_warn_days: Annotated[int, Field(ge=1, le=60)] = 5
    cut_offs: Annotated[list[TimeOfDay], Field(max_length=24)] = []


def read_profile(path: Path, tenant: TenantId) -> FilingProfile:
    """The profile of a file. Raises :class:`ProfileFaulty` with all faults, or ``OSError``."""
    doc = _load(path)
    faults: list[Fault] = []
    given: ProfileFile | None = None
    try:
        given = ProfileFile.model_validate(doc)
    except ValidationError as error:
        faults += faults_of(error.errors(include_url=False, include_input=False))
    faults += _bonded_faults(doc)
    if given is None or faults:
        raise ProfileFaulty(_named(faults))
    content = given.model_dump(exclude_none=True)
    if given.direction == "export" and "receiver_id" not in given.model_fields_set:
        content["receiver_id"] = EXPORT_RECEIVER
    profile: FilingProfile = from_doc(FilingProfile, {**content, "tenant": tenant, "version": 1})
    try:
        profile.check()
    except InvalidValue as error:
        raise ProfileFaulty((value_fault(error),)) from None
    return profile


# Any: a TOML or JSON object.
def _load(path: Path) -> dict[str, Any]:
    if path.stat().st_size > MAX_FILE_BYTES:
        raise ProfileFaulty((Fault("", "has more than 1 MiB", "文件超过 1 MiB"),))
    try:
        text = path.read_bytes().decode("utf-8-sig")
        doc = orjson.loads(text) if path.suffix.lower() == ".json" else tomllib.loads(text)
    except UnicodeDecodeError as error:
        at = error.start + 1
        fault = Fault("", f"is no UTF-8 (byte {at}); save it as UTF-8", f"第 {at} 字节不是 UTF-8")
        raise ProfileFaulty((fault,)) from None
    except (orjson.JSONDecodeError, tomllib.TOMLDecodeError) as error:
        name = "JSON" if path.suffix.lower() == ".json" else "TOML"
        raise ProfileFaulty((Fault("", f"is no {name}: {error}", f"不是合法的 {name}"),)) from None
    if not isinstance(doc, dict):
        raise ProfileFaulty((Fault("", "must hold one object", "必须是一个对象"),))
    return doc


def _bonded_faults(doc: dict[str, Any]) -> list[Fault]:
    """Bonded modes name the area operator and the account book (emsNo); CEB621, notice 179."""
    if doc.get("mode") not in {mode.value for mode in TradeMode if mode.is_bonded}:
        return []
    return [
        Fault(name, "is mandatory in bonded modes (1210, 1239)", "保税模式（1210、1239）必填")
        for name in ("area", "account_book")
        if not doc.get(name)
    ]


_TEXTS: Final = {
    "code": (
        "must be a 10-character customs code or an 18-character social credit code",
        "必须是 10 位海关注册编码或 18 位统一社会信用代码",
    ),
}


def _named(faults: Sequence[Fault]) -> list[Fault]:
    """The faults in the words of a settings file: the API's table speaks of JSON and does not know
    enterprise codes.
    """
    return [
        Fault(fault.path, *_TEXTS["code"])
        if fault.path.endswith(".code") and fault.message == _GENERIC
        else Fault(
            fault.path,
            fault.message.replace("JSON ", ""),
            fault.message_zh.replace("JSON ", ""),
        )
        for fault in faults
    ]


_GENERIC: Final = "is not what is expected here"

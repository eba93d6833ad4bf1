"""Customs' code tables as data: units, countries, currencies, statuses, rejection codes.

Each table is one file under ``data`` that says where it is from and how complete it is. A rejection
code carries its class (what the lifecycle makes of it), the rule that would have caught it, the fix
and what to file again; all in Chinese and English. Nothing here decides: an unknown code is told as
unknown, never refused.
"""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from importlib import resources
from types import MappingProxyType
from typing import Any, Final

from gateway.domain.errors import InvalidValue

TABLES: Final = (
    "units",
    "countries",
    "currencies",
    "transport_modes",
    "wrap_types",
    "customs_offices",
    "trade_modes",
    "app_types",
    "app_status",
    "payment_companies",
    "statuses",
    "rejections",
    "transport_answers",
)
"""The tables there are, by name."""

_CITED: Final = re.compile(r"\[code:([0-9]{1,10});desc:(.*?)\]", re.IGNORECASE | re.DOTALL)
_INFO_LENGTH: Final = 5000
_MOST_CITED: Final = 10


class CodeClass(StrEnum):
    """What a rejection or error code asks for (DOMAIN 3)."""

    PROGRESS = "progress"
    SYSTEM = "system"
    SIGNATURE = "signature"
    LIMIT = "limit"
    RIGHTS = "rights"
    DUPLICATE = "duplicate"
    PERSON = "person"


class Refile(StrEnum):
    """What must be filed again after a rejection, in this order."""

    ORDER = "order"
    PAYMENT = "payment"
    WAYBILL = "waybill"
    WAYBILL_STATUS = "waybill_status"
    INVENTORY = "inventory"
    CANCELLATION = "cancellation"
    RETURN = "return"
    ENTRY_LIST = "entry_list"


@dataclass(frozen=True, slots=True)
class Code:
    """One code of a table with its meaning; ``iso`` only where another standard names it too.

    ``messages`` are the numbers of the receipts that a status occurs in.
    """

    code: str
    zh: str
    en: str
    iso: str = ""
    messages: tuple[str, ...] = ()
    confidence: str = ""

    def text(self, locale: str) -> str:
        """The meaning in ``zh`` or ``en``; any other locale reads English."""
        return self.zh if locale == "zh" else self.en


@dataclass(frozen=True, slots=True)
class CodeTable:
    """One table: its codes in order, where they are from, and whether these are all there are."""

    name: str
    title_zh: str
    title_en: str
    source: str
    is_complete: bool
    completeness_zh: str
    completeness_en: str
    codes: Mapping[str, Code]


@dataclass(frozen=True, slots=True)
class Rejection:
    """One rejection or error code.

    ``rule`` names what would have caught it before filing: a rule of the catalogue, ``schema``,
    ``signing``, ``lifecycle``, ``grouping``, ``by-construction``; empty when nothing on our side
    can know. ``status`` is the returnStatus it comes with, empty when the code is the status.
    ``fix_id`` names the fix that its texts tell.
    """

    code: str
    family: str
    status: str
    code_class: CodeClass
    rule: str
    refile: tuple[Refile, ...]
    cause_zh: str
    cause_en: str
    fix_zh: str
    fix_en: str
    fix_id: str = ""

    def cause(self, locale: str) -> str:
        """Why, in ``zh`` or ``en``; any other locale reads English."""
        return self.cause_zh if locale == "zh" else self.cause_en

    def fix(self, locale: str) -> str:
        """What to do, in ``zh`` or ``en``; any other locale reads English."""
        return self.fix_zh if locale == "zh" else self.fix_en


@dataclass(frozen=True, slots=True)
class Cited:
    """A code with the words it came with: ``[Code:1313;Desc:...]``. The words may be personal."""

    code: str
    text: str


@cache
def code_table(name: str) -> CodeTable:
    """One table by name. Raises :class:`InvalidValue` for a name that is none of ``TABLES``."""
    if name not in TABLES:
        raise InvalidValue("table", f"must be one of {', '.join(TABLES)}")
    data = _data(name)
    codes = {
        one["code"]: Code(
            code=one["code"],
            zh=one["zh"],
            en=one["en"],
            iso=one.get("iso", ""),
            messages=tuple(one.get("messages", ())),
            confidence=one.get("confidence", ""),
        )
        for one in data["codes"]
    }
    return CodeTable(
        name=name,
        title_zh=data["zh"],
        title_en=data["en"],
        source=data["source"],
        is_complete=data["is_complete"],
        completeness_zh=data["completeness_zh"],
        completeness_en=data["completeness_en"],
        codes=MappingProxyType(codes),
    )


@cache
def rejections() -> Mapping[str, Rejection]:
    """Every known rejection and error code of customs and the e-port."""
    fixes = _data("fixes")
    return MappingProxyType(
        {
            one["code"]: Rejection(
                code=one["code"],
                family=one["family"],
                status=one.get("status", ""),
                code_class=CodeClass(one["class"]),
                rule=one.get("rule", ""),
                refile=tuple(Refile(paper) for paper in one.get("refile", ())),
                cause_zh=one["zh"],
                cause_en=one["en"],
                fix_zh=fixes[one["fix"]]["zh"],
                fix_en=fixes[one["fix"]]["en"],
                fix_id=one["fix"],
            )
            for one in _data("rejections")["codes"]
        }
    )


def find_rejection(code: str) -> Rejection | None:
    """A rejection code, None when the table does not hold it."""
    return rejections().get(code)


def label_of(table: str, code: str, locale: str) -> str | None:
    """What a code means, None when the table does not hold it."""
    found = code_table(table).codes.get(code)
    return None if found is None else found.text(locale)


def cited(info: str) -> tuple[Cited, ...]:
    """The codes that a returnInfo cites, in order and without repeats; ten at most."""
    info = info[:_INFO_LENGTH]
    # Up to the last bracket only: behind it every opening one would be scanned in vain.
    found = _CITED.findall(info, 0, info.rfind("]") + 1)
    texts: dict[str, list[str]] = {}
    for code, text in found:
        texts.setdefault(code, []).append(text)
    return tuple(Cited(code, "\n".join(parts)) for code, parts in texts.items())[:_MOST_CITED]


def _data(name: str) -> Mapping[str, Any]:
    """One data file (Any: TOML values, checked by the tests that load every table)."""
    path = resources.files(__package__) / "data" / f"{name}.toml"
    return tomllib.loads(path.read_text(encoding="utf-8"))

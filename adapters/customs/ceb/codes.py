"""Customs' numbers, and the neutral words they come down to.

Together with :mod:`adapters.customs.ceb.receipts` the only place that knows them. Sources: the
status lists of the receipts' field tables; the classes of error codes are data of
:mod:`gateway.domain.codes`. What is not listed is UNKNOWN, never a guess.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from gateway.domain.codes import CodeClass, find_rejection, label_of
from gateway.domain.declaration import BillStatus, DeclarationKind, Word

REJECTED_STATUS: Final = "100"

_DRAFT: Final = {"1": Word.DRAFT_ONLY}
_E_PORT: Final = {
    "2": Word.LODGED,
    "3": Word.LODGED,
    "4": Word.NOT_SENT,
    "100": Word.REJECTED,
}
# Customs keeps it, and that is the end of it: 120 for some messages, 399 for others.
_PAPER_WORDS: Final[Mapping[str, Word]] = MappingProxyType(
    {**_E_PORT, "120": Word.STORED, "399": Word.STORED}
)
_LIST_WORDS: Final[Mapping[str, Word]] = MappingProxyType({**_DRAFT, **_PAPER_WORDS})
# Of these 399 is the end, 120 only a step on the way (traps of the export messages, 604).
_LISTED_WORDS: Final[Mapping[str, Word]] = MappingProxyType(
    {**_DRAFT, **_E_PORT, "120": Word.ACCEPTED, "399": Word.STORED}
)
_INVENTORY_WORDS: Final[Mapping[str, Word]] = MappingProxyType(
    {
        **_DRAFT,
        **_E_PORT,
        "120": Word.ACCEPTED,
        "300": Word.REVIEW,
        "399": Word.APPROVED,
        "500": Word.INSPECTION,
        "501": Word.DETAINED,
        "502": Word.DETAINED,
        "503": Word.DETAINED,
        "599": Word.DETAINED,
        "600": Word.SUSPENDED,
        "700": Word.RETURNED_ABROAD,
        "800": Word.RELEASED,
        "899": Word.CLOSED,
    }
)
# 624 and 606: 120 says that the request was lodged, 399 that it is granted.
_CANCELLATION_WORDS: Final[Mapping[str, Word]] = MappingProxyType(
    {**_DRAFT, **_E_PORT, "120": Word.ACCEPTED, "399": Word.APPROVED}
)
_RETURN_WORDS: Final[Mapping[str, Word]] = MappingProxyType(
    {**_CANCELLATION_WORDS, "300": Word.REVIEW, "800": Word.APPROVED}
)
# 505 hands the goods over to another department, as 501 to 503 do in an import.
_EXPORT_RETURN_WORDS: Final[Mapping[str, Word]] = MappingProxyType(
    {
        **_RETURN_WORDS,
        "500": Word.INSPECTION,
        "505": Word.DETAINED,
        "600": Word.SUSPENDED,
    }
)
_K: Final = DeclarationKind
_STATUS_WORDS: Final[Mapping[DeclarationKind, Mapping[str, Word]]] = MappingProxyType(
    {
        _K.ORDER: _PAPER_WORDS,
        _K.PAYMENT: _PAPER_WORDS,
        _K.WAYBILL: _PAPER_WORDS,
        _K.WAYBILL_STATUS: _PAPER_WORDS,
        _K.INVENTORY: _INVENTORY_WORDS,
        _K.CANCELLATION: _CANCELLATION_WORDS,
        _K.RETURN: _RETURN_WORDS,
        _K.ENTRY_LIST: _LIST_WORDS,
        _K.EXPORT_ORDER: _LIST_WORDS,
        _K.FUNDS_RECEIPT: _LIST_WORDS,
        _K.EXPORT_WAYBILL: _LISTED_WORDS,
        _K.SITE_ARRIVAL: _LISTED_WORDS,
        _K.DEPARTURE: _LISTED_WORDS,
        _K.EXPORT_INVENTORY: _INVENTORY_WORDS,
        _K.EXPORT_CANCELLATION: _CANCELLATION_WORDS,
        _K.MASTER_LIST: _LIST_WORDS,
        _K.SUMMARY_REQUEST: _LISTED_WORDS,
        _K.EXPORT_RETURN: _EXPORT_RETURN_WORDS,
        _K.RETURN_TALLY: _LISTED_WORDS,
    }
)
BILL_STATUSES: Final[Mapping[str, BillStatus]] = MappingProxyType(
    {"1": BillStatus.DRAWN, "2": BillStatus.CONSOLIDATED, "3": BillStatus.VOIDED}
)
"""The states of a tax bill (816, 818)."""

_CLASS_WORDS: Final[Mapping[CodeClass, Word]] = MappingProxyType(
    {
        CodeClass.SYSTEM: Word.FAILED_SYSTEM,
        CodeClass.SIGNATURE: Word.FAILED_SIGNATURE,
        CodeClass.LIMIT: Word.FAILED_LIMIT,
        CodeClass.RIGHTS: Word.FAILED_RIGHTS,
        CodeClass.DUPLICATE: Word.DUPLICATE,
    }
)

# "Exists already", said of the declaration itself. A waybill used twice or a repeated line number
# are rejections like any other, so the word for "repeated" alone proves nothing.
_DUPLICATE: Final = re.compile(
    r"重复(?:申报|报送|提交|入库)"
    r"|(?:订单|清单|单证|报文|数据|申报)[^，。；,;]{0,10}?已(?:经)?(?:存在|入库|申报(?!清单))"
    r"|^\s*(?:单证|报文|数据)?重复\s*$"
    r"|(?:order|inventory|declaration|message|record)\b[^,.;]{0,20}\b"
    r"(?:already (?:exists|declared)|exists already)"
    r"|\bduplicate (?:order|inventory|declaration|message|record)\b",
    re.IGNORECASE,
)
_OTHER_PAPER: Final = re.compile(r"运单|支付|序号|商品|waybill|payment|line|item", re.IGNORECASE)


def word_of(kind: DeclarationKind, status: str, text: str) -> Word:
    """The neutral word of one returnStatus of a message kind.

    ``text`` is the description inside returnInfo: a 100 that says the declaration exists already
    is a duplicate answer, not a rejection.
    """
    if status.startswith("-"):
        return _error_word(status)
    if status == REJECTED_STATUS and says_duplicate(text):
        return Word.DUPLICATE
    return _STATUS_WORDS[kind].get(status, Word.UNKNOWN)


def says_duplicate(text: str) -> bool:
    """Whether a rejection's text says that this very declaration is there already."""
    return _DUPLICATE.search(text) is not None and _OTHER_PAPER.search(text) is None


def is_signature_error(status: str) -> bool:
    """Whether a status speaks of the signature, hence of the key."""
    return _error_word(status) is Word.FAILED_SIGNATURE


def _error_word(status: str) -> Word:
    """The word of a status below 0, by the class of its code; an unknown one is for a person."""
    known = find_rejection(status)
    return Word.FAILED if known is None else _CLASS_WORDS.get(known.code_class, Word.FAILED)


@dataclass(frozen=True, slots=True)
class TransportAnswer:
    """What a DxpRep code means: whether the same bytes may go again, and if the key is in doubt."""

    meaning: str
    retry: str
    quarantine: bool


_TRANSPORT_CLASSES: Final[Mapping[str, TransportAnswer]] = MappingProxyType(
    {
        "0": TransportAnswer("format error", "never", quarantine=False),
        "1": TransportAnswer("security error", "never", quarantine=True),
        "2": TransportAnswer("business error", "never", quarantine=False),
        "3": TransportAnswer("system error", "later", quarantine=False),
    }
)


def transport_answer(code: str) -> TransportAnswer | None:
    """The meaning of a DxpRep code, None for one outside the ranges of the specification.

    0001-0999 format, 1000-1999 security, 2000-2999 business: for good. 3000-3999 system: later.
    4000-9999 are user defined: nobody can say whether they refuse anything.
    """
    if len(code) != 4 or not (code.isascii() and code.isdigit()) or code == "0000":
        return None
    found = _TRANSPORT_CLASSES.get(code[0])
    if found is None:
        return None
    meaning = label_of("transport_answers", code, "en") or found.meaning
    return TransportAnswer(meaning, found.retry, quarantine=found.quarantine)

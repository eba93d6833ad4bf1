"""Customs' numbers, and the neutral words they come down to.

Together with :mod:`adapters.customs.ceb.receipts` the only place that knows them. Sources: the
status lists of the receipts' field tables and the error table of the interface specification
(chapter 7); order and meaning by practice. What is not listed is UNKNOWN, never a guess.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from gateway.domain.declaration import DeclarationKind, Word

REJECTED_STATUS: Final = "100"

_ORDER_WORDS: Final[Mapping[str, Word]] = MappingProxyType(
    {
        "2": Word.LODGED,
        "3": Word.LODGED,
        "4": Word.NOT_SENT,
        "100": Word.REJECTED,
        "120": Word.STORED,
        "399": Word.STORED,
    }
)
_INVENTORY_WORDS: Final[Mapping[str, Word]] = MappingProxyType(
    {
        "1": Word.DRAFT_ONLY,
        "2": Word.LODGED,
        "3": Word.LODGED,
        "4": Word.NOT_SENT,
        "100": Word.REJECTED,
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
_STATUS_WORDS: Final[Mapping[DeclarationKind, Mapping[str, Word]]] = MappingProxyType(
    {
        DeclarationKind.ORDER: _ORDER_WORDS,
        DeclarationKind.INVENTORY: _INVENTORY_WORDS,
    }
)

# The error table uses -621027 twice: for a failed save and for repeated line numbers. A fault of
# one record must not quarantine a key, so it is a plain failure for a person.
_ERROR_WORDS: Final[Mapping[str, Word]] = MappingProxyType(
    {
        "-301013": Word.FAILED_SYSTEM,
        "-621008": Word.FAILED_SYSTEM,
        "-621009": Word.FAILED_SYSTEM,
        "-621017": Word.FAILED_SYSTEM,
        "-621022": Word.FAILED_SYSTEM,
        "-301020": Word.FAILED_SIGNATURE,
        "-621025": Word.FAILED_SIGNATURE,
        "-621026": Word.FAILED_SIGNATURE,
        "-621028": Word.FAILED_SIGNATURE,
        "-621029": Word.FAILED_SIGNATURE,
        "-621005": Word.FAILED_LIMIT,
        "-621018": Word.FAILED_LIMIT,
        "-621015": Word.FAILED_RIGHTS,
        "-621016": Word.FAILED_RIGHTS,
        "-301010": Word.DUPLICATE,
        "-621004": Word.DUPLICATE,
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
        return _ERROR_WORDS.get(status, Word.FAILED)
    if status == REJECTED_STATUS and says_duplicate(text):
        return Word.DUPLICATE
    return _STATUS_WORDS[kind].get(status, Word.UNKNOWN)


def says_duplicate(text: str) -> bool:
    """Whether a rejection's text says that this very declaration is there already."""
    return _DUPLICATE.search(text) is not None and _OTHER_PAPER.search(text) is None


def is_signature_error(status: str) -> bool:
    """Whether a status speaks of the signature, hence of the key."""
    return _ERROR_WORDS.get(status) is Word.FAILED_SIGNATURE


@dataclass(frozen=True, slots=True)
class TransportAnswer:
    """What a DxpRep code means: whether the same bytes may go again, and if the key is in doubt."""

    meaning: str
    retry: str
    quarantine: bool


_TRANSPORT_MEANINGS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "0001": "message format error",
        "0002": "schema check failed",
        "0999": "other format error",
        "1001": "signature invalid",
        "1002": "signature expired",
        "1003": "decryption error",
        "1004": "signature does not match the data",
        "1999": "other security error",
        "2001": "receiver does not exist",
        "2002": "real receiver differs from the stated receiver",
        "2999": "other business error",
        "3001": "database or middleware error",
        "3002": "remote connection error",
        "3003": "remote connection timeout",
        "3999": "other system error",
    }
)
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
    meaning = _TRANSPORT_MEANINGS.get(code, found.meaning)
    return TransportAnswer(meaning, found.retry, quarantine=found.quarantine)

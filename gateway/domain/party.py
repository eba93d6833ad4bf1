"""Persons and enterprises: normal forms, masks and check digits.

A normal form only compares; what is filed keeps the spelling of its source.
"""

import re
import unicodedata
from datetime import date
from operator import mul
from typing import Final

# Dots that people and systems write between the parts of a transliterated name.
_NAME_DOTS: Final = dict.fromkeys(map(ord, "·•‧∙⋅・･．.∘"), "·")
_SPACES = re.compile(r"\s+")
_ADDRESS_NOISE = re.compile(r"[\s,.;:，。；：、\-_/\\()（）\[\]【】#'\"]+")
_NOT_DIGITS = re.compile(r"[^0-9]")
_PLAIN_PHONE = re.compile(r"[0-9]{5,20}", re.ASCII)
_RESIDENT_ID = re.compile(r"[1-9][0-9]{16}[0-9Xx]", re.ASCII)
_ID_WEIGHTS: Final = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_ID_OFFSET: Final = 48 * sum(_ID_WEIGHTS)
_ID_CHECK: Final = "10X98765432"
_ID_REGIONS: Final = frozenset(
    "11 12 13 14 15 21 22 23 31 32 33 34 35 36 37 41 42 43 44 45 46 50 51 52 53 54 61 62 63 64 65"
    " 71 81 82 83".split()
)
_CREDIT_ALPHABET: Final = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_CREDIT_WEIGHTS: Final = (1, 3, 9, 27, 19, 26, 16, 17, 20, 29, 25, 13, 8, 24, 10, 30, 28)
_CUSTOMS_CODE = re.compile(r"[0-9A-Z]{10}", re.ASCII)
_MASK_KEEPS: Final = 4


def normal_name(name: str) -> str:
    """A name for comparing: NFKC, one kind of middle dot, folded spaces and case.

    Spaces between ideographs go altogether.
    """
    text = unicodedata.normalize("NFKC", name).casefold().translate(_NAME_DOTS)
    text = _SPACES.sub("" if not text.isascii() else " ", text).strip()
    # Taking a space away may bring a letter and a combining mark together.
    return unicodedata.normalize("NFKC", text)


def normal_phone(phone: str) -> str:
    """A phone number for comparing: digits only, without a leading country code of the mainland."""
    if _PLAIN_PHONE.fullmatch(phone) and not phone.startswith(("86", "00")):
        return phone
    digits = _NOT_DIGITS.sub("", unicodedata.normalize("NFKC", phone)).removeprefix("00")
    return digits[2:] if digits.startswith("86") and len(digits) > 11 else digits


def normal_address(address: str) -> str:
    """An address for comparing: NFKC with spaces, punctuation and case folded away."""
    text = _ADDRESS_NOISE.sub("", unicodedata.normalize("NFKC", address).casefold())
    return unicodedata.normalize("NFKC", text)


def normal_id(number: str) -> str:
    """An identity number for comparing: upper case without surrounding space."""
    return number.strip().upper()


def normal_number(number: str) -> str:
    """An order number for finding its order by: NFKC without spaces, signs unseen, and case."""
    text = unicodedata.normalize("NFKC", number)
    return "".join(char for char in text if char.isprintable() and char != " ").casefold()


def is_resident_id(number: str) -> bool:
    """Whether this is a well-formed resident identity number: shape and check digit.

    GB 11643: weights modulo 11, the check character X stands for ten.
    """
    if not _RESIDENT_ID.fullmatch(number):
        return False
    # Bytes of digits are 48 too large each; both run in C, once for every order.
    total = sum(map(mul, _ID_WEIGHTS, number.encode())) - _ID_OFFSET
    return _ID_CHECK[total % 11] == number[17].upper()


def has_id_region(number: str) -> bool:
    """Whether a resident identity number begins with a division that issues them.

    GB/T 2260: provinces 11 to 65, Taiwan 71 and 83, Hong Kong 81, Macau 82. A 9 before the province
    is the permanent residence card of foreigners in its form of 2023.
    """
    if number[:1] == "9":
        return number[1:3] in _ID_REGIONS
    return number[:2] in _ID_REGIONS


def id_birth(number: str) -> date | None:
    """The birth date in a resident identity number, None when there is no such day."""
    try:
        born = date(int(number[6:10]), int(number[10:12]), int(number[12:14]))
    except ValueError:
        return None
    return born if born.year >= 1850 else None


def is_social_credit_code(code: str) -> bool:
    """Whether this is a well-formed unified social credit code (GB 32100: modulo 31)."""
    if len(code) != 18 or any(char not in _CREDIT_ALPHABET for char in code):
        return False
    total = sum(
        weight * _CREDIT_ALPHABET.index(char)
        for weight, char in zip(_CREDIT_WEIGHTS, code, strict=False)
    )
    return _CREDIT_ALPHABET[-total % 31] == code[17]


def is_enterprise_code(code: str) -> bool:
    """Whether this can name an enterprise to customs: 10-character customs or 18-character credit
    code.
    """
    return bool(_CUSTOMS_CODE.fullmatch(code)) or is_social_credit_code(code)


def mask(value: str) -> str:
    """A personal value for a screen or an event: only the last four characters stay.

    A longer mask is no mask: 6 + 4 of an identity number leave about 3,300 candidates.
    """
    if len(value) <= _MASK_KEEPS:
        return "*" * len(value)
    return "*" * (len(value) - _MASK_KEEPS) + value[-_MASK_KEEPS:]


def mask_name(name: str) -> str:
    """A person's name for a screen: only the last character stays."""
    return "*" * max(len(name) - 1, 1) + (name[-1:] if len(name) > 1 else "")

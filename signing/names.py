"""Distinguished names as certificates of Chinese authorities really hold them.

Old ones have GB18030 bytes in strings that claim to be UTF-8 or T.61; strict readers give up on the
whole name, and with it on a certificate whose key is sound.
"""

from dataclasses import dataclass, field
from typing import Final

from signing.der import fields_of, read

_BMP, _UNIVERSAL = 0x1E, 0x1C
_WIDE: Final = {_BMP: "utf-16-be", _UNIVERSAL: "utf-32-be"}
_SKIPPED_BEFORE: Final = {"issuer": 2, "subject": 4}
_LABELS: Final = {
    "2.5.4.3": "CN",
    "2.5.4.4": "SN",
    "2.5.4.6": "C",
    "2.5.4.7": "L",
    "2.5.4.8": "ST",
    "2.5.4.10": "O",
    "2.5.4.11": "OU",
    "2.5.4.42": "GN",
    "2.5.4.97": "organizationIdentifier",
    "0.9.2342.19200300.100.1.25": "DC",
    "0.9.2342.19200300.100.1.1": "UID",
}


@dataclass(frozen=True, slots=True)
class NamePart:
    """One attribute: its identifier, the usual label (else the identifier), its text."""

    identifier: str
    label: str
    text: str = field(repr=False)


def name_of(tbs: bytes, which: str) -> tuple[NamePart, ...]:
    """The `issuer` or `subject` of a TBSCertificate, in order. Raises `ValueError`."""
    _, content, _ = read(tbs, 0)
    # Version, where there is one, then serial and algorithm; issuer; validity; subject.
    skipped = _SKIPPED_BEFORE[which] + (content[:1] == b"\xa0")
    at = 0
    for _ in range(skipped):
        _, _, at = read(content, at)
    _, name, _ = read(content, at)
    parts = []
    for _, relative in fields_of(name):
        for _, attribute in fields_of(relative):
            (_, identifier), (tag, text) = fields_of(attribute)
            dotted = _dotted(identifier)
            parts.append(NamePart(dotted, _LABELS.get(dotted, dotted), _decoded(tag, text)))
    return tuple(parts)


def _decoded(tag: int, text: bytes) -> str:
    """By what the bytes are, where that is not what they say they are."""
    for encoding in (_WIDE[tag],) if tag in _WIDE else ("utf-8", "gb18030"):
        try:
            return text.decode(encoding)
        except UnicodeDecodeError:
            continue
    return text.decode("latin-1")


def _dotted(identifier: bytes) -> str:
    first = min(identifier[0] // 40, 2) if identifier else 0
    numbers, value = [first, identifier[0] - 40 * first if identifier else 0], 0
    for byte in identifier[1:]:
        value = value << 7 | byte & 0x7F
        if not byte & 0x80:
            numbers.append(value)
            value = 0
    return ".".join(map(str, numbers))

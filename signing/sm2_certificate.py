"""Write X.509 certificates of SM2 keys, which `cryptography` cannot build.

For development keys and for tests of chains; an authority's certificates come from the authority.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from cryptography import x509

from signing.certificate import Certificate
from signing.der import der_of_raw, integer, write
from signing.libcrypto import SM2PrivateKey

_SEQUENCE: Final = 0x30
_BIT_STRING: Final = 0x03
_BOOLEAN: Final = 0x01
_OCTETS: Final = 0x04
_UTC_TIME: Final = 0x17
_GENERALIZED_TIME: Final = 0x18
_VERSION_3: Final = bytes.fromhex("a003020102")
_EXTENSIONS: Final = 0xA3
# SEQUENCE { OID 1.2.156.10197.1.501 }, which has no parameters.
_SM2_WITH_SM3: Final = bytes.fromhex("300a06082a811ccf55018375")


@dataclass(frozen=True, slots=True)
class CertificateRequest:
    """What a certificate says. `spki` is the holder's SubjectPublicKeyInfo; times have a zone."""

    subject: x509.Name
    issuer: x509.Name
    serial: int
    not_before: datetime
    not_after: datetime
    spki: bytes
    extensions: Sequence[tuple[x509.ExtensionType, bool]] = ()
    """Each with whether it is critical."""


def issue(request: CertificateRequest, signer: SM2PrivateKey) -> Certificate:
    """Return the certificate, signed by the issuer's SM2 key over SM3 with the default id."""
    tbs = write(
        _SEQUENCE,
        _VERSION_3,
        integer(request.serial),
        _SM2_WITH_SM3,
        request.issuer.public_bytes(),
        write(_SEQUENCE, _time(request.not_before), _time(request.not_after)),
        request.subject.public_bytes(),
        request.spki,
        *_extensions(request.extensions),
    )
    signature = der_of_raw(signer.sign(tbs))
    return Certificate.from_der(
        write(_SEQUENCE, tbs, _SM2_WITH_SM3, write(_BIT_STRING, b"\x00", signature))
    )


def _time(moment: datetime) -> bytes:
    if moment.year < 2050:
        return write(_UTC_TIME, f"{moment:%y%m%d%H%M%SZ}".encode())
    return write(_GENERALIZED_TIME, f"{moment:%Y%m%d%H%M%SZ}".encode())


def _extensions(wanted: Sequence[tuple[x509.ExtensionType, bool]]) -> list[bytes]:
    written = [
        write(
            _SEQUENCE,
            _object_identifier(extension.oid),
            *((write(_BOOLEAN, b"\xff"),) if critical else ()),
            write(_OCTETS, extension.public_bytes()),
        )
        for extension, critical in wanted
    ]
    return [write(_EXTENSIONS, write(_SEQUENCE, *written))] if written else []


def _object_identifier(oid: x509.ObjectIdentifier) -> bytes:
    first, second, *rest = (int(part) for part in oid.dotted_string.split("."))
    return write(0x06, *(_base128(number) for number in (first * 40 + second, *rest)))


def _base128(number: int) -> bytes:
    digits = [number & 0x7F]
    while number := number >> 7:
        digits.append(number & 0x7F | 0x80)
    return bytes(reversed(digits))

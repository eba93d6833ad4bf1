"""SM2 keys and authorities for the tests of signing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache

from cryptography import x509
from cryptography.x509.oid import NameOID

from signing import Certificate, FileKey, KeyKind, NewKey, load_pem, new_development_key
from signing.libcrypto import SM2PrivateKey
from signing.sm2_certificate import CertificateRequest, issue
from tests.unit.signing.make import NOW, SUBJECT

SM2_SERIAL = 0x0300000000054321


def new_sm2_key(serial: int = SM2_SERIAL) -> NewKey:
    return _made_once(serial)


@cache
def _made_once(serial: int) -> NewKey:
    return new_development_key(
        subject=SUBJECT,
        serial=serial,
        not_before=NOW - timedelta(days=30),
        not_after=NOW + timedelta(days=30),
        kind=KeyKind.SM2,
    )


@cache
def sm2_key(serial: int = SM2_SERIAL) -> FileKey:
    return load_pem(new_sm2_key(serial).pem(), name="sm2-key")


def named(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def sm2_issued(
    signer: SM2PrivateKey,
    *,
    holder: SM2PrivateKey,
    subject: str,
    issuer: str,
    is_authority: bool = False,
    until: datetime = datetime(2030, 1, 1, tzinfo=UTC),
) -> Certificate:
    """A certificate for `holder`, signed by the key of `issuer`."""
    request = CertificateRequest(
        subject=named(subject),
        issuer=named(issuer),
        serial=7,
        not_before=datetime(2020, 1, 1, tzinfo=UTC),
        not_after=until,
        spki=holder.public.spki,
        extensions=((x509.BasicConstraints(ca=is_authority, path_length=None), True),),
    )
    return issue(request, signer)

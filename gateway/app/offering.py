"""Signing offered to platforms: which tenant may have which ring sign what."""

import re
from collections.abc import Mapping
from typing import Final

import structlog

from gateway.api.services import Made
from gateway.app.config import KeySection
from gateway.app.keyring import ConfiguredRings, KeyRings
from gateway.domain.ids import TenantId
from gateway.ports import KeyRing
from signing import Key, Priority, Urgency, profile_for
from signing.c14n import signed_info_content
from signing.errors import ProfileMismatch, RootUnusual
from signing.profiles import (
    CEB_NAMESPACE,
    CEB_PROFILES,
    DS_NAMESPACE,
    XSI_NAMESPACE,
    Profile,
)

_LOG = structlog.get_logger("clearance.signing")
_DIGEST: Final = re.compile(rb"<ds:DigestValue>([A-Za-z0-9+/]{20,50}={0,2})</ds:DigestValue>")
_OPENING: Final = (
    f'<ds:SignedInfo xmlns:ceb="{CEB_NAMESPACE}" xmlns:ds="{DS_NAMESPACE}" '
    f'xmlns:xsi="{XSI_NAMESPACE}">'
).encode()
_CLOSING: Final = b"</ds:SignedInfo>"
_URGENCY: Final = Urgency(Priority.PAPER, wait_ms=10_000)


class OfferedRings:
    """Implements ``gateway.api.services.OffersSigning``."""

    def __init__(self, rings: KeyRings, sections: Mapping[str, KeySection]) -> None:
        self._rings = rings
        self._given = sections

    def _is_offered(self, ring: str, tenant: TenantId) -> bool:
        """Whether a tenant may have the ring sign, as the keys in use say."""
        rings = self._rings
        sections = rings.sections if isinstance(rings, ConfiguredRings) else self._given
        return any(
            (section.ring or name) == ring and tenant in section.offered_to
            for name, section in sections.items()
        )

    async def sign_document(self, tenant: TenantId, key: str, document: bytes) -> Made | None:
        """Sign a whole CEB message. Raises ``SigningError``."""
        if not self._is_offered(key, tenant):
            return None
        signed = await self._rings.ring(key).sign(document, _URGENCY, canonical=False)
        _tell(tenant, key, signed.key_name, signed.digest_base64)
        return Made(
            signature=signed.signature,
            key_name=signed.key_name,
            certificate_base64=self._certificate_of(key, signed.key_name),
            profile=signed.profile.name,
            digest_base64=signed.digest_base64,
            document=signed.content,
        )

    async def sign_info(self, tenant: TenantId, key: str, signed_info: bytes) -> Made | None:
        """Sign a SignedInfo in the bytes that customs' devices sign. Raises ``SigningError``."""
        if not self._is_offered(key, tenant):
            return None
        named, digest = _profile_of(signed_info)
        signature, signer = await self._rings.ring(key).sign_bytes(signed_info, _URGENCY)
        if profile_for(signer.certificate).key_kind is not named.key_kind:
            # The ring is changing over to another kind of key: the caller must name that one's.
            raise ProfileMismatch(profile_for(signer.certificate).name)
        _tell(tenant, key, signer.key_name, digest)
        held = signer.certificate.der_base64.decode()
        return Made(signature, signer.key_name, held, named.name)

    def _certificate_of(self, ring: str, key_name: str) -> str:
        keys: list[Key] = self._rings.ring(ring).keys
        (found,) = {one.certificate for one in keys if one.key_name == key_name}
        return found.der_base64.decode()


def offered(key_ring: KeyRing, sections: Mapping[str, KeySection]) -> OfferedRings | None:
    """The offer of a deployment; None where its keys are in no rings, as in the simulation."""
    return OfferedRings(key_ring, sections) if isinstance(key_ring, KeyRings) else None


def _profile_of(signed_info: bytes) -> tuple[Profile, str]:
    """The profile a SignedInfo names and its digest, if it is byte for byte one of ours.

    Raises `RootUnusual` for other bytes: nothing else is signed for strangers.
    """
    found = _DIGEST.search(signed_info)
    for profile in CEB_PROFILES:
        if found is not None and signed_info == (
            _OPENING + signed_info_content(profile, found[1]) + _CLOSING
        ):
            return profile, found[1].decode()
    raise RootUnusual("data is no SignedInfo of a CEB profile")


def _tell(tenant: TenantId, ring: str, key_name: str, digest: str) -> None:
    _LOG.info("signed_for", tenant=tenant, ring=ring, key=key_name, digest=digest)

"""Webhooks of the gateway, verified as Standard Webhooks: HMAC-SHA256 (v1) and ed25519 (v1a)."""

import base64
import binascii
import hmac
import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from gateway.client.errors import SignatureInvalid

TOLERANCE_S: Final = 300
_SYMMETRIC: Final = "whsec_"
_PUBLIC: Final = "whpk_"


def verify(
    headers: Mapping[str, str], body: bytes, keys: Sequence[str], now: float
) -> list[dict[str, Any]]:
    """The notices in a webhook's body, one or many (Any: JSON members vary by type).

    ``keys`` are the endpoint's secrets (``whsec_``) or public keys (``whpk_``): several during a
    rotation. ``now`` is seconds since 1970. Raises :class:`SignatureInvalid`; verify before
    parsing, and remember the ``id`` of each notice: one may come twice.
    """
    given = {name.lower(): value for name, value in headers.items()}
    try:
        message_id, stamp = given["webhook-id"], given["webhook-timestamp"]
        signatures = given["webhook-signature"].split()
    except KeyError as missing:
        raise SignatureInvalid(f"the header {missing} is missing") from None
    if not (stamp.isascii() and stamp.isdigit()) or abs(now - int(stamp)) > TOLERANCE_S:
        raise SignatureInvalid("the time of the webhook is not near now")
    signed = f"{message_id}.{stamp}.".encode() + body
    if not any(_fits(signature, signed, key) for signature in signatures for key in keys):
        raise SignatureInvalid("no signature fits")
    doc = json.loads(body)
    return list(doc["notices"]) if "notices" in doc else [doc]


def _fits(signature: str, signed: bytes, key: str) -> bool:
    """Whether one signature fits one key; what is malformed does not."""
    version, _, text = signature.partition(",")
    try:
        given = base64.b64decode(text, validate=True)
        if version == "v1" and key.startswith(_SYMMETRIC):
            secret = base64.b64decode(key.removeprefix(_SYMMETRIC), validate=True)
            return hmac.compare_digest(given, hmac.digest(secret, signed, "sha256"))
        if version == "v1a" and key.startswith(_PUBLIC):
            public = base64.b64decode(key.removeprefix(_PUBLIC), validate=True)
            Ed25519PublicKey.from_public_bytes(public).verify(given, signed)
            return True
    except (binascii.Error, ValueError, InvalidSignature):
        return False
    return False

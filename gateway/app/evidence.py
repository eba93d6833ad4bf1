"""The evidence file: one case in a zip that proves itself without the gateway.

``manifest.json`` names every file with its SHA-256 and is signed with the deployment's evidence key
(Ed25519, derived from the master key). The same files give the same zip: no time of making but the
manifest's own stands in it.
"""

import hashlib
import io
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, Final

import orjson

from gateway.api.views import moment
from gateway.domain.evidence import Basis
from store.crypto import StoreKeys
from store.dossier import Dossier, Exhibit

FORMAT: Final = 1
_MANIFEST: Final = "manifest.json"
_EPOCH: Final = (1980, 1, 1, 0, 0, 0)
# How to verify it, for who has nothing but the zip.
_OF_US: Final = {"READ-ME.md": "evidence-READ-ME.md", "verify.py": "evidence-verify.py.txt"}


@dataclass(frozen=True, slots=True)
class Asked:
    """Who asked for the evidence, why, and when (UTC microseconds)."""

    by: str
    reason: str
    at: int


def evidence_zip(
    dossier: Dossier, keys: StoreKeys, asked: Asked, rests_on: Sequence[Basis]
) -> bytes:
    """The zip of a dossier with its signed manifest; ``rests_on`` says what each state rests on."""
    manifest = orjson.dumps(
        manifest_doc(dossier, keys, asked, rests_on),
        option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE,
    )
    parts = {one.path: one.body for one in dossier.exhibits}
    return _sealed(manifest, parts, keys, _OF_US)


def audit_zip(about: Mapping[str, Any], parts: Mapping[str, bytes], keys: StoreKeys) -> bytes:
    """An excerpt of the audit with its signed manifest, which says what was asked for (Any: JSON).

    It verifies with openssl and sha256sum alone, as its READ-ME tells.
    """
    doc = {
        "format": FORMAT,
        "what": "audit",
        **about,
        "public_key_sha256": hashlib.sha256(keys.evidence_public_key).hexdigest(),
        "files": [
            {"path": name, "size_bytes": len(body), "sha256": hashlib.sha256(body).hexdigest()}
            for name, body in parts.items()
        ],
    }
    manifest = orjson.dumps(doc, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
    return _sealed(manifest, parts, keys, {"READ-ME.md": "audit-READ-ME.md"})


def _sealed(
    manifest: bytes, parts: Mapping[str, bytes], keys: StoreKeys, ours: Mapping[str, str]
) -> bytes:
    sums = {name: hashlib.sha256(body).hexdigest() for name, body in parts.items()}
    texts = files("gateway.app.samples")
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as out:
        for name, body in (
            (_MANIFEST, manifest),
            ("manifest.sig", keys.sign_evidence(manifest)),
            ("public-key.pem", keys.evidence_public_key),
            ("SHA256SUMS", "".join(f"{sums[name]}  {name}\n" for name in sums).encode()),
            *((name, (texts / text).read_bytes()) for name, text in ours.items()),
            *parts.items(),
        ):
            out.writestr(zipfile.ZipInfo(name, _EPOCH), body, zipfile.ZIP_DEFLATED)
    return written.getvalue()


def manifest_doc(
    dossier: Dossier, keys: StoreKeys, asked: Asked, rests_on: Sequence[Basis]
) -> dict[str, Any]:
    """What the signature covers, directly or by digest (Any: a JSON object)."""
    return {
        "format": FORMAT,
        "made_at": moment(asked.at),
        "made_by": asked.by,
        "reason": asked.reason,
        "tenant": dossier.tenant,
        "case": dossier.case_id,
        "platform": dossier.platform,
        "order_no": dossier.order_no,
        "direction": dossier.direction,
        "profile": dossier.profile_id,
        "stage": dossier.stage,
        "events": {"count": dossier.events, "head": dossier.head_hash.hex()},
        "public_key_sha256": hashlib.sha256(keys.evidence_public_key).hexdigest(),
        "rests_on": [_without_nothing(one) for one in rests_on],
        "files": [_entry(one) for one in dossier.exhibits],
        "withheld": [{"path": path, "reason": reason} for path, reason in dossier.withheld],
    }


def _without_nothing(one: Basis) -> dict[str, Any]:
    return {name: value for name, value in one._asdict().items() if value is not None}


def _entry(one: Exhibit) -> dict[str, Any]:
    return {
        "path": one.path,
        "what": one.what,
        "at": moment(one.at),
        "size_bytes": len(one.body),
        "sha256": hashlib.sha256(one.body).hexdigest(),
    }

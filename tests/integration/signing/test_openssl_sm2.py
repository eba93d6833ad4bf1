"""SM2 against the openssl command line: each takes what the other makes, under the customs id."""

from __future__ import annotations

import base64
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from signing import load_file, load_pem, sign, verify
from signing.der import der_of_raw, raw_of_der
from signing.errors import SignatureMismatch
from signing.libcrypto import SIGNER_ID, SM2PrivateKey
from tests.tools import require_tool
from tests.unit.signing.make import BODY, NOW
from tests.unit.signing.make_sm2 import new_sm2_key, sm2_issued, sm2_key
from tests.unit.signing.test_sm2 import sm2_policy

ID = ["-rawin", "-digest", "sm3", "-pkeyopt", f"distid:{SIGNER_ID.decode()}"]


def openssl(*arguments: str | Path, check: bool = True) -> subprocess.CompletedProcess[bytes]:
    command = [require_tool("openssl"), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, check=check)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "key.pem").write_bytes(new_sm2_key().pem())
    (tmp_path / "cert.pem").write_bytes(new_sm2_key().certificate_pem())
    (tmp_path / "pub.pem").write_bytes(
        openssl("x509", "-in", tmp_path / "cert.pem", "-pubkey", "-noout").stdout
    )
    return tmp_path


def test_openssl_verifies_what_we_sign(folder: Path) -> None:
    data = b"what a device would be given"
    (folder / "data").write_bytes(data)
    (folder / "sig").write_bytes(der_of_raw(sm2_key().sign(data)))
    files: list[str | Path] = ["-pubin", "-inkey", folder / "pub.pem", "-in", folder / "data"]
    openssl("pkeyutl", "-verify", *files, "-sigfile", folder / "sig", *ID)
    (folder / "data").write_bytes(data + b"\n")
    refused = openssl("pkeyutl", "-verify", *files, "-sigfile", folder / "sig", *ID, check=False)
    assert refused.returncode != 0


def test_we_verify_what_openssl_signs(folder: Path) -> None:
    data = b"signed on the command line"
    (folder / "data").write_bytes(data)
    files: list[str | Path] = [
        "-inkey",
        folder / "key.pem",
        "-in",
        folder / "data",
        "-out",
        folder / "sig",
    ]
    openssl("pkeyutl", "-sign", *files, *ID)
    public = sm2_key().certificate.public_sm2_key()
    public.verify(raw_of_der((folder / "sig").read_bytes()), data)
    # openssl's own default is the empty id, which customs refuses.
    openssl("pkeyutl", "-sign", *files, "-rawin", "-digest", "sm3", "-pkeyopt", "distid:")
    with pytest.raises(SignatureMismatch):
        public.verify(raw_of_der((folder / "sig").read_bytes()), data)


def test_openssl_takes_our_certificates_and_our_digest(folder: Path) -> None:
    root_key, leaf_key = SM2PrivateKey.generate(), SM2PrivateKey.generate()
    root = sm2_issued(root_key, holder=root_key, subject="r", issuer="r", is_authority=True)
    leaf = sm2_issued(root_key, holder=leaf_key, subject="leaf", issuer="r")
    for name, one in (("root.pem", root), ("leaf.pem", leaf)):
        (folder / name).write_bytes(one.parsed.public_bytes(Encoding.PEM))
    verified = openssl(
        "verify", "-vfyopt", f"distid:{SIGNER_ID.decode()}", "-attime", str(int(NOW.timestamp())),
        "-CAfile", folder / "root.pem", folder / "leaf.pem", check=False,
    )  # fmt: skip
    assert verified.returncode == 0, verified.stderr
    (folder / "body").write_bytes(BODY)
    digest = openssl("dgst", "-sm3", "-binary", folder / "body").stdout
    assert base64.b64encode(digest).decode() == sign(BODY, sm2_key(), canonical=True).digest_base64


def test_keys_made_by_openssl_are_loaded(tmp_path: Path) -> None:
    key, certificate, store = (tmp_path / name for name in ("k.pem", "c.pem", "k.p12"))
    openssl("genpkey", "-algorithm", "SM2", "-out", key)
    openssl(
        "req", "-x509", "-new", "-key", key, "-sm3", "-sigopt", f"distid:{SIGNER_ID.decode()}",
        "-subj", "/CN=made by openssl", "-days", "30", "-out", certificate,
    )  # fmt: skip
    (tmp_path / "both.pem").write_bytes(key.read_bytes() + certificate.read_bytes())
    openssl(
        "pkcs12", "-export", "-inkey", key, "-in", certificate, "-out", store,
        "-passout", "pass:secret",
    )  # fmt: skip
    for path, phrase in ((tmp_path / "both.pem", None), (store, b"secret")):
        loaded = load_file(path, name="k", passphrase=phrase)
        assert loaded.certificate.is_issued_by(loaded.certificate)
        at = loaded.certificate.not_before
        content = sign(BODY, loaded, canonical=True).content
        verify(
            content,
            sm2_policy(
                pinned=(loaded.certificate,), at=at, weak_until=at,
                key_name_is_serial=True,
            ),
        )  # fmt: skip


def test_openssl_reads_the_keys_we_write(tmp_path: Path) -> None:
    (tmp_path / "k.pem").write_bytes(new_sm2_key().pem(b"secret"))
    (tmp_path / "k.p12").write_bytes(new_sm2_key().pkcs12(b"secret"))
    openssl("pkey", "-in", tmp_path / "k.pem", "-passin", "pass:secret", "-noout")
    pem = openssl("pkcs12", "-in", tmp_path / "k.p12", "-passin", "pass:secret", "-nodes").stdout
    assert load_pem(pem, name="k").certificate == new_sm2_key().certificate

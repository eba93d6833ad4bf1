"""Keys in a PKCS#11 token, with SoftHSM2 as the device."""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PrivateFormat
from cryptography.hazmat.primitives.serialization import NoEncryption as Plain

from signing import Pin, PKCS11Key, PKCS11Settings, SigningError, open_pkcs11, sign, verify_own
from signing.errors import (
    CertificateMismatch,
    CertificateMissing,
    DeviceFailed,
    DeviceMissing,
    DeviceSlow,
    KeyUnsupported,
    PinLocked,
    PinWrong,
    PrivateKeyMissing,
    ProviderMissing,
)
from signing.keys import pkcs11 as provider
from tests.tools import missing, require_tool
from tests.unit.signing.make import BODY, new_key, private_key
from tests.unit.signing.make_sm2 import sm2_key

PIN, LABEL, TOKEN = "24681012", "signing", "clearance"


def module() -> Path:
    for found in ("/usr/lib/softhsm/libsofthsm2.so", "/usr/lib/pkcs11/libsofthsm2.so"):
        if Path(found).exists():
            return Path(found)
    missing("SoftHSM2")


@pytest.fixture(scope="module")
def token(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A new token with one key; SoftHSM2 reads its settings when it is loaded, once a process."""
    tool, folder = require_tool("softhsm2-util"), tmp_path_factory.mktemp("softhsm")
    (folder / "tokens").mkdir()
    (folder / "conf").write_text(
        f"directories.tokendir = {folder / 'tokens'}\n"
        "objectstore.backend = file\nlog.level = ERROR\n"
    )
    os.environ["SOFTHSM2_CONF"] = str(folder / "conf")
    (folder / "key.pem").write_bytes(
        private_key().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, Plain())
    )
    for words in (
        ["--init-token", "--free", "--label", TOKEN, "--so-pin", "11223344", "--pin", PIN],
        ["--import", str(folder / "key.pem"), "--token", TOKEN, "--label", LABEL, "--id", "01",
         "--pin", PIN],
    ):  # fmt: skip
        subprocess.run([tool, *words], check=True, capture_output=True)
    with_certificate()
    yield folder
    del os.environ["SOFTHSM2_CONF"]


def with_certificate() -> None:
    import pkcs11
    from pkcs11.util.x509 import decode_x509_certificate

    session = pkcs11.lib(str(module())).get_token(token_label=TOKEN).open(user_pin=PIN, rw=True)
    attributes = decode_x509_certificate(new_key().certificate.der)
    session.create_object(
        {**attributes, pkcs11.Attribute.LABEL: LABEL, pkcs11.Attribute.TOKEN: True}
    )
    session.close()


def settings(**changes: Any) -> PKCS11Settings:
    made = {"module": module(), "token": TOKEN, "key": LABEL, "pin": Pin(PIN), **changes}
    return PKCS11Settings(**made)


@pytest.fixture
def key(token: Path) -> Iterator[PKCS11Key]:
    opened = open_pkcs11("hsm", settings())
    yield opened
    opened.close()


def test_a_document_is_signed_by_a_token(key: PKCS11Key) -> None:
    assert key.certificate == new_key().certificate
    assert key.key_name == new_key().certificate.serial
    verify_own(sign(BODY, key, canonical=True), key)


def test_everything_runs_on_the_tokens_one_thread(key: PKCS11Key) -> None:
    seen: set[int] = set()
    real = key._token.sign

    def watched(data: bytes) -> bytes:
        seen.add(threading.get_ident())
        return real(data)

    key._token.sign = watched  # type: ignore[method-assign]
    with ThreadPoolExecutor(8) as threads:
        data = [b"data %d" % number for number in range(200)]
        signatures = list(threads.map(key.sign, data))
    assert len(set(signatures)) == 200
    assert len(seen) == 1
    assert threading.get_ident() not in seen


@pytest.mark.parametrize(
    "changes, refused",
    [
        ({"module": Path("/nowhere/libvendor.so")}, ProviderMissing),
        ({"token": "another token"}, DeviceMissing),
        ({"key": "another key"}, PrivateKeyMissing),
        ({"certificate": new_key(0x77).certificate}, CertificateMismatch),
        ({"certificate": sm2_key().certificate}, KeyUnsupported),
    ],
    ids=["module", "token", "key", "certificate", "sm2"],
)
def test_each_fault_has_its_error(
    token: Path, changes: dict[str, Any], refused: type[SigningError]
) -> None:
    with pytest.raises(refused) as raised:
        open_pkcs11("hsm", settings(**changes))
    assert type(raised.value) is refused


def test_a_wrong_pin_is_tried_once(token: Path, tmp_path: Path) -> None:
    file = tmp_path / "pin"
    file.write_text("00000000")
    pin = Pin.from_file(file)
    with pytest.raises(PinWrong):
        open_pkcs11("hsm", settings(pin=pin))
    # SoftHSM2 would take the right PIN now: that nothing is asked is ours.
    pin._value = PIN
    with pytest.raises(PinWrong, match="refused before"):
        open_pkcs11("hsm", settings(pin=pin))
    assert Pin.from_file(file).is_refused


def test_a_token_that_was_removed_is_found_again(key: PKCS11Key) -> None:
    import pkcs11

    class Gone:
        def sign(self, *_: object, **__: object) -> bytes:
            raise pkcs11.exceptions.DeviceRemoved

    key._token._key = Gone()
    with pytest.raises(DeviceMissing):
        key.sign(b"data")
    verify_own(sign(BODY, key, canonical=True), key)


@pytest.mark.parametrize(
    "fault, refused",
    [
        ("PinLocked", PinLocked),
        ("GeneralError", DeviceFailed),
        ("MechanismInvalid", KeyUnsupported),
        ("SessionHandleInvalid", DeviceMissing),
    ],
)
def test_faults_of_the_binding_are_translated(
    key: PKCS11Key, fault: str, refused: type[SigningError]
) -> None:
    import pkcs11

    class Faulty:
        def sign(self, *_: object, **__: object) -> bytes:
            raise getattr(pkcs11.exceptions, fault)

    key._token._key = Faulty()
    with pytest.raises(refused):
        key.sign(b"data")


def test_a_token_that_hangs_is_told(token: Path) -> None:
    key = open_pkcs11("hsm", settings())
    free = threading.Event()

    class Hanging:
        def sign(self, *_: object, **__: object) -> bytes:
            free.wait(10)
            return b""

    key._token._key = Hanging()
    key._token._settings = settings(call_timeout_ms=100)
    with pytest.raises(DeviceSlow):
        key.sign(b"data")
    free.set()
    key.close()


def test_a_key_without_certificate_is_named(token: Path) -> None:
    tool = shutil.which("softhsm2-util")
    assert tool is not None
    subprocess.run(
        [tool, "--import", str(token / "key.pem"), "--token", TOKEN, "--label", "bare", "--id",
         "02", "--pin", PIN],
        check=True,
        capture_output=True,
    )  # fmt: skip
    with pytest.raises(CertificateMissing):
        open_pkcs11("hsm", settings(key="bare"))
    opened = open_pkcs11("hsm", settings(key="bare", certificate=new_key().certificate))
    opened.sign(b"data")
    opened.close()


def test_the_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pkcs11", None)
    with pytest.raises(ProviderMissing, match="extra"):
        provider._library()

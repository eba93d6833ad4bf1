"""Keys in PKCS#11 tokens, tested with SoftHSM2. RSA only: SM2 mechanisms are vendors' own.

Sessions of one token that several threads share crash the process, so everything that touches a
token runs on one thread of its own.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeout
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

from signing.certificate import Certificate
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
    SignatureForeign,
)
from signing.keys.made import is_made_by, raw_signature
from signing.keys.pin import Pin
from signing.profiles import KeyKind, profile_for

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class PKCS11Settings:
    """A key in a token: the vendor's module, and the labels of token and key.

    The certificate is read from the token under the same label unless it is given.
    """

    module: Path
    token: str
    key: str
    pin: Pin = field(repr=False)
    certificate: Certificate | None = None
    call_timeout_ms: int = 10_000


class PKCS11Key:
    """A private key that never leaves its token; `sign` waits for the token's own thread."""

    def __init__(self, name: str, settings: PKCS11Settings, token: "_Token") -> None:
        self.name = name
        self._settings = settings
        self._token = token
        self.certificate = token.certificate

    @property
    def key_name(self) -> str:
        """Serial number of the certificate."""
        return self.certificate.serial

    def sign(self, data: bytes) -> bytes:
        """Return the RSA PKCS#1 v1.5 signature over SHA-1 of the data, checked.

        Raises `DeviceMissing` (token removed), `DeviceSlow`, `DeviceFailed`, `PinWrong` without
        another try, `PinLocked`, or `SignatureForeign`.
        """
        signature = raw_signature(self.certificate, self._token.run(self._token.sign, data))
        if not is_made_by(self.certificate, signature, data):
            raise SignatureForeign
        return signature

    def close(self) -> None:
        """Log out and end the token's thread."""
        self._token.close()


def open_pkcs11(name: str, settings: PKCS11Settings) -> PKCS11Key:
    """Open the token, log in once, find key and certificate.

    Raises `ProviderMissing` for a missing library or module, `DeviceMissing` without that token,
    `PrivateKeyMissing`, `CertificateMissing`, `CertificateMismatch`, `KeyUnsupported` for a key
    that is not RSA, or as `PKCS11Key.sign`.
    """
    token = _Token(settings)
    try:
        token.run(token.open)
        profile_for(token.certificate)
        probe = token.run(token.sign, b"probe")
        if not is_made_by(token.certificate, raw_signature(token.certificate, probe), b"probe"):
            raise CertificateMismatch
    except BaseException:
        token.close()
        raise
    return PKCS11Key(name, settings, token)


class _Token:
    """One token and the one thread that may touch it."""

    def __init__(self, settings: PKCS11Settings) -> None:
        self._settings = settings
        self._library = _library()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="pkcs11")
        # Any: the binding ships no annotations we could name here without importing it.
        self._session: Any = None
        self._key: Any = None
        self._certificate: Certificate | None = settings.certificate

    @property
    def certificate(self) -> Certificate:
        """The certificate found when the token was opened."""
        if self._certificate is None:
            raise CertificateMissing
        return self._certificate

    def run(self, work: Callable[..., T], *arguments: object) -> T:
        """Run on the token's thread, with its faults turned into ours."""
        future = self._thread.submit(self._guarded, work, *arguments)
        try:
            return future.result(self._settings.call_timeout_ms / 1000)
        except FutureTimeout as error:
            future.cancel()
            raise DeviceSlow from error

    def _guarded(self, work: Callable[..., T], *arguments: object) -> T:
        faults = self._library.exceptions
        try:
            return work(*arguments)
        except faults.PinLocked as error:
            self._settings.pin.refuse()
            raise PinLocked from error
        except (faults.PinIncorrect, faults.PinInvalid, faults.PinLenRange) as error:
            self._settings.pin.refuse()
            raise PinWrong from error
        except (
            faults.NoSuchToken,
            faults.TokenNotPresent,
            faults.TokenNotRecognised,
            faults.DeviceRemoved,
            faults.SlotIDInvalid,
            faults.SessionHandleInvalid,
            faults.SessionClosed,
            faults.KeyHandleInvalid,
        ) as error:
            self._forget()
            raise DeviceMissing(type(error).__name__) from error
        except faults.MechanismInvalid as error:
            raise KeyUnsupported("the token cannot sign with SHA-1 and RSA") from error
        except faults.PKCS11Error as error:
            self._forget()
            raise DeviceFailed(type(error).__name__) from error

    def open(self) -> None:
        """Log in and find what is needed, unless that was done."""
        if self._session is not None:
            return
        settings, binding = self._settings, self._library
        if not settings.module.exists():
            raise ProviderMissing(f"PKCS#11 module {settings.module.name}")
        pin = settings.pin.use()
        token = binding.lib(str(settings.module)).get_token(token_label=settings.token)
        session = token.open(user_pin=pin)
        try:
            self._key = session.get_key(
                object_class=binding.ObjectClass.PRIVATE_KEY, label=settings.key
            )
            if self._certificate is None:
                self._certificate = self._read_certificate(session)
        except binding.exceptions.NoSuchKey as error:
            session.close()
            raise PrivateKeyMissing from error
        except BaseException:
            session.close()
            raise
        if self.certificate.key_kind is not KeyKind.RSA:
            session.close()
            raise KeyUnsupported("PKCS#11 keys are RSA")
        self._session = session

    def sign(self, data: bytes) -> bytes:
        """Sign on the token, which is opened anew when it was lost."""
        self.open()
        mechanism = self._library.Mechanism.SHA1_RSA_PKCS
        return bytes(self._key.sign(data, mechanism=mechanism))

    def _read_certificate(self, session: Any) -> Certificate:
        binding = self._library
        wanted = {
            binding.Attribute.CLASS: binding.ObjectClass.CERTIFICATE,
            binding.Attribute.LABEL: self._settings.key,
        }
        for found in session.get_objects(wanted):
            return Certificate.from_der(bytes(found[binding.Attribute.VALUE]))
        raise CertificateMissing

    def _forget(self) -> None:
        session, self._session, self._key = self._session, None, None
        if session is not None:
            try:
                session.close()
            except self._library.exceptions.PKCS11Error:
                # It is gone, which is why it is forgotten.
                return

    def close(self) -> None:
        """End the session and the thread; what runs is finished first.

        Waited for as long as a call may take: a token knows one log-in of a process, so who opens
        it next must not meet the old one.
        """
        ended = self._thread.submit(self._forget)
        self._thread.shutdown(wait=False)
        with suppress(FutureTimeout):
            ended.result(self._settings.call_timeout_ms / 1000)


def _library() -> ModuleType:
    try:
        import pkcs11  # noqa: PLC0415 - an extra, needed only by those who have tokens
        import pkcs11.exceptions  # noqa: PLC0415
    except ImportError as error:
        raise ProviderMissing("python-pkcs11; install the extra `pkcs11`") from error
    module: ModuleType = pkcs11
    return module

"""A device that need not be there yet: its certificate is known, it is opened when it must sign."""

import threading
from collections.abc import Callable

from signing.certificate import Certificate
from signing.errors import DeviceMissing
from signing.keys.base import Key
from signing.profiles import profile_for


class LateKey:
    """A key whose provider is opened at its first use, and again after a failure to open.

    A gateway starts although its token is not plugged in: what must be signed waits.
    """

    def __init__(self, name: str, certificate: Certificate, open_key: Callable[[], Key]) -> None:
        profile_for(certificate)
        self.name = name
        self.certificate = certificate
        self.key_name = certificate.serial
        self._open = open_key
        self._lock = threading.Lock()
        self._opened: Key | None = None

    def sign(self, data: bytes) -> bytes:
        """Sign as `Key.sign` says; raises what opening raises, `DeviceMissing` for another key."""
        return self._key().sign(data)

    def _key(self) -> Key:
        with self._lock:
            if self._opened is None:
                opened = self._open()
                if opened.certificate != self.certificate:
                    raise DeviceMissing("its certificate is not the configured one")
                self._opened = opened
                self.key_name = opened.key_name
            return self._opened

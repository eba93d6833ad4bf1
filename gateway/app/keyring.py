"""The keys of a deployment: opened as the settings say, gathered into rings, used by the flow."""

import ssl
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import datetime

from gateway.app.config import ConfigError, KeySection, passphrase
from gateway.app.surroundings import ThreadExecutor
from gateway.domain.codec import from_micros
from gateway.domain.errors import RingUnknown
from gateway.ports import Clock, Executor, SignedMessage
from signing import (
    Certificate,
    Key,
    LateKey,
    Pin,
    PKCS11Settings,
    Ring,
    RingKey,
    RingWatch,
    SigningError,
    SM2Names,
    UKeySettings,
    Urgency,
    load_file,
    open_pkcs11,
    open_ukey,
    profile_for,
)
from signing.errors import EnterpriseForeign
from signing.keys.remote import RemoteKey, RemoteSettings
from signing.ring import KeyState


class KeyRings:
    """The rings by name (the ``KeyRing`` port)."""

    def __init__(self, rings: Mapping[str, Ring]) -> None:
        self._rings = dict(rings)

    @classmethod
    def of_keys(cls, keys: Mapping[str, Key], executor: Executor) -> "KeyRings":
        """One key for each ring, on one executor, judged at no moment: for tests."""
        return cls(
            {
                name: Ring(name, [RingKey(key, executor.run, at_once=8)])
                for name, key in keys.items()
            }
        )

    @property
    def rings(self) -> Mapping[str, Ring]:
        """The rings by name."""
        return self._rings

    @property
    def keys(self) -> Mapping[str, Key]:
        """Every key by its own name."""
        return {key.name: key for ring in self._rings.values() for key in ring.keys}

    def states(self) -> Mapping[str, Sequence[KeyState]]:
        """How the keys of each ring stand."""
        return {name: ring.states() for name, ring in self._rings.items()}

    def ring(self, name: str) -> Ring:
        """A ring. Raises ``RingUnknown``."""
        ring = self._rings.get(name)
        if ring is None:
            raise RingUnknown(f"no key is configured for the key ring {name!r}")
        return ring

    async def sign(
        self,
        ring: str,
        body: bytes,
        urgency: Urgency | None = None,
        *,
        enterprises: Collection[str] = (),
    ) -> SignedMessage:
        """Sign canonical bytes, verify the result. Raises ``RingUnknown`` or ``SigningError``."""
        signed = await self.ring(ring).sign(body, urgency, enterprises=enterprises)
        return SignedMessage(signed.content, signed.certificate_serial, signed.profile.name)

    def is_ready(self, ring: str, enterprises: Collection[str]) -> bool:
        """Whether a key of the ring could sign for these codes now."""
        found = self._rings.get(ring)
        return found is not None and found.is_ready_for(enterprises)

    def doubt(self, serials: Collection[str]) -> None:
        """Set aside the keys of exactly these certificates, in every ring."""
        for ring in self._rings.values():
            ring.doubt(serials)


def open_rings(
    sections: Mapping[str, KeySection],
    executor: Executor,
    clock: Clock,
    watch: RingWatch,
    stack: AsyncExitStack,
) -> KeyRings:
    """Open every key and gather the rings; ``stack`` closes devices and their threads.

    A file key signs on the shared executor, each device on a thread of its own. Raises
    :class:`ConfigError` naming the key that cannot be used.
    """
    gathered: dict[str, list[RingKey]] = {}
    for name, section in sections.items():
        key = open_key(name, section)
        if callable(close := getattr(key, "close", None)):
            stack.callback(close)
        run = executor.run
        if section.kind != "file":
            own = ThreadExecutor(1)
            stack.callback(own.close)
            run = own.run
        gathered.setdefault(section.ring or name, []).append(ring_key(key, section, run))

    def now() -> datetime:
        return from_micros(clock.now())

    return KeyRings(
        {name: Ring(name, keys, now=now, watch=watch) for name, keys in gathered.items()}
    )


def ring_key(key: Key, section: KeySection, run: Callable[..., object]) -> RingKey:
    """How a key is to be used."""
    return RingKey(
        key,
        run,  # type: ignore[arg-type]
        at_once=64 if section.kind == "file" else 1,
        weight=section.weight,
        pace_ms=section.pace_ms,
        profile=profile_for(key.certificate, SM2Names(section.sm2_names)),
        use_from=section.use_from,
        use_until=section.use_until,
        enterprises=section.enterprise,
    )


def open_key(name: str, section: KeySection) -> Key:
    """Open a key as its section says. Raises :class:`ConfigError` naming it.

    A device whose certificate is in a file is opened when it must sign.
    """
    try:
        key = _open(name, section)
        _require_enterprise(key.certificate, section)
    except (OSError, SigningError, ValueError) as error:
        raise ConfigError(f"keys.{name}: {error}") from error
    return key


def load_keys(sections: Mapping[str, KeySection]) -> dict[str, Key]:
    """Open every key. Raises :class:`ConfigError` naming a faulty one."""
    return {name: open_key(name, section) for name, section in sections.items()}


def certificate_of(name: str, section: KeySection) -> Certificate | None:
    """The certificate of a key, without asking a device; None where only the device knows it.

    Raises :class:`ConfigError`.
    """
    try:
        if section.certificate_file is not None:
            return _certificate_file(section)
    except (OSError, SigningError) as error:
        raise ConfigError(f"keys.{name}: {error}") from error
    return open_key(name, section).certificate if section.kind == "file" else None


def _certificate_file(section: KeySection) -> Certificate:
    assert section.certificate_file is not None
    data = section.certificate_file.read_bytes()
    return Certificate.from_pem(data) if b"-----BEGIN" in data else Certificate.from_der(data)


def _require_enterprise(certificate: Certificate, section: KeySection) -> None:
    """A certificate that names enterprises must name one of the setting's."""
    named = certificate.enterprise_codes()
    if section.enterprise and named and named.isdisjoint(section.enterprise):
        raise EnterpriseForeign("see its setting `enterprise`")


def _open(name: str, section: KeySection) -> Key:
    match section.kind:
        case "file":
            assert section.file is not None
            return load_file(section.file, name=name, passphrase=passphrase(section))
        case "remote":
            return _remote(name, section)
        case "pkcs11":
            return _late(name, section, lambda: open_pkcs11(name, _token(section)))
        case "ukey":
            return _late(name, section, lambda: open_ukey(name, _ukey(section)))


def _late(name: str, section: KeySection, opening: Callable[[], Key]) -> Key:
    if section.certificate_file is None:
        return opening()
    return LateKey(name, _certificate_file(section), opening)


def _token(section: KeySection) -> PKCS11Settings:
    assert section.module is not None
    assert section.pin_file is not None
    given = _certificate_file(section) if section.certificate_file is not None else None
    return PKCS11Settings(
        module=section.module,
        token=section.token or "",
        key=section.label or "",
        pin=Pin.from_file(section.pin_file),
        certificate=given,
        call_timeout_ms=section.timeout_ms,
    )


def _ukey(section: KeySection) -> UKeySettings:
    pin = None if section.pin_file is None else Pin.from_file(section.pin_file)
    made = UKeySettings(
        pin=pin,
        call_timeout_ms=section.timeout_ms,
        converts_der=section.converts_der,
        enterprises=section.enterprise,
        tls=_tls(section),
    )
    return made if section.url is None else replace(made, url=section.url)


def _remote(name: str, section: KeySection) -> Key:
    assert section.url is not None
    assert section.token_file is not None
    settings = RemoteSettings(
        section.url,
        key=section.label or name,
        token=section.token_file.read_text("utf-8").strip(),
        certificate=_certificate_file(section),
        timeout_ms=section.timeout_ms,
        converts_der=section.converts_der,
        tls=_tls(section),
    )
    return RemoteKey(name, settings)


def _tls(section: KeySection) -> ssl.SSLContext | None:
    if section.ca_file is None:
        return None
    return ssl.create_default_context(cafile=str(section.ca_file))

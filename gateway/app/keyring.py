"""The keys of a deployment: opened as the settings say, gathered into rings, used by the flow."""

import ssl
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

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

_REST_S: Final = 0.05
_USED_BY: Final = (
    "ring", "weight", "pace_ms", "use_from", "use_until", "sm2_names", "offered_to",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Opened:
    """A key that was opened, by which setting and which state of its files."""

    section: KeySection
    stamp: tuple[object, ...]
    given: RingKey
    close: Callable[[], None]


class KeyRings:
    """The rings by name (the ``KeyRing`` port)."""

    def __init__(self, rings: Mapping[str, Ring]) -> None:
        self._rings = dict(rings)
        self._doubted: Collection[str] = ()

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
        self._doubted = frozenset(serials)
        for ring in self._rings.values():
            ring.doubt(self._doubted)


class ConfiguredRings(KeyRings):
    """The rings of the settings, which may change while they work.

    A file key signs on the shared executor, each device on a thread of its own.
    """

    def __init__(self, executor: Executor, clock: Clock, watch: RingWatch) -> None:
        super().__init__({})
        self._executor = executor
        self._clock = clock
        self._watch = watch
        self._opened: dict[str, _Opened] = {}

    @property
    def sections(self) -> Mapping[str, KeySection]:
        """The settings of the keys that are in use."""
        return {name: one.section for name, one in self._opened.items()}

    def open(self, sections: Mapping[str, KeySection]) -> None:
        """Open every key when a process starts. Raises :class:`ConfigError` naming one at fault."""
        for name, section in sections.items():
            self._opened[name] = self._open(name, section, stamp_of(section))
        self._gather()

    async def take(self, sections: Mapping[str, KeySection]) -> Sequence[str]:
        """Take up keys that are new or changed and let go of the others; gives the names.

        Raises :class:`ConfigError` naming the first key that cannot be used, after the others were
        taken; a file key that was there goes on as it was. A device is let go of before it is
        opened anew, so that never two connections speak to it.
        """
        if self._opened and not sections:
            raise ConfigError(
                "keys: the settings name no key any more; those in use stay",
                "设置中已没有任何密钥，仍使用现有密钥",
            )
        told: list[str] = []
        faults: list[ConfigError] = []
        for name, section in sections.items():
            try:
                told += [name] if await self._take_one(name, section) else []
            except ConfigError as error:
                faults.append(error)
        gone = {name: self._opened.pop(name) for name in self._opened.keys() - sections.keys()}
        if told or gone:
            await self._let_go(gone)
        if faults:
            raise faults[0]
        return sorted((*told, *gone))

    async def _take_one(self, name: str, section: KeySection) -> bool:
        """Have a key be as its setting says; whether it was not."""
        old, stamp = self._opened.get(name), stamp_of(section)
        if old is not None and (_opening(old.section), old.stamp) == (_opening(section), stamp):
            given = ring_key(old.given.key, section, old.given.run)
            self._opened[name] = replace(old, section=section, given=given)
            return old.section != section
        if old is not None and old.section.kind != "file":
            await self._let_go({name: self._opened.pop(name)})
        self._opened[name] = await self._executor.run(self._open, name, section, stamp)
        return True

    def close(self) -> None:
        """Close devices and their threads."""
        for one in self._opened.values():
            one.close()

    async def _let_go(self, gone: Mapping[str, _Opened]) -> None:
        """Close what is no longer used, once it has finished what it had in hand."""
        rings = list(self._rings.values())
        self._gather()
        for one in gone.values():
            while any(ring.is_busy(one.given.key) for ring in rings):
                await self._clock.sleep(_REST_S)
            await self._executor.run(one.close)

    def _open(self, name: str, section: KeySection, stamp: tuple[object, ...]) -> _Opened:
        key = open_key(name, section)
        closing = [close] if callable(close := getattr(key, "close", None)) else []
        run = self._executor.run
        if section.kind != "file":
            own = ThreadExecutor(1)
            closing.append(own.close)
            run = own.run

        def close_all() -> None:
            for each in closing:
                each()

        return _Opened(section, stamp, ring_key(key, section, run), close_all)

    def _gather(self) -> None:
        """Make the rings those of the keys that are open."""
        gathered: dict[str, list[RingKey]] = {}
        for name, one in self._opened.items():
            gathered.setdefault(one.section.ring or name, []).append(one.given)
        for name in self._rings.keys() - gathered.keys():
            self._rings.pop(name).use(())
        for name, keys in gathered.items():
            if name in self._rings:
                self._rings[name].use(keys)
            else:
                self._rings[name] = Ring(name, keys, now=self._moment, watch=self._watch)
        self.doubt(self._doubted)

    def _moment(self) -> datetime:
        return from_micros(self._clock.now())


def open_rings(
    sections: Mapping[str, KeySection],
    executor: Executor,
    clock: Clock,
    watch: RingWatch,
    stack: AsyncExitStack,
) -> ConfiguredRings:
    """Open every key and gather the rings; ``stack`` closes devices and their threads.

    Raises :class:`ConfigError` naming the key that cannot be used.
    """
    rings = ConfiguredRings(executor, clock, watch)
    stack.callback(rings.close)
    rings.open(sections)
    return rings


def stamp_of(section: KeySection) -> tuple[object, ...]:
    """What the files of a key look like: another stamp, other contents.

    A PIN's file is looked at by the device itself, when it has refused the PIN.
    """
    named = (section.file, section.certificate_file, section.passphrase_file, section.token_file)
    found: list[object] = []
    for path in named:
        try:
            status = path.stat() if path is not None else None
        except OSError:
            status = None
        found.append(status and (status.st_mtime_ns, status.st_size, status.st_ino))
    return tuple(found)


def _opening(section: KeySection) -> KeySection:
    """What of a setting says how its key is opened; the rest says how it is used."""
    return section.model_copy(update=dict.fromkeys(_USED_BY, None))


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
        raise ConfigError(f"keys.{name}: {error}", "密钥无法使用") from error
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
        raise ConfigError(f"keys.{name}: {error}", "密钥无法使用") from error
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

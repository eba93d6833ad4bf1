"""What operators of the console watch and switch, read from the parts of this process."""

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from importlib.resources import files
from itertools import islice
from pathlib import Path
from typing import Final

from adapters.base import Adapter
from adapters.discovery import carriers, payments, regimes, sources
from gateway.app.config import FolderSection, Settings
from gateway.app.keyring import KeyRings
from gateway.domain.codec import from_micros, to_micros
from gateway.ports import Clock
from gateway.ports.ways import Ways
from gateway.web.services import AdapterInfo, ChannelInfo, KeyInfo, SchemaInfo
from schemas.catalog import Catalog, read_catalog
from signing import CEB_PROFILES, SigningError, VerifyPolicy, verify
from store.pauses import PauseBook

_COUNTED: Final = 10_000


class ProcessOperations:
    """Implements ``web.services.Operations`` over one process."""

    def __init__(
        self,
        settings: Settings,
        ring: KeyRings | None,
        pauses: PauseBook,
        clock: Clock,
        ready: Callable[[], Awaitable[Mapping[str, bool]]],
        ways: Ways,
    ) -> None:
        self._settings = settings
        self._ring = ring
        self._pauses = pauses
        self._clock = clock
        self._ready = ready
        self._ways = ways

    def channels(self) -> Sequence[ChannelInfo]:
        """Every channel of this deployment."""
        standing = self._ways.standing()
        return [
            ChannelInfo(
                name=name,
                kind=section.kind,
                is_reachable=(
                    section.send.is_dir() and section.receive.is_dir()
                    if isinstance(section, FolderSection)
                    else None
                ),
                pause=self._pauses.paused.get(name),
                waiting=_waiting(section.send) if isinstance(section, FolderSection) else None,
                standing=standing.get(name),
                limits=section.limits,
            )
            for name, section in sorted(self._settings.channels.items())
        ]

    def keys(self) -> Sequence[KeyInfo]:
        """Every signing key of this process."""
        now = from_micros(self._clock.now())
        keys = {} if self._ring is None else self._ring.keys
        return [
            KeyInfo(
                ring=name,
                serial=key.certificate.serial,
                kind=str(key.certificate.key_kind),
                bits=key.certificate.key_bits,
                fingerprint=key.certificate.fingerprint,
                not_before=to_micros(key.certificate.not_before),
                not_after=to_micros(key.certificate.not_after),
                is_valid=key.certificate.is_valid_at(now),
            )
            for name, key in sorted(keys.items())
        ]

    def schemas(self) -> Sequence[SchemaInfo]:
        """Every schema set of this release."""
        return [
            SchemaInfo(
                family=one.family,
                edition=one.edition,
                in_force=one.in_force.isoformat(),
                origin=one.origin,
                messages=one.messages,
                files=dict(one.sha256),
            )
            for one in _catalogs()
        ]

    def adapters(self) -> Sequence[AdapterInfo]:
        """Every adapter that is installed."""
        found: tuple[tuple[str, Mapping[str, Adapter]], ...] = (
            ("customs", regimes()),
            ("marketplace", sources()),
            ("payment company", payments()),
            ("carrier", carriers()),
        )
        return [
            AdapterInfo(one.id, kind, _limits(one))
            for kind, adapters in found
            for one in adapters.values()
        ]

    def verified(self, body: bytes, profile: str, serial: str) -> str:
        """Our own look at a signed message: ``holds``, ``no_certificate`` or ``broken``."""
        keys = {} if self._ring is None else self._ring.keys
        for key in keys.values():
            certificate = key.certificate
            if certificate.serial != serial:
                continue
            # Whether it was valid when it signed was decided then; here the bytes are the question.
            moment = certificate.not_before
            policy = VerifyPolicy(
                profiles=CEB_PROFILES, at=moment, pinned=(certificate,), weak_until=moment
            )
            try:
                verify(body, policy)
            except SigningError:
                return "broken"
            return "holds"
        return "no_certificate"

    async def ready(self) -> Mapping[str, bool]:
        """Which parts can do their work."""
        return await self._ready()

    async def pause(self, channel: str, by: str, reason: str) -> bool:
        """Stop sending through a channel of this deployment."""
        if channel not in self._settings.channels:
            return False
        return await self._pauses.pause(channel, by, reason)

    async def resume(self, channel: str) -> bool:
        """Send through it again."""
        return await self._pauses.resume(channel)


def _waiting(folder: Path) -> int:
    """Messages in a folder that nobody has taken; at most as many as a look may cost."""
    if not folder.is_dir():
        return 0
    found = islice(folder.iterdir(), _COUNTED)
    return sum(not one.name.startswith(".") and one.suffix != ".tmp" for one in found)


def _catalogs() -> Iterator[Catalog]:
    for family in sorted(files("schemas").iterdir(), key=lambda one: one.name):
        if not family.is_dir():
            continue
        own = family / "catalog.toml"
        if own.is_file():
            yield read_catalog(own, family.name)
        for edition in sorted(family.iterdir(), key=lambda one: one.name):
            source = edition / "catalog.toml"
            if edition.is_dir() and source.is_file():
                yield read_catalog(source, f"{family.name}/{edition.name}")


def _limits(adapter: Adapter) -> Mapping[str, str]:
    limits = getattr(getattr(adapter, "terms", None), "limits", None)
    if limits is None:
        return {}
    return {name: str(value) for name, value in asdict(limits).items()}

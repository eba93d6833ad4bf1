"""Key rings: the keys of one enterprise, and which of them signs what next.

A ring hands each document to a key that is well and free: the most urgent document first, devices
never asked for two things at once nor faster than they can, keys sharing the work by weight. A key
that fails rests ever longer and is tried again; one whose fault does not pass by itself stays out.
A document that a key could not sign goes to the next key, so nothing is lost and nothing waits for
a broken device. Time is the running loop's; the moment certificates are judged at is the caller's.
"""

import asyncio
import heapq
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import IntEnum, StrEnum
from itertools import count
from typing import Any, Final, Protocol, TypeVar

from signing.certificate import Certificate
from signing.errors import (
    DeadlinePassed,
    EnterpriseForeign,
    KeyDoubted,
    KeyExpired,
    KeyNotYetValid,
    NoKeyReady,
    Retry,
    RingFull,
    SignatureForeign,
    SigningError,
    SigningKeyError,
)
from signing.keys.base import Key
from signing.keys.made import is_made_by
from signing.profiles import Profile, profile_for
from signing.selfcheck import verify_own
from signing.sign import SignedDocument, sign

T = TypeVar("T")

FORECAST_DAYS: Final = (60, 30, 7, 1)
"""How many days before the end of a certificate its owner is told, each once."""

_PROBE: Final = b"probe"
_SHARE: Final = 1_000_000


class Priority(IntEnum):
    """What goes first when keys are busy."""

    QUESTION = 0
    """An answer that customs waits for (announcement 179: within two minutes)."""
    CHANGE = 1
    """A cancellation or a return (623, 625)."""
    INVENTORY = 2
    """An inventory (621); the one with the earlier cut-off first."""
    PAPER = 3
    """Papers that others wait for (311 and its like)."""


@dataclass(frozen=True, slots=True)
class Urgency:
    """How long a document may wait, and before which others it goes.

    `cut_off` orders documents of one priority: the smaller first, None last.
    """

    priority: Priority = Priority.PAPER
    cut_off: int | None = None
    wait_ms: int = 60_000


class Health(StrEnum):
    """How a key of a ring stands."""

    READY = "ready"
    RESTING = "resting"
    OUT = "out"
    EXPIRED = "expired"
    NOT_YET = "not-yet"


class Run(Protocol):
    """Runs a blocking call elsewhere than on the loop: a thread pool, or a device's one thread."""

    async def __call__(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """The result of the call (Any: it passes arguments through)."""


@dataclass(frozen=True, slots=True)
class RingKey:
    """One key of a ring and how it is to be used.

    `at_once` is 1 for every device; `pace_ms` the least time from one call to the next (250 for a
    UKey of four signatures a second). `use_from` and `use_until` make the overlap of a rotation: in
    it both keys sign, by weight; what an old key signed stays verifiable. `enterprises` are the
    codes (customs and social credit) of the certificate's enterprise, empty where nobody said.
    """

    key: Key
    run: Run
    at_once: int = 1
    weight: int = 1
    pace_ms: int = 0
    profile: Profile | None = None
    use_from: datetime | None = None
    use_until: datetime | None = None
    enterprises: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class RingLimits:
    """`rest_ms` is the first rest of a failing key; it doubles up to `longest_rest_ms`."""

    waiting: int = 1000
    rest_ms: int = 2_000
    longest_rest_ms: int = 600_000


class RingWatch:
    """Is told what a ring does, for metrics and logs. This one keeps silent; must not raise."""

    def signed(self, ring: str, key: str, micros: int) -> None:
        """A key signed a document in this time, waiting left out."""

    def failed(self, ring: str, key: str, error: SigningError) -> None:
        """A key failed and was set aside."""

    def returned(self, ring: str, key: str) -> None:
        """A key that was set aside signs again."""


@dataclass(frozen=True, slots=True)
class KeyState:
    """What a key of a ring has done and how it stands, without anything of its holder."""

    name: str
    key_name: str
    health: Health
    why: str
    """Code of the last error while it is not ready."""
    uses: int
    failures: int
    in_flight: int
    ends: datetime
    enterprises: frozenset[str]


class _Member:
    """A key with its counters."""

    def __init__(self, given: RingKey) -> None:
        self.key = given.key
        self.regard(given)
        self.in_flight = 0
        self.uses = 0
        self.failures = 0
        self.failed_in_a_row = 0
        self.rests_until_us = 0
        self.may_sign_at_us = 0
        self.share = 0
        self.error: SigningKeyError | None = None
        self.is_out = False
        self.is_doubted = False

    def regard(self, given: RingKey) -> None:
        """Use the key as it is given from now on."""
        self.given = given
        self.profile = given.profile or profile_for(given.key.certificate)

    def window_fault(self, now: datetime | None) -> SigningKeyError | None:
        """Why the certificate cannot sign now, None when it can."""
        if now is None:
            return None
        certificate = self.key.certificate
        if now > certificate.not_after:
            return KeyExpired()
        if now < certificate.not_before:
            return KeyNotYetValid()
        return None

    def is_in_use(self, now: datetime | None) -> bool:
        """Whether the rotation lets it sign now."""
        if now is None:
            return True
        start, end = self.given.use_from, self.given.use_until
        return (start is None or start <= now) and (end is None or now < end)

    def belongs_to(self, enterprises: Collection[str]) -> bool:
        """Whether it may sign for these codes; true where one side names none."""
        own = self.given.enterprises
        return not own or not enterprises or not own.isdisjoint(enterprises)


@dataclass(order=True, slots=True)
class _Waiter:
    """A document that waits for a key."""

    priority: int
    cut_off: tuple[bool, int]
    number: int
    future: asyncio.Future[_Member] = field(compare=False)
    enterprises: Collection[str] = field(compare=False)
    tried: frozenset[str] = field(compare=False)


class Ring:
    """The keys of one enterprise. Made and used on one event loop."""

    def __init__(
        self,
        name: str,
        keys: Sequence[RingKey],
        *,
        now: Callable[[], datetime] | None = None,
        limits: RingLimits | None = None,
        watch: RingWatch | None = None,
    ) -> None:
        self.name = name
        self._members = [_Member(one) for one in keys]
        self._leaving: list[_Member] = []
        self._now = now
        self._limits = limits or RingLimits()
        self._watch = watch or RingWatch()
        self._waiting: list[_Waiter] = []
        self._numbers = count()
        self._timer: asyncio.TimerHandle | None = None

    @property
    def waiting(self) -> int:
        """How many documents wait for a key."""
        return len(self._waiting)

    @property
    def keys(self) -> list[Key]:
        """The keys, whatever their health."""
        return [member.key for member in self._members]

    def states(self) -> list[KeyState]:
        """How each key stands."""
        now = self._moment()
        return [
            KeyState(
                name=member.key.name,
                key_name=member.key.key_name,
                health=self._health(member, now),
                why=member.error.code if member.error is not None else "",
                uses=member.uses,
                failures=member.failures,
                in_flight=member.in_flight,
                ends=member.key.certificate.not_after,
                enterprises=member.given.enterprises,
            )
            for member in self._members
        ]

    async def sign(
        self,
        document: bytes,
        urgency: Urgency | None = None,
        *,
        enterprises: Collection[str] = (),
        canonical: bool = True,
    ) -> SignedDocument:
        """Sign with the next free key and check what it made.

        `enterprises` are codes of the enterprise that files; keys of others are not used. Raises a
        `DocumentError` of the document, `RingFull`, `DeadlinePassed`, `NoKeyReady`,
        `EnterpriseForeign`, or the error of the last key when every key failed. Whatever is raised,
        nothing was signed that anybody has.
        """

        def work(member: _Member) -> SignedDocument:
            return sign_and_check(member.key, document, member.profile, canonical)

        return await self._through(work, urgency or Urgency(), enterprises)

    async def sign_bytes(
        self, data: bytes, urgency: Urgency | None = None, *, enterprises: Collection[str] = ()
    ) -> tuple[bytes, Key]:
        """Have a key hash and sign the data as it is; gives the signature and the key.

        For SignedInfo that somebody else built, and for plain strings. Raises as `sign`.
        """

        def work(member: _Member) -> tuple[bytes, Key]:
            signature = member.key.sign(data)
            if not is_made_by(member.key.certificate, signature, data):
                raise SignatureForeign
            return signature, member.key

        return await self._through(work, urgency or Urgency(), enterprises)

    async def _through(
        self, work: Callable[[_Member], T], urgency: Urgency, enterprises: Collection[str]
    ) -> T:
        """Let one key after the other try."""
        until_us = _now_us() + urgency.wait_ms * 1000
        tried: set[str] = set()
        last: SigningKeyError | None = None
        while True:
            member = await self._take(urgency, until_us, frozenset(tried), enterprises, last)
            started = _now_us()
            try:
                result: T = await member.given.run(work, member)
            except SigningKeyError as error:
                self._set_aside(member, error)
                tried.add(member.key.name)
                last = error
            else:
                if not member.is_doubted:
                    self._succeeded(member, _now_us() - started)
                    return result
                # Set aside while it signed: nobody has that signature, another key makes one.
                tried.add(member.key.name)
                last = KeyDoubted(member.key.name)
            finally:
                member.in_flight -= 1
                self._dispatch()

    async def check(self) -> None:
        """Have every key that is not out sign a probe: failing ones rest, well ones return."""
        for member in self._members:
            if member.is_out or member.is_doubted or member.in_flight:
                continue
            if member.window_fault(self._moment()):
                continue
            member.in_flight += 1
            try:
                await member.given.run(probe, member.key)
            except SigningKeyError as error:
                self._set_aside(member, error)
            else:
                self._well_again(member)
            finally:
                member.in_flight -= 1
                self._dispatch()

    def set_aside(self, key: str, error: SigningKeyError) -> bool:
        """Set a key aside because of what others say of it; whether the ring has it."""
        found = [
            member for member in self._members if key in (member.key.name, member.key.key_name)
        ]
        for member in found:
            self._set_aside(member, error)
        return bool(found)

    def readmit(self, key: str) -> bool:
        """Let a key that is out sign again, because a person mended it; whether the ring has it."""
        found = [member for member in self._members if member.key.name == key]
        for member in found:
            self._well_again(member)
        self._dispatch()
        return bool(found)

    def use(self, keys: Sequence[RingKey]) -> None:
        """Go on with these keys: those that were there keep their counters, others join or leave.

        A key that leaves finishes what it has in hand (`is_busy`) and is given nothing more.
        """
        known = {id(member.key): member for member in self._members}
        least = min((member.share for member in self._members), default=0)
        members = []
        for given in keys:
            member = known.pop(id(given.key), None)
            if member is None:
                member = _Member(given)
                # It does not make up for the time before it came.
                member.share = least
            else:
                member.regard(given)
            members.append(member)
        self._members = members
        self._leaving += known.values()
        self._dispatch()

    def is_busy(self, key: Key) -> bool:
        """Whether a key, even one that has left, has something in hand."""
        self._leaving = [member for member in self._leaving if member.in_flight]
        return any(
            member.key is key and member.in_flight for member in (*self._members, *self._leaving)
        )

    def doubt(self, serials: Collection[str]) -> None:
        """Set aside the keys of exactly these certificates: who is sent to refuses what they sign.

        No probe brings them back. One whose serial is no longer given signs again.
        """
        for member in self._members:
            was, member.is_doubted = member.is_doubted, member.key.certificate.serial in serials
            if member.is_doubted and not was:
                member.failures += 1
                member.error = KeyDoubted(member.key.name)
                self._watch.failed(self.name, member.key.name, member.error)
            elif was and not member.is_doubted:
                self._well_again(member)
        self._dispatch()

    def is_ready_for(self, enterprises: Collection[str]) -> bool:
        """Whether some key could sign for these codes now, if it were free."""
        now = self._moment()
        return any(
            member.belongs_to(enterprises)
            and member.is_in_use(now)
            and self._health(member, now) is Health.READY
            for member in self._members
        )

    # --- choosing a key -------------------------------------------------------------------------

    async def _take(
        self,
        urgency: Urgency,
        until_us: int,
        tried: frozenset[str],
        enterprises: Collection[str],
        last: SigningKeyError | None,
    ) -> _Member:
        """Claim a key, waiting for one until the deadline."""
        self._require_hope(tried, enterprises, last)
        waiter = _Waiter(
            urgency.priority,
            (urgency.cut_off is None, urgency.cut_off or 0),
            next(self._numbers),
            asyncio.get_running_loop().create_future(),
            enterprises,
            tried,
        )
        if len(self._waiting) >= self._limits.waiting:
            raise RingFull
        heapq.heappush(self._waiting, waiter)
        self._dispatch()
        try:
            async with asyncio.timeout_at(until_us / 1_000_000):
                return await waiter.future
        except TimeoutError:
            self._abandon(waiter)
            raise DeadlinePassed from last
        except BaseException:
            self._abandon(waiter)
            raise

    def _abandon(self, waiter: _Waiter) -> None:
        """Take back what a document was given that nobody waits for any more."""
        future = waiter.future
        if future.done() and not future.cancelled() and future.exception() is None:
            future.result().in_flight -= 1
        if waiter in self._waiting:
            self._waiting.remove(waiter)
            heapq.heapify(self._waiting)
        self._dispatch()

    def _require_hope(
        self,
        tried: frozenset[str],
        enterprises: Collection[str],
        last: SigningKeyError | None,
    ) -> None:
        """Raise unless some key may come to sign: none is waited for that cannot."""
        own = [member for member in self._members if member.belongs_to(enterprises)]
        if self._members and not own:
            raise EnterpriseForeign(self.name)
        now = self._moment()
        left = [one for one in own if one.key.name not in tried and one.is_in_use(now)]
        if any(self._health(one, now) is Health.READY for one in left):
            return
        if last is not None:
            raise last
        faults = [fault for one in left if (fault := one.error or one.window_fault(now))]
        raise faults[0] if len(left) == 1 and faults else NoKeyReady(self.name)

    def _dispatch(self) -> None:
        """Give free keys to those who wait, the most urgent first."""
        if not self._waiting:
            return
        now, moment = _now_us(), self._moment()
        kept: list[_Waiter] = []
        for waiter in sorted(self._waiting):
            if waiter.future.done():
                continue
            member = self._free_member(waiter, now, moment)
            if member is None:
                if not self._settle_hopeless(waiter):
                    kept.append(waiter)
                continue
            self._claim(member, now)
            waiter.future.set_result(member)
        self._waiting = kept
        heapq.heapify(self._waiting)
        self._wake_later(now)

    def _settle_hopeless(self, waiter: _Waiter) -> bool:
        try:
            self._require_hope(waiter.tried, waiter.enterprises, None)
        except SigningKeyError as error:
            waiter.future.set_exception(error)
            return True
        return False

    def _free_member(self, waiter: _Waiter, now: int, moment: datetime | None) -> _Member | None:
        free = [
            member
            for member in self._members
            if member.in_flight < member.given.at_once
            and member.may_sign_at_us <= now
            and member.key.name not in waiter.tried
            and member.is_in_use(moment)
            and member.belongs_to(waiter.enterprises)
            and self._health(member, moment) is Health.READY
        ]
        return min(free, key=lambda member: member.share, default=None)

    def _claim(self, member: _Member, now: int) -> None:
        member.in_flight += 1
        # One that was away long does not make up for it.
        floor = min((one.share for one in self._members if one.in_flight), default=member.share)
        member.share = max(member.share, floor) + _SHARE // member.given.weight
        member.may_sign_at_us = now + member.given.pace_ms * 1000

    def _wake_later(self, now: int) -> None:
        """Look again when a key may sign by its rate, or has rested."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if not self._waiting:
            return
        moments = [
            max(member.may_sign_at_us, member.rests_until_us)
            for member in self._members
            if not (member.is_out or member.is_doubted) and member.in_flight < member.given.at_once
        ]
        later = [moment for moment in moments if moment > now]
        if later:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_at((min(later) + 1) / 1_000_000, self._dispatch)

    # --- health ---------------------------------------------------------------------------------

    def _moment(self) -> datetime | None:
        return self._now() if self._now is not None else None

    def _health(self, member: _Member, moment: datetime | None) -> Health:
        if member.is_out or member.is_doubted:
            return Health.OUT
        match member.window_fault(moment):
            case KeyExpired():
                return Health.EXPIRED
            case KeyNotYetValid():
                return Health.NOT_YET
            case _:
                pass
        if member.rests_until_us and member.rests_until_us > _now_us():
            return Health.RESTING
        return Health.READY

    def _succeeded(self, member: _Member, micros: int) -> None:
        member.uses += 1
        self._watch.signed(self.name, member.key.name, micros)
        self._well_again(member)

    def _well_again(self, member: _Member) -> None:
        if member.error is not None:
            self._watch.returned(self.name, member.key.name)
        member.failed_in_a_row = 0
        member.rests_until_us = 0
        member.error = None
        member.is_out = False

    def _set_aside(self, member: _Member, error: SigningKeyError) -> None:
        member.failures += 1
        member.failed_in_a_row += 1
        member.error = error
        if error.retry is Retry.NEVER:
            member.is_out = True
        else:
            rest_ms = self._limits.rest_ms * 2 ** min(member.failed_in_a_row - 1, 20)
            rest_ms = min(rest_ms, self._limits.longest_rest_ms)
            member.rests_until_us = _now_us() + rest_ms * 1000
        self._watch.failed(self.name, member.key.name, error)


def sign_and_check(key: Key, document: bytes, profile: Profile, canonical: bool) -> SignedDocument:
    """Sign and verify with independent code before anyone stores the bytes. Blocks."""
    signed = sign(document, key, profile, canonical=canonical)
    verify_own(signed, key)
    return signed


def probe(key: Key) -> None:
    """Have a key sign something that is no document and check it. Blocks.

    Raises the key's `SigningKeyError`, `SignatureForeign` when it is not its certificate's.
    """
    if not is_made_by(key.certificate, key.sign(_PROBE), _PROBE):
        raise SignatureForeign


def days_left(certificate: Certificate, now: datetime) -> int:
    """Return the whole days until the certificate ends, negative when it has ended."""
    return (certificate.not_after - now) // timedelta(days=1)


def forecast(certificate: Certificate, now: datetime) -> int | None:
    """Return the tightest of `FORECAST_DAYS` that has begun, 0 once it has ended, else None."""
    left = certificate.not_after - now
    if left <= timedelta():
        return 0
    begun = [days for days in FORECAST_DAYS if left <= timedelta(days=days)]
    return min(begun, default=None)


def _now_us() -> int:
    """The running loop's time in microseconds."""
    return int(asyncio.get_running_loop().time() * 1_000_000)

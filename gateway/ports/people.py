"""People who use the console: who they are, their sessions, and what they did that is kept."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final, Protocol

from gateway.domain.ids import TenantId
from gateway.ports.reads import Page

ALL_TENANTS: Final = "*"
LANGUAGES: Final = ("zh-CN", "en")


class Role(StrEnum):
    """What a person may do."""

    VIEWER = "viewer"
    CLERK = "clerk"
    SUPERVISOR = "supervisor"
    OPERATOR = "operator"
    AUDITOR = "auditor"


@dataclass(frozen=True, slots=True)
class SavedView:
    """A list under a filter, by the name that its owner gave it; ``path`` begins after /console."""

    name: str
    path: str


@dataclass(frozen=True, slots=True)
class Prefs:
    """How somebody wants to see the console; an empty language follows the browser.

    ``keys`` holds the single keys that differ from the usual ones, by action; an empty one is off.
    """

    language: str = ""
    theme: str = "system"
    density: str = "comfortable"
    shortcuts: bool = True
    keys: Mapping[str, str] = field(default_factory=dict)
    views: tuple[SavedView, ...] = ()


@dataclass(frozen=True, slots=True)
class User:
    """One person. ``tenants`` holds ``*`` for somebody who sees every tenant."""

    user_id: str
    login: str
    name: str
    role: Role
    tenants: tuple[str, ...]
    is_active: bool = True
    locked_until: int = 0
    prefs: Prefs = Prefs()
    created_at: int = 0

    @property
    def actor(self) -> str:
        """The name under which histories know this person."""
        return f"{self.role.value}:{self.login}"

    def sees(self, tenant: str) -> bool:
        """Whether this person may look at a tenant."""
        return ALL_TENANTS in self.tenants or tenant in self.tenants


@dataclass(frozen=True, slots=True)
class Secret:
    """What signing in is decided from: the person and the stored hash of the password."""

    user: User
    password_hash: str | None = field(repr=False)
    failures: int = 0


@dataclass(frozen=True, slots=True)
class Session:
    """Somebody who is signed in, and the tenant being looked at; times are UTC microseconds."""

    token_hash: bytes = field(repr=False)
    user: User
    tenant: TenantId
    created_at: int
    seen_at: int
    expires_at: int


@dataclass(frozen=True, slots=True)
class LogEntry:
    """One thing that somebody did in the console, in a hash chain of its own."""

    seq: int
    at: int
    tenant: str | None
    actor: str
    action: str
    subject: str | None
    detail: Mapping[str, Any]
    hash: bytes


@dataclass(frozen=True, slots=True)
class LogFilter:
    """Which entries; empty fields do not filter."""

    actor: str | None = None
    action: str | None = None
    subjects: frozenset[str] = frozenset()
    since: int | None = None
    until: int | None = None


@dataclass(frozen=True, slots=True)
class ChainReport:
    """What checking a chain found: how many links hold, and the first that does not."""

    checked: int
    broken_at: int | None
    newest: int | None


class SignOnRefused(Exception):
    """Somebody is not signed in through an issuer; ``reason`` is a word without personal data."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class SignOn(Protocol):
    """Another way to sign in: an issuer vouches for the login of somebody who has an account."""

    @property
    def name(self) -> str:
        """What people call it."""
        ...

    async def begin(self, state: str, nonce: str, verifier: str) -> str:
        """Where the browser goes to sign in. Raises :class:`SignOnRefused`."""
        ...

    async def finish(self, code: str, issuer: str | None, nonce: str, verifier: str) -> str:
        """The login that is vouched for. Raises :class:`SignOnRefused`."""
        ...


class People(Protocol):
    """Accounts and sessions."""

    async def users(self) -> Sequence[User]:
        """Everybody, by login."""
        ...

    async def secret(self, login: str) -> Secret | None:
        """What signing in needs of an account."""
        ...

    async def add(self, user: User, password_hash: str | None) -> None:
        """A new account. Raises ``Conflict`` for a login that is taken."""
        ...

    async def change(self, user: User) -> None:
        """Store a person's name, role, tenants, state and preferences."""
        ...

    async def set_password(self, user_id: str, password_hash: str) -> None:
        """A new password; every session of this person ends."""
        ...

    async def note_failure(self, user_id: str, most: int, locked_until: int) -> bool:
        """Count a wrong password; True when the account is locked now."""
        ...

    async def open_session(self, session: Session) -> None:
        """Keep a session and forget the failures before it."""
        ...

    async def session(self, token_hash: bytes, now: int) -> Session | None:
        """The live session of a token, with the person as of now."""
        ...

    async def touch(self, token_hash: bytes, now: int, expires_at: int) -> None:
        """A session was used."""
        ...

    async def set_tenant(self, token_hash: bytes, tenant: TenantId) -> None:
        """Look at another tenant from now on."""
        ...

    async def close_session(self, token_hash: bytes) -> None:
        """Sign out."""
        ...


class ConsoleLog(Protocol):
    """What people did that changed no case; appended to, never altered."""

    async def note(
        self,
        tenant: str | None,
        actor: str,
        action: str,
        subject: str | None = None,
        detail: Mapping[str, Any] | None = None,
    ) -> None:
        """Add an entry; it is stored when this returns."""
        ...

    async def entries(
        self, tenant: str | None, wanted: LogFilter, after: str | None, limit: int
    ) -> Page[LogEntry]:
        """A page of entries, newest first; those of a tenant, or of every one."""
        ...

    async def check(self) -> ChainReport:
        """Walk the whole chain."""
        ...

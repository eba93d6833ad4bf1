"""People of the console, stored: accounts with their password hashes, and live sessions."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, Final

import orjson
from sqlalchemy import Connection, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from gateway.domain.errors import Conflict
from gateway.domain.ids import TenantId
from gateway.ports.people import Prefs, Role, SavedView, Secret, Session, User
from store.access import Access
from store.console_tables import console_session, console_user

_USER: Final = (
    console_user.c.user_id,
    console_user.c.login,
    console_user.c.name,
    console_user.c.role,
    console_user.c.tenants,
    console_user.c.is_active,
    console_user.c.locked_until,
    console_user.c.prefs,
    console_user.c.created_at.label("user_created_at"),
)


class SqlPeople:
    """Implements ``ports.people.People``."""

    def __init__(self, access: Access) -> None:
        self._access = access

    async def users(self) -> Sequence[User]:
        """Everybody, by login."""
        statement = select(*_USER).order_by(console_user.c.login)
        async with self._access.read() as reading:
            return await reading.run_sync(lambda on: [_user(row) for row in on.execute(statement)])

    async def secret(self, login: str) -> Secret | None:
        """What signing in needs of an account."""
        statement = select(*_USER, console_user.c.password_hash, console_user.c.failures).where(
            console_user.c.login == login
        )
        async with self._access.read() as reading:
            row = await reading.run_sync(lambda on: on.execute(statement).first())
        return None if row is None else Secret(_user(row), row.password_hash, row.failures)

    async def add(self, user: User, password_hash: str | None) -> None:
        """A new account. Raises ``Conflict`` for a login that is taken."""

        def store(connection: Connection) -> None:
            connection.execute(
                insert(console_user).values(
                    user_id=user.user_id,
                    login=user.login,
                    password_hash=password_hash,
                    failures=0,
                    locked_until=0,
                    created_at=user.created_at,
                    **_changeable(user),
                )
            )

        try:
            await self._access.execute(store)
        except IntegrityError as error:
            raise Conflict(f"the login {user.login!r} is taken") from error

    async def change(self, user: User) -> None:
        """Store what may change of a person; one who is switched off is signed out."""

        def store(connection: Connection) -> None:
            mine = console_user.c.user_id == user.user_id
            connection.execute(update(console_user).where(mine).values(_changeable(user)))
            if not user.is_active:
                _end_sessions(connection, user.user_id)

        await self._access.execute(store)

    async def set_password(self, user_id: str, password_hash: str) -> None:
        """A new password; every session of this person ends."""

        def store(connection: Connection) -> None:
            connection.execute(
                update(console_user)
                .where(console_user.c.user_id == user_id)
                .values(password_hash=password_hash, failures=0, locked_until=0)
            )
            _end_sessions(connection, user_id)

        await self._access.execute(store)

    async def note_failure(self, user_id: str, most: int, locked_until: int) -> bool:
        """Count a wrong password; True when the account is locked now."""

        def store(connection: Connection) -> bool:
            mine = console_user.c.user_id == user_id
            statement = (
                update(console_user).where(mine).values(failures=console_user.c.failures + 1)
            )
            connection.execute(statement)
            count = connection.execute(select(console_user.c.failures).where(mine)).scalar_one()
            if count < most:
                return False
            connection.execute(
                update(console_user).where(mine).values(failures=0, locked_until=locked_until)
            )
            return True

        return await self._access.execute(store)

    async def open_session(self, session: Session) -> None:
        """Keep a session, forget the failures before it, and drop those that ended."""

        def store(connection: Connection) -> None:
            connection.execute(
                delete(console_session).where(console_session.c.expires_at < session.created_at)
            )
            connection.execute(
                insert(console_session).values(
                    token_hash=session.token_hash,
                    user_id=session.user.user_id,
                    tenant=session.tenant,
                    created_at=session.created_at,
                    seen_at=session.seen_at,
                    expires_at=session.expires_at,
                )
            )
            mine = console_user.c.user_id == session.user.user_id
            connection.execute(update(console_user).where(mine).values(failures=0))

        await self._access.execute(store)

    async def session(self, token_hash: bytes, now: int) -> Session | None:
        """The live session of a token, with the person as of now."""
        statement = (
            select(console_session, *_USER[1:])
            .join(console_user, console_user.c.user_id == console_session.c.user_id)
            .where(
                console_session.c.token_hash == token_hash,
                console_session.c.expires_at > now,
                console_user.c.is_active,
            )
        )
        async with self._access.read() as reading:
            row = await reading.run_sync(lambda on: on.execute(statement).first())
        if row is None:
            return None
        return Session(
            token_hash=row.token_hash,
            user=_user(row),
            tenant=TenantId(row.tenant),
            created_at=row.created_at,
            seen_at=row.seen_at,
            expires_at=row.expires_at,
        )

    async def touch(self, token_hash: bytes, now: int, expires_at: int) -> None:
        """A session was used."""
        await self._change_session(token_hash, seen_at=now, expires_at=expires_at)

    async def set_tenant(self, token_hash: bytes, tenant: TenantId) -> None:
        """Look at another tenant from now on."""
        await self._change_session(token_hash, tenant=tenant)

    async def close_session(self, token_hash: bytes) -> None:
        """Sign out."""
        statement = delete(console_session).where(console_session.c.token_hash == token_hash)
        await self._access.execute(lambda on: on.execute(statement))

    async def _change_session(self, token_hash: bytes, **values: object) -> None:
        statement = (
            update(console_session)
            .where(console_session.c.token_hash == token_hash)
            .values(**values)
        )
        await self._access.execute(lambda on: on.execute(statement))


def _end_sessions(connection: Connection, user_id: str) -> None:
    connection.execute(delete(console_session).where(console_session.c.user_id == user_id))


def _changeable(user: User) -> dict[str, object]:
    return {
        "name": user.name,
        "role": user.role.value,
        "tenants": orjson.dumps(user.tenants).decode(),
        "is_active": user.is_active,
        "prefs": orjson.dumps(asdict(user.prefs)).decode(),
    }


def _user(row: Any) -> User:  # Any: a row holds whatever its columns hold
    return User(
        user_id=row.user_id,
        login=row.login,
        name=row.name,
        role=Role(row.role),
        tenants=tuple(orjson.loads(row.tenants)),
        is_active=bool(row.is_active),
        locked_until=row.locked_until,
        prefs=_prefs(orjson.loads(row.prefs)),
        created_at=row.user_created_at,
    )


def _prefs(doc: dict[str, Any]) -> Prefs:  # Any: JSON
    views = tuple(SavedView(**one) for one in doc.pop("views", ()))
    return Prefs(**doc, views=views)

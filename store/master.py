"""Master data as stored: tenants, enterprises, mandates, profiles, goods records.

Functions over a connection; ``store.admin`` runs them in transactions of their own. A profile or
a goods record is never changed: other content is a new version, the same content is none, so that
a declaration which pins a version can always be built again. Every write leaves a note at the
counter ``master`` (``store.changes``), by which the caches of all processes follow.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, Final, TypeVar

import orjson
from sqlalchemy import Connection, delete, exists, func, insert, or_, select, update

from gateway.domain.codec import from_doc, to_doc
from gateway.domain.errors import Conflict, InvalidValue
from gateway.domain.goods import GoodsRecord, GoodsScope
from gateway.domain.ids import CaseId, ProfileId, TenantId
from gateway.domain.profile import Enterprise, FilingProfile, Mandate, Role
from store.changes import insert_into, raise_counter, take_counter
from store.tables import enterprise, goods, mandate, profile, tenant, wait

COUNTER: Final = "master"
CHUNK: Final = 500
# More changed SKUs than this in one note: the reader loads the whole scope instead.
_NOTED_SKUS: Final = 200
_MAX_ID_LENGTH: Final = 64

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Tenant:
    """Whose cases these are; an inactive tenant's keys open nothing."""

    tenant: TenantId
    name: str
    is_active: bool
    created_at: int


@dataclass(frozen=True, slots=True)
class GoodsStored:
    """What became of one goods record: the version that holds now, and whether it is new."""

    sku: str
    scope: GoodsScope
    version: int
    changed: bool


def chunks(items: Sequence[_T], size: int = CHUNK) -> Iterator[Sequence[_T]]:
    """The items in runs of at most ``size``."""
    return (items[at : at + size] for at in range(0, len(items), size))


def note(subject: str, *parts: object) -> str:
    """A note for the counter: the subject and what it names, as JSON."""
    return orjson.dumps([subject, *parts]).decode()


def digested(doc: object) -> tuple[str, str]:
    """The text of a document that is stored, and its digest."""
    text = orjson.dumps(doc, option=orjson.OPT_SORT_KEYS)
    return text.decode(), hashlib.sha256(text).hexdigest()


# --- tenants ----------------------------------------------------------------------------------


def create_tenant(connection: Connection, tenant_id: TenantId, name: str, now: int) -> Tenant:
    """A new tenant. Raises ``InvalidValue`` for an unfit id, ``Conflict`` for one that is taken."""
    check_id("tenant", tenant_id)
    if not name.strip():
        raise InvalidValue("name", "must not be empty")
    made = Tenant(tenant_id, name.strip(), True, now)
    statement = insert_into(connection, tenant).values(
        tenant=made.tenant, name=made.name, is_active=True, created_at=now
    )
    if not connection.execute(statement.on_conflict_do_nothing()).rowcount:
        raise Conflict("a tenant of this id exists already")
    return made


def check_id(path: str, value: str) -> None:
    """Raise ``InvalidValue`` unless a chosen id is short, printable ASCII without ``/`` or space.

    Group keys and references join ids with ``/`` and ``|``.
    """
    plain = value.isascii() and value.replace("-", "").replace("_", "").replace(".", "").isalnum()
    if not plain or len(value) > _MAX_ID_LENGTH:
        raise InvalidValue(path, "use 1 to 64 letters, digits, hyphens, underscores or dots")


def list_tenants(connection: Connection) -> list[Tenant]:
    """Every tenant, by id."""
    rows = connection.execute(
        select(tenant.c.tenant, tenant.c.name, tenant.c.is_active, tenant.c.created_at).order_by(
            tenant.c.tenant
        )
    )
    return [Tenant(TenantId(row[0]), row[1], bool(row[2]), row[3]) for row in rows]


def set_tenant_active(connection: Connection, tenant_id: TenantId, is_active: bool) -> bool:
    """Open or close a tenant's access; False when there is no such tenant."""
    statement = update(tenant).where(tenant.c.tenant == tenant_id).values(is_active=is_active)
    return bool(connection.execute(statement).rowcount)


# --- enterprises and mandates -----------------------------------------------------------------


def put_enterprise(connection: Connection, value: Enterprise, now: int) -> None:
    """Store or replace an enterprise.

    Raises ``InvalidValue``; ``Conflict`` when its social credit code names another one.
    """
    value.check()
    if value.social_credit_code:
        holder = find_enterprise(connection, value.social_credit_code)
        if holder is not None and holder.code != value.code:
            raise Conflict("another enterprise holds this social credit code")
    text, _ = digested(to_doc(value))
    statement = insert_into(connection, enterprise).values(
        code=value.code,
        name=value.name,
        social_credit_code=value.social_credit_code,
        doc=text,
        updated_at=now,
    )
    new = statement.excluded
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=[enterprise.c.code],
            set_={
                "name": new.name,
                "social_credit_code": new.social_credit_code,
                "doc": new.doc,
                "updated_at": new.updated_at,
            },
        )
    )


def find_enterprise(connection: Connection, code: str) -> Enterprise | None:
    """The enterprise that a customs code or a social credit code names."""
    doc = connection.execute(
        select(enterprise.c.doc).where(
            or_(enterprise.c.code == code, enterprise.c.social_credit_code == code)
        )
    ).scalar()
    return None if doc is None else _enterprise(doc)


def list_enterprises(connection: Connection) -> list[Enterprise]:
    """Every enterprise of the deployment, by customs code."""
    rows = connection.execute(select(enterprise.c.doc).order_by(enterprise.c.code))
    return [_enterprise(doc) for (doc,) in rows]


def _enterprise(doc: str) -> Enterprise:
    value: Enterprise = from_doc(Enterprise, orjson.loads(doc))
    return value


def add_mandate(connection: Connection, value: Mandate) -> Mandate:
    """Store a mandate, under the enterprise's customs code; one of the same start replaces the
    period's end. Raises ``InvalidValue``.
    """
    if value.valid_to is not None and value.valid_to < value.valid_from:
        raise InvalidValue("valid_to", "must not lie before valid_from")
    if value.tenant not in {one.tenant for one in list_tenants(connection)}:
        raise InvalidValue("tenant", "does not exist")
    holder = find_enterprise(connection, value.enterprise_code)
    if holder is None:
        raise InvalidValue("enterprise_code", "names no enterprise of this deployment")
    if holder.roles and value.role not in holder.roles:
        raise InvalidValue("role", "is not one of the enterprise's registered roles")
    value = replace(value, enterprise_code=holder.code)
    statement = insert_into(connection, mandate).values(
        tenant=value.tenant,
        enterprise_code=value.enterprise_code,
        role=value.role.value,
        valid_from=value.valid_from.isoformat(),
        valid_to=value.valid_to.isoformat() if value.valid_to else None,
    )
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=list(mandate.primary_key.columns),
            set_={"valid_to": statement.excluded.valid_to},
        )
    )
    return value


def end_mandates(
    connection: Connection, tenant_id: TenantId, code: str, role: Role, last_day: date
) -> list[Mandate]:
    """End the mandates of a tenant for an enterprise in a role after a day; gives those that were
    to last longer. One that would only begin later is removed.
    """
    holder = find_enterprise(connection, code)
    if holder is None:
        return []
    ended = [
        one
        for one in list_mandates(connection, tenant_id)
        if (one.enterprise_code, one.role) == (holder.code, role)
        and (one.valid_to is None or one.valid_to > last_day)
    ]
    for one in ended:
        row = (
            (mandate.c.tenant == tenant_id)
            & (mandate.c.enterprise_code == holder.code)
            & (mandate.c.role == role.value)
            & (mandate.c.valid_from == one.valid_from.isoformat())
        )
        if one.valid_from > last_day:
            connection.execute(delete(mandate).where(row))
        else:
            connection.execute(update(mandate).where(row).values(valid_to=last_day.isoformat()))
    return ended


def list_mandates(connection: Connection, tenant_id: TenantId) -> list[Mandate]:
    """The mandates of a tenant."""
    rows = connection.execute(
        select(mandate.c.enterprise_code, mandate.c.role, mandate.c.valid_from, mandate.c.valid_to)
        .where(mandate.c.tenant == tenant_id)
        .order_by(mandate.c.enterprise_code, mandate.c.role, mandate.c.valid_from)
    )
    return [
        Mandate(
            tenant_id,
            row.enterprise_code,
            Role(row.role),
            date.fromisoformat(row.valid_from),
            date.fromisoformat(row.valid_to) if row.valid_to else None,
        )
        for row in rows
    ]


def missing_mandates(connection: Connection, value: FilingProfile, day: date) -> list[str]:
    """The role paths of a profile (``agent``, ``merchant``) for which its tenant has no mandate."""
    held = list_mandates(connection, value.tenant)
    missing: list[str] = []
    for path, party, role in (
        ("platform", value.platform, Role.PLATFORM),
        ("merchant", value.merchant, Role.MERCHANT),
        ("agent", value.agent, Role.AGENT),
    ):
        holder = find_enterprise(connection, party.code)
        code = party.code if holder is None else holder.code
        if not any(one.covers(value.tenant, code, role, day) for one in held):
            missing.append(path)
    return missing


# --- filing profiles --------------------------------------------------------------------------


def put_profile(connection: Connection, value: FilingProfile, now: int) -> FilingProfile:
    """Store a profile; gives it with the version that holds now.

    A new version only when the content changed; ``value.version`` is not looked at. Raises
    ``InvalidValue``, and ``Conflict`` when the id is another tenant's.
    """
    check_id("profile_id", value.profile_id)
    value.check()
    take_counter(connection, COUNTER)
    newest = connection.execute(
        select(profile.c.version, profile.c.tenant, profile.c.digest)
        .where(profile.c.profile_id == value.profile_id)
        .order_by(profile.c.version.desc())
        .limit(1)
    ).first()
    if newest is not None and newest.tenant != value.tenant:
        raise Conflict("this profile id is taken")
    text, digest = digested(_without_version(value))
    if newest is not None and newest.digest == digest:
        return replace(value, version=newest.version)
    stored = replace(value, version=newest.version + 1 if newest else 1)
    connection.execute(
        insert(profile).values(
            profile_id=stored.profile_id,
            version=stored.version,
            tenant=stored.tenant,
            digest=digest,
            doc=text,
            created_at=now,
        )
    )
    raise_counter(connection, COUNTER, [note("profile", stored.profile_id)])
    return stored


def profile_of_doc(doc: str, version: int) -> FilingProfile:
    """The profile of a stored document."""
    value: FilingProfile = from_doc(FilingProfile, orjson.loads(doc) | {"version": version})
    return value


def load_profiles(
    connection: Connection, profile_id: ProfileId | None = None
) -> list[tuple[ProfileId, int, TenantId, str]]:
    """Every stored version (of one profile): id, version, tenant, document."""
    statement = select(
        profile.c.profile_id, profile.c.version, profile.c.tenant, profile.c.doc
    ).order_by(profile.c.profile_id, profile.c.version)
    if profile_id is not None:
        statement = statement.where(profile.c.profile_id == profile_id)
    return [(row[0], row[1], row[2], row[3]) for row in connection.execute(statement)]


def _without_version(value: FilingProfile | GoodsRecord) -> dict[str, Any]:
    doc: dict[str, Any] = to_doc(value)
    del doc["version"]
    return doc


# --- goods records ----------------------------------------------------------------------------


def check_goods(records: Sequence[GoodsRecord]) -> None:
    """Raise ``InvalidValue`` for the first record that contradicts itself, naming its place."""
    for index, record in enumerate(records):
        if not record.sku or len(record.sku) > _MAX_ID_LENGTH:
            raise InvalidValue(f"[{index}].sku", "use 1 to 64 characters")
        try:
            record.check()
        except InvalidValue as fault:
            raise InvalidValue(f"[{index}].{fault.path}", fault.reason) from fault


# Version, digest, when it was said, and the days that it is for.
_Newest = tuple[int, str, int, tuple[str | None, str | None]]
_NO_GOODS: Final[_Newest] = (0, "", 0, (None, None))


def put_goods(
    connection: Connection,
    tenant_id: TenantId,
    records: Sequence[GoodsRecord],
    now: int,
    said_at: int | None = None,
) -> list[GoodsStored]:
    """Store goods records, one answer each, in order; two statements whatever their number.

    The same content as the newest version is unchanged; ``record.version`` is not looked at.
    Records that waited since ``said_at`` do not set back what was said later of the same days.
    Raises ``InvalidValue`` with the place of the record.
    """
    at = now if said_at is None else said_at
    check_goods(records)
    take_counter(connection, COUNTER)
    newest = _newest_goods(connection, tenant_id, records)
    rows: list[dict[str, Any]] = []
    stored: list[GoodsStored] = []
    for record in records:
        scope = str(record.scope)
        version, held, heard_at, days = newest.get((scope, record.sku), _NO_GOODS)
        text, digest = digested(_without_version(record))
        is_overtaken = said_at is not None and heard_at > said_at and days == _days(record)
        if digest == held or is_overtaken:
            stored.append(GoodsStored(record.sku, record.scope, version, False))
            continue
        version += 1
        newest[scope, record.sku] = (version, digest, at, _days(record))
        rows.append(_goods_row(tenant_id, record, version, digest, text) | {"created_at": at})
        stored.append(GoodsStored(record.sku, record.scope, version, True))
    if rows:
        connection.execute(insert(goods), rows)
        raise_counter(connection, COUNTER, _goods_notes(tenant_id, stored))
    return stored


def _goods_row(
    tenant_id: TenantId, record: GoodsRecord, version: int, digest: str, doc: str
) -> dict[str, Any]:
    return {
        "tenant": tenant_id,
        "scope": str(record.scope),
        "sku": record.sku,
        "version": version,
        "digest": digest,
        "doc": doc,
        "valid_from": _days(record)[0],
        "valid_to": _days(record)[1],
    }


def _days(record: GoodsRecord) -> tuple[str | None, str | None]:
    """The first and the last day that a record is for, as they are stored."""
    begin, end = record.valid_from, record.valid_to
    return begin.isoformat() if begin else None, end.isoformat() if end else None


def _newest_goods(
    connection: Connection, tenant_id: TenantId, records: Sequence[GoodsRecord]
) -> dict[tuple[str, str], _Newest]:
    by_scope: dict[str, set[str]] = {}
    for record in records:
        by_scope.setdefault(str(record.scope), set()).add(record.sku)
    newest: dict[tuple[str, str], _Newest] = {}
    for scope, skus in by_scope.items():
        for some in chunks(sorted(skus)):
            rows = connection.execute(
                select(
                    goods.c.sku,
                    goods.c.version,
                    goods.c.digest,
                    goods.c.created_at,
                    goods.c.valid_from,
                    goods.c.valid_to,
                )
                .where(goods.c.tenant == tenant_id, goods.c.scope == scope, goods.c.sku.in_(some))
                .order_by(goods.c.version)
            )
            newest |= {(scope, row.sku): (row[1], row[2], row[3], (row[4], row[5])) for row in rows}
    return newest


def _goods_notes(tenant_id: TenantId, stored: Iterable[GoodsStored]) -> list[str]:
    changed: dict[str, list[str]] = {}
    for one in stored:
        if one.changed:
            changed.setdefault(str(one.scope), []).append(one.sku)
    return [
        note("goods", tenant_id, scope, skus if len(skus) <= _NOTED_SKUS else None)
        for scope, skus in changed.items()
    ]


def goods_of_doc(doc: str, version: int) -> GoodsRecord:
    """The goods record of a stored document."""
    value: GoodsRecord = from_doc(GoodsRecord, orjson.loads(doc) | {"version": version})
    return value


GoodsVersion = tuple[int, str | None, str | None, str]


def load_goods(
    connection: Connection,
    tenant_id: TenantId | None = None,
    scope: str | None = None,
    skus: Sequence[str] | None = None,
) -> Iterator[tuple[TenantId, str, str, GoodsVersion]]:
    """Stored versions, oldest first: tenant, scope, SKU, (version, valid from and to, document)."""
    statement = select(
        goods.c.tenant,
        goods.c.scope,
        goods.c.sku,
        goods.c.version,
        goods.c.valid_from,
        goods.c.valid_to,
        goods.c.doc,
    ).order_by(goods.c.tenant, goods.c.scope, goods.c.sku, goods.c.version)
    if tenant_id is not None:
        statement = statement.where(goods.c.tenant == tenant_id)
    if scope is not None:
        statement = statement.where(goods.c.scope == scope)
    for some in chunks(skus) if skus is not None else (None,):
        wanted = statement if some is None else statement.where(goods.c.sku.in_(some))
        for row in connection.execute(wanted):
            yield row[0], row[1], row[2], (row[3], row[4], row[5], row[6])


def count_goods(connection: Connection) -> Mapping[TenantId, int]:
    """How many SKUs each tenant has in all scopes together."""
    pairs = select(goods.c.tenant, goods.c.scope, goods.c.sku).distinct().subquery()
    rows = connection.execute(select(pairs.c.tenant, func.count()).group_by(pairs.c.tenant))
    return {row[0]: row[1] for row in rows}


def waiting_cases(
    connection: Connection, tenant_id: TenantId, skus: Sequence[str] | None
) -> list[CaseId]:
    """The cases of a tenant that wait for one of these SKUs (if None, for any that is there)."""
    base = select(wait.c.case_id).where(wait.c.tenant == tenant_id)
    if skus is None:
        is_there = exists().where(goods.c.tenant == wait.c.tenant, goods.c.sku == wait.c.ref)
        base = base.where(is_there)
    found: dict[CaseId, None] = {}
    for some in chunks(sorted(set(skus))) if skus is not None else (None,):
        wanted = base if some is None else base.where(wait.c.ref.in_(some))
        found |= {CaseId(row[0]): None for row in connection.execute(wanted)}
    return list(found)

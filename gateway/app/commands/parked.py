"""What waits for a person: look, attach a receipt to its case, have it read again, put it away."""

import getpass
from collections.abc import Callable
from typing import Annotated, Final

import typer
from sqlalchemy import Connection

from gateway.app.commands.case import find_case
from gateway.app.commands.check import parked_work
from gateway.app.commands.frame import JSONOption, TenantOption, Unusable, common, emit, out, run
from gateway.app.commands.tenants import known_tenant
from gateway.app.config import Settings
from gateway.app.opening import Office, open_office, open_reading
from gateway.app.regimes import customs_regime
from gateway.domain.case import CaseKey
from gateway.domain.ids import ReceiptId
from gateway.domain.profile import FilingProfile
from gateway.ports import Lookup
from store.aside import SetAside, attach, body_of, find_set_aside, put_away, read_again
from store.console_log import append_entry

_SOON: Final = "the gateway reads it again within a minute / 网关将在一分钟内重新处理"

ParkedArgument = Annotated[
    str, typer.Argument(metavar="ID", help="As `clearance parked` lists it / 编号")
]
ReasonOption = Annotated[str, typer.Option(help="Why; written down / 原因（留痕）")]


def group() -> typer.Typer:
    """The command ``clearance parked`` and what can be done about what it lists."""
    made = typer.Typer(
        name="parked",
        invoke_without_command=True,
        help="List what waits for a person: receipts, records, effects / 列出待人工处理的事项",
    )
    made.callback()(_listing)
    made.command("attach")(attach_record)
    made.command("retry")(retry)
    made.command("dismiss")(dismiss)
    return made


def _listing(context: typer.Context, *, json: JSONOption = False) -> None:
    """List what waits for a person: receipts, records, effects / 列出待人工处理的事项"""
    if context.invoked_subcommand is None:
        parked_work(context, json=json)


def attach_record(
    context: typer.Context,
    parked: ParkedArgument,
    *,
    case: Annotated[str, typer.Option("--case", metavar="NO", help="Its case / 案件或单号")],
    tenant: TenantOption,
    reason: ReasonOption,
    json: JSONOption = False,
) -> None:
    """Attach a record that found no case to the case it is about / 将回执挂接到案件

    Adds the missing link and has the file read again. Every check is made as for any receipt: what
    contradicts the case is parked again, and nobody's word releases a parcel.
    """
    run(_attach(common(context).settings(), parked, case, tenant, reason))
    _tell(json, {"parked": parked, "case": case}, f"{parked} -> {case}; {_SOON}")


async def _attach(settings: Settings, parked: str, case: str, tenant: str, reason: str) -> None:
    async with open_reading(settings) as reader:
        owner = await known_tenant(reader.access, tenant)
        case_id = await find_case(reader, owner, case)
        async with reader.access.read() as reading:
            one = await reading.run_sync(lambda on: _known(on, parked))
            receipt_id = _file_of(one)
            body = await reading.run_sync(lambda on: body_of(on, reader.keys, receipt_id))
        found = await reader.reads.case(owner, case_id)
        assert found is not None
        key = found.row.key
        profile = reader.cache.profile(owner, key.profile_id)
        assert profile is not None
        lookup = _lookup(receipt_id, body, one.position, key, profile)
        keys = reader.keys

    def work(on: Connection) -> None:
        attach(on, keys, lookup, case_id, owner)
        read_again(on, receipt_id)

    async with open_office(settings) as office:
        detail = {"reason": reason, "parked": parked}
        await _write(office, work, (owner, "receipt_attached", case_id), detail)


def retry(
    context: typer.Context,
    parked: ParkedArgument,
    *,
    reason: ReasonOption,
    json: JSONOption = False,
) -> None:
    """Have the file of a parked record read again / 重新处理该回执文件

    After what was missing is there: a case, a profile, a sender in the settings.
    """
    run(_retry(common(context).settings(), parked, reason))
    _tell(json, {"parked": parked}, f"{parked}: {_SOON}")


async def _retry(settings: Settings, parked: str, reason: str) -> None:
    async with open_office(settings) as office:
        async with office.access.read() as reading:
            one = await reading.run_sync(lambda on: _known(on, parked))
        receipt_id = _file_of(one)
        words = (one.tenant, "receipt_retried", receipt_id)
        await _write(office, lambda on: read_again(on, receipt_id), words, {"reason": reason})


def dismiss(
    context: typer.Context,
    parked: ParkedArgument,
    *,
    reason: ReasonOption,
    json: JSONOption = False,
) -> None:
    """Put a record or file away: nothing is to be done about it / 标记为已处理

    Its bytes stay kept.
    """
    run(_dismiss(common(context).settings(), parked, reason))
    _tell(json, {"parked": parked}, f"{parked}: put away / 已处理")


async def _dismiss(settings: Settings, parked: str, reason: str) -> None:
    async with open_office(settings) as office:
        async with office.access.read() as reading:
            one = await reading.run_sync(lambda on: _known(on, parked))
        by, now = getpass.getuser(), office.clock.now()
        words = (one.tenant, "parked_dismissed", parked)
        await _write(office, lambda on: put_away(on, parked, by, now), words, {"reason": reason})


def _known(connection: Connection, parked: str) -> SetAside:
    found = find_set_aside(connection, parked)
    if found is None:
        raise Unusable(
            f"nothing of the id {parked} waits; see `clearance parked`",
            f"没有编号为 {parked} 的待处理项；见 `clearance parked`",
        )
    return found


def _file_of(one: SetAside) -> ReceiptId:
    if one.receipt_id is None:
        raise Unusable(
            f"{one.parked_id} is no part of a receipt file; use dismiss",
            "此项不属于回执文件，请用 dismiss",
        )
    return one.receipt_id


def _lookup(
    receipt_id: ReceiptId, body: bytes | None, position: int, key: CaseKey, profile: FilingProfile
) -> Lookup:
    """What a record of a file names its case by. Raises :class:`Unusable` when it names another."""
    if body is None:
        raise Unusable("the bytes of this file are not kept any more", "该文件的原始字节已不再保存")
    customs = customs_regime()
    records = customs.read(receipt_id, body).records
    record = next((one for one in records if one.position == position), None)
    if record is None or record.lookup is None:
        raise Unusable(
            "this record names no number that could lead to a case; use dismiss",
            "此记录没有可指向案件的号码，请用 dismiss",
        )
    differing = [name for name, value in customs.checks(record, key, profile).items() if value]
    if differing:
        raise Unusable(
            f"the record is not about this case: other {', '.join(differing)}",
            f"此记录与该案件不符：{', '.join(differing)}",
        )
    return record.lookup


async def _write(
    office: Office,
    work: Callable[[Connection], object],
    words: tuple[str | None, str, str],
    detail: dict[str, str],
) -> None:
    """Do it and write down who did, in one transaction."""
    tenant, action, subject = words
    actor, now = getpass.getuser(), office.clock.now()

    def both(on: Connection) -> None:
        work(on)
        append_entry(on, now, (tenant, actor, action, subject), detail)

    await office.access.execute(both)


def _tell(as_json: bool, doc: dict[str, str], text: str) -> None:
    if as_json:
        emit(doc)
    else:
        out().print(text, markup=False)

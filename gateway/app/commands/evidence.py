"""The evidence of one case as a file that proves itself."""

import getpass
import os
from pathlib import Path
from typing import Annotated, Final

import typer

from gateway.app.commands.case import find_case
from gateway.app.commands.frame import JSONOption, Unusable, common, emit, out, run
from gateway.app.commands.tenants import known_tenant
from gateway.app.config import Settings
from gateway.app.evidence import Asked, evidence_zip
from gateway.app.opening import open_office, open_reading
from gateway.domain.evidence import bases
from store.console_log import SqlConsoleLog
from store.dossier import read_dossier

_LOGGED: Final = "evidence_taken"
_PRIVATE: Final = 0o600


def evidence(
    context: typer.Context,
    number: Annotated[
        str | None,
        typer.Argument(metavar="NO", help="Order number, case id, or any number / 单号"),
    ] = None,
    *,
    tenant: Annotated[
        str | None, typer.Option("--tenant", "-t", help="The tenant / 租户", show_default=False)
    ] = None,
    reason: Annotated[
        str | None, typer.Option(help="Why it is taken; written down / 调取原因（留痕）")
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option("--out", "-o", metavar="FILE", help="Else evidence-CASE.zip / 输出文件"),
    ] = None,
    public_key: Annotated[
        bool, typer.Option("--public-key", help="Print the key that verifies it / 输出验证公钥")
    ] = False,
    json: JSONOption = False,
) -> None:
    """Write one case with its original bytes and a signed manifest / 导出单案证据包

    The zip holds personal data in clear; who took it and why stands in the log of the console. It
    verifies without the gateway: see READ-ME.md and verify.py in it.
    """
    settings = common(context).settings()
    if public_key:
        typer.echo(run(_public_key(settings)).decode(), nl=False)
        return
    if number is None or tenant is None or reason is None or not reason.strip():
        raise Unusable(
            "name the case, its tenant and the reason: NO --tenant T --reason TEXT",
            "请给出案件、租户和理由：NO --tenant T --reason TEXT",
        )
    path, body, case_id = run(_take(settings, tenant, number, reason.strip(), file))
    if json:
        emit({"case": case_id, "file": str(path), "size_bytes": len(body)})
    else:
        out().print(f"{path}: {len(body)} bytes, case {case_id}", markup=False)


async def _public_key(settings: Settings) -> bytes:
    async with open_reading(settings) as reader:
        return reader.keys.evidence_public_key


async def _take(
    settings: Settings, tenant: str, number: str, reason: str, file: Path | None
) -> tuple[Path, bytes, str]:
    async with open_reading(settings) as reader:
        owner = await known_tenant(reader.access, tenant)
        case_id = await find_case(reader, owner, number)
        dossier = await read_dossier(reader.access, reader.keys, reader.reads, owner, case_id)
        assert dossier is not None
        asked = Asked(getpass.getuser(), reason, reader.clock.now())
        found = await reader.reads.case(owner, case_id)
        assert found is not None
        profile = reader.cache.profile(owner, found.row.key.profile_id)
        rests_on = bases(found.state, (one.event for one in found.events), profile)
        body = evidence_zip(dossier, reader.keys, asked, rests_on)
    path = file or Path(f"evidence-{case_id}.zip")
    # Opened first, so that nothing is noted as taken that could not be written.
    try:
        target = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _PRIVATE)
    except FileExistsError:
        raise Unusable(
            f"{path} exists already; name another file with --out",
            "文件已存在，请用 --out 另指文件",
        ) from None
    try:
        async with open_office(settings) as office:
            await SqlConsoleLog(office.access, office.clock).note(
                owner, asked.by, _LOGGED, case_id, {"reason": reason, "size_bytes": len(body)}
            )
    except BaseException:
        os.close(target)
        path.unlink()
        raise
    with os.fdopen(target, "wb") as written:
        written.write(body)
    return path, body, case_id

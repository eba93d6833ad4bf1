"""Signing keys and the master key: made by the command line, never overwritten."""

from pathlib import Path
from typing import Annotated

import typer

from gateway.app.beginning import write_signing_key
from gateway.app.commands.frame import JSONOption, Unusable, emit, out, warn
from gateway.app.master_key import make_master_key
from gateway.app.surroundings import SystemClock, SystemRng


def master(
    path: Annotated[Path, typer.Argument(metavar="PATH", help="Where / 文件")],
    *,
    json: JSONOption = False,
) -> None:
    """Make a master key file; never overwrites one / 生成主密钥文件"""
    make_master_key(path, SystemRng())
    if json:
        emit({"master_key_file": str(path)})
    else:
        out().print(f"master key written to {path}", markup=False)
    warn("keep a copy elsewhere: without it nothing can be read / 请另行备份，丢失后数据无法解密")


def new(
    path: Annotated[Path, typer.Argument(metavar="PATH", help="The PEM file / PEM 文件")],
    *,
    subject: Annotated[
        str, typer.Option(help="Common name of the certificate / 证书名称")
    ] = "Clearance development",
    days: Annotated[int, typer.Option(min=1, max=3650, help="Validity / 有效天数")] = 365,
    bits: Annotated[int, typer.Option(help="1024 or 2048 / 1024 或 2048")] = 2048,
    passphrase_file: Annotated[
        Path | None, typer.Option(help="Encrypt it with this file's text / 口令文件")
    ] = None,
    json: JSONOption = False,
) -> None:
    """Make a development signing key that nobody trusts / 生成开发用签名密钥"""
    phrase = None if passphrase_file is None else passphrase_file.read_bytes().strip()
    if phrase == b"":
        raise Unusable(f"{passphrase_file}: is empty; write the passphrase into it")
    write_signing_key(
        path,
        subject=subject,
        rng=SystemRng(),
        now=SystemClock().now(),
        days=days,
        bits=bits,
        passphrase=phrase,
    )
    if json:
        emit({"signing_key_file": str(path)})
    else:
        out().print(f"development signing key written to {path}", markup=False)
    warn("customs does not know this certificate; it is for development only / 仅供开发使用")


def group() -> typer.Typer:
    """The command group ``clearance keys``."""
    made = typer.Typer(
        name="keys", no_args_is_help=True, help="Signing keys and the master key / 签名密钥与主密钥"
    )
    made.command("new")(new)
    made.command("master")(master)
    return made

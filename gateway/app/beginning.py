"""The first files of a deployment: settings with comments, keys, folders."""

import os
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Final

from sqlalchemy import make_url

from gateway.app.config import ConfigError
from gateway.app.master_key import make_master_key
from gateway.domain.codec import from_micros
from gateway.ports import Rng
from signing import KeyKind, new_development_key

_PRIVATE_MODE: Final = 0o600
_FOLDER_MODE: Final = 0o750
_DATABASE_MODE: Final = 0o640
_SETTINGS: Final = """\
# Settings of a clearance gateway / 清关网关配置
# Paths are relative to this file. CLEARANCE_STORE_URL, CLEARANCE_MASTER_KEY_FILE, CLEARANCE_HOST
# and CLEARANCE_PORT override their settings.

# development, test or production; production refuses development stand-ins.
environment = "development"

[store]
# A SQLite file (one process), or postgresql+asyncpg://user@host/database (any number of them).
url = "sqlite:///clearance.db"
# 32 random bytes that everything at rest is sealed with. Keep a copy elsewhere: without it the
# database cannot be read. 主密钥：请另行备份，丢失后数据无法解密。
master_key_file = "master.key"

[http]
host = "127.0.0.1"
port = 8080
# Front proxies that speak for many peers. 前置代理
# trusted_proxies = ["10.0.0.2"]
# What a key may ask of a route; without key or route it is for all of them. 接口限流
# [[http.quotas]]
# route = "POST /v1/orders"
# key = "the id that `clearance api-keys list` shows"
# per_s = 50
# burst = 100

# The folders that the DXP transfer client (交换客户端) reads and writes. Profiles name "dxp".
[channels.dxp]
send = "dxp/send"
receive = "dxp/receive"
done = "dxp/done"
error = "dxp/error"
# Clear done and error of files that are older. 过期文件清理
# purge_hours = 168
# A received file that looks unfinished is read when unchanged for so long. 未写完的回执文件等待秒数
# settle_s = 5
# per_minute = 60
# maintenance = ["Sun 01:00-05:00"]

# The key that signs declarations. Profiles name "default". This one is for development: replace
# it by the enterprise's certificate (PEM or PKCS#12) before filing with customs.
[keys.default]
file = "signing.pem"
# passphrase_file = "signing.pass"
# passphrase_variable = "CLEARANCE_SIGNING_PASSPHRASE"
# Codes (customs, social credit) of its enterprise: no other enterprise's papers are signed with it.
# enterprise = ["3301000001"]
#
# Several keys sign for one ring; a token, a UKey or a service instead of a file. 多把密钥与其他介质
# [keys.card-1]
# kind = "ukey"               # the e-port client control: 电子口岸卡控件
# ring = "default"
# url = "ws://127.0.0.1:61232"
# pin_file = "card-1.pin"     # a refused PIN is not tried again before this file changes
# pace_ms = 250               # four signatures a second
# certificate_file = "card-1.cer"  # then the gateway starts without the card too
# [keys.hsm]
# kind = "pkcs11"
# module = "/usr/lib/softhsm/libsofthsm2.so"
# token = "clearance"
# label = "signing"
# pin_file = "hsm.pin"
# [keys.service]
# kind = "remote"
# url = "https://sign.example.com/sign"
# label = "its name there"
# token_file = "service.token"
# certificate_file = "service.cer"

[flow]
# How long a message waits for more declarations, in seconds.
linger_s = 0.2
# Receipts count as DxpMsg of known senders only. A client that unwraps them brings bare messages,
# which name no sender: taken where this is set. 交换客户端已拆除信封时才启用
# accepts_bare = true

# How much one process takes in before what it has is through; then senders get 503, Retry-After.
# 接收上限，超出时返回 503
# [intake]
# in_hand = 5000                    # declarations not yet handed to customs
# waiting = 1000                    # papers and changes not yet committed
# left = 100000                     # declarations that no worker has begun, in all processes

# A payment company that files slips by its API (filings.payment.confirmed_by = "api"), and
# a carrier that gives waybills (filings.waybill.confirmed_by = "api"). 支付申报与快递下单接口
# [payments.wx]
# adapter = "wechat_v3"
# tenant = "shop"
# profile = "shop-1210"
# company = "4403169D3W"            # as the profile names it
# customs_place = "HANGZHOU_ZS"     # as the company names it
# merchant_code = "3301960002"
# options = { mchid = "1900000001", appid = "wx0000000000000001" }
# [payments.wx.keys]
# serial = "serial of your API certificate"
# private_key_file = "wx/apiclient_key.pem"
# partner_keys = { PUB_KEY_ID_0000000000000000000000000001 = "wx/pub_key.pem" }
# [carriers.sf]
# adapter = "sf"
# tenant = "shop"
# profile = "shop-1210"
# company = "4403980009"
# options = { partner_id = "YOURID" }
# secret_files = { checkword = "sf/checkword" }
# sender = { name = "仓库", phone = "057100000000", address = "示例路1号" }
# units = { 142 = "瓶" }            # customs' code = the carrier's word
# origins = { 502 = "US" }

# What webhooks may call in production: https to public addresses, on these ports; hosts, if any are
# named, are the only ones. Elsewhere private and plain addresses are allowed. 通知地址限制
# [egress]
# ports = [443, 8443]
# hosts = ["hooks.example.com"]
"""


def begin(folder: Path, rng: Rng, now: int) -> list[Path]:
    """Write the first files; gives what was made. ``now`` is UTC microseconds.

    Raises :class:`ConfigError` when one of them exists: nothing is overwritten.
    """
    settings, master = folder / "clearance.toml", folder / "master.key"
    signing, dxp = folder / "signing.pem", folder / "dxp"
    there = [path.name for path in (settings, master, signing) if path.exists()]
    if there:
        raise ConfigError(
            f"{folder}: holds {', '.join(there)} already; nothing was changed, name another folder",
            "目录中已有文件，未作任何改动，请另指目录",
        )
    folder.mkdir(parents=True, exist_ok=True)
    make_master_key(master, rng)
    write_signing_key(signing, subject="Clearance development", rng=rng, now=now)
    folders = [dxp / name for name in ("send", "receive", "done", "error")]
    for one in (dxp, *folders):
        make_folder(one)
    write_private(settings, _SETTINGS.encode(), mode=0o644)
    return [settings, master, signing, *folders]


def write_signing_key(
    path: Path,
    *,
    subject: str,
    rng: Rng,
    now: int,
    days: int = 365,
    bits: int = 2048,
    kind: KeyKind = KeyKind.RSA,
    passphrase: bytes | None = None,
) -> None:
    """Write a development signing key with a certificate that nobody outside trusts, as PEM.

    Raises :class:`ConfigError` when the file exists, ``SigningError`` for another size.
    """
    if path.exists():
        raise ConfigError(
            f"{path}: exists already; a key is never overwritten, name another file",
            "文件已存在，密钥从不覆盖，请另指文件",
        )
    moment = from_micros(now)
    made = new_development_key(
        subject=subject,
        serial=int.from_bytes(b"\x01" + rng.bytes(7), "big"),
        not_before=moment - timedelta(days=1),
        not_after=moment + timedelta(days=days),
        bits=bits,
        kind=kind,
    )
    write_private(path, made.pem(passphrase))


def make_folder(folder: Path) -> None:
    """Make a folder for messages that others may not enter; one that is there stays as it is."""
    folder.mkdir(mode=_FOLDER_MODE, parents=True, exist_ok=True)


def make_database(url: str) -> None:
    """Make the empty file of a new SQLite database, closed to others from its first moment.

    SQLite gives its ``-wal`` and ``-shm`` the mode of the database. Anything else is left alone: a
    database that is there, one in memory, PostgreSQL, and a folder that is missing or closed, of
    which opening the database tells.
    """
    address = make_url(url)
    if address.get_backend_name() != "sqlite" or address.database in (None, "", ":memory:"):
        return
    with suppress(OSError):
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
        os.close(os.open(str(address.database), flags, _DATABASE_MODE))


def write_private(path: Path, content: bytes, *, mode: int = _PRIVATE_MODE) -> None:
    """Write a new file that is never readable by others, not even for a moment."""
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    except FileExistsError as error:
        raise ConfigError(
            f"{path}: exists already; it is never overwritten", "文件已存在，从不覆盖"
        ) from error
    with os.fdopen(handle, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())

"""The master key file: 32 random bytes that every data key is wrapped with."""

import os
from pathlib import Path
from typing import Final

from gateway.app.config import ConfigError
from gateway.ports import Rng

_LENGTH: Final = 32
_MODE: Final = 0o600


def read_master_key(path: Path) -> bytes:
    """Read the key. Raises :class:`ConfigError` when it is missing, wrong or readable by others."""
    try:
        mode = path.stat().st_mode & 0o077
        key = path.read_bytes()
    except OSError as error:
        raise ConfigError(
            f"{path}: the master key cannot be read; make one with `clearance keys master`",
            "主密钥无法读取，可用 `clearance keys master` 生成",
        ) from error
    if mode:
        raise ConfigError(
            f"{path}: others may read the master key; set its mode to 600",
            "他人可读取主密钥，请将权限设为 600",
        )
    if len(key) != _LENGTH:
        raise ConfigError(
            f"{path}: a master key has exactly {_LENGTH} bytes", f"主密钥必须正好 {_LENGTH} 字节"
        )
    return key


def make_master_key(path: Path, rng: Rng) -> None:
    """Write a new key, never over another. Raises :class:`ConfigError` when the file exists."""
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _MODE)
    except FileExistsError as error:
        raise ConfigError(
            f"{path}: exists already; a master key is never overwritten",
            "文件已存在，主密钥从不覆盖",
        ) from error
    with os.fdopen(handle, "wb") as file:
        file.write(rng.bytes(_LENGTH))
        file.flush()
        os.fsync(file.fileno())

"""Changes to a settings file that keep its comments: new sections, and lines of one section.

The result is read as settings before it takes the old file's place, so a change that would not work
leaves everything as it was.
"""

import os
import re
import tempfile
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from gateway.app.config import ConfigError, load_settings

_HEADER: Final = re.compile(r"^\s*\[")
_BARE: Final = re.compile(r"[A-Za-z0-9_-]+")


def literal(value: object) -> str:
    """A value as TOML: texts, whole numbers, truth values and lists of texts."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, (list, tuple, frozenset)):
        return "[" + ", ".join(literal(one) for one in sorted(value)) + "]"
    text = str(value).replace("\\", "\\\\").replace('"', '\\"')
    if not text.isprintable():
        raise ConfigError(
            "a setting cannot hold characters that are not printable", "设置中不能有不可见字符"
        )
    return f'"{text}"'


def add_section(path: Path, group: str, name: str, values: Mapping[str, object]) -> None:
    """Append ``[group.name]``. Raises :class:`ConfigError` when it is there, or would not work."""
    _require_bare(name)
    text = _read(path)
    if name in tomllib.loads(text).get(group, {}):
        raise ConfigError(
            f"{path}: {group}.{name} is there already; choose another name", "已存在，请换一个名称"
        )
    lines = [f"{key} = {_moment_or(value)}" for key, value in values.items()]
    _replace(path, text.rstrip("\n") + f"\n\n[{group}.{name}]\n" + "\n".join(lines) + "\n")


def set_values(path: Path, group: str, name: str, values: Mapping[str, object]) -> None:
    """Set lines of ``[group.name]``, in place of lines of the same keys. Raises as
    :func:`add_section`.
    """
    _require_bare(name)
    lines = _read(path).split("\n")
    header = re.compile(rf"^\s*\[\s*{re.escape(group)}\s*\.\s*\"?{re.escape(name)}\"?\s*\]")
    start = next((index for index, line in enumerate(lines) if header.match(line)), None)
    if start is None:
        raise ConfigError(
            f"{path}: has no section [{group}.{name}]; write it by hand", "没有此节，请手工填写"
        )
    end = next(
        (index for index in range(start + 1, len(lines)) if _HEADER.match(lines[index])), len(lines)
    )
    own = re.compile(rf"^\s*(?:{'|'.join(map(re.escape, values))})\s*=")
    kept = [line for line in lines[start + 1 : end] if not own.match(line)]
    made = [f"{key} = {_moment_or(value)}" for key, value in values.items()]
    _replace(path, "\n".join([*lines[: start + 1], *made, *kept, *lines[end:]]))


def _moment_or(value: object) -> str:
    isoformat = getattr(value, "isoformat", None)
    return isoformat(timespec="seconds") if isoformat is not None else literal(value)


def _require_bare(name: str) -> None:
    if not _BARE.fullmatch(name):
        raise ConfigError(
            "a name has letters, digits, - and _ only", "名称只能含字母、数字、- 和 _"
        )


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except FileNotFoundError as error:
        raise ConfigError(
            f"{path}: there is no settings file; run `clearance init`",
            "没有设置文件，请运行 `clearance init`",
        ) from error


def _replace(path: Path, text: str) -> None:
    """Put the new text in the file's place if it works as settings."""
    mode = path.stat().st_mode & 0o777
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        load_settings(Path(name))
        os.chmod(name, mode)
        os.replace(name, path)
    except BaseException:
        os.unlink(name)
        raise

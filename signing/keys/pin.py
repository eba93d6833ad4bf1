"""The PIN of a device, which is tried again only after somebody changed it.

A wrong PIN locks a card after a few tries, and a process that restarts is a try too: so a refusal
is remembered beside the PIN's file until that file is written anew.
"""

from contextlib import suppress
from pathlib import Path

from signing.errors import KeyFileUnreadable, PinWrong

_MARK = ".refused"


class Pin:
    """A PIN that is handed out until a device refuses it. Shows itself in no text."""

    def __init__(self, value: str, *, file: Path | None = None) -> None:
        self._value = value
        self._file = file
        self._is_refused = False

    @classmethod
    def from_file(cls, path: Path) -> "Pin":
        """Read a PIN: the file's text without white space around it.

        Raises `KeyFileUnreadable`. A PIN that was refused before is read and not handed out.
        """
        try:
            value = path.read_text("utf-8").strip()
            written = path.stat().st_mtime_ns
        except (OSError, UnicodeDecodeError) as error:
            raise KeyFileUnreadable(f"PIN file: {type(error).__name__}") from error
        if not value:
            raise KeyFileUnreadable("PIN file: is empty")
        made = cls(value, file=path)
        with suppress(OSError, ValueError):
            made._is_refused = int(_mark_of(path).read_text("ascii")) == written
        return made

    @property
    def is_refused(self) -> bool:
        """Whether a device has refused this PIN."""
        return self._is_refused

    def use(self) -> str:
        """Return the PIN for one call. Raises `PinWrong` when it was refused before."""
        if self._is_refused:
            raise PinWrong("refused before; write the right one into its file")
        return self._value

    def refuse(self) -> None:
        """Remember that a device refused it, over a restart too where it came from a file."""
        self._is_refused = True
        if self._file is not None:
            with suppress(OSError):
                _mark_of(self._file).write_text(str(self._file.stat().st_mtime_ns), "ascii")


def _mark_of(file: Path) -> Path:
    return file.with_name(file.name + _MARK)

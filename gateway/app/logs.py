"""Logs: what happened, by name and number; never what was sent, never a person.

A line is an event name with plain values. Three rules keep bodies and personal data out, whoever
writes the line: values of names that could hold either are dropped, texts are cut short, and of an
exception only its type and place are told, because its text may quote what was sent. Lines of
libraries (aiohttp, asyncio, SQLAlchemy) come out by the same rules.
"""

import logging
import sys
from collections.abc import Mapping, MutableMapping
from contextlib import suppress
from enum import StrEnum
from typing import Any, Final, Protocol, TextIO, cast

import orjson
import structlog

from gateway.domain.errors import GatewayError
from schemas.errors import SchemaError
from signing.errors import SigningError

_TEXT_LIMIT: Final = 200
_HIDDEN: Final = "[hidden]"
# Names under which a body, a secret or a person could travel, whole or as the end of a name.
PRIVATE: Final = frozenset(
    {
        "account",
        "authorization",
        "body",
        "buyer",
        "consignee",
        "content",
        "id_number",
        "name",
        "passphrase",
        "password",
        "payer",
        "payload",
        "phone",
        "query",
        "raw",
        "secret",
        "token",
        "xml",
    }
)
_LEVELS: Final[Mapping[str, int]] = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
}


class LogForm(StrEnum):
    """How a line is written: ``auto`` is for people on a terminal and JSON elsewhere."""

    AUTO = "auto"
    JSON = "json"
    CONSOLE = "console"


class LogLevel(StrEnum):
    """The least important line that is written."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class LogStream(Protocol):
    """Where lines go."""

    def write(self, text: str, /) -> int:
        """Write text."""
        ...

    def flush(self) -> None:
        """Hand over what was written."""
        ...

    def isatty(self) -> bool:
        """Whether a person reads along."""
        ...


def configure_logs(
    form: LogForm = LogForm.AUTO,
    level: LogLevel = LogLevel.WARNING,
    stream: LogStream | None = None,
) -> None:
    """Set up the logs of this process; called once, by its entry point. ``stream``: stderr.

    A line that cannot be written (a full disk, a reader that went away) is lost; nothing else is.
    """
    out = _Forgiving(_CurrentStderr() if stream is None else stream)
    for_people = form is LogForm.CONSOLE or (form is LogForm.AUTO and out.isatty())
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
        exceptions_by_type,
        private_values_out,
    ]
    last: structlog.typing.Processor = (
        structlog.dev.ConsoleRenderer(colors=out.isatty(), timestamp_key="at")
        if for_people
        else structlog.processors.JSONRenderer(serializer=_json)
    )
    number = _LEVELS[level.value]
    structlog.configure(
        processors=[*shared, last],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.WriteLoggerFactory(cast(TextIO, out)),
        cache_logger_on_first_use=False,
    )
    _take_over_libraries(number)


class _CurrentStderr:
    """Whatever stderr is when a line is written: a test may have put another in its place."""

    def write(self, text: str) -> int:
        """Write text."""
        return sys.stderr.write(text)

    def flush(self) -> None:
        """Hand over what was written."""
        sys.stderr.flush()

    def isatty(self) -> bool:
        """Whether a person reads along."""
        return sys.stderr.isatty()


class _Forgiving:
    """A stream whose faults reach nobody: work goes on when its log cannot be written."""

    def __init__(self, stream: LogStream) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write text, or lose it."""
        with suppress(OSError, ValueError):
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        """Hand over what was written, where that is possible."""
        with suppress(OSError, ValueError):
            self._stream.flush()

    def isatty(self) -> bool:
        """Whether a person reads along."""
        return self._stream.isatty()


def private_values_out(
    logger: Any, method: str, line: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """Hide what may not stand in a log; cut the rest short (Any: structlog's processor types)."""
    for name, value in line.items():
        if isinstance(value, bytes | bytearray | memoryview):
            line[name] = f"<{len(value)} bytes>"
        elif name in PRIVATE or name.rpartition("_")[2] in PRIVATE:
            line[name] = _HIDDEN
        elif isinstance(value, str):
            if len(value) > _TEXT_LIMIT:
                line[name] = value[:_TEXT_LIMIT] + "…"
        elif not (value is None or isinstance(value, int | float)):
            line[name] = str(value)[:_TEXT_LIMIT] if isinstance(value, list | tuple) else _HIDDEN
    return line


def exceptions_by_type(
    logger: Any, method: str, line: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """Tell an exception by its type, code and place (Any: structlog's processor types)."""
    given = line.pop("exc_info", None)
    error = sys.exc_info()[1] if given is True else given
    if isinstance(error, tuple):
        error = error[1]
    if isinstance(error, BaseException):
        line.update(told(error))
    return line


def told(error: BaseException) -> dict[str, str]:
    """What a log may say of an error: type, code where it has one, and where it was raised."""
    doc = {"error": type(error).__name__, "place": _place(error)}
    if isinstance(error, GatewayError | SchemaError | SigningError):
        doc["code"] = error.code
    return doc


def _place(error: BaseException) -> str:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None:
        return ""
    return f"{trace.tb_frame.f_globals.get('__name__', '?')}:{trace.tb_lineno}"


def _json(line: Mapping[str, Any], **_: Any) -> str:
    return orjson.dumps(line, default=str).decode()


class _Relay(logging.Handler):
    """Passes a library's line on: its template, without the arguments that may quote a request."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one line."""
        logger = structlog.get_logger()
        values: dict[str, Any] = {"logger": record.name}
        if record.exc_info and isinstance(record.exc_info[1], BaseException):
            values |= told(record.exc_info[1])
        template = record.msg if isinstance(record.msg, str) else type(record.msg).__name__
        logger.log(record.levelno, template, **values)


def _take_over_libraries(level: int) -> None:
    root = logging.getLogger()
    for handler in list(root.handlers):
        if isinstance(handler, _Relay):
            root.removeHandler(handler)
    root.addHandler(_Relay())
    root.setLevel(max(level, logging.WARNING))

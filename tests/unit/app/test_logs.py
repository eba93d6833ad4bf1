"""Logs say what happened, and never what was sent or whose it was."""

from __future__ import annotations

import errno
import io
import logging
from collections.abc import Iterator

import orjson
import pytest
import structlog

from gateway.app.logs import PRIVATE, LogForm, LogLevel, configure_logs
from gateway.domain.errors import InvalidValue

PERSON = "110101199003070003"


@pytest.fixture
def out() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    stream = io.StringIO()
    configure_logs(LogForm.JSON, LogLevel.INFO, stream)
    yield stream
    root.handlers[:], root.level = handlers, level
    structlog.reset_defaults()


def test_a_line_is_one_json_object(out: io.StringIO) -> None:
    structlog.get_logger().info("started", count=3, ok=True, part=None)
    line = orjson.loads(out.getvalue())
    assert line.pop("at").endswith("Z")
    assert line == {"event": "started", "level": "info", "count": 3, "ok": True, "part": None}


class FullDisk(io.StringIO):
    """A stream on a disk that is full, until it is not."""

    error: Exception | None = OSError(errno.ENOSPC, "No space left on device")

    def write(self, text: str, /) -> int:
        if self.error is not None:
            raise self.error
        return super().write(text)


@pytest.mark.parametrize(
    "error", [FullDisk.error, BrokenPipeError(), ValueError("I/O operation on closed file")]
)
@pytest.mark.usefixtures("out")
def test_a_line_that_cannot_be_written_is_lost_and_nothing_with_it(error: Exception) -> None:
    stream = FullDisk()
    stream.error = error
    configure_logs(LogForm.JSON, LogLevel.INFO, stream)
    structlog.get_logger().warning("lost")
    stream.error = None
    structlog.get_logger().warning("told")
    assert [orjson.loads(line)["event"] for line in stream.getvalue().splitlines()] == ["told"]


@pytest.mark.parametrize("name", [*sorted(PRIVATE), "buyer_name", "request_body"])
def test_private_names_are_hidden(out: io.StringIO, name: str) -> None:
    structlog.get_logger().warning("odd", **{name: PERSON})
    assert PERSON not in out.getvalue()


@pytest.mark.parametrize("value", [PERSON.encode(), {"id": PERSON}, object()])
def test_bodies_and_structures_are_hidden(out: io.StringIO, value: object) -> None:
    structlog.get_logger().warning("odd", what=value)
    assert PERSON not in out.getvalue()


def test_a_long_text_is_cut(out: io.StringIO) -> None:
    structlog.get_logger().warning("odd", reason="x" * 5000)
    assert len(out.getvalue()) < 400


def test_an_exception_is_told_by_type_and_place(out: io.StringIO) -> None:
    try:
        raise InvalidValue("buyer", PERSON)
    except InvalidValue:
        structlog.get_logger().warning("failed", exc_info=True)
    line = orjson.loads(out.getvalue())
    assert line["error"] == "InvalidValue"
    assert line["code"] == "DOMAIN-101"
    assert line["place"].startswith(f"{__name__}:")
    assert PERSON not in out.getvalue()


def test_a_library_is_told_without_its_arguments(out: io.StringIO) -> None:
    try:
        raise ValueError(PERSON)
    except ValueError:
        logging.getLogger("aiohttp.server").exception("Error handling request %s", PERSON)
    line = orjson.loads(out.getvalue())
    assert line["logger"] == "aiohttp.server"
    assert line["event"] == "Error handling request %s"
    assert line["error"] == "ValueError"
    assert PERSON not in out.getvalue()


def test_less_important_lines_are_left_out(out: io.StringIO) -> None:
    structlog.get_logger().debug("detail")
    logging.getLogger("asyncio").info("detail")
    assert out.getvalue() == ""


def test_a_console_line_is_for_people(out: io.StringIO) -> None:
    configure_logs(LogForm.CONSOLE, LogLevel.INFO, out)
    structlog.get_logger().info("started", count=3)
    assert "started" in out.getvalue()
    assert "count=3" in out.getvalue()

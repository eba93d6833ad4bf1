"""The command line: commands explain themselves in both languages, failures say what to do."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog
import typer
from typer.testing import CliRunner

from gateway.app.cli import build
from gateway.app.commands import frame
from gateway.app.commands.frame import Failed, SpeakingGroup, Unusable
from gateway.app.config import ConfigError
from gateway.domain.errors import Conflict, InvalidValue, Overloaded

HAN = re.compile(r"[\u4e00-\u9fff]")
COMMANDS = {
    "demo", "serve", "worker", "init", "rules", "tables",
    "tenants", "enterprises", "mandates", "profiles",
    "goods", "api-keys", "keys",
    "endpoints", "import", "sign", "pull", "repair", "report", "ask", "case", "evidence", "golive",
    "watch",
    "check", "parked", "channels", "outbox",
    "inbox", "doctor", "preflight", "seed", "sandbox", "users", "verify", "schema",
}  # fmt: skip


@pytest.fixture(autouse=True)
def logs_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:], root.level = handlers, level
    structlog.reset_defaults()


def leaves() -> list[tuple[str, Any]]:
    found = []
    waiting = [("", typer.main.get_command(build()))]
    while waiting:
        name, command = waiting.pop()
        children = getattr(command, "commands", None)
        if children is None or (name and getattr(command, "invoke_without_command", False)):
            found.append((name, command))
        if children is not None:
            waiting += [(f"{name} {child}".strip(), one) for child, one in children.items()]
    return found


def test_every_command_is_there() -> None:
    assert {name.partition(" ")[0] for name, _ in leaves()} == COMMANDS


@pytest.mark.parametrize("name, command", leaves())
def test_every_command_and_option_is_explained_in_both_languages(name: str, command: Any) -> None:
    first = command.help.partition("\n")[0]
    assert HAN.search(first), name
    assert re.search(r"[A-Za-z]{3}", first), name
    for parameter in command.params:
        text = getattr(parameter, "help", None)
        if parameter.name != "help":
            assert text, f"{name} {parameter.name}"
            assert HAN.search(text), f"{name} {parameter.name}"


SILENT = {"serve", "worker"}


@pytest.mark.parametrize("name, command", leaves())
def test_every_report_can_be_json(name: str, command: Any) -> None:
    options = {option for parameter in command.params for option in parameter.opts}
    assert ("--json" in options) != (name in SILENT)


def test_the_import_names_every_column() -> None:
    text = CliRunner().invoke(build(), ["import", "--help"]).output
    for column in ("buyer.id_number", "lines.sku", "transaction_id", "hs_code"):
        assert column in text


def test_the_version_is_told() -> None:
    done = CliRunner().invoke(build(), ["--version"])
    assert (done.exit_code, done.output.startswith("clearance ")) == (0, True)


@pytest.mark.parametrize(
    "error, code, words",
    [
        (Unusable("give another file", "请另给文件"), 2, "give another file / 请另给文件"),
        (ConfigError("x: wrong", "有误"), 2, "x: wrong / 有误"),
        (InvalidValue("a.b", "is wrong"), 2, "a.b: is wrong [DOMAIN-101]"),
        (Conflict("taken"), 2, "taken"),
        (Failed("not done", "未完成"), 1, "not done / 未完成"),
        (Overloaded("full"), 1, "full [STORE-201]"),
        (FileNotFoundError(2, "No such file or directory", "x.csv"), 2, "x.csv: No such file"),
        (ConnectionRefusedError("refused"), 1, "refused"),
    ],
)
@pytest.mark.parametrize("is_wrapped", [False, True])
def test_a_failure_is_one_sentence_and_an_exit_code(
    error: Exception, code: int, words: str, is_wrapped: bool
) -> None:
    app = typer.Typer(cls=SpeakingGroup)

    async def fail() -> None:
        raise ExceptionGroup("tasks", [error]) if is_wrapped else error

    def broken() -> None:
        frame.run(fail())

    app.command("broken")(broken)
    app.callback()(lambda: None)
    done = CliRunner().invoke(app, ["broken"])
    assert done.exit_code == code
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("clearance: ")
    assert words in done.stderr
    assert done.stdout == ""


def test_what_is_a_bug_is_not_hidden() -> None:
    app = typer.Typer(cls=SpeakingGroup)

    def broken() -> None:
        raise KeyError("bug")

    app.command("broken")(broken)
    app.callback()(lambda: None)
    assert isinstance(CliRunner().invoke(app, ["broken"]).exception, KeyError)


def test_stored_text_is_not_read_as_markup(capsys: pytest.CaptureFixture[str]) -> None:
    frame.show_table("T", ("a",), [("[bold]x[/bold] [/y]",)])
    assert "[bold]x[/bold] [/y]" in capsys.readouterr().out


def test_a_missing_settings_file_is_told(tmp_path: Path) -> None:
    done = CliRunner().invoke(build(), ["--config", str(tmp_path / "no.toml"), "check"])
    assert done.exit_code == 2
    assert "no.toml: there is no such file" in done.stderr

"""House rules that no other tool checks: sizes, who may say what, where things may stand."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("gateway", "schemas", "signing", "adapters", "store")

MODULE_LINES = 700
FUNCTION_LINES = 70
NESTING = 3

TOP_LEVEL = {
    *PACKAGES,
    "tests",
    "CHANGELOG.md",
    "LICENSE",
    "Makefile",
    "README.md",
    "pyproject.toml",
}

# Written in pieces, so that this file does not find itself.
MACHINE = re.compile(
    "|".join(
        (
            "/wor" + "k/",
            "/far" + "m/",
            r"/roo" + r"t/\.",
            "/tmp/" + "bash_jobs",
            "--(extra-)?" + "index-url",
            "--(trusted-host|find-links)" + "[ =]",
            "https?://[^ ]*(pyp" + "i|pythonhosted|npmjs)",
            "/opt/" + "pyp",
        )
    )
)
SANDBOX_ORDER = "SIM" + "-"
SQL = re.compile(
    r"\s*(SELECT\s[^.]*\sFROM\s|INSERT\s+INTO\s|UPDATE\s+\w+\s+SET\s|DELETE\s+FROM\s"
    r"|(CREATE|ALTER|DROP)\s+(UNIQUE\s+)?(TABLE|INDEX|DATABASE)\s|PRAGMA\s|BEGIN\s+IMMEDIATE)"
)
# Constructs that open a level a reader has to keep in mind.
BLOCKS = (ast.If, ast.For, ast.AsyncFor, ast.While, ast.Try, ast.TryStar, ast.Match, ast.With)
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


@dataclass(frozen=True, slots=True)
class Source:
    """One Python file: its path from the root, its text and tree."""

    path: str
    text: str
    tree: ast.Module


def _ours() -> list[Path]:
    """Every file of the project: what git tracks, or what lies there when this is no checkout."""
    answer = subprocess.run(
        ["git", "-C", str(ROOT), "ls-files", "-z"], capture_output=True, text=True, check=False
    )
    if answer.returncode == 0 and answer.stdout:
        paths = [ROOT / name for name in answer.stdout.split("\0") if name]
        return [path for path in paths if path.is_file()]
    return [path for name in TOP_LEVEL for path in (ROOT / name).rglob("*") if path.is_file()]


@cache
def _texts() -> tuple[tuple[str, str], ...]:
    found = []
    for path in _ours():
        try:
            found.append((path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8")))
        except UnicodeDecodeError:  # pictures and samples in other encodings say nothing of ours
            continue
    return tuple(found)


@cache
def _sources() -> tuple[Source, ...]:
    return tuple(
        Source(path, text, ast.parse(text, path)) for path, text in _texts() if path.endswith(".py")
    )


def _product(*folders: str) -> Iterator[Source]:
    prefixes = tuple(f"{folder}/" for folder in folders or PACKAGES)
    return (source for source in _sources() if source.path.startswith(prefixes))


def too_long_functions(tree: ast.Module) -> Iterator[str]:
    """Functions of more than 70 lines, decorators not counted."""
    for node in ast.walk(tree):
        if isinstance(node, FUNCTIONS):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            if lines > FUNCTION_LINES:
                yield f"{node.lineno} {node.name}: {lines} lines"


def too_deep(tree: ast.Module) -> Iterator[str]:
    """Statements more than three blocks deep in their function; an elif opens no level."""

    def visit(node: ast.AST, depth: int) -> Iterator[str]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, FUNCTIONS):
                yield from visit(child, 0)
                continue
            is_elif = isinstance(node, ast.If) and node.orelse == [child]
            opens = isinstance(child, (*BLOCKS, ast.AsyncWith))
            is_elif = is_elif and isinstance(child, ast.If)
            level = depth + (opens and not is_elif)
            if opens and level > NESTING:
                yield f"{getattr(child, 'lineno', 0)}: {level} blocks deep"
            yield from visit(child, level)

    return visit(tree, 0)


def floats(tree: ast.Module) -> Iterator[str]:
    """Every float literal and every use of the name ``float``."""
    for node in ast.walk(tree):
        is_literal = isinstance(node, ast.Constant) and isinstance(node.value, float)
        if is_literal or (isinstance(node, ast.Name) and node.id == "float"):
            yield f"{getattr(node, 'lineno', 0)}: {ast.unparse(node)}"


def sql_texts(tree: ast.Module) -> Iterator[str]:
    """Strings that begin like a SQL statement, docstrings left out."""
    documentation = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, (ast.Module, ast.ClassDef, *FUNCTIONS))
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        if not isinstance(node, ast.Constant) or not isinstance(node.value, str):
            continue
        if id(node) not in documentation and SQL.match(node.value):
            yield f"{node.lineno}: {node.value[:60]!r}"


def swallowing_handlers(tree: ast.Module) -> Iterator[str]:
    """Handlers that catch everything and do not end by raising."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.ExceptHandler) or isinstance(node.body[-1], ast.Raise):
            continue
        caught = ast.unparse(node.type) if node.type is not None else "everything"
        if caught in ("everything", "Exception", "BaseException"):
            yield f"{node.lineno}: catches {caught}"


def _report(faults: list[str]) -> None:
    assert not faults, "\n" + "\n".join(faults)


def test_modules_stay_below_the_hard_limit() -> None:
    counts = [(source.text.count("\n"), source.path) for source in _sources()]
    _report([f"{path}: {lines} lines" for lines, path in counts if lines > MODULE_LINES])


def test_functions_fit_on_a_screen() -> None:
    _report([f"{s.path}:{fault}" for s in _product() for fault in too_long_functions(s.tree)])


def test_nesting_stays_within_three_levels() -> None:
    _report([f"{s.path}:{fault}" for s in _product() for fault in too_deep(s.tree)])


def test_no_float_touches_money_or_messages() -> None:
    folders = ("gateway/domain", "schemas", "signing")
    _report([f"{s.path}:{fault}" for s in _product(*folders) for fault in floats(s.tree)])


def test_only_the_engine_catches_whatever_happens() -> None:
    # The engine records and reschedules; a command line turns a fault into its exit status; the
    # matcher makes a blocking finding of a rule that raises.
    allowed = ("gateway/flow/engine.py", "gateway/app/", "gateway/domain/matching/matcher.py")
    _report(
        [
            f"{source.path}:{fault}"
            for source in _product()
            if not source.path.startswith(allowed)
            for fault in swallowing_handlers(source.tree)
        ]
    )


def test_sql_is_written_in_the_store_only() -> None:
    folders = ("gateway", "schemas", "signing", "adapters")
    _report([f"{s.path}:{fault}" for s in _product(*folders) for fault in sql_texts(s.tree)])


def test_only_the_sandbox_and_the_demo_know_its_order_numbers() -> None:
    allowed = ("adapters/sandbox/", "gateway/app/demo", "tests/")
    _report(
        [
            path
            for path, text in _texts()
            if SANDBOX_ORDER in text and not path.startswith(allowed) and "/" in path
        ]
    )


def test_no_address_of_a_machine_or_an_index_gets_in() -> None:
    faults = []
    for path, text in _texts():
        for number, line in enumerate(text.splitlines(), 1):
            if MACHINE.search(line):
                faults.append(f"{path}:{number}: {line.strip()[:100]}")
    _report(faults)


def test_the_root_holds_what_the_house_plan_lists() -> None:
    names = {path.relative_to(ROOT).parts[0] for path in _ours()}
    _report(sorted(name for name in names - TOP_LEVEL if not name.startswith(".")))


@pytest.mark.parametrize("package", PACKAGES)
def test_every_folder_of_code_is_a_package_and_the_package_is_typed(package: str) -> None:
    assert (ROOT / package / "py.typed").is_file()
    folders = {
        path.parent for path in _ours() if path.suffix == ".py" and ROOT / package in path.parents
    }
    missing = {folder for folder in folders if not (folder / "__init__.py").is_file()}
    _report(sorted(folder.relative_to(ROOT).as_posix() for folder in missing))


def test_names_that_say_nothing_are_not_used_for_modules() -> None:
    vague = {"utils", "util", "helpers", "helper", "manager", "common", "misc"}
    _report(sorted(s.path for s in _product() if vague & set(Path(s.path).with_suffix("").parts)))


class TestTheChecksThemselves:
    """Each check sees what it is there to see."""

    def test_length(self) -> None:
        body = "    x = 1\n" * FUNCTION_LINES
        assert list(too_long_functions(ast.parse(f"def long():\n{body}")))
        assert not list(too_long_functions(ast.parse(f"def fits():\n{body[10:]}")))

    def test_depth(self) -> None:
        deep = "def f():\n if a:\n  for b in c:\n   with d:\n    while e: pass\n"
        chain = "def f():\n if a: pass\n" + " elif b: pass\n" * 9
        assert list(too_deep(ast.parse(deep)))
        assert not list(too_deep(ast.parse(chain)))
        assert not list(too_deep(ast.parse(deep.replace("while e: pass", "pass"))))

    @pytest.mark.parametrize("code", ["x = 0.5", "x = float(y)", "def f(x: float): ..."])
    def test_float(self, code: str) -> None:
        assert list(floats(ast.parse(code)))

    def test_float_leaves_decimals_alone(self) -> None:
        assert not list(floats(ast.parse("x = Decimal('0.5') + 1")))

    @pytest.mark.parametrize(
        "text",
        [
            "SELECT a FROM b",
            "INSERT INTO b VALUES (1)",
            " UPDATE b SET a = 1",
            "PRAGMA x",
            "DELETE FROM b",
        ],
    )
    def test_sql(self, text: str) -> None:
        assert list(sql_texts(ast.parse(f"x = {text!r}")))
        assert list(sql_texts(ast.parse(f"x = f{text + ' {y}'!r}")))
        assert not list(sql_texts(ast.parse(f"def f():\n    {text!r}")))

    @pytest.mark.parametrize("kind", ["", " Exception", " BaseException as fault"])
    def test_swallowing(self, kind: str) -> None:
        code = f"try: f()\nexcept{kind}:\n  g()"
        assert list(swallowing_handlers(ast.parse(code)))
        assert not list(swallowing_handlers(ast.parse(f"{code}\n  raise")))
        assert not list(swallowing_handlers(ast.parse("try: f()\nexcept ValueError: g()")))

    @pytest.mark.parametrize("text", ["Select a file", "UPDATE the order", "WITHDRAWN"])
    def test_sql_leaves_prose_alone(self, text: str) -> None:
        assert not list(sql_texts(ast.parse(f"x = {text!r}")))

    @pytest.mark.parametrize(
        "line", ["/wor" + "k/x", "pip --" + "index-url x", "https://pyp" + "i.example/simple"]
    )
    def test_machine(self, line: str) -> None:
        assert MACHINE.search(line)
        assert not MACHINE.search("pip-compile --no-emit-" + "index-url --no-emit-find-" + "links")


VIOLATIONS = {
    "gateway/domain/clock.py": "import time",
    "gateway/flow/parse.py": "import lxml",
    "gateway/client/inside.py": "import gateway.domain",
    "gateway/api/up.py": "import gateway.app",
    "signing/up.py": "import gateway.domain",
    "adapters/payments/direct.py": "import aiohttp",
    "adapters/customs/channels/sideways.py": "import adapters.customs.ceb",
    "adapters/sandbox/customs/friend.py": "import schemas.errors",
}


def test_every_import_contract_bites(tmp_path: Path) -> None:
    """Build a small house that breaks each contract once and let the linter judge it."""
    (tmp_path / "pyproject.toml").write_bytes((ROOT / "pyproject.toml").read_bytes())
    plain = ["gateway/app/cli.py", "adapters/customs/ceb/receipts.py", "store/tables.py"]
    plain += ["schemas/loader.py", "schemas/errors.py", "gateway/ports/__init__.py"]
    contents = dict.fromkeys(plain, "") | VIOLATIONS
    for name, text in contents.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n")
        for folder in path.relative_to(tmp_path).parents[:-1]:
            (tmp_path / folder / "__init__.py").touch()
    answer = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-logo", "--no-cache"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ", 8 broken" in answer.stdout, answer.stdout + answer.stderr
    assert "0 kept" in answer.stdout

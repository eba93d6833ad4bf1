"""What a deployment's first folders and database let others see: nothing."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.app.beginning import make_database, make_folder


@pytest.fixture(autouse=True)
def the_widest_umask() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_a_folder_is_closed_to_others_and_one_that_is_there_stays(tmp_path: Path) -> None:
    make_folder(tmp_path / "new")
    assert mode(tmp_path / "new") == 0o750
    (tmp_path / "new").chmod(0o770)
    make_folder(tmp_path / "new")
    assert mode(tmp_path / "new") == 0o770


def test_a_database_and_its_log_are_closed_to_others(tmp_path: Path) -> None:
    file = tmp_path / "clearance.db"
    make_database(f"sqlite:///{file}")
    connection = sqlite3.connect(file)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("CREATE TABLE one (two)")
    assert mode(file) == 0o640
    assert mode(tmp_path / "clearance.db-wal") == 0o640
    make_database(f"sqlite:///{file}")
    assert connection.execute("SELECT count(*) FROM one").fetchone() == (0,)
    connection.close()


@pytest.mark.parametrize(
    "url", ["sqlite://", "sqlite:///:memory:", "postgresql+asyncpg://someone@host/clearance"]
)
def test_nothing_else_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.chdir(tmp_path)
    make_database(url)
    assert not list(tmp_path.iterdir())


def test_a_missing_folder_is_left_to_the_opening(tmp_path: Path) -> None:
    make_database(f"sqlite:///{tmp_path / 'missing' / 'clearance.db'}")
    assert not list(tmp_path.iterdir())

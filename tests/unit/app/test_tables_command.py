"""``clearance tables``: files of reference tables are read whole, or refused line by line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from gateway.app.cli import build
from gateway.app.commands.frame import Unusable
from gateway.app.commands.tables import read_table
from gateway.domain.tables import COLUMNS, TableKind


@pytest.mark.parametrize("kind", list(TableKind))
def test_every_sample_is_a_table_that_calls_itself_a_sample(
    kind: TableKind, tmp_path: Path
) -> None:
    printed = CliRunner().invoke(build(), ["tables", "sample", kind.value])
    assert printed.exit_code == 0
    assert printed.stdout.startswith("# SAMPLE")
    doc = json.loads(CliRunner().invoke(build(), ["tables", "sample", kind.value, "--json"]).stdout)
    assert doc["csv"] == printed.stdout
    assert doc["needs"] == list(COLUMNS[kind][0])
    file = tmp_path / "sample.csv"
    file.write_text(printed.stdout, encoding="utf-8")
    rows, is_sample = read_table(file, kind)
    assert len(rows) >= 2
    assert is_sample
    file.write_text(printed.stdout.partition("\n")[2], encoding="utf-8-sig")
    assert read_table(file, kind) == (rows, False)


def write(folder: Path, text: str) -> Path:
    file = folder / "t.csv"
    file.write_text(text, encoding="utf-8")
    return file


def test_all_faults_are_told_with_their_lines(tmp_path: Path) -> None:
    text = "# remark\ncode,name\n3301960P01,A\n\nX,B\n3301960M01,C,D\n3301960M01,\n"
    with pytest.raises(Unusable) as caught:
        read_table(write(tmp_path, text), TableKind.ENTERPRISES)
    said = str(caught.value)
    assert "nothing was stored" in said
    assert "line 5: code: must be a 10-character" in said
    assert "line 6: has more cells than columns" in said
    assert "line 7: name: is missing" in said


def test_only_the_first_faults_are_told(tmp_path: Path) -> None:
    text = "code,name\n" + "X,B\n" * 30
    with pytest.raises(Unusable, match="and 10 more"):
        read_table(write(tmp_path, text), TableKind.ENTERPRISES)


@pytest.mark.parametrize("text, fault", [("", "is empty; its columns are code"), ("#\n", "empty")])
def test_an_empty_file_tells_the_columns(tmp_path: Path, text: str, fault: str) -> None:
    with pytest.raises(Unusable, match=fault):
        read_table(write(tmp_path, text), TableKind.ENTERPRISES)
    assert COLUMNS[TableKind.ENTERPRISES][0][0] == "code"


def test_a_file_that_is_not_there_or_not_utf8(tmp_path: Path) -> None:
    with pytest.raises(Unusable, match="no such file"):
        read_table(tmp_path / "x.csv", TableKind.ENTERPRISES)
    file = tmp_path / "gbk.csv"
    file.write_bytes("code,name\n3301960P01,面霜有限公司\n".encode("gbk"))
    with pytest.raises(Unusable, match="UTF-8"):
        read_table(file, TableKind.ENTERPRISES)

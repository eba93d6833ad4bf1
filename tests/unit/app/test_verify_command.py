"""``clearance verify``: files, folders, archives; the JSON contract and the exit codes."""

from __future__ import annotations

import io
import logging
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
import structlog
from typer.testing import CliRunner

from gateway.app.cli import build

SAMPLES = Path(__file__).parents[2] / "samples" / "customs"
ORDER = (SAMPLES / "order_full.xml").read_bytes()
FAULTY = ORDER.replace(b">223.65<", b">223.64<")


@pytest.fixture(autouse=True)
def logs_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:], root.level = handlers, level
    structlog.reset_defaults()


def run(*arguments: str | Path) -> tuple[int, str, str]:
    result = CliRunner().invoke(build(), ["verify", *map(str, arguments)])
    return result.exit_code, result.stdout, result.stderr


def run_json(*arguments: str | Path) -> tuple[int, list[dict[str, Any]]]:
    code, out, _ = run(*arguments, "--json")
    return code, orjson.loads(out)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "a.xml").write_bytes(ORDER)
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "b.xml").write_bytes(FAULTY)
    (tmp_path / "no-suffix").write_bytes(ORDER)
    (tmp_path / "notes.txt").write_text("not a message")
    return tmp_path


def zipped(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


def test_the_json_contract(folder: Path) -> None:
    code, (doc,) = run_json(folder / "sub" / "b.xml")
    assert code == 1
    assert list(doc)[:4] == ["file", "kind", "edition", "findings"]
    assert (doc["kind"], doc["edition"]) == ("CEB311Message", "202205")
    assert doc["file"].endswith("b.xml")
    finding = doc["findings"][0]
    assert list(finding)[:5] == ["source", "rule", "severity", "path", "message"]
    assert (finding["source"], finding["rule"]) == ("rule", "CEB-HEAD-SUM")
    assert "实际支付金额" in finding["message"]
    assert "acturalPaid" in finding["message"]
    assert doc["signature"]["verdict"] == "absent"


def test_exit_codes(folder: Path) -> None:
    assert run(folder / "a.xml")[0] == 0
    assert run(folder / "sub" / "b.xml")[0] == 1
    assert run(folder / "notes.txt")[0] == 2
    assert run(folder / "nothing-here.xml")[0] == 2
    assert run(folder / "a.xml", folder / "sub" / "b.xml", folder / "notes.txt")[0] == 2


def test_a_folder_is_walked_for_what_looks_like_a_document(folder: Path) -> None:
    code, docs = run_json(folder)
    assert code == 1
    names = [Path(doc["file"]).name for doc in docs]
    assert names == ["a.xml", "no-suffix", "b.xml"]


def test_a_report_for_people_speaks_both_languages(folder: Path) -> None:
    _, out, _ = run(folder / "sub" / "b.xml")
    assert "有误 faults" in out
    assert "实际支付金额 223.64" in out
    assert "acturalPaid 223.64 is not goods" in out
    assert "110101199003070003" not in out


class TestArchives:
    def test_members_are_looked_at_by_name(self, tmp_path: Path) -> None:
        archive = zipped(tmp_path / "x.zip", {"in/a.xml": ORDER, "b.xml": FAULTY, "c.txt": b"no"})
        code, docs = run_json(archive)
        assert code == 2
        assert [doc["file"].rpartition("!")[2] for doc in docs] == ["b.xml", "c.txt", "in/a.xml"]
        assert [doc["outcome"] for doc in docs] == ["faulty", "unreadable", "clean"]

    def test_a_bomb_is_refused_and_the_others_are_read(self, tmp_path: Path) -> None:
        members = {"bomb.xml": b" " * 9_000_000, "z.xml": ORDER}
        code, docs = run_json(zipped(tmp_path / "x.zip", members))
        assert code == 2
        assert docs[0]["findings"][0]["rule"] == "ARCHIVE"
        assert "200" in docs[0]["findings"][0]["message_zh"]
        assert docs[1]["outcome"] == "clean"

    def test_a_member_above_the_limit_of_a_document(self, tmp_path: Path) -> None:
        noise = bytes(range(256)) * 256
        data = b"<a>" + b"".join(noise[i:] + noise[:i] for i in range(170))
        _, docs = run_json(zipped(tmp_path / "x.zip", {"large.xml": data}))
        assert docs[0]["findings"][0]["rule"] in {"TOO_LARGE", "ARCHIVE"}

    @pytest.mark.parametrize("data", [b"PK\x03\x04 broken", b"PK\x05\x06" + b"\0" * 18])
    def test_a_broken_or_empty_archive(self, tmp_path: Path, data: bytes) -> None:
        path = tmp_path / "x.zip"
        path.write_bytes(data)
        code, (doc,) = run_json(path)
        assert code == 2
        assert doc["findings"][0]["rule"] == "ARCHIVE"

    def test_an_archive_in_an_archive(self, tmp_path: Path) -> None:
        inner = io.BytesIO()
        with zipfile.ZipFile(inner, "w") as archive:
            archive.writestr("a.xml", ORDER)
        code, (doc,) = run_json(zipped(tmp_path / "x.zip", {"inner.zip": inner.getvalue()}))
        assert code == 2
        assert doc["findings"][0]["rule"] == "ARCHIVE"

    def test_too_many_members(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("gateway.app.verify_files.MOST_MEMBERS", 1)
        code, (doc,) = run_json(zipped(tmp_path / "x.zip", {"a.xml": ORDER, "b.xml": ORDER}))
        assert code == 2
        assert "1" in doc["findings"][0]["message_en"]

    def test_too_much_in_all(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("gateway.app.verify_files.MOST_BYTES", 100)
        code, _ = run_json(zipped(tmp_path / "x.zip", {"a.xml": ORDER}))
        assert code == 2


class TestSchema:
    def test_list(self) -> None:
        result = CliRunner().invoke(build(), ["schema", "list", "--json"])
        docs = orjson.loads(result.stdout)
        assert len([doc for doc in docs if doc["family"] == "ceb"]) == 42
        table = CliRunner().invoke(build(), ["schema", "list"])
        assert "进口清单" in table.stdout

    def test_show(self) -> None:
        result = CliRunner().invoke(build(), ["schema", "show", "CEB411Message", "--json"])
        doc = orjson.loads(result.stdout)
        assert (doc["edition"], doc["editions"]) == ("202205", ["2018", "202205"])
        assert {"path", "label_zh", "label_en", "type", "required"} <= doc["fields"][0].keys()
        table = CliRunner().invoke(build(), ["schema", "show", "CEB411Message"])
        assert "必填 M" in table.stdout

    def test_an_unknown_message_or_edition(self) -> None:
        for arguments in (["CEB999Message"], ["CEB213Message", "--edition", "2018"]):
            result = CliRunner().invoke(build(), ["schema", "show", *arguments])
            assert result.exit_code == 2
            assert "没有此报文或版本" in result.stderr

    def test_pages_are_written(self, tmp_path: Path) -> None:
        CliRunner().invoke(build(), ["schema", "list", "--write", str(tmp_path)])
        assert (tmp_path / "messages.md").is_file()
        assert (tmp_path / "messages" / "2018" / "CEB621Message.md").is_file()
        shown = CliRunner().invoke(build(), ["schema", "show", "CEB311Message", "--markdown"])
        page = (tmp_path / "messages" / "202205" / "CEB311Message.md").read_text("utf-8")
        assert shown.stdout.strip() == page.strip()

"""The documentation's first example is run as it stands."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from pathlib import Path

import pytest

from signing import KeyKind, new_development_key
from tests.unit.signing.make import BODY


@pytest.mark.parametrize("kind", [KeyKind.RSA, KeyKind.SM2])
def test_the_example_works(
    kind: KeyKind,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    text = files("signing").joinpath("docs.md").read_text(encoding="utf-8")
    example = re.search(r"```python\n(.*?)```", text, re.DOTALL)
    assert example is not None
    now = datetime.now(UTC)
    made = new_development_key(
        subject="docs",
        serial=1,
        not_before=now - timedelta(days=1),
        not_after=now + timedelta(days=1),
        kind=kind,
    )
    (tmp_path / "key.p12").write_bytes(made.pkcs12(b"..."))
    monkeypatch.chdir(tmp_path)
    exec(compile(example[1], "docs.md", "exec"), {"document": BODY})
    assert capsys.readouterr().out == f"{BODY!r}\n"
    assert (tmp_path / "signed.xml").stat().st_size > len(BODY)

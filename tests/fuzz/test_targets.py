"""The fuzz targets over their committed corpora, and a short run of the fuzzer itself."""

from __future__ import annotations

import pytest

from tests.fuzz.run import CORPUS, main
from tests.fuzz.targets import targets

TARGETS = targets()


def test_every_target_has_a_corpus() -> None:
    assert {path.name for path in CORPUS.iterdir()} == set(TARGETS)


@pytest.mark.parametrize("name", TARGETS)
def test_the_corpus_holds(name: str) -> None:
    inputs = sorted((CORPUS / name).iterdir())
    assert inputs
    for path in inputs:
        TARGETS[name](path.read_bytes())


@pytest.mark.slow
def test_the_fuzzer_finds_nothing_in_a_few_seconds(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.fuzz.run.FOUND", tmp_path_factory.mktemp("found"))
    assert main(["--seconds", "6", "parser", "file-202205", "CEB622Message"]) == 0

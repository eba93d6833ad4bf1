"""Golden files: a change in what would be filed shows as a change of bytes."""

from __future__ import annotations

import pytest
from lxml import etree

from schemas.catalog import editions
from schemas.library import Document, Library
from schemas.loader import parse
from schemas.plan import load_plan
from schemas.reader import OddKind
from schemas.validate import ValidatorPool
from tests.unit.schemas.golden import FOLDER, files

GOLDEN = {(edition, name): (family, data) for family, edition, name, data in files()}


def test_there_is_one_for_every_message_and_envelope() -> None:
    wanted = {
        (edition, name)
        for edition in editions("ceb")
        for family in ("ceb", "dxp")
        for name in load_plan(family, edition)
    }
    assert {(path.parent.name, path.stem) for path in FOLDER.rglob("*.xml")} == wanted
    assert set(GOLDEN) == wanted
    assert len(wanted) == 42 + 38 + 2 * 3


@pytest.mark.parametrize("edition, name", GOLDEN)
def test_it_is_what_the_writer_makes_canonical_and_valid(edition: str, name: str) -> None:
    family, made = GOLDEN[edition, name]
    data = (FOLDER / edition / f"{name}.xml").read_bytes()
    assert made == data
    root = parse(data)
    assert etree.tostring(root, method="c14n") == data
    ValidatorPool(family, edition, name, signature_optional=True).check(root)


@pytest.mark.parametrize("edition", editions("ceb"))
def test_every_one_is_opened_and_read_whole(edition: str) -> None:
    library = Library(edition)
    for name, plan in library.plans.items():
        document = library.open((FOLDER / edition / f"{name}.xml").read_bytes())
        assert isinstance(document, Document)
        assert document.plan is plan
        (record,) = document.message.records
        assert not record.faults, name
        read = set(record.fields) | {
            f"{path}/{field}" for path, items in record.lists.items() for field in items[0]
        }
        # The second spelling is read as the first.
        assert read == {path for path, leaf in plan.record.leaves() if not leaf.alias_of}, name
        expected = {OddKind.UNSPECIFIED} if name == "CEB816Message" else set()
        assert {note.kind for note in document.all_notes()} == expected, name

"""The law of every message in every edition: what is written is valid and read back equal."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from importlib.resources import files
from types import SimpleNamespace

import pytest
import xmlschema
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree

from schemas.catalog import editions
from schemas.explain import Explainer
from schemas.library import Library
from schemas.loader import LARGE, parse
from schemas.reader import OddKind
from tests.unit.schemas import values

pytestmark = pytest.mark.law
LIBRARIES = {edition: Library(edition) for edition in editions("ceb")}
MESSAGES = [(edition, name) for edition, one in LIBRARIES.items() for name in one.plans]
# A generated record fills every field, those of real receipts against the official schema too.
FORESEEN = {OddKind.ABSENT, OddKind.UNSPECIFIED, OddKind.SPELLING}


def typed(read: Mapping[str, str], wanted: Mapping[str, object]) -> dict[str, object]:
    """Return what was read with numbers as numbers, so that equal values compare equal."""
    return {
        path: Decimal(text) if isinstance(wanted.get(path), Decimal) else text
        for path, text in read.items()
    }


@pytest.mark.slow
@pytest.mark.parametrize("edition", editions("ceb"))
def test_each_file_is_a_schema_by_the_schema_of_schemas(edition: str) -> None:
    root = files("schemas")
    meta = xmlschema.XMLSchema(str(root / "ceb" / edition / "codes.xsd")).meta_schema
    assert meta is not None
    for family in ("ceb", "dxp"):
        for path in (root / family / edition).iterdir():
            if path.name.endswith(".xsd"):
                meta.validate(str(path))


@pytest.mark.slow
@pytest.mark.parametrize("edition, name", MESSAGES)
def test_written_valid_for_both_libraries_and_read_back_equal(edition: str, name: str) -> None:
    library = LIBRARIES[edition]
    plan, reader = library.plan(name), library.reader(name)
    compiled = values.writer(plan)
    pool = library.validator(name, signature_optional=True)
    explainer = Explainer("ceb", edition, name)
    parts = st.lists(
        values.records(plan.record),
        min_size=1,
        max_size=min(plan.record.max_occurs or 2, 2),
    )

    @settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck))
    @given(parts)
    def law(batch: list[SimpleNamespace]) -> None:
        for one in batch:
            # The two spellings of one number exclude each other.
            if hasattr(one, "TaxHeadRd"):
                one.TaxHeadRd.logisticNo = None
        texts = [compiled.record(one) for one in batch]
        trailer = (values.TRANSFER, [values.SUBSCRIBE]) if plan.trailer else ()
        data = compiled.message(values.GUID, texts, *trailer)
        root = parse(data, LARGE)
        assert etree.tostring(root, method="c14n") == data
        pool.check(root)
        assert explainer.explain(data, LARGE, signature_optional=True) == ()
        message = reader.read(root)
        assert message.notes == ()
        for record, made in zip(message.records, batch, strict=True):
            assert record.faults == ()
            assert {note.kind for note in record.notes} <= FORESEEN | {OddKind.LOWER_CASE}
            fields, lists = values.expected(plan.record, made)
            assert typed(record.fields, fields) == fields
            assert {
                path: [typed(line, want) for line, want in zip(items, lists[path], strict=True)]
                for path, items in record.lists.items()
            } == lists

    law()

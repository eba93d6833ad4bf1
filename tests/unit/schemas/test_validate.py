"""Validation on the hot path and the explanation of all faults."""

from __future__ import annotations

import subprocess
import sys
import threading
from typing import Any

import pytest

from schemas.errors import MalformedDocumentError, UnknownSchemaError, XMLSchemaError
from schemas.explain import Explainer, Rule
from schemas.loader import parse
from schemas.validate import Validator, ValidatorPool
from tests.unit.schemas.golden import FOLDER
from tests.unit.schemas.sample import (
    GUID,
    TRANSFER,
    Order,
    inventory_writer,
    order_message,
)


@pytest.fixture(scope="module")
def order_explainer() -> Explainer:
    return Explainer("ceb", "202205", "CEB311Message")


def inventory() -> bytes:
    writer = inventory_writer()
    return writer.message(GUID, [writer.record(Order())], TRANSFER)


def test_an_unsigned_inventory_fits_the_unsigned_variant_only() -> None:
    root = parse(inventory())
    assert ValidatorPool("ceb", "202205", "CEB621Message", signature_optional=True).is_valid(root)
    with pytest.raises(XMLSchemaError, match="SCHEMAV_ELEMENT_CONTENT"):
        ValidatorPool("ceb", "202205", "CEB621Message").check(root)


def test_a_signed_inventory_fits_both() -> None:
    ds = "http://www.w3.org/2000/09/xmldsig#"
    method = "<ds:{0} Algorithm='urn:x'/>"
    signature = (
        f"<ds:Signature xmlns:ds='{ds}'><ds:SignedInfo>"
        f"{method.format('CanonicalizationMethod')}{method.format('SignatureMethod')}"
        f"<ds:Reference URI=''><ds:Transforms>{method.format('Transform')}</ds:Transforms>"
        f"{method.format('DigestMethod')}<ds:DigestValue>AAAA</ds:DigestValue></ds:Reference>"
        "</ds:SignedInfo><ds:SignatureValue>AAAA</ds:SignatureValue><ds:KeyInfo>"
        "<ds:KeyName>01</ds:KeyName><ds:X509Data><ds:X509Certificate>AAAA</ds:X509Certificate>"
        "</ds:X509Data></ds:KeyInfo></ds:Signature>"
    )
    end = b"</ceb:CEB621Message>"
    root = parse(inventory().replace(end, signature.encode() + end))
    for optional in (True, False):
        ValidatorPool("ceb", "202205", "CEB621Message", signature_optional=optional).check(root)
    root = parse(inventory().replace(end, signature.replace("URI=''", "URI='#a'").encode() + end))
    assert not ValidatorPool("ceb", "202205", "CEB621Message").is_valid(root)


def test_the_first_breach_is_told_without_content() -> None:
    data = order_message().replace(b">MADE-UP-0001<", b">" + b"secret" * 11 + b"<")
    with pytest.raises(XMLSchemaError) as caught:
        ValidatorPool("ceb", "202205", "CEB311Message").check(parse(data))
    error = caught.value
    assert error.rule == "SCHEMAV_CVC_MAXLENGTH_VALID"
    assert error.path.endswith("ceb:orderNo")
    assert "secret" not in str(error)


def test_threads_compile_and_validate_at_the_same_time() -> None:
    data = order_message()
    found: list[tuple[Validator, bool]] = []

    def work(pool: ValidatorPool, start: threading.Barrier) -> None:
        start.wait()
        found.append((pool.get(), pool.is_valid(parse(data))))

    for _ in range(20):
        pool = ValidatorPool("ceb", "202205", "CEB311Message")
        start = threading.Barrier(4)
        threads = [threading.Thread(target=work, args=(pool, start)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len({id(validator) for validator, _ in found}) == len(found) == 80
    assert all(valid for _, valid in found)
    mine = ValidatorPool("ceb", "202205", "CEB311Message")
    assert mine.get() is mine.get()


def test_unknown_messages_are_refused() -> None:
    with pytest.raises(UnknownSchemaError):
        ValidatorPool("ceb", "1999", "CEB311Message")
    with pytest.raises(UnknownSchemaError):
        ValidatorPool("ceb", "202205", "CEB999Message").get()
    with pytest.raises(UnknownSchemaError):
        Explainer("ceb", "202205", "CEB999Message")


CHANGES: list[tuple[bytes, bytes, tuple[int | None, str, Rule | None]]] = [
    (b"<ceb:gnum>2</ceb:gnum>", b"", (1, "OrderList[2]/gnum", Rule.REQUIRED)),
    (b"<ceb:freight>0<", b"<ceb:freight>0.123456<", (1, "OrderHead/freight", Rule.FRACTION_DIGITS)),
    (
        b"<ceb:discount>20<",
        b"<ceb:discount>12345678901234567890<",
        (1, "OrderHead/discount", Rule.TOTAL_DIGITS),
    ),
    (b"<ceb:taxTotal>33.49<", b"<ceb:taxTotal>abc<", (1, "OrderHead/taxTotal", Rule.NUMBER)),
    (b"<ceb:appType>1<", b"<ceb:appType>9<", (1, "OrderHead/appType", Rule.CODES)),
    (b"<ceb:appTime>2024", b"<ceb:appTime>year", (1, "OrderHead/appTime", Rule.PATTERN)),
    (b"<ceb:orderNo>MADE-UP-0001<", b"<ceb:orderNo><", (1, "OrderHead/orderNo", Rule.MIN_LENGTH)),
    (b"<ceb:buyerIdType>1<", b"<ceb:buyerIdType>12<", (1, "OrderHead/buyerIdType", None)),
    (
        b"<ceb:ebpCode>0000000001<",
        b"<ceb:ebpCode>0000000001234567890<",
        (1, "OrderHead/ebpCode", Rule.MAX_LENGTH),
    ),
    (b"<ceb:currency>142<", b"<ceb:currency>502<", (1, "OrderHead/currency", Rule.FIXED)),
    (b"<ceb:ebcName>", b"<ceb:ebcName><ceb:b/>", (1, "OrderHead/ebcName", Rule.MARKUP)),
    (
        b"<ceb:OrderHead>",
        b"<ceb:OrderHead><ceb:made>1</ceb:made>",
        (1, "OrderHead/made", Rule.UNEXPECTED),
    ),
    (
        b"</ceb:buyerName>",
        b"</ceb:buyerName><ceb:buyerName>x</ceb:buyerName>",
        (1, "OrderHead/buyerName", Rule.REPEATED),
    ),
    (b"<ceb:unit>122</ceb:unit>", b"", (1, "OrderList[1]/unit", Rule.REQUIRED)),
    (
        b"<ceb:dxpId>",
        b"<ceb:note>x</ceb:note><ceb:dxpId>",
        (None, "BaseTransfer/dxpId", Rule.ORDER),
    ),
    (b' version="1.0"', b"", (None, "@version", Rule.REQUIRED)),
    (b' version="1.0"', b' version="1.0" made="x"', (None, "@made", Rule.UNEXPECTED)),
    (b'guid="4CD', b'guid="4C', (None, "@guid", Rule.LENGTH)),
]


@pytest.mark.parametrize("old, new, expected", CHANGES, ids=lambda value: str(value)[:40])
def test_each_kind_of_fault_is_explained(
    order_explainer: Explainer,
    old: bytes,
    new: bytes,
    expected: tuple[int | None, str, Rule | None],
) -> None:
    data = order_message()
    assert old in data
    faults = order_explainer.explain(data.replace(old, new, 1))
    record, path, rule = expected
    assert [(fault.record, fault.path) for fault in faults] == [(record, path)]
    (fault,) = faults
    assert rule is None or fault.rule is rule
    assert fault.label_zh
    assert fault.label_en
    assert "{" not in fault.text_zh.replace("{14}", "") + fault.text_en.replace("{14}", "")


def test_all_faults_of_all_records_are_found_at_once(order_explainer: Explainer) -> None:
    data = order_message(Order(), Order())
    changes = [change for change in CHANGES if change[2][0] == 1]
    for old, new, _ in changes:
        data = data.replace(old, new)
    found = {(fault.record, fault.path) for fault in order_explainer.explain(data)}
    for record in (1, 2):
        assert {(record, path) for _, _, (_, path, _) in changes} <= found | {
            (record, "OrderHead/currency")
        }


def test_labels_values_and_texts_are_ready_to_show(order_explainer: Explainer) -> None:
    data = order_message().replace(b"<ceb:appType>1<", b"<ceb:appType>9<")
    (fault,) = order_explainer.explain(data)
    assert (fault.label_zh, fault.label_en, fault.value) == ("报送类型", "Submission type", "9")
    assert fault.text_zh == "取值必须为：1, 2, 3"
    assert fault.text_en == "must be one of 1, 2, 3"


def test_any_prefix_is_explained_alike(order_explainer: Explainer) -> None:
    data = order_message().replace(b"<ceb:gnum>2</ceb:gnum>", b"")
    plain = data.replace(b"xmlns:ceb=", b"xmlns=").replace(b"<ceb:", b"<").replace(b"</ceb:", b"</")
    assert order_explainer.explain(plain) == order_explainer.explain(data)


def test_a_missing_signature_is_a_fault_unless_it_may_be_absent() -> None:
    explainer = Explainer("ceb", "202205", "CEB621Message")
    assert [fault.path for fault in explainer.explain(inventory())] == ["Signature"]
    assert explainer.explain(inventory(), signature_optional=True) == ()


def test_good_and_foreign_documents(order_explainer: Explainer) -> None:
    assert order_explainer.explain(order_message()) == ()
    extended = order_message().replace(
        b"</ceb:CEB311Message>",
        b"<ceb:ExtendMessage><ceb:name>a</ceb:name><ceb:version>1</ceb:version>"
        b"<ceb:Message>text<o/></ceb:Message></ceb:ExtendMessage></ceb:CEB311Message>",
    )
    assert order_explainer.explain(extended) == ()
    ValidatorPool("ceb", "202205", "CEB311Message").check(parse(extended))
    (fault,) = order_explainer.explain(b"<other/>")
    assert (fault.rule, fault.record) == (Rule.UNEXPECTED, None)
    with pytest.raises(MalformedDocumentError):
        order_explainer.explain(b"<")


def test_the_number_of_faults_is_capped(order_explainer: Explainer) -> None:
    data = order_message(*[Order()] * 100)
    for name in (b"unit", b"country", b"qty"):
        data = data.replace(b"<ceb:%s>" % name, b"<ceb:%s>too long" % name)
    assert len(order_explainer.explain(data)) == 500


def test_the_slow_library_is_not_loaded_on_the_hot_path() -> None:
    code = (
        "import sys, schemas.writer, schemas.reader, schemas.validate, schemas.envelope, "
        "schemas.explain, schemas.plan; sys.exit('xmlschema' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def signed(name: str, *, before: str = "", times: int = 1, value: str = "AAAA") -> bytes:
    """Return a golden message with signatures put before an element or at the end."""
    ds, text = "http://www.w3.org/2000/09/xmldsig#", (FOLDER / "202205" / f"{name}.xml").read_text()
    method = "<ds:{0} Algorithm='urn:a'/>"
    signature = (
        f"<ds:Signature xmlns:ds='{ds}'><ds:SignedInfo>"
        f"{method.format('CanonicalizationMethod')}{method.format('SignatureMethod')}"
        f"<ds:Reference URI=''><ds:Transforms>{method.format('Transform')}</ds:Transforms>"
        f"{method.format('DigestMethod')}<ds:DigestValue>AAAA</ds:DigestValue></ds:Reference>"
        f"</ds:SignedInfo><ds:SignatureValue>{value}</ds:SignatureValue><ds:KeyInfo>"
        "<ds:KeyName>1</ds:KeyName></ds:KeyInfo></ds:Signature>"
    )
    extend = (
        "<ceb:ExtendMessage><ceb:name>a</ceb:name><ceb:version>1</ceb:version>"
        "<ceb:Message>x</ceb:Message></ceb:ExtendMessage>"
    )
    end = f"</ceb:{name}>"
    if "BaseTransfer" in text:
        text = text.replace(end, extend + end)
    mark = before or end
    return text.replace(mark, signature * times + mark).encode()


@pytest.mark.parametrize(
    "name, options, faults",
    [
        ("CEB621Message", {}, []),
        ("CEB603Message", {"before": "<ceb:ExtendMessage>"}, []),
        ("CEB621Message", {"before": "<ceb:ExtendMessage>"}, [("ExtendMessage", Rule.ORDER)]),
        ("CEB621Message", {"before": "<ceb:BaseTransfer>"}, [("BaseTransfer", Rule.ORDER)]),
        ("CEB603Message", {}, [("Signature", Rule.ORDER)]),
        ("CEB621Message", {"times": 2}, [("Signature", Rule.REPEATED)]),
        ("CEB622Message", {}, [("Signature", Rule.UNEXPECTED)]),
        ("CEB621Message", {"value": "<a/>"}, [("Signature/SignatureValue", Rule.OTHER)]),
    ],
)
def test_a_signature_is_explained_like_any_other_part(
    name: str, options: dict[str, Any], faults: list[tuple[str, Rule]]
) -> None:
    data = signed(name, **options)
    assert ValidatorPool("ceb", "202205", name).is_valid(parse(data)) is (not faults)
    explained = Explainer("ceb", "202205", name).explain(data)
    assert [(fault.path, fault.rule) for fault in explained][:1] == faults
    for fault in explained:
        if fault.path.startswith("Signature"):
            assert (fault.label_zh, fault.label_en) == ("数字签名", "Digital signature")

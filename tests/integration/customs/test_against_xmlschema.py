"""What the regime builds, judged by a second schema engine and by the reader on the other side."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from importlib.resources import files

import pytest
import xmlschema
from hypothesis import given as for_all
from hypothesis import settings
from hypothesis import strategies as st

from adapters.customs.ceb import CEBRegime
from gateway.domain.declaration import DeclarationKind
from gateway.domain.money import Money
from gateway.ports import DeclarationInput
from schemas.catalog import load_catalog
from schemas.loader import LARGE, parse
from schemas.plan import load_plan
from schemas.reader import compile_reader
from tests.unit.customs import make

REGIME = CEBRegime()
MESSAGES = {
    DeclarationKind.ORDER: "CEB311Message",
    DeclarationKind.INVENTORY: "CEB621Message",
}
DS = "http://www.w3.org/2000/09/xmldsig#"
SIGNATURE = (
    f'<ds:Signature xmlns:ds="{DS}"><ds:SignedInfo>'
    '<ds:CanonicalizationMethod Algorithm="http://www.w3.org/TR/2001/REC-xml-c14n-20010315"/>'
    f'<ds:SignatureMethod Algorithm="{DS}rsa-sha1"/><ds:Reference URI=""><ds:Transforms>'
    f'<ds:Transform Algorithm="{DS}enveloped-signature"/></ds:Transforms>'
    f'<ds:DigestMethod Algorithm="{DS}sha1"/>'
    "<ds:DigestValue>AAAAAAAAAAAAAAAAAAAAAAAAAAA=</ds:DigestValue>"
    "</ds:Reference></ds:SignedInfo><ds:SignatureValue>AAAA</ds:SignatureValue>"
    "<ds:KeyInfo><ds:KeyName>01</ds:KeyName><ds:X509Data><ds:X509Certificate>AAAA"
    "</ds:X509Certificate></ds:X509Data></ds:KeyInfo></ds:Signature>"
)


@pytest.fixture(scope="module", params=list(MESSAGES), ids=str)
def engine(request: pytest.FixtureRequest) -> tuple[DeclarationKind, xmlschema.XMLSchema]:
    kind: DeclarationKind = request.param
    catalog = load_catalog("ceb", "202205")
    path = files("schemas") / catalog.folder / f"{MESSAGES[kind]}.xsd"
    return kind, xmlschema.XMLSchema(str(path), allow="local")


def signed(body: bytes) -> bytes:
    """The message with an invented signature where the signer puts it."""
    at = body.rindex(b"</")
    return body[:at] + SIGNATURE.encode() + body[at:]


def inputs(kind: DeclarationKind) -> list[DeclarationInput]:
    direct = make.direct_profile(dxp_id="DXPENT0000000001")
    return [
        make.given(kind, 1, lines=1),
        make.given(kind, 2, lines=99),
        make.full_given(kind, make.profile()),
        make.full_given(kind, direct),
    ]


def test_a_mixed_batch_is_valid_once_signed(
    engine: tuple[DeclarationKind, xmlschema.XMLSchema],
) -> None:
    kind, schema = engine
    built = REGIME.build(kind, make.GUID, inputs(kind))
    assert built.faults == ()
    errors = [str(error.reason) for error in schema.iter_errors(signed(built.body).decode())]
    assert errors == []


amounts = st.decimals(min_value=0, max_value=10**14 - 1, places=5).map(Money)
words = st.text(st.characters(exclude_categories=["Cs", "Cc", "Cn"]), min_size=1, max_size=60)


@st.composite
def odd_inputs(draw: st.DrawFn, kind: DeclarationKind) -> DeclarationInput:
    """Inputs that stay inside the facets, with amounts and texts as odd as they get."""
    name = draw(words)
    quantity = draw(st.decimals(min_value=Decimal("0.00001"), max_value=10**6, places=5))
    line = make.line(1, name=name, quantity=quantity, price=draw(amounts), total=draw(amounts))
    order = make.order(
        goods_value=draw(amounts), paid=draw(amounts), note=draw(words), order_no=draw(words)
    )
    return make.given(kind, order=replace(order, lines=(line,)), lines=1)


@settings(max_examples=40)
@for_all(st.data())
def test_odd_values_are_valid_and_come_back_as_they_went_in(data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from(list(MESSAGES)))
    given = data.draw(odd_inputs(kind))
    built = REGIME.build(kind, make.GUID, [given])
    assert built.faults == ()
    plan = load_plan("ceb", "202205")[MESSAGES[kind]]
    read = compile_reader(plan).read(parse(built.body, LARGE))
    (record,) = read.records
    assert record.faults == ()
    head = "OrderHead" if kind is DeclarationKind.ORDER else "InventoryHead"
    lines = "OrderList" if kind is DeclarationKind.ORDER else "InventoryList"
    assert record.fields[f"{head}/orderNo"] == given.order.order_no.strip(" \t\r\n")
    (line,) = record.lists[lines]
    assert Decimal(line["qty"]) == given.order.lines[0].quantity
    assert Decimal(line["totalPrice"]) == given.order.lines[0].total.amount
    assert line["itemName"] == given.order.lines[0].name.strip(" \t\r\n")

"""What was declared, as the schema names it; amounts as people read them."""

from __future__ import annotations

import pytest

from gateway.web.filed import filed_parts
from gateway.web.render import money

ORDER = """<ceb:Order><ceb:OrderHead><ceb:orderNo>{}</ceb:orderNo>
<ceb:buyerName>张三丰</ceb:buyerName><ceb:buyerIdNumber>110101199003070011</ceb:buyerIdNumber>
<ceb:note></ceb:note></ceb:OrderHead>
<ceb:OrderList><ceb:gnum>1</ceb:gnum><ceb:itemName>面霜 &lt;b></ceb:itemName></ceb:OrderList>
<ceb:OrderList><ceb:gnum>2</ceb:gnum><ceb:qty>3</ceb:qty></ceb:OrderList></ceb:Order>"""
MESSAGE = (
    '<ceb:CEB311Message xmlns:ceb="http://www.chinaport.gov.cn/ceb">'
    f"{ORDER.format('OTHER-1')}{ORDER.format('OURS-1')}</ceb:CEB311Message>"
).encode()


def test_a_record_is_shown_by_its_labels_and_masked() -> None:
    head, first, second = filed_parts(MESSAGE, "OURS-1")
    fields = {one.element: one for one in head.fields}
    assert fields["orderNo"].value == "OURS-1"
    assert (fields["buyerName"].zh, fields["buyerName"].value) == ("订购人姓名", "张**")
    assert fields["buyerName"].en == "Buyer name"
    assert fields["buyerIdNumber"].value.endswith("**0011")
    assert "note" not in fields
    assert [first.number, second.number] == ["1", "2"]
    assert {one.element: one.value for one in first.fields}["itemName"] == "面霜 <b>"


def test_what_is_not_there_is_not_shown() -> None:
    assert filed_parts(MESSAGE, "NOBODY") == []
    assert filed_parts(b"no message", "OURS-1") == []


@pytest.mark.parametrize(
    "text,shown",
    [
        ("9508.61 CNY", "9,508.61 CNY"),
        ("0 CNY", "0.00 CNY"),
        ("1.23456 USD", "1.23456 USD"),
        ("-3 CNY", "-3.00 CNY"),
        ("as agreed", "as agreed"),
        (None, ""),
    ],
)
def test_an_amount_has_two_decimals_and_its_thousands_apart(text: str | None, shown: str) -> None:
    assert money(text) == shown

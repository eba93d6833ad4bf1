"""Hostile and odd documents against the one parser."""

from __future__ import annotations

import pytest
from lxml import etree

from schemas.catalog import load_catalog
from schemas.errors import (
    DoctypeRefusedError,
    DocumentTooLargeError,
    EncodingRefusedError,
    MalformedDocumentError,
    Retry,
    SchemaError,
    StaleFileError,
    TooDeepError,
    TooManyAttributesError,
    TooManyElementsError,
    UnknownSchemaError,
)
from schemas.loader import DEFAULT, LARGE, Limits, load_schema, parse

BOMB = b"".join(
    [
        b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY e0 "ha">',
        *[b'<!ENTITY e%d "&e%d;&e%d;">' % (i, i - 1, i - 1) for i in range(1, 40)],
        b"]><a>&e39;</a>",
    ]
)


@pytest.mark.parametrize(
    "data",
    [
        b"<!DOCTYPE a><a/>",
        b'<!DOCTYPE a SYSTEM "http://127.0.0.1:9/a.dtd"><a/>',
        b'<?xml version="1.0"?>\n<!-- x -->\n<?p q?>\n<!DOCTYPE a [<!ENTITY e "x">]><a>&e;</a>',
        b'<!DOCTYPE a [<!ENTITY e SYSTEM "file:///etc/passwd">]><a>&e;</a>',
        b"\xef\xbb\xbf<!DOCTYPE a><a/>",
        b'<?xml version="1.0" encoding="gbk"?><!DOCTYPE a><a/>',
        BOMB,
    ],
)
def test_any_doctype_is_refused(data: bytes) -> None:
    with pytest.raises(DoctypeRefusedError):
        parse(data)


def test_the_word_doctype_inside_content_is_only_text() -> None:
    root = parse(b"<a><![CDATA[<!DOCTYPE x>]]><!-- <!DOCTYPE y> --></a>")
    assert root.text == "<!DOCTYPE x>"


def test_a_doctype_after_the_root_started_is_malformed() -> None:
    with pytest.raises(MalformedDocumentError):
        parse(b"<a><!DOCTYPE b></a>")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b" ",
        b"text",
        b"<a>",
        b"<a></b>",
        b"<a/><b/>",
        b"<a>&e;</a>",
        b"<a>&#0;</a>",
        b"<a>\x01</a>",
        b"<a>\xff</a>",
        b"<x:a/>",
        b'<a b="1" b="2"/>',
    ],
)
def test_what_is_not_well_formed_is_refused(data: bytes) -> None:
    with pytest.raises(MalformedDocumentError):
        parse(data)


def test_errors_repeat_no_content() -> None:
    with pytest.raises(MalformedDocumentError) as caught:
        parse(b"<secretname>110101199003070003</othername>")
    error = caught.value
    assert "secret" not in str(error)
    assert "1101" not in str(error)
    assert error.__cause__ is None
    assert error.__suppress_context__
    assert (error.code, error.retry) == ("SCHEMA-107", Retry.NEVER)
    assert error.line == 1


def test_size_is_capped_before_parsing() -> None:
    with pytest.raises(DocumentTooLargeError) as caught:
        parse(b"<" * (DEFAULT.size_bytes + 1))
    assert caught.value.limit_bytes == 1024 * 1024
    padded = b"<a>" + b"x" * DEFAULT.size_bytes + b"</a>"
    assert parse(padded, LARGE).tag == "a"


def test_a_single_text_of_nearly_ten_megabytes_passes_under_the_large_limit() -> None:
    text = b"x" * (10_000_000 - 10)
    assert len(parse(b"<a>" + text + b"</a>", LARGE).text or "") == len(text)


def test_elements_are_capped() -> None:
    most = b"<r>" + b"<a/>" * (DEFAULT.elements - 1) + b"</r>"
    assert len(parse(most)) == DEFAULT.elements - 1
    with pytest.raises(TooManyElementsError):
        parse(b"<r>" + b"<a/>" * DEFAULT.elements + b"</r>")


def test_end_tags_are_not_counted_as_elements() -> None:
    limits = Limits(elements=3)
    assert len(parse(b"<a><b></b><c></c></a>", limits)) == 2
    with pytest.raises(TooManyElementsError):
        parse(b"<a><b></b><c></c><d></d></a>", limits)


def test_depth_is_capped() -> None:
    assert parse(b"<a>" * 64 + b"</a>" * 64).tag == "a"
    with pytest.raises(TooDeepError):
        parse(b"<a>" * 65 + b"</a>" * 65)
    with pytest.raises((TooDeepError, MalformedDocumentError)):
        parse(b"<a>" * 5000 + b"</a>" * 5000)


def attributes(count: int, quote: str = '"') -> str:
    return " ".join(f"a{i}={quote}v{quote}" for i in range(count))


@pytest.mark.parametrize("quote", ['"', "'"])
def test_attributes_are_capped(quote: str) -> None:
    assert len(parse(f"<a {attributes(64, quote)}/>".encode()).attrib) == 64
    for count in (65, 1000):
        with pytest.raises(TooManyAttributesError):
            parse(f"<a><b/><c {attributes(count, quote)}/></a>".encode())


def test_attributes_cannot_hide_behind_quoted_brackets_or_spaces() -> None:
    hidden = " ".join(f"a{i} = '>'" for i in range(65))
    with pytest.raises(TooManyAttributesError):
        parse(f"<r><a {hidden}/></r>".encode())
    declared = " ".join(f'xmlns:n{i}="urn:{i}"' for i in range(65))
    with pytest.raises(TooManyAttributesError):
        parse(f"<r {declared}/>".encode())


def test_quotes_and_equal_signs_in_text_are_no_attributes() -> None:
    text = "a=\"b\" c='d' " * 500
    assert parse(f"<r><a>{text}</a><!-- {text} --><![CDATA[{text}]]></r>".encode()).tag == "r"


def test_an_attribute_bomb_is_refused_without_parsing() -> None:
    data = f"<a {attributes(60_000)}/>".encode()
    with pytest.raises(TooManyAttributesError):
        parse(data)


@pytest.mark.parametrize("encoding", ["gb2312", "GBK", "gb18030"])
def test_declared_chinese_encodings_are_read(encoding: str) -> None:
    text = f'<?xml version="1.0" encoding="{encoding}"?><a>订单</a>'
    assert parse(text.encode(encoding)).text == "订单"


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("head", [b"", b'<?xml version="1.0" encoding="UTF-8"?>'])
def test_utf8_is_read_with_and_without_mark_and_declaration(mark: bytes, head: bytes) -> None:
    assert parse(mark + head + "<a>订单</a>".encode()).text == "订单"


@pytest.mark.parametrize("encoding", ["utf-16", "utf-7", "iso-2022-cn", "big5", "ebcdic-cp-us"])
def test_other_declared_encodings_are_refused(encoding: str) -> None:
    with pytest.raises(EncodingRefusedError):
        parse(f'<?xml version="1.0" encoding="{encoding}"?><a/>'.encode())


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_utf16_is_refused_as_what_it_is(encoding: str) -> None:
    with pytest.raises(EncodingRefusedError, match="UTF-16"):
        parse('<?xml version="1.0" encoding="UTF-16"?><a/>'.encode(encoding))


def test_bytes_that_break_the_declared_encoding_are_refused() -> None:
    with pytest.raises(EncodingRefusedError, match="offset"):
        parse(b'<?xml version="1.0" encoding="gbk"?><a>\xff\xff</a>')


def test_schema_hints_and_includes_in_documents_fetch_nothing() -> None:
    root = parse(
        b'<a xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" '
        b'xmlns:xi="http://www.w3.org/2001/XInclude" '
        b'xsi:noNamespaceSchemaLocation="http://127.0.0.1:9/x.xsd">'
        b'<xi:include href="file:///etc/passwd"/></a>'
    )
    assert len(root) == 1
    assert root[0].text is None


def test_schemas_come_from_the_catalogue_only() -> None:
    catalog = load_catalog("ceb", "202205")
    assert load_schema(catalog, "CEB311Message.xsd") is not None
    for name in ("../dxp/DxpMsg.xsd", "/etc/passwd", "CEB999Message.xsd"):
        with pytest.raises(UnknownSchemaError):
            load_schema(catalog, name)
    with pytest.raises(UnknownSchemaError):
        load_catalog("ceb", "1999")


def test_every_error_has_a_code_of_its_own() -> None:
    pending, codes = [SchemaError], []
    while pending:
        kind = pending.pop()
        codes.append(kind.code)
        pending.extend(kind.__subclasses__())
    ours = [code for code in codes if code.startswith("SCHEMA-")]
    assert len(ours) == len(set(ours)) == len(codes)


@pytest.mark.parametrize("failures, is_made", [(4, True), (5, False)])
def test_a_schema_whose_include_another_thread_took_away_is_compiled_again(
    monkeypatch: pytest.MonkeyPatch, failures: int, is_made: bool
) -> None:
    tried: list[etree._Element] = []
    whole = etree.XMLSchema

    def compile_at_last(root: etree._Element) -> etree.XMLSchema:
        tried.append(root)
        if len(tried) <= failures:
            raise etree.XMLSchemaParseError("does not resolve to an element declaration")
        return whole(root)

    monkeypatch.setattr(etree, "XMLSchema", compile_at_last)
    catalog = load_catalog("ceb", "202205")
    if is_made:
        assert isinstance(load_schema(catalog, "CEB311Message.xsd"), whole)
    else:
        with pytest.raises(StaleFileError, match="does not compile"):
            load_schema(catalog, "CEB311Message.xsd")
    assert len(tried) == 5

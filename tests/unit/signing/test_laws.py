"""Laws of signing that hold for every document, and of the canonical bytes under them."""

from __future__ import annotations

from xml.sax.saxutils import escape, quoteattr

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from lxml import etree

from schemas.loader import parse
from signing import SigningError, sign, verify, verify_own
from signing.c14n import canonicalise, cut, namespace_declarations, namespaces_at
from tests.unit.signing.make import BODY, CEB, DS, END, ROOT, file_key, policy

# What XML allows, without the carriage return a signer refuses.
texts = st.text(
    st.characters(min_codepoint=0x20, max_codepoint=0x2FFF, exclude_categories=["Cs", "Cc"])
    | st.sampled_from("\t\n<>&\"'奶粉😀"),
    max_size=12,
)
names = st.sampled_from(["Order", "OrderHead", "orderNo", "note", "Signature", "SignedInfo"])


@st.composite
def elements(draw: st.DrawFn, depth: int = 3) -> str:
    """A CEB-like element as somebody might spell it: comments, CDATA, quotes, other prefixes."""
    name = draw(names)
    prefix = draw(st.sampled_from(["ceb", "ceb", "ceb", "o"]))
    declared = f' xmlns:o="{CEB}"' if prefix == "o" else ""
    attribute = draw(st.none() | texts)
    if attribute is not None:
        declared += f" a={quoteattr(attribute)}"
    pieces = draw(st.lists(st.sampled_from(["text", "cdata", "comment", "child"]), max_size=3))
    content = ""
    for piece in pieces:
        if piece == "child" and depth:
            content += draw(elements(depth=depth - 1))
        elif piece == "cdata":
            content += f"<![CDATA[{draw(texts).replace(']]>', '')}]]>"
        elif piece == "comment":
            content += "<!-- aside -->"
        else:
            content += escape(draw(texts))
    if not content and draw(st.booleans()):
        return f"<{prefix}:{name}{declared}/>"
    return f"<{prefix}:{name}{declared}>{content}</{prefix}:{name} >"


documents = st.lists(elements(), min_size=1, max_size=3).map(
    lambda found: f"{ROOT}{''.join(found)}{END}".encode()
)


@given(documents)
def test_signing_keeps_every_byte_and_verifying_returns_the_canonical_form(document: bytes) -> None:
    signed = sign(document, file_key())
    place = signed.content.index(b'<ds:Signature xmlns:ds="')
    end = signed.content.rindex(b"</ds:Signature>") + len(b"</ds:Signature>")
    assert signed.content[:place] + signed.content[end:] == document
    verified = verify(signed.content, policy())
    assert verified.content == canonicalise(parse(document))
    assert verified.digest_base64 == signed.digest_base64
    verify_own(signed, file_key())


@given(documents)
def test_canonical_bytes_are_signed_alike_on_both_ways(document: bytes) -> None:
    canonical = canonicalise(parse(document))
    quick = sign(canonical, file_key(), canonical=True)
    assert quick.content == sign(canonical, file_key()).content
    verify_own(quick, file_key())
    assert verify(quick.content, policy()).content == canonical


@given(st.data())
def test_a_changed_byte_is_refused_or_changes_nothing(data: st.DataObject) -> None:
    content = sign(BODY, file_key(), canonical=True).content
    place = data.draw(st.integers(0, len(content) - 1))
    value = data.draw(st.integers(0, 255))
    assume(content[place] != value)
    changed = content[:place] + bytes([value]) + content[place + 1 :]
    try:
        verified = verify(changed, policy())
    except SigningError:
        return
    assert verified.content == BODY


@given(st.binary(max_size=300) | st.text(max_size=200).map(str.encode))
def test_anything_else_is_refused_by_an_error_of_ours(data: bytes) -> None:
    for attempt in (
        lambda: verify(data, policy()),
        lambda: sign(data, file_key(), canonical=True),
        lambda: sign(data, file_key()),
    ):
        with pytest.raises(SigningError):
            attempt()


uris = st.sampled_from(["urn:a", "urn:b", CEB, "http://example.org/x?y=1"])
prefixes = st.sampled_from(["", "a", "b", "zz", "ceb", "xsi"])


@given(st.dictionaries(prefixes, uris), st.sampled_from(["", "ds"]), st.booleans())
def test_in_place_is_what_lxml_says_wherever_lxml_is_right(
    scope: dict[str, str], prefix: str, nested: bool
) -> None:
    """For a prefixed Signature the subtree form of lxml is right, so it serves as the oracle."""
    if not prefix:
        scope = {**scope, "": DS}
    p = f"{prefix}:" if prefix else ""
    declared = "".join(f' xmlns{":" + name if name else ""}="{uri}"' for name, uri in scope.items())
    own = f' xmlns{":" + prefix if prefix else ""}="{DS}"'
    inner = ' xmlns:in="urn:in"' if nested else ""
    # The root is unprefixed unless the default namespace is the signature's.
    root = parse(
        f"<r{declared}><x/><{p}Signature{own}><{p}SignedInfo{inner}><{p}A/></{p}SignedInfo>"
        f"</{p}Signature></r>".encode()
    )
    signature = root[-1]
    signed_info = signature[0]
    found = cut(canonicalise(root), signature, signed_info)
    if prefix:
        subtree = etree.tostring(signed_info, method="c14n", exclusive=False, with_comments=False)
        assert found.signed_info == subtree
    assert found.signed_info.startswith(f"<{p}SignedInfo".encode())
    assert b'xmlns=""' not in found.signed_info
    in_scope = namespaces_at(signed_info)
    assert namespace_declarations(in_scope.items()) in found.signed_info
    root.remove(signature)
    assert found.body == canonicalise(root)

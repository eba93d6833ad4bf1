"""Documents of an enemy: each must be refused, or cost one record, at little time and memory.

``python -m tests.unit.schemas.hostile NAME`` takes one of them under a limit of memory; the test
and the benchmark run it so, each document in a process of its own.
"""

from __future__ import annotations

import base64
import gzip
import resource
import sys
import time
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from schemas.errors import SchemaError
from schemas.library import Document, Library

CEB: Final = "http://www.chinaport.gov.cn/ceb"
DXP: Final = "http://www.chinaport.gov.cn/dxp"
MIB: Final = 1024 * 1024
MOST_MEMORY: Final = 64 * MIB

_FIELDS: Final = (
    "<guid>4CDE1CFD-EDED-46B1-946C-B8022E42FC94</guid><copNo>AB0001</copNo>"
    "<returnStatus>800</returnStatus><returnTime>20240101120000000</returnTime>"
    "<returnInfo>x</returnInfo>"
)


def receipt(fields: str = _FIELDS, before: str = "", root: str = "") -> bytes:
    """Return a 622 of one record, with something put into it."""
    return (
        f'{before}<CEB622Message xmlns="{CEB}" guid="4CDE1CFD-EDED-46B1-946C-B8022E42FC94" '
        f'version="1.0"{root}><InventoryReturn>{fields}</InventoryReturn></CEB622Message>'
    ).encode()


def envelope(data: bytes) -> bytes:
    """Return a DxpMsg around bytes."""
    head = f'<DxpMsg xmlns="{DXP}" ver="1.0"><TransInfo><CopMsgId>1</CopMsgId></TransInfo><Data>'
    return head.encode() + base64.b64encode(data) + b"</Data></DxpMsg>"


def _nested(count: int) -> bytes:
    data = receipt()
    for _ in range(count):
        data = envelope(data)
    return data


def _entities(count: int) -> str:
    lines = ['<!ENTITY e0 "haha">']
    lines += [f'<!ENTITY e{i} "&e{i - 1};&e{i - 1};">' for i in range(1, count)]
    return f"<!DOCTYPE a [{''.join(lines)}]>"


def _with(field: str, value: str) -> bytes:
    start = _FIELDS.index(f"<{field}>") + len(field) + 2
    end = _FIELDS.index(f"</{field}>")
    return receipt(_FIELDS[:start] + value + _FIELDS[end:])


def _many(item: str, count: int) -> str:
    return "".join(item.format(number) for number in range(count))


DOCUMENTS: Final[Mapping[str, Callable[[], bytes]]] = {
    "doctype": lambda: receipt(before="<!DOCTYPE CEB622Message>"),
    "doctype behind comments": lambda: receipt(before="<!-- -->" * 20_000 + "<!DOCTYPE a>"),
    "doctype of a file": lambda: receipt(
        before='<!DOCTYPE a [<!ENTITY e SYSTEM "file:///etc/passwd">]>'
    ),
    "doctype of the network": lambda: receipt(
        before='<!DOCTYPE a SYSTEM "http://127.0.0.1:9/a.dtd">'
    ),
    "entity bomb": lambda: receipt(before=_entities(40)),
    "wide entity bomb": lambda: receipt(
        f"<returnInfo>{'&e;' * 100_000}</returnInfo>",
        f'<!DOCTYPE a [<!ENTITY e "{"x" * 100_000}">]>',
    ),
    "undeclared entity": lambda: _with("returnInfo", "&e;"),
    "deep nesting": lambda: receipt("<a>" * 200_000 + "</a>" * 200_000),
    "nesting just over the limit": lambda: receipt("<a>" * 63 + "</a>" * 63),
    "100,000 attributes": lambda: receipt(root=_many(' a{0}="1"', 100_000)),
    "100,000 attributes inside": lambda: _with(
        "copNo", _many(' a{0}="1"', 100_000).join(("<x", "/>"))
    ),
    "100,000 namespaces": lambda: receipt(root=_many(' xmlns:n{0}="urn:{0}"', 100_000)),
    "a million elements": lambda: receipt("<a/>" * 1_000_000),
    "300,000 elements": lambda: receipt("<a/>" * 300_000),
    "huge text": lambda: _with("returnInfo", "x" * (11 * MIB)),
    "huge attribute": lambda: receipt(root=f' a="{"x" * (11 * MIB)}"'),
    "huge comment": lambda: receipt(before=f"<!--{'x' * (11 * MIB)}-->"),
    "huge name": lambda: receipt(f"<{'a' * 2 * MIB}/>"),
    "utf-16": lambda: receipt().decode().encode("utf-16"),
    "declared utf-16": lambda: receipt(before='<?xml version="1.0" encoding="utf-16"?>'),
    "utf-7": lambda: receipt(before='<?xml version="1.0" encoding="utf-7"?>'),
    "gbk that is not": lambda: b'<?xml version="1.0" encoding="gbk"?><a>\xff\xff\xff</a>',
    "utf-8 that is not": lambda: receipt().replace(b">x<", b">\xff\xfe<"),
    "overlong utf-8": lambda: receipt().replace(b">x<", b">\xc0\xbc<"),
    "nul": lambda: receipt().replace(b">x<", b">\x00<"),
    "comment inside a value": lambda: _with("returnStatus", "8<!-- x -->00"),
    "instruction inside a value": lambda: _with("returnStatus", "8<?x?>00"),
    "comment inside a number of the case": lambda: _with("copNo", "AB<!---->0001"),
    "element inside a value": lambda: _with("returnStatus", "<b>800</b>"),
    "a value twice": lambda: _with("returnStatus", "100</returnStatus><returnStatus>800"),
    "xml:base": lambda: receipt(root=' xml:base="http://127.0.0.1/"'),
    "xml:id": lambda: receipt(_FIELDS.replace("<copNo>", '<copNo xml:id="a">')),
    "xml:space": lambda: receipt(_FIELDS.replace("<copNo>", '<copNo xml:space="preserve">')),
    "xml:lang": lambda: receipt(root=' xml:lang="zh"'),
    "another namespace": lambda: receipt().replace(CEB.encode(), b"urn:other"),
    "no namespace": lambda: receipt().replace(f' xmlns="{CEB}"'.encode(), b""),
    "a namespace that only looks alike": lambda: receipt().replace(
        CEB.encode(), CEB.encode() + b"/"
    ),
    "fields in another namespace": lambda: receipt(
        f'<o:x xmlns:o="urn:o"/>{_FIELDS}'.replace("<copNo>", '<copNo xmlns="urn:other">')
    ),
    "prefix xml bound anew": lambda: receipt(root=' xmlns:xml="urn:other"'),
    "prefix without namespace": lambda: receipt("<n:guid/>"),
    "one attribute twice by two prefixes": lambda: receipt(
        root=' xmlns:a="urn:a" xmlns:b="urn:a" a:x="1" b:x="2"'
    ),
    "truncated": lambda: receipt()[:-20],
    "truncated in a tag": lambda: receipt()[:-3],
    "two documents": lambda: receipt() * 2,
    "gzip": lambda: gzip.compress(receipt()),
    "gzip bomb in the envelope": lambda: envelope(gzip.compress(b"<a>" + b"x" * (200 * MIB))),
    "zlib bomb in the envelope": lambda: envelope(zlib.compress(b"<" * (200 * MIB), 9)),
    "base64 in base64": lambda: _nested(12),
    "envelope over the limit": lambda: envelope(b"x" * (8 * MIB)),
    "base64 of nothing": lambda: envelope(b""),
    "base64 that is none": lambda: envelope(b"x").replace(b"<Data>", b"<Data>!"),
    "base64 of spaces": lambda: envelope(b"").replace(b"<Data>", b"<Data>" + b" " * (9 * MIB)),
    "two Data": lambda: envelope(receipt()).replace(b"</Data>", b"</Data><Data>eA==</Data>"),
    "9 MiB of text in the envelope": lambda: envelope(b"x" * (6 * MIB)),
}
"""By name; a function, because some take memory to make."""


def refusal(data: bytes, library: Library) -> str:
    """Return the code of the error, or the fault of the one record; raise if it was taken."""
    try:
        document = library.open(data)
    except SchemaError as error:
        return error.code
    assert isinstance(document, Document)
    (record,) = document.message.records
    if not record.faults:
        raise AssertionError("taken without a fault")
    return f"{record.faults[0].path}: {record.faults[0].kind}"


def measure(name: str) -> tuple[str, float, int]:
    """Return refusal, milliseconds of CPU and bytes of memory of one document, in this process.

    Memory is that of the taking: the document itself is there before.
    """
    library = Library("202205")
    # Readers, parser and codecs are there before the enemy is.
    library.open(envelope(receipt()))
    data = DOCUMENTS[name]()
    limit = _memory("VmSize") + MOST_MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    before = _memory("VmHWM")
    started = time.process_time()
    told = refusal(data, library)
    spent_ms = (time.process_time() - started) * 1000
    return told, spent_ms, max(0, _memory("VmHWM") - before)


def _memory(field: str) -> int:
    """Return a figure of this process in bytes (VmSize, VmHWM)."""
    lines = Path("/proc/self/status").read_text("ascii").splitlines()
    line = next(one for one in lines if one.startswith(f"{field}:"))
    return int(line.split()[1]) * 1024


if __name__ == "__main__":
    for one in sys.argv[1:] or DOCUMENTS:
        print(one, *measure(one), sep="\t", flush=True)

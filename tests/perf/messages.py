"""What every message costs to write and to read, beside what lxml alone needs for the same bytes.

Records are made from the plan with every field filled and five lines, a hundred to a message where
the message takes so many. Written means: built, parsed, validated, digested. The limit parses and
validates the finished bytes with lxml and does nothing else, in the same run.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
from dataclasses import dataclass
from typing import Final

from lxml import etree

from schemas.library import Library, latest
from schemas.loader import LARGE, parse
from tests.perf.costs import StageCost, process_us
from tests.unit.schemas import values
from tests.unit.schemas.hostile import DOCUMENTS

_RECORDS: Final = 100
_LINES: Final = 5
READ_GATE_MS: Final = 5.0
READY_GATE_MS: Final = 300.0
HOSTILE_GATE_MS: Final = 50.0
HOSTILE_GATE_MIB: Final = 64.0

_READY: Final = """
import sys, time
from schemas.catalog import editions
from schemas.library import Library
for edition in editions("ceb"):
    library = Library(edition)
    for name in library.plans:
        library.reader(name)
        library.validator(name).get()
assert "xmlschema" not in sys.modules
print(time.process_time())
"""


@dataclass(frozen=True, slots=True)
class MessageCost:
    """Records a second of one thread for one kind of message, and the bytes of one record."""

    name: str
    records: int
    record_bytes: int
    written_per_s: float
    read_per_s: float
    limit_per_s: float


def message_costs(seconds: float) -> list[MessageCost]:
    """Measure every message of the edition in force, each figure for about ``seconds``."""
    library = Library(latest())
    return [_message_cost(library, name, seconds) for name in library.plans]


def _message_cost(library: Library, name: str, seconds: float) -> MessageCost:
    plan, reader = library.plan(name), library.reader(name)
    compiled, pool = values.writer(plan), library.validator(name, signature_optional=True)
    count = min(plan.record.max_occurs or _RECORDS, _RECORDS)
    records = [values.sample(plan.record, _LINES, number) for number in range(1, count + 1)]
    trailer = (values.TRANSFER, [values.SUBSCRIBE]) if plan.trailer else ()

    def write() -> bytes:
        texts = [compiled.record(record) for record in records]
        data = compiled.message(values.GUID, texts, *trailer)
        pool.check(parse(data, LARGE))
        hashlib.sha1(data).digest()
        return data

    data = write()

    def read() -> None:
        message = reader.read(parse(data, LARGE))
        assert not any(record.faults for record in message.records)

    schema = pool.get()

    def limit() -> None:
        assert schema.is_valid(etree.fromstring(data))

    read()
    return MessageCost(
        name,
        count,
        len(data) // count,
        1e6 / process_us(write, seconds, count),
        1e6 / process_us(read, seconds, count),
        1e6 / process_us(limit, seconds, count),
    )


def schema_costs(messages: list[MessageCost]) -> list[StageCost]:
    """The figures of the schemas that have a gate, as rows of the stages' table.

    That of writing a 621 stands there already: it is measured with the real mapping.
    """
    by_name = {one.name: one for one in messages}
    receipts = by_name["CEB622Message"]
    ready_ms = float(_child(["-c", _READY])) * 1e3
    worst_ms, worst_mib = _hostile()
    return [
        StageCost(
            "read 622",
            1e6 / receipts.read_per_s * receipts.records,
            f"file of {receipts.records} records",
            READ_GATE_MS * 1e3,
        ),
        StageCost(
            "schemas ready",
            ready_ms * 1e3,
            "process: plans, readers and validators of every message and edition",
            READY_GATE_MS * 1e3,
        ),
        StageCost(
            "hostile document",
            worst_ms * 1e3,
            f"the worst of {len(DOCUMENTS)}; most memory {worst_mib:.1f} MiB of "
            f"{HOSTILE_GATE_MIB:.0f}",
            HOSTILE_GATE_MS * 1e3,
        ),
    ]


def _hostile() -> tuple[float, float]:
    """The most time in ms and memory in MiB that one of the enemy's documents costs."""
    times, memories = [], []
    for name in DOCUMENTS:
        told = _child(["-m", "tests.unit.schemas.hostile", name]).rstrip("\n")
        _, _, spent, memory = told.split("\t")
        times.append(float(spent))
        memories.append(int(memory) / 2**20)
    return max(times), max(memories)


def _child(arguments: list[str]) -> str:
    command = [sys.executable, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout

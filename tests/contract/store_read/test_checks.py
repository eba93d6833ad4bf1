"""Each checker, over a sound database and over one where exactly its promise was broken."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Collection
from dataclasses import dataclass
from decimal import Decimal
from hashlib import sha256
from pathlib import Path
from typing import Any

import orjson
import pytest
from sqlalchemy import Connection, delete, insert, select, update

from gateway.domain.declaration import DeclarationKind
from gateway.domain.events import EventKind
from gateway.domain.ids import EffectId, record_guid
from gateway.ports import KeptAnswer, Lookup
from signing.errors import SigningError
from store.book_tables import quota_entry
from store.checkpoints import Checkpoint, write_checkpoint
from store.checks import CheckName, CheckSettings, Report, Violation, run_checks
from store.events import canonical_json, event_hash
from store.idempotency import KeptAnswers
from store.tables import (
    attempt,
    case_,
    checkpoint,
    claim,
    declaration,
    event,
    idempotency,
    inbox,
    message,
    outbox,
    paper,
    raw,
    submission_pack,
)
from tests.contract.store_master.bench import ACME, OTHER, Bench, opened
from tests.contract.store_read.world import CANARY, PLATFORM, World

HOUR = 3600 * 1_000_000


async def check(
    bench: Bench,
    settings: CheckSettings | None = None,
    only: Collection[CheckName] = tuple(CheckName),
    most: int = 1_000,
) -> Report:
    async with bench.access.read() as reading:
        return await reading.run_sync(
            lambda on: run_checks(
                on, bench.keys, bench.clock.micros, settings, only=only, most=most
            )
        )


@pytest.fixture(params=["file", pytest.param("postgresql", marks=pytest.mark.needs_postgres)])
async def bench(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Bench]:
    """Databases that have files, whose bytes can be searched."""
    url = f"sqlite:///{tmp_path / 'clearance.db'}"
    if request.param == "postgresql":
        url = request.getfixturevalue("postgres_url")
    async with opened(url) as bench:
        yield bench


@pytest.fixture
async def sound(world: World) -> World:
    """Two tenants' orders: released, sent, planned, waiting."""
    await world.released(ACME, "R0", "R1")
    key = await world.take(OTHER, "S0")
    await world.send(await world.claim([key], "M2"))
    await world.answer([key], "s0", "lodged")
    await world.take(ACME, "P0")
    bench = world.bench
    answers = KeptAnswers(bench.access, bench.keys, bench.clock, bench.rng)
    begun = await answers.begin(ACME, "key", b"d" * 32)
    await answers.keep("key", begun.attempt, KeptAnswer(201, "application/json", b"{}", {}))
    return world


async def test_a_sound_database_breaks_no_promise(sound: World) -> None:
    await write_checkpoint(sound.bench.access, sound.bench.keys, sound.bench.clock.micros)
    verified: list[bytes] = []

    def verify(body: bytes, profile: str, serial: str) -> None:
        assert (profile, serial) == ("ceb-rsa", "01ab")
        verified.append(body)

    settings = CheckSettings(verify=verify, canaries=(CANARY, "张三"), anchor=1)
    report = await check(sound.bench, settings)
    assert report.violations == ()
    assert report.is_clean
    assert set(report.checks) == set(CheckName)
    assert all(report.checks.values()), report.checks
    assert len(verified) == 2


@dataclass(frozen=True)
class Break:
    """One way to break a database, the checks that must see it, and what they say."""

    name: str
    harm: Callable[[World, Connection], object]
    seen_by: frozenset[CheckName]
    says: str


def _run(statement: Any) -> Callable[[World, Connection], object]:
    return lambda world, on: on.execute(statement)


def _case(world: World, order: str) -> str:
    return world.key(ACME, order).case_id


def _of(world: World, order: str, table: Any) -> Any:
    return table.c.case_id == _case(world, order)


def _spoil_blob(table: Any, column: Any) -> Callable[[World, Connection], object]:
    def harm(world: World, on: Connection) -> None:
        for row in on.execute(select(*table.primary_key.columns, column)).all():
            blob = bytes(row[-1])
            spoiled = blob[:-1] + bytes([blob[-1] ^ 1])
            tests = [
                column_ == value
                for column_, value in zip(table.primary_key.columns, row, strict=False)
            ]
            on.execute(update(table).where(*tests).values({column.name: spoiled}))

    return harm


def _swap_papers(world: World, on: Connection) -> None:
    """Put one case's sealed paper where another's was."""
    mine = on.execute(select(paper.c.body).where(_of(world, "R0", paper))).first()
    assert mine is not None
    on.execute(update(paper).where(_of(world, "R1", paper)).values(body=mine.body))


def _change_doc(change: Callable[[dict[str, Any]], None]) -> Callable[[World, Connection], object]:
    def harm(world: World, on: Connection) -> None:
        row = on.execute(select(case_.c.doc).where(_of(world, "R0", case_))).one()
        doc = orjson.loads(row.doc)
        change(doc)
        on.execute(
            update(case_).where(_of(world, "R0", case_)).values(doc=orjson.dumps(doc).decode())
        )

    return harm


def _twin(world: World, on: Connection) -> None:
    """A second new inventory beside the first, in history and state alike."""
    case_id = _case(world, "R0")
    payload = world._plan(world.key(ACME, "R0"), version=2)
    _append(world, on, case_id, EventKind.DECLARATION_PLANNED, payload)
    row = on.execute(select(case_.c.doc).where(case_.c.case_id == case_id)).one()
    doc = orjson.loads(row.doc)
    pinned = payload["pinned"]
    doc["declarations"].append(
        {
            "kind": payload["kind"],
            "version": 2,
            "stage": "planned",
            "app_type": "1",
            "cop_no": payload["cop_no"],
            "pinned": [pinned["profile"], pinned["papers"], pinned["goods"]],
        }
    )
    doc["seq"] += 1
    on.execute(
        update(case_)
        .where(case_.c.case_id == case_id)
        .values(doc=orjson.dumps(doc).decode(), stage="declaring", is_open=True)
    )
    on.execute(
        update(outbox)
        .where(outbox.c.effect_id == f"declare-{case_id}")
        .values(stage="open", done_at=None)
    )


def _append(
    world: World, on: Connection, case_id: str, kind: EventKind, payload: dict[str, Any]
) -> None:
    """Append an event with a right hash, and move the head of the case."""
    head = on.execute(
        select(case_.c.tenant, case_.c.seq, case_.c.head_hash).where(case_.c.case_id == case_id)
    ).one()
    content = canonical_json(payload)
    link = event_hash(head.head_hash, case_id, head.seq + 1, kind.value, 1, content)
    on.execute(
        insert(event).values(
            case_id=case_id,
            seq=head.seq + 1,
            pos=2,
            tenant=head.tenant,
            kind=kind.value,
            payload=content.decode(),
            at=1,
            prev_hash=head.head_hash,
            hash=link,
        )
    )
    on.execute(
        update(case_).where(case_.c.case_id == case_id).values(seq=head.seq + 1, head_hash=link)
    )


def _illegal(world: World, on: Connection) -> None:
    payload = {"kind": "inventory", "version": 1, "reason": "x"}
    _append(world, on, _case(world, "R0"), EventKind.DECLARATION_WITHDRAWN, payload)


def _reseal(
    table: str, change: Callable[[bytes], bytes], *, digest: bool = True
) -> Callable[[World, Connection], object]:
    """Replace a stored body by another one, properly sealed."""

    def harm(world: World, on: Connection) -> None:
        target: Any = {"message": message, "inbox": inbox}[table]
        key_column = target.primary_key.columns[0]
        name = "M1" if table == "message" else "m1released"
        row = on.execute(
            select(target.c.wrapped_key, target.c.body).where(key_column == name)
        ).one()
        key = world.bench.keys.unwrap(table, name, row.wrapped_key)
        body = change(key.open(table, name, row.body))
        values = {"body": key.seal(table, name, body, world.bench.rng)}
        if digest:
            values["sha256"] = sha256(body).digest()
        on.execute(update(target).where(key_column == name).values(values))

    return harm


def _other_guid(body: bytes) -> bytes:
    at = body.index(b'guid="') + 6
    return body[:at] + b"0" * 36 + body[at + 36 :]


def _without_last_record(body: bytes) -> bytes:
    first, last = body.rindex(b"<ceb:Inventory>"), body.rindex(b"</ceb:Inventory>")
    return body[:first] + body[last + len(b"</ceb:Inventory>") :]


def _other_record(body: bytes) -> bytes:
    at = body.index(b"<ceb:guid>") + 10
    other = record_guid("nobody", DeclarationKind.INVENTORY.value, 1)  # type: ignore[arg-type]
    return body[:at] + other.encode() + body[at + 36 :]


def _count_in_account(returned: str) -> Callable[[World, Connection], object]:
    """A case that counts 10 in the account of its buyer, of which so much came back."""

    def harm(world: World, on: Connection) -> None:
        on.execute(
            insert(quota_entry).values(
                case_id=_case(world, "R0"),
                tenant=ACME,
                buyer=b"b" * 32,
                year=2026,
                amount=Decimal(10),
                stage="committed",
                at=1,
                returned=Decimal(returned),
            )
        )

    return harm


def _steal_claim(kind: str, value: str) -> Callable[[World, Connection], object]:
    def harm(world: World, on: Connection) -> None:
        held = world.bench.keys.lookup_hash(Lookup(kind, value))
        thief = world.key(OTHER, "S0")
        on.execute(
            update(claim)
            .where(claim.c.key_hash == held)
            .values(case_id=thief.case_id, tenant=thief.tenant)
        )

    return harm


APART, SUMS, ANSWERS = (
    CheckName.TENANTS_APART,
    CheckName.SUMS_PRESERVED,
    CheckName.IDEMPOTENT_ANSWERS,
)
ONE, WIRE, FENCE = CheckName.ONE_LIVE_DECLARATION, CheckName.WIRE_EQUALS_SIGNED, CheckName.FENCING
FOLD, LEGAL, CHAIN = (
    CheckName.FOLD_EQUALS_STATE,
    CheckName.LEGAL_TRANSITIONS,
    CheckName.CHAIN_COMPLETE,
)
EVIDENCE, QUIET = CheckName.RELEASED_WITH_EVIDENCE, CheckName.QUIESCENT
EFFECTS = CheckName.EFFECTS_DELIVERED_OR_PARKED


def _a(name: str, harm: Callable[[World, Connection], object], says: str, *by: CheckName) -> Break:
    return Break(name, harm, frozenset(by), says)


LOST = CheckName.NOTHING_LOST
BREAKS = (
    _a("raw spoiled", _spoil_blob(raw, raw.c.body), "does not open", LOST),
    _a("raw digest", _run(update(raw).values(sha256=b"0" * 32)), "digest", LOST),
    _a("raw cut", _run(update(raw).values(size_bytes=3)), "place in the raw bytes", LOST),
    _a("raw gone", _run(delete(raw)), "raw bytes raw", LOST),
    _a("paper spoiled", _spoil_blob(paper, paper.c.body), "does not open", LOST),
    _a("paper swapped", _swap_papers, "does not open", LOST),
    _a("paper gone", _run(delete(paper)), "is missing", LOST),
    _a("paper digest", _run(update(paper).values(digest="x")), "another", LOST),
    _a("case key", _spoil_blob(case_, case_.c.wrapped_key), "does not open", LOST),
    _a("case key gone", _run(update(case_).values(wrapped_key=None)), "key is gone", LOST),
    _a("receipt spoiled", _spoil_blob(inbox, inbox.c.body), "does not open", LOST, EVIDENCE),
    _a("receipt digest", _reseal("inbox", lambda body: body + b" ", digest=False), "digest", LOST),
    _a("twin", _twin, "lives in versions [1, 2]", ONE),
    _a("order claim", _steal_claim("order", f"{PLATFORM}|R0"), "order claim is held by", ONE),
    _a("claims gone", _run(delete(claim)), "held by nobody", ONE),
    _a("claim tenant", _run(update(claim).values(tenant="x")), "under another tenant", ONE),
    _a(
        "declaration moved",
        _run(update(declaration).where(declaration.c.position == 1).values(message_id="M2")),
        "stands in message M2",
        ONE,
        WIRE,
        APART,  # the other message is of another tenant
    ),
    _a("declaration gone", _run(delete(declaration)), "stands in no message", ONE, WIRE),
    _a(
        "declaration copNo",
        _run(update(declaration).values(cop_no="x")),
        "copNo or appTime",
        ONE,
    ),
    _a("outbox tenant", _run(update(outbox).values(tenant="x")), "row of outbox", APART),
    _a("raw tenant", _run(update(raw).values(tenant="x")), "row of raw", APART),
    _a("message tenant", _run(update(message).values(tenant="x")), "message M", APART),
    _a("answer spoiled", _spoil_blob(idempotency, idempotency.c.body), "does not open", ANSWERS),
    _a(
        "answer of nothing",
        _run(update(idempotency).values(request=b"")),
        "what was asked",
        ANSWERS,
    ),
    _a("account", _count_in_account(returned="2"), "worth 0, its account says 2", SUMS),
    _a("account too large", _count_in_account(returned="12"), "12 of 10", SUMS),
    _a("message spoiled", _spoil_blob(message, message.c.body), "does not open", WIRE),
    _a(
        "message digest",
        _reseal("message", lambda body: body + b" ", digest=False),
        "stored digest",
        WIRE,
    ),
    _a("message guid", _reseal("message", _other_guid), "guid in the bytes", WIRE),
    _a("message record gone", _reseal("message", _without_last_record), "members", WIRE),
    _a("message record", _reseal("message", _other_record), "members", WIRE),
    _a(
        "message empty",
        _reseal("message", lambda body: body[: body.index(b">") + 1]),
        "hold 0 records",
        WIRE,
    ),
    _a("stage", _run(update(case_).values(stage="closed")), "stage is not", FOLD),
    _a("held", _run(update(case_).values(is_held=True)), "is_held is not", FOLD),
    _a("findings", _run(update(case_).values(findings=3)), "findings is not", FOLD),
    _a("doc", _change_doc(lambda doc: doc.update(alarms=["x"])), "doc is not", FOLD),
    _a("illegal", _illegal, "cannot follow", LEGAL),
    _a(
        "payload",
        lambda world, on: on.execute(
            update(event)
            .where(_of(world, "R0", event), event.c.seq == 2)
            .values(payload='{"verdict": "matched"}')
        ),
        "event 2 does not fit",
        CHAIN,
    ),
    _a(
        "event gone",
        lambda world, on: on.execute(
            delete(event).where(_of(world, "P0", event), event.c.seq == 2)
        ),
        "event 2 is missing",
        CHAIN,
        FOLD,
    ),
    _a("event time", _run(update(event).values(at=5)), "does not fit", CHAIN),
    _a("event tenant", _run(update(event).values(tenant="x")), "another tenant", CHAIN),
    _a("head", _run(update(case_).values(head_hash=b"0" * 32)), "head of the case", CHAIN),
    _a("attempt gone", _run(delete(attempt)), "newest attempt is 1, 0 are stored", FENCE),
    _a("attempt number", _run(update(attempt).values(attempt=2)), "attempt 1 is missing", FENCE),
    _a("attempt time", _run(update(attempt).values(closed_at=1)), "before it began", FENCE),
    _a("outcome", _run(update(attempt).values(outcome="unknown")), "stands at", FENCE),
    _a("receipt gone", _run(delete(inbox)), "is not in the inbox", EVIDENCE),
    _a(
        "receipt of another",
        _reseal(
            "inbox",
            lambda body: body.replace(b"<copNo>", b"<x>").replace(b"</copNo>", b"</x>")[:80],
        ),
        "does not name",
        EVIDENCE,
    ),
)


@pytest.mark.parametrize("broken", BREAKS, ids=[one.name.replace(" ", "-") for one in BREAKS])
async def test_each_harm_is_seen_by_its_checker_alone(sound: World, broken: Break) -> None:
    await sound.bench.write(lambda on: broken.harm(sound, on))
    report = await check(sound.bench)
    assert {one.check for one in report.violations} == broken.seen_by, report.violations
    assert any(broken.says in one.evidence for one in report.violations), report.violations
    assert not any(CANARY in one.evidence for one in report.violations)


async def test_a_bad_signature_is_seen(sound: World) -> None:
    def verify(body: bytes, profile: str, serial: str) -> None:
        raise SigningError("not ours")

    report = await check(sound.bench, CheckSettings(verify=verify))
    assert {one.check for one in report.violations} == {CheckName.WIRE_EQUALS_SIGNED}
    assert len(report.violations) == 2


# --- effects and rest -------------------------------------------------------------------------


async def test_an_overdue_effect_that_nobody_holds_is_seen(sound: World) -> None:
    overdue = CheckSettings(overdue_us=HOUR)
    sound.bench.clock.micros += HOUR // 2
    assert (await check(sound.bench, overdue)).is_clean
    sound.bench.clock.micros += HOUR
    report = await check(sound.bench, overdue)
    assert {one.check for one in report.violations} == {EFFECTS}
    assert len(report.violations) == 6  # five notices and the declaration of P0
    lease = update(outbox).values(lease_until=sound.bench.clock.micros + 1)
    await sound.bench.write(lambda on: on.execute(lease))
    assert (await check(sound.bench, overdue)).is_clean


async def test_a_parked_effect_waits_visibly(sound: World) -> None:
    sound.bench.clock.micros += 10 * HOUR
    ids = await sound.bench.rows(select(outbox.c.effect_id).where(outbox.c.stage == "open"))
    await sound.bench.access.finish([], [(EffectId(row[0]), 0, "gone") for row in ids])
    report = await check(sound.bench, only={EFFECTS})
    assert report.is_clean


async def test_a_case_that_nothing_will_move_is_seen(sound: World) -> None:
    key = sound.key(ACME, "P0")
    await sound.bench.access.finish([(EffectId(f"declare-{key.case_id}"), 0)], [])
    report = await check(sound.bench)
    assert report.violations == (
        Violation(QUIET, f"case {key.case_id}", "it is declaring and nothing is due for it"),
    )


async def test_customs_may_not_keep_a_case_for_ever(sound: World) -> None:
    notices = update(outbox).where(outbox.c.kind == "notice").values(stage="done", done_at=1)
    await sound.bench.write(lambda on: on.execute(notices))
    report = await check(sound.bench, CheckSettings(customs_us=1), only={QUIET})
    (violation,) = report.violations
    assert violation.subject == f"case {sound.key(OTHER, 'S0').case_id}"


async def test_a_message_that_nothing_will_move_is_seen(world: World) -> None:
    key = await world.take(ACME, "Q0")
    await world.claim([key], "M9")
    assert (await check(world.bench)).is_clean
    await world.bench.access.finish([(EffectId("send-M9"), 0)], [])
    report = await check(world.bench)
    assert {one.subject for one in report.violations} == {"message M9", f"case {key.case_id}"}


async def test_a_receipt_that_was_never_read_is_seen(sound: World) -> None:
    await sound.bench.write(
        lambda on: on.execute(
            update(inbox).where(inbox.c.receipt_id == "s0").values(stage="new", received_at=1)
        )
    )
    report = await check(sound.bench)
    assert report.violations == (Violation(QUIET, "receipt s0", "it was received and never read"),)


async def test_submissions_that_nothing_will_take_in_are_seen(sound: World) -> None:
    pack = {"tenant": ACME, "received_at": 1, "submissions": 1, "wrapped_key": b"k", "body": b"b"}

    def put(on: Connection) -> None:
        on.execute(insert(submission_pack).values(pack_id="p1", **pack))
        done = {"answers": b"a", "refused": 0, "done_at": 2}
        on.execute(insert(submission_pack).values(pack_id="p2", **pack, **done))

    await sound.bench.write(put)
    assert (await check(sound.bench)).violations == (
        Violation(QUIET, "submissions p1", "they were acknowledged and nothing is due for them"),
    )


async def test_a_release_without_its_event_is_seen(sound: World) -> None:
    """The state says released, the history holds no word of customs."""
    await sound.bench.write(lambda on: _change_doc(lambda doc: doc.update(releases=2))(sound, on))
    report = await check(sound.bench, only={EVIDENCE})
    assert [one.evidence for one in report.violations] == [
        "it is released and no recorded receipt says so"
    ]


# --- leaks ------------------------------------------------------------------------------------


async def test_a_leak_into_a_table_is_seen(sound: World) -> None:
    leak = update(outbox).values(detail=f"buyer {CANARY}")
    await sound.bench.write(lambda on: on.execute(leak))
    report = await check(sound.bench, CheckSettings(canaries=("absent", CANARY)))
    assert {(one.check, one.subject, one.evidence) for one in report.violations} == {
        (CheckName.NO_CANARY, "outbox.detail", "holds canary 2")
    }


async def test_a_leak_into_a_file_is_seen(sound: World, tmp_path: Path) -> None:
    log, clean = tmp_path / "gateway.log", tmp_path / "clean.log"
    log.write_bytes(b"x" * ((1 << 20) - 5) + CANARY.encode() + b"\n")
    clean.write_text("{}\n")
    settings = CheckSettings(canaries=(CANARY,), files=(log, clean))
    report = await check(sound.bench, settings, only={CheckName.NO_CANARY})
    assert [(one.subject, one.evidence) for one in report.violations] == [
        ("file gateway.log", "holds canary 1")
    ]


@pytest.mark.parametrize("spelling", ["张三".encode(), "张三".encode("gb18030"), b"\\u5f20\\u4e09"])
async def test_other_spellings_are_seen(world: World, tmp_path: Path, spelling: bytes) -> None:
    log = tmp_path / "gateway.log"
    log.write_bytes(b"name=" + spelling)
    report = await check(world.bench, CheckSettings(canaries=("张三",), files=(log,)))
    assert [one.check for one in report.violations] == [CheckName.NO_CANARY]


def _files(folder: Path) -> list[Path]:
    """The database file with its log, where the database is a file."""
    return [path for path in folder.iterdir() if path.name.startswith("clearance.db")]


async def test_the_database_file_holds_no_personal_data(sound: World, tmp_path: Path) -> None:
    settings = CheckSettings(canaries=(CANARY, "13800000001", "张三"), files=_files(tmp_path))
    assert (await check(sound.bench, settings)).is_clean


# --- checkpoints ------------------------------------------------------------------------------


async def _checkpoint(world: World) -> Checkpoint:
    made = await write_checkpoint(world.bench.access, world.bench.keys, world.bench.clock.micros)
    assert made is not None
    return made


async def test_checkpoints_follow_each_other(sound: World) -> None:
    first = await _checkpoint(sound)
    await sound.take(ACME, "C0")
    second = await _checkpoint(sound)
    assert (first.number, second.number) == (1, 2)
    assert (first.cases, first.events) == (4, 23)
    assert (second.cases, second.events) == (5, 26)
    assert second.line.startswith(f"2 {second.at} 5 26 ")
    await sound.take(ACME, "C1")
    assert (await check(sound.bench, CheckSettings(anchor=2))).is_clean


def _truncate(world: World, on: Connection) -> None:
    """Cut the last event off a history and make the case fit, as one who can write would."""
    case_id = _case(world, "R0")
    last = on.execute(
        select(event.c.seq, event.c.prev_hash)
        .where(event.c.case_id == case_id)
        .order_by(event.c.seq.desc())
        .limit(1)
    ).one()
    on.execute(delete(event).where(event.c.case_id == case_id, event.c.seq == last.seq))
    on.execute(
        update(case_)
        .where(case_.c.case_id == case_id)
        .values(seq=last.seq - 1, head_hash=last.prev_hash)
    )


def _vanish(world: World, on: Connection) -> None:
    for table in (event, paper, raw, declaration, claim, outbox, case_):
        on.execute(delete(table).where(_of(world, "P0", table)))


async def test_a_chain_cut_at_its_end_is_seen_by_the_checkpoint(sound: World) -> None:
    await sound.bench.write(lambda on: _truncate(sound, on))
    assert (await check(sound.bench, only={CHAIN})).is_clean
    await _checkpoint(sound)
    await sound.bench.write(lambda on: _truncate(sound, on))
    (violation,) = (await check(sound.bench, only={CHAIN})).violations
    assert violation.subject == "checkpoints"
    assert "22 events, 4 with 21 are left" in violation.evidence


async def test_a_case_that_vanished_is_seen_by_the_checkpoint(sound: World) -> None:
    await _checkpoint(sound)
    await sound.bench.write(lambda on: _vanish(sound, on))
    (violation,) = (await check(sound.bench)).violations
    assert "covers 4 cases" in violation.evidence


@pytest.mark.parametrize(
    "harm, says",
    [
        (update(checkpoint).values(events=5), "signature of checkpoint 1"),
        (update(checkpoint).values(signature=b"0" * 32), "signature of checkpoint 1"),
        (update(checkpoint).where(checkpoint.c.number == 2).values(at=1), "of checkpoint 2"),
        (delete(checkpoint).where(checkpoint.c.number == 1), "checkpoint 1 is missing"),
        (delete(checkpoint).where(checkpoint.c.number == 2), "checkpoint 2 was written"),
    ],
)
async def test_a_forged_checkpoint_is_seen(sound: World, harm: Any, says: str) -> None:
    await _checkpoint(sound)
    await _checkpoint(sound)
    await sound.bench.write(lambda on: on.execute(harm))
    (violation,) = (await check(sound.bench, CheckSettings(anchor=2))).violations
    assert (violation.check, violation.subject) == (CHAIN, "checkpoints")
    assert says in violation.evidence


# --- the run itself ---------------------------------------------------------------------------


async def test_violations_are_capped(sound: World) -> None:
    await sound.bench.write(lambda on: on.execute(update(case_).values(findings=9)))
    report = await check(sound.bench, only={FOLD}, most=2)
    assert (len(report.violations), report.is_cut) == (2, True)


async def test_an_empty_database_is_clean(bench: Bench) -> None:
    assert (await check(bench, CheckSettings(canaries=("x",)))).is_clean


async def test_many_cases_are_walked_in_spans(world: World) -> None:
    for number in range(203):
        await world.take(ACME, f"N{number}")
    report = await check(world.bench)
    assert report.is_clean
    assert report.checks[ONE] == 203
    assert report.checks[FOLD] == 609


async def test_rows_of_no_case_are_seen(sound: World) -> None:
    await sound.bench.write(lambda on: on.execute(delete(case_).where(_of(sound, "P0", case_))))
    report = await check(sound.bench)
    assert {one.check for one in report.violations} == {LOST, ONE, CHAIN}

"""Messages: claimed once, signed once, every attempt fenced by its number."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.domain.declaration import DeclarationKind
from gateway.domain.errors import Conflict, Fenced
from gateway.domain.ids import MessageId
from gateway.ports import (
    AttemptClosed,
    AttemptOpened,
    Command,
    MessageStage,
    MessageStaged,
    NewMessage,
    SignedBytes,
)
from tests.contract.store.support import (
    NOW,
    Bench,
    changing,
    held,
    key_of,
    new_message,
    planned,
    record,
)

ONE, TWO = key_of("A1"), key_of("A2")
M1 = MessageId("m1")


def claim(message: NewMessage) -> Command[Any]:
    return changing(lambda changes, views, found: changes.messages.append(message))


def sign(name: MessageId = M1, body: bytes = b"<signed/>", attempt: int = 1) -> Command[Any]:
    def fill(changes: Any, views: object, found: object) -> None:
        changes.signed.append(SignedBytes(name, body, "SERIAL", "ceb-rsa-sha1"))
        if attempt:
            changes.attempts_opened.append(AttemptOpened(name, attempt, NOW, "dxp"))

    return changing(fill)


def open_attempt(attempt: int, name: MessageId = M1) -> Command[Any]:
    return changing(
        lambda changes, views, found: changes.attempts_opened.append(
            AttemptOpened(name, attempt, NOW, "dxp")
        )
    )


def close(attempt: int, outcome: MessageStage, name: MessageId = M1) -> Command[Any]:
    return changing(
        lambda changes, views, found: changes.attempts_closed.append(
            AttemptClosed(name, attempt, NOW + 5, outcome, "why")
        )
    )


def stage(outcome: MessageStage, name: MessageId = M1) -> Command[Any]:
    return changing(
        lambda changes, views, found: changes.messages_staged.append(
            MessageStaged(name, outcome, "code")
        )
    )


@pytest.fixture
async def claimed(bench: Bench) -> Bench:
    """A message of two planned orders."""
    await bench.store.submit_all([record(key, planned()) for key in (ONE, TWO)])
    await bench.store.submit(claim(new_message("m1", ONE, TWO)))
    return bench


async def stage_of(bench: Bench, name: MessageId = M1) -> tuple[MessageStage, int]:
    message = await bench.store.load_message(name, with_body=False)
    assert message is not None
    return message.stage, message.attempt


async def test_a_message_goes_its_way(claimed: Bench) -> None:
    store = claimed.store
    message = await store.load_message(M1, with_body=True)
    assert message is not None
    assert (message.stage, message.attempt, message.body) == (MessageStage.CLAIMED, 0, None)
    assert [member.key for member in message.members] == [ONE, TWO]
    assert [member.position for member in message.members] == [0, 1]
    assert message.members[0].declaration.kind is DeclarationKind.ORDER
    assert message.group == "group"

    await store.submit(sign())
    await store.submit(close(1, MessageStage.HANDED_OVER))
    message = await store.load_message(M1, with_body=True)
    assert message is not None
    assert (message.stage, message.attempt) == (MessageStage.HANDED_OVER, 1)
    assert message.body == b"<signed/>"
    without = await store.load_message(M1, with_body=False)
    assert without is not None
    assert without.body is None
    assert await store.load_message(MessageId("none"), with_body=True) is None


async def test_a_declaration_is_claimed_into_one_message(claimed: Bench) -> None:
    got = await claimed.store.submit_all([claim(new_message("m2", TWO)), record(ONE, held())])
    assert isinstance(got[0], Fenced)
    assert got[1] == 1
    assert await claimed.count("message") == 1


async def test_only_the_first_signature_is_stored(claimed: Bench) -> None:
    await claimed.store.submit(sign(body=b"first"))
    with pytest.raises(Fenced):
        await claimed.store.submit(sign(body=b"second"))
    message = await claimed.store.load_message(M1, with_body=True)
    assert message is not None
    assert message.body == b"first"


async def test_two_signatures_in_one_group_leave_one(claimed: Bench) -> None:
    got = await claimed.store.submit_all([sign(body=b"first"), sign(body=b"second")])
    assert [isinstance(one, Fenced) for one in got] == [False, True]


async def test_attempts_follow_each_other(claimed: Bench) -> None:
    store = claimed.store
    with pytest.raises(Fenced):
        await store.submit(open_attempt(1))
    await store.submit(sign())
    for wrong in (1, 3):
        with pytest.raises(Fenced):
            await store.submit(open_attempt(wrong))
    await store.submit(close(1, MessageStage.UNKNOWN))
    assert await stage_of(claimed) == (MessageStage.UNKNOWN, 1)
    await store.submit(open_attempt(2))
    assert await stage_of(claimed) == (MessageStage.SIGNED, 2)
    rows = await claimed.rows("SELECT attempt, channel, outcome, detail FROM attempt ORDER BY 1")
    assert rows == [(1, "dxp", "unknown", "why"), (2, "dxp", None, None)]


async def test_an_attempt_is_closed_once(claimed: Bench) -> None:
    store = claimed.store
    await store.submit(sign())
    await store.submit(close(1, MessageStage.HANDED_OVER))
    for attempt in (1, 2):
        with pytest.raises(Fenced):
            await store.submit(close(attempt, MessageStage.UNKNOWN))
    assert await stage_of(claimed) == (MessageStage.HANDED_OVER, 1)


async def test_a_late_outcome_of_an_older_attempt_moves_nothing(claimed: Bench) -> None:
    store = claimed.store
    await store.submit(sign())
    await store.submit(open_attempt(2))
    await store.submit(close(1, MessageStage.UNKNOWN))
    assert await stage_of(claimed) == (MessageStage.SIGNED, 2)


async def test_a_refused_message_stays_refused(claimed: Bench) -> None:
    store = claimed.store
    await store.submit(sign())
    await store.submit(stage(MessageStage.REFUSED))
    await store.submit(close(1, MessageStage.HANDED_OVER))
    assert await stage_of(claimed) == (MessageStage.REFUSED, 1)
    with pytest.raises(Fenced):
        await store.submit(open_attempt(2))


async def test_a_split_moves_the_declarations_once(claimed: Bench) -> None:
    store = claimed.store
    await store.submit(sign())

    def halve(first: str, second: str) -> Command[Any]:
        def fill(changes: Any, views: object, found: object) -> None:
            changes.messages_staged.append(MessageStaged(M1, MessageStage.SPLIT))
            changes.messages.append(new_message(first, ONE, parent=M1))
            changes.messages.append(new_message(second, TWO, parent=M1))

        return changing(fill)

    await store.submit(halve("m2", "m3"))
    for late in (halve("m4", "m5"), stage(MessageStage.EMPTY)):
        with pytest.raises(Fenced):
            await store.submit(late)
    moved = await store.load_message(MessageId("m3"), with_body=False)
    assert moved is not None
    assert [member.key for member in moved.members] == [TWO]
    parent = await store.load_message(M1, with_body=False)
    assert parent is not None
    assert parent.members == ()
    with pytest.raises(Fenced):
        await store.submit(claim(new_message("m6", ONE, parent=M1)))


async def test_a_part_of_something_unknown_is_fenced(bench: Bench) -> None:
    await bench.store.submit(record(ONE, planned()))
    for command in (sign(), stage(MessageStage.EMPTY), claim(new_message("x", ONE, parent=M1))):
        with pytest.raises(Fenced):
            await bench.store.submit(command)


async def test_a_guid_is_used_once(claimed: Bench) -> None:
    with pytest.raises(Conflict):
        await claimed.store.submit(claim(new_message("m9", guid="GUID-m1")))


async def test_the_digest_of_the_bytes_is_kept(claimed: Bench) -> None:
    await claimed.store.submit(sign())
    rows = await claimed.rows(
        "SELECT length(sha256), certificate_serial, signature_profile, record_count FROM message"
    )
    assert rows == [(32, "SERIAL", "ceb-rsa-sha1", 2)]


async def test_a_list_is_found_by_any_case_that_stands_in_it(claimed: Bench) -> None:
    message = await claimed.store.load_message(M1, with_body=False)
    assert message is not None
    first, second = message.members
    kind, number = DeclarationKind.ORDER, second.declaration.cop_no
    found = await claimed.store.find_listed([(second.key.case_id, kind, number)])
    assert found == {(second.key.case_id, number): (first.key.case_id, second.key.case_id)}
    assert await claimed.store.find_listed([(second.key.case_id, kind, "other")]) == {}
    newest = await claimed.store.find_listed([(second.key.case_id, kind, None)])
    assert newest == {(second.key.case_id, ""): found[second.key.case_id, number]}
    asked = [(second.key.case_id, DeclarationKind.PAYMENT, number)]
    assert await claimed.store.find_listed(asked) == {}

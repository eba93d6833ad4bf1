"""The regime and a stranger: the sandbox customs takes what it builds and it reads the answers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache

from adapters.customs.ceb import CEBRegime
from adapters.sandbox.customs import CustomsAuthority
from adapters.sandbox.customs.settings import Settings, Timing
from gateway.domain.declaration import DeclarationKind, ReceiptFact, Word
from gateway.domain.ids import ReceiptId
from gateway.ports import DeclarationInput, ReadFile, ReadKind
from signing import FileKey, KeyKind, load_pem, new_development_key, sign
from tests.unit.customs import make

NOW = datetime(2026, 3, 1, 1, 30, tzinfo=UTC)
REGIME = CEBRegime()


@cache
def a_key(kind: KeyKind) -> FileKey:
    made = new_development_key(
        subject="test", serial=1, not_before=NOW, not_after=NOW + timedelta(days=30), kind=kind
    )
    return load_pem(made.pem(), name="test")


class Exchange:
    """Sends messages to an authority and reads what comes back."""

    def __init__(self, kind: KeyKind = KeyKind.RSA) -> None:
        self.authority = CustomsAuthority(
            1, Settings(any_certificate=True, timing=Timing.instant())
        )
        self.key = a_key(kind)
        self.now = NOW

    def send(self, kind: DeclarationKind, inputs: list[DeclarationInput]) -> list[ReadFile]:
        built = REGIME.build(kind, make.GUID, inputs)
        assert built.faults == ()
        signed = sign(built.body, self.key, canonical=True).content
        envelope = REGIME.wrap(make.stored(kind), inputs[0].profile, signed, 0)
        return self.deliver(envelope)

    def deliver(self, envelope: bytes) -> list[ReadFile]:
        self.now += timedelta(seconds=1)
        self.authority.receive(envelope, self.now)
        files = self.authority.due(self.now + timedelta(seconds=1))
        return [REGIME.read(ReceiptId(file.name), file.data) for file in files]


def words(files: list[ReadFile]) -> set[tuple[str, Word]]:
    found = set()
    for file in files:
        assert file.kind is ReadKind.RECEIPTS
        assert file.sender_id == "DXPEDCCEB0000002"
        for record in file.records:
            assert isinstance(record.fact, ReceiptFact)
            assert record.lookup is not None
            found.add((record.lookup.value, record.fact.word))
    return found


def test_an_order_and_its_inventory_are_released_and_every_receipt_fits() -> None:
    kinds = (KeyKind.RSA, KeyKind.SM2)
    for owner, kind in zip((make.profile(), make.direct_profile()), kinds, strict=True):
        exchange = Exchange(kind)
        waybill = make.waybill(1, transport_no="CK247", voyage_no="1", bill_no="B")
        order = make.given(DeclarationKind.ORDER, owner=owner)
        assert words(exchange.send(DeclarationKind.ORDER, [order])) == {
            ("3105961A01|HT2026-000001", Word.LODGED),
            ("3105961A01|HT2026-000001", Word.STORED),
        }
        inventory = make.given(DeclarationKind.INVENTORY, owner=owner, waybill=waybill)
        answers = exchange.send(DeclarationKind.INVENTORY, [inventory])
        assert words(answers) == {
            ("CG0000000000000001", word) for word in (Word.LODGED, Word.ACCEPTED, Word.RELEASED)
        }
        for file in answers:
            for record in file.records:
                found = REGIME.checks(record, inventory.key, owner)
                assert not any(found.values())


def test_the_same_order_again_is_a_duplicate() -> None:
    exchange = Exchange()
    order = make.given(DeclarationKind.ORDER)
    exchange.send(DeclarationKind.ORDER, [order])
    again = exchange.send(DeclarationKind.ORDER, [order])
    assert {word for _, word in words(again)} == {Word.DUPLICATE}


def test_an_unsigned_message_is_refused_as_a_whole_and_named() -> None:
    exchange = Exchange()
    built = REGIME.build(
        DeclarationKind.INVENTORY, make.GUID, [make.given(DeclarationKind.INVENTORY)]
    )
    stored = make.stored(DeclarationKind.INVENTORY)
    (answer,) = exchange.deliver(REGIME.wrap(stored, make.profile(), built.body, 0))
    assert answer.kind is ReadKind.REFUSAL
    assert answer.message_id == stored.message_id
    assert answer.message_guid == make.GUID


def test_a_stranger_to_the_exchange_gets_a_transport_answer() -> None:
    exchange = Exchange()
    exchange.authority = CustomsAuthority(1, Settings(enterprises={}, timing=Timing.instant()))
    stored = make.stored(DeclarationKind.ORDER)
    (answer,) = exchange.deliver(REGIME.wrap(stored, make.profile(), b"<x/>", 0))
    assert answer.kind is ReadKind.TRANSPORT
    assert answer.message_id == stored.message_id
    assert answer.sender_id == "DXPEDCCEB0000002"
    assert answer.quarantine

"""The regime as the flow sees it: batches, faults by position, envelopes, threads."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from lxml import etree

from adapters.customs.ceb import CEBRegime
from gateway.domain.declaration import DeclarationKind
from gateway.domain.papers import Masked
from gateway.domain.profile import Party
from schemas.envelope import unwrap
from schemas.loader import LARGE, parse
from tests.unit.customs import make

ORDER, INVENTORY = DeclarationKind.ORDER, DeclarationKind.INVENTORY
PAPERS = (ORDER, DeclarationKind.PAYMENT, DeclarationKind.WAYBILL, INVENTORY)


@pytest.mark.parametrize("kind", PAPERS)
def test_building_is_canonical_and_repeatable(kind: DeclarationKind) -> None:
    inputs = [make.given(kind, number) for number in range(1, 4)]
    first = CEBRegime().build(kind, make.GUID, inputs)
    again = CEBRegime().build(kind, make.GUID, inputs)
    assert first == again
    assert etree.tostring(parse(first.body), method="c14n") == first.body


@pytest.mark.parametrize("kind", PAPERS)
def test_a_hundred_records_make_one_message(kind: DeclarationKind) -> None:
    owner = make.profile()
    inputs = [make.given(kind, number, owner=owner) for number in range(1, 101)]
    built = CEBRegime().build(kind, make.GUID, inputs)
    assert built.faults == ()
    assert len(parse(built.body, LARGE)) == 101


def test_bad_records_name_themselves_whoever_finds_them() -> None:
    regime = CEBRegime()
    inputs = [make.given(ORDER, number) for number in range(1, 6)]
    buyer = inputs[0].order.buyer
    unwritable = replace(inputs[1].order, buyer=replace(buyer, name=Masked("王*")))
    invalid = replace(inputs[3].order, batch_numbers="B" * 101, order_no="")
    inputs[1] = replace(inputs[1], order=unwritable)
    inputs[3] = replace(inputs[3], order=invalid)

    by_writer = regime.build(ORDER, make.GUID, inputs)
    assert [(fault.position, fault.path) for fault in by_writer.faults] == [
        (1, "OrderHead/buyerName")
    ]
    assert by_writer.faults[0].label_en

    del inputs[1]
    by_schema = regime.build(ORDER, make.GUID, inputs)
    assert {(fault.position, fault.path) for fault in by_schema.faults} == {
        (2, "OrderHead/orderNo"),
        (2, "OrderHead/batchNumbers"),
    }
    assert all(fault.label_zh and fault.reason for fault in by_schema.faults)

    del inputs[2]
    assert regime.build(ORDER, make.GUID, inputs).body


def test_a_control_character_is_a_fault_of_its_record() -> None:
    given = make.given(ORDER)
    bad = replace(given, order=replace(given.order, note="a\x00b"))
    found = CEBRegime().build(ORDER, make.GUID, [given, bad])
    assert [(fault.position, fault.path) for fault in found.faults] == [(1, "OrderHead/note")]


@pytest.mark.parametrize(
    "changes",
    [
        {"edition": "199901"},
        {"merchant": Party("3105961B02", "")},
        {"dxp_id": "DXPENT-FAR-TOO-LONG-FOR-AN-ENVELOPE"},
    ],
)
def test_a_profile_that_cannot_declare_is_a_fault_not_a_crash(changes: dict[str, Any]) -> None:
    broken = make.profile(**changes)
    inputs = [make.given(ORDER, 1, owner=broken), make.given(ORDER, 2, owner=broken)]
    found = CEBRegime().build(ORDER, make.GUID, inputs)
    assert [(fault.position, fault.path) for fault in found.faults] == [
        (0, "profile"),
        (1, "profile"),
    ]


def test_a_trailer_that_breaks_the_schema_is_every_records_fault() -> None:
    broken = make.profile(transfer=Party("C" * 19, "n"))
    inputs = [make.given(ORDER, number, owner=broken) for number in (1, 2)]
    found = CEBRegime().build(ORDER, make.GUID, inputs)
    assert {fault.position for fault in found.faults} == {0, 1}
    assert {fault.path for fault in found.faults} == {"BaseTransfer/copCode"}


def test_records_of_two_transmitters_do_not_share_a_message() -> None:
    other = make.profile(version=2, dxp_id="DXPENT0000000002")
    inputs = [make.given(ORDER, 1), make.given(ORDER, 2, owner=other), make.given(ORDER, 3)]
    found = CEBRegime().build(ORDER, make.GUID, inputs)
    assert [(fault.position, fault.path) for fault in found.faults] == [(1, "profile")]


def test_versions_of_a_profile_may_share_a_message() -> None:
    other = make.profile(version=2, platform=Party("3105961A01", "改名平台"))
    inputs = [make.given(ORDER, 1), make.given(ORDER, 2, owner=other)]
    built = CEBRegime().build(ORDER, make.GUID, inputs)
    assert built.body.count("改名平台".encode()) == 1


def test_a_profile_changed_without_a_new_version_is_not_served_from_memory() -> None:
    regime = CEBRegime()
    regime.build(ORDER, make.GUID, [make.given(ORDER)])
    changed = make.profile(merchant=Party("3105961B02", "新名称有限公司"))
    built = regime.build(ORDER, make.GUID, [make.given(ORDER, owner=changed)])
    assert "新名称有限公司".encode() in built.body


def test_a_message_over_the_limit_names_the_records_that_take_too_much() -> None:
    text = "重" * 1000
    lines = [make.line(number, description=text, note=text) for number in range(1, 100)]
    heavy = replace(make.order(lines=1), lines=tuple(lines))
    inputs = [make.given(ORDER, number, order=heavy) for number in range(1, 20)]
    inputs.insert(3, make.given(ORDER, 20))
    found = CEBRegime().build(ORDER, make.GUID, inputs)
    assert {fault.position for fault in found.faults} == set(range(20)) - {3}


def test_more_than_a_message_holds_is_refused() -> None:
    inputs = [make.given(ORDER, 1)] * 101
    assert {fault.path for fault in CEBRegime().build(ORDER, make.GUID, inputs).faults} == {
        "message"
    }


def test_threads_share_one_regime() -> None:
    regime = CEBRegime()
    bad = make.given(ORDER, 9, order=make.order(order_no=""))
    jobs = [
        (kind, [make.given(kind, number), *([bad] if number == 3 and kind is ORDER else [])])
        for number in range(8)
        for kind in PAPERS
    ]
    expected = [CEBRegime().build(kind, make.GUID, inputs) for kind, inputs in jobs]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda job: regime.build(job[0], make.GUID, job[1]), jobs))
    assert found == expected


class TestEnvelope:
    def test_the_same_message_gives_the_same_bytes_whenever_it_goes(self) -> None:
        regime, message = CEBRegime(), make.stored(INVENTORY)
        body = b"<signed/>"
        first = regime.wrap(message, make.profile(), body, 0)
        assert regime.wrap(message, make.profile(), body, 10**15) == first
        opened = unwrap(first)
        assert opened.data == body
        assert opened.cop_msg_id == message.message_id
        assert opened.sender_id == "DXPENT0000000001"
        assert opened.receiver_ids == ("DXPEDCCEB0000002",)
        assert opened.creat_time == "2026-03-01T09:30:00"
        assert opened.msg_type == "CEB621Message"

    def test_file_names(self) -> None:
        regime = CEBRegime()
        name = "CEB311Message_5D0F0E1C-0000-4000-8000-000000000001.xml"
        assert regime.file_name(make.stored(ORDER)) == name
        assert regime.file_name(make.stored(INVENTORY)).startswith("CEB621Message_")

    def test_app_time_is_beijings(self) -> None:
        assert CEBRegime().app_time(1_772_328_605_999_999) == "20260301093005"
        assert CEBRegime().app_time(0) == "19700101080000"

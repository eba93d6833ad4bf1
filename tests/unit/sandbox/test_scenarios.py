"""Each scenario as a wire trace of its own: which receipts come, in which order."""

from __future__ import annotations

from datetime import datetime, timedelta
from importlib.resources import files

import pytest
from lxml import etree

from adapters.sandbox.customs import (
    SCENARIOS,
    OutgoingFile,
    Scenario,
    ScenarioName,
    Settings,
    parse_scenario,
)
from tests.unit.sandbox import wire
from tests.unit.sandbox.port import Port, PortFactory

HOUR = 3600.0


def trace(port: Port, order_no: str, **fields: str) -> list[str]:
    """File order and inventory; return the inventory's statuses as they arrive."""
    port.filed_order(order_no)
    port.send(wire.inventory(order_no, **fields))
    return port.statuses(HOUR)


@pytest.mark.parametrize(
    "order_no, expected",
    [
        ("XP20261111000001", ["2", "120", "800"]),
        ("SIM-RELEASE-0001", ["2", "120", "800"]),
        ("SIM-NOSUCH-0001", ["2", "120", "800"]),
        ("SIM-RECALL-0001", ["2", "120", "300", "100"]),
        ("SIM-INSPECT-0001", ["2", "120", "500", "800"]),
        ("SIM-REVIEW-0001", ["2", "3", "120", "300", "399", "800"]),
        ("SIM-DETAIN-0001", ["2", "120", "501"]),
        ("SIM-DETAIN503-0001", ["2", "120", "503"]),
        ("SIM-SUSPEND-0001", ["2", "120", "600"]),
        ("SIM-ABROAD-0001", ["2", "120", "500", "700"]),
        ("SIM-REJECT1327-0001", ["2", "100"]),
        ("SIM-REJECT-130126-0001", ["2", "100"]),
        ("SIM-REJECT621018-0001", ["-621018"]),
        ("SIM-NEGATIVE-0001", ["-621008"]),
        ("SIM-BUSY-0001", ["4", "2", "120", "800"]),
        ("SIM-LATE-0001", ["2", "120", "800"]),
        ("SIM-REORDER-0001", ["800", "120", "2"]),
        ("SIM-LOST-0001", []),
        ("SIM-SILENT-0001", []),
        ("SIM-ORDERREJECT-0001-no", None),
    ],
)
def test_inventory_receipts(port: Port, order_no: str, expected: list[str] | None) -> None:
    if expected is None:
        port.send(wire.order(order_no))
        assert port.statuses(HOUR) == ["2", "100"]
        return
    if order_no == "SIM-REORDER-0001":
        port.send(wire.order(order_no))
        assert port.statuses(HOUR) == ["120", "2"]
        port.send(wire.inventory(order_no))
        assert port.statuses(HOUR) == expected
        return
    assert trace(port, order_no) == expected


@pytest.mark.parametrize(
    "order_no, expected",
    [
        ("A-1", Scenario(ScenarioName.RELEASE)),
        ("SIM-", Scenario(ScenarioName.RELEASE)),
        ("SIM-release-1", Scenario(ScenarioName.RELEASE)),
        ("SIM-REJECT1327-0001", Scenario(ScenarioName.REJECT, "1327")),
        ("SIM-REJECT-13127-1", Scenario(ScenarioName.REJECT, "13127")),
        ("SIM-REJECT", Scenario(ScenarioName.REJECT, "1327")),
        ("SIM-INSPECT-0001", Scenario(ScenarioName.INSPECT)),
        ("SIM-DETAIN502-1", Scenario(ScenarioName.DETAIN, "502")),
        ("SIM-DETAIN-0001", Scenario(ScenarioName.DETAIN, "501")),
        ("SIM-ORDERREJECT1304-1", Scenario(ScenarioName.ORDERREJECT, "1304")),
    ],
)
def test_order_number_selects_the_scenario(order_no: str, expected: Scenario) -> None:
    assert parse_scenario(order_no) == expected


def test_every_scenario_is_described_in_both_languages() -> None:
    assert set(SCENARIOS) == set(ScenarioName)
    for text in SCENARIOS.values():
        assert text.zh.strip()
        assert text.en.strip()
        assert text.en.isascii()


def test_rejection_tells_the_code_and_passes_after_a_correction(port: Port) -> None:
    port.filed_order("SIM-REJECT1322-1")
    first = port.send(wire.inventory("SIM-REJECT1322-1"))
    answers = port.collect(HOUR)
    assert [answer.status for answer in answers] == ["2", "100"]
    assert answers[-1].info == "[Code:1322;Desc:清单与订单商品信息不一致]"
    port.resend(first)
    assert port.statuses(HOUR) == ["2", "100"]
    port.send(wire.inventory("SIM-REJECT1322-1", appTime="20261111100200", note="更正"))
    assert port.statuses(HOUR) == ["2", "120", "800"]


def test_a_corrected_order_also_clears_the_rejection(port: Port) -> None:
    port.filed_order("SIM-REJECT1327-1")
    port.send(wire.inventory("SIM-REJECT1327-1"))
    assert port.statuses(HOUR) == ["2", "100"]
    port.send(wire.order("SIM-REJECT1327-1", appType="2", appTime="20261111100500"))
    assert port.statuses(HOUR) == ["2", "120"]
    port.send(wire.inventory("SIM-REJECT1327-1", appTime="20261111100600"))
    assert port.statuses(HOUR) == ["2", "120", "800"]


def test_corrected_order_is_stored_after_orderreject(port: Port) -> None:
    port.send(wire.order("SIM-ORDERREJECT-1"))
    answers = port.collect(HOUR)
    assert answers[-1].info.startswith("[Code:1304;Desc:")
    port.send(wire.order("SIM-ORDERREJECT-1", appTime="20261111100001", note="更正"))
    assert port.statuses(HOUR) == ["2", "120"]


def test_silent_is_answered_when_the_same_bytes_come_again(port: Port) -> None:
    port.filed_order("SIM-SILENT-1")
    data = port.send(wire.inventory("SIM-SILENT-1"))
    assert port.statuses(HOUR) == []
    port.resend(data)
    assert port.statuses(HOUR) == ["2", "120", "800"]
    assert len(port.authority.ledger.released()) == 1


def test_silent_answers_changed_bytes_as_a_duplicate(port: Port) -> None:
    port.filed_order("SIM-SILENT-1")
    port.send(wire.inventory("SIM-SILENT-1"))
    assert port.statuses(HOUR) == []
    port.send(wire.inventory("SIM-SILENT-1", appTime="20261111100200"))
    # Nothing is delivered of the first version; customs has it, so the second is a duplicate.
    assert port.statuses(HOUR) == ["-621004"]


def test_silent_order(port: Port) -> None:
    data = port.send(wire.order("SIM-ORDERSILENT-1"))
    assert port.statuses(HOUR) == []
    port.resend(data)
    assert port.statuses(HOUR) == ["2", "120"]


def test_lost_is_never_answered_but_customs_has_it(port: Port) -> None:
    port.filed_order("SIM-LOST-1")
    data = port.send(wire.inventory("SIM-LOST-1"))
    port.resend(data)
    assert port.statuses(HOUR) == []
    filing = port.authority.ledger.inventory("1100000005", "GW0000000001")
    assert filing is not None
    assert (filing.status, filing.submissions) == ("800", 2)
    port.send(wire.order("SIM-ORDERLOST-1"))
    assert port.statuses(HOUR) == []


def test_duplicates_are_the_same_receipt_again(open_port: PortFactory) -> None:
    copies = set()
    for seed in range(6):
        port = open_port(seed=seed)
        port.send(wire.order("SIM-DUPLICATE-1"))
        answers = port.collect(HOUR)
        by_guid: dict[str, list[wire.Answer]] = {}
        for answer in answers:
            by_guid.setdefault(answer.guid, []).append(answer)
        assert len(by_guid) == 2
        for same in by_guid.values():
            assert len(set(map(str, same))) == 1
            copies.add(len(same))
    assert copies == {2, 3}


def test_early_receipts_exist_before_receive_returns(port: Port) -> None:
    port.send(wire.order("SIM-EARLY-1"))
    assert port.authority.next_due() == port.now
    assert [a.status for f in port.authority.due(port.now) for a in wire.read(f)] == ["2", "120"]
    port.send(wire.inventory("SIM-EARLY-1"))
    files = port.authority.due(port.now)
    assert [a.status for f in files for a in wire.read(f)] == ["2", "120", "800"]
    assert len(files) == 3


def test_reordered_receipts_keep_their_true_times(port: Port) -> None:
    port.send(wire.order("SIM-REORDER-1"))
    port.collect(HOUR)
    port.send(wire.inventory("SIM-REORDER-1"))
    answers = port.collect(HOUR)
    assert [answer.status for answer in answers] == ["800", "120", "2"]
    times = [answer.time for answer in answers]
    assert times == sorted(times, reverse=True)
    assert len(set(times)) == 3
    assert [len(file) for file in port.files[-3:]] == [1, 1, 1]


def test_a_bad_record_takes_the_whole_message_with_it(port: Port) -> None:
    good, bad = wire.order("SIM-RELEASE-1"), wire.order("SIM-BADRECORD-1")
    data = port.send(good, bad)
    (answer,) = port.collect(HOUR)
    assert (answer.type, answer.key) == ("900", "MSG-1")
    assert answer.status.startswith("-")
    assert answer.fields["oriMessageType"] == "CEB311Message"
    assert answer.fields["oriBizMessage"] == data.decode()
    port.send(bad)
    assert [found.type for found in port.collect(HOUR)] == ["900"]
    port.send(good)
    assert port.statuses(HOUR) == ["2", "120"]


def test_busy_goes_on_at_once_when_the_same_bytes_come_again(port: Port) -> None:
    port.filed_order("SIM-BUSY-1")
    data = port.send(wire.inventory("SIM-BUSY-1"))
    assert port.statuses(1) == ["4"]
    port.resend(data)
    assert port.statuses(3) == ["2", "120", "800"]
    assert port.statuses(HOUR) == []


def test_busy_goes_on_by_itself_after_its_delay(port: Port) -> None:
    port.filed_order("SIM-BUSY-1")
    port.send(wire.inventory("SIM-BUSY-1"))
    assert port.statuses(1) == ["4"]
    assert port.statuses(5) == []
    assert port.statuses(10) == ["2", "120", "800"]


def test_late_says_nothing_for_long(port: Port) -> None:
    port.filed_order("SIM-LATE-1")
    port.send(wire.inventory("SIM-LATE-1"))
    assert port.statuses(29) == []
    assert port.statuses(10) == ["2", "120", "800"]


def test_negative_passes_when_sent_again(port: Port) -> None:
    port.filed_order("SIM-NEGATIVE-1")
    data = port.send(wire.inventory("SIM-NEGATIVE-1"))
    assert port.statuses(HOUR) == ["-621008"]
    port.resend(data)
    assert port.statuses(HOUR) == ["2", "120", "800"]


def test_release_is_closed_later_when_asked_for(open_port: PortFactory) -> None:
    port = open_port(Settings(any_certificate=True, close_after_release=timedelta(days=1)))
    assert trace(port, "SIM-RELEASE-1") == ["2", "120", "800"]
    assert port.statuses(24 * HOUR) == ["899"]


def test_one_message_mixes_scenarios_record_by_record(port: Port) -> None:
    numbers = ["SIM-RELEASE-1", "SIM-DETAIN-1", "SIM-LOST-1", "SIM-REJECT1320-1"]
    port.send(*(wire.order(number) for number in numbers))
    port.collect(HOUR)
    port.send(
        *(
            wire.inventory(number, copNo=f"C{index}", logisticsNo=f"W{index}")
            for index, number in enumerate(numbers)
        )
    )
    trails: dict[str, list[str]] = {}
    for answer in port.collect(HOUR):
        trails.setdefault(answer.key, []).append(answer.status)
    assert trails == {"C0": ["2", "120", "800"], "C1": ["2", "120", "501"], "C3": ["2", "100"]}


def test_same_seed_same_bytes(open_port: PortFactory) -> None:
    def run(seed: int) -> list[bytes]:
        port = open_port(seed=seed)
        port.send(wire.order("SIM-DUPLICATE-1"), wire.order("SIM-RELEASE-2"))
        return [file.data for _ in range(40) for file in port.authority.due(_later(port))]

    assert run(7) == run(7)
    assert run(7) != run(8)


def _later(port: Port) -> datetime:
    port.now += timedelta(milliseconds=250)
    return port.now


def test_receipts_are_schema_valid(port: Port) -> None:
    port.send(wire.order("SIM-RELEASE-1"))
    port.send(wire.order("SIM-BADRECORD-1"))
    sent = wire.inventory("SIM-REJECT1327-1")
    port.send(wire.order("SIM-REJECT1327-1"))
    written = _collect_files(port, 10)
    port.send(sent)
    port.authority.receive(b"no xml", port.now)
    written += _collect_files(port, 10)
    kinds = set()
    folder = str(files("schemas"))
    for file in written:
        outer = etree.fromstring(file.data)
        name = etree.QName(outer).localname
        schema = etree.XMLSchema(file=f"{folder}/dxp/202205/{name}.xsd")
        assert schema.validate(outer), (name, schema.error_log)
        kinds.add(name)
        if name == "DxpMsg":
            body = wire.business(file)
            kind = etree.QName(body).localname
            schema = etree.XMLSchema(file=f"{folder}/ceb/202205/{kind}.xsd")
            assert schema.validate(body), (kind, schema.error_log)
            kinds.add(kind)
    assert kinds == {"DxpMsg", "DxpRep", "CEB312Message", "CEB622Message", "CEB900Message"}


def _collect_files(port: Port, seconds: int) -> list[OutgoingFile]:
    found = []
    for _ in range(seconds * 4):
        found += port.authority.due(_later(port))
    return found

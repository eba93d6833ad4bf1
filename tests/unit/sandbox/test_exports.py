"""Customs for exports: every listed scenario as a wire trace of its own, and what is refused."""

from __future__ import annotations

from datetime import timedelta

import pytest
from lxml import etree

from adapters.sandbox.customs import CustomsAuthority, Delay, ScenarioName, Settings, Timing
from adapters.sandbox.customs.catalogue import Listed, catalogue
from adapters.sandbox.customs.intake import SchemaBook
from tests.unit.sandbox import export_wire, wire
from tests.unit.sandbox.export_wire import (
    cancellation,
    entry_list,
    funds,
    goods_home,
    inventory,
    master_list,
    order,
    report,
    summary,
    tally,
    waybill,
)
from tests.unit.sandbox.port import Port
from tests.unit.sandbox.test_catalogue import HOUR, Seen, _collect, short

ALL = tuple(one for one in catalogue() if one.direction == "export")
STEADY = Timing(Delay(timedelta(seconds=1), timedelta(seconds=1)))
PLAIN, PARCEL, DONE = "2 120", "2 399", "2 120 800"

# What order, receipt of funds, waybill and inventory get; those that are not here get the four of
# RELEASE. "." stands for the code.
TRACES: dict[ScenarioName, tuple[str, str, str, str]] = {
    ScenarioName.REJECT: (PLAIN, PLAIN, PARCEL, "2 100"),
    ScenarioName.ORDERREJECT: ("2 100", PLAIN, PARCEL, "2 100"),
    ScenarioName.RECALL: (PLAIN, PLAIN, PARCEL, "2 120 300 100"),
    ScenarioName.INSPECT: (PLAIN, PLAIN, PARCEL, "2 120 500 800"),
    ScenarioName.REVIEW: (PLAIN, PLAIN, PARCEL, "2 3 120 300 399 800"),
    ScenarioName.SUSPEND: (PLAIN, PLAIN, PARCEL, "2 120 600"),
    ScenarioName.LOST: (PLAIN, PLAIN, PARCEL, ""),
    ScenarioName.CLOSE: (PLAIN, PLAIN, PARCEL, "2 120 800 899"),
    ScenarioName.TURNDOWN: (PLAIN, PLAIN, PARCEL, "2 120 100"),
    ScenarioName.PENDING: (PLAIN, PLAIN, PARCEL, "2 120"),
    ScenarioName.FUNDSREJECT: (PLAIN, "2 100", PARCEL, DONE),
    ScenarioName.FUNDSSENT: (PLAIN, "2 3 120", PARCEL, DONE),
    ScenarioName.FUNDSTURNDOWN: (PLAIN, "2 120 100", PARCEL, DONE),
    ScenarioName.FUNDSLOST: (PLAIN, "", PARCEL, DONE),
    ScenarioName.PARCELREJECT: (PLAIN, PLAIN, "2 100", DONE),
    ScenarioName.PARCELSLOW: (PLAIN, PLAIN, "2 3 399", DONE),
    ScenarioName.PARCELHALF: (PLAIN, PLAIN, "2", DONE),
    ScenarioName.PARCELLOST: (PLAIN, PLAIN, "", DONE),
    ScenarioName.RELEASE: (PLAIN, PLAIN, PARCEL, DONE),
}


# What a return, its tally and a summary get where that differs from the usual.
FOLLOWING: dict[ScenarioName, tuple[str, str, str]] = {
    ScenarioName.RELEASE: ("2 120 800", PARCEL, "2 399 0 1"),
    ScenarioName.HOMESENT: ("2 3 120 800", PARCEL, "2 399 0 1"),
    ScenarioName.HOMEREVIEW: ("2 120 300 800", PARCEL, "2 399 0 1"),
    ScenarioName.HOMEINSPECT: ("2 120 500 800", PARCEL, "2 399 0 1"),
    ScenarioName.HOMEHANDOVER: ("2 120 500 505", PARCEL, "2 399 0 1"),
    ScenarioName.HOMEHOLD: ("2 120 600", PARCEL, "2 399 0 1"),
    ScenarioName.HOMELOST: ("", PARCEL, "2 399 0 1"),
    ScenarioName.NORETURN: ("2 120 100", "-800001", "2 399 0 1"),
    ScenarioName.TALLYREFUSE: (DONE, "2 100", "2 399 0 1"),
    ScenarioName.TALLYSENT: (DONE, "2 3 399", "2 399 0 1"),
    ScenarioName.TALLYLOST: (DONE, "", "2 399 0 1"),
    ScenarioName.SUMMARYREFUSE: (DONE, PARCEL, "2 100"),
    ScenarioName.SUMMARYSENT: (DONE, PARCEL, "2 3 399 0 1"),
    ScenarioName.SUMMARYONLY: (DONE, PARCEL, PARCEL),
    ScenarioName.SUMMARYLOST: (DONE, PARCEL, ""),
    ScenarioName.PENDING: ("-625022", "-800001", "-800001"),
}


def new_port(signer: wire.Signer, **settings: object) -> Port:
    chosen = Settings(any_certificate=True, timing=STEADY, **settings)  # type: ignore[arg-type]
    return Port(CustomsAuthority(1, chosen), signer)


def filed(order_no: str) -> tuple[export_wire.ExportDraft, ...]:
    parcel = f"{order_no}-W"
    return order(order_no), funds(order_no), waybill(parcel), inventory(order_no, parcel)


@pytest.fixture(scope="module")
def traces(signer: wire.Signer) -> dict[str, list[Seen]]:
    return {one.order_no: run(new_port(signer), one) for one in ALL}


def run(port: Port, one: Listed) -> list[Seen]:
    """File all four and a list of the parcel, order and inventory once more in the same bytes, then
    what follows a release: what came, and when.
    """
    seen: list[Seen] = []
    sent = []
    for draft in filed(one.order_no):
        sent.append(port.send(draft))
        seen.append(_collect(port))
    port.send(master_list(one.order_no, (f"{one.order_no}-W", "")))
    seen.append(_collect(port))
    for data in (sent[0], sent[-1]):
        port.resend(data)
        seen.append(_collect(port))
    for draft in following(port, f"{one.order_no}-W"):
        port.send(draft)
        seen.append(_collect(port))
    return seen


def following(port: Port, parcel: str) -> tuple[export_wire.ExportDraft, ...]:
    """The return of a parcel with its tally, and the summary of its inventory."""
    books = port.authority.ledger.exports
    declared = list(books.inventories.values()) if books is not None else []
    number = declared[0].invt_no if declared else ""
    if not number:
        return ()
    return goods_home(number, parcel), tally(number, parcel), summary(number)


def test_exports_have_some_fifty_of_their_own() -> None:
    assert len({one.order_no for one in ALL}) == len(ALL) >= 50
    assert set(TRACES) <= {one.name for one in ALL}
    assert not {one.order_no for one in ALL} & {
        one.order_no for one in catalogue() if one.direction == "import"
    }


def test_no_two_scenarios_have_the_same_trace(traces: dict[str, list[Seen]]) -> None:
    by_trace: dict[str, list[str]] = {}
    for order_no, trace in traces.items():
        by_trace.setdefault(repr(trace), []).append(order_no)
    assert [names for names in by_trace.values() if len(names) > 1] == []


@pytest.mark.parametrize("one", ALL, ids=[one.order_no for one in ALL])
def test_a_scenario_has_its_trace(one: Listed, traces: dict[str, list[Seen]]) -> None:
    if one.name not in TRACES or one.code[:3] in ("621", "301"):
        assert traces[one.order_no] != traces["SIM-RELEASE-E1"]
        return
    assert tuple(map(short, traces[one.order_no]))[:4] == TRACES[one.name]


@pytest.mark.parametrize("name", list(FOLLOWING))
def test_what_follows_a_release_has_its_trace(
    name: ScenarioName, traces: dict[str, list[Seen]]
) -> None:
    assert tuple(map(short, traces[f"SIM-{name}-E1"][-3:])) == FOLLOWING[name]


@pytest.mark.parametrize(
    "changes, answers",
    [
        ({"tradeMode": "9710"}, ["2", "100"]),
        ({"tradeMode": "1210"}, ["-621001"]),
        ({"netWeight": "0.9"}, ["-621001"]),
        ({"grossWeight": "0.9"}, ["2", "100"]),
        ({"ebcCode": "1100000009"}, ["2", "100"]),
        ({}, ["2", "120", "800"]),
    ],
)
def test_an_inventory_is_held_against_its_papers(
    signer: wire.Signer, changes: dict[str, str], answers: list[str]
) -> None:
    port = new_port(signer)
    *papers, declared = filed("EX-1")
    for paper in papers:
        port.send(paper)
    port.collect(HOUR)
    port.send(declared.set(**changes))
    assert port.statuses(HOUR) == answers


def test_a_line_that_differs_from_the_order_is_refused(signer: wire.Signer) -> None:
    port = new_port(signer)
    port.send(order("EX-1"))
    port.collect(HOUR)
    lines = ({"gnum": "1", "qty": "1", "price": "9.5", "totalPrice": "9.5"},)
    port.send(export_wire.ExportDraft("603", inventory("EX-1", "W").head, lines))
    (*_, last) = port.collect(HOUR)
    assert last.info.startswith("[Code:1322;")


@pytest.mark.parametrize(
    "bill, answers",
    [
        ("180-1", ["2", "120"]),
        ("SIM-LISTSENT-1", ["2", "3", "120"]),
        ("SIM-LISTREFUSE-1", ["2", "100"]),
        ("SIM-LISTLOST-1", []),
    ],
)
def test_lists_of_both_directions_are_taken_by_their_bill(
    signer: wire.Signer, bill: str, answers: list[str]
) -> None:
    port = new_port(signer)
    for draft in (master_list(bill, ("W1", ""), ("W2", "")), entry_list(bill, "W1", "W2")):
        port.send(draft)
        assert port.statuses(HOUR) == answers
    if answers:
        port.send(entry_list(bill, "W3").set(appTime="20261111130000"))
        assert port.statuses(HOUR)[0] == ("-800003" if answers[-1] == "120" else "2")


@pytest.mark.parametrize(
    "bill, answers",
    [
        ("180-1", ["2", "399"]),
        ("SIM-LISTSENT-1", ["2", "3", "399"]),
        ("SIM-LISTREFUSE-1", ["2", "100"]),
        ("SIM-LISTLOST-1", []),
    ],
)
def test_what_became_of_parcels_is_taken_by_their_bill(
    signer: wire.Signer, bill: str, answers: list[str]
) -> None:
    port = new_port(signer)
    for draft in filed("SIM-PENDING-E1"):
        port.send(draft)
    port.collect(HOUR)
    # It may arrive before its release, but not leave.
    port.send(report("507", bill, "SIM-PENDING-E1-W"))
    assert port.statuses(HOUR) == answers
    port.send(report("509", "180-1", "SIM-PENDING-E1-W"))
    assert port.statuses(HOUR) == ["-800001"]
    other = new_port(signer)
    for kind in ("507", "509"):
        other.send(report(kind, "180-1", "EX-1-W"))
        assert other.statuses(HOUR) == ["-800001"]
    for draft in filed("EX-1"):
        other.send(draft)
    other.collect(HOUR)
    other.send(report("509", bill, "EX-1-W", copNo="GW0000000010"))
    assert other.statuses(HOUR) == answers


def test_a_list_names_each_parcel_once_and_live_inventories(signer: wire.Signer) -> None:
    port = new_port(signer)
    port.send(entry_list("180-1", "W1", "W1"))
    assert port.statuses(HOUR) == ["-800001"]
    for draft in filed("SIM-PENDING-E1"):
        port.send(draft)
    port.collect(HOUR)
    books = port.authority.ledger.exports
    assert books is not None
    (declared,) = books.inventories.values()
    parcel = "SIM-PENDING-E1-W"
    port.send(master_list("180-1", ("W9", declared.invt_no)))
    assert port.statuses(HOUR) == ["-800001"]
    port.send(master_list("180-1", (parcel, "01002026E999999999"), copNo="GW91"))
    assert port.statuses(HOUR) == ["-800001"]
    port.send(master_list("180-1", (parcel, declared.invt_no), copNo="GW92"))
    assert port.statuses(HOUR) == ["2", "120"]


def released(port: Port, order_no: str = "EX-1") -> tuple[str, str]:
    """The number of a released inventory, and its parcel."""
    for draft in filed(order_no):
        port.send(draft)
    port.collect(HOUR)
    books = port.authority.ledger.exports
    assert books is not None
    return list(books.inventories.values())[-1].invt_no, f"{order_no}-W"


def test_goods_come_home_once_as_they_were_declared_and_are_counted(signer: wire.Signer) -> None:
    port = new_port(signer)
    number, parcel = released(port)
    for fault, answer in (
        ({"tradeMode": "1261"}, "-625017"),
        ({"ieFlag": "E"}, "-625017"),
        ({"logisticsNo": "W9"}, "-625017"),
        ({"invtNo": "01002026E999999999"}, "-625204"),
    ):
        port.send(goods_home(number, parcel, coElNo=answer[1:]).set(**fault))
        assert port.statuses(HOUR) == [answer], fault
    port.send(tally(number, parcel))
    assert port.statuses(HOUR) == ["-800001"]
    port.send(goods_home(number, parcel, "1.5"))
    assert port.statuses(HOUR) == ["2", "120", "800"]
    port.send(goods_home(number, parcel, "1", coElNo="GW31"))
    assert port.statuses(HOUR) == ["-625017"]
    port.send(goods_home(number, parcel, "0.5", coElNo="GW32", billNo="180-I"))
    assert port.statuses(HOUR) == ["2", "120", "800"]
    for cop_no, fields, answers in (
        ("GW41", {"voyageNo": "CK901"}, ["-800001"]),
        ("GW42", {}, ["2", "399"]),
        ("GW43", {}, ["-800001"]),
        ("GW44", {"billNo": "180-I"}, ["2", "399"]),
    ):
        port.send(tally(number, parcel, coElNo=cop_no).set(**fields))
        assert port.statuses(HOUR) == answers, cop_no


def test_each_released_inventory_is_summed_up_once_by_destination(signer: wire.Signer) -> None:
    port = new_port(signer)
    numbers = [released(port, "EX-1")[0]]
    for order_no, fields in (("EX-2", {"country": "304"}), ("EX-3", {"statisticsFlag": "A"})):
        parcel = f"{order_no}-W"
        port.send(order(order_no))
        port.send(waybill(parcel))
        port.collect(HOUR)
        port.send(inventory(order_no, parcel, copNo=f"GW{order_no}", **fields))
        port.collect(HOUR)
        books = port.authority.ledger.exports
        assert books is not None
        numbers.append(list(books.inventories.values())[-1].invt_no)
    for cop_no, listed in (("GW51", numbers), ("GW52", [numbers[0]] * 2), ("GW53", [])):
        port.send(summary(*listed, copNo=cop_no))
        assert port.statuses(HOUR) == ["-800000" if not listed else "-800001"]
    port.send(summary(*numbers[:2], copNo="GW54"))
    assert port.statuses(HOUR) == ["2", "399", "0", "0", "1", "1"]
    port.send(summary(numbers[0], copNo="GW55"))
    assert port.statuses(HOUR) == ["-800001"]


def test_every_paper_that_the_office_asks_for_is_needed(signer: wire.Signer) -> None:
    port = new_port(signer, require_filings=True)
    port.send(order("EX-1"))
    port.send(inventory("EX-1", "EX-1-W"))
    assert port.statuses(HOUR)[-1] == "100"


def test_collisions_are_seen_in_books_that_imports_do_not_share(signer: wire.Signer) -> None:
    port = new_port(signer)
    port.send(wire.order("EX-1"))
    port.send(order("EX-1"))
    port.send(inventory("EX-1", "EX-1-W"))
    assert set(port.statuses(HOUR)) == {"2", "120", "800"}
    port.send(order("EX-1", appTime="20261111110000"))
    assert port.statuses(HOUR) == ["-301010"]
    port.send(inventory("EX-1", "EX-1-W", copNo="GW9", appTime="20261111110000"))
    assert port.statuses(HOUR) == ["-621004"]
    port.send(order("EX-2"))
    port.send(inventory("EX-2", "EX-1-W", copNo="GW8"))
    assert port.statuses(HOUR)[-1] == "100"


@pytest.mark.parametrize(
    "scenario, answers, then",
    [("PENDING", ["2", "120", "399"], False), ("NOCANCEL", ["2", "120", "100"], True)],
)
def test_an_accepted_inventory_is_withdrawn_or_not(
    signer: wire.Signer, scenario: str, answers: list[str], then: bool
) -> None:
    port = new_port(signer)
    for draft in filed(f"SIM-{scenario}-E1"):
        port.send(draft)
    port.collect(HOUR)
    books = port.authority.ledger.exports
    assert books is not None
    (declared,) = books.inventories.values()
    port.send(cancellation(declared.invt_no))
    assert port.statuses(HOUR) == answers
    assert declared.live is then
    port.send(cancellation("01002026E999999999", "GW3"))
    assert port.statuses(HOUR) == ["-623003"]


def test_each_receipt_fits_its_published_schema(signer: wire.Signer) -> None:
    port = new_port(signer)
    schemas = SchemaBook("202205")
    checked = set()
    lists = (master_list("180-1", ("W1", "")), entry_list("180-1", "W1"))
    number, parcel = released(port)
    following = (goods_home(number, parcel), summary(number))
    for draft in (*filed("SIM-PENDING-E1"), *lists, *following):
        port.send(draft)
    port.send(tally(number, parcel))
    for _ in range(30):
        due = port.authority.next_due()
        if due is None:
            break
        port.now = due
        for file in port.authority.due(port.now):
            root = wire.business(file)
            name = etree.QName(root).localname
            assert schemas.fault(name, root) == ""
            checked.add(name)
    numbers = (214, 216, 304, 404, 506, 604, 608, 702, 712, 792)
    assert checked == {f"CEB{one}Message" for one in numbers}

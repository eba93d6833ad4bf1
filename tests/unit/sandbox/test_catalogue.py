"""Every listed scenario runs, as a wire trace that it alone has."""

from __future__ import annotations

from datetime import timedelta

import pytest

from adapters.sandbox.customs import Delay, ScenarioName, Settings, Timing
from adapters.sandbox.customs.catalogue import Listed, catalogue
from tests.unit.sandbox import wire
from tests.unit.sandbox.export_wire import delivery, parcel, payment
from tests.unit.sandbox.port import Port

HOUR = 3600.0
ALL = tuple(one for one in catalogue() if one.direction == "import")
STEADY = Timing(Delay(timedelta(seconds=1), timedelta(seconds=1)))

# What the order gets, the inventory, and the same inventory bytes when they come again;
# "." stands for the code. "R" is a refusal of the envelope, "-1" that of the message in a 900.
PLAIN = "2 120"
TAKEN = "-621004"
TRACES: dict[ScenarioName, tuple[str, str, str]] = {
    ScenarioName.RELEASE: (PLAIN, "2 120 800", TAKEN),
    ScenarioName.REJECT: (PLAIN, "2 100", "2 100"),
    ScenarioName.ORDERREJECT: ("2 100", "2 100", "2 100"),
    ScenarioName.RECALL: (PLAIN, "2 120 300 100", "2 120 300 100"),
    ScenarioName.INSPECT: (PLAIN, "2 120 500 800", TAKEN),
    ScenarioName.REVIEW: (PLAIN, "2 3 120 300 399 800", TAKEN),
    ScenarioName.DETAIN: (PLAIN, "2 120 .", TAKEN),
    ScenarioName.SUSPEND: (PLAIN, "2 120 600", TAKEN),
    ScenarioName.ABROAD: (PLAIN, "2 120 500 700", TAKEN),
    ScenarioName.SILENT: (PLAIN, "", "2 120 800"),
    ScenarioName.ORDERSILENT: ("", "2 120 800", TAKEN),
    ScenarioName.LOST: (PLAIN, "", ""),
    ScenarioName.ORDERLOST: ("", "2 120 800", TAKEN),
    ScenarioName.DUPLICATE: ("2 120 2 120 2", "2 120 2 800 120 800 2 120 800", TAKEN),
    ScenarioName.EARLY: (PLAIN, "2 120 800", TAKEN),
    ScenarioName.REORDER: ("120 2", "800 120 2", TAKEN),
    ScenarioName.BADRECORD: ("-1", "-1", "-1"),
    ScenarioName.BUSY: (PLAIN, "4 2 120 800", TAKEN),
    ScenarioName.LATE: (PLAIN, "2 120 800", TAKEN),
    ScenarioName.NEGATIVE: (PLAIN, "-.", "2 120 800"),
    ScenarioName.SENT: (PLAIN, "2 3 120 800", TAKEN),
    ScenarioName.CLOSE: (PLAIN, "2 120 800 899", TAKEN),
    ScenarioName.TURNDOWN: (PLAIN, "2 120 100", "2 120 100"),
    ScenarioName.INSPECTREFUSE: (PLAIN, "2 120 500 100", "2 120 500 100"),
    ScenarioName.DECIDEREFUSE: (PLAIN, "2 120 399 100", "2 120 399 100"),
    ScenarioName.RESUME: (PLAIN, "2 120 600 800", TAKEN),
    ScenarioName.FREE: (PLAIN, "2 120 501 800", TAKEN),
    ScenarioName.REVOKE: (PLAIN, "2 120 800 100", "2 120 800 100"),
    ScenarioName.REINSPECT: (PLAIN, "2 120 800 500", TAKEN),
    ScenarioName.TURNBACK: (PLAIN, "2 120 800 700", TAKEN),
    ScenarioName.AGAIN: (PLAIN, "2 -621004 120 800", TAKEN),
    ScenarioName.AGAINTEXT: (PLAIN, "2 100 120 800", TAKEN),
    ScenarioName.FAULTLATE: (PLAIN, "2 120 -621008 800", TAKEN),
    ScenarioName.NOTLODGED: (PLAIN, "120 800", TAKEN),
    ScenarioName.ONLYRELEASE: (PLAIN, "800", TAKEN),
    ScenarioName.NEWSTATUS: (PLAIN, "2 777 120 800", TAKEN),
    ScenarioName.PLAINTEXT: (PLAIN, "2 100", "2 100"),
    ScenarioName.ORDERSENT: ("2 3 120", "2 120 800", TAKEN),
    ScenarioName.ORDERDONE: ("2 120 399", "2 120 800", TAKEN),
    ScenarioName.ORDERBUSY: ("4 2 120", "2 120 800", TAKEN),
    ScenarioName.ORDERAGAIN: ("2 -301010 120", "2 120 800", TAKEN),
    ScenarioName.ORDERTURNDOWN: ("2 120 100", "2 100", "2 100"),
    ScenarioName.ORDERNEGATIVE: ("-301013", "2 120 800", TAKEN),
    ScenarioName.SLOW: (PLAIN, "2 120 800", TAKEN),
    ScenarioName.REPLAY: ("2 120 2 120", "2 120 800 2 120 800", TAKEN),
    ScenarioName.TOGETHER: (PLAIN, "2 120 800", TAKEN),
    ScenarioName.EXCHANGE: ("R", "R", "2 120 800"),
    ScenarioName.PENDING: (PLAIN, "2 120", TAKEN),
    ScenarioName.NOCANCEL: (PLAIN, "2 3 120", TAKEN),
    ScenarioName.NORETURN: (PLAIN, "2 3 120 800 899", TAKEN),
    ScenarioName.OUTAGE: (PLAIN, "2 120 800", TAKEN),
    ScenarioName.DRIP: (PLAIN, "2 120 800", TAKEN),
    ScenarioName.PAYSEVERAL: (PLAIN, "2 120 800", TAKEN),
    ScenarioName.DELIVERYREFUSE: (PLAIN, "2 120 800", TAKEN),
    ScenarioName.DELIVERYSENT: (PLAIN, "2 120 800", TAKEN),
    ScenarioName.DELIVERYLOST: (PLAIN, "2 120 800", TAKEN),
}

# What the report of delivery gets; of a parcel that is not released there is nothing to report.
DELIVERIES = {
    ScenarioName.RELEASE: PLAIN,
    ScenarioName.DELIVERYREFUSE: "2 100",
    ScenarioName.DELIVERYSENT: "2 3 120",
    ScenarioName.DELIVERYLOST: "",
    ScenarioName.LOST: "2 120",
    ScenarioName.PENDING: "-505014",
    ScenarioName.REJECT: "-505014",
    ScenarioName.REVOKE: "-505014",
    ScenarioName.BADRECORD: "-505014",
}

# What the same order bytes get when they come again; else they are there already.
STORED = "-301010"
AGAIN = {
    ScenarioName.ORDERREJECT: "2 100",
    ScenarioName.ORDERSILENT: "2 120",
    ScenarioName.ORDERLOST: "",
    ScenarioName.BADRECORD: "-1",
    ScenarioName.ORDERTURNDOWN: "2 120 100",
    ScenarioName.ORDERNEGATIVE: "2 120",
    ScenarioName.EXCHANGE: "2 120",
}

Seen = list[tuple[int, str, str]]


def run(port: Port, one: Listed) -> list[Seen]:
    """File an order and its inventory, each twice in the same bytes, then a payment and, of a
    waybill filed in between, the delivery: what came, and when.
    """
    seen: list[Seen] = []
    data = b""
    order, inventory = wire.order(one.order_no), wire.inventory(one.order_no)
    for draft in (order, None, parcel(one.order_no), inventory, None):
        if draft is None:
            port.resend(data)
        else:
            data = port.send(draft)
        seen.append(_collect(port))
    for draft in (payment(one.order_no), delivery()):
        port.send(draft)
        seen.append(_collect(port))
    return seen


def _collect(port: Port) -> Seen:
    """What comes within the hour: after how many seconds, in a file of how many records."""
    began, step = port.now, []
    until = began + timedelta(seconds=HOUR)
    while (due := port.authority.next_due()) is not None and due <= until:
        port.now = max(port.now, due)
        after = round((port.now - began).total_seconds())
        for file in port.authority.due(port.now):
            answers = wire.read(file)
            step += [(after, one.status, f"{len(answers)} {_said(one)}") for one in answers]
    port.now = until
    return step


def _said(answer: wire.Answer) -> str:
    """A text without the guid that is in brackets in it."""
    return answer.info if "[Code" in answer.info else answer.info.partition("[")[0]


def short(step: Seen) -> str:
    return " ".join(status for _, status, _ in step)


@pytest.fixture(scope="module")
def traces(signer: wire.Signer) -> dict[str, list[Seen]]:
    from adapters.sandbox.customs import CustomsAuthority

    settings = Settings(any_certificate=True, timing=STEADY)
    return {one.order_no: run(Port(CustomsAuthority(1, settings), signer), one) for one in ALL}


def test_there_are_some_ninety_and_every_name_is_among_them() -> None:
    assert len({one.order_no for one in ALL}) == len(ALL) >= 70
    assert {one.name for one in ALL} == set(TRACES)
    assert {one.name for one in catalogue()} == set(ScenarioName)
    for one in ALL:
        assert one.text.zh
        assert one.text.en.isascii()


def test_no_two_scenarios_have_the_same_trace(traces: dict[str, list[Seen]]) -> None:
    by_trace: dict[str, list[str]] = {}
    for order_no, trace in traces.items():
        by_trace.setdefault(repr(trace), []).append(order_no)
    assert [names for names in by_trace.values() if len(names) > 1] == []


@pytest.mark.parametrize("one", ALL, ids=[one.order_no for one in ALL])
def test_a_scenario_has_its_trace(one: Listed, traces: dict[str, list[Seen]]) -> None:
    expected = tuple(part.replace(".", one.code) for part in TRACES[one.name])
    if one.name is ScenarioName.EXCHANGE and one.code[0] != "3":
        expected = (one.code, one.code, one.code)
    elif one.name is ScenarioName.EXCHANGE:
        expected = tuple(part.replace("R", one.code) for part in TRACES[one.name])
    elif one.name is ScenarioName.REJECT and one.code.startswith("621"):
        expected = (PLAIN, f"-{one.code}", f"-{one.code}")
    elif one.name is ScenarioName.REJECT and one.code.startswith("301"):
        expected = (f"-{one.code}", "2 100", "2 100")
    order, order_again, _, *inventory, slip, delivered = map(short, traces[one.order_no])
    assert delivered == DELIVERIES.get(one.name, delivered)
    assert (slip == "-401003") == (one.name is ScenarioName.PAYSEVERAL)
    assert (order, *inventory) == expected
    again = AGAIN.get(one.name, STORED)
    is_refused_for_good = one.code.startswith("301") or set(expected) == {one.code}
    assert order_again == (expected[0] if is_refused_for_good else again)

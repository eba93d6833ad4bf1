"""The carrier's word that a parcel was delivered (513) is held against the books of customs."""

from __future__ import annotations

import json

import pytest

from adapters.sandbox.customs import Settings
from tests.unit.sandbox import wire
from tests.unit.sandbox.export_wire import ExportDraft, delivery, parcel
from tests.unit.sandbox.port import Port, PortFactory

HOUR = 3600.0
NO = "XP0001"


def released(port: Port, order_no: str = NO) -> Port:
    """A port at which the parcel of an order was released."""
    port.filed_order(order_no)
    port.send(parcel(order_no))
    port.collect(HOUR)
    port.send(wire.inventory(order_no))
    assert port.statuses(HOUR)[-1] == "800"
    return port


def test_a_delivery_is_stored_once_and_its_answer_names_the_parcel(port: Port) -> None:
    released(port)
    port.send(delivery())
    answers = port.collect(HOUR)
    assert [one.status for one in answers] == ["2", "120"]
    assert {tuple(one.fields.get(name) for name in ("logisticsNo", "logisticsStatus"))
            for one in answers} == {("W0001", "S")}  # fmt: skip
    port.send(delivery(appTime="20261114100100"))
    assert port.statuses(HOUR) == ["-505012"]
    port.send(delivery(appType="2", appTime="20261114100000"))
    assert port.statuses(HOUR) == ["-505016"]
    port.send(delivery(appType="2", appTime="20261114100200"))
    assert port.statuses(HOUR) == ["2", "120"]
    (entry,) = json.loads(port.authority.ledger.to_json())["deliveries"]
    assert (entry["submissions"], entry["status"], entry["live"]) == (4, "120", True)


@pytest.mark.parametrize(
    "report, code",
    [
        (delivery(logisticsTime="20261114100001"), "-505011"),
        (delivery(logisticsTime="20261113256000"), "-505011"),
        (delivery(appStatus="1"), "-505011"),
        (delivery(logisticsNo="W0002"), "-505014"),
        (delivery(logisticsCode="1100000009"), "-505014"),
        (delivery(appType="2"), "-505014"),
    ],
)
def test_what_does_not_hold_is_refused(port: Port, report: ExportDraft, code: str) -> None:
    released(port)
    port.send(report)
    assert port.statuses(HOUR) == [code]


def test_a_parcel_that_customs_did_not_let_go_was_not_delivered(port: Port) -> None:
    port.filed_order("SIM-PENDING-1")
    port.send(
        parcel("SIM-PENDING-1"),
    )
    port.collect(HOUR)
    port.send(delivery())
    assert port.statuses(HOUR) == ["-505014"]
    port.send(wire.inventory("SIM-PENDING-1"))
    assert port.statuses(HOUR) == ["2", "120"]
    port.send(delivery())
    assert port.statuses(HOUR) == ["-505014"]


def test_a_refused_delivery_may_be_reported_again(port: Port) -> None:
    released(port, "SIM-DELIVERYREFUSE-1")
    for minute in ("00", "01"):
        port.send(delivery(appTime=f"202611141000{minute}"))
        assert port.statuses(HOUR) == ["2", "100"]


def test_another_status_than_signed_fails_the_schema(port: Port) -> None:
    released(port)
    port.send(delivery(logisticsStatus="R"))
    assert port.statuses(HOUR) == ["-1"]


def test_a_message_of_deliveries_needs_its_signature(port: Port) -> None:
    released(port)
    port.resend(wire.message(delivery()))
    assert port.statuses(HOUR) == ["-505011"]


def test_a_customs_that_checks_nothing_takes_a_delivery_too(open_port: PortFactory) -> None:
    port = open_port(Settings.bench())
    port.send(delivery())
    assert port.statuses(HOUR)[-1] == "120"

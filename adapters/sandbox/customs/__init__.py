"""The simulated customs authority and the folders it is reached through."""

from adapters.sandbox.customs.authority import CustomsAuthority
from adapters.sandbox.customs.ledger import Filing, Ledger, PaymentCopy, Receipt, WaybillCopy
from adapters.sandbox.customs.receipts import OutgoingFile
from adapters.sandbox.customs.scenarios import (
    SCENARIOS,
    Scenario,
    ScenarioName,
    ScenarioText,
    parse_scenario,
)
from adapters.sandbox.customs.settings import (
    CUSTOMS_ID,
    AddressCheck,
    Delay,
    Enterprise,
    RefilePolicy,
    Settings,
    Timing,
)

__all__ = [
    "CUSTOMS_ID",
    "SCENARIOS",
    "AddressCheck",
    "CustomsAuthority",
    "Delay",
    "Enterprise",
    "Filing",
    "Ledger",
    "OutgoingFile",
    "PaymentCopy",
    "Receipt",
    "RefilePolicy",
    "Scenario",
    "ScenarioName",
    "ScenarioText",
    "Settings",
    "Timing",
    "WaybillCopy",
    "parse_scenario",
]

"""The list of scenarios of both directions: every name, and every code that it is known to take.

Each has an order number to try it with, and a wire trace that no other of its direction has. Of an
export the waybill bears a number that begins like the order's: its own receipts follow it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final

from adapters.sandbox.customs import codes
from adapters.sandbox.customs.scenarios import SCENARIOS, ScenarioName, ScenarioText, parse_scenario

# Codes beside the default one of each name that takes any.
_CODES: Final[Mapping[ScenarioName, tuple[str, ...]]] = MappingProxyType(
    {
        ScenarioName.REJECT: (
            "1300", "1313", "1320", "1322", "1332", "13035", "13127", "130126",
            "621005", "621015", "621016", "621018", "621021", "621025", "621026", "621027",
            "621028", "621029", "621030", "301002", "301008", "301014", "301015", "301020",
        ),
        ScenarioName.DETAIN: ("502", "503", "599"),
        ScenarioName.NEGATIVE: ("621009", "621017", "621022"),
        ScenarioName.EXCHANGE: (
            "0001", "0002", "0999", "1001", "1002", "1003", "1004", "1999", "2001", "2002", "2999",
            "3001", "3002", "3999",
        ),
    }
)  # fmt: skip


_OF_EXPORTS: Final = (
    ScenarioName.FUNDSREJECT,
    ScenarioName.FUNDSSENT,
    ScenarioName.FUNDSTURNDOWN,
    ScenarioName.FUNDSLOST,
    ScenarioName.PARCELREJECT,
    ScenarioName.PARCELSLOW,
    ScenarioName.PARCELHALF,
    ScenarioName.PARCELLOST,
    ScenarioName.LISTREFUSE,
    ScenarioName.LISTSENT,
    ScenarioName.LISTLOST,
    ScenarioName.BADPARCEL,
    ScenarioName.HOMESENT,
    ScenarioName.HOMEREVIEW,
    ScenarioName.HOMEINSPECT,
    ScenarioName.HOMEHANDOVER,
    ScenarioName.HOMEHOLD,
    ScenarioName.HOMELOST,
    ScenarioName.TALLYREFUSE,
    ScenarioName.TALLYSENT,
    ScenarioName.TALLYLOST,
    ScenarioName.SUMMARYREFUSE,
    ScenarioName.SUMMARYSENT,
    ScenarioName.SUMMARYONLY,
    ScenarioName.SUMMARYLOST,
)
# What an inventory of an import alone can become, or is asked about it.
_OF_IMPORTS: Final = frozenset(
    {ScenarioName.DETAIN, ScenarioName.FREE, ScenarioName.ABROAD, ScenarioName.TURNBACK}
    | {ScenarioName.PAYSEVERAL}
    | {ScenarioName.DELIVERYREFUSE, ScenarioName.DELIVERYSENT, ScenarioName.DELIVERYLOST}
)
_EXPORT_CODES: Final[Mapping[ScenarioName, tuple[str, ...]]] = MappingProxyType(
    {
        ScenarioName.REJECT: ("1300", "1320", "1322", "621015", "301008"),
        ScenarioName.EXCHANGE: ("0002", "2001"),
    }
)


@dataclass(frozen=True, slots=True)
class Listed:
    """One scenario: an order number that selects it, its name, its code or "", what it does."""

    order_no: str
    name: ScenarioName
    code: str
    text: ScenarioText
    direction: str = "import"

    def to_dict(self) -> dict[str, str]:
        """The JSON value of a listing."""
        return {
            "order_no": self.order_no,
            "direction": self.direction,
            "scenario": self.name.value,
            "code": self.code,
            "zh": self.text.zh,
            "en": self.text.en,
        }


def catalogue() -> tuple[Listed, ...]:
    """Every scenario of imports, then of exports, in the order of their names' definition."""
    of_imports = (name for name in ScenarioName if name not in _OF_EXPORTS)
    of_exports = (name for name in ScenarioName if name not in _OF_IMPORTS)
    return (
        *(one for name in of_imports for one in _of(name, _CODES, "")),
        *(
            replace(one, direction="export")
            for name in of_exports
            for one in _of(name, _EXPORT_CODES, "E")
        ),
    )


def _of(
    name: ScenarioName, codes_of: Mapping[ScenarioName, tuple[str, ...]], mark: str
) -> Iterator[Listed]:
    code = parse_scenario(f"SIM-{name}-1").code
    yield Listed(f"SIM-{name}{code}-{mark}1", name, code, SCENARIOS[name])
    for other in codes_of.get(name, ()):
        text = SCENARIOS[name]
        meaning = codes.meaning(other)
        zh = f"{text.zh}；代码 {other}：{meaning}" if meaning else f"{text.zh}；代码 {other}"
        described = ScenarioText(zh, f"{text.en}; code {other}")
        yield Listed(f"SIM-{name}{other}-{mark}1", name, other, described)

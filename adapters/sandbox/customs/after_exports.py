"""What the authority checks in the records that follow an export: its return (213), the tally of
the goods that came back (215), the summary of a period (701).

Each is held against the books of the exports, so what customs did not release comes not back and is
not summed up, and nothing twice. The error table has no codes of tallies and summaries: those of
lists are used.
"""

from collections.abc import Iterator
from decimal import Decimal
from types import MappingProxyType
from typing import Final

from adapters.sandbox.customs.checks import Refusal, eport, number, repeated_gnum
from adapters.sandbox.customs.ledger import Filing, Ledger
from adapters.sandbox.customs.messages import Kind, Paper

# The trade mode of a return by that of its inventory.
_MODES: Final = MappingProxyType({"1210": "1261"})
_USUAL_MODE: Final = "9661"
_ON_THE_WAY_HOME: Final = ("logisticsCode", "logisticsNo", "voyageNo", "billNo")


def return_fault(books: Ledger, paper: Paper) -> Refusal | None:
    """Check a 213: what the inventory names, no more than it declared less other returns."""
    inventory = books.numbered(paper.get("invtNo"))
    if inventory is None:
        return eport("-625204")
    wanted = {
        "ieFlag": "I",
        "tradeMode": _MODES.get(inventory.paper.get("tradeMode"), _USUAL_MODE),
        "logisticsNo": inventory.paper.get("logisticsNo"),
    }
    for name, value in wanted.items():
        if paper.get(name) != value:
            return eport("-625017", name)
    declared = {line.get("gnum", ""): line for line in inventory.paper.lines}
    if repeated_gnum(paper):
        return eport("-625209")
    others = [one for one in _live(books, Kind.EXPORT_RETURN) if _same(one, paper, ("invtNo",))]
    for line in paper.lines:
        gnum = line.get("gnum", "")
        of_inventory = declared.get(gnum)
        if of_inventory is None or of_inventory.get("gcode") != line.get("gcode"):
            return eport("-625209")
        asked = number(line.get("qty", ""))
        back = sum((_quantity(one.paper, gnum) for one in others), asked)
        if asked <= 0 or back > number(of_inventory.get("qty", "")):
            return eport("-625017", "qty")
    return None


def tally_fault(books: Ledger, paper: Paper) -> Refusal | None:
    """Check a 215: a return lives that comes home on just that way, and was not counted yet."""
    if paper.get("appStatus") != "2" or paper.get("ieFlag") != "I":
        return eport("-800001", "appStatus")
    returns = [
        one for one in _live(books, Kind.EXPORT_RETURN) if _same(one, paper, _ON_THE_WAY_HOME)
    ]
    if paper.get("invtNo"):
        returns = [one for one in returns if _same(one, paper, ("invtNo",))]
    counted = [
        one for one in _live(books, Kind.RETURN_TALLY) if _same(one, paper, _ON_THE_WAY_HOME)
    ]
    return None if len(returns) > len(counted) else eport("-800001", "logisticsNo")


def summary_fault(books: Ledger, paper: Paper) -> Refusal | None:
    """Check a 701: released inventories of one merchant that are to be summed up, each once.

    A request by a range of times alone (startTime, endTime) is not served.
    """
    numbers = [line.get("invtNo", "") for line in paper.lines]
    if not numbers:
        return eport("-800000")
    if paper.get("appStatus") != "2" or len(set(numbers)) != len(numbers):
        return eport("-800001", "invtNo")
    summed = {
        line.get("invtNo", "")
        for one in _live(books, Kind.SUMMARY_REQUEST)
        for line in one.paper.lines
    }
    for one in numbers:
        inventory = books.numbered(one)
        if inventory is None or not inventory.live or "800" not in inventory.trail:
            return eport("-800001", "invtNo")
        if inventory.paper.get("statisticsFlag") != "B" or one in summed:
            return eport("-800001", "invtNo")
        if not _same(inventory, paper, ("ebcCode", "agentCode", "customsCode")):
            return eport("-800001", "ebcCode")
    return None


def declarations_of(books: Ledger, request: Filing) -> list[list[Filing]]:
    """The inventories of a summary by the general declaration that they go into: by destination."""
    groups: dict[str, list[Filing]] = {}
    for line in request.paper.lines:
        inventory = books.numbered(line.get("invtNo", ""))
        if inventory is not None:
            groups.setdefault(inventory.paper.get("country"), []).append(inventory)
    return list(groups.values())


def _live(books: Ledger, kind: Kind) -> Iterator[Filing]:
    return (one for one in list(books.requests.values()) if one.kind is kind and one.live)


def _same(filing: Filing, paper: Paper, names: tuple[str, ...]) -> bool:
    return all(filing.paper.get(name) == paper.get(name) for name in names)


def _quantity(paper: Paper, gnum: str) -> Decimal:
    """How much of a line a return takes back."""
    found = (number(line.get("qty", "")) for line in paper.lines if line.get("gnum") == gnum)
    return sum(found, Decimal(0))

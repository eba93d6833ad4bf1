"""Charts as plain geometry: a template draws the bars, a table beside them says the numbers."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar of a chart: its place, its size and what it says."""

    label: str
    value: int
    y: int
    width: int
    text: str = ""


def bars(values: Sequence[tuple[str, int, str]], longest: int = 320, step: int = 26) -> list[Bar]:
    """Horizontal bars (label, value, text), the greatest as long as ``longest``."""
    most = max((value for _, value, _ in values), default=0) or 1
    return [
        Bar(label, value, place * step, max(round(value * longest / most), 2 if value else 0), text)
        for place, (label, value, text) in enumerate(values)
    ]

"""The customs regime of this program: the one place that names it."""

from typing import Final

from adapters.discovery import regime
from gateway.ports import Regime

_REGIME: Final = "ceb"


def customs_regime() -> Regime:
    """A regime of its own for who asks; making one loads the schemas of its messages."""
    made: Regime = regime(_REGIME).create()
    return made

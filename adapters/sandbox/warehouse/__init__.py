"""A bonded warehouse's server: receives notices and acknowledges releases by calling back."""

from adapters.sandbox.hooks import Behaviour, Notice, Tally
from adapters.sandbox.warehouse.server import Acknowledge, RunningWarehouse, start

__all__ = ["Acknowledge", "Behaviour", "Notice", "RunningWarehouse", "Tally", "start"]

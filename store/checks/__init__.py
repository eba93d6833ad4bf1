"""The promises of the gateway, each with a checker that reads what is stored (``clearance check``).

Every check is a function over one connection that yields what it finds; it walks the tables in key
order, a few hundred cases at a time, so memory stays flat whatever the size of the database.
"""

from store.checks.base import CheckName, CheckSettings, Report, Verify, Violation
from store.checks.run import run_checks

__all__ = ["CheckName", "CheckSettings", "Report", "Verify", "Violation", "run_checks"]

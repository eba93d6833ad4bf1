"""Tools of the system that some tests use: skipped where missing, demanded by the full check."""

from __future__ import annotations

import os
import shutil
from typing import NoReturn

import pytest

REQUIRE_TOOLS = "CLEARANCE_REQUIRE_TOOLS"


def missing(what: str) -> NoReturn:
    """Skip this test for want of ``what``; fail instead when the environment demands all tools."""
    reason = f"{what} is not installed; run `make deps`"
    if os.environ.get(REQUIRE_TOOLS) == "1":
        pytest.fail(reason)
    pytest.skip(reason)


def require_tool(name: str) -> str:
    """The path of the command ``name``, or the test ends here as :func:`missing` says."""
    path = shutil.which(name)
    return path if path is not None else missing(name)

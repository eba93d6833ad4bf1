"""The integration chapter of the README: every command in it is run against a gateway."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from pathlib import Path

from tests.integration.client.conftest import Live
from tests.tools import require_tool

ROOT = Path(__file__).parents[3]


def blocks(language: str) -> list[str]:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    chapter = text.split("## Integrate in an afternoon\n")[1].split("\n## ")[0]
    return re.findall(rf"```{language}\n(.*?)```", chapter, re.DOTALL)


async def run(live: Live, *command: str) -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=ROOT,
        env={**os.environ, "GATEWAY": live.address, "KEY": live.key, "PYTHONPATH": str(ROOT)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    async with asyncio.timeout(60):
        said, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, said.decode()


async def test_the_python_of_the_readme_runs(live: Live) -> None:
    (program,) = blocks("python")
    status, said = await run(live, sys.executable, "-c", program)
    assert status == 0, said
    assert "block" in said
    assert "API-102 ['paid']" in said
    assert "declaration_planned" in said


async def test_the_commands_of_the_readme_run(live: Live) -> None:
    require_tool("curl")
    (commands,) = blocks("sh")
    for command in commands.strip().splitlines():
        status, said = await run(live, "sh", "-c", command)
        assert status == (28 if "--max-time" in command else 0), said
        assert "API-" not in said
        assert said.startswith(('{"cases":', '{"findings":', "retry: 1000"))

"""Every worked example of the documentation page, sent in its order to a furnished gateway."""

from __future__ import annotations

from typing import Any

import aiohttp
import orjson

from gateway.api.examples import EXAMPLES
from tests.integration.client.conftest import Live


def holds(answer: Any, wanted: Any, saved: dict[str, str]) -> bool:
    """Whether an answer holds at least what is wanted; lists may go on."""
    if isinstance(wanted, dict):
        return all(name in answer and holds(answer[name], wanted[name], saved) for name in wanted)
    if isinstance(wanted, list):
        return len(answer) >= len(wanted) and all(
            holds(one, other, saved) for one, other in zip(answer, wanted, strict=False)
        )
    if isinstance(wanted, str):
        wanted = wanted.format(**saved)
    return bool(answer == wanted)


async def test_every_example_answers_as_documented(live: Live) -> None:
    saved: dict[str, str] = {}
    async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {live.key}"}) as session:
        for example in EXAMPLES:
            headers = {**example.headers, "Content-Type": "application/json"}
            body = None if example.body is None else orjson.dumps(example.body)
            if example.lines:
                headers["Content-Type"] = "application/x-ndjson"
                body = b"\n".join(map(orjson.dumps, example.lines))
            address = live.address + example.path.format(**saved)
            async with session.request(
                example.method, address, data=body, headers=headers
            ) as answer:
                doc = orjson.loads(await answer.read())
                assert answer.status == example.status, (example.title, doc)
            assert holds(doc, example.answer, saved), (example.title, doc)
            saved |= {name: doc[member] for name, member in example.saves.items()}


async def test_the_page_shows_them_without_a_network(live: Live) -> None:
    async with aiohttp.ClientSession() as session, session.get(f"{live.address}/v1/docs") as page:
        text = await page.text()
        policy = page.headers["Content-Security-Policy"]
    assert page.status == 200
    assert "style-src 'sha256-" in policy
    for number, example in enumerate(EXAMPLES, 1):
        assert f'id="example-{number}"' in text
        assert example.title_zh in text
    assert "http://" not in text.replace("http://127.0.0.1:9/", "")
    assert "https://" not in text

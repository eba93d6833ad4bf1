"""A small API beside the control: what its card has seen, and which fault it has now.

``GET /`` is JSON; ``POST /fault`` with ``{"fault": "hang"}`` changes what is wrong with it.
"""

import asyncio
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from aiohttp import web

from adapters.sandbox.ukey import PIN_TRIES, Control, Fault

FAULT_TEXTS: Final[Mapping[Fault, tuple[str, str]]] = MappingProxyType(
    {
        Fault.NONE: ("正常", "nothing is wrong"),
        Fault.LIGHT_OFF: ("未插卡，读卡器打不开（Custom50200）", "no card: reader does not open"),
        Fault.OTHER_CARD: ("插入的不是绑定的卡（Custom51590）", "a card that is not the bound one"),
        Fault.READER_RESET: ("读卡器复位错误（Custom50070）", "the reader failed to reset"),
        Fault.UNKNOWN: ("未公布的错误代码", "a code that nobody has published"),
        Fault.HANG: ("不答复", "no answer at all"),
        Fault.CROSSED: ("答复串到别的方法", "answers under another method's name"),
        Fault.STALE_FIRST: ("先送上一次的迟到答复", "a late answer of another call comes first"),
        Fault.FOREIGN_SIGNATURE: ("签的不是所给内容", "signs something else than it was given"),
        Fault.TRUNCATED: ("签名 base64 被截断", "the base64 of the signature is cut"),
        Fault.DER: ("SM2 签名为 DER 而非 r||s", "an SM2 signature in DER instead of r||s"),
        Fault.BARE: (
            "答复没有信封（个别控件如此）",
            "answers without envelope, as some do",
        ),
        Fault.NOT_JSON: ("答复不是 JSON", "an answer that is not JSON"),
        Fault.DROP: ("连接中断", "the connection is dropped"),
    }
)


def state_of(control: Control) -> dict[str, Any]:
    """What the control has seen, without its PIN or key (Any: JSON)."""
    return {
        "fault": control.fault.value,
        "signatures": control.signatures,
        "pin_tries_left": control.card.tries_left,
        "is_locked": control.card.tries_left == 0,
        "overlaps": control.overlaps,
        "calls": len(control.calls),
    }


def control_app(control: Control) -> web.Application:
    """The application to serve."""

    async def state(request: web.Request) -> web.Response:
        return web.json_response(state_of(control))

    async def set_fault(request: web.Request) -> web.Response:
        try:
            control.fault = Fault((await request.json())["fault"])
        except (ValueError, KeyError, TypeError):
            names = ", ".join(Fault)
            return web.json_response({"error": f"fault must be one of: {names}"}, status=422)
        return web.json_response(state_of(control))

    async def unlock(request: web.Request) -> web.Response:
        control.card.tries_left = PIN_TRIES
        return web.json_response(state_of(control))

    app = web.Application()
    app.add_routes(
        [web.get("/", state), web.post("/fault", set_fault), web.post("/unlock", unlock)]
    )
    return app


async def run_control(control: Control, port: int, page_port: int | None) -> None:
    """Serve the control, and the API where a port is given; for ever."""
    async with control.running(port):
        if page_port is None:
            await asyncio.Event().wait()
        runner = web.AppRunner(control_app(control), shutdown_timeout=1)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", page_port).start()
            await asyncio.Event().wait()
        finally:
            await runner.cleanup()

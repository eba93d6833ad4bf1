"""The least server there can be: aiohttp, one POST, one order validated by pydantic; a limit."""

from __future__ import annotations

import asyncio
import sys

from aiohttp import web

from gateway.api.edge import ORDER


async def serve(port: int) -> None:
    """Answer until standard input ends."""

    async def take(request: web.Request) -> web.Response:
        ORDER.validator.validate_json(await request.read())
        return web.Response(body=b"{}", content_type="application/json")

    app = web.Application()
    app.router.add_post("/v1/orders", take)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port, backlog=1024).start()
    print("ready", flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    await runner.cleanup()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1])))

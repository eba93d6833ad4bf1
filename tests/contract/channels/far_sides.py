"""The other end of each channel: what arrived, what waits, a way that fails."""

from __future__ import annotations

import asyncio
import base64
import io
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeVar

import aio_pika
import aiohttp
from aiohttp import web

from adapters.customs.channels.broker import BrokerChannel, Queues
from adapters.customs.channels.folder import FolderChannel
from adapters.customs.channels.relay import Addresses, Manners, RelayChannel
from gateway.api.callbacks import CALLBACKS, callbacks
from gateway.ports import Channel
from tests.support.rabbitmq import RabbitServer

T = TypeVar("T")
LIMIT = 4 * 1024 * 1024


class FarSide(Protocol):
    """Whoever stands at the other end."""

    channel: Channel
    aside: list[str]

    async def taken(self) -> list[tuple[str, bytes]]:
        """What arrived so far: name and bytes, oldest first; a repeat may show once or twice."""
        ...

    async def put(self, name: str, body: bytes) -> None:
        """Leave a message for the gateway; later ones are younger."""
        ...

    async def fail(self) -> None:
        """From now on the way is not there."""
        ...

    async def mend(self) -> None:
        """It is there again."""
        ...


class Inline:
    """Runs on the loop: the folders of a test are small."""

    async def run(self, function: Callable[..., T], *arguments: Any) -> T:
        return function(*arguments)


@dataclass
class Folders:
    """A transfer client's folders."""

    folder: Path
    aside: list[str] = field(default_factory=list)
    age: int = 0

    def __post_init__(self) -> None:
        for name in ("send", "receive", "done", "error"):
            (self.folder / name).mkdir()
        self.channel: Channel = FolderChannel(
            "way",
            self.folder / "send",
            self.folder / "receive",
            done_dir=self.folder / "done",
            error_dir=self.folder / "error",
            executor=Inline(),
            most_bytes=LIMIT,
            set_aside=lambda channel, name: self.aside.append(name),
        )

    async def taken(self) -> list[tuple[str, bytes]]:
        files = sorted((self.folder / "send").iterdir(), key=lambda path: path.stat().st_mtime_ns)
        return [(path.name, path.read_bytes()) for path in files]

    async def put(self, name: str, body: bytes) -> None:
        hidden = self.folder / "receive" / f".{name}.tmp"
        hidden.write_bytes(body)
        hidden.rename(hidden.with_name(name))

    async def fail(self) -> None:
        for name in ("send", "receive"):
            (self.folder / name).rename(self.folder / f"{name}-gone")

    async def mend(self) -> None:
        for name in ("send", "receive"):
            (self.folder / f"{name}-gone").rename(self.folder / name)


@asynccontextmanager
async def folders(tmp_path: Path) -> AsyncIterator[FarSide]:
    yield Folders(tmp_path)


class Cable:
    """Carries bytes between the channel and a server, and can be cut or made to swallow answers."""

    def __init__(self, to_port: int) -> None:
        self._to_port = to_port
        self._server: asyncio.Server | None = None
        self._ends: set[asyncio.StreamWriter] = set()
        self.port = 0
        self.swallows = False

    async def plug(self) -> None:
        self._server = await asyncio.start_server(self._carry, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def cut(self) -> None:
        assert self._server is not None
        self._server.close()
        for one in list(self._ends):
            one.close()
        await self._server.wait_closed()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", self._to_port)
        self._ends |= {writer, back}
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._pump(reader, back, answers=False))
                tasks.create_task(self._pump(there, writer, answers=True))
        finally:
            self._ends -= {writer, back}

    async def _pump(
        self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, *, answers: bool
    ) -> None:
        with suppress(ConnectionError):
            while data := await source.read(65536):
                if not (answers and self.swallows):
                    sink.write(data)
                    await sink.drain()
        sink.close()


@dataclass
class Broker:
    """RabbitMQ behind a cable."""

    cable: Cable
    channel: Channel
    direct: aio_pika.abc.AbstractChannel
    names: Queues
    aside: list[str] = field(default_factory=list)
    _seen: list[tuple[str, bytes]] = field(default_factory=list)

    async def taken(self) -> list[tuple[str, bytes]]:
        queue = await self.direct.get_queue(self.names.send)
        while (message := await queue.get(fail=False)) is not None:
            assert message.delivery_mode is aio_pika.DeliveryMode.PERSISTENT
            self._seen.append((str(message.message_id), message.body))
            await message.ack()
        return list(self._seen)

    async def put(self, name: str, body: bytes) -> None:
        message = aio_pika.Message(
            body, message_id=name, delivery_mode=aio_pika.DeliveryMode.PERSISTENT
        )
        await self.direct.default_exchange.publish(message, self.names.receive)

    async def fail(self) -> None:
        await self.cable.cut()

    async def mend(self) -> None:
        await self.cable.plug()


@asynccontextmanager
async def broker(server: RabbitServer, prefix: str) -> AsyncIterator[Broker]:
    """Queues of this test's own."""
    prefix = re.sub(r"\W", "_", prefix)
    names = Queues(f"{prefix}.out", f"{prefix}.in", error=f"{prefix}.error")
    cable = Cable(server.port)
    await cable.plug()
    connection = await aio_pika.connect(f"amqp://guest:guest@127.0.0.1:{server.port}/")
    async with connection, await connection.channel() as direct:
        for name in (names.send, names.receive, f"{prefix}.error"):
            await direct.declare_queue(name, durable=True)
        aside: list[str] = []
        channel = BrokerChannel(
            "way",
            f"amqp://guest@127.0.0.1:{cable.port}/",
            "guest",
            names,
            most_bytes=LIMIT,
            set_aside=lambda way, name: aside.append(name),
        )
        try:
            yield Broker(cable, channel, direct, names, aside)
        finally:
            await channel.close()
            await cable.cut()


@dataclass
class Relay:
    """A city platform: takes posts, and gives receipts or brings them."""

    token: str = "let-me-in"
    seen: list[tuple[str, bytes]] = field(default_factory=list)
    waiting: dict[str, tuple[str, bytes]] = field(default_factory=dict)
    aside: list[str] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)
    says: str = "OK"
    channel: Channel = field(init=False)
    _numbers: int = 0
    _port: int = 0
    _runner: web.AppRunner | None = None

    def app(self) -> web.Application:
        app = web.Application(client_max_size=64 * 1024 * 1024)
        app.router.add_post("/send", self._take)
        app.router.add_get("/receipts", self._give)
        app.router.add_post("/receipts/ack", self._drop)
        return app

    async def _take(self, request: web.Request) -> web.Response:
        if request.headers.get("Authorization") != f"Bearer {self.token}":
            return web.Response(status=401)
        if self.answers:
            return web.Response(status=self.answers.pop(0))
        if request.content_type == "application/x-www-form-urlencoded":
            body = str((await request.post())["xml"]).encode()
        else:
            body = await request.read()
        self.seen.append((request.headers["X-Message-Name"], body))
        return web.Response(text=self.says)

    async def _give(self, request: web.Request) -> web.Response:
        limit = int(request.query["limit"])
        given = [
            {"id": number, "name": name, "data": base64.b64encode(body).decode()}
            for number, (name, body) in list(self.waiting.items())[:limit]
        ]
        return web.json_response({"messages": given}) if given else web.Response(status=204)

    async def _drop(self, request: web.Request) -> web.Response:
        for number in (await request.json())["ids"]:
            self.waiting.pop(number, None)
        return web.Response(status=204)

    async def taken(self) -> list[tuple[str, bytes]]:
        return list(self.seen)

    async def put(self, name: str, body: bytes) -> None:
        self._numbers += 1
        self.waiting[str(self._numbers)] = (name, body)

    async def fail(self) -> None:
        assert self._runner is not None
        await self._runner.cleanup()

    async def mend(self) -> None:
        self._runner = web.AppRunner(self.app(), shutdown_timeout=0)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self._port)
        await site.start()
        self._port = site.port

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self._port}"


@asynccontextmanager
async def relay(*, form: bool = False, expects: str | None = None) -> AsyncIterator[Relay]:
    """A relay that is asked for receipts."""
    far = Relay()
    await far.mend()
    base = far.base
    async with RelayChannel(
        "way",
        Addresses(f"{base}/send", f"{base}/receipts", f"{base}/receipts/ack"),
        Manners("xml" if form else None, expects, far.token),
        most_bytes=LIMIT,
        set_aside=lambda channel, name: far.aside.append(name),
    ) as channel:
        far.channel = channel
        yield far
        await far.fail()


@dataclass
class CallingRelay(Relay):
    """A relay that brings receipts to the gateway's callback address, until they are kept."""

    calls: list[asyncio.Task[int]] = field(default_factory=list)
    address: str = ""
    session: aiohttp.ClientSession | None = None
    callback_token: str = "it-is-me"

    async def put(self, name: str, body: bytes) -> None:
        self.calls.append(asyncio.create_task(self.bring(name, body)))
        await asyncio.sleep(0.05)

    async def bring(self, name: str, body: bytes, token: str | None = None) -> int:
        assert self.session is not None
        async with self.session.post(
            self.address,
            data=io.BytesIO(body),
            headers={
                "Authorization": f"Bearer {token or self.callback_token}",
                "X-Message-Name": name,
            },
        ) as answer:
            return answer.status


@asynccontextmanager
async def calling_relay(
    set_aside: Callable[[str, str], None] | None = None,
) -> AsyncIterator[CallingRelay]:
    """A relay that calls, and the gateway's listener for it."""
    far = CallingRelay()
    await far.mend()
    async with (
        RelayChannel(
            "way",
            Addresses(f"{far.base}/send", check=f"{far.base}/receipts?limit=0"),
            Manners(token=far.token, callback_token=far.callback_token),
            most_bytes=LIMIT,
            set_aside=set_aside,
        ) as channel,
        aiohttp.ClientSession() as session,
    ):
        app = web.Application()
        app.add_subapp(CALLBACKS, callbacks({"way": channel}))
        runner = web.AppRunner(app, shutdown_timeout=0)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        far.channel, far.session = channel, session
        far.address = f"http://127.0.0.1:{site.port}{CALLBACKS}/way"
        yield far
        channel.let_go()
        await asyncio.gather(*far.calls)
        await runner.cleanup()
        await far.fail()


class Serving:
    """A relay whose list of receipts a test writes itself (Any: an aiohttp handler)."""

    def __init__(self, give: Any, aside: list[str]) -> None:
        self._give, self._aside = give, aside

    async def __aenter__(self) -> RelayChannel:
        app = web.Application()
        app.router.add_get("/", self._give)
        self._runner = web.AppRunner(app, shutdown_timeout=0)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        base = f"http://127.0.0.1:{site.port}/"
        self._channel = RelayChannel(
            "way",
            Addresses(base, base, base),
            Manners(),
            set_aside=lambda channel, name: self._aside.append(name),
        )
        return await self._channel.__aenter__()

    async def __aexit__(self, *caught: Any) -> None:
        await self._channel.__aexit__(*caught)
        await self._runner.cleanup()

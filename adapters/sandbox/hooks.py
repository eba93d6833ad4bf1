"""The receiving end of signed notices, as a warehouse's or seller's own server would be.

Signatures follow Standard Webhooks and are checked with the public library of that standard,
with its tolerance of five minutes. One POST carries one notice, or up to 100 of them as
``{"notices": [...]}`` (a seller's are called ``events``).
"""

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from aiohttp import web
from standardwebhooks import Webhook
from standardwebhooks.webhooks import WebhookVerificationError

BATCH: Final = 100
"""Most notices of one POST."""

_BODY_BYTES: Final = 4 * 1024 * 1024
_REFUSED: Final = "不接收 will not take it"
_NOT_NOW: Final = "稍后再送 not now"
_NEEDED: Final = ("id", "type", "created_at", "case", "data")


@dataclass(frozen=True, slots=True)
class Notice:
    """One notice as received; ``case`` and ``data`` are whatever JSON was sent."""

    id: str
    type: str
    created_at: str
    case: object
    data: object


@dataclass(frozen=True, slots=True)
class Behaviour:
    """How the receiver misbehaves; the default is a healthy one.

    ``fail_first`` requests are answered with ``fail_status``; ``hang_first`` requests after
    those get no answer for ``hang_s`` seconds; every request waits ``delay_s``. ``gone``
    answers 410. Notices whose type or id is in ``refuse`` are refused, in ``retry_once``
    answered "retry" the first time. ``plain`` skips signatures, for benchmarks.
    """

    fail_first: int = 0
    fail_status: int = 500
    hang_first: int = 0
    hang_s: float = 60
    delay_s: float = 0
    gone: bool = False
    refuse: frozenset[str] = frozenset()
    retry_once: frozenset[str] = frozenset()
    plain: bool = False


class UnsignedError(Exception):
    """No given secret verifies the request."""


class FaultyBodyError(Exception):
    """The body is not a notice or a batch of notices."""


@dataclass(slots=True)
class Tally:
    """What a receiver has seen. ``received`` keeps the first copy of each notice by id."""

    received: dict[str, Notice] = field(default_factory=dict)
    requests: int = 0
    duplicates: int = 0
    unsigned: int = 0
    faulty: int = 0
    refused: dict[str, Notice] = field(default_factory=dict)
    retried: set[str] = field(default_factory=set)


class Receiver:
    """Answers notice requests; tells ``on_notice`` about each notice taken the first time."""

    def __init__(
        self,
        secrets: Sequence[str],
        behaviour: Behaviour,
        on_notice: Callable[[Notice], None] | None = None,
    ) -> None:
        self._hooks = tuple(Webhook(secret) for secret in secrets)
        self.behaviour = behaviour
        self.tally = Tally()
        self._on_notice = on_notice

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Serve one POST."""
        behaviour, tally = self.behaviour, self.tally
        tally.requests += 1
        body = await request.read()
        if behaviour.delay_s:
            await asyncio.sleep(behaviour.delay_s)
        if behaviour.gone:
            return web.Response(status=410)
        if tally.requests <= behaviour.fail_first:
            return web.Response(status=behaviour.fail_status)
        if tally.requests <= behaviour.fail_first + behaviour.hang_first:
            await asyncio.sleep(behaviour.hang_s)
        try:
            if not behaviour.plain:
                self._verify(body, request.headers)
            notices, batched = read_notices(body)
        except UnsignedError as fault:
            tally.unsigned += 1
            return web.json_response({"error": str(fault)}, status=401)
        except FaultyBodyError as fault:
            tally.faulty += 1
            return web.json_response({"error": str(fault)}, status=400)
        if batched:
            return web.json_response({"results": [self._take(notice) for notice in notices]})
        return self._single_answer(self._take(notices[0]))

    def _verify(self, body: bytes, headers: Mapping[str, str]) -> None:
        signed = {
            name: headers.get(name, "")
            for name in ("webhook-id", "webhook-timestamp", "webhook-signature")
        }
        for hook in self._hooks:
            try:
                hook.verify(body, signed, json_parse=False)
            except (WebhookVerificationError, ValueError):
                # The library lets malformed headers escape as ValueError.
                continue
            return
        raise UnsignedError("no signature of a known secret")

    def _take(self, notice: Notice) -> dict[str, str]:
        tally = self.tally
        if {notice.type, notice.id} & self.behaviour.refuse:
            tally.refused[notice.id] = notice
            return {"id": notice.id, "status": "refused", "detail": _REFUSED}
        if self._asks_again(notice):
            tally.retried.add(notice.id)
            return {"id": notice.id, "status": "retry", "detail": _NOT_NOW}
        if notice.id in tally.received:
            tally.duplicates += 1
        else:
            tally.received[notice.id] = notice
            if self._on_notice is not None:
                self._on_notice(notice)
        return {"id": notice.id, "status": "ok"}

    def _asks_again(self, notice: Notice) -> bool:
        wanted = {notice.type, notice.id} & self.behaviour.retry_once
        return bool(wanted) and notice.id not in self.tally.retried

    @staticmethod
    def _single_answer(result: Mapping[str, str]) -> web.Response:
        match result["status"]:
            case "ok":
                return web.Response(status=204)
            case "retry":
                return web.json_response(result, status=503, headers={"Retry-After": "1"})
            case _:
                return web.json_response(result, status=422)


def read_notices(body: bytes) -> tuple[tuple[Notice, ...], bool]:
    """Read a body; returns the notices and whether they came as a batch.

    Raises FaultyBodyError for anything else than one notice or 1 to 100 of them.
    """
    try:
        document = json.loads(body)
    except ValueError as fault:
        raise FaultyBodyError("not JSON") from fault
    if not isinstance(document, dict):
        raise FaultyBodyError("not an object")
    batch = document.get("notices", document.get("events"))
    if batch is None:
        return (_notice(document),), False
    if not isinstance(batch, list) or not 1 <= len(batch) <= BATCH:
        raise FaultyBodyError(f"a batch holds 1 to {BATCH} notices")
    return tuple(map(_notice, batch)), True


def _notice(document: object) -> Notice:
    if not isinstance(document, dict) or any(name not in document for name in _NEEDED):
        raise FaultyBodyError("a notice needs " + ", ".join(_NEEDED))
    identity, kind, created_at = (document[name] for name in ("id", "type", "created_at"))
    if not all(isinstance(text, str) and text for text in (identity, kind, created_at)):
        raise FaultyBodyError("id, type and created_at are texts")
    return Notice(identity, kind, created_at, document["case"], document["data"])


class Running:
    """A started server: where it listens, what it has seen, how to stop it."""

    def __init__(self, runner: web.AppRunner, url: str, receiver: Receiver) -> None:
        self._runner = runner
        self._receiver = receiver
        self.url = url

    @property
    def tally(self) -> Tally:
        """Counters and the notices refused."""
        return self._receiver.tally

    @property
    def received(self) -> Mapping[str, Notice]:
        """Every notice taken, by id, in order of first arrival."""
        return self._receiver.tally.received

    def behave(self, behaviour: Behaviour) -> None:
        """Change how the receiver behaves from the next request on."""
        self._receiver.behaviour = behaviour

    async def close(self) -> None:
        """Stop listening and drop open connections."""
        await self._runner.cleanup()


async def listen(receiver: Receiver, host: str, port: int, paths: Sequence[str]) -> Running:
    """Serve a receiver on a loopback address; port 0 picks a free one."""
    app = web.Application(client_max_size=_BODY_BYTES)
    app.add_routes([web.post(path, receiver.handle) for path in paths])
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, host, port)
    await site.start()
    bound = runner.addresses[0][1]
    return Running(runner, f"http://{host}:{bound}{paths[0]}", receiver)

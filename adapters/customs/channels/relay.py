"""An HTTP relay: a local platform or a bridge that takes messages by POST and forwards them.

Relays differ; this is the smallest shape they have in common, and what a bridge of a few lines can
offer. ``POST send`` with the envelope as its body (or one field of a form) is answered 2xx.
``GET receive?limit=N`` gives ``{"messages": [{"id", "name", "data": base64}]}``, or 204 for none;
they stay until ``POST acknowledge`` with ``{"ids": [...]}``. A relay that calls us instead posts
each envelope to the gateway's own address, and has its 2xx once the bytes are durable.
"""

import asyncio
import base64
import binascii
import hmac
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import urlencode

import aiohttp
import orjson

from adapters.base import ChannelDown
from adapters.customs.channels.folder import MOST_BYTES
from gateway.ports import Received, SendOutcome

_SEND_S: Final = 25.0
_ASK_S: Final = 15.0
_CONNECT_S: Final = 10.0
_READ_BYTES: Final = 64 * 1024 * 1024
_ANSWER_BYTES: Final = 64 * 1024
_MEDIA: Final = "application/xml"
_MOST_OFFERED: Final = 256
_MOST_NAME: Final = 200
_MOST_TOLD: Final = 10_000
_OK: Final = range(200, 300)
# The request was surely not acted on: too early, too many, or nobody behind the door.
_LATER: Final = frozenset({425, 429, 503})
# Nobody can say what became of the request.
_SILENT: Final = frozenset({408, 499})
_CLIENT: Final = range(300, 500)


@dataclass(frozen=True, slots=True)
class Addresses:
    """What a relay is asked: ``send`` always, the others where it serves them."""

    send: str
    receive: str | None = None
    acknowledge: str | None = None
    check: str | None = None


@dataclass(frozen=True, slots=True)
class Manners:
    """How a relay wants to be spoken to.

    With ``form_field`` the envelope is that field of a form. ``expects`` is a text that only the
    answer to a taken message has. ``token`` is shown as a bearer token, ``callback_token`` is what
    the relay must show when it calls us (None: it never may).
    """

    form_field: str | None = None
    expects: str | None = None
    token: str | None = None
    callback_token: str | None = None


@dataclass(slots=True)
class _Offered:
    name: str
    body: bytes
    kept: asyncio.Future[bool]


class RelayChannel:
    """A relay behind HTTP; use it as an async context.

    No redirect is followed and no proxy of the environment used. ``set_aside`` is told the channel
    and the name of every message that is too large or no base64; it is not acknowledged.
    """

    def __init__(
        self,
        name: str,
        addresses: Addresses,
        manners: Manners,
        *,
        most_bytes: int = MOST_BYTES,
        set_aside: Callable[[str, str], None] | None = None,
    ) -> None:
        self.name = name
        self._addresses = addresses
        self._manners = manners
        self._most_bytes = most_bytes
        self._set_aside = set_aside
        self._session: aiohttp.ClientSession | None = None
        self._offered: dict[str, _Offered] = {}
        self._numbers = 0
        self._told: set[str] = set()

    async def __aenter__(self) -> Self:
        headers = {"User-Agent": "clearance-gateway", "Accept-Encoding": "identity"}
        if self._manners.token is not None:
            headers["Authorization"] = f"Bearer {self._manners.token}"
        self._session = aiohttp.ClientSession(
            headers=headers,
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
            timeout=aiohttp.ClientTimeout(total=_ASK_S, sock_connect=_CONNECT_S),
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._session is not None
        self.let_go()
        await self._session.close()

    def let_go(self) -> None:
        """Tell every call that waits to come again."""
        for one in self._offered.values():
            if not one.kept.done():
                one.kept.set_result(False)

    async def send(self, file_name: str, envelope: bytes) -> SendOutcome:
        """Post one message; ``X-Message-Name`` is its name, the same for a repeat.

        REFUSED: no connection, or the relay asks to come later. DECLINED: it would not take these
        bytes. UNKNOWN: the connection ended, it failed inside, or its answer lacks what it expects.
        """
        assert self._session is not None
        field = self._manners.form_field
        headers = {"X-Message-Name": file_name}
        if field is None:
            headers["Content-Type"] = f"{_MEDIA}; charset=utf-8"
            data = envelope
        else:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
            data = urlencode({field: envelope}).encode("ascii")
        try:
            async with self._session.post(
                self._addresses.send,
                # As a file: it is written piece by piece, not in one go that holds up the loop.
                data=io.BytesIO(data),
                headers=headers,
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(total=_SEND_S, sock_connect=_CONNECT_S),
            ) as answer:
                status, text = answer.status, await answer.content.read(_ANSWER_BYTES)
        except aiohttp.ClientConnectorError:
            return SendOutcome.REFUSED
        except (aiohttp.ClientError, TimeoutError, OSError):
            return SendOutcome.UNKNOWN
        return self._outcome(status, text)

    def _outcome(self, status: int, text: bytes) -> SendOutcome:
        if status in _OK:
            expects = self._manners.expects
            is_taken = expects is None or expects.encode() in text
            return SendOutcome.HANDED_OVER if is_taken else SendOutcome.UNKNOWN
        if status in _LATER:
            return SendOutcome.REFUSED
        if status in _CLIENT and status not in _SILENT:
            return SendOutcome.DECLINED
        return SendOutcome.UNKNOWN

    async def receive(self, limit: int) -> list[Received]:
        """What the relay brought, then what it gives when it is asked; all stays until
        acknowledged. Raises :class:`ChannelDown`.
        """
        brought = [
            Received(one.name, one.body, token)
            for token, one in list(self._offered.items())[:limit]
        ]
        if len(brought) >= limit or self._addresses.receive is None:
            return brought
        try:
            return brought + await self._fetch(limit - len(brought))
        except ChannelDown:
            # What was brought does not wait for a relay that cannot be asked.
            if brought:
                return brought
            raise

    async def _fetch(self, limit: int) -> list[Received]:
        assert self._addresses.receive is not None
        status, body = await self._ask("GET", self._addresses.receive, {"limit": str(limit)})
        if status == 204:
            return []
        if status not in _OK:
            raise ChannelDown(f"{self.name}: the relay answered {status} when asked for receipts")
        try:
            messages = orjson.loads(body)["messages"]
            return [one for doc in messages if (one := self._read(doc)) is not None]
        except (orjson.JSONDecodeError, KeyError, TypeError) as error:
            raise ChannelDown(f"{self.name}: the relay's list cannot be read") from error

    def _read(self, doc: Mapping[str, Any]) -> Received | None:
        """One message of a list (Any: what the relay wrote); None when it is set aside."""
        number, name = str(doc["id"]), _shown(str(doc.get("name") or doc["id"]))
        body = _decoded(doc.get("data"))
        if body is None or len(body) > self._most_bytes:
            if number not in self._told and self._set_aside is not None:
                self._set_aside(self.name, name)
            self._told.add(number)
            return None
        return Received(name, body, f"relay/{number}")

    async def acknowledge(self, tokens: Sequence[str]) -> None:
        """Answer the calls whose bytes are durable, and let the relay drop what it gave."""
        ids: list[str] = []
        for token in tokens:
            offered = self._offered.pop(token, None)
            if offered is not None and not offered.kept.done():
                offered.kept.set_result(True)
            if token.startswith("relay/"):
                ids.append(token.removeprefix("relay/"))
        if not ids or self._addresses.acknowledge is None:
            return
        status, _ = await self._ask(
            "POST", self._addresses.acknowledge, None, orjson.dumps({"ids": ids})
        )
        if status not in _OK:
            raise ChannelDown(f"{self.name}: the relay answered {status} to an acknowledgement")

    def admits(self, token: str) -> bool:
        """Whether this is the token that the relay shows when it calls us."""
        expected = self._manners.callback_token
        return expected is not None and hmac.compare_digest(expected.encode(), token.encode())

    @property
    def most_bytes(self) -> int:
        """How large a message may be."""
        return self._most_bytes

    def refuse(self, name: str) -> None:
        """Tell, once for each name, of a message that the relay brought and that is too large."""
        shown = _shown(name) or "?"
        if f"call/{shown}" not in self._told and self._set_aside is not None:
            self._set_aside(self.name, shown)
        if len(self._told) < _MOST_TOLD:
            self._told.add(f"call/{shown}")

    async def offer(self, name: str, body: bytes) -> bool:
        """A message that the relay brought: True once its bytes are durable.

        False when too many wait already. The caller sets a deadline, and refuses what is larger
        than :attr:`most_bytes`.
        """
        if len(self._offered) >= _MOST_OFFERED:
            return False
        self._numbers += 1
        token = f"call/{self._numbers}"
        offered = _Offered(_shown(name) or token, body, asyncio.get_running_loop().create_future())
        self._offered[token] = offered
        try:
            return await offered.kept
        finally:
            self._offered.pop(token, None)

    async def check(self) -> None:
        """Raises :class:`ChannelDown` unless the relay answers where it is asked for its health,
        or else where receipts are fetched; a relay that only calls us is believed.
        """
        address = self._addresses.check or self._addresses.receive
        if address is None:
            return
        query = {"limit": "0"} if address == self._addresses.receive else None
        status, _ = await self._ask("GET", address, query)
        if status not in _OK:
            raise ChannelDown(f"{self.name}: the relay answered {status}")

    async def _ask(
        self, method: str, address: str, query: Mapping[str, str] | None, body: bytes | None = None
    ) -> tuple[int, bytes]:
        assert self._session is not None
        headers = {} if body is None else {"Content-Type": "application/json"}
        try:
            async with self._session.request(
                method, address, params=query, data=body, headers=headers, allow_redirects=False
            ) as answer:
                return answer.status, await _capped(answer.content, self.name)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            reason = type(error).__name__
            raise ChannelDown(f"{self.name}: the relay cannot be reached ({reason})") from error


async def _capped(content: aiohttp.StreamReader, name: str) -> bytes:
    body = bytearray()
    async for chunk in content.iter_any():
        body += chunk
        if len(body) > _READ_BYTES:
            raise ChannelDown(f"{name}: the relay's answer is larger than {_READ_BYTES} bytes")
    return bytes(body)


def _decoded(data: object) -> bytes | None:
    """The bytes of base64, None when it is none. Many writers break it into lines as mail does."""
    if not isinstance(data, str):
        return None
    try:
        return base64.b64decode("".join(data.split()), validate=True)
    except (binascii.Error, ValueError):
        return None


def _shown(name: str) -> str:
    return "".join(one if one.isprintable() else "?" for one in name)[:_MOST_NAME]

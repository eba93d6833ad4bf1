"""Idempotency keys: the same key and body do a thing once, whoever asks again gets the same answer.

An answer is kept when something was done. A refusal promises that nothing was stored, so it is not
kept: the request may be corrected and sent again under the same key.
"""

import asyncio
import hashlib
import re
from collections.abc import Awaitable, Callable
from typing import Final

from gateway.api.call import Answer, Call
from gateway.api.faults import Fault
from gateway.api.problems import P, Problem, Refusal
from gateway.api.settings import APISettings
from gateway.domain.errors import StoreError
from gateway.ports import AnswerBook, Begun, Clock, KeptAnswer, Turn

KEY_HEADER: Final = "Idempotency-Key"
REPLAYED_HEADER: Final = "Idempotency-Replayed"
_KEY: Final = re.compile(r"[\x21-\x7e]{1,128}", re.ASCII)


class Once:
    """Runs a route under the idempotency key of a request."""

    def __init__(self, answers: AnswerBook, clock: Clock, settings: APISettings) -> None:
        self._answers = answers
        self._clock = clock
        self._settings = settings

    async def run(self, call: Call, handle: Callable[[Call], Awaitable[Answer]]) -> Answer:
        """The answer of the route, or the one that was kept under this key.

        Raises a refusal: 422 when the key stands for another request, 409 when a twin is still at
        work after a short wait.
        """
        key = call.request.headers[KEY_HEADER]
        if not _KEY.fullmatch(key):
            fault = Fault("header.Idempotency-Key", "use 1 to 128 visible ASCII characters",
                          "须为 1 到 128 个可见 ASCII 字符")  # fmt: skip
            raise Refusal(Problem(P.INVALID_HEADER, (fault,)))
        caller = call.caller
        scope = "\n".join(
            (caller.key_id, caller.tenant, call.request.method, call.request.path_qs, key)
        )
        begun = await self._begin(call, scope)
        match begun.turn:
            case Turn.OURS:
                return await self._handle(call, handle, scope, begun.attempt)
            case Turn.KEPT:
                assert begun.answer is not None, "a kept turn comes with its answer"
                kept = begun.answer
                headers = {**kept.headers, REPLAYED_HEADER: "true"}
                return Answer(kept.body, kept.status, kept.media, headers)
            case Turn.DIFFERS:
                raise Refusal(Problem(P.KEY_REUSED))
            case Turn.BUSY:
                wait = str(self._settings.retry_after_s)
                raise Refusal(Problem(P.TWIN_IN_FLIGHT, headers={"Retry-After": wait}))

    async def _begin(self, call: Call, scope: str) -> Begun:
        """Take the turn; wait for a twin that is nearly done."""
        digest = hashlib.sha256(call.body).digest()
        until = asyncio.get_running_loop().time() + self._settings.twin_wait_s
        while True:
            begun = await self._answers.begin(call.tenant, scope, digest)
            if begun.turn is not Turn.BUSY or asyncio.get_running_loop().time() >= until:
                return begun
            await self._clock.sleep(self._settings.twin_poll_s)

    async def _handle(
        self, call: Call, handle: Callable[[Call], Awaitable[Answer]], scope: str, attempt: int
    ) -> Answer:
        is_done = False
        try:
            answer = await handle(call)
            is_done = answer.is_final and answer.stream is None and answer.status < 300
        finally:
            if not is_done:
                await self._give_back(scope, attempt)
        if not is_done:
            return answer
        kept = KeptAnswer(answer.status, answer.media, answer.body, answer.headers or {})
        try:
            await self._answers.keep(scope, attempt, kept)
        except StoreError:
            # The thing is done and durable: the caller is told so. A repetition finds it done.
            return answer
        return answer

    async def _give_back(self, scope: str, attempt: int) -> None:
        try:
            await self._answers.give_back(scope, attempt)
        except StoreError:
            # The turn ends by itself; until then a twin is told to wait.
            return

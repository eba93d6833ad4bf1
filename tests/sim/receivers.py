"""The simulated warehouse and seller: what they were told, and the answers they give."""

from __future__ import annotations

import asyncio
import hashlib
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import orjson

from adapters.notify.standard import notice_value
from gateway.flow.status import RELEASE
from gateway.ports import Effect, Endpoint, NoticeResult
from tests.sim.faults import Fault, Faults
from tests.sim.loop import VirtualTimeLoop
from tests.sim.trace import Trace

if TYPE_CHECKING:
    from tests.sim.life import Life

_LOST: Final = "no answer in time"


class HookBroken(OSError):
    """The notifier itself failed."""


@dataclass(frozen=True, slots=True)
class Told:
    """One notice as it came first."""

    notice_id: str
    kind: str
    order_no: str
    case_id: str
    digest: str
    role: str


@dataclass(slots=True)
class Receivers:
    """Both receivers of one world. They de-duplicate by id, as the contract asks them to."""

    loop: VirtualTimeLoop
    seed: int
    faults: Faults
    trace: Trace
    told: dict[str, Told] = field(default_factory=dict)
    times: Counter[str] = field(default_factory=Counter)
    to_acknowledge: list[str] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)
    _rng: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self._rng = random.Random(f"receivers {self.seed}")

    async def deliver(
        self, life: Life, endpoint: Endpoint, notices: Sequence[Effect]
    ) -> list[NoticeResult]:
        """One POST."""
        strikes = self.faults.strikes
        await asyncio.sleep(self._rng.uniform(0.01, 0.3))
        life.check()
        if strikes(Fault.NOTICE_RAISES):
            raise HookBroken("the client broke")
        if strikes(Fault.NOTICE_RETRY):
            return [NoticeResult(one.effect_id, "retry", "503") for one in notices]
        partly = strikes(Fault.NOTICE_PARTLY)
        results: list[NoticeResult] = []
        for number, notice in enumerate(notices):
            if partly and number % 2 == 0:
                results.append(NoticeResult(notice.effect_id, "retry", "not now"))
                continue
            self._take(endpoint, notice_value(notice))
            results.append(NoticeResult(notice.effect_id, "ok"))
        await asyncio.sleep(self._rng.uniform(0.001, 0.05))
        life.check()
        if strikes(Fault.NOTICE_TIMEOUT):
            return [NoticeResult(one.effect_id, "retry", _LOST) for one in notices]
        return results

    def _take(self, endpoint: Endpoint, value: dict[str, Any]) -> None:
        body = orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
        digest = hashlib.sha256(body).hexdigest()
        notice_id = value["id"]
        self.trace.add(int(self.loop.time() * 1e6), "notice", value["type"], notice_id, digest[:16])
        self.times[notice_id] += 1
        known = self.told.get(notice_id)
        if known is None:
            case = value["case"]
            self.told[notice_id] = Told(
                notice_id, value["type"], case["order_no"], case["id"], digest, endpoint.role
            )
            if value["type"] == RELEASE:
                self.to_acknowledge.append(notice_id)
        elif known.digest != digest:
            self.violations.append(f"notice {notice_id} said two things")


@dataclass(frozen=True, slots=True)
class SimNotifier:
    """Implements the ``Notifier`` port for one life of the gateway."""

    receivers: Receivers
    life: Life

    async def deliver(
        self, endpoint: Endpoint, notices: Sequence[Effect], now: int
    ) -> list[NoticeResult]:
        """One POST with one or up to 100 notices."""
        self.life.check()
        return await self.receivers.deliver(self.life, endpoint, notices)

"""Submissions: what callers sent without waiting, taken in, and what became of it."""

import asyncio
from typing import Any, Final

import orjson

from gateway.api.call import Answer, Call
from gateway.api.intake import Intake
from gateway.api.problems import P, refuse
from gateway.api.query import SUBMISSION, SUBMISSIONS, Query
from gateway.api.services import Services
from gateway.api.settings import APISettings
from gateway.api.views import moment
from gateway.ports import Effect
from gateway.ports.submissions import KeptSubmission, SubmissionStatus

_PAGE: Final = 50
_STATUSES: Final = tuple(one.value for one in SubmissionStatus)


class Later:
    """Takes kept submissions in, in the order in which they came."""

    def __init__(self, services: Services, settings: APISettings) -> None:
        self._book = services.submissions
        self._intake = Intake(services, settings)

    async def take_in(self, effect: Effect) -> None:
        """Take in the pack that an effect is about, and keep what became of it."""
        pack = await self._book.waiting(effect)
        if pack is not None:
            await self._book.finish(pack, await self._intake.late(pack))


class Submissions:
    """The routes that tell what became of submissions."""

    def __init__(self, services: Services, settings: APISettings) -> None:
        self._book = services.submissions
        self._clock = services.clock
        self._settings = settings

    async def listing(self, call: Call) -> Answer:
        """A page of submissions that wait, were taken in, or were refused; oldest first."""
        query = Query(call, SUBMISSIONS)
        status = SubmissionStatus(query.one_of("status", _STATUSES) or SubmissionStatus.REFUSED)
        limit = query.whole("limit", 1, self._settings.page_limit, _PAGE)
        query.finish()
        page = await self._book.listing(call.tenant, status, query.text("after"), limit)
        rows = [_view(one) for one in page.items]
        return Answer(orjson.dumps({"submissions": rows, "after": page.after}))

    async def one(self, call: Call) -> Answer:
        """One submission; with ``wait`` as soon as it is taken in, or when that time is over."""
        query = Query(call, SUBMISSION)
        wait_s = query.whole("wait", 0, self._settings.wait_limit_s, 0)
        query.finish()
        now = asyncio.get_running_loop().time
        until = now() + wait_s
        while True:
            found = await self._book.find(call.tenant, call.request.match_info["submission_id"])
            if found is None:
                raise refuse(P.NOT_FOUND)
            if found.answer is not None:
                return Answer(orjson.dumps(_view(found)))
            if now() >= until:
                headers = {"Retry-After": str(self._settings.retry_after_s)}
                return Answer(orjson.dumps(_view(found)), headers=headers)
            await self._clock.sleep(self._settings.wait_poll_s)


def _view(one: KeptSubmission) -> dict[str, Any]:  # Any: JSON
    answer = one.answer
    return {
        "submission": one.submission_id,
        "route": f"POST /v1/{one.door}",
        "received_at": moment(one.received_at),
        "status": one.status.value,
        "answer": None
        if answer is None
        else {"status": answer.status, "body": orjson.Fragment(answer.body)},
    }

"""Routes about notices and the endpoints they go to: fetch, replay, rotate, switch on and off."""

from typing import Any, Final

import orjson

from adapters.notify.standard import notice_value, public_key
from gateway.api.call import Answer, Call
from gateway.api.decode import decode
from gateway.api.edge import DISABLE, REPLAY, ROTATION
from gateway.api.problems import P, refuse
from gateway.api.query import NOTICES, Query, notice_filter
from gateway.api.services import KeyRole, Services
from gateway.api.settings import APISettings
from gateway.api.views import endpoint_view
from gateway.domain.codec import from_micros, to_micros
from gateway.domain.ids import EffectId, EndpointId
from gateway.ports import NoticeRow
from gateway.ports.mailbox import MOST_REPLAYED, NoticeFilter, NoticeStatus

_PAGE: Final = 50
_HOUR_US: Final = 3600 * 1_000_000
_EVERYBODY: Final[frozenset[str]] = frozenset()


class Notices:
    """The routes of those who are told things."""

    def __init__(self, services: Services, settings: APISettings) -> None:
        self._services = services
        self._settings = settings

    async def listing(self, call: Call) -> Answer:
        """A page of notices that wait, or that were given up; oldest first."""
        query = Query(call, NOTICES)
        wanted = notice_filter(query, _roles(call))
        limit = query.whole("limit", 1, self._settings.page_limit, _PAGE)
        query.finish()
        page = await self._services.mailbox.listing(call.tenant, wanted, query.text("after"), limit)
        rows = [notice_row_view(row) for row in page.items]
        return Answer(orjson.dumps({"notices": rows, "after": page.after}))

    async def replay(self, call: Call) -> Answer:
        """Try parked notices again, by id or by range."""
        given = decode(REPLAY, call.body)
        wanted = NoticeFilter(
            status=NoticeStatus.PARKED,
            roles=_roles(call),
            endpoint_id=None if given.endpoint is None else EndpointId(given.endpoint),
            event_type=given.event_type,
            since=None if given.since is None else to_micros(given.since),
            until=None if given.until is None else to_micros(given.until),
            ids=frozenset(map(EffectId, given.notices)),
        )
        done = await self._services.mailbox.replay(call.tenant, wanted)
        return Answer(orjson.dumps({"replayed": list(done), "more": len(done) == MOST_REPLAYED}))

    async def rotate(self, call: Call) -> Answer:
        """New signing secrets for an endpoint; the old ones sign along for the overlap."""
        hours = decode(ROTATION, call.body).overlap_hours
        made = await self._services.admin.rotate_endpoint(
            call.tenant, _endpoint_id(call), hours * _HOUR_US
        )
        if made is None:
            raise refuse(P.NOT_FOUND)
        return Answer(orjson.dumps(made_view(made)))

    async def enable(self, call: Call) -> Answer:
        """Switch an endpoint on again; what was parked meanwhile waits for a replay."""
        return await self._switch(call, "", is_active=True)

    async def disable(self, call: Call) -> Answer:
        """Switch an endpoint off; its notices are parked."""
        return await self._switch(call, decode(DISABLE, call.body).reason, is_active=False)

    async def _switch(self, call: Call, why: str, *, is_active: bool) -> Answer:
        admin, endpoint_id = self._services.admin, _endpoint_id(call)
        await admin.set_endpoint_active(call.tenant, endpoint_id, is_active, why)
        found = await admin.list_endpoints(call.tenant)
        for one in found:
            if one.endpoint_id == endpoint_id:
                return Answer(orjson.dumps(endpoint_view(one)))
        raise refuse(P.NOT_FOUND)


def made_view(endpoint: Any) -> dict[str, Any]:
    """An endpoint with its fresh secrets (Any: ``ports.Endpoint``, JSON)."""
    doc = dict(endpoint_view(endpoint, secret=True))
    if endpoint.signing_key:
        doc["public_key"] = public_key(endpoint.signing_key)
    return doc


def notice_row_view(row: NoticeRow) -> dict[str, Any]:
    """A notice as a post would carry it, and how its delivery stands (Any: JSON)."""
    return {
        "notice": notice_value(row.effect),
        "endpoint": row.endpoint_id,
        "status": "parked" if row.done_at is not None else "waiting",
        "attempts": row.effect.attempt,
        "detail": row.detail,
        "parked_at": None if row.done_at is None else _time(row.done_at),
    }


def _time(micros: int) -> str:
    return from_micros(micros).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _roles(call: Call) -> frozenset[str]:
    """A warehouse sees what goes to warehouses; the others see all of their tenant."""
    is_warehouse = call.caller.role == KeyRole.WAREHOUSE.value
    return frozenset({KeyRole.WAREHOUSE.value}) if is_warehouse else _EVERYBODY


def _endpoint_id(call: Call) -> EndpointId:
    value = call.request.match_info["endpoint_id"]
    if len(value) > 64 or not value.isascii() or not value.replace("_", "").isalnum():
        raise refuse(P.NOT_FOUND)
    return EndpointId(value)

"""Routes about whom a key may work for, and who may work for a tenant."""

from typing import Final

import orjson

from gateway.api.call import Answer, Call
from gateway.api.services import Services
from gateway.domain.profile import Enterprise, Mandate
from gateway.flow.clockwork import local_date

_NOBODY: Final = Enterprise("", "")


class Mandates:
    """The routes over tenants and their mandates; both are written by the operator's commands."""

    def __init__(self, services: Services) -> None:
        self._admin = services.admin
        self._clock = services.clock

    async def tenants(self, call: Call) -> Answer:
        """The tenants of the key: its own, or those that mandate its enterprise today."""
        mine = call.spans or ({call.caller.tenant} if call.credential is not None else call.spans)
        found = [
            {"id": one.tenant, "name": one.name}
            for one in await self._admin.list_tenants()
            if one.tenant in mine
        ]
        return Answer(orjson.dumps({"tenants": found}))

    async def mandates(self, call: Call) -> Answer:
        """Who may work for the tenant, in which role, and until when."""
        held = await self._admin.list_mandates(call.tenant)
        known = {one.code: one for one in await self._admin.list_enterprises()} if held else {}
        today = local_date(self._clock.now())
        found = [
            {
                "enterprise": _enterprise(known.get(one.enterprise_code, _NOBODY), one),
                "role": one.role.value,
                "valid_from": one.valid_from.isoformat(),
                "valid_to": None if one.valid_to is None else one.valid_to.isoformat(),
                "in_force": one.covers(one.tenant, one.enterprise_code, one.role, today),
            }
            for one in held
        ]
        return Answer(orjson.dumps({"mandates": found}))


def _enterprise(known: Enterprise, mandate: Mandate) -> dict[str, str | None]:
    return {
        "code": mandate.enterprise_code,
        "name": known.name,
        "social_credit_code": known.social_credit_code,
    }

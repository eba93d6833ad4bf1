"""The route that foresees: papers of one order are read and matched, and nothing is stored."""

from collections.abc import Sequence
from typing import Final

import orjson

from gateway.api.around import standing_view
from gateway.api.call import XML_TYPE, Answer, Call
from gateway.api.decode import GoodsItem, PaperItem, decode, to_item
from gateway.api.edge import PREFLIGHT, AnyIn, PaperIn, PreflightIn
from gateway.api.faults import Fault, InvalidFields
from gateway.api.intake import SOURCE, other_direction, unknown_profile
from gateway.api.problems import Refusal
from gateway.api.services import Services
from gateway.api.views import Doc, verdict_view
from gateway.domain.errors import InvalidValue
from gateway.domain.goods import GoodsRecord
from gateway.domain.ids import ProfileId
from gateway.domain.papers import kind_of
from gateway.domain.profile import FilingProfile
from gateway.flow.incoming import Incoming
from gateway.flow.preflight import Foreseen, Tried


class Preflights:
    """The preflight route."""

    def __init__(self, services: Services) -> None:
        self._services = services

    async def foresee(self, call: Call) -> Answer:
        """What would become of these papers: each one's answer, the verdict, what is declared.

        Customs' XML holds papers of many orders, so it is answered with a report over all of them.
        """
        if call.request.content_type == XML_TYPE:
            wanted = call.request.query.get("profile")
            report = await self._services.messages.foresee(call.tenant, call.body, wanted)
            return Answer(orjson.dumps(report))
        items, records = read_papers(self._services, call, decode(PREFLIGHT, call.body))
        foreseen = await self._services.preflight.foresee(items, records)
        return Answer(orjson.dumps(self._doc(foreseen, items)))

    def _doc(self, foreseen: Foreseen, items: Sequence[Incoming]) -> Doc:
        last = foreseen.results[-1]
        return {
            "case": last.case_id,
            "order_no": last.order_no,
            "is_new": foreseen.is_new,
            "stage": None if last.stage is None else last.stage.value,
            "papers": [
                {
                    "type": kind_of(item.paper).value,
                    "status": result.status.value,
                    "revision": result.revision,
                    "changed": list(result.changed),
                }
                for item, result in zip(items, foreseen.results, strict=True)
            ],
            "declares": list(foreseen.declares),
            "quota": None if foreseen.quota is None else standing_view(foreseen.quota),
            "verdict": verdict_view(last.verdict, self._services.explain),
        }


def read_papers(services: Services, call: Call, given: PreflightIn) -> Tried:
    """The papers of one order as intake takes them, and goods records to be tried with them.

    Raises ``InvalidFields``, or the refusal of an unknown profile.
    """
    parts = _parts(given)
    if not parts:
        raise InvalidFields([_nothing()])
    profile = _profile(services, call, given, parts)
    items = []
    for _, part in parts:
        one = to_item(part)
        assert isinstance(one, PaperItem)
        if one.direction is not profile.direction:
            raise Refusal(other_direction(profile))
        items.append(Incoming(call.tenant, profile, one.paper, one.source(SOURCE), call.body))
    records = {}
    for index, goods in enumerate(given.goods):
        item = to_item(goods)
        assert isinstance(item, GoodsItem)
        records[goods.sku] = _record(item, profile, index)
    return items, records


_PAPERS: Final = (
    "order", "payment", "waybill", "export_order", "funds_receipt", "export_waybill",
)  # fmt: skip


def _parts(given: PreflightIn) -> list[tuple[str, PaperIn]]:
    """The papers of a body, each with its name in it."""
    found = ((name, getattr(given, name)) for name in _PAPERS)
    return [(name, part) for name, part in found if part is not None]


def _profile(
    services: Services, call: Call, given: PreflightIn, parts: Sequence[tuple[str, PaperIn]]
) -> FilingProfile:
    """The one profile that everything names, and one order number."""
    named: list[tuple[str, AnyIn]] = [*parts]
    named += [(f"goods[{index}]", part) for index, part in enumerate(given.goods)]
    profiles = {part.profile for _, part in named}
    numbers = {part.order_no for _, part in parts if part.order_no}
    faults = []
    if len(profiles) > 1:
        faults.append(Fault(f"{named[-1][0]}.profile", "all must name one profile",
                            "所有单证必须属于同一申报方案"))  # fmt: skip
    if len(numbers) > 1:
        faults.append(Fault("order_no", "all papers must name one order",
                            "所有单证必须属于同一订单"))  # fmt: skip
    if faults:
        raise InvalidFields(faults)
    profile = services.master.profile(call.tenant, ProfileId(profiles.pop()))
    if profile is None:
        raise Refusal(unknown_profile())
    return profile


def _record(item: GoodsItem, profile: FilingProfile, index: int) -> GoodsRecord:
    try:
        return item.record(profile.goods_scope)
    except InvalidValue as error:
        raise InvalidValue(f"goods[{index}].{error.path}", error.reason) from None


def _nothing() -> Fault:
    text = "holds no paper: give order, payment or waybill, or those of an export"
    return Fault("", text, "至少提供一种单证")

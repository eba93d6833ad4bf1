"""Today: how much stands where, what is at risk, and how the newest cases went."""

from typing import Final

from gateway.domain.lifecycle import PERSON_STAGES
from gateway.web.call import Answer, Call, Page
from gateway.web.charts import bars
from gateway.web.services import WebServices
from gateway.web.views.cases import day_start
from gateway.web.views.review import Causes
from gateway.web.words import N_, STAGES, STEPS

_DAY_US: Final = 24 * 3600 * 1_000_000
_SOON_US: Final = 30 * _DAY_US


class Today:
    """The first page."""

    def __init__(self, services: WebServices) -> None:
        self._services = services
        self._causes = Causes()

    async def show(self, call: Call) -> Answer:
        """Every number is a link to the list that explains it."""
        reads, operations = self._services.reads, self._services.operations
        figures = await reads.figures(
            call.tenant, call.now, day_start(call.now, self._services.settings.time_zone)
        )
        queue = await reads.queue(call.tenant, call.now)
        trend = await reads.trend(call.tenant, call.now)
        keys = operations.keys()
        model = {
            "figures": figures,
            "attention": sum(one.total for one in figures.open if one.stage in PERSON_STAGES),
            "groups": self._causes.of(queue, call.tenant, call.language)[:8],
            "trend": trend,
            "channels": operations.channels(),
            "keys_ending": [key for key in keys if key.not_after < call.now + _SOON_US],
            "keys": len(keys),
        }
        stages = [(one.stage.value, one.total, "") for one in figures.open]
        days = [
            (day, first * 100 // count if count else 0, f"{first}/{count}")
            for day, count, first in trend.days[-7:]
        ]
        charts = {
            "stage_bars": bars(stages),
            "day_bars": bars(days),
            "cause_bars": bars([(code, count, "") for code, count in trend.causes]),
            "step_bars": bars([(name, micros, "") for name, micros in trend.steps]),
            "stage_words": STAGES,
            "step_words": STEPS,
        }
        return Page("today.html", N_("Today"), model, extra=charts)

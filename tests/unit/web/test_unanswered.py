"""When an unanswered declaration goes again, as the page tells it."""

from __future__ import annotations

import pytest

from gateway.domain.case import CaseKey, CaseStage
from gateway.domain.declaration import DeclarationKind, DeclarationStage, DeclarationState
from gateway.domain.ids import CaseId, Direction, TenantId
from gateway.ports.console import Unanswered
from gateway.web.views.desk import again_at
from tests.unit.domain.papers import profile

NOW = 10**15
PROFILE = profile()
KEY = CaseKey(CaseId("c"), TenantId("t1"), Direction.IMPORT, "P", "SO-1", PROFILE.profile_id)


@pytest.mark.parametrize(
    "planned_at, attempt, again",
    [
        (NOW + 60, 1, NOW + 60),
        # It is due and nobody has come to it: it goes as soon as somebody does, never in the past.
        (NOW - 60, 1, NOW),
        (NOW + 60, PROFILE.resend_limit, NOW + 60),
        (NOW + 60, PROFILE.resend_limit + 1, None),
        (None, 1, None),
    ],
)
def test_it_goes_again_when_the_flow_means_to(
    planned_at: int | None, attempt: int, again: int | None
) -> None:
    state = DeclarationState(
        DeclarationKind.ORDER, 1, DeclarationStage.UNKNOWN, sent_at=NOW - 900, attempt=attempt
    )
    one = Unanswered(KEY, CaseStage.SENT, 1, state, planned_at=planned_at)
    assert again_at(one, PROFILE, NOW) == again
    assert again_at(one, None, NOW) is None

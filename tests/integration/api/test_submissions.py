"""Callers who do not wait: what they send is checked, kept, taken in later and told of."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.api.answers_later import Received, SubmissionOut, SubmissionPage
from gateway.api.later import Later
from gateway.domain.errors import Conflict, Overloaded
from gateway.domain.ids import EffectId
from gateway.flow.incoming import IntakeResult, IntakeStatus
from gateway.ports import Effect, EffectKind
from gateway.ports.submissions import SUBMISSIONS
from tests.integration.api.conftest import API, QUICK, Reply
from tests.integration.api.test_intake import problem
from tests.unit.api.fakes import goods_doc, order_doc, payment_doc, waybill_doc
from tests.unit.api.kept import RECEIVED_AT, Submitted

HURRY = {"Prefer": "respond-async"}


def kept(api: API) -> Submitted:
    book = api.world.services.submissions
    assert isinstance(book, Submitted)
    return book


def id_of(reply: Reply) -> str:
    assert reply.status == 202, reply.body
    doc = Received(**reply.doc)
    assert reply.headers["Preference-Applied"] == "respond-async"
    assert reply.headers["Location"] == f"/v1/submissions/{doc.submission}"
    return doc.submission


async def take_in(api: API) -> None:
    """Do what a worker does with every pack."""
    later = Later(api.world.services, QUICK)
    for pack in kept(api).packs:
        effect = Effect(EffectId(pack), EffectKind.RECHECK, SUBMISSIONS, RECEIVED_AT, ref=pack)
        await later.take_in(effect)


async def told(api: API, submission: str, **how: Any) -> SubmissionOut:
    reply = await api.get(f"/v1/submissions/{submission}", **how)
    assert reply.status == 200, reply.body
    return SubmissionOut(**reply.doc)


@pytest.mark.parametrize(
    "door, make", [("orders", order_doc), ("payments", payment_doc), ("waybills", waybill_doc)]
)
async def test_a_paper_is_kept_and_taken_in_later(api: API, door: str, make: Any) -> None:
    submission = id_of(await api.post(f"/v1/{door}", make(), headers=HURRY))
    assert api.world.taker.taken == []
    waiting = await api.get(f"/v1/submissions/{submission}")
    assert waiting.headers["Retry-After"] == "1"
    assert SubmissionOut(**waiting.doc).status == "waiting"
    await take_in(api)
    (incoming,) = api.world.taker.taken
    assert incoming.received_at == RECEIVED_AT
    found = await told(api, submission)
    assert (found.status, found.route) == ("taken", f"POST /v1/{door}")
    assert found.answer is not None
    there = await api.post(f"/v1/{door}", make(order_no="ELSE"))
    assert found.answer.status == there.status
    assert set(found.answer.body.model_dump()) == set(there.doc)


@pytest.mark.parametrize(
    "wish", ["respond-async", "Respond-Async", "wait=5, respond-async", "respond-async; x=1"]
)
async def test_the_wish_is_read_as_the_standard_writes_it(api: API, wish: str) -> None:
    id_of(await api.post("/v1/orders", order_doc(), headers={"Prefer": wish}))


@pytest.mark.parametrize("wish", ["", "wait=5", "respond-asynchronous", "return=minimal"])
async def test_other_wishes_change_nothing(api: API, wish: str) -> None:
    assert (await api.post("/v1/orders", order_doc(), headers={"Prefer": wish})).status == 201


async def test_what_is_wrong_in_itself_is_refused_at_once(api: API) -> None:
    async def refused(doc: Any, status: int, code: str, **how: Any) -> None:
        problem(await api.post("/v1/orders", doc, headers=HURRY, **how), status, code)

    await refused({**order_doc(), "freight": "x"}, 422, "API-102")
    await refused({**order_doc(), "profile": "nobody"}, 422, "API-103")
    await refused(order_doc(), 401, "API-201", key="nobody")
    await refused(order_doc(), 403, "API-202", key="alpha-clerk")
    problem(await api.post("/v1/orders", data=b"{", headers=HURRY), 400, "API-101")
    problem(await api.batch(headers=HURRY), 400, "API-106")
    assert kept(api).packs == {}


async def test_what_turns_out_wrong_is_told_with_the_problem(api: API) -> None:
    submission = id_of(await api.post("/v1/orders", order_doc(order_no="FROZEN-1"), headers=HURRY))
    await take_in(api)
    found = await told(api, submission)
    assert found.status == "refused"
    assert found.answer is not None
    assert found.answer.status == 409
    listed = SubmissionPage(**(await api.get("/v1/submissions")).doc)
    assert [one.submission for one in listed.submissions] == [submission]
    assert (await api.get("/v1/submissions?status=taken")).doc["submissions"] == []
    problem(await api.get("/v1/submissions?status=lost"), 400, "API-104")


async def test_a_batch_is_kept_whole_and_answered_line_by_line(api: API) -> None:
    lines = [
        {"type": "order", **order_doc()},
        {"type": "goods", **goods_doc()},
        {"type": "payment", **payment_doc(), "amount": "x"},
    ]
    mixed = id_of(await api.batch(*lines, headers=HURRY))
    good = id_of(await api.batch(*lines[:2], headers=HURRY))
    await take_in(api)
    found = await told(api, mixed)
    assert (found.status, found.route) == ("refused", "POST /v1/batches")
    assert found.answer is not None
    results = found.answer.body.model_dump()["results"]
    assert [one["status"] for one in results] == ["accepted", "accepted", "refused"]
    assert (await told(api, good)).status == "taken"


async def test_who_waits_for_it_hears_as_soon_as_it_is_taken_in(api: API) -> None:
    submission = id_of(await api.post("/v1/orders", order_doc(), headers=HURRY))
    assert (await told(api, f"{submission}?wait=0")).status == "waiting"
    await take_in(api)
    assert (await told(api, f"{submission}?wait=30")).status == "taken"
    problem(await api.get(f"/v1/submissions/{submission}?wait=31"), 400, "API-104")


async def test_submissions_are_seen_by_their_tenant_alone(api: API) -> None:
    submission = id_of(await api.post("/v1/orders", order_doc(), headers=HURRY))
    path = f"/v1/submissions/{submission}"
    for key in ("alpha-viewer", "alpha-warehouse"):
        assert (await api.get(path, key=key)).status == 200
    problem(await api.get(path, key="beta-seller"), 404, "API-301")
    problem(await api.get("/v1/submissions/nothing"), 404, "API-301")
    problem(await api.get("/v1/submissions", key="alpha-warehouse"), 403, "API-202")


async def test_one_key_keeps_once(api: API) -> None:
    headers = {**HURRY, "Idempotency-Key": "k1"}
    first = id_of(await api.post("/v1/orders", order_doc(), headers=headers))
    again = await api.post("/v1/orders", order_doc(), headers=headers)
    assert again.headers["Idempotency-Replayed"] == "true"
    assert id_of(again) == first
    assert len(kept(api).packs) == 1


async def test_a_peak_is_kept_while_others_are_asked_to_come_again(api: API) -> None:
    admission = api.world.services.admission
    admission.in_hand = admission.limits.in_hand
    problem(await api.post("/v1/orders", order_doc()), 503, "API-504")
    id_of(await api.post("/v1/orders", order_doc(), headers=HURRY))
    admission.submitted = admission.limits.submitted
    problem(await api.post("/v1/orders", order_doc(), headers=HURRY), 503, "API-504")


async def test_what_trying_again_does_not_mend_is_told_and_holds_nothing_up(
    api: API, monkeypatch: pytest.MonkeyPatch
) -> None:
    submission = id_of(await api.post("/v1/orders", order_doc(), headers=HURRY))

    async def taken(items: Any) -> list[IntakeResult]:
        return [IntakeResult(IntakeStatus.FAILED, None, "T1", reason=Conflict.code)]

    monkeypatch.setattr(api.world.taker, "take", taken)
    monkeypatch.setattr("gateway.api.intake._TRIES", 2)
    await take_in(api)
    assert (await told(api, submission)).status == "refused"


async def test_what_the_store_has_no_room_for_is_tried_again(
    api: API, monkeypatch: pytest.MonkeyPatch
) -> None:
    submission = id_of(await api.post("/v1/orders", order_doc(), headers=HURRY))
    taker, tries = api.world.taker, []
    take = taker.take

    async def busy(items: Any) -> list[IntakeResult]:
        tries.append(len(items))
        if len(tries) == 1:
            raise Overloaded("full")
        if len(tries) == 2:
            return [IntakeResult(IntakeStatus.FAILED, None, "T1", reason=Overloaded.code)]
        return await take(items)

    monkeypatch.setattr(taker, "take", busy)
    await take_in(api)
    assert tries == [1, 1, 1]
    assert (await told(api, submission)).status == "taken"
    # For good it stays what it is: acknowledged, and not yet taken in.
    monkeypatch.setattr("gateway.api.intake._TRIES", 2)
    other = id_of(await api.post("/v1/orders", order_doc(order_no="T2"), headers=HURRY))
    tries.clear()
    monkeypatch.setattr(taker, "take", lambda items: busy_for_good())

    async def busy_for_good() -> list[IntakeResult]:
        raise Overloaded("full")

    with pytest.raises(Overloaded):
        await take_in(api)
    assert (await told(api, other)).status == "waiting"

"""The contract of every adapter that asks a partner: each check takes the adapter and its samples.

A third party runs it on its own adapter with its own samples::

    @pytest.mark.parametrize("check", suite.checks(ADAPTER))
    def test_contract(check: suite.Check) -> None:
        check(ADAPTER, recorded.load(ADAPTER, FOLDER))
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any
from urllib.parse import unquote_plus

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.base import (
    NO_ANSWER,
    NOT_ALLOWED,
    Account,
    CallFailed,
    CarrierAdapter,
    Cursor,
    FilingOutcome,
    FilingState,
    NothingYet,
    OptionKind,
    ParseFailure,
    PaymentAdapter,
    Pulled,
    ShipmentOutcome,
    ShipmentState,
    Sighting,
    SourceAdapter,
)
from adapters.wire import path_and_query
from gateway.domain.codec import paper_from_doc, paper_to_doc
from gateway.domain.errors import Retry
from gateway.domain.papers import Paper, PaymentSlip, Waybill, kind_of
from tests.contract.adapters.recorded import (
    Asking,
    Conversation,
    leaves,
    parsed_doc,
    play,
    reader,
    result_doc,
    with_leaf,
)

Check = Callable[[Asking, Sequence[Conversation]], None]
RESULTS = (Pulled, NothingYet, FilingOutcome, ShipmentOutcome, CallFailed)
ODD_BODIES = 60
ODD: tuple[Any, ...] = (
    None,
    True,
    -1,
    10**30,
    0.5,
    "",
    " ",
    "ZZ_UNKNOWN",
    "x" * 5000,
    "\u202e\x00",
    [],
    [None],
    {},
    {"x": {}},
)


def checks(adapter: Asking) -> list[Check]:
    """Every check that concerns an adapter of this kind."""
    found: list[Check] = [
        check_terms,
        check_module,
        check_recorded,
        check_repeated,
        check_requests,
        check_secrets,
        check_no_answer,
        check_refused,
        check_truncated,
        check_odd_values,
        check_hostile_bytes,
        check_round_trip,
        check_parse_truncated,
        check_parse_hostile,
    ]
    if isinstance(adapter, SourceAdapter):
        found += [check_windows, check_clock_jumps, check_page_kept, check_spans, check_same_twice]
    else:
        found += [check_forged, check_lost_answer]
    return found


# --- what is declared -------------------------------------------------------------------------


def check_terms(adapter: Asking, recorded: Sequence[Conversation]) -> None:
    """Titles, addresses, limits and options are all stated, and an empty account is refused."""
    terms = adapter.terms
    assert adapter.id.isidentifier()
    assert adapter.id == adapter.id.lower()
    assert adapter.title_zh
    assert adapter.title_en
    assert terms.base_url.startswith("https://")
    assert terms.sandbox_url is None or terms.sandbox_url.startswith("https://")
    assert terms.limits.requests_per_minute > 0
    assert terms.limits.page_size > 0
    assert 0 < terms.limits.answer_bytes <= 1024 * 1024
    assert len({option.name for option in terms.options}) == len(terms.options)
    assert all(option.text_zh and option.text_en for option in terms.options)
    assert terms.missing(Account("empty", terms.base_url))
    assert not any(terms.missing(one.account) for one in recorded)
    assert terms.retry_of("no_such_code") is Retry.NEVER


def check_module(adapter: Asking, recorded: Sequence[Conversation]) -> None:
    """The module exposes this one adapter, and nothing in it does I/O."""
    module = sys.modules[adapter.parse.__module__]
    offered = [value for value in vars(module).values() if isinstance(value, type(adapter))]
    assert offered == [adapter]
    assert module.ADAPTER is adapter
    imported = {getattr(value, "__name__", "") for value in vars(module).values()}
    assert not imported & {"aiohttp", "asyncio", "socket", "requests", "urllib", "time", "random"}


# --- what is said -----------------------------------------------------------------------------


def check_recorded(adapter: Asking, recorded: Sequence[Conversation]) -> None:
    """Each conversation asks what was recorded and comes to what was recorded."""
    for one in recorded:
        played = play(adapter, one)
        asked = [
            f"{request.method} {path_and_query(request.url).partition('?')[0]}"
            for request in played.requests
        ]
        assert asked == [step.request for step in one.steps], one.name
        assert result_doc(played.result) == one.result, one.name
        assert parsed_doc(adapter, one) == one.parsed, one.name


def check_repeated(adapter: Asking, recorded: Sequence[Conversation]) -> None:
    """The same answers lead to the same result: nothing is remembered between conversations."""
    for one in recorded:
        assert play(adapter, one) == play(adapter, one)


def check_requests(adapter: Asking, recorded: Sequence[Conversation]) -> None:
    """Requests go to the account's address, with a deadline, and carry what is sent as bytes."""
    for one in recorded:
        for request in play(adapter, one).requests:
            assert request.url.startswith(one.account.base_url.rstrip("/"))
            assert request.url.isascii()
            assert " " not in request.url
            assert 0 < request.timeout_s <= 60
            assert request.method in ("GET", "POST", "PUT", "PATCH", "DELETE")
            assert all(value.isprintable() for value in request.headers.values())


def check_secrets(adapter: Asking, recorded: Sequence[Conversation]) -> None:
    """A key is never sent, no secret is shown, and no person stands in an address."""
    for one in recorded:
        unsent = [
            one.account.option(option.name)
            for option in adapter.terms.options
            if option.kind is OptionKind.UNSENT
        ]
        hidden = unsent + [
            one.account.option(option.name)
            for option in adapter.terms.options
            if option.kind is OptionKind.HIDDEN
        ]
        played = play(adapter, one)
        for request in played.requests:
            wire = "\n".join((request.url, *request.headers.values(), request.body.decode()))
            assert not any(secret in unquote_plus(wire) for secret in unsent if secret)
            assert not any(person in unquote_plus(request.url) for person in _people(one.value))
        shown = repr(one.caller()) + repr(result_doc(played.result))
        assert not any(secret in shown for secret in hidden if secret)
        if isinstance(played.result, Pulled):
            assert not any(clear in repr(played.result) for clear in played.result.opened.values())


def _people(value: object) -> list[str]:
    """Names, phones and numbers of the people in an input."""
    found: list[str] = []
    for holder in ("buyer", "consignee", "sender"):
        person = getattr(value, holder, None)
        for field in ("name", "phone", "id_number", "address"):
            text = getattr(person, field, None)
            if isinstance(text, str) and text:
                found.append(text)
    return found


# --- what goes wrong --------------------------------------------------------------------------


def _good(result: object) -> bool:
    """Whether a result lets a case go on."""
    match result:
        case Pulled(trouble=None):
            return True
        case FilingOutcome(state=FilingState.FILED | FilingState.PENDING):
            return True
        case ShipmentOutcome(state=ShipmentState.ACCEPTED):
            return True
        case _:
            return False


def _commands(adapter: Asking, recorded: Iterable[Conversation]) -> list[Conversation]:
    """The conversations whose first step asks for something to be done."""
    return [one for one in recorded if one.do in ("declare", "create")]


def check_no_answer(adapter: Asking, recorded: Sequence[Conversation]) -> None:
    """Silence at any step is a typed result that lets the same be asked for again."""
    for one in recorded:
        if not _good(play(adapter, one).result):
            continue
        for status in (NO_ANSWER, 500, 503, 429):
            broken = one.with_status(0, status).with_body(0, b"")
            # What comes after a failed command may settle it; here nothing more is answered.
            lonely = _cut(broken, 1)
            result = play(adapter, lonely).result
            assert isinstance(result, CallFailed), (one.name, status)
            assert result.retry is not Retry.NEVER, (one.name, status)
        for at in range(1, len(one.steps)):
            broken = one.with_status(at, NO_ANSWER).with_body(at, b"")
            assert isinstance(play(adapter, broken).result, RESULTS)


def _cut(one: Conversation, steps: int) -> Conversation:
    for at in range(steps, len(one.steps)):
        one = one.with_status(at, NO_ANSWER).with_body(at, b"")
    return one


def check_refused(adapter: Asking, recorded: Sequence[Conversation]) -> None:
    """What a partner or we ourselves refuse is not tried again and again."""
    for one in recorded:
        if not _good(play(adapter, one).result):
            continue
        for status in (301, 400, 403, NOT_ALLOWED):
            result = play(adapter, _cut(one.with_status(0, status).with_body(0, b""), 1)).result
            assert isinstance(result, CallFailed), (one.name, status)
            assert result.retry is Retry.NEVER, (one.name, status)


def check_truncated(adapter: Asking, recorded: Sequence[Conversation]) -> None:
    """A body that ends early is never read as if it were whole."""
    for one in recorded:
        for at, step in enumerate(one.steps):
            for end in _cuts(len(step.body.rstrip())):
                result = play(adapter, _cut(one.with_body(at, step.body[:end]), at + 1)).result
                assert isinstance(result, RESULTS)
                if at == 0:
                    assert not _good(result), (one.name, end)


def _cuts(length: int) -> list[int]:
    return sorted({0, 1, length // 3, length // 2, length - 2, length - 1} - {-1, length, -2})


def check_odd_values(adapter: Asking, recorded: Sequence[Conversation]) -> None:
    """Whatever stands in any place of an answer, the result is typed: nothing raises."""
    for one in recorded:
        for at, step in enumerate(one.steps):
            for body in _odd_bodies(step.body):
                assert isinstance(play(adapter, one.with_body(at, body)).result, RESULTS)


def _odd_bodies(raw: bytes) -> list[bytes]:
    """The body with odd values in its places, also inside of JSON that is a text; a fair choice."""
    found = list(_all_odd_bodies(raw))
    return found[:: 1 + len(found) // ODD_BODIES]


def _all_odd_bodies(raw: bytes) -> Iterator[bytes]:
    try:
        document = json.loads(raw)
    except ValueError:
        return
    if not isinstance(document, dict | list):
        return
    for path, value in leaves(document):
        for odd in ODD:
            yield json.dumps(with_leaf(document, path, odd)).encode()
        if isinstance(value, str) and value.startswith("{"):
            for inner in _all_odd_bodies(value.encode()):
                yield json.dumps(with_leaf(document, path, inner.decode())).encode()


def _mangled(raw: bytes) -> st.SearchStrategy[bytes]:
    """The bytes with one part replaced."""
    place = st.integers(0, len(raw))
    return st.builds(
        lambda at, length, put: raw[:at] + put + raw[at + length :],
        place,
        st.integers(0, 40),
        st.binary(max_size=12) | st.sampled_from([b'"', b"\\", b"[[[[", b"}", b"\xff", b"9" * 40]),
    )


def _for_hostile_bytes(raw: bytes, hold: Callable[[bytes], None]) -> None:
    """Call with bytes that are nearly these, and with others that are nothing like them."""

    @settings(max_examples=25)
    @given(body=_mangled(raw) | st.binary(max_size=80))
    def try_one(body: bytes) -> None:
        hold(body)

    try_one()


def check_hostile_bytes(adapter: Asking, recorded: Sequence[Conversation]) -> None:
    """Bytes that mean harm lead to a typed result at every step."""
    for one in recorded:
        for at, step in enumerate(one.steps):

            def hold(body: bytes, one: Conversation = one, at: int = at) -> None:
                assert isinstance(play(adapter, one.with_body(at, body)).result, RESULTS)

            _for_hostile_bytes(step.body, hold)
        deep = b'{"data":' + b"[" * 100_000
        assert not _good(play(adapter, _cut(one.with_body(0, deep), 1)).result)


# --- parsing ----------------------------------------------------------------------------------


def _papers(adapter: Asking, one: Conversation) -> list[Paper]:
    result = play(adapter, one).result
    match result:
        case Pulled(raw=raw):
            return [item.paper for item in reader(adapter, one)(raw) if isinstance(item, Sighting)]
        case FilingOutcome(slip=slip):
            return [slip]
        case ShipmentOutcome(waybills=waybills):
            return list(waybills)
        case _:
            return []


def check_round_trip(adapter: Asking, recorded: Sequence[Conversation]) -> None:
    """The samples give papers, and each survives being stored."""
    papers = [paper for one in recorded for paper in _papers(adapter, one)]
    assert papers
    for paper in papers:
        assert paper_from_doc(kind_of(paper), paper_to_doc(paper)) == paper


def _is_parsed(item: object) -> bool:
    return isinstance(item, Sighting | PaymentSlip | Waybill | ParseFailure)


def check_parse_truncated(adapter: Asking, recorded: Sequence[Conversation]) -> None:
    """Bytes cut anywhere are one failure, not fewer papers."""
    for one in recorded:
        parse = reader(adapter, one)
        for step in one.steps:
            whole = step.body.rstrip()
            for end in range(0, len(whole), max(1, len(whole) // 60)):
                read = parse(whole[:end])
                assert len(read) == 1, (one.name, end)
                assert isinstance(read[0], ParseFailure)


def check_parse_hostile(adapter: Asking, recorded: Sequence[Conversation]) -> None:
    """parse() never raises, and no value stands in what it says of a failure."""
    for one in recorded:
        parse = reader(adapter, one)
        for step in one.steps:
            for body in _odd_bodies(step.body):
                read = parse(body)
                assert all(map(_is_parsed, read))
                reasons = [item.reason for item in read if isinstance(item, ParseFailure)]
                assert not any("x" * 20 in reason for reason in reasons)

            def hold(body: bytes, parse: Callable[[bytes], tuple[Any, ...]] = parse) -> None:
                assert all(map(_is_parsed, parse(body)))

            _for_hostile_bytes(step.body, hold)


# --- sources ----------------------------------------------------------------------------------


def _source(adapter: Asking) -> SourceAdapter:
    assert isinstance(adapter, SourceAdapter)
    return adapter


def check_windows(adapter: Asking, recorded: Sequence[Conversation]) -> None:
    """Windows leave no time out, overlap, end before now, and always move on."""
    windows = _source(adapter).windows
    assert windows.window_s > 0
    assert windows.overlap_s >= 300
    assert windows.lag_s > 0
    assert windows.pause_s > 0

    @settings(max_examples=50)
    @given(waits=st.lists(st.integers(1, 10**6), min_size=1, max_size=20))
    def hold(waits: list[int]) -> None:
        now = recorded[0].now
        cursor = Cursor.beginning(now)
        for wait in waits:
            now += wait * 1_000_000
            window = windows.next(cursor, now)
            if window is None:
                assert now < windows.ready_at(cursor)
                continue
            assert window.start <= cursor.end - windows.overlap_s * 1_000_000
            assert cursor.end < window.end <= now - windows.lag_s * 1_000_000
            assert window.page == ""
            assert windows.next(window, 0) == window
            cursor = Cursor(window.start, window.end)

    hold()


def check_clock_jumps(adapter: Asking, recorded: Sequence[Conversation]) -> None:
    """A clock that jumps back makes the source wait, without asking anything."""
    source = _source(adapter)
    for one in recorded:
        cursor = Cursor.beginning(one.now)
        for jump in (0, -600, -86_400):
            exchange = source.pull(one.caller(one.now + jump * 1_000_000), cursor)
            with pytest.raises(StopIteration) as end:  # asks for nothing
                next(exchange)
            assert isinstance(end.value.value, NothingYet)
            assert end.value.value.until > cursor.end


def check_page_kept(adapter: Asking, recorded: Sequence[Conversation]) -> None:
    """The bytes of a page are those that came, and the cursor does not go back."""
    pulled = 0
    for one in recorded:
        result = play(adapter, one).result
        if isinstance(result, Pulled):
            pulled += 1
            assert any(result.raw == step.body for step in one.steps)
            assert result.cursor.end > one.value.end or result.cursor != one.value
            assert result.cursor.end >= one.value.end
    assert pulled, "no conversation pulls a page"


def check_spans(adapter: Asking, recorded: Sequence[Conversation]) -> None:
    """Each paper points at its own bytes: whole JSON, naming it, and not its neighbours."""
    for one in recorded:
        result = play(adapter, one).result
        if not isinstance(result, Pulled):
            continue
        seen = [item for item in reader(adapter, one)(result.raw) if isinstance(item, Sighting)]
        numbers = [item.key.order_no for item in seen]
        for item in seen:
            part = result.raw[item.offset : item.offset + item.length]
            json.loads(part)
            assert item.key.order_no.encode() in part
            assert not any(
                other.encode() in part for other in numbers if other != item.key.order_no
            )


def check_same_twice(adapter: Asking, recorded: Sequence[Conversation]) -> None:
    """What is shown twice has the same key and the same paper both times."""
    for one in recorded:
        result = play(adapter, one).result
        if isinstance(result, Pulled):
            first = reader(adapter, one)(result.raw)
            assert first == reader(adapter, one)(result.raw)
            keys = [item.key for item in first if isinstance(item, Sighting)]
            assert len(set(keys)) == len(keys)


# --- payments and carriers --------------------------------------------------------------------


def check_forged(adapter: Asking, recorded: Sequence[Conversation]) -> None:
    """Where answers are signed, one of another time is not believed."""
    assert isinstance(adapter, PaymentAdapter | CarrierAdapter)
    for one in recorded:
        if not one.answers:
            continue
        for skew in (-3600, 3600):
            result = play(adapter, one, one.now + skew * 1_000_000).result
            assert isinstance(result, CallFailed), one.name


def check_lost_answer(adapter: Asking, recorded: Sequence[Conversation]) -> None:
    """A command whose answer was lost is looked up, and is unknown until that succeeds."""
    commands = _commands(adapter, recorded)
    assert commands, "no conversation asks for something to be done"
    for one in commands:
        if not _good(play(adapter, one).result):
            continue
        lost = _cut(one.with_status(0, NO_ANSWER).with_body(0, b""), 1)
        played = play(adapter, lost)
        assert isinstance(played.result, CallFailed)
        assert played.result.retry is Retry.UNKNOWN_OUTCOME
        assert len(played.requests) > 1, "nobody asked what became of it"
        first = played.requests[0]
        assert all(request.body != first.body for request in played.requests[1:])

"""Recorded conversations of an adapter: what it asks, what its partner answers, what follows.

A folder of samples holds ``account.json`` and any number of ``<name>.conversation.json``::

    {"do": "pull", "now": "2026-09-01T10:00:00+08:00", "input": {…},
     "steps": [{"request": "POST /order/searchList", "answer": {"body": …}}],
     "result": {"Pulled": {…}},
     "parsed": [{"Sighting": {…}}, {"ParseFailure": {…}}]}

An answer's ``body`` is a JSON value, its exact text, or ``{"file": name}``. Where the account says
which text its partner signs (``answers``), the headers of every answer are made from it.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, cast

from adapters.base import (
    NO_ANSWER,
    Account,
    Caller,
    CarrierAdapter,
    Cursor,
    Exchange,
    PaymentAdapter,
    PaymentFiling,
    Pulled,
    Request,
    Response,
    Shipment,
    SignatureRefused,
    SourceAdapter,
)
from gateway.domain.codec import from_doc, to_doc, to_micros

Place = tuple[str | int, ...]
Asking = SourceAdapter | PaymentAdapter | CarrierAdapter
SAMPLES = Path(__file__).parents[2] / "samples"
FOLDERS: Mapping[type, str] = {
    SourceAdapter: "marketplaces",
    PaymentAdapter: "payments",
    CarrierAdapter: "carriers",
}
INPUTS: Mapping[str, type] = {
    "pull": Cursor,
    "declare": PaymentFiling,
    "query": PaymentFiling,
    "refile": PaymentFiling,
    "create": Shipment,
}


@dataclass(frozen=True, slots=True)
class FixedClock:
    """A clock that stands."""

    at: int

    def now(self) -> int:
        return self.at

    async def sleep(self, seconds: float) -> None:
        raise AssertionError("a conversation never waits")


@dataclass(slots=True)
class CountingRng:
    """Chance that counts."""

    drawn: int = 0

    def bytes(self, count: int) -> bytes:
        self.drawn += 1
        return self.drawn.to_bytes(count, "big")

    def guid(self) -> str:
        self.drawn += 1
        return f"00000000-0000-4000-8000-{self.drawn:012d}"


@dataclass(frozen=True, slots=True)
class DigestKeys:
    """Keys whose signature is a digest, so that a sample can be signed without a private key."""

    serial: str = "OURS01"

    def sign(self, data: bytes) -> bytes:
        return hashlib.sha256(b"ours" + data).digest()

    def verify(self, serial: str, data: bytes, signature: bytes) -> None:
        if serial != "PARTNER01" or signature != self.answers(data):
            raise SignatureRefused("not the partner's")

    def seal(self, text: str) -> tuple[str, bytes]:
        return "PARTNER01", hashlib.sha256(b"sealed" + text.encode()).digest()

    @staticmethod
    def answers(data: bytes) -> bytes:
        return hashlib.sha256(b"partner" + data).digest()


@dataclass(frozen=True, slots=True)
class Step:
    """What is asked, as ``METHOD /path``, and what is answered."""

    request: str
    status: int
    body: bytes


@dataclass(frozen=True, slots=True)
class Conversation:
    """One recorded conversation; ``answers`` says how the partner signs."""

    name: str
    do: str
    now: int
    value: Any
    steps: tuple[Step, ...]
    result: Mapping[str, Any]
    parsed: Sequence[Mapping[str, Any]]
    account: Account
    answers: Mapping[str, Any]

    def caller(self, now: int | None = None) -> Caller:
        """Who calls, at the time of the recording."""
        return Caller(self.account, FixedClock(self.now if now is None else now), CountingRng())

    def response(self, step: Step) -> Response:
        """The answer of a step, signed as the partner does."""
        headers = {"content-type": "application/json"}
        if self.answers:
            timestamp = str(self.now // 1_000_000)
            before, _, after = str(self.answers["text"]).partition("{body}")
            before, after = (one.format(timestamp=timestamp, nonce="N1") for one in (before, after))
            data = before.encode() + step.body + after.encode()
            signature = base64.b64encode(DigestKeys.answers(data)).decode()
            for name, value in self.answers["headers"].items():
                headers[name] = value.format(timestamp=timestamp, nonce="N1", signature=signature)
        return Response(step.status, headers, step.body)

    def with_body(self, at: int, body: bytes) -> Conversation:
        """The same with another answer in one step, signed anew."""
        steps = list(self.steps)
        steps[at] = replace(steps[at], body=body)
        return replace(self, steps=tuple(steps))

    def with_status(self, at: int, status: int) -> Conversation:
        """The same with another status in one step."""
        steps = list(self.steps)
        steps[at] = replace(steps[at], status=status)
        return replace(self, steps=tuple(steps))


@dataclass(frozen=True, slots=True)
class Played:
    """What a conversation asked, and what it came to."""

    requests: tuple[Request, ...]
    result: Any


def load(adapter: Asking, folder: Path | None = None) -> list[Conversation]:
    """The recorded conversations of an adapter; there has to be one."""
    folder = folder or SAMPLES / FOLDERS[type(adapter)] / adapter.id
    given = json.loads((folder / "account.json").read_text())
    keys = DigestKeys() if adapter.terms.needs_keys else None
    account = Account("recorded", adapter.terms.base_url, given["values"], keys)
    found = [
        _conversation(path, account, given.get("answers", {}))
        for path in sorted(folder.glob("*.conversation.json"))
    ]
    assert found, f"{folder} holds no conversation"
    return found


def _conversation(path: Path, account: Account, answers: Mapping[str, Any]) -> Conversation:
    doc = json.loads(path.read_text())
    return Conversation(
        name=path.name.partition(".")[0],
        do=doc["do"],
        now=to_micros(datetime.fromisoformat(doc["now"])),
        value=from_doc(INPUTS[doc["do"]], doc["input"]),
        steps=tuple(_step(path.parent, step) for step in doc["steps"]),
        result=doc["result"],
        parsed=doc.get("parsed", []),
        account=account,
        answers=answers,
    )


def _step(folder: Path, doc: Mapping[str, Any]) -> Step:
    answer = doc["answer"]
    body = answer.get("body")
    if isinstance(body, dict) and set(body) == {"file"}:
        content = (folder / body["file"]).read_bytes()
    elif isinstance(body, str):
        content = body.encode()
    else:
        content = json.dumps(body, ensure_ascii=False).encode()
    return Step(doc["request"], answer.get("status", 200), content)


def play(adapter: Asking, recorded: Conversation, now: int | None = None) -> Played:
    """Hold a conversation; what is asked beyond the recording gets no answer."""
    start = cast(Callable[[Caller, Any], Exchange[Any]], getattr(adapter, recorded.do))
    exchange = start(recorded.caller(now), recorded.value)
    answers = iter([recorded.response(step) for step in recorded.steps])
    requests: list[Request] = []
    try:
        request = next(exchange)
        while True:
            requests.append(request)
            assert len(requests) < 100, "a conversation has to end"
            request = exchange.send(next(answers, Response(NO_ANSWER, {}, b"")))
    except StopIteration as end:
        return Played(tuple(requests), end.value)


def result_doc(result: Any) -> dict[str, Any]:
    """A result as JSON values under the name of its type; raw bytes as their digest."""
    if isinstance(result, Pulled):
        shown = {
            "sha256": hashlib.sha256(result.raw).hexdigest(),
            "cursor": to_doc(result.cursor),
            "opened": [[*key, value] for key, value in result.opened.items()],
        }
        if result.trouble is not None:
            shown["trouble"] = to_doc(result.trouble)
        return {"Pulled": shown}
    doc = to_doc(result)
    assert isinstance(doc, dict)
    return {type(result).__name__: doc}


def reader(adapter: Asking, one: Conversation) -> Callable[[bytes], tuple[Any, ...]]:
    """What reads bytes as the adapter does, with what the conversation opened."""
    if not isinstance(adapter, SourceAdapter):
        return adapter.parse
    parse, account = adapter.parse, one.account
    result = play(adapter, one).result
    opened = result.opened if isinstance(result, Pulled) else {}
    return lambda raw: parse(account, raw, opened)


def parsed_doc(adapter: Asking, one: Conversation) -> list[dict[str, Any]]:
    """What is read in the bytes of a page, or of the first answer of another conversation."""
    result = play(adapter, one).result
    raw = result.raw if isinstance(result, Pulled) else one.steps[0].body
    return [{type(item).__name__: to_doc(item)} for item in reader(adapter, one)(raw)]


def leaves(value: Any, path: Place = ()) -> Iterator[tuple[Place, Any]]:
    """The path and the value of every member and element of a JSON value."""
    members = value.items() if isinstance(value, dict) else enumerate(value)
    for name, member in members:
        yield (*path, name), member
        if isinstance(member, dict | list):
            yield from leaves(member, (*path, name))


def with_leaf(value: Any, path: Place, other: Any) -> Any:
    """A JSON value with another value at one place."""
    if not path:
        return other
    copied: Any = dict(value) if isinstance(value, dict) else list(value)
    copied[path[0]] = with_leaf(copied[path[0]], path[1:], other)
    return copied

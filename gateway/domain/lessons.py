"""What own cases teach about customs' rejections: what was seen, and what was done that helped.

Events go in, in the order of their cases; nothing of a person is in them, nor in what comes out.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from gateway.domain.codes import find_rejection
from gateway.domain.declaration import DeclarationStage
from gateway.domain.events import Event, EventKind
from gateway.domain.ids import CaseId

_S: Final = DeclarationStage
_REFUSED: Final = frozenset({_S.REJECTED})
# Lodged or accepted is no success yet: a rejection may still follow.
_GOOD: Final = frozenset({_S.STORED, _S.APPROVED, _S.RELEASED, _S.CLOSED})
RESENT: Final = "filed_again"
"""What is told where nothing of the papers changed between a rejection and success."""


@dataclass(slots=True)
class Lesson:
    """One rejection code: how often it was seen, and how often each change helped or did not.

    A change is named by the fields that a repair corrected (``order.buyer.name``), or by the paper
    that its source sent anew (``payment``); several are joined by ``+``.
    """

    code: str
    seen: int = 0
    helped: Counter[str] = field(default_factory=Counter)
    failed: Counter[str] = field(default_factory=Counter)

    @property
    def rule(self) -> str | None:
        """The rule that would have caught it."""
        known = find_rejection(self.code)
        return (known.rule or None) if known is not None else None

    @property
    def text(self) -> dict[str, str] | None:
        """What customs means by the code, in both languages; None for one that is not known."""
        known = find_rejection(self.code)
        return None if known is None else {"en": known.cause_en, "zh": known.cause_zh}

    def to_doc(self) -> dict[str, Any]:
        """The JSON value, the most helpful change first (Any: JSON values)."""
        changes = sorted({*self.helped, *self.failed}, key=lambda one: (-self.helped[one], one))
        return {
            "code": self.code,
            "rule": self.rule,
            "text": self.text,
            "seen": self.seen,
            "fixes": [
                {"change": one, "helped": self.helped[one], "failed": self.failed[one]}
                for one in changes
            ],
        }


@dataclass(slots=True)
class Waiting:
    """A rejection that has not been followed by another answer yet: its codes, and what was changed
    since.
    """

    codes: tuple[str, ...]
    changes: set[str] = field(default_factory=set)


class Lessons:
    """Learns from events; cases may be mixed, each one's events come in their order.

    It goes on from what was learned before: ``lessons``, and ``waiting``, the rejections without an
    answer by case and kind of declaration.
    """

    def __init__(
        self,
        lessons: Iterable[Lesson] = (),
        waiting: Mapping[CaseId, Mapping[str, Waiting]] | None = None,
    ) -> None:
        self._lessons = {one.code: one for one in lessons}
        self._waiting = {case: dict(kinds) for case, kinds in (waiting or {}).items()}

    @property
    def waiting(self) -> Mapping[CaseId, Mapping[str, Waiting]]:
        """The rejections that have not been followed by another answer yet."""
        return self._waiting

    def add(self, case: CaseId, event: Event) -> None:
        """One event of a case."""
        if event.kind is EventKind.RECEIPT_RECORDED:
            self._receipt(case, event.payload)
        elif event.kind is EventKind.PAPERS_RECEIVED:
            changes = {_change(one) for one in event.payload["papers"]}
            for waiting in self._waiting.get(case, {}).values():
                waiting.changes |= changes

    def all(self) -> list[Lesson]:
        """Every code, the one seen most often first."""
        return sorted(self._lessons.values(), key=lambda one: (-one.seen, one.code))

    def _receipt(self, case: CaseId, payload: Mapping[str, Any]) -> None:
        stage = payload.get("stage")
        if payload.get("effect") != "applied" or stage is None:
            return
        kind, open_here = str(payload["kind"]), self._waiting.setdefault(case, {})
        codes = tuple(dict.fromkeys(payload.get("codes", ())))
        if stage in _REFUSED and codes:
            before = open_here.pop(kind, None)
            if before is not None:
                self._judge(before, helped=not set(before.codes) & set(codes))
            for code in codes:
                self._lessons.setdefault(code, Lesson(code)).seen += 1
            open_here[kind] = Waiting(codes)
        elif stage in _GOOD and kind in open_here:
            self._judge(open_here.pop(kind), helped=True)

    def _judge(self, waiting: Waiting, *, helped: bool) -> None:
        change = "+".join(sorted(waiting.changes)) or RESENT
        for code in waiting.codes:
            lesson = self._lessons[code]
            (lesson.helped if helped else lesson.failed)[change] += 1


def _change(paper: Mapping[str, Any]) -> str:
    """What changed: the field that was corrected, else the paper that came."""
    path = paper.get("path")
    if path is None:
        return str(paper["kind"])
    return ".".join(name for name in str(path).split(".") if not name.isdecimal())

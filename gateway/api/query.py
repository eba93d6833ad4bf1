"""Query parameters: known names only, each at most once, every fault named."""

from collections.abc import Mapping, Sequence

from pydantic_core import PydanticCustomError

from gateway.api.call import Call
from gateway.api.edge import read_moment
from gateway.api.faults import Fault
from gateway.api.problems import P, Problem, Refusal
from gateway.domain.case import CaseStage
from gateway.domain.codec import to_micros
from gateway.domain.findings import Severity
from gateway.domain.ids import CaseId, EndpointId, ProfileId
from gateway.ports import CaseFilter, FindingFilter
from gateway.ports.mailbox import NoticeFilter, NoticeStatus

Parameters = Sequence[tuple[str, str]]
_VALUE_LIMIT = 200

PAGING: Parameters = (
    ("after", "Continue after this cursor; take it from the previous page."),
    ("limit", "How many at most, 1 to 200; 50 by default."),
)
CASES: Parameters = (
    ("stage", "Stages separated by commas."),
    ("held", "true or false."),
    ("profile", "A filing profile."),
    ("order_no", "The declared order number."),
    ("number", "Any number on any paper: order, transaction, waybill, copNo."),
    ("updated_since", "Only cases changed at or after this RFC 3339 time."),
    *PAGING,
)
FINDINGS: Parameters = (
    ("severity", "Severities separated by commas: block, warn, note."),
    ("rule", "A rule, for example PAYMENT-AMOUNT."),
    ("resolved", "true or false."),
    ("open", "Of cases that are not final (true) or are (false)."),
    ("profile", "A filing profile."),
    ("case", "A case."),
    *PAGING,
)
QUOTA: Parameters = (("case", "A case: its buyer is meant."),)
REPAIRS: Parameters = (
    ("stage", "proposed, asked, applied or refused."),
    ("limit", "How many at most, 1 to 200; 50 by default."),
)
PACKS: Parameters = (("port", "The port the version is for; without it the one for all ports."),)
PACKS_LIST: Parameters = (
    ("port", "Only those for this port."),
    ("stage", "proposed, shadow, active or retired."),
)
NOTICES: Parameters = (
    ("status", "waiting (not yet delivered or fetched; the default) or parked."),
    ("endpoint", "An endpoint."),
    ("type", "A type of event."),
    ("since", "Parked, or due, at or after this RFC 3339 time."),
    ("until", "Parked, or due, before this RFC 3339 time."),
    *PAGING,
)
EVENTS: Parameters = (
    *PAGING,
    ("wait", "Wait up to this many seconds (0 to 30) for the first event."),
)

SUBMISSIONS: Parameters = (
    ("status", "waiting, taken or refused (a batch: some of its lines); refused by default."),
    *PAGING,
)
SUBMISSION: Parameters = (("wait", "Wait up to this many seconds (0 to 30) until it is taken in."),)


class Query:
    """The parameters of one request; faults gather until :meth:`finish`."""

    def __init__(self, call: Call, known: Parameters) -> None:
        self._faults: list[Fault] = []
        self._values: dict[str, str] = {}
        names = {name for name, _ in known}
        listed = ", ".join(sorted(names))
        for name, value in call.request.query.items():
            if name not in names:
                english = f"is not a parameter of this address; it takes: {listed}"
                self._fault(name[:60], english, f"不是该地址的参数；可用参数：{listed}")
            elif name in self._values:
                self._fault(name, "is given twice", "重复出现")
            elif not 0 < len(value) <= _VALUE_LIMIT or not value.isprintable():
                self._fault(name, "is empty, too long or not printable", "为空、过长或含不可见字符")
            else:
                self._values[name] = value

    def text(self, name: str) -> str | None:
        """A value as it stands."""
        return self._values.get(name)

    def needed(self, name: str) -> str:
        """A value that must be given."""
        text = self._values.get(name)
        if text is None:
            self._fault(name, "must be given", "必须提供")
        return text or ""

    def whole(self, name: str, least: int, most: int, default: int) -> int:
        """A whole number between two bounds."""
        text = self._values.get(name)
        if text is None:
            return default
        if text.isascii() and text.isdigit() and len(text) <= 9 and least <= int(text) <= most:
            return int(text)
        self._fault(
            name,
            f"must be a whole number from {least} to {most}",
            f"必须是 {least} 到 {most} 的整数",
        )
        return default

    def choice(self, name: str, values: Mapping[str, bool]) -> bool | None:
        """One of some words."""
        text = self._values.get(name)
        if text is None or text in values:
            return None if text is None else values[text]
        words = ", ".join(values)
        self._fault(name, f"must be one of: {words}", f"必须是以下之一：{words}")
        return None

    def one_of(self, name: str, words: Sequence[str]) -> str | None:
        """One of some words, as it stands."""
        text = self._values.get(name)
        if text is None or text in words:
            return text
        listed = ", ".join(words)
        self._fault(name, f"must be one of: {listed}", f"必须是以下之一：{listed}")
        return None

    def micros(self, name: str) -> int | None:
        """An RFC 3339 time as UTC microseconds."""
        text = self._values.get(name)
        if text is None:
            return None
        try:
            return to_micros(read_moment(text))
        except PydanticCustomError:
            self._fault(
                name, "must be an RFC 3339 time with its zone", "必须是带时区的 RFC 3339 时间"
            )
            return None

    def stages(self, name: str) -> frozenset[CaseStage]:
        """Stages separated by commas."""
        words = (self._values.get(name) or "").split(",")
        known = {stage.value: stage for stage in CaseStage}
        wrong = [word for word in words if word and word not in known]
        if wrong:
            self._fault(name, f"knows only: {', '.join(known)}", f"只能是：{', '.join(known)}")
        return frozenset(known[word] for word in words if word in known)

    def severities(self, name: str) -> frozenset[Severity]:
        """Severities separated by commas."""
        words = (self._values.get(name) or "").split(",")
        known = {severity.value: severity for severity in Severity}
        if any(word and word not in known for word in words):
            self._fault(name, f"knows only: {', '.join(known)}", f"只能是：{', '.join(known)}")
        return frozenset(known[word] for word in words if word in known)

    def finish(self) -> None:
        """Raise the problem that names every fault, if there was one."""
        if self._faults:
            raise Refusal(Problem(P.INVALID_QUERY, tuple(self._faults)))

    def _fault(self, name: str, english: str, chinese: str) -> None:
        self._faults.append(Fault(f"query.{name}", english, chinese))


def notice_filter(query: Query, roles: frozenset[str]) -> NoticeFilter:
    """Which notices are asked for, of endpoints with these roles (all when empty)."""
    endpoint = query.text("endpoint")
    is_parked = query.choice("status", {"waiting": False, "parked": True})
    return NoticeFilter(
        status=NoticeStatus.PARKED if is_parked else NoticeStatus.WAITING,
        roles=roles,
        endpoint_id=None if endpoint is None else EndpointId(endpoint),
        event_type=query.text("type"),
        since=query.micros("since"),
        until=query.micros("until"),
    )


def case_filter(query: Query) -> CaseFilter:
    """Which cases are asked for."""
    profile = query.text("profile")
    return CaseFilter(
        stages=query.stages("stage"),
        held=query.choice("held", {"true": True, "false": False}),
        profile_id=None if profile is None else ProfileId(profile),
        order_no=query.text("order_no"),
        number=query.text("number"),
        updated_since=query.micros("updated_since"),
    )


def finding_filter(query: Query) -> FindingFilter:
    """Which findings are asked for."""
    profile, case = query.text("profile"), query.text("case")
    return FindingFilter(
        severities=query.severities("severity"),
        rule=query.text("rule"),
        is_resolved=query.choice("resolved", {"true": True, "false": False}),
        is_open=query.choice("open", {"true": True, "false": False}),
        profile_id=None if profile is None else ProfileId(profile),
        case_id=None if case is None else CaseId(case),
    )

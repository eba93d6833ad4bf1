"""Problems (RFC 9457): every refusal has one shape, a stable code and a plain sentence.

A problem is raised as :class:`Refusal` wherever it is found and written by the guard. Its texts
are in English and Chinese; the caller's ``Accept-Language`` chooses.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final

import orjson

from gateway.api.faults import Fault, InvalidFields, InvalidJSON
from gateway.api.reasons import value_fault
from gateway.domain.errors import InvalidValue

PROBLEM_TYPE: Final = "application/problem+json"
DOCS: Final = "/v1/docs/problems"
ERRORS_SHOWN: Final = 100


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of problem: ``slug`` is its anchor in the documentation."""

    code: str
    slug: str
    status: int
    title: str
    title_zh: str
    detail: str
    detail_zh: str


class P(Enum):
    """Every problem the API can answer with."""

    BAD_REQUEST = Kind(
        "API-100", "bad-request", 400, "Bad request", "请求有误",
        "The request is not well-formed HTTP.", "该请求不是合法的 HTTP 请求。",
    )  # fmt: skip
    INVALID_JSON = Kind(
        "API-101", "invalid-json", 400, "Not JSON", "不是合法的 JSON",
        "The body cannot be read as UTF-8 JSON.", "请求体无法按 UTF-8 JSON 读取。",
    )  # fmt: skip
    INVALID_FIELDS = Kind(
        "API-102", "invalid-fields", 422, "Faulty fields", "字段有误",
        "Nothing was stored. Correct the listed fields and send it again.",
        "未保存任何内容。请更正所列字段后重新发送。",
    )  # fmt: skip
    UNKNOWN_PROFILE = Kind(
        "API-103", "unknown-profile", 422, "Unknown filing profile", "申报方案不存在",
        "The profile named is not one of yours. Nothing was stored.",
        "所填申报方案不属于您。未保存任何内容。",
    )  # fmt: skip
    INVALID_QUERY = Kind(
        "API-104", "invalid-query", 400, "Faulty query", "查询参数有误",
        "A query parameter is unknown or holds a wrong value.", "查询参数未知或取值有误。",
    )  # fmt: skip
    NOT_TAKEN = Kind(
        "API-105", "not-taken", 422, "Paper not taken", "单证未被接收",
        "The paper could not be taken in. Nothing was stored.", "该单证未能接收，未保存任何内容。",
    )  # fmt: skip
    EMPTY_BATCH = Kind(
        "API-106", "empty-batch", 400, "Empty batch", "批次为空",
        "The body holds no line.", "请求体中没有任何行。",
    )  # fmt: skip
    INVALID_HEADER = Kind(
        "API-107", "invalid-header", 400, "Faulty header", "请求头有误",
        "A request header holds a wrong value.", "请求头取值有误。",
    )  # fmt: skip
    KEY_REUSED = Kind(
        "API-108", "key-reused", 422, "Key used for something else", "幂等键已用于其他请求",
        "This Idempotency-Key stands for another body. Nothing was stored; send a new key.",
        "该 Idempotency-Key 已对应另一请求体。未保存任何内容，请使用新的键。",
    )  # fmt: skip
    TENANT_NEEDED = Kind(
        "API-109", "tenant-needed", 400, "Name the tenant", "请指明租户",
        "This key spans several tenants: name one in the header Clearance-Tenant. GET /v1/tenants"
        " lists them.",
        "该密钥可用于多个租户：请在 Clearance-Tenant 请求头中指明其一，列表见 GET /v1/tenants。",
    )  # fmt: skip
    PACK_INVALID = Kind(
        "API-110", "pack-invalid", 422, "Rule pack not usable", "规则包不可用",
        "The rule pack has faults; each names its line. Nothing was stored.",
        "规则包有误，每处均注明行号。未保存任何内容。",
    )  # fmt: skip
    UNAUTHENTICATED = Kind(
        "API-201", "unauthenticated", 401, "No valid API key", "缺少有效的 API 密钥",
        "Send your API key as: Authorization: Bearer <key>.",
        "请用 Authorization: Bearer <密钥> 发送您的 API 密钥。",
    )  # fmt: skip
    FORBIDDEN = Kind(
        "API-202", "forbidden", 403, "Not allowed", "无权限",
        "The role of this key may not do this.", "该密钥的角色无权执行此操作。",
    )  # fmt: skip
    NO_MANDATE = Kind(
        "API-203", "no-mandate", 403, "Not your tenant", "无该租户的授权",
        "This key may not work for the tenant in Clearance-Tenant: it is another's, or its mandate"
        " for your enterprise is not in force today.",
        "该密钥不能用于 Clearance-Tenant 所指租户：密钥属于其他租户，"
        "或该租户对贵企业的授权今日无效。",
    )  # fmt: skip
    SECOND_PERSON = Kind(
        "API-204", "second-person", 403, "Needs somebody else", "须由另一人操作",
        "Nobody puts in force what they proposed themselves. Nothing was changed.",
        "提交人不能自行启用，须由另一人操作。未作任何更改。",
    )  # fmt: skip
    NOT_FOUND = Kind(
        "API-301", "not-found", 404, "Not found", "未找到",
        "There is nothing at this address for you.", "该地址没有您可访问的内容。",
    )  # fmt: skip
    METHOD_NOT_ALLOWED = Kind(
        "API-302", "method-not-allowed", 405, "Method not allowed", "不支持该方法",
        "This address does not take this method; see the Allow header.",
        "该地址不支持此方法，请见 Allow 响应头。",
    )  # fmt: skip
    FROZEN = Kind(
        "API-303", "frozen", 409, "Paper already declared", "单证已申报，不可更改",
        "This paper was declared and cannot be changed by sending it again. To change it, wait for"
        " the answer of customs, or ask for the declaration to be cancelled first.",
        "该单证已向海关申报，不能通过重发更改。如需更改，请等待海关回执，或先申请撤销申报。",
    )  # fmt: skip
    TIMEOUT = Kind(
        "API-304", "timeout", 408, "Too slow", "请求超时",
        "The request did not arrive in time. Nothing was stored.",
        "请求未在规定时间内送达，未保存任何内容。",
    )  # fmt: skip
    CONFLICT = Kind(
        "API-305", "conflict", 409, "Taken", "已被占用",
        "What you ask for collides with something that is already stored. Nothing was stored.",
        "该请求与已保存的内容冲突，未保存任何内容。",
    )  # fmt: skip
    TOO_LATE = Kind(
        "API-306", "too-late", 409, "Too late", "为时已晚",
        "The case is past the point where this can be done. Nothing was changed.",
        "该单已越过可执行此操作的阶段，未作任何更改。",
    )  # fmt: skip
    TWIN_IN_FLIGHT = Kind(
        "API-307", "twin-in-flight", 409, "Being worked on", "相同请求处理中",
        "A request with this Idempotency-Key is still being worked on; ask again for its answer.",
        "带有该 Idempotency-Key 的请求仍在处理，请稍后再取其结果。",
    )  # fmt: skip
    MOVED = Kind(
        "API-308", "moved", 412, "Changed meanwhile", "内容已变化",
        "The case is no longer at the version in If-Match. Nothing was changed; read it again.",
        "该单已不是 If-Match 所指的版本，未作任何更改，请重新读取。",
    )  # fmt: skip
    TOO_EARLY = Kind(
        "API-309", "too-early", 409, "Too early", "为时尚早",
        "The case is not yet at the point where this can be asked. Nothing was changed.",
        "该单尚未到可提出此请求的阶段，未作任何更改。",
    )  # fmt: skip
    TOO_LARGE = Kind(
        "API-401", "too-large", 413, "Too large", "请求体过大",
        "The body is larger than this route takes, counted after decompression.",
        "请求体（解压后）超过该接口的上限。",
    )  # fmt: skip
    TOO_MANY_LINES = Kind(
        "API-402", "too-many-lines", 413, "Too many lines", "行数过多",
        "Send the batch in parts.", "请分批发送。",
    )  # fmt: skip
    MEDIA_TYPE = Kind(
        "API-403", "media-type", 415, "Media type not taken", "不支持的媒体类型",
        "Send application/json (a batch: application/x-ndjson), unencoded or gzip or deflate.",
        "请发送 application/json（批次用 application/x-ndjson），可用 gzip 或 deflate 压缩。",
    )  # fmt: skip
    TOO_MANY_REQUESTS = Kind(
        "API-429", "too-many-requests", 429, "Too many requests", "请求过于频繁",
        "This key has used up its requests to this route; Retry-After says when to come back.",
        "该密钥对此接口的请求已达上限，请在 Retry-After 之后再试。",
    )  # fmt: skip
    INTERNAL = Kind(
        "API-501", "internal", 500, "Our fault", "网关内部错误",
        "Something went wrong on our side. Ask again, and tell us the request id if it stays.",
        "网关出现内部错误。请重试；如仍失败，请告知 request_id。",
    )  # fmt: skip
    OVERLOADED = Kind(
        "API-503", "overloaded", 503, "Busy", "系统繁忙",
        "The gateway is busy. Nothing was stored; send it again after the time in Retry-After.",
        "系统繁忙，未保存任何内容。请在 Retry-After 之后重发。",
    )  # fmt: skip
    BACKLOG = Kind(
        "API-504", "backlog", 503, "Too much in hand", "待处理单证过多",
        "The gateway first works off what it has taken in. Nothing was stored; send it again after"
        " the time in Retry-After.",
        "网关需先处理完已接收的单证，未保存任何内容。请在 Retry-After 之后重发。",
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Problem:
    """One problem with what is particular about this case of it; ``extra`` are further members."""

    kind: P
    errors: Sequence[Fault] = ()
    extra: Mapping[str, Any] = field(default_factory=dict)  # Any: JSON members vary by problem
    headers: Mapping[str, str] = field(default_factory=dict)
    detail: tuple[str, str] | None = None

    @property
    def status(self) -> int:
        """The HTTP status."""
        return self.kind.value.status

    def to_doc(self, language: str, request_id: str | None) -> dict[str, Any]:
        """The problem document in one language; the request id is left out of a batch's lines."""
        kind = self.kind.value
        is_chinese = language == "zh"
        detail = self.detail or (kind.detail, kind.detail_zh)
        doc: dict[str, Any] = {
            "type": f"{DOCS}#{kind.slug}",
            "title": kind.title_zh if is_chinese else kind.title,
            "status": kind.status,
            "detail": detail[is_chinese],
            "code": kind.code,
            "errors": [fault.to_doc() for fault in self.errors[:ERRORS_SHOWN]],
        }
        if request_id is not None:
            doc["request_id"] = request_id
        doc.update(self.extra)
        return doc

    def to_bytes(self, language: str, request_id: str) -> bytes:
        """The problem document as JSON."""
        return orjson.dumps(self.to_doc(language, request_id))


class Refusal(Exception):
    """A request is refused with a problem."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.kind.value.code)
        self.problem = problem


def refuse(kind: P, *errors: Fault, **extra: Any) -> Refusal:
    """The exception to raise for a problem (Any: extra members are JSON values)."""
    return Refusal(Problem(kind, errors, extra))


REFUSALS: Final = (Refusal, InvalidJSON, InvalidFields, InvalidValue)
"""What may be raised because of what a body says."""


def body_problem(error: Refusal | InvalidJSON | InvalidFields | InvalidValue) -> Problem:
    """The problem of a body that is refused."""
    match error:
        case Refusal():
            return error.problem
        case InvalidJSON():
            return Problem(P.INVALID_JSON, (error.fault,))
        case InvalidFields():
            return Problem(P.INVALID_FIELDS, error.faults)
        case InvalidValue():
            return Problem(P.INVALID_FIELDS, (value_fault(error),))


def language_of(accept: str | None) -> str:
    """``zh`` or ``en``, whichever an ``Accept-Language`` header prefers; English by default."""
    if not accept:
        return "en"
    best, chosen = -1, "en"
    for part in accept[:200].split(","):
        tag, _, quality = part.strip().lower().partition(";q=")
        primary = tag.split("-", 1)[0].strip()
        if primary not in ("zh", "en"):
            continue
        weight = _weight(quality)
        if weight > best:
            best, chosen = weight, primary
    return chosen


def _weight(quality: str) -> int:
    """A quality value in thousandths; a malformed one counts as 0."""
    if not quality:
        return 1000
    whole, _, part = quality.strip().partition(".")
    digits = (whole + part.ljust(3, "0"))[:4]
    return int(digits) if digits.isascii() and digits.isdigit() else 0

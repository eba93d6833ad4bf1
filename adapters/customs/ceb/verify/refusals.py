"""Why a file is not read, in one clear sentence that says what was expected."""

from enum import Enum
from typing import Final

from schemas.errors import (
    DoctypeRefusedError,
    DocumentTooLargeError,
    EncodingRefusedError,
    EnvelopeError,
    MalformedDocumentError,
    SchemaError,
    TooDeepError,
    TooManyAttributesError,
    TooManyElementsError,
    UnknownDocumentError,
)


class Refused(Enum):
    """The ways in which a file is no customs message; ``{0}`` is what is known of it."""

    NOT_XML = (
        "不是完整的 XML 文件：应为 CEB 报文、DxpMsg 信封或 DxpRep 应答。{0}",
        "This is no well-formed XML: a CEB message, a DxpMsg envelope or a DxpRep answer was "
        "expected. {0}",
    )
    TOO_LARGE = (
        "文件过大：最多 10 MiB、25 万个节点、64 层、每个节点 64 个属性。",
        "The file is too large: 10 MiB, 250,000 elements, 64 levels and 64 attributes an element "
        "are the most.",
    )
    DOCTYPE = (
        "文件含有 DOCTYPE 声明，一律不接受：请去掉后重试。",
        "The file has a DOCTYPE, which is never taken: remove it.",
    )
    ENCODING = (
        "编码无法识别：应为 UTF-8，或已声明的 GB2312、GBK、GB18030。",
        "The encoding is not understood: UTF-8 was expected, or a declared GB2312, GBK or GB18030.",
    )
    ENVELOPE = (
        "信封不可用：应为含一段 base64 报文的 DxpMsg、DxpMsgSv，"
        "或 DxpRep 应答，或 CEB 报文本身。{0}",
        "The envelope cannot be used: a DxpMsg or DxpMsgSv with one base64 message, a DxpRep, or a "
        "bare CEB message was expected. {0}",
    )
    NAMESPACE = (
        "命名空间不对：报文应为 http://www.chinaport.gov.cn/ceb，信封 DxpMsg 应为 …/dxp。",
        "The namespace is another: http://www.chinaport.gov.cn/ceb was expected, of a DxpMsg "
        "envelope …/dxp.",
    )
    MESSAGE = (
        "没有名为 {0} 的报文：应为 42 种 CEB 报文之一（clearance schema list）。",
        "There is no message {0}: one of the 42 CEB messages was expected (clearance schema list).",
    )
    EDITION = (
        "该报文没有所要求的版本：现有 {0}。",
        "The message does not exist in the edition asked for: it has {0}.",
    )
    ARCHIVE = (
        "压缩包不可用：{0}",
        "The archive cannot be used: {0}",
    )
    FILE = (
        "文件无法读取：{0}",
        "The file cannot be read: {0}",
    )

    def words(self, detail: str = "", detail_zh: str | None = None) -> tuple[str, str]:
        """The sentence in Chinese and English."""
        zh, en = self.value
        return zh.format(detail if detail_zh is None else detail_zh).strip(), en.format(
            detail
        ).strip()


_BY_ERROR: Final[tuple[tuple[type[SchemaError], Refused], ...]] = (
    (DocumentTooLargeError, Refused.TOO_LARGE),
    (TooManyElementsError, Refused.TOO_LARGE),
    (TooManyAttributesError, Refused.TOO_LARGE),
    (TooDeepError, Refused.TOO_LARGE),
    (DoctypeRefusedError, Refused.DOCTYPE),
    (EncodingRefusedError, Refused.ENCODING),
    (EnvelopeError, Refused.ENVELOPE),
)


def refusal_of(error: SchemaError) -> tuple[Refused, str]:
    """Which refusal an error of the loader is, and its detail; never content of the file."""
    if isinstance(error, UnknownDocumentError) and not error.known_namespace:
        return Refused.NAMESPACE, ""
    for kind, refused in _BY_ERROR:
        if isinstance(error, kind):
            return refused, str(error) if kind is EnvelopeError else ""
    if isinstance(error, MalformedDocumentError):
        return Refused.NOT_XML, f"({error.kind}, {error.line}:{error.column})"
    return Refused.NOT_XML, ""

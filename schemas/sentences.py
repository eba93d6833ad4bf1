"""One sentence in Chinese and one in English for bytes that could not be taken in.

They tell what was expected, so that whoever holds the file knows what to do; they never repeat what
stands in it.
"""

from __future__ import annotations

from typing import NamedTuple

from schemas import errors


class Sentence(NamedTuple):
    """The same sentence in both languages."""

    zh: str
    en: str


def sentence(error: errors.SchemaError) -> Sentence:
    """Return what to tell a person about an error of this package."""
    match error:
        case errors.DocumentTooLargeError():
            size, limit = error.size_bytes, error.limit_bytes
            return Sentence(
                f"文件有 {size} 字节，超过 {limit} 字节的上限：请拆分报文。",
                f"The file has {size} bytes, at most {limit} are taken: split the message.",
            )
        case errors.EncodingRefusedError():
            return Sentence(
                "字符编码不被接受：应为 UTF-8，或声明为 GB2312、GBK、GB18030 且内容与声明一致。",
                "The character encoding is not accepted: UTF-8 is expected, or bytes that really "
                "are the declared GB2312, GBK or GB18030.",
            )
        case errors.DoctypeRefusedError() | errors.ReservedAttributeError():
            return Sentence(
                "文件含有文档类型声明、实体或 xml: 属性：海关报文不含这些内容，文件被拒绝。",
                "The file holds a document type, entities or attributes of xml: no customs message "
                "has them, the file is refused.",
            )
        case (
            errors.TooManyElementsError() | errors.TooManyAttributesError() | errors.TooDeepError()
        ):
            return Sentence(
                f"文件结构超出上限（{error.limit}）：应为每个报文最多 100 条记录的海关报文。",
                f"The structure of the file is over a limit ({error}): a customs message of at "
                "most 100 records is expected.",
            )
        case errors.MalformedDocumentError():
            return Sentence(
                f"不是完整的 XML（第 {error.line} 行第 {error.column} 列）："
                "应为 CEB 报文、DxpMsg、DxpMsgSv 或 DxpRep。",
                f"Not a complete XML document (line {error.line}, column {error.column}): a CEB "
                "message, a DxpMsg, a DxpMsgSv or a DxpRep is expected.",
            )
        case _:
            return _unknown(error)


def _unknown(error: errors.SchemaError) -> Sentence:
    """Return the sentence for well-formed XML that is not what this package knows."""
    match error:
        case errors.UnknownEditionError():
            known = ", ".join(error.known)
            return Sentence(
                f"没有这个版本的报文规范：应为 {known}。",
                f"No such edition of the schemas: {known} are known.",
            )
        case errors.UnknownMessageError():
            return Sentence(
                f"{error.edition} 版没有这种报文：应为该版的 CEBnnnMessage"
                "（clearance schema list 列出全部）。",
                f"Edition {error.edition} has no such message: one of its CEBnnnMessage is "
                "expected (clearance schema list names them).",
            )
        case errors.UnknownDocumentError():
            if error.known_namespace:
                return Sentence(
                    "根节点名称未知：应为 CEBnnnMessage、DxpMsg、DxpMsgSv 或 DxpRep。",
                    "The name of the root is unknown: CEBnnnMessage, DxpMsg, DxpMsgSv or DxpRep "
                    "is expected.",
                )
            return Sentence(
                "根节点的命名空间不符：应为 http://www.chinaport.gov.cn/ceb 或 "
                "http://www.chinaport.gov.cn/dxp。",
                "The namespace of the root is another one: http://www.chinaport.gov.cn/ceb or "
                "http://www.chinaport.gov.cn/dxp is expected.",
            )
        case errors.EnvelopeError():
            return Sentence(
                f"传输信封不可用（{error}）：应为含 TransInfo 和 base64 Data 的 DxpMsg。",
                f"The envelope is not usable ({error}): a DxpMsg with TransInfo and Data in "
                "base64 is expected.",
            )
        case errors.XMLSchemaError():
            return Sentence(
                f"报文不符合规范：{error.path or '/'}（{error.rule}）。",
                f"The message breaks its schema at {error.path or '/'} ({error.rule}).",
            )
        case _:
            return Sentence(f"无法处理：{error}。", f"Cannot be handled: {error}.")

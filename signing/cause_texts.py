"""What to say of each cause, in Chinese and English."""

from collections.abc import Mapping
from typing import Final

from signing.spellings import Cause

CAUSE_TEXTS: Final[Mapping[Cause, tuple[str, str]]] = {
    Cause.SPACE_AROUND_SIGNATURE: (
        "摘要是在插入签名之前计算的，之后签名元素前后多了空白或换行。",
        "White space was added before or after the Signature once the document was hashed.",
    ),
    Cause.SPACE_BETWEEN_ELEMENTS: (
        "签名前后元素之间的空白或缩进不同（签名后做过格式化）。",
        "White space between elements differs: the text was pretty-printed or compacted.",
    ),
    Cause.SPACE_IN_VALUES: (
        "字段值首尾的空白不同。",
        "White space at the ends of a value differs.",
    ),
    Cause.SELF_CLOSING: (
        "空元素按自闭合标签 <a/> 计算，规范化要求 <a></a>。",
        "Empty elements were taken as <a/>; the canonical form is <a></a>.",
    ),
    Cause.LINE_ENDINGS: (
        "换行符不同（CRLF 与 LF）。",
        "Line ends differ: CRLF against LF.",
    ),
    Cause.TRAILING_NEWLINE: (
        "末尾多算了一个换行。",
        "A newline at the end was included.",
    ),
    Cause.DECLARATION: (
        "XML 声明被计算在内，规范化不含声明。",
        "The XML declaration was included; the canonical form has none.",
    ),
    Cause.BYTE_ORDER_MARK: (
        "UTF-8 字节顺序标记（BOM）被计算在内。",
        "A byte order mark was included.",
    ),
    Cause.ENCODING: (
        "按 GB18030 编码计算，应为 UTF-8。",
        "It was taken in GB18030; UTF-8 is due.",
    ),
    Cause.NAMESPACE: (
        "作用域内的命名空间声明不同（根节点只应声明 ceb 与 xsi）。",
        "The namespaces in scope differ: the root declares ceb and xsi and nothing else.",
    ),
    Cause.PREFIX: (
        "命名空间前缀不同（默认命名空间与 ceb: 前缀）。",
        "Prefixes differ: the default namespace against ceb.",
    ),
    Cause.ESCAPES: (
        "字符转义不同（如 &gt;）。",
        "Character escapes differ, such as &gt;.",
    ),
    Cause.COMMENTS: (
        "注释被计算在内，规范化不含注释。",
        "Comments were included; the canonical form has none.",
    ),
    Cause.EXCLUSIVE: (
        "使用了排他规范化，应为包含式 C14N 1.0。",
        "Exclusive canonicalisation was used; inclusive C14N 1.0 is due.",
    ),
    Cause.NOT_CANONICAL: (
        "直接按文件字节计算，没有做规范化。",
        "The file's own bytes were taken, not their canonical form.",
    ),
    Cause.OTHER_DIGEST: (
        "实际使用的摘要算法与所写的不同。",
        "Another digest algorithm was used than the one named.",
    ),
    Cause.OTHER_BYTES: (
        "密钥相符，但签的不是这份 SignedInfo。",
        "The key is the certificate's, but other bytes than this SignedInfo were signed.",
    ),
    Cause.OTHER_KEY: (
        "签名不是由该证书的密钥产生的。",
        "The signature was not made by the certificate's key.",
    ),
    Cause.DER_SIGNATURE: (
        "SM2 签名为 DER 格式，应为 64 字节的 r||s。",
        "The SM2 signature is DER; 64 bytes r||s are due.",
    ),
    Cause.EMPTY_SIGNER_ID: (
        "SM2 签名使用了空的用户标识，应为 1234567812345678。",
        "The SM2 signer id is empty; 1234567812345678 is due.",
    ),
    Cause.UNEXPLAINED: (
        "没有已知的改写能解释：内容在签名后被改动。",
        "No known rewriting explains it: the content was changed after it was signed.",
    ),
}

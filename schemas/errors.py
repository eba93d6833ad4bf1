"""Errors of the schema package, drawn as a tree.

::

    SchemaError                      SCHEMA-000
    ├── DocumentError                SCHEMA-100  bytes that cannot be taken in
    │   ├── DocumentTooLargeError    SCHEMA-101
    │   ├── EncodingRefusedError     SCHEMA-102
    │   ├── DoctypeRefusedError      SCHEMA-103
    │   ├── TooManyElementsError     SCHEMA-104
    │   ├── TooManyAttributesError   SCHEMA-105
    │   ├── TooDeepError             SCHEMA-106
    │   ├── MalformedDocumentError   SCHEMA-107
    │   └── ReservedAttributeError   SCHEMA-108
    ├── CatalogError                 SCHEMA-200  a schema set of ours is not as its catalogue says
    │   ├── UnknownSchemaError       SCHEMA-201
    │   │   ├── UnknownEditionError  SCHEMA-203
    │   │   └── UnknownMessageError  SCHEMA-204
    │   └── StaleFileError           SCHEMA-202
    ├── MappingError                 SCHEMA-300  a writer cannot be compiled
    │   ├── UnknownPathError         SCHEMA-301
    │   └── MissingPathError         SCHEMA-302
    ├── WriteError                   SCHEMA-400  values that cannot become XML
    │   ├── RecordRefusedError       SCHEMA-401
    │   └── MessageRefusedError      SCHEMA-402
    ├── XMLSchemaError               SCHEMA-500  the document breaks its schema
    └── EnvelopeError                SCHEMA-600  the transport envelope is not usable
        └── UnknownDocumentError     SCHEMA-601

No text of an error ever repeats content of a document: paths, counts, limits and positions only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar


class Retry(StrEnum):
    """Whether doing the same thing again can help."""

    NEVER = "never"
    LATER = "later"
    UNKNOWN_OUTCOME = "unknown-outcome"


class SchemaError(Exception):
    """Root of all errors of this package; ``code`` is stable, ``retry`` says if repeating helps."""

    code: ClassVar[str] = "SCHEMA-000"
    retry: ClassVar[Retry] = Retry.NEVER


class DocumentError(SchemaError):
    """Bytes that cannot be taken in as an XML document."""

    code = "SCHEMA-100"


class DocumentTooLargeError(DocumentError):
    """More bytes than the limits of the channel allow."""

    code = "SCHEMA-101"

    def __init__(self, size_bytes: int, limit_bytes: int) -> None:
        """Keep the measured size and the limit, both in bytes."""
        super().__init__(f"document of {size_bytes} bytes is over the limit of {limit_bytes}")
        self.size_bytes = size_bytes
        self.limit_bytes = limit_bytes


class EncodingRefusedError(DocumentError):
    """A character encoding other than UTF-8 or declared GB2312, GBK, GB18030; or broken bytes."""

    code = "SCHEMA-102"


class DoctypeRefusedError(DocumentError):
    """The document has a document type declaration; none is ever accepted."""

    code = "SCHEMA-103"

    def __init__(self) -> None:
        """Say that there was one; its content is not repeated."""
        super().__init__("document type declaration refused")


class TooManyElementsError(DocumentError):
    """More elements than the limits allow (counted as start tags before parsing)."""

    code = "SCHEMA-104"

    def __init__(self, limit: int) -> None:
        """Keep the limit that was broken."""
        super().__init__(f"more than {limit} elements")
        self.limit = limit


class TooManyAttributesError(DocumentError):
    """One element carries more attributes than the limits allow."""

    code = "SCHEMA-105"

    def __init__(self, limit: int) -> None:
        """Keep the limit that was broken."""
        super().__init__(f"an element with more than {limit} attributes")
        self.limit = limit


class TooDeepError(DocumentError):
    """Elements are nested deeper than the limits allow."""

    code = "SCHEMA-106"

    def __init__(self, limit: int) -> None:
        """Keep the limit that was broken."""
        super().__init__(f"elements nested deeper than {limit}")
        self.limit = limit


class MalformedDocumentError(DocumentError):
    """Not well-formed XML, or no XML at all."""

    code = "SCHEMA-107"

    def __init__(self, kind: str, line: int, column: int) -> None:
        """Keep the parser's name of the fault and its position; never the parser's own text."""
        super().__init__(f"not well-formed: {kind} at line {line}, column {column}")
        self.kind = kind
        self.line = line
        self.column = column


class ReservedAttributeError(DocumentError):
    """An attribute of the namespace ``xml`` (base, id, lang, space); no message has one."""

    code = "SCHEMA-108"

    def __init__(self) -> None:
        """Say that there was one; its content is not repeated."""
        super().__init__("an attribute of the reserved namespace xml")


class CatalogError(SchemaError):
    """A schema set of this package is not what its catalogue says."""

    code = "SCHEMA-200"


class UnknownSchemaError(CatalogError):
    """No such family, edition, file or message in the catalogue."""

    code = "SCHEMA-201"


class UnknownEditionError(UnknownSchemaError):
    """No such edition of a family; ``known`` are those that there are."""

    code = "SCHEMA-203"

    def __init__(self, family: str, edition: str, known: Sequence[str]) -> None:
        """Keep the editions that there are."""
        super().__init__(f"no schema set {family} {edition}")
        self.known = tuple(known)


class UnknownMessageError(UnknownSchemaError):
    """A message that an edition does not have; ``edition`` is the one looked in."""

    code = "SCHEMA-204"

    def __init__(self, name: str, family: str, edition: str) -> None:
        """Keep the edition; a name that comes from a document is cut."""
        super().__init__(f"no message {name[:40]} in {family} {edition}")
        self.edition = edition


class StaleFileError(CatalogError):
    """A schema file differs from the digest in its catalogue, or plan data from the schemas."""

    code = "SCHEMA-202"


class MappingError(SchemaError):
    """The value sources given for a message do not fit its plan."""

    code = "SCHEMA-300"


class UnknownPathError(MappingError):
    """A source names an element or an argument that does not exist."""

    code = "SCHEMA-301"


class MissingPathError(MappingError):
    """A mandatory element has neither a source nor a fixed value."""

    code = "SCHEMA-302"


class ValueFaultKind(StrEnum):
    """Why one value cannot be written."""

    MISSING = "missing"
    WRONG_TYPE = "wrong-type"
    ILLEGAL_CHARACTER = "illegal-character"
    CARRIAGE_RETURN = "carriage-return"
    NOT_FINITE = "not-finite"
    TOTAL_DIGITS = "total-digits"
    FRACTION_DIGITS = "fraction-digits"
    TOO_FEW = "too-few"
    TOO_MANY = "too-many"


@dataclass(frozen=True, slots=True)
class ValueFault:
    """One value that cannot be written: the path below the record, and why. Never the value."""

    path: str
    kind: ValueFaultKind


class WriteError(SchemaError):
    """Values that cannot become an XML message."""

    code = "SCHEMA-400"


class RecordRefusedError(WriteError):
    """One record holds values that cannot be written; ``faults`` names all of them."""

    code = "SCHEMA-401"

    def __init__(self, message: str, faults: Sequence[ValueFault]) -> None:
        """Keep the message name and every fault of the record."""
        self.message = message
        self.faults = tuple(faults)
        listed = ", ".join(f"{fault.path}: {fault.kind}" for fault in self.faults)
        super().__init__(f"{message}: {listed}")


class MessageRefusedError(WriteError):
    """The parts around the records do not make a message (guid, transfer, number of records)."""

    code = "SCHEMA-402"


class XMLSchemaError(SchemaError):
    """The document breaks its schema; the first breach only, ask the explainer for all."""

    code = "SCHEMA-500"

    def __init__(self, message: str, rule: str, path: str, line: int) -> None:
        """Keep the message name, libxml2's name of the rule, the element path and the line."""
        super().__init__(f"{message}: {rule} at {path or '/'} (line {line})")
        self.message = message
        self.rule = rule
        self.path = path
        self.line = line


class EnvelopeError(SchemaError):
    """A transport envelope lacks a part, or a value does not fit its field."""

    code = "SCHEMA-600"


class UnknownDocumentError(EnvelopeError):
    """Neither an envelope, nor an answer, nor a business message.

    ``known_namespace`` says whether the root is at least in one of the two namespaces.
    """

    code = "SCHEMA-601"

    def __init__(self, known_namespace: bool) -> None:
        """Keep which of the two is wrong; neither name is repeated."""
        wrong = "name" if known_namespace else "namespace"
        super().__init__(
            f"neither an envelope, nor an answer, nor a business message: the {wrong} of the root "
            "is unknown"
        )
        self.known_namespace = known_namespace

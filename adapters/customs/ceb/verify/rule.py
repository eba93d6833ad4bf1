"""What a rule about a single message is: a function over one record, and its words."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from adapters.customs.ceb.verify.records import Record
from gateway.domain.findings import Severity


@dataclass(frozen=True, slots=True)
class Hit:
    """One place where a rule does not hold; ``severity`` can only lower the rule's.

    ``params`` fill the words of the rule; they hold amounts, codes and counts, never a person.
    """

    path: str
    params: Mapping[str, str] = field(default_factory=dict)
    severity: Severity | None = None


Check = Callable[[Record], Iterable[Hit]]


@dataclass(frozen=True, slots=True)
class MessageRule:
    """A rule that one message alone can show; ``messages`` are numbers: ``311``.

    ``source`` says where it is from; the texts take the parameters of a hit.
    """

    id: str
    messages: frozenset[str]
    severity: Severity
    zh: str
    en: str
    source: str
    check: Check

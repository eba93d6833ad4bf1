"""Keys that a JSON object holds more than once: found exactly, at leisure.

JSON parsers take the last one silently, so a sender and a receiver may read two different amounts
in the same bytes.
"""

import json
from collections import Counter
from typing import Final

from gateway.api.faults import FAULTS_NAMED, Fault, path_text

_Parts = tuple[str | int, ...]
_MESSAGES: Final = (
    "is given more than once in its object; send it once",
    "在同一对象中重复出现，请只发送一次",
)


def repeated_keys(raw: bytes) -> list[Fault]:
    """The repeated keys of the outermost object that has any; ``raw`` is known to be JSON.

    What stands under a repeated key was never checked and may be huge: it is not walked.
    """
    # Objects become tuples of pairs; numbers stay text, which no number of digits makes slow.
    value = json.loads(
        raw.decode(), object_pairs_hook=tuple, parse_int=str, parse_float=str, parse_constant=str
    )
    pending: list[tuple[_Parts, object]] = [((), value)]
    for parts, item in pending:
        if isinstance(item, tuple):
            repeated = [
                name for name, times in Counter(key for key, _ in item).items() if times > 1
            ]
            if repeated:
                return [
                    Fault(path_text([*parts, name]), *_MESSAGES) for name in repeated[:FAULTS_NAMED]
                ]
            pending.extend(((*parts, name), inner) for name, inner in item)
        elif isinstance(item, list):
            pending.extend(((*parts, index), inner) for index, inner in enumerate(item))
    return []

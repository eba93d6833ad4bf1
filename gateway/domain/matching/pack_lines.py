"""Where in a TOML text a key stands: line numbers for the faults of a rule pack.

The text is known to be TOML; tables, arrays of tables and plain keys are all that a pack has.
"""

import re
from collections.abc import Mapping

_TABLE = re.compile(r"\s*\[\s*([^\[\]]+?)\s*\]\s*(?:#.*)?$")
_ARRAY = re.compile(r"\s*\[\[\s*([^\[\]]+?)\s*\]\]\s*(?:#.*)?$")
_KEY = re.compile(
    r"""\s*((?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*'))*)\s*="""
)
_STATED = re.compile(r"line ([0-9]+)")


def key_lines(text: str) -> Mapping[str, int]:
    """The line (from 1) of every table and key by its dotted path (``limits[0].single``)."""
    found: dict[str, int] = {}
    counts: dict[str, int] = {}
    base = ""
    for number, line in enumerate(text.splitlines(), 1):
        array, table = _ARRAY.match(line), _TABLE.match(line)
        if array is not None:
            name = _plain(array[1])
            index = counts.get(name, 0)
            counts[name] = index + 1
            base = f"{name}[{index}]"
            found.setdefault(name, number)
            found[base] = number
        elif table is not None:
            base = _plain(table[1])
            found.setdefault(base, number)
        elif (key := _KEY.match(line)) is not None:
            name = _plain(key[1])
            found.setdefault(f"{base}.{name}" if base else name, number)
    return found


def line_of(path: str, lines: Mapping[str, int]) -> int | None:
    """The line of a path, or of the nearest table around it; None when it is nowhere."""
    while path:
        if path in lines:
            return lines[path]
        path = path.rpartition(".")[0]
    return None


def stated_line(message: str) -> int | None:
    """The line that a message of the TOML parser names."""
    found = _STATED.search(message)
    return int(found[1]) if found else None


def _plain(name: str) -> str:
    return ".".join(part.strip().strip("\"'") for part in name.split("."))

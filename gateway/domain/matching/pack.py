"""Rule packs: which rules run, how severe they are, with which tolerances and limits.

A pack is a TOML text with a name and a version. A pack that ``extends`` another one changes what
it names and keeps the rest; a pack that stands alone runs exactly the rules that it lists.

::

    name = "hangzhou"
    version = 3
    extends = "import-default"

    [rules.ORDER-HEAD-SUM]
    tolerance = 0.01

    [rules.TIME-PAID-BEFORE-ORDERED]
    enabled = false
"""

import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from difflib import get_close_matches
from importlib import resources
from typing import Any, Final

from gateway.domain.errors import InvalidValue, PackInvalid
from gateway.domain.findings import Severity
from gateway.domain.limits import LimitTable, PersonalLimit
from gateway.domain.matching.catalogue import catalogue
from gateway.domain.matching.pack_lines import key_lines, line_of, stated_line
from gateway.domain.matching.rule import ParameterValue, RuleInfo

DEFAULT_PACK: Final = "import-default"

_PACK_KEYS: Final = ("name", "version", "extends", "title", "limits", "rules")
_RULE_KEYS: Final = ("enabled", "severity", "unverifiable")
_LIMIT_KEYS: Final = ("in_force", "single", "annual")
_DEEPEST: Final = 8
# No amount, weight or time that papers hold differs by as much (seconds of a year and more).
_WIDEST: Final = 40_000_000


@dataclass(frozen=True, slots=True)
class RuleSetting:
    """One rule as a pack runs it. ``unverifiable`` is the severity when it cannot be answered."""

    rule: str
    severity: Severity
    unverifiable: Severity
    parameters: Mapping[str, ParameterValue]


@dataclass(frozen=True, slots=True)
class RulePack:
    """A pack, ready to be compiled: the rules that run, in the order of the catalogue."""

    name: str
    version: int
    settings: tuple[RuleSetting, ...]
    limits: LimitTable


def builtin_names() -> tuple[str, ...]:
    """The names of the packs that come with the gateway."""
    folder = resources.files(__package__) / "packs"
    return tuple(
        sorted(
            entry.name.removesuffix(".toml")
            for entry in folder.iterdir()
            if entry.name.endswith(".toml")
        )
    )


def builtin_text(name: str) -> str:
    """The text of a pack that comes with the gateway. Raises ``PackInvalid`` for another name."""
    if name not in builtin_names():
        raise PackInvalid((f"extends: there is no pack {name!r}",))
    return (resources.files(__package__) / "packs" / f"{name}.toml").read_text(encoding="utf-8")


def compile_pack(text: str, find: Callable[[str], str] = builtin_text) -> RulePack:
    """The pack of a TOML text; ``find`` gives the text of a pack that it extends.

    Raises :class:`PackInvalid` with every fault of the pack.
    """
    layers = _layers(text, find)
    faults: list[str] = []
    rules: dict[str, dict[str, Any]] = {}
    limits: list[Any] = []
    for layer in layers:
        faults.extend(_unknown("", layer, _PACK_KEYS))
        limits = layer.get("limits", limits)
        named = layer.get("rules", {})
        if not isinstance(named, dict) or not all(isinstance(one, dict) for one in named.values()):
            faults.append("rules: must be tables, [rules.ORDER-HEAD-SUM]")
            continue
        for rule, values in named.items():
            rules[rule] = {**rules.get(rule, {}), **values}
    settings = _settings(rules, faults)
    table = _limits(limits, faults)
    name, version = _head(layers[-1], faults)
    if faults:
        raise PackInvalid(tuple(_placed(faults, text)))
    return RulePack(name, version, settings, table)


def _placed(faults: Iterable[str], text: str) -> Iterator[str]:
    """The faults with the lines of the text that they are about; what is missing has none."""
    lines = key_lines(text)
    for fault in faults:
        line = line_of(fault.partition(":")[0], lines)
        yield fault if line is None else f"line {line}: {fault}"


def _layers(text: str, find: Callable[[str], str]) -> list[dict[str, Any]]:
    """The pack and what it extends, the deepest first (Any: TOML before it is checked)."""
    layers = [_parsed(text)]
    names = [str(layers[0].get("name"))]
    while "extends" in layers[-1]:
        base = layers[-1]["extends"]
        if not isinstance(base, str):
            raise _extends(text, "must be the name of a pack")
        if base in names:
            raise _extends(text, f"goes in a circle: {' -> '.join([*names, base])}")
        if len(layers) == _DEEPEST:
            raise _extends(text, f"goes more than {_DEEPEST} packs deep")
        names.append(base)
        try:
            layers.append(_parsed(find(base)))
        except PackInvalid as error:
            raise _extends(text, f"{base} cannot be used: {error}") from None
    return layers[::-1]


def _extends(text: str, fault: str) -> PackInvalid:
    return PackInvalid(tuple(_placed([f"extends: {fault}"], text)))


def _parsed(text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text, parse_float=Decimal)
    except tomllib.TOMLDecodeError as error:
        line = stated_line(str(error))
        place = "" if line is None else f"line {line}: "
        raise PackInvalid((f"{place}not TOML: {error}",)) from error


def _head(layer: Mapping[str, Any], faults: list[str]) -> tuple[str, int]:
    name, version = layer.get("name"), layer.get("version")
    if not isinstance(name, str) or not name:
        faults.append("name: must be a text")
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        faults.append("version: must be a whole number from 1")
    return str(name), version if isinstance(version, int) else 0


def _settings(rules: Mapping[str, dict[str, Any]], faults: list[str]) -> tuple[RuleSetting, ...]:
    known = {info.id: info for info in catalogue()}
    for rule in rules:
        if rule not in known:
            faults.append(f"rules.{rule}: there is no such rule{_meant(rule, known)}")
    return tuple(
        setting
        for rule, info in known.items()
        if rule in rules and (setting := _setting(info, rules[rule], faults)) is not None
    )


def _setting(info: RuleInfo, values: Mapping[str, Any], faults: list[str]) -> RuleSetting | None:
    where = f"rules.{info.id}"
    faults.extend(_unknown(f"{where}.", values, (*_RULE_KEYS, *info.parameters)))
    is_enabled = values.get("enabled", True)
    if not isinstance(is_enabled, bool):
        faults.append(f"{where}.enabled: must be true or false")
    severity = _severity(f"{where}.severity", values.get("severity"), info.severity, faults)
    unverifiable = _severity(
        f"{where}.unverifiable", values.get("unverifiable"), Severity.NOTE, faults
    )
    parameters = {
        name: _parameter(f"{where}.{name}", values.get(name, default), default, faults)
        for name, default in info.parameters.items()
    }
    return RuleSetting(info.id, severity, unverifiable, parameters) if is_enabled else None


def _severity(where: str, value: Any, default: Severity, faults: list[str]) -> Severity:
    if value is None:
        return default
    if value in tuple(Severity):
        return Severity(value)
    faults.append(f"{where}: must be one of {', '.join(Severity)}")
    return default


def _parameter(
    where: str, value: Any, default: ParameterValue, faults: list[str]
) -> ParameterValue:
    """A parameter of the type of its default; a whole number may stand for a decimal."""
    if isinstance(default, Decimal) and type(value) is int:
        value = Decimal(value)
    if type(value) is not type(default):
        faults.append(f"{where}: must be a {_TYPE_WORDS[type(default)]}")
        return default
    if isinstance(value, Decimal | int) and not (Decimal(value).is_finite() and value >= 0):
        faults.append(f"{where}: must be a number, and must not be below 0")
        return default
    if where.endswith("_share") and isinstance(value, Decimal) and value > 1:
        faults.append(f"{where}: is a share of one, so it must not be above 1")
    elif "tolerance" in where and isinstance(value, Decimal | int) and value > _WIDEST:
        faults.append(f"{where}: is so wide that the rule could never be broken")
    checked: ParameterValue = value
    return checked


_TYPE_WORDS: Final[Mapping[type, str]] = {
    Decimal: "decimal number",
    int: "whole number",
    bool: "truth value",
    str: "text",
}


def _limits(rows: Any, faults: list[str]) -> LimitTable:
    found: list[PersonalLimit] = []
    for index, row in enumerate(rows if isinstance(rows, list) else ()):
        where = f"limits[{index}]"
        if not isinstance(row, dict) or set(row) != set(_LIMIT_KEYS):
            faults.append(f"{where}: must give {', '.join(_LIMIT_KEYS)} and nothing else")
            continue
        day = row["in_force"]
        amounts = [
            Decimal(row[key]) if type(row[key]) is int else row[key] for key in _LIMIT_KEYS[1:]
        ]
        if not isinstance(day, date) or isinstance(day, datetime):
            faults.append(f"{where}.in_force: must be a date")
        elif not all(isinstance(amount, Decimal) and amount.is_finite() for amount in amounts):
            faults.append(f"{where}: single and annual must be amounts in CNY")
        else:
            found.append(PersonalLimit(day, amounts[0], amounts[1]))
    table = LimitTable(tuple(found))
    try:
        table.check()
    except InvalidValue as error:
        faults.append(f"limits: {error}")
    return table


def _unknown(prefix: str, values: Mapping[str, Any], known: Iterable[str]) -> list[str]:
    names = tuple(known)
    return [
        f"{prefix}{key}: is not known here{_meant(key, names)}"
        for key in values
        if key not in names
    ]


def _meant(name: str, known: Iterable[str]) -> str:
    close = get_close_matches(name, tuple(known), n=1)
    return f"; did you mean {close[0]}?" if close else ""

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
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from difflib import get_close_matches
from importlib import resources
from typing import Any, Final

from gateway.domain.errors import InvalidValue, PackFault, PackInvalid
from gateway.domain.findings import Severity
from gateway.domain.ids import Direction
from gateway.domain.limits import LimitTable, PersonalLimit
from gateway.domain.matching.catalogue import catalogue
from gateway.domain.matching.pack_lines import key_lines, line_of, stated_line
from gateway.domain.matching.rule import ParameterValue, RuleInfo

DEFAULT_PACK: Final = "import-default"
EXPORT_PACK: Final = "export-default"

_PACK_KEYS: Final = ("name", "version", "extends", "title", "limits", "rules")
_RULE_KEYS: Final = ("enabled", "severity", "unverifiable")
_COUNT: Final = "count"
_LIMIT_KEYS: Final = ("in_force", "single", "annual")
_DEEPEST: Final = 8
# No amount, weight or time that papers hold differs by as much (seconds of a year and more).
_WIDEST: Final = 40_000_000


@dataclass(frozen=True, slots=True)
class RuleSetting:
    """One rule as a pack runs it.

    ``unverifiable`` is the severity when it cannot be answered; None counts that in the verdict
    and makes no finding of it.
    """

    rule: str
    severity: Severity
    unverifiable: Severity | None
    parameters: Mapping[str, ParameterValue]


@dataclass(frozen=True, slots=True)
class RulePack:
    """A pack, ready to be compiled: the rules that run, in the order of the catalogue.

    It judges one ``direction``: exports when it extends their default pack.
    """

    name: str
    version: int
    settings: tuple[RuleSetting, ...]
    limits: LimitTable
    direction: Direction = Direction.IMPORT


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
        en, zh = f"there is no pack {name!r}", f"没有名为 {name!r} 的规则包"
        raise PackInvalid((PackFault("extends", en, zh),))
    return (resources.files(__package__) / "packs" / f"{name}.toml").read_text(encoding="utf-8")


def compile_pack(text: str, find: Callable[[str], str] = builtin_text) -> RulePack:
    """The pack of a TOML text; ``find`` gives the text of a pack that it extends.

    Raises :class:`PackInvalid` with every fault of the pack.
    """
    layers = _layers(text, find)
    faults: list[PackFault] = []
    rules: dict[str, dict[str, Any]] = {}
    limits: list[Any] = []
    for layer in layers:
        faults.extend(_unknown("", layer, _PACK_KEYS))
        limits = layer.get("limits", limits)
        named = layer.get("rules", {})
        if not isinstance(named, dict) or not all(isinstance(one, dict) for one in named.values()):
            en, zh = "must be tables, [rules.ORDER-HEAD-SUM]", "必须是表，如 [rules.ORDER-HEAD-SUM]"
            faults.append(PackFault("rules", en, zh))
            continue
        for rule, values in named.items():
            rules[rule] = {**rules.get(rule, {}), **values}
    settings = _settings(rules, faults)
    table = _limits(limits, faults)
    name, version = _head(layers[-1], faults)
    if faults:
        raise PackInvalid(tuple(_placed(faults, text)))
    is_export = any(layer.get("name") == EXPORT_PACK for layer in layers)
    direction = Direction.EXPORT if is_export else Direction.IMPORT
    return RulePack(name, version, settings, table, direction)


def _placed(faults: Iterable[PackFault], text: str) -> Iterator[PackFault]:
    """The faults with the lines of the text that they are about; what is missing has none."""
    lines = key_lines(text)
    for fault in faults:
        yield replace(fault, line=line_of(fault.path, lines))


def _layers(text: str, find: Callable[[str], str]) -> list[dict[str, Any]]:
    """The pack and what it extends, the deepest first (Any: TOML before it is checked)."""
    layers = [_parsed(text)]
    names = [str(layers[0].get("name"))]
    while "extends" in layers[-1]:
        base = layers[-1]["extends"]
        if not isinstance(base, str):
            raise _extends(text, "must be the name of a pack", "必须是规则包的名称")
        if base in names:
            circle = " -> ".join([*names, base])
            raise _extends(text, f"goes in a circle: {circle}", f"形成循环：{circle}")
        if len(layers) == _DEEPEST:
            raise _extends(text, f"goes more than {_DEEPEST} packs deep", f"继承超过 {_DEEPEST} 层")
        names.append(base)
        try:
            layers.append(_parsed(find(base)))
        except PackInvalid as error:
            zh = "；".join(one.told("zh") for one in error.details)
            raise _extends(
                text, f"{base} cannot be used: {error}", f"{base} 不可用：{zh}"
            ) from None
    return layers[::-1]


def _extends(text: str, en: str, zh: str) -> PackInvalid:
    return PackInvalid(tuple(_placed([PackFault("extends", en, zh)], text)))


def _parsed(text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text, parse_float=Decimal)
    except tomllib.TOMLDecodeError as error:
        fault = PackFault("", f"not TOML: {error}", f"不是合法的 TOML：{error}")
        raise PackInvalid((replace(fault, line=stated_line(str(error))),)) from error


def _head(layer: Mapping[str, Any], faults: list[PackFault]) -> tuple[str, int]:
    name, version = layer.get("name"), layer.get("version")
    if not isinstance(name, str) or not name:
        faults.append(PackFault("name", "must be a text", "必须是文本"))
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        en, zh = "must be a whole number from 1", "必须是不小于 1 的整数"
        faults.append(PackFault("version", en, zh))
    return str(name), version if isinstance(version, int) else 0


def _settings(
    rules: Mapping[str, dict[str, Any]], faults: list[PackFault]
) -> tuple[RuleSetting, ...]:
    known = {info.id: info for info in catalogue()}
    for rule in rules:
        if rule not in known:
            en, zh = _meant(rule, known)
            place = f"rules.{rule}"
            faults.append(PackFault(place, f"there is no such rule{en}", f"没有这条规则{zh}"))
    return tuple(
        setting
        for rule, info in known.items()
        if rule in rules and (setting := _setting(info, rules[rule], faults)) is not None
    )


def _setting(
    info: RuleInfo, values: Mapping[str, Any], faults: list[PackFault]
) -> RuleSetting | None:
    where = f"rules.{info.id}"
    faults.extend(_unknown(f"{where}.", values, (*_RULE_KEYS, *info.parameters)))
    is_enabled = values.get("enabled", True)
    if not isinstance(is_enabled, bool):
        en, zh = "must be true or false", "必须是 true 或 false"
        faults.append(PackFault(f"{where}.enabled", en, zh))
    severity = _severity(f"{where}.severity", values.get("severity"), info.severity, faults)
    unverifiable = _unverifiable(f"{where}.unverifiable", values.get("unverifiable"), faults)
    parameters = {
        name: _parameter(f"{where}.{name}", values.get(name, default), default, faults)
        for name, default in info.parameters.items()
    }
    return RuleSetting(info.id, severity, unverifiable, parameters) if is_enabled else None


def _unverifiable(where: str, value: Any, faults: list[PackFault]) -> Severity | None:
    if value == _COUNT:
        return None
    return _severity(where, value, Severity.NOTE, faults, (_COUNT,))


def _severity(
    where: str,
    value: Any,
    default: Severity,
    faults: list[PackFault],
    others: tuple[str, ...] = (),
) -> Severity:
    if value is None:
        return default
    if value in tuple(Severity):
        return Severity(value)
    listed = ", ".join((*Severity, *others))
    faults.append(PackFault(where, f"must be one of {listed}", f"必须是以下之一：{listed}"))
    return default


def _parameter(
    where: str, value: Any, default: ParameterValue, faults: list[PackFault]
) -> ParameterValue:
    """A parameter of the type of its default; a whole number may stand for a decimal."""
    if isinstance(default, Decimal) and type(value) is int:
        value = Decimal(value)
    if type(value) is not type(default):
        en, zh = _TYPE_WORDS[type(default)]
        faults.append(PackFault(where, f"must be a {en}", f"必须是{zh}"))
        return default
    if isinstance(value, Decimal | int) and not (Decimal(value).is_finite() and value >= 0):
        en, zh = "must be a number, and must not be below 0", "必须是数字，且不得小于 0"
        faults.append(PackFault(where, en, zh))
        return default
    if where.endswith("_share") and isinstance(value, Decimal) and value > 1:
        en, zh = "is a share of one, so it must not be above 1", "是比例，不得大于 1"
        faults.append(PackFault(where, en, zh))
    elif "tolerance" in where and isinstance(value, Decimal | int) and value > _WIDEST:
        en, zh = "is so wide that the rule could never be broken", "过宽，该规则将永远不会被触发"
        faults.append(PackFault(where, en, zh))
    checked: ParameterValue = value
    return checked


_TYPE_WORDS: Final[Mapping[type, tuple[str, str]]] = {
    Decimal: ("decimal number", "小数"),
    int: ("whole number", "整数"),
    bool: ("truth value", "布尔值"),
    str: ("text", "文本"),
}


def _limits(rows: Any, faults: list[PackFault]) -> LimitTable:
    found: list[PersonalLimit] = []
    for index, row in enumerate(rows if isinstance(rows, list) else ()):
        where = f"limits[{index}]"
        if not isinstance(row, dict) or set(row) != set(_LIMIT_KEYS):
            keys = ", ".join(_LIMIT_KEYS)
            en, zh = f"must give {keys} and nothing else", f"必须且只能给出 {keys}"
            faults.append(PackFault(where, en, zh))
            continue
        day = row["in_force"]
        amounts = [
            Decimal(row[key]) if type(row[key]) is int else row[key] for key in _LIMIT_KEYS[1:]
        ]
        if not isinstance(day, date) or isinstance(day, datetime):
            faults.append(PackFault(f"{where}.in_force", "must be a date", "必须是日期"))
        elif not all(isinstance(amount, Decimal) and amount.is_finite() for amount in amounts):
            en, zh = "single and annual must be amounts in CNY", "single 与 annual 必须是人民币金额"
            faults.append(PackFault(where, en, zh))
        else:
            found.append(PersonalLimit(day, amounts[0], amounts[1]))
    table = LimitTable(tuple(found))
    try:
        table.check()
    except InvalidValue as error:
        zh = "个人限额须按生效日期先后排列，金额为正，且单次限额不得高于年度限额"
        faults.append(PackFault("limits", str(error), zh))
    return table


def _unknown(prefix: str, values: Mapping[str, Any], known: Iterable[str]) -> list[PackFault]:
    names = tuple(known)
    found = []
    for key in values:
        if key not in names:
            en, zh = _meant(key, names)
            place = f"{prefix}{key}"
            found.append(PackFault(place, f"is not known here{en}", f"此处没有这一项{zh}"))
    return found


def _meant(name: str, known: Iterable[str]) -> tuple[str, str]:
    """Which name was probably meant, in English and in Chinese; empty where none is near."""
    close = get_close_matches(name, tuple(known), n=1)
    return (f"; did you mean {close[0]}?", f"；是否指 {close[0]}？") if close else ("", "")

"""Rules of matching: what there is, in words of both languages."""

from typing import Annotated, Any

import typer

from gateway.app.commands import rule_packs
from gateway.app.commands.frame import JSONOption, Unusable, emit, show_table
from gateway.domain.matching import RuleInfo, catalogue
from gateway.domain.matching.examples import find_example

GroupOption = Annotated[
    str | None, typer.Option("--group", metavar="GROUP", help="Only this group / 只看一组")
]


def listing(*, group: GroupOption = None, json: JSONOption = False) -> None:
    """List every matching rule with its texts / 列出全部比对规则"""
    wanted = None if group is None else group.upper()
    groups = list(dict.fromkeys(info.group.value for info in catalogue()))
    if wanted is not None and wanted not in groups:
        raise Unusable(
            f"there is no group {group}; there are {', '.join(groups)}", f"没有规则组 {group}"
        )
    found = [info for info in catalogue() if wanted in (None, info.group.value)]
    if json:
        emit({"rules": [rule_doc(info) for info in found]})
        return
    show_table(
        f"比对规则 Rules: {len(found)}",
        ("规则 rule", "级别 severity", "单证 papers", "海关代码 code", "名称", "title"),
        [
            (
                info.id,
                info.severity.value,
                ", ".join(kind.value for kind in info.reads) or "-",
                info.code or "-",
                info.zh.title,
                info.en.title,
            )
            for info in found
        ],
    )


def rule_doc(info: RuleInfo) -> dict[str, Any]:
    """A rule as JSON: everything that people may know of it (Any: JSON values)."""
    example = find_example(info.id)
    return {
        "id": info.id,
        "group": info.group.value,
        "papers": [kind.value for kind in info.reads],
        "severity": info.severity.value,
        "leads_to": info.leads_to.value,
        "owner": info.owner.value,
        "source": info.source,
        "customs_code": info.code,
        "parameters": {name: str(value) for name, value in info.parameters.items()},
        "texts": {
            locale: {"title": text.title, "cause": text.cause, "fix": text.fix}
            for locale, text in (("zh", info.zh), ("en", info.en))
        },
        "examples": None
        if example is None
        else {"base": example.base, "good": dict(example.good), "bad": dict(example.bad)},
    }


def group() -> typer.Typer:
    """The command group ``clearance rules``: the catalogue, and the packs that choose from it."""
    made = typer.Typer(
        name="rules", no_args_is_help=True, help="Rules and rule packs / 规则与规则包"
    )
    made.command("list")(listing)
    made.command("show")(show)
    rule_packs.add_commands(made)
    return made


def show(
    rule: Annotated[str, typer.Argument(metavar="RULE", help="Its id / 规则编号")],
    *,
    json: JSONOption = False,
) -> None:
    """Show one rule with its texts and examples / 查看一条规则"""
    info = next((one for one in catalogue() if one.id == rule.upper()), None)
    if info is None:
        raise Unusable(
            f"there is no rule {rule}; `clearance rules list` names them",
            f"没有规则 {rule}；见 `clearance rules list`",
        )
    doc = rule_doc(info)
    if json:
        emit(doc)
        return
    rows: list[tuple[str, object]] = [
        (name, doc[name]) for name in ("severity", "leads_to", "owner", "source", "customs_code")
    ]
    rows += [("papers", ", ".join(doc["papers"]) or "-")]
    rows += [(f"parameter {name}", value) for name, value in doc["parameters"].items()]
    for locale in ("zh", "en"):
        rows += [(f"{name} ({locale})", text) for name, text in doc["texts"][locale].items()]
    if doc["examples"] is not None:
        for name in ("good", "bad"):
            changes = doc["examples"][name].items()
            rows += [(f"{name} example", f"{path} = {value}") for path, value in changes]
    show_table(info.id, ("", ""), rows)

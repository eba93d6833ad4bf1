"""``clearance schema``: the messages there are, and every field of one."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from gateway.app.commands.frame import JSONOption, Unusable, emit, out, show_table
from schemas.errors import UnknownSchemaError
from schemas.plan import MessagePlan
from schemas.reference import FieldRow, fields, index_page, message, message_page, messages

MarkdownOption = Annotated[
    bool, typer.Option("--markdown", help="Print a reference page / 输出 Markdown 参考页")
]


def group() -> typer.Typer:
    """The commands about schemas."""
    app = typer.Typer(
        name="schema", help="The messages and their fields / 报文与字段", no_args_is_help=True
    )
    app.command("list")(list_messages)
    app.command("show")(show_message)
    return app


def list_messages(
    *,
    markdown: MarkdownOption = False,
    write: Annotated[
        Path | None,
        typer.Option("--write", metavar="DIR", help="Write all reference pages / 写出全部参考页"),
    ] = None,
    json: JSONOption = False,
) -> None:
    """Every message with the editions it exists in / 全部报文及版本"""
    found = messages()
    if write is not None:
        _write_pages(write)
    elif markdown:
        typer.echo(index_page())
    elif json:
        emit(
            [
                {
                    "message": one.name,
                    "family": one.plan.family,
                    "editions": list(one.editions),
                    "side": one.plan.side.value,
                    "direction": one.plan.direction.value,
                    "title_zh": one.plan.root.label_zh,
                    "title_en": one.plan.root.label_en,
                    "signature": one.plan.signature.value,
                    "answer": one.plan.answer,
                }
                for one in found
            ]
        )
    else:
        rows = [
            (
                one.name,
                one.plan.root.label_zh,
                one.plan.root.label_en,
                one.plan.side.value,
                one.plan.direction.value,
                one.plan.answer,
                ", ".join(one.editions),
            )
            for one in found
        ]
        columns = (
            "报文 message",
            "名称",
            "meaning",
            "side",
            "direction",
            "回执 answer",
            "editions",
        )
        show_table("报文 Messages", columns, rows)


def show_message(
    name: Annotated[str, typer.Argument(metavar="MESSAGE", help="CEB621Message, DxpMsg / 报文名")],
    *,
    edition: Annotated[
        str | None,
        typer.Option("--edition", help="2018, 202205; else the newest / 版本"),
    ] = None,
    markdown: MarkdownOption = False,
    json: JSONOption = False,
) -> None:
    """Every field of a message: labels, type, whether it must be there / 报文的全部字段

    Types as field tables write them: C36 exact length, C..60 at most, N19,5 digits and decimals.
    """
    try:
        plan = message(name, edition)
    except UnknownSchemaError as error:
        raise Unusable(str(error), "没有此报文或版本") from error
    if markdown:
        typer.echo(message_page(plan))
        return
    editions = next(one.editions for one in messages() if one.name == name)
    rows = tuple(fields(plan))
    if json:
        emit(_plan_doc(plan, editions, rows))
        return
    out().print(f"{plan.name} {plan.edition}", style="bold")
    show_table(
        f"{plan.root.label_zh} {plan.root.label_en}",
        ("字段 element", "名称", "meaning", "类型 type", "必填", "次数 occurs", "代码 codes"),
        (
            (
                row.path,
                row.label_zh,
                row.label_en,
                row.kind,
                "必填 M" if row.required else "选填 O",
                row.occurs,
                ", ".join(f"{code} {zh}".strip() for code, (zh, _) in row.codes.items())
                or row.code_list,
            )
            for row in rows
        ),
    )


def _plan_doc(
    plan: MessagePlan, editions: tuple[str, ...], rows: Sequence[FieldRow]
) -> dict[str, object]:
    return {
        "message": plan.name,
        "edition": plan.edition,
        "editions": list(editions),
        "title_zh": plan.root.label_zh,
        "title_en": plan.root.label_en,
        "namespace": plan.namespace,
        "signature": plan.signature.value,
        "answer": plan.answer,
        "fields": [
            {
                "path": row.path,
                "label_zh": row.label_zh,
                "label_en": row.label_en,
                "type": row.kind,
                "required": row.required,
                "occurs": row.occurs,
                "codes": {code: {"zh": zh, "en": en} for code, (zh, en) in row.codes.items()},
                "code_list": row.code_list or None,
                "note": row.note or None,
            }
            for row in rows
        ],
    }


def _write_pages(folder: Path) -> None:
    pages = {folder / "messages.md": index_page()}
    for one in messages():
        for edition in one.editions:
            place = folder / "messages" / edition / f"{one.name}.md"
            pages[place] = message_page(message(one.name, edition))
    for place, page in pages.items():
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(page, encoding="utf-8")
    out().print(f"{folder}: {len(pages)} 页 pages")

"""Routes about customs' code tables, and how a code of a receipt is told."""

from typing import Final

import orjson

from gateway.api.call import Answer, Call
from gateway.api.problems import P, Problem, Refusal
from gateway.domain.codes import (
    TABLES,
    CodeTable,
    Rejection,
    code_table,
    find_rejection,
    rejections,
)

REJECTIONS: Final = "rejections"


async def code_tables(call: Call) -> Answer:
    """Which tables there are, where they are from and how complete each is."""
    return Answer(orjson.dumps({"tables": [_head(code_table(name)) for name in TABLES]}))


async def codes_of(call: Call) -> Answer:
    """One table with all its codes."""
    name = call.request.match_info["table"]
    if name not in TABLES:
        raise Refusal(Problem(P.NOT_FOUND))
    table = code_table(name)
    if name == REJECTIONS:
        codes = [rejection_view(one) for one in rejections().values()]
        return Answer(orjson.dumps({**_head(table), "codes": codes}))
    codes = [
        {
            "code": one.code,
            "text": {"en": one.en, "zh": one.zh},
            "iso": one.iso or None,
            "messages": list(one.messages),
        }
        for one in table.codes.values()
    ]
    return Answer(orjson.dumps({**_head(table), "codes": codes}))


def rejection_view(one: Rejection) -> dict[str, object]:
    """A rejection code: its cause, its fix, what would have caught it and what to file again."""
    return {
        "code": one.code,
        "text": {"en": one.cause_en, "zh": one.cause_zh},
        "family": one.family,
        "status": one.status or None,
        "code_class": one.code_class.value,
        "rule": one.rule or None,
        "fix": {"en": one.fix_en, "zh": one.fix_zh},
        "refile": [paper.value for paper in one.refile],
    }


def explained(status: str | None, codes: tuple[str, ...] | list[str]) -> list[dict[str, object]]:
    """What the codes of a receipt mean; a code that no table holds is left out."""
    wanted = dict.fromkeys((*codes, *((status,) if status and status.startswith("-") else ())))
    return [rejection_view(one) for code in wanted if (one := find_rejection(code)) is not None]


def _head(table: CodeTable) -> dict[str, object]:
    return {
        "table": table.name,
        "title": {"en": table.title_en, "zh": table.title_zh},
        "source": table.source,
        "is_complete": table.is_complete,
        "completeness": {"en": table.completeness_en, "zh": table.completeness_zh},
        "href": f"/v1/codes/{table.name}",
    }

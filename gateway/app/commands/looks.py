"""What doctor and golive looked at, as JSON and as a table."""

from collections.abc import Sequence

from gateway.app.commands.frame import show_table
from gateway.app.doctor import Look


def looks_doc(looks: Sequence[Look]) -> list[dict[str, str]]:
    """Each look with its finding and fix in English and in Chinese."""
    return [
        {
            "subject": one.subject,
            "health": one.health.value,
            "finding": one.text[0],
            "finding_zh": one.text[1],
            "fix": one.fix[0],
            "fix_zh": one.fix[1],
        }
        for one in looks
    ]


def show_looks(title: str, looks: Sequence[Look]) -> None:
    """One row a look, each text in both languages."""
    show_table(
        title,
        ("对象 subject", "状态 health", "现状 finding", "处理 fix"),
        [
            (
                one.subject,
                one.health.value,
                "\n".join(filter(None, one.text)),
                "\n".join(filter(None, one.fix)),
            )
            for one in looks
        ],
    )

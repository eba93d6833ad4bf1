"""``clearance verify``: look at files offline, and say everything that is wrong with them."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from adapters.customs.ceb.verify import (
    FileFinding,
    FileReport,
    Inspector,
    Outcome,
    Refused,
    SignatureReport,
    unreadable,
)
from gateway.app.commands.frame import (
    EXIT_FAILED,
    EXIT_UNUSABLE,
    JSONOption,
    emit,
    err,
    out,
    warn,
)
from gateway.app.verify_files import ArchiveRefused, Candidate, candidates, read
from gateway.domain.findings import Severity
from signing import CertificateFacts

_STYLES: Final = {Severity.BLOCK: "red", Severity.WARN: "yellow", Severity.NOTE: "dim"}
_OUTCOMES: Final = {
    Outcome.CLEAN: ("green", "无误 clean"),
    Outcome.FAULTY: ("red", "有误 faults"),
    Outcome.UNREADABLE: ("magenta", "无法读取 unreadable"),
}
_STATES: Final = {
    "absent": "未签名 none",
    "valid": "有效 valid",
    "invalid": "无效 invalid",
    "unchecked": "未校验 unchecked",
}


def verify(
    files: Annotated[
        list[Path],
        typer.Argument(metavar="FILE...", help="Files, folders, zip archives / 文件、目录或 zip"),
    ],
    *,
    edition: Annotated[
        str | None,
        typer.Option("--edition", help="2018 or 202205; else what fits / 报文版本，默认自动识别"),
    ] = None,
    json: JSONOption = False,
) -> None:
    """Say what customs files are and everything that is wrong with them, offline / 离线校验报文

    Schema, business rules, signature and certificate of any CEB message, enveloped or bare. Trust
    in a certificate is not judged. Exit codes: 0 nothing wrong (warnings and notes may be told),
    1 faults, 2 a file cannot be read.
    """
    inspector = Inspector(datetime.now(UTC))
    found = list(candidates(files))
    if not found:
        warn("no XML and no zip found / 未找到 XML 或 zip 文件")
    docs: list[dict[str, Any]] = []
    worst = 0
    with _progress(len(found), shown=not json and len(found) > 1) as advance:
        for candidate in found:
            report = _look(inspector, candidate, edition)
            worst = max(worst, _exit_code(report))
            if json:
                docs.append(report_doc(candidate.name, report))
            else:
                _show(candidate.name, report)
            advance()
    if json:
        emit(docs)
    elif len(found) > 1:
        out().print(f"{len(found)} 个文件 files")
    if worst:
        raise typer.Exit(worst)


def _look(inspector: Inspector, candidate: Candidate, edition: str | None) -> FileReport:
    try:
        return inspector.inspect(read(candidate), edition)
    except ArchiveRefused as error:
        return unreadable(Refused.ARCHIVE, error.en, detail_zh=error.zh)
    except OSError as error:
        return unreadable(Refused.FILE, error.strerror or type(error).__name__)


def _exit_code(report: FileReport) -> int:
    if report.outcome is Outcome.UNREADABLE:
        return EXIT_UNUSABLE
    return EXIT_FAILED if report.outcome is Outcome.FAULTY else 0


def report_doc(file: str, report: FileReport) -> dict[str, Any]:
    """One element of the JSON answer (Any: JSON members vary)."""
    envelope = report.envelope
    return {
        "file": file,
        "kind": report.kind,
        "edition": report.edition,
        "findings": [_finding_doc(one) for one in report.findings],
        "outcome": report.outcome.value,
        "editions": list(report.editions),
        "direction": report.direction,
        "title_zh": report.title_zh,
        "title_en": report.title_en,
        "records": report.records,
        "envelope": None
        if envelope is None
        else {
            "kind": envelope.kind,
            "cop_msg_id": envelope.cop_msg_id,
            "sender": envelope.sender,
            "receivers": list(envelope.receivers),
            "created": envelope.created,
            "msg_type": envelope.msg_type,
        },
        "signature": None if report.signature is None else _signature_doc(report.signature),
    }


def _finding_doc(one: FileFinding) -> dict[str, Any]:
    return {
        "source": one.source.value,
        "rule": one.rule,
        "severity": one.severity.value,
        "path": one.path,
        "message": f"{one.zh} / {one.en}",
        "message_zh": one.zh,
        "message_en": one.en,
        "label_zh": one.label_zh,
        "label_en": one.label_en,
        "value": one.value,
    }


def _signature_doc(signature: SignatureReport) -> dict[str, Any]:
    facts = signature.certificate
    return {
        "verdict": signature.state.value,
        "method": signature.method,
        "key_name": signature.key_name,
        "certificate": None
        if facts is None
        else {
            "serial": facts.serial,
            "sha256": facts.fingerprint,
            "subject": facts.holder,
            "issuer": facts.issuer,
            "key": _key(facts),
            "not_before": f"{facts.not_before:%Y-%m-%dT%H:%M:%SZ}",
            "not_after": f"{facts.not_after:%Y-%m-%dT%H:%M:%SZ}",
        },
    }


def _key(facts: CertificateFacts) -> str:
    return f"{facts.key_kind.value.upper()}-{facts.key_bits}"


def _show(name: str, report: FileReport) -> None:
    console = out()
    style, word = _OUTCOMES[report.outcome]
    console.print(f"[bold]{escape(name)}[/]  [{style}]{word}[/]")
    if report.kind is not None:
        direction = {"import": "进口 import", "export": "出口 export"}.get(
            report.direction or "", ""
        )
        parts = [f"{report.kind} {report.title_zh} {report.title_en}", report.edition or ""]
        parts += [direction, f"{report.records} 条 records"]
        console.print("  " + " · ".join(part for part in parts if part), markup=False)
    if report.envelope is not None:
        one = report.envelope
        text = f"{one.kind} {one.cop_msg_id}: {one.sender} → {', '.join(one.receivers)}"
        console.print(f"  信封 envelope: {text}", markup=False)
    if report.signature is not None:
        _show_signature(report.signature)
    for finding in report.findings:
        style = _STYLES[finding.severity]
        console.print(
            f"  [{style}]{finding.severity.value:5}[/] {finding.source.value} {finding.rule}  "
            f"{escape(finding.path)}"
        )
        console.print(f"        {finding.zh}", markup=False)
        console.print(f"        {finding.en}", markup=False)


def _show_signature(signature: SignatureReport) -> None:
    console = out()
    console.print(f"  签名 signature: {_STATES[signature.state.value]}", markup=False)
    facts = signature.certificate
    if facts is not None:
        dates = f"{facts.not_before:%Y-%m-%d} – {facts.not_after:%Y-%m-%d}"
        console.print(
            f"  证书 certificate: {facts.serial} {_key(facts)} {dates} {facts.holder}", markup=False
        )


@contextmanager
def _progress(total: int, *, shown: bool) -> Iterator[Any]:
    """A bar over the files, on a terminal only (Any: a callable without arguments)."""
    console = err()
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=console,
        transient=True,
        disable=not shown or not console.is_terminal,
    ) as bar:
        task = bar.add_task("校验 verify", total=total)
        yield lambda: bar.advance(task)

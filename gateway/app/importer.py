"""Importing a file of papers in this process: row by row, in batches, with a result for each row.

A row that is refused spoils no other. What was taken is durable before its result is written, and a
repeated import changes nothing that is already stored, so an import may be broken off and started
again at any time.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from gateway.api.decode import GoodsItem, PaperItem
from gateway.api.faults import Fault
from gateway.api.intake import other_direction
from gateway.api.reasons import value_fault
from gateway.api.services import Admin, Ingest
from gateway.api.views import Explain, finding_view
from gateway.app.import_files import open_rows
from gateway.app.import_results import TAKEN, ResultFile, row_digest
from gateway.app.import_rows import (
    FileKind,
    Row,
    RowFaulty,
    RowSource,
    UnusableFile,
    is_composed,
)
from gateway.domain.errors import InvalidValue
from gateway.domain.goods import GoodsRecord
from gateway.domain.ids import ProfileId, TenantId
from gateway.domain.profile import FilingProfile
from gateway.flow.ingest import Incoming, IntakeResult, IntakeStatus
from gateway.ports import MasterData

BATCH_PAPERS: Final = 300
_BATCH_BYTES: Final = 8 * 1024 * 1024
SOURCE: Final = "file"
_DECOMPOSED: Final = (
    "holds text in decomposed Unicode (not NFC); customs compares character by character"
)
Doc = dict[str, Any]  # Any: a JSON object


@dataclass(frozen=True, slots=True)
class Sinks:
    """Where imported rows go; without ``ingest`` only goods records can be imported."""

    ingest: Ingest | None
    admin: Admin
    master: MasterData
    explain: Explain


@dataclass(frozen=True, slots=True)
class ImportJob:
    """Which file is imported for whom; ``profile`` is for rows that name none, ``sheet`` is one of
    a workbook's. ``tenant_since`` (UTC microseconds) is when this database made the tenant: what
    was taken into another database is not taken here.
    """

    path: Path
    tenant: TenantId
    kind: FileKind
    profile: str | None = None
    sheet: str | None = None
    tenant_since: int = 0

    @property
    def context(self) -> str:
        """What beside its bytes decides what becomes of a row."""
        whose = f"{self.tenant}@{self.tenant_since}"
        return "\x1f".join(
            (whose, self.kind.value, self.profile or "", *filter(None, (self.sheet,)))
        )


@dataclass(slots=True)
class Summary:
    """What an import came to, counted in rows."""

    rows: int = 0
    by_status: Counter[str] = field(default_factory=Counter)
    by_stage: Counter[str] = field(default_factory=Counter)
    skipped: int = 0
    goods_changed: list[str] = field(default_factory=list)

    @property
    def refused(self) -> int:
        """Rows that were not taken."""
        return sum(count for status, count in self.by_status.items() if status not in TAKEN)

    def to_doc(self) -> Doc:
        """The JSON value of a report."""
        return {
            "rows": self.rows,
            "skipped": self.skipped,
            "refused": self.refused,
            "by_status": dict(sorted(self.by_status.items())),
            "by_stage": dict(sorted(self.by_stage.items())),
        }


@dataclass(slots=True)
class _Batch:
    """Rows on their way; ``results`` are written in this order once all of them are decided."""

    results: list[Doc] = field(default_factory=list)
    papers: list[tuple[int, Incoming]] = field(default_factory=list)
    goods: list[tuple[int, GoodsRecord]] = field(default_factory=list)
    size_bytes: int = 0

    def begin(self, doc: Doc, row: Row) -> int:
        """Take a row in; gives the place of its result."""
        self.results.append(doc)
        self.size_bytes += len(row.raw)
        return len(self.results) - 1

    def is_full(self) -> bool:
        """Whether it is time to store what has gathered."""
        taken = len(self.papers) + len(self.goods)
        return taken >= BATCH_PAPERS or self.size_bytes >= _BATCH_BYTES


async def import_file(
    job: ImportJob,
    sinks: Sinks,
    results: ResultFile,
    progress: Callable[[int], None] = lambda _: None,
) -> Summary:
    """Import a file; ``progress`` hears how many of its bytes are done.

    Raises ``UnusableFile`` when the file cannot be read on, after storing the rows before that
    place, and ``StoreError`` when the store is out of order; every row stored by then has its
    result.
    """
    summary = Summary()
    with job.path.open("rb") as file:
        source = open_rows(job.path, file, job.kind, job.profile, job.sheet)
        run = _Run(job, sinks, results, source, summary)
        try:
            await run.take_all(progress)
        except UnusableFile:
            await run.store()
            raise
        await run.store()
    return summary


@dataclass(slots=True)
class _Run:
    """An import on its way: what it reads and writes, and the rows in hand."""

    job: ImportJob
    sinks: Sinks
    results: ResultFile
    source: RowSource
    summary: Summary
    batch: _Batch = field(default_factory=_Batch)
    profiles: dict[ProfileId, FilingProfile | None] = field(default_factory=dict)

    async def take_all(self, progress: Callable[[int], None]) -> None:
        """Take every row in, storing a batch whenever enough have gathered."""
        for row in self.source.rows():
            self.sort(row)
            if self.batch.is_full():
                await self.store()
                progress(row.end)

    def sort(self, row: Row) -> None:
        """Read one row and put it where it belongs, or note why not."""
        self.summary.rows += 1
        digest = row_digest(self.job.context, row.raw)
        if self.results.is_taken(row.number, digest):
            self.summary.skipped += 1
            return
        doc: Doc = {"row": row.number, "digest": digest}
        if row.last != row.number:
            doc["last_row"] = row.last
        index = self.batch.begin(doc, row)
        try:
            self._decode(row, index, doc)
        except RowFaulty as error:
            _refuse(doc, error.faults)
        except InvalidValue as error:
            _refuse(doc, (value_fault(error),))
        else:
            if not is_composed(row.raw):
                doc["note"] = _DECOMPOSED

    def _decode(self, row: Row, index: int, doc: Doc) -> None:
        item = self.source.decode(row)
        profile = self._profile(item)
        if isinstance(item, GoodsItem):
            doc |= {"type": FileKind.GOODS.value, "sku": item.model.sku}
            self.batch.goods.append((index, item.record(profile.goods_scope)))
            return
        doc["order_no"] = item.order_no
        if item.direction is not profile.direction:
            raise RowFaulty(other_direction(profile).errors)
        source = item.source(SOURCE)
        incoming = Incoming(self.job.tenant, profile, item.paper, source, row.raw, 0, len(row.raw))
        self.batch.papers.append((index, incoming))

    def _profile(self, item: PaperItem | GoodsItem) -> FilingProfile:
        name = item.profile_id
        if name not in self.profiles:
            self.profiles[name] = self.sinks.master.profile(self.job.tenant, name)
        found = self.profiles[name]
        if found is None:
            text = "is no filing profile of this tenant; see `clearance profiles list`"
            raise RowFaulty((Fault("profile", text, "不是该租户的申报方案"),))
        return found

    async def store(self) -> None:
        """Store what has gathered, goods records first, then write the result of every row."""
        batch, self.batch = self.batch, _Batch()
        if batch.goods:
            await self._store_goods(batch)
        if batch.papers:
            await self._store_papers(batch)
        for doc in batch.results:
            self.summary.by_status[doc["status"]] += 1
            self.results.add(doc)
        self.results.flush()

    async def _store_goods(self, batch: _Batch) -> None:
        records = [record for _, record in batch.goods]
        stored = await self.sinks.admin.put_goods(self.job.tenant, records)
        for (index, _), one in zip(batch.goods, stored, strict=True):
            status = "accepted" if one.changed else "unchanged"
            batch.results[index] |= {"status": status, "version": one.version}
            if one.changed:
                self.summary.goods_changed.append(one.sku)

    async def _store_papers(self, batch: _Batch) -> None:
        assert self.sinks.ingest is not None
        taken = await self.sinks.ingest.take([incoming for _, incoming in batch.papers])
        for (index, _), result in zip(batch.papers, taken, strict=True):
            batch.results[index] |= _result_doc(result, self.sinks.explain)
            if result.stage is not None:
                self.summary.by_stage[result.stage.value] += 1


def _refuse(doc: Doc, faults: Sequence[Fault]) -> None:
    doc |= {"status": "refused", "errors": [fault.to_doc() for fault in faults]}


def _result_doc(result: IntakeResult, explain: Explain) -> Doc:
    doc: Doc = {
        "status": result.status.value,
        "case": result.case_id,
        "revision": result.revision,
        "stage": None if result.stage is None else result.stage.value,
    }
    verdict = result.verdict
    if verdict is not None and verdict.findings:
        doc["findings"] = [finding_view(finding, explain) for finding in verdict.findings]
    errors = _errors(result)
    return {**doc, "errors": errors} if errors else doc


def _errors(result: IntakeResult) -> list[Mapping[str, str]]:
    match result.status:
        case (
            IntakeStatus.ACCEPTED
            | IntakeStatus.UNCHANGED
            | IntakeStatus.SUPERSEDED
            | IntakeStatus.UNLINKED
        ):
            return []
        case IntakeStatus.FROZEN:
            return [
                Fault(
                    path,
                    "differs from what was declared; ask for the declaration to be cancelled first",
                    "与已申报内容不一致；请先申请撤销申报",
                ).to_doc()
                for path in result.changed
            ]
        case IntakeStatus.FAILED:
            reason = result.reason or "unknown"
            text = f"could not be stored ({reason}); import the file again"
            return [Fault("", text, f"未能保存（{reason}），请重新导入").to_doc()]

"""Pullers: an adapter, an account and the one HTTP client behind the port that the flow sees."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

from adapters.base import (
    Account,
    Caller,
    CallFailed,
    CarrierAdapter,
    Cursor,
    NothingYet,
    OptionKind,
    ParseFailure,
    PartnerKeys,
    PaymentAdapter,
    Pulled,
    Sighting,
    SightingKey,
    SourceAdapter,
)
from adapters.discovery import source as source_adapter
from adapters.egress import EgressPolicy
from adapters.http import HTTPClient
from gateway.app.config import AccountSection, ConfigError, Settings
from gateway.app.notifier import egress_policy
from gateway.domain.codec import from_micros, to_micros
from gateway.domain.errors import Retry
from gateway.domain.ids import ProfileId, TenantId
from gateway.domain.papers import Order, Paper
from gateway.domain.profile import FilingProfile
from gateway.flow.incoming import Incoming
from gateway.flow.pull import Fetched, Stopped, Unread
from gateway.ports import Clock, MasterData, Rng


def source_policy(settings: Settings) -> EgressPolicy:
    """What sources may be called at: their own addresses, whatever webhooks are limited to."""
    return replace(egress_policy(settings), hosts=frozenset())


def account_of(
    place: str,
    section: AccountSection,
    adapter: SourceAdapter | PaymentAdapter | CarrierAdapter,
    keys: PartnerKeys | None = None,
) -> Account:
    """The account of a source or partner. Raises :class:`ConfigError` naming its place in the
    settings and every fault of its options.
    """
    options = {option.name: option for option in adapter.terms.options}
    unknown = {*section.options, *section.secret_files} - set(options)
    faults = [f"{one}: {adapter.id} has no such option" for one in sorted(unknown)]
    faults += [
        f"options.{one}: is secret; put it into a file named in secret_files"
        for one in sorted(set(section.options) & set(options))
        if options[one].kind is not OptionKind.PLAIN
    ]
    values = dict(section.options)
    for option, file in section.secret_files.items():
        try:
            values[option] = _secret(file)
        except (OSError, UnicodeDecodeError) as error:
            faults.append(f"secret_files.{option}: {type(error).__name__}")
    name = place.partition(".")[2]
    account = Account(name, section.base_url or adapter.terms.base_url, values, keys)
    faults += [f"{one}: is missing" for one in adapter.terms.missing(account)]
    if faults:
        raise ConfigError(f"{place}:\n  " + "\n  ".join(faults), "设置有误")
    return account


def _secret(file: Path) -> str:
    return file.read_text(encoding="utf-8").strip()


class Seen:
    """What was dealt with lately: the sightings of pages whose cursor has gone on.

    A page's sightings count once the next one is asked for, because only then is it stored.
    """

    def __init__(self, most: int = 20_000) -> None:
        self._most = most
        self._known: dict[SightingKey, None] = {}
        self._pending: list[SightingKey] = []

    def __contains__(self, key: object) -> bool:
        return key in self._known

    def expect(self, keys: Iterable[SightingKey]) -> None:
        """These are on their way."""
        self._pending.extend(keys)

    def settle(self) -> None:
        """What was on its way is stored."""
        self._known |= dict.fromkeys(self._pending)
        self._pending.clear()
        for key in list(self._known)[: max(0, len(self._known) - self._most)]:
            del self._known[key]


@dataclass(frozen=True, slots=True)
class AdapterPuller:
    """Implements ``flow.pull.Puller`` over an adapter. ``seen`` is the ``known`` of its caller."""

    name: str
    tenant: TenantId
    profile: FilingProfile
    adapter: SourceAdapter
    caller: Caller
    client: HTTPClient
    master: MasterData
    since: int
    seen: Seen

    def beginning(self, since: int) -> str:
        """The cursor that reads again what changed from a time on (UTC microseconds)."""
        return cursor_text(Cursor.beginning(max(since, self.since)))

    async def fetch(self, cursor: str | None) -> Fetched | Stopped:
        """The next page, its orders that may be declared, and what the others are."""
        self.seen.settle()
        place = Cursor.beginning(self.since) if cursor is None else cursor_of(cursor)
        result = await self.client.run(self.adapter.pull(self.caller, place))
        match result:
            case NothingYet():
                return Stopped(until=result.until)
            case CallFailed():
                return Stopped(
                    code=result.code,
                    reason=result.reason,
                    is_final=result.retry is Retry.NEVER,
                )
            case Pulled():
                return self._read(result)

    def _read(self, page: Pulled) -> Fetched:
        papers: list[Incoming] = []
        fresh: list[SightingKey] = []
        unread: list[Unread] = []
        standings: Counter[str] = Counter()
        for item in self.adapter.parse(self.caller.account, page.raw, page.opened):
            match item:
                case ParseFailure():
                    unread.append(Unread(item.path, item.reason))
                case Sighting():
                    standings[item.standing.value] += 1
                    if item.standing.may_be_declared and item.key not in self.seen:
                        papers.append(self._incoming(item, page.raw))
                        fresh.append(item.key)
        if page.trouble is None:
            self.seen.expect(fresh)
        trouble = None if page.trouble is None else page.trouble.reason
        return Fetched(
            raw=page.raw,
            cursor=cursor_text(page.cursor),
            papers=tuple(papers),
            unread=tuple(unread),
            standings=standings,
            trouble=trouble,
        )

    def _incoming(self, item: Sighting, raw: bytes) -> Incoming:
        day = from_micros(self.caller.clock.now()).date()
        return Incoming(
            tenant=self.tenant,
            profile=self.profile,
            paper=self._completed(item.paper, day),
            source=f"pull:{self.name}",
            raw=raw,
            offset=item.offset,
            length=item.length,
        )

    def _completed(self, paper: Paper, day: date) -> Paper:
        """An order with what customs must know of its goods and a shop does not: unit, origin,
        model, from goods records; what a shop says itself stands.
        """
        if not isinstance(paper, Order):
            return paper
        skus = [line.sku for line in paper.lines]
        records = self.master.goods(self.tenant, self.profile.goods_scope, skus, day)
        lines = tuple(
            replace(
                line,
                unit=line.unit or record.unit,
                origin=line.origin or record.origin,
                model=line.model or record.model,
            )
            if (record := records.get(line.sku)) is not None
            else line
            for line in paper.lines
        )
        return replace(paper, lines=lines)


def cursor_text(cursor: Cursor) -> str:
    """A cursor as it is stored."""
    page = "-" if cursor.page is None else "=" + cursor.page
    return f"{cursor.start}|{cursor.end}|{page}"


def cursor_of(text: str) -> Cursor:
    """The cursor of a stored text."""
    start, end, page = text.split("|", 2)
    return Cursor(int(start), int(end), page[1:] if page.startswith("=") else None)


def puller(
    name: str,
    settings: Settings,
    master: MasterData,
    client: HTTPClient,
    clock: Clock,
    rng: Rng,
) -> AdapterPuller:
    """The puller of a source in the settings. Raises :class:`ConfigError` for what is wrong there,
    ``AdapterUnknown`` for an adapter that is not installed.
    """
    section = settings.sources.get(name)
    if section is None:
        known = ", ".join(sorted(settings.sources)) or "none"
        raise ConfigError(
            f"sources.{name}: is not in the settings; known: {known}", "设置中没有此来源"
        )
    adapter = source_adapter(section.adapter)
    tenant = TenantId(section.tenant)
    profile = master.profile(tenant, ProfileId(section.profile))
    if profile is None:
        raise ConfigError(
            f"sources.{name}: tenant {section.tenant} has no profile {section.profile}",
            "该租户没有此申报方案",
        )
    seen = Seen()
    return AdapterPuller(
        name=name,
        tenant=tenant,
        profile=profile,
        adapter=adapter,
        caller=Caller(account_of(f"sources.{name}", section, adapter), clock, rng, seen),
        client=client,
        master=master,
        since=to_micros(section.since),
        seen=seen,
    )

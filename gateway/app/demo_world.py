"""The world around the demo: a tenant with its profile, and the sandbox strangers."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from adapters.sandbox import seller, warehouse
from adapters.sandbox.customs import CustomsAuthority
from adapters.sandbox.customs import Settings as CustomsSettings
from adapters.sandbox.customs.folder import run_folder
from adapters.sandbox.hooks import Behaviour, Running
from adapters.sandbox.warehouse.server import Acknowledge, RunningWarehouse
from gateway.app.commands.users import add_user
from gateway.app.config import (
    FlowSection,
    FolderSection,
    HTTPSection,
    KeySection,
    Settings,
    StoreSection,
)
from gateway.app.container import Gateway
from gateway.app.demo_orders import goods_records
from gateway.app.master_key import make_master_key
from gateway.app.surroundings import SystemRng
from gateway.domain.ids import ProfileId, TenantId
from gateway.domain.papers import PaperKind
from gateway.domain.profile import (
    ConfirmedBy,
    FiledBy,
    FilingProfile,
    PaperFiling,
    Party,
    TradeMode,
)
from gateway.flow.status import EVENT_TYPES, RELEASE, REVOKE
from gateway.ports.people import ALL_TENANTS, Role
from signing import new_development_key
from store.keys import KeyRole

TENANT: Final = TenantId("demo")
PROFILE: Final = ProfileId("hz-1210")
WAREHOUSE_TYPES: Final = frozenset({RELEASE, REVOKE})
_STAFF: Final = (
    (Role.CLERK, "陈专员 Chen"),
    (Role.SUPERVISOR, "林主管 Lin"),
    (Role.OPERATOR, "吴运维 Wu"),
    (Role.AUDITOR, "郑审计 Zheng"),
    (Role.VIEWER, "周访客 Zhou"),
)
_AGENT: Final = Party("3301980001", "示例报关有限公司")


def demo_profile() -> FilingProfile:
    """A bonded-import profile of invented enterprises."""
    return FilingProfile(
        profile_id=PROFILE,
        tenant=TENANT,
        version=1,
        mode=TradeMode.BONDED,
        customs_code="2991",
        port_code="2991",
        platform=Party("3301960001", "示例电商平台有限公司"),
        merchant=Party("3301960002", "示例跨境电商有限公司"),
        agent=_AGENT,
        assure_code="3301960002",
        transfer=_AGENT,
        dxp_id="DXPENT0000000001",
        carriers=(Party("3301980009", "示例快递有限公司"),),
        payment_companies=(Party("3301990005", "示例支付有限公司"),),
        area=Party("3301960003", "示例保税仓储有限公司"),
        account_book="T2991W000001",
        answer_timeout_s=4,
        resend_gap_s=2,
        waiting_s=3600,
    )


def prepare(folder: Path, *, url: str | None = None, port: int = 0) -> Settings:
    """Settings of a demo in a folder, with a master key and a signing key made there."""
    rng = SystemRng()
    key_file = folder / "signing.pem"
    master = folder / "master.key"
    if not master.exists():
        make_master_key(master, rng)
        now = datetime.now(UTC)
        made = new_development_key(
            subject="Clearance gateway demo",
            serial=int.from_bytes(b"\x01" + rng.bytes(7), "big"),
            not_before=now - timedelta(days=1),
            not_after=now + timedelta(days=365),
        )
        key_file.write_bytes(made.pem(None))
        key_file.chmod(0o600)
    dxp = folder / "dxp"
    return Settings(
        environment="development",
        store=StoreSection(
            url=url or f"sqlite:///{folder / 'clearance.db'}", master_key_file=master
        ),
        http=HTTPSection(port=port),
        channels={
            "dxp": FolderSection(
                send=dxp / "send", receive=dxp / "receive", done=None, error=dxp / "error"
            )
        },
        keys={"default": KeySection(file=key_file)},
        flow=FlowSection(receive_poll_s=0.05, poll_s=0.3, lease_s=3.0),
    )


def one_firm_profile() -> FilingProfile:
    """The same, but one firm files all four papers: order, payment, waybill and inventory.

    It is an operator that the payment company and the carrier have entrusted with theirs.
    """
    others = (PaperKind.PAYMENT, PaperKind.WAYBILL)
    return replace(
        demo_profile(),
        filings=dict.fromkeys(others, PaperFiling(FiledBy.US, ConfirmedBy.RECEIPT)),
        entrusted=frozenset(others),
    )


async def furnish(gateway: Gateway, profile: FilingProfile | None = None) -> None:
    """Create the tenant, its profile and its goods records, where they are not there yet."""
    tenants = await gateway.admin.list_tenants()
    if any(tenant.tenant == TENANT for tenant in tenants):
        return
    profile = profile or demo_profile()
    await gateway.admin.create_tenant(TENANT, "示例商家 Example seller")
    await gateway.admin.put_profile(profile)
    await gateway.admin.put_goods(TENANT, goods_records(profile.goods_scope))


async def console_logins(gateway: Gateway) -> list[tuple[str, str, str]]:
    """Make one login for each role: (login, role, password); those there already keep theirs."""
    known = {one.login for one in await gateway.web.people.users()}
    made = []
    for role, name in _STAFF:
        if role.value in known:
            continue
        password = "demo-" + gateway.context.rng.bytes(6).hex()
        user = (role.value, name, role, (ALL_TENANTS,))
        await add_user(gateway.store, gateway.context.clock, gateway.context.rng, user, password)
        made.append((role.value, role.value, password))
    return made


@dataclass(frozen=True, slots=True)
class Strangers:
    """The simulated counterparts of one demo."""

    authority: CustomsAuthority
    warehouse: RunningWarehouse
    seller: Running


@asynccontextmanager
async def strangers(
    settings: Settings,
    gateway: Gateway,
    api: str,
    customs: CustomsSettings,
    *,
    seed: int,
    acknowledge: bool = True,
    plain: bool = False,
    batch_size: int = 100,
) -> AsyncIterator[Strangers]:
    """Sandbox customs on the DXP folders, a warehouse and a seller on loopback, all registered."""
    key = await gateway.keys.new(TENANT, KeyRole.WAREHOUSE, "demo warehouse")
    answers = Acknowledge(api=api, key=key.token) if acknowledge else None
    behaviour = Behaviour(plain=plain)
    ports = free_port(), free_port()
    depot_at = await gateway.admin.new_endpoint(
        TENANT,
        url=f"http://127.0.0.1:{ports[0]}/notices",
        role="warehouse",
        event_types=WAREHOUSE_TYPES,
        batch_size=batch_size,
    )
    shop_at = await gateway.admin.new_endpoint(
        TENANT,
        url=f"http://127.0.0.1:{ports[1]}/webhooks",
        role="seller",
        event_types=EVENT_TYPES - WAREHOUSE_TYPES,
        batch_size=batch_size,
    )
    async with AsyncExitStack() as stack:
        depot = await warehouse.start(
            port=ports[0], secrets=[depot_at.secret], behaviour=behaviour, acknowledge=answers
        )
        stack.push_async_callback(depot.close)
        shop = await seller.start(port=ports[1], secrets=[shop_at.secret], behaviour=behaviour)
        stack.push_async_callback(shop.close)
        authority = CustomsAuthority(seed, customs)
        channel = settings.channels["dxp"]
        assert isinstance(channel, FolderSection)
        stop = asyncio.Event()
        tasks = await stack.enter_async_context(asyncio.TaskGroup())
        tasks.create_task(run_folder(authority, channel.send, channel.receive, stop=stop))
        stack.callback(stop.set)
        yield Strangers(authority, depot, shop)


def free_port() -> int:
    """A port of the loopback address that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def quick(settings: CustomsSettings) -> CustomsSettings:
    """The same customs without waiting between its answers."""
    return replace(settings, timing=type(settings.timing).instant())

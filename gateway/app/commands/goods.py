"""Goods records: what customs must know of a product and an order does not carry."""

import typer

from gateway.app.commands.files import put_goods
from gateway.app.commands.frame import JSONOption, TenantOption, common, emit, run, show_table
from gateway.app.commands.tenants import known_tenant
from gateway.app.config import Settings
from gateway.app.opening import open_reading
from gateway.domain.codec import to_doc
from gateway.domain.goods import GoodsRecord
from store.master import goods_of_doc, load_goods


def listing(context: typer.Context, *, tenant: TenantOption, json: JSONOption = False) -> None:
    """List the goods records of a tenant, newest version each / 列出商品备案"""
    found = run(_list(common(context).settings(), tenant))
    if json:
        emit({"goods": [to_doc(one) for one in found]})
        return
    show_table(
        "商品备案 Goods records",
        (
            "SKU",
            "版本 version",
            "范围 scope",
            "税号 HS",
            "名称 name",
            "产地 origin",
            "毛重 gross kg",
        ),
        [
            (
                one.sku,
                one.version,
                one.scope,
                one.hs_code,
                one.name,
                one.origin,
                one.gross_weight_kg,
            )
            for one in found
        ],
    )


async def _list(settings: Settings, tenant: str) -> list[GoodsRecord]:
    async with open_reading(settings) as reader:
        owner = await known_tenant(reader.access, tenant)
        async with reader.access.read() as reading:
            rows = await reading.run_sync(lambda on: list(load_goods(on, owner)))
    # Versions come oldest first, so the newest one stays.
    newest = {(scope, sku): version for _, scope, sku, version in rows}
    return [goods_of_doc(doc, number) for number, _, _, doc in newest.values()]


def group() -> typer.Typer:
    """The command group ``clearance goods``."""
    made = typer.Typer(
        name="goods", no_args_is_help=True, help="Goods records of a tenant / 商品备案管理"
    )
    made.command("list")(listing)
    made.command("put")(put_goods)
    return made

"""What a shop needs before it opens: how far it is, its name and colours, its products from a file."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends
from pydantic import AfterValidator, BaseModel, Field, StringConstraints

from wangxin.edge import Deps
from wangxin.model import limits
from wangxin.model.actor import Actor, Role
from wangxin.model.sheets import YES, BadCell, Fault, number, read_sheet
from wangxin.storage import catalogue, shoppers
from wangxin.storage.catalogue import Product
from wangxin.web.colours import accent
from wangxin.web.login import Asked
from wangxin.web.settings import _no_nul

HEADINGS = {
    "商品编号": "id",
    "编号": "id",
    "标题": "title",
    "商品名称": "title",
    "价格": "price",
    "库存": "stock",
    "在售": "on_sale",
}
_NO = frozenset({"0", "no", "n", "false", "否"})
FAULTS_SHOWN = 200
Words = Annotated[str, StringConstraints(strip_whitespace=True, max_length=200), AfterValidator(_no_nul)]


class Started(BaseModel):
    """``menu``: the newest version, 0 before the first. ``look``: as it is kept; the window's colour is made dark
    enough for white words."""

    name: str
    slug: str
    greeting: str
    accent: str
    questions: int
    products: int
    members: int
    agents: int
    menu: int
    talks: int


class LookAsked(Asked):
    name: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=40), AfterValidator(_no_nul)]
    greeting: Words = ""
    accent: Annotated[str, StringConstraints(pattern="^(|#[0-9a-fA-F]{6})$")] = ""


class LookKept(BaseModel):
    """``accent``: as shoppers see it."""

    accent: str


class ProductFile(Asked):
    """Without ``apply`` the rows are only judged; with ``skip_bad`` the good ones are taken, else all or none."""

    csv: str = Field(max_length=limits.SHEET_CHARS_MAX)
    apply: bool = False
    skip_bad: bool = False


def read_products(text: str) -> tuple[list[tuple[int, Product]], list[Fault]]:
    """Good rows with their numbers, and what is wrong with the others. Raises ``products.no_columns`` …"""
    rows = read_sheet(
        text, "products", headings=HEADINGS, needed=("id", "title", "price"), rows_max=limits.IMPORT_ROWS_MAX
    )
    good: list[tuple[int, Product]] = []
    bad: list[Fault] = []
    seen: set[str] = set()
    for at, cells in rows:
        try:
            good.append((at, _product(cells, seen)))
        except BadCell as why:
            bad.append(why.at(at))
    return good, bad


def _product(cells: dict[str, str], seen: set[str]) -> Product:
    id_, title = cells.get("id", ""), cells.get("title", "")
    for column, value, most in (("id", id_, 100), ("title", title, 200)):
        if not value:
            raise BadCell(column, "row.missing")
        if len(value) > most or "\x00" in value:
            raise BadCell(column, "row.too_long" if len(value) > most else "row.wrong", value)
    if id_ in seen:
        raise BadCell("id", "row.twice", id_)
    seen.add(id_)
    price = number({**cells, "price": cells.get("price", "").lstrip("¥￥").strip()}, "price", 100)
    stock = number(cells, "stock")
    if price is None:
        raise BadCell("price", "row.missing")
    for column, value_, most in (("price", price, 10**11), ("stock", stock, 2**31 - 1)):
        if value_ is not None and not 0 <= value_ <= most:
            raise BadCell(column, "row.wrong", cells[column])
    sold = cells.get("on_sale", "").lower()
    if sold and sold not in YES | _NO:
        raise BadCell("on_sale", "row.wrong", sold)
    return Product(id_, title, price, stock, None if not sold else sold in YES)


def report(rows: int, fresh: int, faults: list[Fault], *, applied: bool) -> dict[str, Any]:
    return {
        "rows": rows, "new": fresh, "applied": applied, "bad_rows": len(faults),
        "faults": [asdict(fault) for fault in faults[:FAULTS_SHOWN]],
    }  # fmt: skip


def router(deps: Deps) -> APIRouter:
    routes = APIRouter(prefix="/catalogue", tags=["catalogue"])
    merchant = Depends(deps.require(Role.MERCHANT))

    @routes.get("/{shop}/start")
    async def started(shop: UUID, actor: Actor = merchant) -> Started:
        """What is there of what a shop needs before it opens."""
        async with deps.scope(actor, shop) as conn:
            row = await shoppers.find_shop(conn, shop)
            assert row is not None, "the scope has checked the shop"
            greeting = row.settings.get("greeting")
        async with deps.pool.acquire() as conn:  # accounts stand outside the wall
            counts = await catalogue.start(conn, shop)
        return Started(
            name=row.name, slug=row.slug, greeting=greeting if isinstance(greeting, str) else "", accent=row.accent,
            **counts,
        )  # fmt: skip

    @routes.put("/{shop}/look")
    async def look(shop: UUID, asked: LookAsked, actor: Actor = merchant) -> LookKept:
        """The shop's name, the first words of its window, and its colour; empty: the usual ones."""
        async with deps.scope(actor, shop) as conn:
            await shoppers.keep_look(conn, shop, asked.name, asked.greeting, asked.accent.lower())
            await deps.audit(conn, actor, shop, "shop.look", str(shop), asked.model_dump(mode="json"))
        return LookKept(accent=accent(asked.accent))

    @routes.post("/{shop}/products/import")
    async def import_products(shop: UUID, asked: ProductFile, actor: Actor = merchant) -> dict[str, Any]:
        """Products by their numbers: known ones are changed, others added. Raises ``products.no_columns``,
        ``products.broken``, ``products.too_many``."""
        good, bad = read_products(asked.csv)
        products = [one for _, one in good]
        async with deps.scope(actor, shop) as conn:
            known = await catalogue.known(conn, shop, [one.id for one in products])
            apply = asked.apply and bool(products) and (asked.skip_bad or not bad)
            if apply:
                await catalogue.keep(conn, shop, products)
                detail = {"good": len(products), "bad": len(bad)}
                await deps.audit(conn, actor, shop, "products.import", "", detail)
        return report(len(products), len(products) - len(known), bad, applied=apply)

    return routes

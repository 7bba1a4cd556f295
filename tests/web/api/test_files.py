"""Products and members from files and workbooks: every row judged, the good ones taken, how far a shop is."""

from __future__ import annotations

import base64
import io
import zipfile
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest
from fastapi import FastAPI
from openpyxl import Workbook

import push.rest_files
from push.member_files import read_members
from tests.conftest import Shop
from tests.web.api.conftest import Person
from wangxin.edge import Deps
from wangxin.web.app import create_app

ZONE = ZoneInfo("Asia/Shanghai")


@pytest.fixture
def app(deps: Deps) -> FastAPI:
    return create_app(deps.settings, deps, [push.rest_files.router(deps)])


def book(*rows: list[Any]) -> str:
    out, made = io.BytesIO(), Workbook()
    for row in rows:
        made.active.append(row)
    made.save(out)
    return base64.b64encode(out.getvalue()).decode()


async def test_a_workbook_becomes_the_text_that_somebody_would_have_typed(
    web: httpx.AsyncClient, merchant: Person, agent: Person
) -> None:
    asked = {
        "xlsx": book(
            ["会员编号", "生日", "积分", "备注"], ["008", date(1990, 3, 5), 1200.0, 'a,"b"\n'], [], [7, None, True, 1.5]
        )
    }
    read = (await web.post("/api/v1/sheets", json=asked, headers=merchant.headers)).json()
    assert read == {"csv": '会员编号,生日,积分,备注\r\n008,1990-03-05,1200,"a,""b""\n"\r\n7,,1,1.5\r\n', "rows": 3}
    assert (await web.post("/api/v1/sheets", json=asked, headers=agent.headers)).status_code == 403
    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("xl/workbook.xml", b" " * 60_000_000)
    for content, code in (
        (b"PK\x03\x04 broken", "sheet.broken"),
        (b"a,b", "sheet.broken"),
        (bomb.getvalue(), "sheet.too_large"),
    ):
        body = {"xlsx": base64.b64encode(content).decode()}
        refused = await web.post("/api/v1/sheets", json=body, headers=merchant.headers)
        assert (refused.status_code, refused.json()["code"]) == (422, code)


async def test_products_are_judged_row_by_row_and_known_ones_keep_what_the_file_does_not_say(
    web: httpx.AsyncClient, merchant: Person, shop: Shop, deps: Deps
) -> None:
    where = f"/api/v1/catalogue/{shop.id}/products/import"
    text = (
        "商品编号,标题,价格,库存,在售\nA1,毛衣,¥189.00,12,是\nA1,又是它,1,1,\n,无号,1,,\n"
        "A2,羽绒服,十块,,\nA3,手套,9.9,-1,\nA4,帽子,39,,maybe\nA5,围巾,59,,否\n"
    )
    judged = (await web.post(where, json={"csv": text}, headers=merchant.headers)).json()
    assert [(one["row"], one["field"], one["code"]) for one in judged["faults"]] == [
        (3, "id", "row.twice"), (4, "id", "row.missing"), (5, "price", "row.no_number"), (6, "stock", "row.wrong"),
        (7, "on_sale", "row.wrong"),
    ]  # fmt: skip
    assert (judged["rows"], judged["new"], judged["applied"]) == (2, 2, False)
    all_or_none = await web.post(where, json={"csv": text, "apply": True}, headers=merchant.headers)
    assert all_or_none.json()["applied"] is False
    taken = await web.post(where, json={"csv": text, "apply": True, "skip_bad": True}, headers=merchant.headers)
    assert taken.json()["applied"] is True
    again = {"csv": "id,title,price\nA1,厚毛衣,199\n", "apply": True}
    assert (await web.post(where, json=again, headers=merchant.headers)).json()["new"] == 0
    rows = await deps.pool.fetch(
        "select id, title, price_fen, stock, on_sale from product where shop_id = $1 order by id", shop.id
    )
    assert [tuple(row) for row in rows] == [("A1", "厚毛衣", 19_900, 12, True), ("A5", "围巾", 5_900, 0, False)]
    lacking = await web.post(where, json={"csv": "id,title\n1,x\n"}, headers=merchant.headers)
    assert lacking.json()["code"] == "products.no_columns"


async def test_members_come_from_a_file_with_what_rules_need_to_know_of_them(
    web: httpx.AsyncClient, merchant: Person, shop: Shop, deps: Deps
) -> None:
    where = f"/api/v1/push/{shop.id}/members/import"
    heads = "会员编号,昵称,等级,积分,生日,标签,城市,入会日期\n"
    text = heads + "m1,林晓,V4,1200,3-5,老客；爱退,杭州,2024/11/11\nm2,阿木,,,,,,\n"
    taken = (await web.post(where, json={"csv": text, "apply": True}, headers=merchant.headers)).json()
    assert (taken["rows"], taken["new"], taken["applied"], taken["faults"]) == (2, 2, True, [])
    await web.post(where, json={"csv": "ref,points\nm1,1300\n", "apply": True}, headers=merchant.headers)
    row = await deps.pool.fetchrow(
        "select s.name, p.level, p.points, p.birth_md, p.tags, p.city, p.member_since from profile p join shopper s"
        " on s.shop_id = p.shop_id and s.id = p.shopper_id where s.external_id = 'm1' and s.shop_id = $1", shop.id,
    )  # fmt: skip
    assert tuple(row)[:6] == ("林晓", 4, 1300, 305, ["爱退", "老客"], "杭州")
    assert row["member_since"] == datetime(2024, 11, 11, tzinfo=ZONE)
    far = (await web.get(f"/api/v1/catalogue/{shop.id}/start", headers=merchant.headers)).json()
    assert (far["members"], far["products"], far["questions"], far["menu"]) == (2, 0, 0, 0)


def test_a_member_with_a_cell_that_cannot_be_read_is_named_with_it() -> None:
    text = "ref,level,birthday,member_since\na,V200,,\nb,,2-30,\nc,,,yesterday\nd,,02-29,\n,,,\na,,,\n"
    good, bad = read_members(text, ZONE)
    assert [(one.row, one.field, one.code) for one in bad] == [
        (2, "level", "row.wrong"), (3, "birthday", "row.no_date"), (4, "member_since", "row.no_date"),
    ]  # fmt: skip
    assert [row.ref for row in good] == ["d", "a"]


async def test_a_shops_look_is_what_its_window_shows_and_its_colour_is_dark_enough(
    web: httpx.AsyncClient, merchant: Person, shop: Shop
) -> None:
    look = f"/api/v1/catalogue/{shop.id}/look"
    asked = {"name": "新店", "greeting": "欢迎来新店", "accent": "#FF5000"}
    kept = (await web.put(look, json=asked, headers=merchant.headers)).json()
    public = (await web.get(f"/api/v1/shops/{shop.slug}")).json()
    assert (public["name"], public["greeting"], public["accent"]) == ("新店", "欢迎来新店", kept["accent"])
    assert kept["accent"] != "#ff5000"
    await web.put(look, json={"name": "新店"}, headers=merchant.headers)
    assert (await web.get(f"/api/v1/shops/{shop.slug}")).json()["greeting"] == "您好，欢迎光临新店！有什么可以帮您？"

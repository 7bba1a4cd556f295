"""The figures over REST: who sees what, what is behind each figure, and exports that run nothing."""

from __future__ import annotations

import csv
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from io import BytesIO, StringIO
from typing import Any, cast

import asyncpg
import httpx
import openpyxl
import pytest
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

from metrics.csv_out import csv_text
from metrics.intervals import patience
from metrics.profiles import PROFILES
from metrics.rest import router
from metrics.rest_drill import router as drill_router
from tests.conftest import Shop, make_shop
from tests.metrics.conftest import teams_of
from tests.metrics.talk import ANNA, BEN, NIGHT, PROVIDER
from wangxin.clock import new_id
from wangxin.config import Settings
from wangxin.edge import Deps, Gate, Known
from wangxin.model.actor import Actor, Role
from wangxin.model.refusals import Refusal


@dataclass(slots=True)
class OpenGate:
    """Lets in whoever is set; everything behind the gate is real."""

    now: Actor | None = None

    async def known(self, token: str, *, device: str = "") -> Known:
        assert self.now is not None
        return Known(self.now)


@dataclass
class Office:
    shop: Shop
    gate: OpenGate = field(default_factory=OpenGate)
    http: httpx.AsyncClient = field(init=False)

    def sits(self, role: Role, **more: Any) -> Office:
        self.gate.now = Actor(role, more.pop("id", None) or new_id(), frozenset({self.shop.id}), "何", **more)
        return self

    async def get(self, path: str, **query: Any) -> Any:
        answer = await self.http.get(f"/metrics/{path.format(shop=self.shop.id)}", params=query or None)
        if answer.status_code != 200:
            return answer.status_code, answer.json().get("code")
        return answer.json() if answer.headers["content-type"] == "application/json" else answer.text


@pytest.fixture
async def office(pool: asyncpg.Pool, busy_shop: Shop) -> AsyncIterator[Office]:
    office = Office(busy_shop)
    deps = Deps(Settings(), pool, None, cast(Any, None), cast(Gate, office.gate))
    app = FastAPI()

    @app.exception_handler(Refusal)
    async def refused(request: Request, refusal: Refusal) -> JSONResponse:
        return JSONResponse({"code": refusal.code}, status_code=refusal.status)

    app.include_router(router(deps, teams_of))
    app.include_router(drill_router(deps, teams_of))
    headers = {"Authorization": "Bearer x"}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://x", headers=headers) as http:
        office.http = http
        yield office


async def test_a_merchant_sees_the_board_and_today(office: Office) -> None:
    found = await office.sits(Role.MERCHANT).get("{shop}/overview")
    assert found["board"]["assigned"] == 5
    assert found["today"]["served"] == 5
    assert [pool["name"] for pool in found["board"]["pools"]] == ["售前一组", "夜间组"]
    assert sum(hour["figures"]["turns"] for hour in found["hours"]) == found["today"]["turns"] == 6


async def test_how_long_it_took_to_reach_a_person_is_counted_from_the_wish(office: Office, pool: asyncpg.Pool) -> None:
    found = await office.sits(Role.MERCHANT).get("{shop}/reach")
    waits = await pool.fetch(
        "select extract(epoch from first_human_at - enqueued_at) * 1000 as ms, enqueued_at from tally"
        " where shopper_messages > 0"
    )
    known = sorted(int(row["ms"]) for row in waits if row["ms"] is not None)
    assert found["reached"] == len(known) == 5
    assert found["asked"] == sum(row["enqueued_at"] is not None for row in waits)
    assert known[0] <= found["wish_p50"] <= found["wish_p90"] <= known[-1]
    assert found["wish_p50"] <= found["first_p50"]
    assert found["soon"] == sum(ms <= 60_000 for ms in known)
    lost = await pool.fetch(
        "select extract(epoch from coalesce(gave_up_at, closed_at) - enqueued_at) * 1000 as ms from tally"
        " where abandoned in ('explicit', 'silent') and first_human_at is null"
    )
    mean = patience([int(row["ms"]) for row in lost], known).mean_ms
    assert mean is None if found["patience"] is None else abs(found["patience"] - mean) < 10
    assert found["slow"] == 0
    await pool.execute(
        "update turn set wait_ms = 121000, conversation_id = (select conversation_id from turn limit 1)"
        " where wait_ms is not null"
    )
    assert (await office.sits(Role.MERCHANT).get("{shop}/reach"))["slow"] == 1


async def test_the_report_over_rest_is_the_report(office: Office) -> None:
    found = await office.sits(Role.MERCHANT).get("{shop}/report")
    whole = next(row for row in found["rows"] if row["kind"] == "all")
    assert (whole["figures"]["conversion"]["hits"], whole["figures"]["conversion"]["n"]) == (3, 5)
    assert sum(kind["fen"] for kind in found["revenue"].values()) == 35_700


async def test_every_figure_opens_to_the_turns_and_orders_behind_it(office: Office) -> None:
    office.sits(Role.MERCHANT)
    night = await office.get("{shop}/turns", pool=NIGHT)
    assert {(row["agent"], row["pool"]) for row in night["rows"]} == {("小本", "夜间组")}
    assert len(night["rows"]) == 2
    unanswered = await office.get("{shop}/turns", outcome="unanswered")
    assert [row["answered_at"] for row in unanswered["rows"]] == [None]
    orders = await office.get("{shop}/orders", pool=NIGHT)
    assert sum(row["paid_fen"] for row in orders["rows"]) == 25_000
    assert [row["order_id"] for row in (await office.get("{shop}/orders", kind="silent"))["rows"]] == ["silent"]
    assert len((await office.get("{shop}/turns", team="own"))["rows"]) == 4


async def test_a_turn_taken_out_by_hand_counts_no_longer_and_is_audited(office: Office, pool: asyncpg.Pool) -> None:
    office.sits(Role.MERCHANT)
    (turn, *_) = (await office.get("{shop}/turns", outcome="unanswered"))["rows"]
    path = f"/metrics/{office.shop.id}/turns/{turn['thread_id']}/{turn['first_seq']}/void"
    assert (await office.http.put(path, json={"reason": "test order"})).status_code == 204
    assert (await office.get("{shop}/turns", outcome="unanswered"))["rows"] == []
    assert len((await office.get("{shop}/turns", outcome="excluded"))["rows"]) == 1
    assert await pool.fetchval("select detail->>'reason' from audit where action = 'turn.void'") == "test order"
    assert (await office.http.put(path, json={"reason": ""})).status_code == 204
    assert len((await office.get("{shop}/turns", outcome="unanswered"))["rows"]) == 1
    missing = f"/metrics/{office.shop.id}/turns/{new_id()}/1/void"
    assert (await office.http.put(missing, json={"reason": "x"})).status_code == 404


async def test_a_provider_sees_its_own_part_only(office: Office) -> None:
    office.sits(Role.PROVIDER, provider=PROVIDER)
    found = await office.get("{shop}/report")
    assert {row["key"] for row in found["rows"]} == {"all", str(NIGHT), str(PROVIDER)}
    whole = next(row for row in found["rows"] if row["kind"] == "all")["figures"]
    assert (whole["served"], whole["paid_fen"]) == (2, 25_000)
    assert found["revenue"] == {}
    assert {row["agent_id"] for row in (await office.get("{shop}/turns", team="own"))["rows"]} == {str(BEN)}
    assert {row["agent_id"] for row in (await office.get("{shop}/orders"))["rows"]} == {str(BEN)}
    assert [pool["name"] for pool in (await office.get("{shop}/overview"))["board"]["pools"]] == ["夜间组"]


async def test_figures_go_by_menu_item_and_by_push_as_well(office: Office, pool: asyncpg.Pool) -> None:
    office.sits(Role.MERCHANT)
    chats = await pool.fetch("select conversation_id, thread_id from tally where pool_id = $1 order by 1", NIGHT)
    rule = new_id()
    await pool.execute("update conversation set outbound_rule = $1 where id = $2", rule, chats[0]["conversation_id"])
    for chat, items in zip(chats, (("a1", "b2"), ("a1",)), strict=True):
        for seq, item in enumerate(items):
            await pool.execute(
                "insert into bot_turn (shop_id, thread_id, seq, conversation_id, how, item)"
                " values ($1, $2, $3, $4, 'menu', $5)",
                office.shop.id, chat["thread_id"], 90 + seq, chat["conversation_id"], item,
            )  # fmt: skip
    by_push = {row["key"]: row["figures"] for row in (await office.get("{shop}/series", by="push"))["rows"]}
    assert (by_push[str(rule)]["served"], by_push[str(rule)]["conversion"]["n"], by_push[""]["served"]) == (1, 1, 4)
    by_menu = {row["key"]: row["figures"] for row in (await office.get("{shop}/series", by="menu"))["rows"]}
    assert {key: one["served"] for key, one in by_menu.items()} == {"a1": 1, "b2": 1, "": 3}
    assert (by_menu["b2"]["conversion"]["hits"], by_menu["b2"]["orders"], by_menu["b2"]["turns"]) == (1, 1, 1)
    for cut, rows in (("push", by_push), ("menu", by_menu)):
        for key, figures in rows.items():  # each row opens to exactly what it counts
            for what, n in (("turns", figures["turns"]), ("orders", figures["orders"])):
                found = (await office.get(f"{{shop}}/{what}", cut=cut, key=key))["rows"]
                assert len([row for row in found if row.get("kind", "touched") == "touched"]) == n, (cut, key, what)
            asked = await office.get("{shop}/conversations", cut=cut, key=key)
            assert len(asked["rows"]) == figures["conversations"]
    lost = (await office.get("{shop}/conversations", which="lost"))["rows"]
    assert [row["abandoned"] for row in lost] == ["explicit"]
    assert await office.get("{shop}/orders", cut="hour", key="1") == (400, "cut.wrong")
    book = await office.http.get(f"/metrics/{office.shop.id}/report.xlsx")
    pages = openpyxl.load_workbook(BytesIO(book.content))
    assert pages.sheetnames == ["teams", "by hour", "money"]
    assert len(pages["by hour"]._charts) == 2, "pictures stand beside the hours"


async def test_a_shop_chooses_the_definitions_that_it_reads(office: Office, pool: asyncpg.Pool) -> None:
    office.sits(Role.MERCHANT)
    assert len((await office.get("{shop}/profiles"))["profiles"]) == len(PROFILES)
    path = f"/metrics/{office.shop.id}/profiles"
    assert (await office.http.put(path, json={"names": ["pdd_3min", "tmall_3min"]})).status_code == 204
    found = await office.get("{shop}/profiles")
    assert [row["profile"] for row in found["profiles"]] == ["tmall_3min", "pdd_3min"]
    assert sum(row["chosen"] for row in found["known"]) == 2
    assert (await office.http.put(path, json={"names": ["fastest"]})).json()["code"] == "profile.unknown"
    assert (await office.http.put(path, json={"names": []})).status_code == 204
    assert len((await office.get("{shop}/profiles"))["profiles"]) == len(PROFILES)
    assert await pool.fetchval("select count(*) from audit where action = 'profiles.chosen'") == 2


async def test_what_changed_since_a_day_is_for_the_shops_own_people(office: Office) -> None:
    office.sits(Role.MERCHANT)
    day = (await office.get("{shop}/report"))["first"]
    found = await office.get("{shop}/change", since=day, days=7, team=str(PROVIDER))
    by_name = {one["figure"]: one for one in found["changes"]}
    assert (by_name["conversion"]["n_before"], by_name["conversion"]["n_after"]) == (0, 5)
    assert not any(one["enough"] for one in found["changes"] + found["beside"])
    beside = {one["figure"]: one for one in found["beside"]}
    assert (beside["conversion"]["team"], round(beside["conversion"]["own"], 3)) == (1.0, 0.333)
    assert await office.get("{shop}/change", since="2999-01-01") == (400, "period.wrong")
    office.sits(Role.PROVIDER, provider=PROVIDER)
    assert (await office.get("{shop}/change", since=day))[0] == 403


async def test_an_agent_sees_his_own_day_and_not_the_shops(office: Office) -> None:
    office.sits(Role.AGENT, id=BEN)
    mine = await office.get("mine")
    assert (mine["figures"]["served"], mine["figures"]["conversion"]["n"], mine["figures"]["paid_fen"]) == (
        2,
        2,
        25_000,
    )
    assert "first_response" in mine["definitions"]
    assert await office.get("{shop}/report") == (403, "role.wrong")
    office.sits(Role.AGENT, id=ANNA, supervisor=True)
    assert "rows" in await office.get("{shop}/report")
    office.sits(Role.SHOPPER)
    assert await office.get("mine") == (403, "role.wrong")


async def test_nothing_of_one_shop_reaches_another(office: Office, pool: asyncpg.Pool) -> None:
    other = await make_shop(pool, "other", "别家")
    office.gate.now = Actor(Role.MERCHANT, new_id(), frozenset({other.id}), "别")
    paths = ["overview", "report", "series?by=day", "series.csv?by=day", "turns", "turns.csv", "conversations.csv",
             "orders", "profiles"]  # fmt: skip
    for path in paths:
        assert await office.get(f"{office.shop.id}/{path}") == (404, "shop.not_found")
    for path in ("turns", "orders"):
        assert (await office.get(f"{other.id}/{path}"))["rows"] == []
    whole = (await office.get(f"{other.id}/report"))["rows"][-1]["figures"]
    assert (whole["turns"], whole["conversations"], whole["orders"]) == (0, 0, 0)


async def test_series_have_a_row_for_every_day_and_their_csv_is_the_same_table(office: Office) -> None:
    office.sits(Role.MERCHANT)
    today = (await office.get("{shop}/report"))["first"]
    series = await office.get("{shop}/series", by="day", first="2026-01-01", last="2026-01-31")
    assert [len(series["rows"]), series["rows"][0]["key"]] == [31, "2026-01-01"]
    pools = await office.get("{shop}/series", by="pool")
    assert {row["name"] for row in pools["rows"]} == {"", "售前一组", "夜间组"}
    table = list(csv.DictReader(StringIO((await office.get("{shop}/series.csv", by="agent")).lstrip("﻿"))))
    by_agent = await office.get("{shop}/series", by="agent", first=today)
    assert [row["agent"] for row in table] == [row["key"] or "" for row in by_agent["rows"]]
    assert {row["name"]: row["paid_fen"] for row in table}["小本"] == "25000"
    # He is protected: what he brought stands there, how fast he was does not.
    ben, anna = ({row["name"]: row for row in table}[name] for name in ("小本", "安娜"))
    assert (ben["first_response_p50_ms"], ben["response_mean_ms"], ben["served"]) == ("", "", "2")
    assert anna["response_mean_ms"] != ""
    shown = next(row for row in by_agent["rows"] if row["name"] == "小本")
    assert (shown["protected"], shown["figures"]["response"]["mean"]) == (True, None)


async def test_exports_have_one_row_a_turn_and_one_a_conversation(office: Office) -> None:
    office.sits(Role.MERCHANT)
    turns = list(csv.DictReader(StringIO((await office.get("{shop}/turns.csv")).lstrip("﻿"))))
    assert len(turns) == 6
    assert turns[0]["opened_at"].endswith("+08:00")
    conversations = list(csv.DictReader(StringIO((await office.get("{shop}/conversations.csv")).lstrip("﻿"))))
    assert sorted(row["abandoned"] for row in conversations) == ["explicit", *["no"] * 5]
    orders = list(csv.DictReader(StringIO((await office.get("{shop}/orders.csv")).lstrip("﻿"))))
    paid = (await office.get("{shop}/report"))["revenue"]
    assert sum(int(row["paid_fen"]) for row in orders) == sum(kind["fen"] for kind in paid.values())
    topics = await office.get("{shop}/series", by="topic")
    assert sum(row["figures"]["turns"] for row in topics["rows"]) == len(turns)


async def test_all_profiles_are_read_off_the_same_turns(office: Office) -> None:
    found = await office.sits(Role.MERCHANT).get("{shop}/profiles")
    names = {one["profile"] for one in found["profiles"]}
    assert {"tmall_3min", "jd_first30", "pdd_3min", "kuaishou_3min", "douyin_3min", "wangwang_classic", "zendesk",
            "intercom"} <= names  # fmt: skip
    assert not found["cut"]


async def test_wrong_periods_and_rules_are_refused(office: Office) -> None:
    office.sits(Role.MERCHANT)
    assert await office.get("{shop}/report", first="2026-02-01", last="2026-01-01") == (400, "period.wrong")
    assert await office.get("{shop}/report", first="2020-01-01", last="2026-01-01") == (400, "period.wrong")
    assert await office.get("{shop}/report", rule="mine") == (400, "rule.unknown")
    assert (await office.get("{shop}/report", surprise="1"))[0] == 422
    for day in ("0001-01-01", "9999-12-31"):
        assert (await office.get("{shop}/change", since=day, days="28"))[0] == 422
        for path in ("{shop}/report", "{shop}/series.csv"):
            assert (await office.get(path, first=day, last=day))[0] == 422, path


@pytest.mark.parametrize(
    "cell", ["=cmd()", "+1", "-1", "@x", "\tx", "\rx", " =x", "＝x", "\u3000=x", "\u200b=x", "\xa0@x", "﹢x", "−1+x"]
)
def test_a_cell_that_a_spreadsheet_would_run_is_disarmed(cell: str) -> None:
    (_, row) = csv.reader(StringIO(csv_text(["a"], [[cell]])))
    assert row[0] == f"'{cell}"


def test_negative_numbers_stay_numbers() -> None:
    assert csv_text(["a"], [[-5], [1.5]]) == "﻿a\r\n-5\r\n1.5\r\n"

"""The desk's REST: what an agent gets, and that the shop is a wall."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import asyncpg
import httpx
import pytest
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

from dispatcher import admin_record
from dispatcher.contracts import Terms
from tests.conftest import Chat, Shop, make_chat, make_shop
from wangxin.app import places_of
from wangxin.chat import rest_replies
from wangxin.chat.desk import fields_for, initials, shown_order
from wangxin.chat.rest_agent import Sources, router
from wangxin.clock import new_id
from wangxin.model.actor import Actor, Role
from wangxin.model.refusals import Refusal
from wangxin.storage.entries import Line, append, body_json


@dataclass
class Desk:
    """A desk whose requests come from ``actor``."""

    pool: asyncpg.Pool
    actor_now: Actor | None = None
    http: httpx.AsyncClient = field(init=False)

    async def actor(self, request: Request) -> Actor:
        assert self.actor_now is not None
        return self.actor_now

    def sits(
        self, *shops: UUID, provider: UUID | None = None, id: UUID | None = None, supervisor: bool = False
    ) -> Actor:
        self.actor_now = Actor(
            Role.AGENT, id or new_id(), frozenset(shops), "小禾", provider=provider, supervisor=supervisor
        )
        return self.actor_now

    async def get(self, path: str, **query: Any) -> Any:
        answer = await self.http.get("/desk" + path, params=query)
        return answer.json() if answer.status_code == 200 else answer.status_code


@pytest.fixture
async def desk(pool: asyncpg.Pool) -> AsyncIterator[Desk]:
    desk = Desk(pool)
    app = FastAPI()

    @app.exception_handler(Refusal)
    async def refused(request: Request, refusal: Refusal) -> JSONResponse:
        return JSONResponse({"code": refusal.code}, status_code=refusal.status)

    async def profile(shop: UUID, shopper: UUID) -> dict[str, Any]:
        return {"level": "V4", "tags": ["高复购"], "birthday": "02-29"}

    app.include_router(router(desk, Sources(profile=profile)))
    app.include_router(rest_replies.router(desk, places_of(pool)))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://desk") as desk.http:
        yield desk


async def put_in_state(pool: asyncpg.Pool, chat: Chat, state: str, agent: UUID | None = None) -> UUID:
    conversation = new_id()
    await pool.execute(
        """insert into conversation (shop_id, id, thread_id, shopper_id, state, opened_at, opened_seq, handoff_at,
             agent_id, closed_at)
           values ($1, $2, $3, $4, $5, now(), 1, now(), $6, case when $5 = 'closed' then now() end)""",
        chat.shop,
        conversation,
        chat.thread,
        chat.shopper,
        state,
        agent,
    )
    await pool.execute(
        "update thread set state = $3, conversation_id = $4, agent_id = case when $3 = 'closed' then null else $5::uuid"
        " end, last_public = '袖口勾线了' where shop_id = $1 and id = $2",
        chat.shop, chat.thread, state, conversation, agent,
    )  # fmt: skip
    return conversation


async def add_order(pool: asyncpg.Pool, chat: Chat, id: str = "20261108-88214") -> None:
    await pool.execute(
        """insert into shop_order (shop_id, id, shopper_id, state, amount_fen, lines, logistics, created_at)
           values ($1, $2, $3, 'signed', 35900, $4, $5, now())""",
        chat.shop,
        id,
        chat.shopper,
        [{"title": "轻薄立领羽绒服", "count": 1, "price_fen": 35900}],
        {"carrier": "顺丰", "parcel": "SF1234567890123"},
    )


async def test_who_waits_longest_stands_first_and_the_message_box_last(desk: Desk, pool: Any, shop: Shop) -> None:
    boxed, first, second = [await make_chat(pool, shop.id, name) for name in ("箱", "先", "后")]
    await put_in_state(pool, boxed, "message_box")
    await put_in_state(pool, first, "waiting")
    await put_in_state(pool, second, "waiting")
    desk.sits(shop.id)
    found = await desk.get("/waiting")
    assert [row["shopper_name"] for row in found["waiting"]] == ["先", "后", "箱"]
    assert found["waiting"][0]["last_line"] == "袖口勾线了"
    desk.sits(shop.id, provider=new_id())
    assert {row["last_line"] for row in (await desk.get("/waiting"))["waiting"]} == {""}


async def test_ended_conversations_are_ones_own_and_found_by_name_order_and_words(
    desk: Desk, pool: Any, shop: Shop, chat: Chat
) -> None:
    me = desk.sits(shop.id)
    await put_in_state(pool, chat, "closed", me.id)
    other = await make_chat(pool, shop.id, "陈先生")
    await put_in_state(pool, other, "closed", new_id())
    await add_order(pool, chat)
    for words in ("", "林", "88214"):
        assert [row["shopper_name"] for row in (await desk.get("/ended", q=words))["ended"]] == ["林晓"], words
    for words in ("%", "_", "陈"):
        assert (await desk.get("/ended", q=words))["ended"] == [], words


async def test_the_shopper_panel_shows_an_outsourced_agent_only_what_is_open(
    desk: Desk, pool: Any, shop: Shop, chat: Chat
) -> None:
    await add_order(pool, chat)
    desk.sits(shop.id)
    whole = await desk.get(f"/threads/{chat.thread}/shopper")
    assert whole["spent_fen"] == 35900
    assert whole["level"] == "V4"
    assert "birthday" not in whole
    assert whole["hidden"] == []
    outsourced = desk.sits(shop.id, provider=new_id())
    assert await desk.get(f"/threads/{chat.thread}/shopper") == 404  # never his
    await put_in_state(pool, chat, "assigned", outsourced.id)
    part = await desk.get(f"/threads/{chat.thread}/shopper")
    assert part["level"] == "V4"
    assert part["tags"] == ["高复购"]
    assert not {"spent_fen", "external_id", "since_ms"} & part.keys()
    order = (await desk.get(f"/threads/{chat.thread}/orders"))["orders"][0]
    assert order["logistics"]["parcel"] == "SF1****0123"
    assert order["masked"] == ["parcel"]


async def test_revealing_a_parcel_needs_a_reason_and_is_kept(desk: Desk, pool: Any, shop: Shop, chat: Chat) -> None:
    agent = desk.sits(shop.id, provider=new_id())
    await put_in_state(pool, chat, "assigned", agent.id)
    await add_order(pool, chat)
    path = f"/desk/threads/{chat.thread}/reveal"
    asked = {"order": "20261108-88214", "field": "parcel"}
    assert (await desk.http.post(path, json={**asked, "reason": ""})).status_code == 422
    assert await pool.fetchval("select count(*) from audit") == 0
    answer = await desk.http.post(path, json={**asked, "reason": "买家问物流"})
    assert answer.json()["value"] == "SF1234567890123"
    row = await pool.fetchrow("select action, actor_id, detail from audit")
    assert row["actor_id"] == agent.id
    assert row["detail"]["reason"] == "买家问物流"
    assert (await desk.http.post(path, json={**asked, "field": "carrier", "reason": "好奇"})).status_code == 404


async def test_an_ended_thread_is_read_back_and_an_outsourced_agent_reads_his_conversations_only(
    desk: Desk, pool: Any, shop: Shop, chat: Chat
) -> None:
    def line(words: str, *, note: bool = False) -> Line:
        kind, lane = ("note", "internal") if note else ("text", "public")
        body = body_json({"text": words})
        return Line(shop.id, chat.thread, "shopper", chat.shopper, new_id(), kind, body, lane)  # type: ignore[arg-type]

    me = desk.sits(shop.id, provider=new_id())
    await put_in_state(pool, chat, "assigned", new_id())
    await append(pool, [line("别人的")])
    await put_in_state(pool, chat, "assigned", me.id)
    await append(pool, [line("我的"), line("备注", note=True)])
    path = f"/threads/{chat.thread}/entries"

    async def texts(**query: Any) -> list[str]:
        return [one["body"]["text"] for one in (await desk.get(path, **query))["entries"]]

    assert await texts() == ["我的"]
    assert await texts(lane="internal") == ["备注"]
    desk.sits(shop.id)
    assert await texts() == ["别人的", "我的"]
    page = await desk.get(path, limit=1)
    assert page["more"] is True
    assert page["entries"][0]["sender"] == {"kind": "shopper", "name": "林晓", "id": None, "me": False}
    assert await texts(before=page["entries"][0]["seq"]) == ["别人的"]
    desk.sits(shop.id, provider=new_id())
    assert await desk.get(path) == 404


async def test_a_remark_is_kept_and_shown_with_its_writer(desk: Desk, pool: Any, shop: Shop, chat: Chat) -> None:
    desk.sits(shop.id)
    kept = await desk.http.put(f"/desk/threads/{chat.thread}/remark", json={"text": "包运费换货", "starred": True})
    assert kept.status_code == 204
    shown = await desk.get(f"/threads/{chat.thread}/shopper")
    assert (shown["remark"], shown["remark_by"], shown["starred"]) == ("包运费换货", "小禾", True)


async def test_canned_replies_are_the_shops_and_ones_own(desk: Desk, shop: Shop) -> None:
    own = desk.sits(shop.id, supervisor=True)
    reply = {"code": "hh", "title": "换货", "body": "亲 {昵称},换货运费由店铺承担。", "topic": "售后"}
    shared, mine = new_id(), new_id()
    path = f"/desk/shops/{shop.id}/replies/"
    assert (await desk.http.put(f"{path}{shared}", json={**reply, "whole_shop": True})).status_code == 204
    assert (await desk.http.put(f"{path}{mine}", json=reply)).status_code == 204
    assert (await desk.http.put(f"{path}{new_id()}", json=reply)).status_code == 409  # the code is taken
    found = (await desk.get("/replies"))["replies"]
    assert {(row["id"], row["own"], row["initials"]) for row in found} == {
        (str(shared), False, "hh"),
        (str(mine), True, "hh"),
    }
    desk.sits(shop.id, provider=new_id())
    assert [row["id"] for row in (await desk.get("/replies"))["replies"]] == [str(shared)]
    assert (await desk.http.put(f"{path}{mine}", json={**reply, "title": "别人的"})).status_code == 404
    assert (await desk.http.put(f"{path}{shared}", json={**reply, "whole_shop": True})).status_code == 403
    assert (await desk.http.delete(f"{path}{mine}")).status_code == 404
    desk.actor_now = own
    assert (await desk.http.delete(f"{path}{mine}")).status_code == 204


async def test_an_agent_of_the_own_team_writes_for_himself_and_a_merchant_for_the_shop(desk: Desk, shop: Shop) -> None:
    reply = {"code": "hh", "title": "换货", "body": "好的", "whole_shop": True}
    path = f"/desk/shops/{shop.id}/replies/"
    desk.sits(shop.id)
    assert (await desk.http.put(f"{path}{new_id()}", json=reply)).json()["code"] == "reply.not_yours"
    assert (await desk.get("/replies"))["writes_for_all"] is False
    desk.actor_now = Actor(Role.MERCHANT, new_id(), frozenset({shop.id}), "店主")
    assert (await desk.http.put(f"{path}{new_id()}", json=reply)).status_code == 204
    assert (await desk.get("/replies"))["writes_for_all"] is True


async def test_a_pools_replies_are_its_leaders_to_write_and_of_use_in_every_shop_it_serves(
    desk: Desk, pool: asyncpg.Pool, shop: Shop
) -> None:
    other, provider, theirs, ours, away = await make_shop(pool, "ruiyun"), new_id(), new_id(), new_id(), new_id()
    agent, inside = new_id(), new_id()
    async with pool.acquire() as conn, conn.transaction():
        await admin_record.add_provider(conn, provider, "云杉客服")
        await admin_record.add_pool(conn, provider, theirs, "夜班", outsourced=True)
        await admin_record.add_pool(conn, provider, away, "别组", outsourced=True)
        await admin_record.add_pool(conn, shop.id, ours, "一组", outsourced=False)
        await admin_record.put_seat(conn, provider, agent, "云朵", [theirs], outsourced=True)
        await admin_record.put_seat(conn, shop.id, inside, "小禾", [ours], outsourced=False)
        for served in (shop.id, other.id):
            await admin_record.add_contract_version(
                conn, shop=served, id_=new_id(), provider=provider, pools=[theirs], starts_ms=0, ends_ms=None,
                terms=Terms(name="合同"), by=new_id(),
            )  # fmt: skip
    reply = {"code": "wa", "title": "晚安", "body": "亲，夜里由我接待。", "topic": "开场"}
    id = new_id()
    chief = Actor(Role.PROVIDER, new_id(), frozenset(), "主管", provider=provider)
    desk.actor_now = chief
    base = "/outsourcing/pools"
    assert (await desk.http.put(f"{base}/{theirs}/replies/{id}", json=reply)).status_code == 204
    assert (await desk.http.put(f"{base}/{theirs}/replies/{new_id()}", json=reply)).json()["code"] == "reply.code_taken"
    assert (await desk.http.put(f"{base}/{ours}/replies/{id}", json=reply)).json()["code"] == "pool.not_found"
    seen = (await desk.http.get("/outsourcing/replies")).json()
    assert [(row["id"], row["pool"], row["initials"]) for row in seen["replies"]] == [(str(id), str(theirs), "wa")]
    assert {(one["name"], one["leads"], len(one["shops"])) for one in seen["pools"]} == {
        ("夜班", True, 2),
        ("别组", True, 0),
    }

    desk.sits(shop.id, other.id, provider=provider, id=agent)
    mine = await desk.get("/replies")
    assert [(row["code"], set(row["shops"])) for row in mine["replies"]] == [("wa", {str(shop.id), str(other.id)})]
    assert [(one["name"], one["leads"]) for one in mine["pools"]] == [("夜班", False)]
    refused = await desk.http.put(f"/desk/pools/{theirs}/replies/{id}", json=reply)
    assert (refused.status_code, refused.json()["code"]) == (403, "reply.not_yours")
    assert (await desk.http.put(f"{base}/{theirs}/replies/{id}", json=reply)).json()["code"] == "role.wrong"
    assert (await desk.http.post(f"/desk/pools/{theirs}/replies/{id}/used")).status_code == 204
    assert await pool.fetchval("select used from pool_reply") == 1

    desk.sits(shop.id, id=inside, supervisor=True)  # the shop's own supervisor: his pool, and none of the provider's
    assert (await desk.http.put(f"/desk/pools/{ours}/replies/{id}", json=reply)).status_code == 204
    assert (await desk.http.delete(f"/desk/pools/{theirs}/replies/{id}")).json()["code"] == "pool.not_found"
    assert [row["pool"] for row in (await desk.get("/replies"))["replies"]] == [str(ours)]
    desk.actor_now = chief
    assert (await desk.http.delete(f"{base}/{theirs}/replies/{id}")).status_code == 204
    assert await pool.fetchval("select count(*) from pool_reply") == 1


async def test_a_reply_brings_only_what_its_writer_uploaded(desk: Desk, pool: Any, shop: Shop) -> None:
    """Else whoever writes down an id would give himself the link to somebody else's picture."""
    me = desk.sits(shop.id)
    own, private = new_id(), new_id()
    for media, owner in ((own, me.id), (private, new_id())):
        await pool.execute(
            "insert into media (shop_id, id, owner_id, kind, mime, bytes, width, height, digest)"
            " values ($1, $2, $3, 'image', 'image/png', 1, 4, 3, '')", shop.id, media, owner,
        )  # fmt: skip
    path, reply = f"/desk/shops/{shop.id}/replies/{new_id()}", {"code": "cm", "title": "尺码", "body": "看图"}
    refused = await desk.http.put(path, json={**reply, "media": str(private)})
    assert (refused.status_code, refused.json()["code"]) == (404, "media.not_found")
    assert (await desk.http.put(path, json={**reply, "media": str(own)})).status_code == 204
    (kept,) = (await desk.get("/replies"))["replies"]
    assert (kept["media"]["media"], kept["media"]["width"]) == (str(own), 4)


async def test_nothing_of_one_shop_reaches_an_agent_of_another(desk: Desk, pool: Any, shop: Shop, chat: Chat) -> None:
    await put_in_state(pool, chat, "waiting")
    await add_order(pool, chat)
    owner = desk.sits(shop.id, supervisor=True)
    reply = {"code": "hh", "title": "换货", "body": "好的", "whole_shop": True}
    id = new_id()
    assert (await desk.http.put(f"/desk/shops/{shop.id}/replies/{id}", json=reply)).status_code == 204
    other = await make_shop(pool, "ruiyun", "蕊云女装")
    desk.sits(other.id, id=owner.id, supervisor=True)
    assert [row["slug"] for row in (await desk.get(""))["shops"]] == ["ruiyun"]
    assert (await desk.get("/waiting"))["waiting"] == []
    assert (await desk.get("/team"))["team"] == []
    assert (await desk.get("/ended"))["ended"] == []
    assert (await desk.get("/replies"))["replies"] == []
    for panel in ("shopper", "orders", "products", "entries"):
        assert await desk.get(f"/threads/{chat.thread}/{panel}") == 404
    asked = {"order": "20261108-88214", "field": "parcel", "reason": "想看看"}
    assert (await desk.http.post(f"/desk/threads/{chat.thread}/reveal", json=asked)).status_code == 404
    assert (await desk.http.put(f"/desk/threads/{chat.thread}/remark", json={"text": "x"})).status_code == 404
    assert (await desk.http.put(f"/desk/threads/{chat.thread}/tags", json={"tags": ["x"]})).status_code == 404
    assert (await desk.http.put(f"/desk/shops/{shop.id}/replies/{id}", json=reply)).status_code == 404
    gone = await desk.http.delete(f"/desk/shops/{shop.id}/replies/{id}", params={"whole_shop": True})
    assert gone.status_code == 404
    await desk.http.post(f"/desk/shops/{shop.id}/replies/{id}/used")
    assert await pool.fetchval("select used from canned_reply") == 0
    assert await pool.fetchval("select count(*) from audit") == 0


async def test_only_a_supervisor_of_the_shop_sees_what_colleagues_serve(
    desk: Desk, pool: Any, shop: Shop, chat: Chat
) -> None:
    await put_in_state(pool, chat, "assigned", new_id())
    desk.sits(shop.id)
    assert await desk.get("/team") == 403
    desk.sits(shop.id, provider=new_id(), supervisor=True)
    assert await desk.get("/team") == 403
    desk.sits(shop.id, supervisor=True)
    assert [row["shopper_name"] for row in (await desk.get("/team"))["team"]] == ["林晓"]


def test_a_reply_is_found_by_first_letters_of_its_pinyin() -> None:
    assert initials("发货时间") == "fhsj"
    assert initials("双11 优惠") == "s11yh"


def test_a_contract_opens_no_field_that_does_not_exist() -> None:
    assert fields_for(True, frozenset({"spent", "password"})) == {"spent"}


def test_short_private_values_are_hidden_whole() -> None:
    row = {"id": "1", "logistics": {"phone": "110", "carrier": "顺丰"}}
    assert shown_order(row, frozenset())["logistics"] == {"phone": "***", "carrier": "顺丰"}

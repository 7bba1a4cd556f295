"""Shops side by side with everything a shop has, and a person of every kind in each."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import asyncpg
import httpx
from fastapi import FastAPI
from PIL import Image

from dispatcher import admin_record
from dispatcher.contracts import Terms
from dispatcher.training import record as training
from dispatcher.training.talks import opening
from metrics.service import Figures
from tests.conftest import Chat, Shop, make_shop
from tests.metrics.shopping import Counter
from tests.web.api.conftest import make_person
from tests.web.api.wall_table import MENU, PACK, QUESTION, REPLY, RULE, SCHEDULE, SHEET, WEBHOOK
from wangxin import auth
from wangxin.clock import new_id, new_secret, now_ms
from wangxin.edge import Deps
from wangxin.storage import keys

API = "/api/v1"


def filled(template: Any, ids: dict[str, Any]) -> Any:
    """``template`` with every ``{name}`` replaced; a string that is nothing else becomes the value itself."""
    if isinstance(template, dict):
        return {key: filled(value, ids) for key, value in template.items()}
    if isinstance(template, (list, tuple)):
        return [filled(value, ids) for value in template]
    if not isinstance(template, str) or "{" not in template:
        return template
    name = template[1:-1]
    return ids[name] if template == f"{{{name}}}" else template.format_map(ids)


def picture() -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (8, 8), (200, 60, 20)).save(out, "PNG")
    return out.getvalue()


@dataclass
class Side:
    """One of the shops. ``mark`` stands in every text of it; ``people`` are the headers of each kind of person."""

    shop: Shop
    mark: str
    ids: dict[str, Any] = field(default_factory=dict)
    people: dict[str, dict[str, str]] = field(default_factory=dict)

    def secrets(self) -> list[str]:
        """What must not be seen elsewhere: its mark, and every id that it has."""
        public = {"provider", "outsourced_pool"}  # providers offer themselves to every shop
        return [self.mark, *(str(id_) for name, id_ in self.ids.items() if len(str(id_)) == 36 and name not in public)]


@dataclass
class TwoShops:
    app: FastAPI
    deps: Deps
    web: httpx.AsyncClient
    ours: Side
    theirs: Side
    third: Side
    tables: str
    last_record: list[tuple[Any, ...]] | None = None

    async def record_of(self, side: Side) -> list[tuple[str, int, str]]:
        """(table, rows, digest) of everything that belongs to a shop."""
        rows = await self.deps.pool.fetch(self.tables, side.shop.id)
        return [tuple(row) for row in rows]


async def _tables(pool: asyncpg.Pool) -> str:
    """One query over every table that has a shop or an owner. When a key was last used is no change."""
    found = await pool.fetch(
        "select table_name, min(column_name) from information_schema.columns where table_schema = 'public'"
        " and column_name in ('shop_id', 'owner_id') and table_name not in ('media') group by table_name"
        " union select 'media', 'shop_id'"
    )
    return " union all ".join(
        f"select '{table}', count(*), md5(coalesce(string_agg((to_jsonb(t) - 'used_at')::text, '|'"
        f" order by (to_jsonb(t) - 'used_at')::text), '')) from \"{table}\" t where {column} = $1"
        for table, column in found
    )


async def furnish(web: httpx.AsyncClient, deps: Deps, slug: str, mark: str) -> Side:
    """A shop with one of everything."""
    pool = deps.pool
    side = Side(await make_shop(pool, slug, f"{mark}店"), mark)
    shop = side.shop.id
    await pool.execute(
        "update shop set settings = $2, token_secret = $3 where shop_id = $1", shop,
        {"demo": True, "demo_members": {f"{slug}-m1": "V1"}}, new_secret(),
    )  # fmt: skip
    secret: str = await pool.fetchval("select token_secret from shop where shop_id = $1", shop)
    provider = new_id()
    merchant = await make_person(deps, f"{slug}-boss", [shop], role="merchant")
    agent = await make_person(deps, f"{slug}-agent", [shop])
    await pool.execute("update account set name = $2, persona = $2 where id = $1", agent.id, f"{mark}小禾")
    outsourced = await make_person(deps, f"{slug}-far", [], provider=provider)
    idle = await make_person(deps, f"{slug}-idle", [], provider=provider)
    leaver = await make_person(deps, f"{slug}-leaver", [shop])
    supervisor = await make_person(deps, f"{slug}-chief", [shop])
    await pool.execute("update account set supervises = true where id = $1", supervisor.id)
    side.people = {
        name: person.headers
        for name, person in {
            "merchant": merchant, "agent": agent, "outsourced": outsourced, "idle": idle, "supervisor": supervisor,
            "provider": await make_person(deps, f"{slug}-owner", [], role="provider", provider=provider),
        }.items()
    }  # fmt: skip
    side.people["nobody"] = {}
    side.ids["member"] = str((await make_person(deps, f"{slug}-clerk", [shop], role="merchant")).id)
    member_token = auth.sign_member(slug, f"{slug}-m1", f"{mark}林晓", "V1", secret, now_ms())
    member = (await deps.gate.known(member_token)).actor.id
    side.people["member"] = {"Authorization": f"Bearer {member_token}"}
    guest = (await web.post(f"{API}/visitor", json={"shop": slug})).json()
    side.people["guest"] = {"Authorization": f"Bearer {guest['token']}"}
    for name, scopes in (("key", ["events"]), ("other_key", ["nothing"])):
        key = f"wxk_{new_secret()}"
        await keys.keep_api_key(pool, shop, new_id(), f"{mark}钥匙", key, scopes)
        side.people[name] = {"Authorization": f"Bearer {key}"}

    side.ids |= {
        "shop": str(shop), "slug": slug, "mark": mark, "ref": f"{slug}-m1", "order": f"{slug}-88001", "first_seq": 2,
        "version": 1, "deed": "submit", "step": "typing", "agent": str(agent.id), "provider": str(provider),
        "shopper": str(member), "outsourced_agent": str(outsourced.id), "merchant": str(merchant.id),
        "guest": guest["shopper"],
        "leaver": str(leaver.id),
    }  # fmt: skip
    await _serving(deps, side, provider)
    await _talk(deps, Chat(shop, member, new_id()), side, outsourced.id)
    await _written(web, deps, side)
    await _training(deps, side)
    await _checked(deps, side)
    return side


async def _checked(deps: Deps, side: Side) -> None:
    """The outsourced agent's conversation was drawn, and graded by somebody who is not here."""
    ids, sample = side.ids, new_id()
    ids["sample"] = str(sample)
    await deps.pool.execute(
        """insert into quality_sample (shop_id, id, week, conversation_id, thread_id, day, agent_id, pool_id,
             provider_id, stratum, double, state, score, passed, graded_at)
           values ($1, $2, '2026-11-23', $3, $4, '2026-11-25', $5, $6, $7, 'random', true, 'graded', 70, false,
             clock_timestamp())""",
        side.shop.id, sample, UUID(ids["conversation"]), UUID(ids["thread"]), UUID(ids["outsourced_agent"]),
        UUID(ids["outsourced_pool"]), UUID(ids["provider"]),
    )  # fmt: skip
    await deps.pool.execute(
        """insert into quality_check (shop_id, conversation_id, thread_id, day, agent_id, pool_id, hints)
           values ($1, $2, $3, current_date, $4, $5, $6)""",
        side.shop.id, UUID(ids["conversation"]), UUID(ids["thread"]), UUID(ids["outsourced_agent"]),
        UUID(ids["outsourced_pool"]), [{"rule": "forbidden", "seq": 1, "words": side.mark}],
    )  # fmt: skip
    await deps.pool.execute(
        """insert into quality_grade (shop_id, sample_id, grader_id, version, marks, fatal, score, passed, note)
           values ($1, $2, $3, 1, '{"greeting": "half"}', '{}', 70, false, $4)""",
        side.shop.id, sample, new_id(), f"{side.mark}太冷淡",
    )  # fmt: skip


async def _training(deps: Deps, side: Side) -> None:
    """A practice chat that the outsourced agent has begun."""
    ids = side.ids
    attempt = new_id()
    ids["attempt"] = str(attempt)
    asked = [{"said": f"{side.mark}怎么退货", "again": f"{side.mark}能退吗", "right": f"{side.mark}七天内可退"}] * 9
    content = {"turns": asked}
    async with deps.pool.acquire() as conn:
        await training.begin(
            conn, side.shop.id, attempt, UUID(ids["provider"]), UUID(ids["outsourced_agent"]), "practice", 1, content,
            opening("practice", content, now_ms()),
        )  # fmt: skip


async def _serving(deps: Deps, side: Side, provider: UUID) -> None:
    """An own pool, an outsourced one under contract, and seats in both."""
    ids, shop = side.ids, side.shop.id
    pool, outsourced_pool, contract = new_id(), new_id(), new_id()
    ids.update(pool=str(pool), outsourced_pool=str(outsourced_pool), contract=str(contract))
    async with deps.pool.acquire() as conn, conn.transaction():
        await admin_record.add_pool(conn, shop, pool, f"{side.mark}一组", outsourced=False)
        await admin_record.add_provider(conn, provider, f"{side.shop.slug} 服务商")
        await admin_record.add_pool(conn, provider, outsourced_pool, "夜间组", outsourced=True)
        await admin_record.put_seat(conn, shop, UUID(ids["agent"]), f"{side.mark}小禾", [pool], outsourced=False)
        await admin_record.put_seat(conn, shop, UUID(ids["leaver"]), f"{side.mark}小去", [pool], outsourced=False)
        for login in ("far", "idle"):
            account = await conn.fetchval("select id from account where login = $1", f"{side.shop.slug}-{login}")
            await admin_record.put_seat(conn, provider, account, login, [outsourced_pool], outsourced=True)
        await admin_record.add_contract_version(
            conn, shop=shop, id_=contract, provider=provider, pools=[outsourced_pool], starts_ms=0, ends_ms=None,
            terms=Terms(name=f"{side.mark}合同"), by=UUID(ids["merchant"]),
        )  # fmt: skip
        ids["number"] = await admin_record.add_contract_version(
            conn, shop=shop, id_=contract, provider=provider, pools=[outsourced_pool], starts_ms=0, ends_ms=None,
            terms=Terms(name=f"{side.mark}新版"), by=UUID(ids["merchant"]), ask=True,
        )  # fmt: skip
        ids.update(day="2026-11-11", line=0)
        line = {"kind": "conversations", "label": f"{side.mark}会话", "quantity": 1, "unit_fen": 90, "amount_fen": 90,
                "evidence": [f"{side.mark}凭据"], "of_day": None, "of_kind": None}  # fmt: skip
        statement = new_id()
        await conn.execute(
            """insert into statement (shop_id, id, contract_id, version, provider_id, day, cycle_first, lines, fee_fen,
                 total_fen, due_at) values ($1, $2, $3, 1, $4, '2026-11-11', '2026-11-01', $5, 90, 90, '2100-01-01')""",
            shop, statement, contract, provider, [line],
        )  # fmt: skip
        await conn.execute(
            """insert into statement_dispute (shop_id, statement_id, line, reason, claimed_fen, raised_by)
               values ($1, $2, 0, $3, 180, $4)""",
            shop, statement, f"{side.mark}少一个", provider,
        )  # fmt: skip


async def _talk(deps: Deps, chat: Chat, side: Side, served_by: UUID) -> None:
    """The member's thread: words, a handoff, an outsourced agent who answers; an order, a product, figures."""
    ids, mark = side.ids, side.mark
    await deps.pool.execute(
        "insert into thread (shop_id, id, shopper_id) values ($1, $2, $3)", chat.shop, chat.thread, chat.shopper
    )
    counter = Counter(deps.pool, chat)
    await counter.asks(f"{mark}怎么退货")
    await counter.wants_a_person()
    await counter.assigned(served_by, UUID(ids["outsourced_pool"]))
    await counter.replies(served_by, f"{mark}在的")
    conversation = await deps.pool.fetchval("select conversation_id from thread where id = $1", chat.thread)
    ids.update(thread=str(chat.thread), conversation=str(conversation))
    await deps.pool.execute(
        "insert into assignment (shop_id, conversation_id, epoch, thread_id, shopper_id, agent_id, pool_id,"
        " provider_id, stage, reason, level, waited_ms, predicted_ms, explanation)"
        " values ($1, $2, 1, $3, $4, $5, $6, $7, 1, 'ring', 0, 0, 0, $8)",
        chat.shop, conversation, chat.thread, chat.shopper, served_by, UUID(ids["outsourced_pool"]),
        UUID(ids["provider"]), {"pools": [], "candidates": []},
    )  # fmt: skip
    await counter.orders(ids["order"], 18_900)
    await deps.pool.execute(
        "update shop_order set logistics = $3, lines = $4 where shop_id = $1 and id = $2", chat.shop, ids["order"],
        {"parcel": f"{mark}SF1234567890123"}, [{"title": f"{mark}毛衣"}],
    )  # fmt: skip
    ids["case"] = str(new_id())
    await deps.pool.execute(
        "insert into aftersale (shop_id, id, thread_id, shopper_id, order_id, wants, words)"
        " values ($1, $2, $3, $4, $5, '退货', $6)",
        chat.shop, UUID(ids["case"]), chat.thread, chat.shopper, ids["order"], f"{mark}破了",
    )  # fmt: skip
    await deps.pool.execute(
        "insert into product (shop_id, id, title, price_fen) values ($1, 'p1', $2, 18900)", chat.shop, f"{mark}毛衣"
    )
    await Figures(deps.pool).catch_up()
    ids["said_seq"] = await deps.pool.fetchval(
        "select max(seq) from entry where thread_id = $1 and lane = 0 and sender_kind = 'agent'", chat.thread
    )
    ids["first_seq"] = await deps.pool.fetchval("select min(first_seq) from turn where thread_id = $1", chat.thread)


async def _given(deps: Deps, side: Side) -> None:
    """The member has a coupon of the rule; a report could not be sent."""
    side.ids.update(kind="report", work=str(new_id()))
    await deps.pool.execute(
        "insert into report_sending (shop_id, id, schedule_id, name, by, addresses, first, last, state, note)"
        " values ($1, $2, $2, $3, 'mail', '{}', '2026-01-01', '2026-01-01', 'failed', 'ConnectionRefusedError: x')",
        side.shop.id, UUID(side.ids["work"]), f"{side.mark}日报",
    )  # fmt: skip
    rule, grant = UUID(side.ids["rule"]), new_id()
    await deps.pool.execute(
        "insert into benefit_stock (shop_id, rule_id, step, remaining) values ($1, $2, 0, 5)", side.shop.id, rule
    )
    await deps.pool.execute(
        "insert into benefit_grant (shop_id, rule_id, run_key, step, shopper_id, id, kind, amount, title)"
        " values ($1, $2, 'x', 0, $3, $4, 'coupon', 500, $5)",
        side.shop.id, rule, UUID(side.ids["shopper"]), grant, f"{side.mark}券",
    )  # fmt: skip
    side.ids["grant"] = str(grant)


async def _written(web: httpx.AsyncClient, deps: Deps, side: Side) -> None:
    """What the merchant and an agent write through the interface itself."""
    ids, boss = side.ids, side.people["merchant"]
    shop, crowd_path = ids["shop"], f"{API}/push/{ids['shop']}/crowds"

    async def done(method: str, path: str, body: Any, who: dict[str, str] = boss) -> Any:
        reply = await web.request(method, path, json=filled(body, ids), headers=who)
        assert reply.status_code < 300, (path, reply.text)
        return reply.json() if reply.content else None

    await done("PUT", f"{API}/menus/{shop}/draft", {"draft": MENU, "revision": 0})
    await done("POST", f"{API}/menus/{shop}/publish", {"note": "{mark}"})
    ids["revision"] = (await web.get(f"{API}/menus/{shop}/draft", headers=boss)).json()["revision"]
    moment = {"at_ms": 4_000_000_000_000, "revision": "{revision}", "note": "{mark}"}
    ids["plan"] = (await done("POST", f"{API}/menus/{shop}/plans", moment))["id"]
    ids["id"] = (await done("POST", f"{API}/menus/{shop}/faq", QUESTION))["id"]
    asked = {"said": "{mark}怎么退", "expects": "entry", "ref": "{id}"}
    ids["golden"] = (await done("POST", f"{API}/menus/{shop}/golden", asked))["id"]
    await done("PUT", f"{API}/push/{shop}/members/{{ref}}".format_map(ids), {"fields": {"tags": ["{mark}"]}})
    ids["crowd"] = (await done("POST", crowd_path, {"name": "{mark}", "refs": ["{ref}"]}))["id"]
    ids["key"] = (await done("POST", f"{API}/settings/{shop}/keys", {"name": "{mark}ERP"}))["id"]
    await done("POST", f"{API}/settings/{shop}/secrets", {})
    ids["webhook"] = (await done("POST", f"{API}/settings/{shop}/webhooks", WEBHOOK))["id"]
    ids["call"] = (await done("POST", f"{API}/settings/{shop}/webhooks/{ids['webhook']}/test", {}))["id"]
    ids["kid"] = "k1"
    ids["rule"] = (await done("POST", f"{API}/push/{shop}/rules", RULE))["id"]
    await _given(deps, side)
    ids["policy"] = (await web.get(f"{API}/dispatch/{shop}/policy", headers=boss)).json()["policy"]
    await done("PUT", f"{API}/dispatch/{shop}/policy", "{policy}")
    await done("PUT", f"{API}/desk/shops/{shop}/replies/{{id}}".format_map(ids), REPLY, side.people["agent"])
    await done("PUT", f"{API}/desk/pools/{{pool}}/replies/{{id}}".format_map(ids), REPLY)
    providers = f"{API}/outsourcing/pools/{{outsourced_pool}}/replies/{{id}}".format_map(ids)
    await done("PUT", providers, REPLY, side.people["provider"])
    await done("PUT", f"{API}/desk/threads/{{thread}}/remark".format_map(ids), {"text": "{mark}", "starred": True})
    upload = await web.post(f"{API}/media", files={"file": ("x.png", picture())}, headers=side.people["member"])
    ids["media"] = upload.json()["id"]
    await deps.pool.execute(
        "insert into media_shelf (shop_id, media_id, title, added_by) values ($1, $2, $3, $4)",
        side.shop.id, UUID(ids["media"]), f"{side.mark}说明", UUID(ids["merchant"]),
    )  # fmt: skip
    await done("PUT", f"{API}/training/{shop}/pack", PACK)
    await done("PUT", f"{API}/quality/{shop}/sheet", SHEET)
    ids["schedule"] = (await done("POST", f"{API}/metrics/{shop}/schedules", SCHEDULE))["id"]


@asynccontextmanager
async def two_shops(app: FastAPI, deps: Deps) -> AsyncIterator[TwoShops]:
    transport = httpx.ASGITransport(app, client=("203.0.113.7", 4711))
    async with httpx.AsyncClient(transport=transport, base_url="http://shop.test") as web:
        ours = await furnish(web, deps, "jia", "甲店机密")
        theirs = await furnish(web, deps, "yi", "乙店")
        third = await furnish(web, deps, "bing", "丙店")  # for requests that may do any harm to their own shop
        yield TwoShops(app, deps, web, ours, theirs, third, await _tables(deps.pool))

"""REST of recorded decisions made once more: those about one conversation, or a day under another policy version."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query

from dispatcher import admin_read as read
from dispatcher.again import Question, around, decide_again, of_day
from dispatcher.explain import names, shop_of
from dispatcher.model import Policy
from wangxin.edge import Deps
from wangxin.model.actor import Actor, Role
from wangxin.model.refusals import not_found
from wangxin.storage.postgres import Connection

Version = Annotated[int | None, Query(ge=1, le=10**6)]


async def _version(conn: Connection, shop: UUID, version: int) -> Policy:
    found = await read.policy(conn, shop, version)
    if found.version != version:
        raise not_found("policy")
    return found


def add_again_routes(routes: APIRouter, deps: Deps) -> None:
    merchant = deps.require(Role.MERCHANT)

    @routes.get("/{shop}/conversations/{conversation}/again")
    async def again(
        shop: UUID, conversation: UUID, version: Version = None, actor: Actor = Depends(merchant)
    ) -> dict[str, Any]:
        """The journal around a conversation decided once more: whether every decision is the same, byte for byte; and
        what became of the conversation under another version of the policy. Raises ``conversation.not_found``,
        ``policy.not_found``, ``replay.forgotten``, ``replay.too_much``, ``preview.busy``, ``preview.too_slow``."""
        async with deps.scope(actor, shop) as conn:
            if await shop_of(conn, conversation) != shop:
                raise not_found("conversation")
            policy = None if version is None else await _version(conn, shop, version)
        async with deps.pool.acquire() as conn:
            part = await around(conn, shop, conversation, otherwise=version is not None)
        asked = Question(shop=str(shop), conversation=str(conversation), policy=policy)
        answer = await decide_again(deps.pool, part, asked)
        if policy is not None:
            async with deps.scope(actor, shop) as conn:
                await _name(conn, [one for one in answer["otherwise"].values() if one["became"]])
        return answer

    @routes.get("/{shop}/replay")
    async def day(
        shop: UUID, day: date, version: Annotated[int, Query(ge=1, le=10**6)], actor: Actor = Depends(merchant)
    ) -> dict[str, Any]:
        """A day of the journal decided once more, and thought through under a version of the policy: figures under
        both, and the requests that fare otherwise with the reason. The journal keeps seven days. Raises
        ``policy.not_found``, ``replay.forgotten``, ``replay.too_much``, ``preview.busy``, ``preview.too_slow``."""
        async with deps.scope(actor, shop) as conn:
            policy = await _version(conn, shop, version)
            tz = await conn.fetchval("select tz from shop where shop_id = $1", shop)
        async with deps.pool.acquire() as conn:
            part, from_ms = await of_day(conn, day, tz)
        answer = await decide_again(deps.pool, part, Question(shop=str(shop), policy=policy, from_ms=from_ms))
        async with deps.scope(actor, shop) as conn:
            await _name_changed(conn, shop, answer["otherwise"]["shown"])
        return {**answer, "from_ms": from_ms}


def _who(became: dict[str, Any], agents: dict[str, str], pools: dict[str, str]) -> None:
    became["agent_name"] = agents.get(became["agent"], "")
    became["pool_name"] = pools.get(became["pool"], "")


async def _name(conn: Connection, sides: list[dict[str, Any]]) -> None:
    """Puts names beside ids; of other shoppers who waited nothing is told."""
    given = [one["given"] for one in sides if one["given"]]
    seen = [seen for one in given for seen in (*one["pools"], *one["candidates"])]
    became = [one["became"] for one in sides]
    pools = await names(conn, "pool", "id", {one["pool"] for one in (*seen, *became) if one["pool"]})
    agents = await names(conn, "seat", "agent_id", {one["agent"] for one in (*seen, *became) if one.get("agent")})
    for one in became:
        _who(one, agents, pools)
    for one in seen:
        one["name"] = agents.get(one["agent"], "") if "agent" in one else pools.get(one["pool"], "")
    for one in given:
        del one["line"]


async def _name_changed(conn: Connection, shop: UUID, shown: list[dict[str, Any]]) -> None:
    sides = [one[side] for one in shown for side in ("now", "then")]
    pools = await names(conn, "pool", "id", {one["pool"] for one in sides if one["pool"]})
    agents = await names(conn, "seat", "agent_id", {one["agent"] for one in sides if one["agent"]})
    for one in sides:
        _who(one, agents, pools)
    rows = await conn.fetch(
        "select c.id, p.name from conversation c join shopper p on p.shop_id = c.shop_id and p.id = c.shopper_id"
        " where c.shop_id = $1 and c.id = any($2)",
        shop, [UUID(one["conversation"]) for one in shown],
    )  # fmt: skip
    shoppers = {str(row["id"]): row["name"] for row in rows}
    for one in shown:
        one["shopper_name"] = shoppers.get(one["conversation"], "")

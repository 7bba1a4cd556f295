"""Why this agent: every assignment of a conversation with who was considered, the scores, the rule and the terms."""

from __future__ import annotations

from typing import Any, Literal
from uuid import UUID

from dispatcher.contracts import Terms
from dispatcher.model import Policy
from wangxin.storage.postgres import Connection

Row = dict[str, Any]
_MS = "(extract(epoch from {}) * 1000)::bigint"
_USUAL = Policy()


async def shop_of(conn: Connection, conversation: UUID) -> UUID | None:
    """The shop of a conversation; None: there is no such conversation behind the asker's wall."""
    found: UUID | None = await conn.fetchval("select shop_id from conversation where id = $1", conversation)
    return found


async def explain(conn: Connection, shop: UUID, conversation: UUID) -> list[Row]:
    """In order of the assignments. ``agent_rule`` and ``pool_rule`` are those of the policy version that decided;
    ``rank`` and ``price_fen`` (of one more conversation) those of the contract version, None where there is none; names
    are today's (of ``line`` only this shop's shoppers have one). ``own_rules``: the contract says itself when its pools
    are asked. ``guard``: what the slow-response guard did from then to the next one. Empty: nobody ever had it."""
    rows = await conn.fetch(
        f"""select a.epoch, a.agent_id, s.name as agent_name, a.pool_id, p.name as pool_name, a.provider_id,
                   v.name as provider_name, a.contract_id, a.contract_version, a.policy_version, a.stage, a.reason,
                   a.level, a.waited_ms, a.predicted_ms, a.explanation, {_MS.format("a.assigned_at")} as assigned_ms,
                   {_MS.format("a.released_at")} as released_ms, a.release_reason,
                   r.policy->>'agent_rule' as agent_rule, r.policy->>'pool_rule' as pool_rule,
                   k.terms, g.steps as guard
              from assignment a
              left join seat s on s.agent_id = a.agent_id
              left join pool p on p.id = a.pool_id
              left join provider v on v.provider_id = a.provider_id
              left join routing_policy r on r.shop_id = a.shop_id and r.version = a.policy_version
              left join contract k on k.shop_id = a.shop_id and k.id = a.contract_id and k.version = a.contract_version
              left join lateral (
                select coalesce(jsonb_agg(jsonb_build_object('after_ms', w.after_ms, 'waited_ms', w.waited_ms,
                         'acts', to_jsonb(w.acts)) order by w.at, w.after_ms), '[]') as steps
                  from slow_turn w
                 where w.shop_id = a.shop_id and w.conversation_id = a.conversation_id and w.at >= a.assigned_at
                   and not exists (select 1 from assignment n where n.shop_id = a.shop_id and n.epoch > a.epoch
                                     and n.conversation_id = a.conversation_id and n.assigned_at <= w.at)) g on true
             where a.shop_id = $1 and a.conversation_id = $2 order by a.epoch""",
        shop,
        conversation,
    )
    found = [dict(row) for row in rows]
    seen = [seen for row in found for seen in (*row["explanation"]["pools"], *row["explanation"]["candidates"])]
    pools = await names(conn, "pool", "id", {one["pool"] for one in seen})
    agents = await names(conn, "seat", "agent_id", {one["agent"] for one in seen if "agent" in one})
    line = [one for row in found for one in row["explanation"].setdefault("line", [])]
    who = await conn.fetch(
        "select c.id, p.name from conversation c join shopper p on p.shop_id = c.shop_id and p.id = c.shopper_id"
        " where c.shop_id = $1 and c.id = any($2)",
        shop, [UUID(one["conversation"]) for one in line],
    )  # fmt: skip
    shoppers = {str(row["id"]): row["name"] for row in who}
    for one in line:
        one["name"] = shoppers.get(one["conversation"])
    for row in found:
        row["agent_rule"] = row["agent_rule"] or _USUAL.agent_rule
        row["pool_rule"] = row["pool_rule"] or _USUAL.pool_rule
        terms = row.pop("terms")
        agreed = None if terms is None else Terms.model_validate(terms)
        row["rank"] = agreed.rank if agreed else None
        row["price_fen"] = agreed.price.marginal_fen() if agreed else None
        row["own_rules"] = agreed is not None and agreed.overflow is not None
    for one in seen:
        one["name"] = agents.get(one["agent"], "") if "agent" in one else pools.get(one["pool"], "")
    return found


async def names(
    conn: Connection, table: Literal["pool", "seat"], column: Literal["id", "agent_id"], ids: set[str]
) -> dict[str, str]:
    """Of rows that the asker may see."""
    rows = await conn.fetch(
        f"select {column} as id, name from {table} where {column} = any($1)", [UUID(id_) for id_ in ids]
    )
    return {str(row["id"]): row["name"] for row in rows}

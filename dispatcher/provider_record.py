"""A provider's side: his pools and people, the shops he serves, what their lines look like, contracts to answer."""

from __future__ import annotations

from uuid import UUID

from dispatcher.admin_read import Row
from dispatcher.contracts import Terms
from wangxin.storage.postgres import Connection

_MS = "(extract(epoch from {}) * 1000)::bigint"


async def provider(conn: Connection, id_: UUID) -> Row | None:
    row = await conn.fetchrow(
        "select provider_id as id, name, stars_tenths, state from provider where provider_id = $1", id_
    )
    return None if row is None else dict(row)


async def lines(conn: Connection, id_: UUID) -> list[Row]:
    """Each shop under an agreed contract: who waits there (counts only), and what this provider's people do for it."""
    rows = await conn.fetch(
        f"""select s.shop_id as shop, s.name,
                   (select count(*) from conversation c where c.shop_id = s.shop_id and c.state = 'waiting') as waiting,
                   (select min({_MS.format("coalesce(c.handoff_at, c.opened_at)")}) from conversation c
                     where c.shop_id = s.shop_id and c.state = 'waiting') as oldest_ms,
                   (select count(*) from thread t join seat a on a.agent_id = t.agent_id and a.provider_id = $1
                     where t.shop_id = s.shop_id and t.state in ('assigned', 'wrap_up')) as serving,
                   (select count(distinct a.conversation_id) from assignment a where a.shop_id = s.shop_id
                       and a.provider_id = $1 and a.assigned_at >= date_trunc('day', clock_timestamp(), s.tz)) as today
              from shop s
             where s.shop_id in (select k.shop_id from running_contract k where k.provider_id = $1)
             order by s.name, s.shop_id""",
        id_,
    )
    return [dict(row) for row in rows]


async def contracts(conn: Connection, id_: UUID) -> list[Row]:
    """Every version of every contract with this provider, the newest first, the shops it holds for, and what he
    answered. ``shop`` is the first of them."""
    rows = await conn.fetch(
        f"""select c.shop_id as shop, s.name as shop_name, c.id as contract, c.version, c.pool_ids as pools, c.terms,
                   {_MS.format("c.starts_at")} as starts_ms, {_MS.format("c.ends_at")} as ends_ms,
                   {_MS.format("c.created_at")} as created_ms, coalesce(a.state, 'accepted') as state,
                   coalesce(a.note, '') as note
              from contract c join shop s on s.shop_id = c.shop_id
              left join contract_answer a on a.shop_id = c.shop_id and a.contract_id = c.id and a.version = c.version
             where c.provider_id = $1 and (c.shop_ids = '{{}}' or c.shop_id = any(c.shop_ids))
             order by s.name, c.id, c.version desc""",
        id_,
    )
    found: dict[tuple[UUID, int], Row] = {}
    for row in rows:
        key = (row["contract"], row["version"])
        if key not in found:
            terms = Terms.model_validate(row["terms"]).model_dump(mode="json")
            found[key] = {**dict(row), "terms": terms, "shop_names": []}
        found[key]["shop_names"].append(row["shop_name"])
    return list(found.values())


async def answer(
    conn: Connection, provider_: UUID, contract: UUID, version: int, *, accepted: bool, note: str, by: UUID
) -> list[UUID]:
    """The shops whose version was answered; none: there is no such version that waits for an answer."""
    rows = await conn.fetch(
        """update contract_answer set state = $4, note = $5, answered_at = clock_timestamp(), answered_by = $6
            where provider_id = $1 and contract_id = $2 and version = $3 and state = 'asked' returning shop_id""",
        provider_, contract, version, "accepted" if accepted else "refused", note, by,
    )  # fmt: skip
    return [row["shop_id"] for row in rows]

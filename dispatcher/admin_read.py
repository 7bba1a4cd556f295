"""Reads of administration: the floor as it is now, contracts with their versions, and why an assignment was made."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from dispatcher.contracts import HOURS, POLICY, Terms
from dispatcher.estimate import PER, wait_ms
from dispatcher.hours import open_at
from dispatcher.model import Policy
from wangxin.storage.postgres import Connection

_MS = "(extract(epoch from {}) * 1000)::bigint"
Row = dict[str, Any]


async def loads(conn: Connection, agents: Sequence[UUID]) -> dict[UUID, int]:
    """How many conversations each holds now, in all shops he serves: counts only, so outside any shop's wall."""
    rows = await conn.fetch(
        "select agent_id, count(*) as n from thread where agent_id = any($1) and state in ('assigned', 'wrap_up')"
        " group by agent_id",
        list(agents),
    )
    return {row["agent_id"]: row["n"] for row in rows}


async def pools(conn: Connection, shop: UUID) -> list[Row]:
    """Pools the shop owns, wrote down or has a contract for, its own first; those that ``serve`` now are told."""
    rows = await conn.fetch(
        """select p.id, p.owner_id, p.name, p.kind, p.state, p.hours, p.handle_ms, p.provider_id,
                  p.skills, p.languages, p.waiting_max, p.share_weight, p.seats_default,
                  v.shop_id is not null as written,
                  p.owner_id = $1 or exists (
                    select 1 from running_contract k where k.shop_id = $1 and p.id = any(k.pool_ids)) as serves,
                  coalesce(s.state, 'active') as standing,
                  coalesce(v.name, '') as provider_name, coalesce(v.stars_tenths, 0) as stars_tenths,
                  coalesce(v.state, 'active') as provider_state
             from pool p left join provider v on v.provider_id = p.provider_id
             left join provider_standing s on s.shop_id = $1 and s.provider_id = p.provider_id
            where p.kind in ('in_house', 'outsourced') and (p.owner_id = $1 or v.shop_id = $1
               or exists (select 1 from contract c where c.shop_id = $1 and p.id = any(c.pool_ids)))
            order by p.provider_id is not null, p.name, p.id""",
        shop,
    )
    return [dict(row) for row in rows]


async def rests(conn: Connection, shop: UUID, now_ms: int) -> list[Row]:
    """The shop's bot and message box, as far as it wrote them down, and how many lie in the box."""
    rows = await conn.fetch(
        """select p.id, p.name, p.kind, p.state, p.hours, p.waiting_max,
                  case when p.kind = 'message_box' then (select count(*) from conversation c
                     where c.shop_id = $1 and c.state = 'message_box') end as lying
             from pool p where p.owner_id = $1 and p.kind in ('bot', 'message_box') order by p.kind, p.name, p.id""",
        shop,
    )
    found = []
    for row in rows:
        hours = None if row["hours"] is None else HOURS.validate_python(row["hours"])
        found.append({**dict(row), "open": row["state"] == "open" and open_at(hours, now_ms)})
    return found


async def seats(conn: Connection, shop: UUID) -> list[Row]:
    """Seats in those pools, each with the pools of this shop it works in."""
    rows = await conn.fetch(
        f"""select s.agent_id, s.owner_id, s.provider_id, s.name, least(s.seats_max, s.fitted_max) as seats_max,
                   s.seats_max as seats_agreed, s.ability_per_mille, s.skills,
                   s.skill_levels, s.languages, s.protected, s.daily_max, s.state, s.state_reason,
                   s.connected, {_MS.format("s.state_since")} as since_ms,
                   array_agg(a.pool_id order by a.rank, a.pool_id) as pools
              from seat s join pool_agent a on a.owner_id = s.owner_id and a.agent_id = s.agent_id
              join pool p on p.owner_id = a.owner_id and p.id = a.pool_id
             where s.retired_at is null and (p.owner_id = $1
                or exists (select 1 from contract c where c.shop_id = $1 and p.id = any(c.pool_ids)))
             group by s.owner_id, s.agent_id order by s.provider_id is not null, s.name, s.agent_id""",
        shop,
    )
    return [dict(row) for row in rows]


async def names_of(conn: Connection, accounts: Sequence[UUID | None]) -> dict[UUID, str]:
    """Whose names stand beside what they did. Accounts lie outside of the shops' wall: not in a shop's scope."""
    rows = await conn.fetch("select id, name from account where id = any($1)", [one for one in accounts if one])
    return {row["id"]: row["name"] for row in rows}


async def contracts(conn: Connection, shop: UUID) -> list[Row]:
    """Every contract with all its versions, the newest first, what the provider said to each, and its switch."""
    rows = await conn.fetch(
        f"""select c.id, c.version, c.provider_id, v.name as provider_name, c.pool_ids,
                   {_MS.format("c.starts_at")} as starts_ms, {_MS.format("c.ends_at")} as ends_ms, c.terms,
                   c.shop_ids, {_MS.format("c.created_at")} as created_ms, c.created_by,
                   coalesce(w.paused, false) as paused,
                   coalesce(w.reason, '') as paused_why, {_MS.format("a.answered_at")} as answered_ms, a.answered_by,
                   coalesce(a.state, 'accepted') as state, coalesce(a.note, '') as note
              from contract c join provider v on v.provider_id = c.provider_id
              left join contract_switch w on w.shop_id = c.shop_id and w.contract_id = c.id
              left join contract_answer a on a.shop_id = c.shop_id and a.contract_id = c.id and a.version = c.version
             where c.shop_id = $1 order by c.id, c.version desc""",
        shop,
    )
    grouped: dict[UUID, list[Row]] = defaultdict(list)
    for row in rows:
        grouped[row["id"]].append(dict(row))
    found = []
    for id_, versions in grouped.items():
        newest = versions[0]
        found.append(
            {
                "id": id_,
                "provider_id": newest["provider_id"],
                "provider_name": newest["provider_name"],
                "pools": newest["pool_ids"],
                "paused": newest["paused"],
                "paused_why": newest["paused_why"],
                "versions": [
                    {
                        "version": v["version"],
                        "pools": v["pool_ids"],
                        "shops": list(v["shop_ids"]) or [shop],
                        "starts_ms": v["starts_ms"],
                        "ends_ms": v["ends_ms"],
                        **{k: v[k] for k in ("created_ms", "created_by", "answered_ms", "answered_by")},
                        "state": v["state"],
                        "note": v["note"],
                        "terms": Terms.model_validate(v["terms"]).model_dump(mode="json"),
                    }
                    for v in versions
                ],
            }
        )
    found.sort(key=lambda contract: contract["versions"][0]["terms"]["rank"])
    return found


async def measured(conn: Connection, shop: UUID) -> dict[UUID, Row]:
    """Today by pool, from assignments: how many, how they came, how soon the first answer was."""
    rows = await conn.fetch(
        """select a.pool_id, count(distinct a.conversation_id) as conversations,
                   count(*) filter (where a.reason like 'overflow:%') as overflowed,
                   count(*) filter (where a.release_reason = 'silent') as taken_back,
                   coalesce(avg(a.waited_ms), 0)::bigint as waited_ms,
                   (percentile_cont(0.95) within group (order by r.ms))::bigint as frt_p95_ms,
                   avg(r.ms)::bigint as frt_mean_ms, count(r.ms) as answered
              from assignment a
              left join lateral (
                select extract(epoch from e.at - a.assigned_at) * 1000 as ms from entry e
                 where e.shop_id = a.shop_id and e.thread_id = a.thread_id and e.lane = 0 and e.sender_kind = 'agent'
                   and e.sender_id = a.agent_id and e.conversation_id = a.conversation_id and e.kind <> 'event'
                   and e.at >= a.assigned_at order by e.seq limit 1) r on true
             where a.shop_id = $1
               and a.assigned_at >= date_trunc('day', clock_timestamp(), (select tz from shop where shop_id = $1))
             group by a.pool_id""",
        shop,
    )
    return {row["pool_id"]: dict(row) for row in rows}


async def standing(conn: Connection, shop: UUID) -> Row:
    """How many conversations of the shop wait, are served, lie in the message box; and the oldest wait."""
    rows = await conn.fetch(
        f"""select state, count(*) as n, min({_MS.format("coalesce(handoff_at, opened_at)")}) as oldest_ms
              from conversation where shop_id = $1 and state <> 'closed' group by state""",
        shop,
    )
    by = {row["state"]: row for row in rows}
    return {
        **{state: by[state]["n"] if state in by else 0 for state in ("waiting", "assigned", "parked", "message_box")},
        "oldest_waiting_ms": by["waiting"]["oldest_ms"] if "waiting" in by else None,
    }


_WRITTEN = ("hours", "skills", "languages", "waiting_max", "share_weight", "seats_default", "standing")


def floor(
    pool_rows: Sequence[Row], seat_rows: Sequence[Row], load: dict[UUID, int], today: dict[UUID, Row], now_ms: int
) -> list[Row]:
    """Each pool with its seats, what is free, and what it did today."""
    found = []
    for pool in pool_rows:
        mine = [seat for seat in seat_rows if pool["id"] in seat["pools"]]
        ready = [s for s in mine if s["state"] == "ready" and s["connected"]]
        slots = sum(s["seats_max"] for s in ready)
        taken = sum(min(load.get(s["agent_id"], 0), s["seats_max"]) for s in ready)
        hours = None if pool["hours"] is None else HOURS.validate_python(pool["hours"])
        suspended = "suspended" in (pool["provider_state"], pool["standing"])
        is_open = pool["state"] == "open" and not suspended and open_at(hours, now_ms)
        rate = slots * PER // max(1, pool["handle_ms"])
        found.append(
            {
                **{k: pool[k] for k in ("id", "name", "kind", "state", "provider_id", "provider_name", "stars_tenths")},
                **{k: pool[k] for k in _WRITTEN},
                "serves": pool["serves"],
                "mine": pool["provider_id"] is None or bool(pool["written"]),
                "open": is_open,
                "seats": len(mine),
                "ready": len(ready),
                "slots": slots,
                "load": sum(load.get(s["agent_id"], 0) for s in mine),
                "free": slots - taken if is_open else 0,
                "wait_ms": 0 if slots > taken else (wait_ms(0, rate, 0)[0] if slots else None),
                "today": {
                    k: v
                    for k, v in today.get(pool["id"], {"conversations": 0, "overflowed": 0, "taken_back": 0}).items()
                    if k != "pool_id"
                },
            }
        )
    return found


async def policy(conn: Connection, shop: UUID, version: int | None = None) -> Policy:
    """The policy in force, or an earlier version; the default (version 0) where there is none."""
    row = await conn.fetchrow(
        """select version, policy from routing_policy where shop_id = $1 and ($2::int is null or version = $2)
            order by version desc limit 1""",
        shop,
        version,
    )
    return Policy() if row is None else POLICY.validate_python({**row["policy"], "version": row["version"]})


async def policy_versions(conn: Connection, shop: UUID) -> list[Row]:
    rows = await conn.fetch(
        f"""select version, {_MS.format("created_at")} as created_ms, created_by from routing_policy
             where shop_id = $1 order by version desc limit 50""",
        shop,
    )
    return [dict(row) for row in rows]


async def recent(conn: Connection, shop: UUID, limit: int) -> list[Row]:
    """The newest assignments, for the page that explains them."""
    rows = await conn.fetch(
        f"""select a.conversation_id, a.epoch, a.agent_id, s.name as agent_name, p.name as pool_name, a.reason,
                   a.waited_ms, {_MS.format("a.assigned_at")} as assigned_ms, a.release_reason,
                   h.name as shopper_name
              from assignment a left join seat s on s.agent_id = a.agent_id left join pool p on p.id = a.pool_id
              left join shopper h on h.shop_id = a.shop_id and h.id = a.shopper_id
             where a.shop_id = $1 order by a.assigned_at desc limit $2""",
        shop,
        limit,
    )
    return [dict(row) for row in rows]

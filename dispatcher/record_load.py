"""What the dispatcher reads: terms, standing at take-over, and what facts leave out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from dispatcher import events as ev
from dispatcher.ability_record import COLUMNS, FIT, fit_of
from dispatcher.contracts import HOURS, POLICY, Terms, to_contract
from dispatcher.hours import local_day
from dispatcher.model import Contract, Id, Policy, Pool, Routing, Seat, Shop, leveled
from dispatcher.roster_record import all_groups
from dispatcher.training.record import certificates
from wangxin.model.conversation import State
from wangxin.storage.postgres import Connection

_MS = "(extract(epoch from {}) * 1000)::bigint"
DAY_TZ = "Asia/Shanghai"
"""Seats serve many shops; their working day is reckoned by this zone."""


async def load_routing(conn: Connection) -> Routing:
    shops = await conn.fetch(
        """select s.shop_id, s.tz, s.settings, p.version, p.policy from shop s
             left join lateral (select version, policy from routing_policy r where r.shop_id = s.shop_id
                                order by version desc limit 1) p on true order by s.shop_id"""
    )
    pools = await conn.fetch(
        """select p.*, coalesce(v.state, 'active') as provider_state from pool p
             left join provider v on v.provider_id = p.provider_id order by p.id"""
    )
    contracts = await conn.fetch(
        f"""select c.shop_id, c.id, c.version, c.provider_id, c.pool_ids, {_MS.format("c.starts_at")} as starts_ms,
                   {_MS.format("c.ends_at")} as ends_ms, c.terms, coalesce(w.paused, false) as paused,
                   coalesce(s.state, 'active') as standing
              from agreed_contract c left join contract_switch w on w.shop_id = c.shop_id and w.contract_id = c.id
              left join provider_standing s on s.shop_id = c.shop_id and s.provider_id = c.provider_id
             where (c.ends_at is null or c.ends_at > clock_timestamp())
               and not exists (select 1 from agreed_contract n where n.shop_id = c.shop_id and n.id = c.id
                                and n.version > c.version and n.starts_at <= clock_timestamp())
             order by c.shop_id, c.id, c.version"""
    )
    seats = await conn.fetch(
        f"""select s.agent_id, s.name, s.seats_max, s.ability_per_mille, s.skill_levels, s.daily_max,
                  case when s.protected then s.curve_per_hour else coalesce(s.curve_set, s.curve_per_hour) end as curve,
                  s.languages, {COLUMNS},
                  exists (select 1 from agent_device d where d.account_id = s.agent_id) as rings,
                  array(select a.pool_id from pool_agent a where a.owner_id = s.owner_id and a.agent_id = s.agent_id
                         order by a.rank, a.pool_id) as pools
             from seat s {FIT} where s.retired_at is null order by s.agent_id"""
    )
    return Routing(
        shops=tuple(Shop(str(r["shop_id"]), _policy(r["policy"], r["version"]), r["tz"]) for r in shops),
        pools=tuple(_pool(row) for row in pools),
        contracts=tuple(_contract(row) for row in contracts),
        seats=tuple(
            Seat(
                str(r["agent_id"]), r["name"], tuple(map(str, r["pools"] or ())), fit_of(r).cap,
                r["ability_per_mille"], leveled(r["skill_levels"]), r["daily_max"], tuple(r["curve"]),
                tuple(r["languages"]), r["rings"],
            )
            for r in seats
        ),
        certificates=await certificates(conn, contracts),
        groups=await all_groups(conn, contracts),
    )  # fmt: skip


def _policy(value: Any, version: int | None) -> Policy:
    if value is None:
        return Policy()
    return POLICY.validate_python({**value, "version": version})


def _pool(row: Any) -> Pool:
    outsourced = row["kind"] == "outsourced"
    owner = str(row["owner_id"])
    return Pool(
        str(row["id"]), row["kind"], row["name"], None if outsourced else owner, owner if outsourced else None,
        row["state"] if row["provider_state"] != "suspended" else "closed",
        HOURS.validate_python(row["hours"]) if row["hours"] is not None else None,
        row["waiting_max"], tuple(row["skills"]), row["share_weight"], row["convert_per_mille"], row["handle_ms"],
        tuple(row["languages"]),
    )  # fmt: skip


def _contract(row: Any) -> Contract:
    return to_contract(
        id_=str(row["id"]), version=row["version"], shop=str(row["shop_id"]), provider=str(row["provider_id"]),
        pools=tuple(map(str, row["pool_ids"])), starts_ms=row["starts_ms"], ends_ms=row["ends_ms"],
        terms=Terms.model_validate(row["terms"]), paused=row["paused"], standing=row["standing"],
    )  # fmt: skip


async def load_standing(
    conn: Connection, now_ms: int
) -> tuple[list[ev.SeatStanding], list[ev.ConversationStanding], dict[tuple[Id, int], int]]:
    """Seats, open conversations and today's volumes, as the record has them."""
    today = local_day(DAY_TZ, now_ms)
    seat_rows = await conn.fetch(
        f"""select s.agent_id, s.state, s.connected, s.before_loss, {_MS.format("s.connected_at")} as changed_ms,
                   coalesce(d.served, 0) as served, coalesce(d.last_ms, 0) as last_ms, d.strikes
              from seat s left join lateral (
                select count(distinct a.conversation_id) filter (where reason <> 'resume') as served,
                       {_MS.format("max(a.assigned_at)")} as last_ms,
                       array_agg({_MS.format("a.released_at")}) filter (
                         where a.release_reason = 'silent' and a.released_at > clock_timestamp() - interval '30 min'
                       ) as strikes
                  from assignment a where a.agent_id = s.agent_id
                   and a.assigned_at >= date_trunc('day', clock_timestamp(), '{DAY_TZ}')) d on true
             where s.retired_at is null"""
    )
    seats = [
        ev.SeatStanding(
            str(r["agent_id"]), r["state"], r["connected"], r["before_loss"],
            None if r["connected"] or r["state"] == "offline" else r["changed_ms"],
            r["served"], today, r["last_ms"], tuple(r["strikes"] or ()) if r["state"] == "ready" else (),
        )
        for r in seat_rows
    ]  # fmt: skip
    rows = await conn.fetch(
        f"""select c.shop_id, c.id, c.shopper_id, c.state, c.epoch, c.topic, c.agent_id, c.pool_id,
                   {_MS.format("coalesce(c.handoff_at, c.opened_at)")} as enqueued_ms,
                   {_MS.format("l.assigned_at")} as assigned_ms, {_MS.format("l.released_at")} as released_ms,
                   l.contract_id, x.excluded, t.epoch as thread_epoch, o.agent_id as offer_agent,
                   o.pool_id as offer_pool, o.reason as offer_reason, o.ref as offer_ref, o.frame as offer_frame,
                   c.callback_at is not null and c.callback_at > coalesce(l.assigned_at, 'epoch') as callback,
                   {_MS.format("c.assigned_at")} as first_ms, g.since_ms as turn_ms, g.after_ms as guarded_ms,
                   p.lang, n.pool_id as pinned, {_MS.format("n.until_at")} as pinned_until_ms, h.had
              from conversation c
              join thread t on t.shop_id = c.shop_id and t.id = c.thread_id and t.conversation_id = c.id
              join shopper p on p.shop_id = c.shop_id and p.id = c.shopper_id
              left join pinned n on n.shop_id = c.shop_id and n.conversation_id = c.id and n.epoch = t.epoch
              left join lateral (
                select array_agg(distinct a.agent_id) as had from assignment a
                 where a.shop_id = c.shop_id and a.conversation_id = c.id and a.reason <> 'resume'
                   and a.assigned_at >= date_trunc('day', clock_timestamp(), '{DAY_TZ}')) h on true
              left join offer o on o.shop_id = c.shop_id and o.conversation_id = c.id
              left join lateral (select * from assignment a where a.shop_id = c.shop_id and a.conversation_id = c.id
                                 order by a.epoch desc limit 1) l on true
              left join lateral (
                select jsonb_agg(jsonb_build_array(a.agent_id, {_MS.format("a.released_at")})) as excluded
                  from assignment a
                 where a.shop_id = c.shop_id and a.conversation_id = c.id
                   and a.release_reason in ('silent', 'transferred')
                   and a.released_at > clock_timestamp() - interval '10 min') x on true
              left join lateral (
                select {_MS.format("s.since_at")} as since_ms, s.after_ms from slow_turn s
                 where s.shop_id = c.shop_id and s.thread_id = t.id and s.conversation_id = c.id
                   and t.awaiting_since is not null and s.at > coalesce(t.human_wrote_at, 'epoch')
                 order by s.at desc, s.after_ms desc limit 1) g on true
             where c.state in ('waiting', 'assigned', 'parked', 'wrap_up', 'message_box')"""
    )
    conversations = []
    for r in rows:
        waiting = r["state"] == State.WAITING
        since = r["released_ms"] if waiting or r["state"] in ("parked", "wrap_up") else r["assigned_ms"]
        conversations.append(
            ev.ConversationStanding(
                str(r["id"]), str(r["shop_id"]), str(r["shopper_id"]), r["state"], r["enqueued_ms"],
                since if since is not None else r["enqueued_ms"], r["thread_epoch"], r["topic"],
                str(r["agent_id"]) if r["agent_id"] else None, str(r["pool_id"]) if r["pool_id"] else None,
                tuple((str(agent), ms + 600_000) for agent, ms in r["excluded"] or ()) if waiting else (),
                str(r["contract_id"]) if r["contract_id"] else None, _offer(r),
                r["first_ms"] or 0, r["turn_ms"] or 0, r["guarded_ms"] or 0, r["callback"],
                str(r["pinned"]) if waiting and r["pinned"] else None, r["pinned_until_ms"] or 0,
                tuple(map(str, r["had"] or ())), r["lang"],
            )
        )  # fmt: skip
    used_rows = await conn.fetch(
        f"""select coalesce(shop_id, contract_id) as id, count(distinct conversation_id) as n from assignment
             where assigned_at >= date_trunc('day', clock_timestamp(), '{DAY_TZ}')
             group by grouping sets ((contract_id), (shop_id))"""
    )
    return seats, conversations, {(str(r["id"]), today): r["n"] for r in used_rows if r["id"] is not None}


def _offer(row: Any) -> ev.OfferStanding | None:
    """The offer in the air; None: there is none, or it is of a time that did not keep its pool."""
    if row["offer_pool"] is None:
        return None
    frame = row["offer_frame"]
    return ev.OfferStanding(
        str(row["offer_agent"]), str(row["offer_pool"]), frame["expires_ms"], row["offer_reason"], frame["note"],
        row["offer_ref"],
    )  # fmt: skip


async def asked_rows(conn: Connection, asked: Sequence[tuple[UUID, UUID]]) -> dict[UUID, Any]:
    """For handoffs (shop, conversation): place in line, epoch, shopper, and who served him last within a day."""
    rows = await conn.fetch(
        f"""select c.id, c.shopper_id, c.state, t.epoch, c.topic, p.lang,
                   {_MS.format("coalesce(c.handoff_at, c.opened_at)")} as enqueued_ms,
                   l.agent_id as sticky, {_MS.format("l.assigned_at")} as sticky_ms
              from unnest($1::uuid[], $2::uuid[]) w(shop, id)
              join conversation c on c.shop_id = w.shop and c.id = w.id
              join thread t on t.shop_id = c.shop_id and t.id = c.thread_id
              join shopper p on p.shop_id = c.shop_id and p.id = c.shopper_id
              left join lateral (
                select a.agent_id, a.assigned_at from assignment a
                 where a.shop_id = c.shop_id and a.shopper_id = c.shopper_id
                   and a.assigned_at > clock_timestamp() - interval '24 hours'
                   and a.release_reason is distinct from 'silent'
                 order by a.assigned_at desc limit 1) l on true""",
        [shop for shop, _ in asked],
        [conversation for _, conversation in asked],
    )
    return {row["id"]: row for row in rows}


async def threads_of(conn: Connection, wanted: Sequence[tuple[UUID, UUID]]) -> dict[UUID, Any]:
    """(shop, conversation) -> thread, names and topic, by conversation."""
    rows = await conn.fetch(
        """select c.id, c.thread_id, c.shopper_id, c.topic, p.name as shopper_name, s.name as shop_name
             from unnest($1::uuid[], $2::uuid[]) w(shop, id)
             join conversation c on c.shop_id = w.shop and c.id = w.id
             join shopper p on p.shop_id = c.shop_id and p.id = c.shopper_id
             join shop s on s.shop_id = c.shop_id""",
        [shop for shop, _ in wanted],
        [conversation for _, conversation in wanted],
    )
    return {row["id"]: row for row in rows}


async def locked(conn: Connection, wanted: Sequence[tuple[UUID, UUID]]) -> dict[UUID, Any]:
    """The same, and where the threads stand; they are locked, in their order, until the transaction ends."""
    rows = await conn.fetch(
        f"""select c.id, c.thread_id, c.shopper_id, c.topic, p.name as shopper_name, s.name as shop_name, t.state,
                   t.conversation_id, t.agent_id, t.pool_id, t.epoch, {_MS.format("t.human_wrote_at")} as human_ms
              from unnest($1::uuid[], $2::uuid[]) w(shop, id)
              join conversation c on c.shop_id = w.shop and c.id = w.id
              join thread t on t.shop_id = c.shop_id and t.id = c.thread_id
              join shopper p on p.shop_id = c.shop_id and p.id = c.shopper_id
              join shop s on s.shop_id = c.shop_id
             order by t.shop_id, t.id for update of t""",
        [shop for shop, _ in wanted],
        [conversation for _, conversation in wanted],
    )
    return {row["id"]: row for row in rows}


async def unanswered(conn: Connection) -> list[Any]:
    """Live assignments and when shopper and agent wrote last, for those where somebody may be overdue."""
    rows: list[Any] = await conn.fetch(
        f"""select a.shop_id, a.conversation_id, t.agent_id, t.state, {_MS.format("t.awaiting_since")} as awaiting_ms,
                   {_MS.format("t.human_wrote_at")} as human_ms, {_MS.format("a.assigned_at")} as assigned_ms,
                   {_MS.format("c.assigned_at")} as first_ms,
                   {_MS.format("greatest(t.shopper_wrote_at, t.human_wrote_at)")} as last_ms
              from thread t
              cross join lateral (
                select * from assignment x where x.shop_id = t.shop_id and x.conversation_id = t.conversation_id
                 order by x.epoch desc limit 1) a
              join conversation c on c.shop_id = a.shop_id and c.id = a.conversation_id
             where t.agent_id is not null and t.state in ('assigned', 'parked') and a.thread_id = t.id
               and (a.released_at is null
                    or (a.release_reason = 'parked' and t.state = 'parked' and t.epoch = a.epoch))"""
    )
    return rows


async def silent_nodes(conn: Connection, silent_ms: int) -> list[UUID]:
    """Forget hubs that fell silent, and their lines; returns the agents who have no line any more."""
    gone = await conn.fetch(
        "delete from hub_node where seen_at < clock_timestamp() - $1 * interval '1 ms' returning node, seen_at",
        silent_ms,
    )
    if not gone:
        return []
    rows = await conn.fetch(
        "delete from seat_line where node = any($1) returning agent_id, node", [row["node"] for row in gone]
    )
    seen = {row["node"]: row["seen_at"] for row in gone}
    heard: dict[UUID, Any] = {}
    for row in rows:
        at = seen[row["node"]]
        heard[row["agent_id"]] = max(at, heard.get(row["agent_id"], at))
    lost = await conn.fetch(
        """update seat s set connected = false, connected_at = clock_timestamp(), heard_at = w.at
             from unnest($1::uuid[], $3::timestamptz[]) w(agent, at)
            where s.agent_id = w.agent and s.connected
              and not exists (select 1 from seat_line l where l.agent_id = s.agent_id and not l.node = any($2))
           returning s.agent_id""",
        list(heard),
        list(seen),
        list(heard.values()),
    )
    return [row["agent_id"] for row in lost]

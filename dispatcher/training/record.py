"""Reads and writes of packs, tries and certificates."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from dispatcher.admin_read import Row
from dispatcher.contracts import Terms, Training
from dispatcher.model import Certificate
from dispatcher.training.model import Article, Attempt, Pack, Rules, Step, certified_until, required, strictest
from wangxin.storage.postgres import Connection

_MS = "(extract(epoch from {}) * 1000)::bigint"
Key = tuple[UUID, UUID]
"""(shop, agent)"""


# --- packs ------------------------------------------------------------------------------------------------------------


async def packs(conn: Connection, shops: Collection[UUID]) -> dict[UUID, Pack]:
    """The newest pack of each shop that has one."""
    rows = await conn.fetch(
        """select distinct on (p.shop_id) p.shop_id, p.version, p.articles, p.rules,
                  (select coalesce(max(r.version), 1) from training_pack r
                    where r.shop_id = p.shop_id and r.renew) as since
             from training_pack p where p.shop_id = any($1) order by p.shop_id, p.version desc""",
        list(shops),
    )
    return {
        row["shop_id"]: Pack(
            row["version"], tuple(map(Article.model_validate, row["articles"])), Rules.model_validate(row["rules"]),
            row["since"],
        )
        for row in rows
    }  # fmt: skip


async def versions(conn: Connection, shop: UUID) -> list[Row]:
    rows = await conn.fetch(
        f"""select version, renew, {_MS.format("created_at")} as created_ms, jsonb_array_length(articles) as articles
              from training_pack where shop_id = $1 order by version desc limit 50""",
        shop,
    )
    return [dict(row) for row in rows]


async def put_pack(
    conn: Connection, shop: UUID, articles: Sequence[Article], rules: Rules, *, renew: bool, by: UUID
) -> int:
    """The next version of the shop's pack."""
    await conn.execute("select pg_advisory_xact_lock(hashtextextended($1::text, 2))", str(shop))
    version: int = await conn.fetchval(
        """insert into training_pack (shop_id, version, articles, rules, renew, created_by)
           select $1, coalesce(max(version), 0) + 1, $2, $3, $4, $5 from training_pack where shop_id = $1
           returning version""",
        shop, [one.model_dump(mode="json") for one in articles], rules.model_dump(mode="json"), renew, by,
    )  # fmt: skip
    return version


# --- contracts and people -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Served:
    """A shop and what its contracts with one provider ask of his people."""

    shop: UUID
    name: str
    asked: Training
    dedicated: bool


async def served(conn: Connection, provider: UUID, agent: UUID | None = None) -> list[Served]:
    """The shops a provider (or one of his agents, by his pools) has an agreed contract with that has not ended: one
    that begins later is trained for before."""
    rows = await conn.fetch(
        """select c.shop_id, s.name, c.terms from (
             select distinct on (shop_id, id) * from agreed_contract where provider_id = $1
              order by shop_id, id, starts_at <= clock_timestamp() desc, version desc) c
             join shop s on s.shop_id = c.shop_id
            where (c.ends_at is null or c.ends_at > clock_timestamp())
              and ($2::uuid is null or exists (
                select 1 from pool_agent a where a.agent_id = $2 and a.pool_id = any(c.pool_ids)))
            order by s.name, c.shop_id""",
        provider,
        agent,
    )
    found: dict[UUID, tuple[str, list[Terms]]] = {}
    for row in rows:
        found.setdefault(row["shop_id"], (row["name"], []))[1].append(Terms.model_validate(row["terms"]))
    return [
        Served(shop, name, strictest(one.training for one in terms), any(one.dedicated for one in terms))
        for shop, (name, terms) in found.items()
    ]


async def providers_of(conn: Connection, shop: UUID) -> list[Row]:
    """The providers a shop has an agreed contract with that has not ended."""
    rows = await conn.fetch(
        """select distinct c.provider_id as id, v.name from (
             select distinct on (shop_id, id) * from agreed_contract where shop_id = $1
              order by shop_id, id, starts_at <= clock_timestamp() desc, version desc) c
             join provider v on v.provider_id = c.provider_id
            where c.ends_at is null or c.ends_at > clock_timestamp() order by v.name, c.provider_id""",
        shop,
    )
    return [dict(row) for row in rows]


async def people(conn: Connection, provider: UUID, shop: UUID) -> list[Row]:
    """The provider's agents whose pools serve the shop."""
    rows = await conn.fetch(
        """select distinct s.agent_id as agent, s.name from seat s join pool_agent a on a.agent_id = s.agent_id
             join agreed_contract c on c.shop_id = $2 and c.provider_id = $1 and a.pool_id = any(c.pool_ids)
            where s.owner_id = $1 and s.retired_at is null order by s.name, s.agent_id""",
        provider,
        shop,
    )
    return [dict(row) for row in rows]


# --- tries ------------------------------------------------------------------------------------------------------------


async def attempts(conn: Connection, shops: Collection[UUID], agents: Collection[UUID]) -> dict[Key, list[Attempt]]:
    """What is needed to tell where they stand: the tries of the last day, and of each step the last ones that were
    passed or finished."""
    rows = await conn.fetch(
        f"""select shop_id, agent_id, step, pack_version, {_MS.format("started_at")} as started_ms,
                   {_MS.format("finished_at")} as finished_ms, score, coalesce(passed, false) as passed
              from training_attempt a where shop_id = any($1) and agent_id = any($2)
               and (passed or step = 'typing' or started_at > clock_timestamp() - interval '25 hours'
                    or started_at = (select max(started_at) from training_attempt b
                                      where b.shop_id = a.shop_id and b.agent_id = a.agent_id and b.step = a.step))
             order by started_at""",
        list(shops),
        list(agents),
    )
    found: dict[Key, list[Attempt]] = defaultdict(list)
    for row in rows:
        found[row["shop_id"], row["agent_id"]].append(
            Attempt(
                row["step"], row["pack_version"], row["started_ms"], row["finished_ms"], row["score"], row["passed"]
            )
        )
    return found


async def revoked(conn: Connection, shops: Collection[UUID], agents: Collection[UUID]) -> dict[Key, int]:
    rows = await conn.fetch(
        f"""select shop_id, agent_id, max({_MS.format("at")}) as at_ms from training_revoked
             where shop_id = any($1) and agent_id = any($2) group by shop_id, agent_id""",
        list(shops),
        list(agents),
    )
    return {(row["shop_id"], row["agent_id"]): row["at_ms"] for row in rows}


async def revoke(conn: Connection, shop: UUID, agent: UUID, by: UUID, reason: str) -> None:
    await conn.execute(
        "insert into training_revoked (shop_id, agent_id, by, reason) values ($1, $2, $3, $4)", shop, agent, by, reason
    )


async def begin(
    conn: Connection, shop: UUID, id_: UUID, provider: UUID, agent: UUID, step: Step, version: int,
    content: dict[str, Any], answers: list[dict[str, Any]],
) -> None:  # fmt: skip
    """A new try. What the agent left open of this step is lost."""
    await give_up(conn, shop, agent, step)
    await conn.execute(
        """insert into training_attempt (shop_id, id, provider_id, agent_id, step, pack_version, content, answers)
           values ($1, $2, $3, $4, $5, $6, $7, $8)""",
        shop, id_, provider, agent, step, version, content, answers,
    )  # fmt: skip


async def give_up(conn: Connection, shop: UUID, agent: UUID, step: Step) -> None:
    await conn.execute(
        """update training_attempt set finished_at = clock_timestamp(), score = 0, passed = false
            where shop_id = $1 and agent_id = $2 and step = $3 and finished_at is null""",
        shop, agent, step,
    )  # fmt: skip


_TRY = f"""select id, provider_id, agent_id, step, pack_version, content, answers, score, passed, judged_by, note,
                  {_MS.format("started_at")} as started_ms, {_MS.format("begun_at")} as begun_ms,
                  {_MS.format("finished_at")} as finished_ms from training_attempt"""


async def open_try(conn: Connection, shop: UUID, agent: UUID, step: Step, open_ms: int) -> Row | None:
    """The try of this step that is going on."""
    row = await conn.fetchrow(
        f"{_TRY} where shop_id = $1 and agent_id = $2 and step = $3 and finished_at is null"
        " and started_at > clock_timestamp() - $4 * interval '1 ms'",
        shop, agent, step, open_ms,
    )  # fmt: skip
    return None if row is None else dict(row)


async def one_try(conn: Connection, shop: UUID, id_: UUID, *, lock: bool = False) -> Row | None:
    row = await conn.fetchrow(f"{_TRY} where shop_id = $1 and id = $2" + (" for update" if lock else ""), shop, id_)
    return None if row is None else dict(row)


async def tries(conn: Connection, shop: UUID, provider: UUID, limit: int = 100) -> list[Row]:
    """The newest finished tries of a provider's people for a shop."""
    rows = await conn.fetch(
        f"""select a.id, a.agent_id as agent, s.name, a.step, a.pack_version, a.score, a.passed, a.note,
                   a.judged_by is not null as judged, {_MS.format("a.finished_at")} as finished_ms
              from training_attempt a join seat s on s.agent_id = a.agent_id
             where a.shop_id = $1 and a.provider_id = $2 and a.finished_at is not null
             order by a.finished_at desc limit $3""",
        shop,
        provider,
        limit,
    )
    return [dict(row) for row in rows]


async def begun(conn: Connection, shop: UUID, id_: UUID) -> None:
    await conn.execute(
        "update training_attempt set begun_at = clock_timestamp() where shop_id = $1 and id = $2 and begun_at is null",
        shop, id_,
    )  # fmt: skip


async def said(conn: Connection, shop: UUID, id_: UUID, answers: list[dict[str, Any]]) -> None:
    await conn.execute("update training_attempt set answers = $3 where shop_id = $1 and id = $2", shop, id_, answers)


async def finish(
    conn: Connection, shop: UUID, id_: UUID, answers: list[dict[str, Any]], score: int, *, passed: bool
) -> None:
    await conn.execute(
        """update training_attempt set answers = $3, score = $4, passed = $5, finished_at = clock_timestamp()
            where shop_id = $1 and id = $2 and finished_at is null""",
        shop, id_, answers, score, passed,
    )  # fmt: skip


async def judge(conn: Connection, shop: UUID, id_: UUID, by: UUID, note: str, *, passed: bool) -> bool:
    """A trainer decides about a drill or a practice chat. False: there is none to decide about."""
    done = await conn.fetchval(
        """update training_attempt set passed = $3, judged_by = $4, note = $5 where shop_id = $1 and id = $2
            and step in ('drill', 'practice') and finished_at is not null returning true""",
        shop, id_, passed, by, note,
    )  # fmt: skip
    return bool(done)


# --- for the router ---------------------------------------------------------------------------------------------------


async def certificates(conn: Connection, contracts: Sequence[Any]) -> tuple[Certificate, ...]:
    """Who may serve under which contract version that asks for training, and until when. ``contracts`` are rows with
    shop_id, id, version, provider_id and terms."""
    asking = [(row, Terms.model_validate(row["terms"]).training) for row in contracts]
    asking = [(row, asked) for row, asked in asking if required(asked)]
    if not asking:
        return ()
    shops = {row["shop_id"] for row, _ in asking}
    seats = await conn.fetch(
        "select agent_id, owner_id from seat where owner_id = any($1) and retired_at is null",
        list({row["provider_id"] for row, _ in asking}),
    )
    agents: dict[UUID, list[UUID]] = defaultdict(list)
    for seat in seats:
        agents[seat["owner_id"]].append(seat["agent_id"])
    everybody = [agent for those in agents.values() for agent in those]
    written = await packs(conn, shops)
    done, taken = await attempts(conn, shops, everybody), await revoked(conn, shops, everybody)
    found = []
    for row, asked in asking:
        for agent in agents[row["provider_id"]]:
            key = (row["shop_id"], agent)
            until = certified_until(done.get(key, ()), written.get(row["shop_id"]), asked, taken.get(key, 0))
            if until:
                found.append(Certificate(str(row["id"]), row["version"], str(agent), until))
    return tuple(found)

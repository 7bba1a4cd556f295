"""Accounts and seats of an owner's agents: a shop's own, or a provider's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any
from uuid import UUID

from dispatcher.ability_record import COLUMNS, FIT, fit_of
from dispatcher.admin_read import Row
from dispatcher.admin_record import NOBODY, put_seat
from dispatcher.agents import NewAgent, SeatTerms
from wangxin.clock import new_id, now_ms
from wangxin.model.facts import SeatChanged
from wangxin.storage import accounts, outbox
from wangxin.storage.postgres import Connection


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose agents: ``outsourced`` says that ``id`` is a provider's, else it is a shop's."""

    id: UUID
    outsourced: bool


async def pools(conn: Connection, owner: Owner, *, every: bool = False) -> list[Row]:
    """Those where people sit; ``every``: also the bot and the message box."""
    rows = await conn.fetch(
        """select id, name, state, hours, skills, languages, waiting_max, share_weight, seats_default from pool
            where owner_id = $1 and (kind in ('in_house', 'outsourced') or $2) order by name, id""",
        owner.id,
        every,
    )
    return [dict(row) for row in rows]


async def agents(conn: Connection, owner: Owner) -> list[Row]:
    """Seats with their logins, those at work first."""
    rows = await conn.fetch(
        f"""select s.agent_id as agent, coalesce(c.login, '') as login, s.name, s.seats_max,
                  s.ability_per_mille, s.skills, s.skill_levels, s.languages, s.protected, s.daily_max,
                  s.ramp_from is not null as ramp, {COLUMNS}, s.curve_per_hour, s.curve_ended,
                  s.curve_minutes, s.curve_set,
                  s.state, s.connected, (extract(epoch from s.state_since) * 1000)::bigint as since_ms,
                  (select count(*) from thread t where t.agent_id = s.agent_id and t.state in ('assigned', 'wrap_up'))
                    as load,
                  array(select a.pool_id from pool_agent a where a.agent_id = s.agent_id order by a.rank, a.pool_id)
                    as pools
             from seat s left join account c on c.id = s.agent_id {FIT}
            where s.owner_id = $1 and s.retired_at is null order by s.state = 'offline', s.name, s.agent_id""",
        owner.id,
    )
    return [_agent(row) for row in rows]


def _agent(row: Any) -> Row:
    """With the load that fits him and what bounds it; the speed of a protected agent is nobody's business."""
    inner = ("curve_set", "chars", "typed_ms", "handled_ms", "day", "curve_per_hour", "curve_ended", "curve_minutes")
    shown = {key: value for key, value in row.items() if key not in inner}
    found = asdict(fit_of(row))
    if row["protected"]:
        found["speed"] = None
    return {**shown, "fit": found, "curve": [] if row["protected"] else _curve(row)}


def _curve(row: Any) -> list[Row]:
    """By level: conversations an hour (None: not learnt yet), the same as the owner wrote it down (None: he did not),
    how many of his own ended at it and how long he was."""
    rates, ended, minutes = row["curve_per_hour"], row["curve_ended"], row["curve_minutes"]
    by_hand = row["curve_set"] or ()
    return [
        {
            "level": at + 1,
            "an_hour": rates[at] / 1_000 if at < len(rates) else None,
            "by_hand": by_hand[at] / 1_000 if at < len(by_hand) else None,
            "ended": ended[at] if at < len(ended) else 0,
            "minutes": minutes[at] if at < len(minutes) else 0,
        }
        for at in range(max(len(rates), len(ended), len(by_hand)))
    ]


async def known(conn: Connection, owner: Owner, logins: Sequence[str]) -> dict[str, tuple[UUID, bool]]:
    """Accounts that have these logins, and whether each is an agent of this owner."""
    rows = await conn.fetch(
        """select c.login, c.id, c.role = 'agent' and c.disabled_at is null and (c.provider_id is not distinct from
                    case when $3::bool then $2::uuid end) and ($3 or exists (
                      select 1 from account_shop s where s.account_id = c.id and s.shop_id = $2)) as mine
             from account c where c.login = any($1)""",
        list(logins), owner.id, owner.outsourced,
    )  # fmt: skip
    return {row["login"]: (row["id"], row["mine"]) for row in rows}


async def enrol(conn: Connection, owner: Owner, agent: NewAgent, password_hash: str) -> UUID:
    """A new account and its seat. The login must be free: check ``known`` in the same transaction."""
    account = await accounts.keep_account(
        conn, new_id(), login=agent.login, password_hash=password_hash, role="agent", name=agent.name,
        persona=agent.name, provider=owner.id if owner.outsourced else None,
        shops=() if owner.outsourced else (owner.id,),
    )  # fmt: skip
    await place(conn, owner, account, agent)
    return account


async def place(conn: Connection, owner: Owner, agent: UUID, terms: SeatTerms) -> None:
    """Make or change his seat."""
    await put_seat(
        conn, owner.id, agent, terms.name, terms.pools, outsourced=owner.outsourced, seats_max=terms.seats_max,
        ability_per_mille=terms.ability_per_mille, skills=terms.levels(), daily_max=terms.daily_max,
        languages=terms.languages, protected=terms.protected, ramp=terms.ramp,
    )  # fmt: skip
    if "curve_set" in terms.model_fields_set:
        await conn.execute("update seat set curve_set = $2 where agent_id = $1", agent, terms.curve_set)


async def retire(conn: Connection, owner: Owner, agent: UUID) -> bool:
    """Seat and login end, and what he had goes back to the line. False: not an agent of this owner."""
    done = await conn.fetchval(
        "update seat set retired_at = clock_timestamp() where owner_id = $1 and agent_id = $2 and retired_at is null"
        " returning true",
        owner.id, agent,
    )  # fmt: skip
    if not done:
        return False
    await accounts.disable(conn, agent)
    await outbox.write(conn, [SeatChanged(shop=NOBODY, agent=agent, state="offline", at_ms=now_ms())])
    return True

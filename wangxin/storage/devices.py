"""Devices on which agents can be called while their pages sleep."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from wangxin.storage.postgres import Connection


@dataclass(frozen=True, slots=True)
class Due:
    """A device to be called about words that a shopper said at ``since``."""

    id: UUID
    endpoint: str
    since: datetime


async def keep(conn: Connection, account: UUID, id_: UUID, endpoint: str, most: int) -> bool:
    """The device of whoever uses it now; of more than ``most`` the oldest go. Whether that is new."""
    new = await conn.fetchval(
        """insert into agent_device (id, account_id, endpoint, called_for) values ($1, $2, $3, clock_timestamp())
           on conflict (endpoint) do update set account_id = excluded.account_id
            where agent_device.account_id <> excluded.account_id returning true""",
        id_, account, endpoint,
    )  # fmt: skip
    await conn.execute(
        "delete from agent_device where account_id = $1 and id in (select id from agent_device where account_id = $1"
        " order by made_at desc offset $2)",
        account, most,
    )  # fmt: skip
    return bool(new)


async def forget(conn: Connection, account: UUID, endpoint: str) -> None:
    await conn.execute("delete from agent_device where account_id = $1 and endpoint = $2", account, endpoint)


async def claim(conn: Connection, after_s: float, most: int) -> list[Due]:
    """Devices of agents whose shopper waits longer than ``after_s`` for an answer, once for his words; marked so.

    A call that is lost on its way is not made again: the next words make one."""
    rows = await conn.fetch(
        """with due as (
             select d.id, max(t.awaiting_since) as since from agent_device d
               join thread t on t.agent_id = d.account_id and t.state = 'assigned'
                and t.awaiting_since < clock_timestamp() - make_interval(secs => $1)
                and t.awaiting_since > coalesce(d.called_for, '-infinity')
              group by d.id limit $2)
           update agent_device d set called_for = due.since from due where d.id = due.id
           returning d.id, d.endpoint, due.since""",
        after_s, most,
    )  # fmt: skip
    return [Due(**dict(row)) for row in rows]


async def gone(conn: Connection, ids: Sequence[UUID]) -> None:
    """Their browsers have given them up."""
    await conn.execute("delete from agent_device where id = any($1)", list(ids))

"""The record of who did what, as it is read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from wangxin.storage.postgres import Connection


@dataclass(frozen=True, slots=True)
class Deed:
    id: UUID
    at_ms: int
    role: str
    actor: UUID
    action: str
    subject: str
    detail: dict[str, Any]


async def deeds(
    conn: Connection, shop: UUID, *, before: UUID | None, action: str, actor: UUID | None, limit: int
) -> list[Deed]:
    """The newest first, older than ``before``; ``action``: "menu.publish", or "menu" for all of them."""
    rows = await conn.fetch(
        """select id, (extract(epoch from at) * 1000)::bigint as at_ms, actor_role as role, actor_id as actor, action,
                  subject, detail
             from audit where shop_id = $1 and ($2::uuid is null or id < $2)
              and ($3 = '' or action = $3 or starts_with(action, $3 || '.')) and ($4::uuid is null or actor_id = $4)
            order by id desc limit $5""",
        shop, before, action, actor, limit,
    )  # fmt: skip
    return [Deed(**dict(row)) for row in rows]


async def actions(conn: Connection, shop: UUID) -> list[str]:
    """What was ever done in this shop."""
    rows = await conn.fetch("select distinct action from audit where shop_id = $1 order by action", shop)
    return [row["action"] for row in rows]


async def names(conn: Connection, people: Sequence[UUID]) -> dict[UUID, tuple[str, str]]:
    """(name, login) of accounts; who is not here is no account. Not for the web's role: the caller asks outside."""
    rows = await conn.fetch("select id, name, login from account where id = any($1)", list(people))
    return {row["id"]: (row["name"], row["login"]) for row in rows}

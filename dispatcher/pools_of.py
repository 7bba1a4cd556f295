"""The pools somebody sits in or leads, and the shops each of them serves now."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from wangxin.model.actor import Actor, Role
from wangxin.storage.postgres import Connection, Pool


@dataclass(frozen=True, slots=True)
class Place:
    """``leads``: he says how it works; of an outsourced pool its provider's people do, of an own one the merchant and
    the shop's supervisors."""

    id: UUID
    owner: UUID
    name: str
    shops: frozenset[UUID]
    leads: bool


async def pools_of(conn: Connection | Pool, actor: Actor) -> list[Place]:
    own = actor.role is Role.MERCHANT or (actor.provider is None and actor.supervisor)
    led = list(actor.shops) if own else []
    if actor.role is Role.PROVIDER and actor.provider is not None:
        led = [actor.provider]
    rows = await conn.fetch(
        """select p.id, p.owner_id, p.name, p.owner_id = any($2) as leads,
                  case when p.provider_id is null then array[p.owner_id]
                       else array(select distinct c.shop_id from running_contract c where p.id = any(c.pool_ids)) end
                    as shops
             from pool p where p.kind in ('in_house', 'outsourced') and (p.owner_id = any($2)
               or exists (select 1 from pool_agent a where a.pool_id = p.id and a.agent_id = $1))
            order by p.name, p.id""",
        actor.id, led,
    )  # fmt: skip
    return [Place(row["id"], row["owner_id"], row["name"], frozenset(row["shops"]), row["leads"]) for row in rows]

"""Devices on which shoppers are told of a shop's words while its window is closed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from wangxin.storage.postgres import Connection


@dataclass(frozen=True, slots=True)
class Held:
    """A device and where it is called."""

    shop: UUID
    id: UUID
    shopper: UUID
    endpoint: str
    p256dh: str
    auth: str


_HELD = "d.shop_id as shop, d.id, d.shopper_id as shopper, d.endpoint, d.p256dh, d.auth"


async def keep(
    conn: Connection, shop: UUID, shopper: UUID, id_: UUID, endpoint: str, p256dh: str, auth: str, most: int
) -> None:
    """The device of whoever uses it now; of more than ``most`` the oldest go."""
    await conn.execute(
        """insert into shopper_device (shop_id, id, shopper_id, endpoint, p256dh, auth) values ($1, $2, $3, $4, $5, $6)
           on conflict (shop_id, endpoint) do update set shopper_id = excluded.shopper_id, p256dh = excluded.p256dh,
             auth = excluded.auth""",
        shop, id_, shopper, endpoint, p256dh, auth,
    )  # fmt: skip
    await conn.execute(
        "delete from shopper_device where shop_id = $1 and id in (select id from shopper_device where shop_id = $1"
        " and shopper_id = $2 order by made_at desc offset $3)",
        shop, shopper, most,
    )  # fmt: skip


async def forget(conn: Connection, shop: UUID, shopper: UUID, endpoint: str) -> None:
    await conn.execute(
        "delete from shopper_device where shop_id = $1 and shopper_id = $2 and endpoint = $3", shop, shopper, endpoint
    )


async def gone(conn: Connection, shop: UUID, ids: Sequence[UUID]) -> None:
    """Their browsers have given them up."""
    await conn.execute("delete from shopper_device where shop_id = $1 and id = any($2)", shop, list(ids))


async def of(conn: Connection, shop: UUID, shopper: UUID) -> list[Held]:
    rows = await conn.fetch(
        f"select {_HELD} from shopper_device d where d.shop_id = $1 and d.shopper_id = $2", shop, shopper
    )
    return [Held(**dict(row)) for row in rows]


@dataclass(frozen=True, slots=True)
class Answered:
    """An agent's words that have reached no window of the shopper's; ``line`` is how the newest begins."""

    device: Held
    slug: str
    shop_name: str
    line: str


async def claim_answers(conn: Connection, after_s: float, until_s: float, most: int) -> list[Answered]:
    """Devices of shoppers whose agent has said something ``after_s`` to ``until_s`` ago that is not there yet, once for
    his words; marked so. A call that is lost on its way is not made again: the next words make one."""
    rows = await conn.fetch(
        f"""with due as (
             select d.shop_id, d.id, t.public_seq, t.last_public
               from thread t join shopper_device d on d.shop_id = t.shop_id and d.shopper_id = t.shopper_id
               left join receipt p on p.shop_id = t.shop_id and p.thread_id = t.id and p.party = t.shopper_id
              where t.agent_id is not null and t.human_wrote_at < clock_timestamp() - make_interval(secs => $1)
                and t.human_wrote_at > clock_timestamp() - make_interval(secs => $2)
                and coalesce(t.shopper_wrote_at, '-infinity') < t.human_wrote_at
                and greatest(p.delivered_seq, p.read_seq, 0) < t.public_seq and d.told_seq < t.public_seq
              limit $3 for update of d skip locked)
           update shopper_device d set told_seq = due.public_seq from due, shop s
            where d.shop_id = due.shop_id and d.id = due.id and s.shop_id = d.shop_id
           returning {_HELD}, s.slug, s.name as shop_name, coalesce(due.last_public, '') as line""",
        after_s, until_s, most,
    )  # fmt: skip
    return [
        Answered(
            Held(row["shop"], row["id"], row["shopper"], row["endpoint"], row["p256dh"], row["auth"]),
            row["slug"], row["shop_name"], row["line"],
        )
        for row in rows
    ]  # fmt: skip

"""Counts of what the menu brought, read from the record. SQL only, no decisions."""

from __future__ import annotations

from uuid import UUID

from menus.figures import Count
from wangxin.storage.postgres import Connection

TAPS_READ = 50_000


async def shown(conn: Connection, shop: UUID, days: int) -> int:
    """How many shoppers saw the menu in the last ``days`` days."""
    people: int = await conn.fetchval(
        "select count(distinct shopper_id) from menu_shown where shop_id = $1"
        " and day > (clock_timestamp() at time zone 'UTC')::date - $2::int",
        shop,
        days,
    )
    return people


async def counts(conn: Connection, shop: UUID, days: int) -> dict[str, Count]:
    """Taps by item in the last ``days`` days (the newest ``TAPS_READ`` where there are more)."""
    rows = await conn.fetch(
        """with tap as (
             select b.thread_id, b.item, b.at, t.shopper_id from bot_turn b
               join thread t on t.shop_id = b.shop_id and t.id = b.thread_id
              where b.shop_id = $1 and b.how in ('menu', 'choice', 'item') and b.item is not null
                and b.at > clock_timestamp() - make_interval(days => $2)
              order by b.at desc limit $3)
           select item, count(*) as taps, count(distinct shopper_id) as people,
             -- the clocks of this process and of the store may differ a little
             count(*) filter (where exists (select 1 from conversation c where c.shop_id = $1
               and c.thread_id = tap.thread_id and c.handoff_at >= tap.at - interval '2 seconds'
               and c.handoff_at < tap.at + interval '24 hours')) as handed_over,
             count(*) filter (where exists (select 1 from shop_order o where o.shop_id = $1
               and o.shopper_id = tap.shopper_id and o.paid_at >= tap.at
               and o.paid_at < tap.at + interval '24 hours')) as ordered
           from tap group by item""",
        shop,
        days,
        TAPS_READ,
    )
    return {row["item"]: Count(row["taps"], row["people"], row["handed_over"], row["ordered"]) for row in rows}

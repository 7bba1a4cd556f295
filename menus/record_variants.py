"""What conditions of menus ask about a shopper, which menu he saw, and how a trial of two menus went. SQL only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from menus.conditions import Chosen, Facts
from wangxin.storage.postgres import Connection


async def facts_of(
    conn: Connection, shop: UUID, shopper: UUID, *, guest: bool, channel: str, language: str, now_ms: int
) -> Facts:
    """What is known of a shopper at a moment; of a guest only what his window says."""
    row = await conn.fetchrow(
        """select s.tz, p.level, p.tags,
             (select o.state from shop_order o where o.shop_id = s.shop_id and o.shopper_id = $2
               order by o.created_at desc, o.id limit 1) as newest,
             (select count(*) from conversation c where c.shop_id = s.shop_id and c.state = 'waiting') as waiting
           from shop s left join profile p on p.shop_id = s.shop_id and p.shopper_id = $2 where s.shop_id = $1""",
        shop,
        shopper,
    )
    assert row is not None, "a shop that answers has its row"
    return Facts(
        now=datetime.fromtimestamp(now_ms / 1000, UTC).astimezone(ZoneInfo(row["tz"])),
        guest=guest,
        level=row["level"],
        tags=frozenset(row["tags"] or ()),
        order=row["newest"] or "none",
        waiting=row["waiting"],
        channel=channel,
        language=language,
    )


async def saw(conn: Connection, shop: UUID, shopper: UUID, version: int, chosen: Chosen) -> None:
    """A shopper's window has fetched this menu. Without conditions one row a day tells all there is to tell."""
    later = "do update set last_at = clock_timestamp()" if chosen.considered else "do nothing"
    await conn.execute(
        "insert into menu_shown (shop_id, day, shopper_id, version, variant, trials)"
        " values ($1, (clock_timestamp() at time zone 'UTC')::date, $2, $3, $4, $5)"
        f" on conflict (shop_id, day, shopper_id, version, variant) {later}",
        shop,
        shopper,
        version,
        chosen.variant,
        dict(chosen.trials or {}),
    )


async def last_shown(conn: Connection, shop: UUID, shopper: UUID, version: int) -> str:
    """The variant of this version that the shopper saw last; "" where it was the default, or none."""
    variant: str | None = await conn.fetchval(
        "select variant from menu_shown where shop_id = $1 and shopper_id = $2 and version = $3"
        " and day >= (clock_timestamp() at time zone 'UTC')::date - 1 order by last_at desc limit 1",
        shop,
        shopper,
        version,
    )
    return variant or ""


@dataclass(frozen=True, slots=True)
class Arm:
    """Shoppers of one side of a trial by what followed within 24 hours of their first look."""

    people: int = 0
    tapped: int = 0
    handed_over: int = 0
    ordered: int = 0


async def arms(conn: Connection, shop: UUID, variant: str, days: int) -> Mapping[str, Arm]:
    """Both sides of a variant's trial over the last ``days`` days, by "shown" and "held"."""
    rows = await conn.fetch(
        """with seen as (
             select shopper_id, trials->>$2 as arm, min(at) as at from menu_shown
              where shop_id = $1 and trials <> '{}' and trials ? $2
                and day > (clock_timestamp() at time zone 'UTC')::date - $3::int
              group by shopper_id, trials->>$2)
           select arm, count(*) as people,
             count(*) filter (where exists (select 1 from bot_turn b
               join thread t on t.shop_id = b.shop_id and t.id = b.thread_id
               where b.shop_id = $1 and t.shopper_id = seen.shopper_id and b.how = 'menu'
                 and b.at >= seen.at and b.at < seen.at + interval '24 hours')) as tapped,
             count(*) filter (where exists (select 1 from conversation c where c.shop_id = $1
               and c.shopper_id = seen.shopper_id and c.handoff_at >= seen.at
               and c.handoff_at < seen.at + interval '24 hours')) as handed_over,
             count(*) filter (where exists (select 1 from shop_order o where o.shop_id = $1
               and o.shopper_id = seen.shopper_id and o.paid_at >= seen.at
               and o.paid_at < seen.at + interval '24 hours')) as ordered
           from seen group by arm""",
        shop,
        variant,
        days,
    )
    found = {row["arm"]: Arm(row["people"], row["tapped"], row["handed_over"], row["ordered"]) for row in rows}
    return {"shown": found.get("shown", Arm()), "held": found.get("held", Arm())}

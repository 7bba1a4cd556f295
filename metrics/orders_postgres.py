"""Which order followed whose words, in PostgreSQL: computed from orders and touches, written by every rule."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from metrics.clocks import Calendar
from metrics.conversion import RULES, Attribution, Order, Payment, Said, attribute
from metrics.rows import TOUCH, Row, touch_of
from wangxin.storage.postgres import Connection


async def changed_orders(conn: Connection, *, within_s: int | None) -> set[tuple[UUID, UUID]]:
    """(shop, shopper) with paid orders not attributed as they now are; only those reported lately, or all (None)."""
    rows = await conn.fetch(
        """select distinct o.shop_id, o.shopper_id from shop_order o
           where o.paid_at is not null and o.shopper_id is not null
             and ($1::int is null or o.changed_at > clock_timestamp() - $1 * interval '1 second')
             and not exists (select from order_credit c where c.shop_id = o.shop_id and c.order_id = o.id
                             and c.order_changed_at = o.changed_at)""",
        within_s,
    )
    return {(row["shop_id"], row["shopper_id"]) for row in rows}


async def members(conn: Connection, shoppers: Sequence[tuple[UUID, UUID]]) -> set[tuple[UUID, UUID]]:
    """(shop, shopper) of those who are meant: a guest who logged in later is that member."""
    rows = await conn.fetch(
        """select s.shop_id, coalesce(s.merged_into, s.id) as id from unnest($1::uuid[], $2::uuid[]) w(shop, shopper)
           join shopper s on s.shop_id = w.shop and s.id = w.shopper""",
        [shop for shop, _ in shoppers],
        [shopper for _, shopper in shoppers],
    )
    return {(row["shop_id"], row["id"]) for row in rows}


async def credit_nameless(conn: Connection, *, within_s: int | None) -> int:
    """Paid orders that name no shopper follow nobody's words; returns how many were written."""
    done: str = await conn.execute(
        """insert into order_credit (shop_id, order_id, rule, part, kind, orders, paid_fen, converted_at, day,
             order_changed_at)
           select o.shop_id, o.id, r.rule, 0, 'silent', 1,
             case when o.deposit_fen > 0 and o.settled_at is null then 0 else o.amount_fen end, o.paid_at,
             ((case when o.deposit_fen > 0 then coalesce(o.settled_at, o.paid_at) else o.paid_at end)
               at time zone s.tz)::date, o.changed_at
           from shop_order o join shop s on s.shop_id = o.shop_id cross join unnest($2::text[]) r(rule)
           where o.paid_at is not null and o.shopper_id is null
             and ($1::int is null or o.changed_at > clock_timestamp() - $1 * interval '1 second')
             and not exists (select from order_credit c where c.shop_id = o.shop_id and c.order_id = o.id
                             and c.order_changed_at = o.changed_at)
           on conflict (shop_id, order_id, rule, part) do update set paid_fen = excluded.paid_fen,
             converted_at = excluded.converted_at, day = excluded.day, order_changed_at = excluded.order_changed_at""",
        within_s,
        list(RULES),
    )
    return int(done.split()[-1]) // len(RULES)


async def credit_orders(conn: Connection, shop: UUID, shoppers: Sequence[UUID], calendar: Calendar) -> int:
    """Attributes every paid order of these shoppers anew, by every rule; returns how many came out otherwise.

    One transaction at a time attributes a shop's orders: two sweeps that meet would write the same parts twice.
    """
    await conn.execute("select pg_advisory_xact_lock(hashtextextended('order_credit' || $1::text, 0))", str(shop))
    attributed = await attributions(conn, shop, shoppers, calendar)
    ids = sorted({one.order for _, one in attributed})
    known = {
        row["id"]: row
        for row in await conn.fetch(
            """select id, changed_at, deposit_fen > 0 as staged, at_ms(settled_at) as settled_ms from shop_order
               where shop_id = $1 and id = any($2)""",
            shop, ids,
        )
    }  # fmt: skip
    wanted: dict[str, list[tuple[Any, ...]]] = {}
    for rule, one in attributed:
        parts: list[tuple[UUID | None, UUID | None, int, int]] = [
            (part.agent, part.pool, part.orders, part.paid_fen) for part in one.parts
        ]
        parts = parts or [(None, None, 1, one.paid_fen)]
        order = known[one.order]
        moments = [(one.converted_ms, *part) for part in parts]
        if order["staged"]:
            # Bought on the day of the deposit, money on the day of the balance: each in rows of its own.
            moments = [(one.converted_ms, *part[:3], 0) for part in parts]
            if order["settled_ms"] is not None:
                moments += [(order["settled_ms"], *part[:2], 0, part[3]) for part in parts]
        for number, (at_ms, *part) in enumerate(moments):
            wanted.setdefault(one.order, []).append(
                (shop, one.order, rule, number, str(one.kind), one.shopper, one.conversation, *part, at_ms,
                 calendar.day(at_ms), order["changed_at"])
            )  # fmt: skip
    # Only what differs is written: a day that is over counts as moved whenever one of its credits is touched.
    stands: dict[str, list[tuple[Any, ...]]] = {}
    for row in await conn.fetch(
        """select shop_id, order_id, rule, part, kind, shopper_id, conversation_id, agent_id, pool_id, orders, paid_fen,
             at_ms(converted_at), day, order_changed_at
           from order_credit where shop_id = $1 and order_id = any($2)""",
        shop, ids,
    ):  # fmt: skip
        stands.setdefault(row["order_id"], []).append(tuple(row))
    moved = [order for order, rows in wanted.items() if set(rows) != set(stands.get(order, ()))]
    if moved:
        await conn.execute("delete from order_credit where shop_id = $1 and order_id = any($2)", shop, moved)
        await conn.executemany(
            """insert into order_credit (shop_id, order_id, rule, part, kind, shopper_id, conversation_id, agent_id,
                 pool_id, orders, paid_fen, converted_at, day, order_changed_at)
               values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, ms_at($12), $13, $14)""",
            [row for order in moved for row in wanted[order]],
        )
    return len(moved)


async def attributions(
    conn: Connection, shop: UUID, shoppers: Sequence[UUID], calendar: Calendar
) -> list[tuple[str, Attribution]]:
    """(rule, attribution) of every paid order of these shoppers by every rule, from the rows as they are."""
    orders = [
        Order(
            row["id"],
            row["shopper_id"],
            row["created_ms"],
            _payments(row),
            (Payment(row["changed_ms"], row["refunded_fen"]),) if row["refunded_fen"] else (),
        )
        for row in await conn.fetch(
            """select id, shopper_id, at_ms(created_at) as created_ms, at_ms(paid_at) as paid_ms, amount_fen,
                 deposit_fen, at_ms(settled_at) as settled_ms, refunded_fen, at_ms(changed_at) as changed_ms
               from shop_order where shop_id = $1 and shopper_id = any($2) and paid_at is not null""",
            shop,
            shoppers,
        )
    ]
    columns = ", ".join(
        f"at_ms(x.{name}) as {name}" if kind == "timestamptz" else f"x.{name}" for name, kind in TOUCH.columns.items()
    )
    touches: dict[UUID, list[Row]] = {}
    for row in await conn.fetch(
        f"select coalesce(s.merged_into, s.id) as member, {columns} from touch x"
        " join shopper s on s.shop_id = x.shop_id and s.id = x.shopper_id"
        " where x.shop_id = $1 and (s.id = any($2) or s.merged_into = any($2))",
        shop,
        shoppers,
    ):
        touches.setdefault(row["member"], []).append(dict(row))
    bots: dict[UUID, list[int]] = {}
    for row in await conn.fetch(
        "select coalesce(s.merged_into, s.id) as member, at_ms(x.last_bot_at) as ms from tally x"
        " join shopper s on s.shop_id = x.shop_id and s.id = x.shopper_id"
        " where x.shop_id = $1 and (s.id = any($2) or s.merged_into = any($2)) and x.last_bot_at is not null",
        shop,
        shoppers,
    ):
        bots.setdefault(row["member"], []).append(row["ms"])
    found = []
    for order in orders:
        assert order.shopper is not None
        said = Said(tuple(touch_of(row) for row in touches.get(order.shopper, ())), tuple(bots.get(order.shopper, ())))
        for name, rule in RULES.items():
            one = attribute(order, said, rule, calendar)
            if one is not None:
                found.append((name, one))
    return found


def _payments(row: Any) -> tuple[Payment, ...]:
    if not row["deposit_fen"]:
        return (Payment(row["paid_ms"], row["amount_fen"]),)
    deposit = min(row["deposit_fen"], row["amount_fen"])
    first = Payment(row["paid_ms"], deposit)
    return (first,) if row["settled_ms"] is None else (first, Payment(row["settled_ms"], row["amount_fen"] - deposit))

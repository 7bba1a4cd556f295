"""Members: who they are, what is counted of them, their events and their consent."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from pydantic import JsonValue

from push.audience.compile import to_sql
from push.audience.leaves import Arguments, Moment
from push.audience.profile import COLUMNS, Day, Profile, from_row
from push.audience.tree import Node
from push.cloudevents import ShopEvent
from push.counting import Change
from wangxin.model.refusals import Refusal, not_found
from wangxin.storage.postgres import Connection

# --- shop events -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class StoredEvent:
    source: str
    id: str
    type: str
    subject: str | None
    at: datetime
    data: dict[str, JsonValue]
    shopper_id: UUID | None = None
    """Known from the start for what the shopper did on our own pages."""

    def as_event(self) -> ShopEvent:
        return ShopEvent(
            specversion="1.0", id=self.id, source=self.source, type=self.type, subject=self.subject, time=self.at,
            data=self.data,
        )  # fmt: skip


async def store_event(
    conn: Connection, shop: UUID, event: ShopEvent, at: datetime, shopper: UUID | None = None
) -> bool:  # fmt: skip
    """False when (source, id) is known already: the same event once more."""
    found = await conn.fetchval(
        "insert into shop_event (shop_id, source, id, type, subject, at, data, shopper_id)"
        " values ($1, $2, $3, $4, $5, $6, $7, $8) on conflict do nothing returning true",
        shop, event.source, event.id, event.type, event.member_ref(), at, event.data, shopper,
    )  # fmt: skip
    return bool(found)


async def read_event(conn: Connection, shop: UUID, source: str, event_id: str) -> StoredEvent | None:
    row = await conn.fetchrow(
        "select source, id, type, subject, at, data, shopper_id from shop_event"
        " where shop_id = $1 and source = $2 and id = $3",
        shop, source, event_id,
    )  # fmt: skip
    return StoredEvent(**dict(row)) if row else None


async def event_belongs_to(conn: Connection, shop: UUID, source: str, event_id: str, shopper: UUID) -> None:
    await conn.execute(
        "update shop_event set shopper_id = $4 where shop_id = $1 and source = $2 and id = $3",
        shop, source, event_id, shopper,
    )  # fmt: skip


async def own_card(conn: Connection, shop: UUID, shopper: UUID, thread: UUID, seq: int) -> Any | None:
    """A public line of the shopper's own thread: who said it, its kind and body. None: there is no such line."""
    return await conn.fetchrow(
        "select e.sender_kind, e.sender_id, e.kind, e.body from entry e"
        " join thread t on t.shop_id = e.shop_id and t.id = e.thread_id"
        " where e.shop_id = $1 and e.thread_id = $2 and e.lane = 0 and e.seq = $3 and t.shopper_id = $4"
        " and e.recalled_at is null and e.sender_kind <> 'shopper'",
        shop, thread, seq, shopper,
    )  # fmt: skip


# --- people ----------------------------------------------------------------------------------------------------------
async def ensure_member(
    conn: Connection, shop: UUID, ref: str, name: str, new_shopper: UUID, *, rename: bool = False
) -> UUID:
    """The shopper whom the shop calls ``ref``, made with a profile if he is new."""
    shopper: UUID = await conn.fetchval(
        """insert into shopper (shop_id, id, external_id, name) values ($1, $2, $3, $4)
           on conflict (shop_id, external_id)
           do update set name = case when $5 then excluded.name else shopper.name end returning id""",
        shop, new_shopper, ref, name or ref, rename and bool(name),
    )  # fmt: skip
    await conn.execute(
        "insert into profile (shop_id, shopper_id) values ($1, $2) on conflict do nothing", shop, shopper
    )
    return shopper


async def known_refs(conn: Connection, shop: UUID, refs: Sequence[str]) -> set[str]:
    """Which of the shop's own numbers name somebody already."""
    rows = await conn.fetch(
        "select external_id from shopper where shop_id = $1 and external_id = any($2)", shop, list(refs)
    )
    return {row["external_id"] for row in rows}


async def tag(conn: Connection, shop: UUID, shopper: UUID, tag: str, *, on: bool) -> None:
    """Puts a tag on a shopper, or takes it off; a guest gets a profile for it that is no member's."""
    await conn.execute(
        "insert into profile (shop_id, shopper_id, is_member) values ($1, $2, false) on conflict do nothing",
        shop,
        shopper,
    )
    changed = "array_append(array_remove(tags, $3), $3)" if on else "array_remove(tags, $3)"
    await conn.execute(
        f"update profile set tags = {changed}, changed_at = clock_timestamp() where shop_id = $1 and shopper_id = $2",
        shop, shopper, tag,
    )  # fmt: skip


async def apply_change(conn: Connection, shop: UUID, shopper: UUID, change: Change, at: datetime, day: date) -> None:
    """Counters and profile; the caller makes sure that each event is applied once."""
    for counted in change.counted:
        await conn.execute(
            """insert into shopper_day (shop_id, shopper_id, kind, day, n, amount) values ($1, $2, $3, $4, $5, $6)
               on conflict (shop_id, shopper_id, kind, day)
               do update set n = shopper_day.n + excluded.n, amount = shopper_day.amount + excluded.amount""",
            shop, shopper, counted.kind, day, counted.n, counted.amount,
        )  # fmt: skip
    sets, values = ["changed_at = clock_timestamp()"], [shop, shopper, at]
    for name in change.moments:
        sets.append(f"{name} = greatest({name}, $3)")
    if change.orders:
        values += [change.orders, change.spent_cents, day.month * 100 + day.day]
        sets += ["orders_n = coalesce(orders_n, 0) + $4", "spent_cents = coalesce(spent_cents, 0) + $5",
                 "first_order_at = coalesce(first_order_at, $3)",
                 "first_order_md = coalesce(first_order_md, $6)"]  # fmt: skip
    for name, value in change.fields.items():
        values.append(value)
        sets.append(f"{name} = ${len(values)}")
    if change.moments or change.orders or change.fields:
        unused = "" if change.moments or change.orders else " and $3::timestamptz is not null"
        await conn.execute(
            f"update profile set {', '.join(sets)} where shop_id = $1 and shopper_id = $2{unused}", *values
        )


async def days_of(
    conn: Connection, shop: UUID, shoppers: Sequence[UUID], kinds: Iterable[str], after: date
) -> dict[UUID, dict[str, tuple[Day, ...]]]:
    rows = await conn.fetch(
        "select shopper_id, kind, day, n, amount from shopper_day"
        " where shop_id = $1 and shopper_id = any($2) and kind = any($3) and day > $4",
        shop, shoppers, sorted(kinds), after,
    )  # fmt: skip
    found: dict[UUID, dict[str, tuple[Day, ...]]] = defaultdict(dict)
    for row in rows:
        of = found[row["shopper_id"]]
        of[row["kind"]] = (*of.get(row["kind"], ()), Day(row["day"], row["n"], row["amount"]))
    return dict(found)


async def crowds_of(conn: Connection, shop: UUID, shoppers: Sequence[UUID]) -> dict[UUID, frozenset[UUID]]:
    rows = await conn.fetch(
        "select shopper_id, array_agg(crowd_id) as crowds from push_crowd_member"
        " where shop_id = $1 and shopper_id = any($2) group by shopper_id",
        shop,
        shoppers,
    )
    return {row["shopper_id"]: frozenset(row["crowds"]) for row in rows}


_COLUMNS = ", ".join(f"p.{name}" for name in COLUMNS)


@dataclass(frozen=True, slots=True)
class Member:
    name: str
    ref: str | None
    profile: Profile


async def read_members(
    conn: Connection, shop: UUID, where: str, values: Sequence[Any], limit: int, kinds: Iterable[str], after: date
) -> list[Member]:
    """Members under a compiled condition on ``p`` (``$1`` is the shop), with counters and crowds."""
    rows = await conn.fetch(
        f"select s.name, s.external_id, {_COLUMNS} from profile p"  # rule: sql-from-outside: push/audience made it
        " join shopper s on s.shop_id = p.shop_id and s.id = p.shopper_id"
        f" where p.shop_id = $1 and {where} limit {int(limit)}",
        *values,
    )
    people = [row["shopper_id"] for row in rows]
    days = await days_of(conn, shop, people, kinds, after)
    crowds = await crowds_of(conn, shop, people)
    return [
        Member(
            row["name"], row["external_id"],
            from_row(dict(row), days.get(row["shopper_id"], {}), crowds.get(row["shopper_id"], frozenset())),
        )
        for row in rows
    ]  # fmt: skip


# --- consent ---------------------------------------------------------------------------------------------------------
async def record_consent(
    conn: Connection,
    shop: UUID,
    shopper: UUID,
    log_id: UUID,
    topic: str,
    granted: bool,
    personalised: bool | None,
    source: str,
) -> None:  # fmt: skip
    """Append to the log and bring the current view along. ``personalised`` None: as it was."""
    await conn.execute(
        "insert into consent_log (shop_id, id, shopper_id, topic, granted, personalised, source)"
        " values ($1, $2, $3, $4, $5, coalesce($6, (select personalised from profile where shop_id = $1"
        " and shopper_id = $3), true), $7)",
        shop, log_id, shopper, topic, granted, personalised, source,
    )  # fmt: skip
    await conn.execute(
        """insert into profile (shop_id, shopper_id, is_member, refused, personalised)
           values ($1, $2, false, case when $4 then '{}'::text[] else array[$3::text] end,
             coalesce($5, true))
           on conflict (shop_id, shopper_id) do update set personalised = coalesce($5, profile.personalised),
             refused = case when $4 then array_remove(profile.refused, $3::text)
                            else array_append(array_remove(profile.refused, $3::text), $3::text) end""",
        shop, shopper, topic, granted, personalised,
    )  # fmt: skip


async def consent(conn: Connection, shop: UUID, shopper: UUID) -> tuple[tuple[str, ...], bool]:
    """(topics refused, whether pushes may be personal) as they stand."""
    row = await conn.fetchrow(
        "select refused, personalised from profile where shop_id = $1 and shopper_id = $2", shop, shopper
    )
    return (tuple(row["refused"]), row["personalised"]) if row else ((), True)


# --- how shoppers stand ----------------------------------------------------------------------------------------------
async def standing(conn: Connection, shop: UUID, shoppers: Sequence[UUID]) -> dict[UUID, Any]:
    """What a decision reads beside the profile: refusals, the thread, the contacts. Nothing is locked."""
    rows = await conn.fetch(
        """select p.shopper_id, p.refused, p.personalised, t.id as thread_id, t.state as thread_state,
             (extract(epoch from t.shopper_wrote_at) * 1000)::bigint as shopper_wrote_ms, c.at_ms, c.rules
           from profile p
           left join thread t on t.shop_id = p.shop_id and t.shopper_id = p.shopper_id
           left join push_contact c on c.shop_id = p.shop_id and c.shopper_id = p.shopper_id
           where p.shop_id = $1 and p.shopper_id = any($2)""",
        shop,
        shoppers,
    )
    return {row["shopper_id"]: row for row in rows}


async def count_each(conn: Connection, shop: UUID, roots: Sequence[Node], moment: Moment) -> list[int]:
    """How many members each of the conditions holds, in one pass over the profiles."""
    args = Arguments([shop])
    sums = [f"count(*) filter (where {to_sql(root, moment, args)})" for root in roots]
    row = await conn.fetchrow(f"select {', '.join(sums)} from profile p where p.shop_id = $1", *args.values)
    assert row is not None, "an aggregate answers with one row"
    return [int(n) for n in row]


# --- crowds ----------------------------------------------------------------------------------------------------------
async def upload_crowd(conn: Connection, shop: UUID, crowd: UUID, name: str, refs: Sequence[str]) -> int:
    """A crowd of the members among ``refs``; returns how many there are."""
    await conn.execute("insert into push_crowd (shop_id, id, name) values ($1, $2, $3)", shop, crowd, name)
    status = await conn.execute(
        "insert into push_crowd_member (shop_id, crowd_id, shopper_id)"
        " select $1, $2, id from shopper where shop_id = $1 and external_id = any($3)",
        shop, crowd, list(refs),
    )  # fmt: skip
    return int(status.split()[-1])


async def remove_crowd(conn: Connection, shop: UUID, crowd: UUID) -> None:
    """Refusals ``crowd.not_found``, ``crowd.in_use``."""
    if await conn.fetchval(
        "select exists (select 1 from push_rule where shop_id = $1 and status <> 'ended' and body::text like $2)",
        shop,
        f"%{crowd}%",
    ):
        raise Refusal("crowd.in_use", "a rule speaks to it", status=409)
    if await conn.execute("delete from push_crowd where shop_id = $1 and id = $2", shop, crowd) == "DELETE 0":
        raise not_found("crowd")
    await conn.execute("delete from push_crowd_member where shop_id = $1 and crowd_id = $2", shop, crowd)


async def crowds(conn: Connection, shop: UUID) -> list[Any]:
    return list(
        await conn.fetch(
            "select c.id, c.name, (select count(*) from push_crowd_member m where m.shop_id = c.shop_id"
            " and m.crowd_id = c.id) as size from push_crowd c where c.shop_id = $1 order by c.at desc",
            shop,
        )
    )


async def tags(conn: Connection, shop: UUID, limit: int = 100) -> list[tuple[str, int]]:
    """The shop's tags, most used first."""
    rows = await conn.fetch(
        "select tag, count(*) as n from profile, unnest(tags) tag where shop_id = $1 group by tag"
        " order by n desc, tag limit $2",
        shop,
        limit,
    )
    return [(row["tag"], row["n"]) for row in rows]

"""Webhooks of shops and the calls made to them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from wangxin.model import limits
from wangxin.model.refusals import Refusal, not_found
from wangxin.storage.postgres import Connection

_MS = "(extract(epoch from {}) * 1000)::bigint"
LEASE_S = 60
"""So long a call that is being made is nobody else's: longer than it may take."""


@dataclass(frozen=True, slots=True)
class WebhookRow:
    """Without its secrets. ``rotated_until_ms``: so long the secret before signs too."""

    id: UUID
    url: str
    events: tuple[str, ...]
    made_ms: int
    rotated_until_ms: int | None
    failing_ms: int | None
    stopped_ms: int | None
    stopped_why: str


@dataclass(frozen=True, slots=True)
class CallRow:
    """One call in the log. ``due_ms``: of a waiting one, when it is tried next."""

    id: UUID
    event: str
    body: str
    made_ms: int
    state: str
    due_ms: int
    tries: int
    attempts: list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class DueCall:
    """A call to be made now, by whoever claimed it. ``secrets``: sign with each."""

    shop: UUID
    id: UUID
    webhook: UUID
    url: str
    body: str
    tries: int
    secrets: tuple[str, ...]


async def webhooks(conn: Connection, shop: UUID) -> list[WebhookRow]:
    rows = await conn.fetch(
        f"""select id, url, events, {_MS.format("made_at")} as made_ms,
              case when old_ends_at > clock_timestamp() then {_MS.format("old_ends_at")} end as rotated_until_ms,
              {_MS.format("failing_since")} as failing_ms, {_MS.format("stopped_at")} as stopped_ms, stopped_why
            from webhook where shop_id = $1 order by made_at""",
        shop,
    )
    return [WebhookRow(**{**dict(row), "events": tuple(row["events"])}) for row in rows]


async def add(conn: Connection, shop: UUID, id_: UUID, url: str, events: Sequence[str], secret: str, by: UUID) -> None:
    """Raises ``webhook.too_many``. Two at once wait for each other."""
    await conn.execute("select pg_advisory_xact_lock(hashtextextended($1::text, 13))", str(shop))
    if await conn.fetchval("select count(*) from webhook where shop_id = $1", shop) >= limits.WEBHOOKS_MAX:
        raise Refusal("webhook.too_many", f"at most {limits.WEBHOOKS_MAX} webhooks", status=409)
    await conn.execute(
        "insert into webhook (shop_id, id, url, events, secret, made_by) values ($1, $2, $3, $4, $5, $6)",
        shop, id_, url, list(events), secret, by,
    )  # fmt: skip


async def change(conn: Connection, shop: UUID, id_: UUID, url: str, events: Sequence[str], *, on: bool) -> None:
    """``on`` starts one that was stopped, and forgets that it failed. Raises ``webhook.not_found``."""
    await _one(
        conn,
        """update webhook set url = $3, events = $4, stopped_at = case when $5 then null
             else coalesce(stopped_at, clock_timestamp()) end, stopped_why = case when $5 then '' else stopped_why end,
             failing_since = case when $5 and stopped_at is not null then null else failing_since end
            where shop_id = $1 and id = $2 returning true""",
        shop, id_, url, list(events), on,
    )  # fmt: skip


async def rotate(conn: Connection, shop: UUID, id_: UUID, secret: str) -> None:
    """The secret before signs beside the new one for another day. Raises ``webhook.not_found``."""
    await _one(
        conn,
        """update webhook set old_secret = secret, secret = $3,
             old_ends_at = clock_timestamp() + make_interval(hours => $4)
            where shop_id = $1 and id = $2 returning true""",
        shop, id_, secret, limits.SECRET_OVERLAP_HOURS,
    )  # fmt: skip


async def remove(conn: Connection, shop: UUID, id_: UUID) -> None:
    """With its log. Raises ``webhook.not_found``."""
    await _one(conn, "delete from webhook where shop_id = $1 and id = $2 returning true", shop, id_)


async def _one(conn: Connection, query: str, *values: Any) -> None:
    if await conn.fetchval(query, *values) is None:
        raise not_found("webhook")


# --- calls -----------------------------------------------------------------------------------------------------------


async def listeners(conn: Connection, shop: UUID, event: str) -> list[UUID]:
    rows = await conn.fetch(
        "select id from webhook where shop_id = $1 and $2 = any(events) and stopped_at is null", shop, event
    )
    return [row["id"] for row in rows]


async def all_listeners(conn: Connection, shops: Sequence[UUID]) -> dict[tuple[UUID, str], list[UUID]]:
    """(shop, event) -> the webhooks that hear it."""
    found: dict[tuple[UUID, str], list[UUID]] = {}
    for shop, event, webhook in await conn.fetch(
        "select shop_id, unnest(events), id from webhook where shop_id = any($1) and stopped_at is null", shops
    ):
        found.setdefault((shop, event), []).append(webhook)
    return found


async def plan(conn: Connection, shop: UUID, id_: UUID, webhook: UUID, event: str, body: str) -> None:
    """A call that is due at once."""
    await plan_many(conn, [(shop, id_, webhook, event, body)])


async def plan_many(conn: Connection, calls: Sequence[tuple[UUID, UUID, UUID, str, str]]) -> None:
    """(shop, id, webhook, event, body) of calls that are due at once."""
    await conn.executemany(
        "insert into webhook_call (shop_id, id, webhook_id, event, body) values ($1, $2, $3, $4, $5)", calls
    )


async def plan_again(conn: Connection, shop: UUID, webhook: UUID, call: UUID) -> None:
    """The same call once more, by hand, with the same id. Raises ``call.not_found``, ``call.waiting``."""
    row = await conn.fetchrow(
        "select c.state, w.stopped_at from webhook_call c join webhook w on w.shop_id = c.shop_id and"
        " w.id = c.webhook_id where c.shop_id = $1 and c.webhook_id = $2 and c.id = $3 for update of c",
        shop, webhook, call,
    )  # fmt: skip
    if row is None:
        raise not_found("call")
    if row["stopped_at"] is not None:
        raise Refusal("webhook.stopped", "start the webhook first", status=409)
    if row["state"] == "waiting":
        raise Refusal("call.waiting", "it is still being tried", status=409)
    await conn.execute(
        "update webhook_call set state = 'waiting', due_at = clock_timestamp(), tries = 0"
        " where shop_id = $1 and id = $2",
        shop, call,
    )  # fmt: skip


async def calls(
    conn: Connection, shop: UUID, webhook: UUID, *, before: UUID | None, state: str, limit: int
) -> list[CallRow]:
    """The newest first. Raises ``webhook.not_found``."""
    await _one(conn, "select true from webhook where shop_id = $1 and id = $2", shop, webhook)
    rows = await conn.fetch(
        f"""select id, event, body, {_MS.format("made_at")} as made_ms, state, {_MS.format("due_at")} as due_ms, tries,
              attempts from webhook_call
             where shop_id = $1 and webhook_id = $2 and ($3::uuid is null or id < $3) and ($4 = '' or state = $4)
             order by id desc limit $5""",
        shop, webhook, before, state, limit,
    )  # fmt: skip
    return [CallRow(**dict(row)) for row in rows]


async def claim(conn: Connection, most: int, most_each: int) -> list[DueCall]:
    """Due calls, at most ``most_each`` of one webhook so that a slow one holds nobody up. They are the caller's for
    LEASE_S; one that dies with them leaves them to the next. Calls of a stopped webhook wait."""
    rows = await conn.fetch(
        """with due as (
             select c.shop_id, c.id, row_number() over (partition by c.shop_id, c.webhook_id order by c.due_at) as nth
               from webhook_call c join webhook w on w.shop_id = c.shop_id and w.id = c.webhook_id
              where c.state = 'waiting' and c.due_at <= clock_timestamp() and w.stopped_at is null),
           mine as (
             select c.shop_id, c.id from webhook_call c join due d on d.shop_id = c.shop_id and d.id = c.id
              where d.nth <= $2 and c.state = 'waiting' and c.due_at <= clock_timestamp()
              order by c.due_at limit $1 for update of c skip locked)
           update webhook_call c set due_at = clock_timestamp() + make_interval(secs => $3), tries = tries + 1
             from mine m, webhook w
            where c.shop_id = m.shop_id and c.id = m.id and w.shop_id = c.shop_id and w.id = c.webhook_id
           returning c.shop_id as shop, c.id, c.webhook_id as webhook, w.url, c.body, c.tries,
             array_remove(array[w.secret, case when w.old_ends_at > clock_timestamp() then w.old_secret end], null)
               as secrets""",
        most, most_each, LEASE_S,
    )  # fmt: skip
    return [DueCall(**{**dict(row), "secrets": tuple(row["secrets"])}) for row in rows]


async def settle(
    conn: Connection, due: DueCall, attempt: dict[str, Any], *, state: str, again_s: float, stop: str, kept: int
) -> None:
    """What became of a try: its line in the log, and the next one after ``again_s`` while ``state`` is waiting.
    ``stop``: why its webhook is called no more; empty: it goes on. A webhook that has failed for days stops too."""
    await conn.execute(
        """update webhook_call set state = $3, due_at = clock_timestamp() + make_interval(secs => $4),
             attempts = (select coalesce(jsonb_agg(one order by nth), '[]') from (
               select one, nth from jsonb_array_elements(attempts || jsonb_build_array($5::jsonb))
                 with ordinality as list (one, nth) order by nth desc limit $6) as newest)
            where shop_id = $1 and id = $2""",
        due.shop, due.id, state, again_s, attempt, kept,
    )  # fmt: skip
    good = state == "delivered"
    await conn.execute(
        """update webhook set
             failing_since = case when $3 then null else coalesce(failing_since, clock_timestamp()) end,
             stopped_at = case when $4 <> '' then clock_timestamp()
               when not $3 and failing_since < clock_timestamp() - make_interval(days => $5) then clock_timestamp()
               else stopped_at end,
             stopped_why = case when $4 <> '' then $4
               when not $3 and failing_since < clock_timestamp() - make_interval(days => $5) then 'failing'
               else stopped_why end
            where shop_id = $1 and id = $2 and (failing_since is not null or not $3)""",
        due.shop, due.webhook, good, stop, limits.WEBHOOK_FAILING_DAYS_MAX,
    )  # fmt: skip


async def forget_old(conn: Connection) -> int:
    """Calls that are done and older than the log is kept; in small bites."""
    status = await conn.execute(
        """delete from webhook_call c using (select shop_id, id from webhook_call where state <> 'waiting'
             and made_at < clock_timestamp() - make_interval(days => $1) limit 1000) as old
            where c.shop_id = old.shop_id and c.id = old.id""",
        limits.WEBHOOK_LOG_DAYS,
    )
    return int(status.split()[-1])


async def shopper_refs(conn: Connection, people: Sequence[tuple[UUID, UUID]]) -> dict[tuple[UUID, UUID], str | None]:
    """(shop, shopper) -> the shop's own name for him; None: a guest."""
    rows = await conn.fetch(
        "select s.shop_id, s.id, s.external_id from unnest($1::uuid[], $2::uuid[]) w(shop, person)"
        " join shopper s on s.shop_id = w.shop and s.id = w.person",
        [shop for shop, _ in people],
        [person for _, person in people],
    )
    return {(row["shop_id"], row["id"]): row["external_id"] for row in rows}

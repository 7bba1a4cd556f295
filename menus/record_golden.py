"""Golden questions in the record. SQL only, no decisions."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from menus.golden import Expects, Golden, Guard, Judged
from wangxin.storage.postgres import Connection


async def all_golden(conn: Connection, shop: UUID) -> list[Golden]:
    """Oldest first."""
    rows = await conn.fetch(
        "select id, said, expects, ref, verdict from golden_question where shop_id = $1 order by made_at, id", shop
    )
    return [Golden(str(row["id"]), row["said"], row["expects"], row["ref"], row["verdict"]) for row in rows]


async def count(conn: Connection, shop: UUID) -> int:
    found: int = await conn.fetchval("select count(*) from golden_question where shop_id = $1", shop)
    return found


async def keep(conn: Connection, shop: UUID, id_: UUID, said: str, expects: Expects, ref: str) -> UUID:
    """Adds one; the same words again change what is expected. Returns its id."""
    kept: UUID = await conn.fetchval(
        """insert into golden_question (shop_id, id, said, expects, ref) values ($1, $2, $3, $4, $5)
           on conflict (shop_id, said) do update set expects = excluded.expects, ref = excluded.ref, verdict = null,
             judged_at = null returning id""",
        shop, id_, said, expects, ref,
    )  # fmt: skip
    return kept


async def drop(conn: Connection, shop: UUID, id_: UUID) -> bool:
    dropped: str = await conn.execute("delete from golden_question where shop_id = $1 and id = $2", shop, id_)
    return dropped.endswith(" 1")


async def keep_verdicts(conn: Connection, shop: UUID, judged: Sequence[Judged]) -> None:
    await conn.executemany(
        "update golden_question set verdict = $3, judged_at = clock_timestamp() where shop_id = $1 and id = $2",
        [(shop, UUID(one.golden.id), one.verdict) for one in judged],
    )


async def guard(conn: Connection, shop: UUID) -> Guard:
    kept = await conn.fetchval("select settings->>'golden_guard' from shop where shop_id = $1", shop)
    return "block" if kept == "block" else "warn"


async def keep_guard(conn: Connection, shop: UUID, guard: Guard) -> None:
    await conn.execute(
        "update shop set settings = settings || jsonb_build_object('golden_guard', $2::text) where shop_id = $1",
        shop,
        guard,
    )

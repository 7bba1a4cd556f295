"""The second wall: under the web's role only the named shops' rows exist, whatever a query forgets."""

from __future__ import annotations

import asyncpg
import pytest

from tests.conftest import make_chat, make_shop
from wangxin.storage.postgres import shop_scope


async def test_a_query_without_a_condition_sees_only_the_named_shops(pool: asyncpg.Pool) -> None:
    ours, theirs = await make_shop(pool, "ours"), await make_shop(pool, "theirs")
    await make_chat(pool, ours.id, "自己人")
    await make_chat(pool, theirs.id, "别家的人")
    async with shop_scope(pool, [ours.id]) as conn:
        assert [row["name"] for row in await conn.fetch("select name from shopper")] == ["自己人"]
        assert [row["slug"] for row in await conn.fetch("select slug from shop")] == ["ours"]


async def test_a_row_of_another_shop_cannot_be_written_or_changed(pool: asyncpg.Pool) -> None:
    ours, theirs = await make_shop(pool, "ours"), await make_shop(pool, "theirs")
    chat = await make_chat(pool, theirs.id, "别家的人")
    async with shop_scope(pool, [ours.id]) as conn:
        assert await conn.execute("update shopper set name = 'x' where id = $1", chat.shopper) == "UPDATE 0"
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with shop_scope(pool, [ours.id]) as conn:
            await conn.execute(
                "insert into product (shop_id, id, title, price_fen) values ($1, 'p', 't', 1)", theirs.id
            )


async def test_without_any_shop_there_is_nothing(pool: asyncpg.Pool) -> None:
    await make_shop(pool, "ours")
    async with shop_scope(pool, []) as conn:
        assert await conn.fetchval("select count(*) from shop") == 0


async def test_the_scope_ends_with_its_transaction(pool: asyncpg.Pool) -> None:
    ours = await make_shop(pool, "ours")
    async with pool.acquire() as conn:
        async with conn.transaction():
            await conn.execute("set local role wangxin_web")
            await conn.execute("select set_config('wangxin.shops', $1, true)", str(ours.id))
        assert await conn.fetchval("select current_user") == "wangxin"


async def test_the_audit_log_cannot_be_rewritten_by_the_web(pool: asyncpg.Pool) -> None:
    ours = await make_shop(pool, "ours")
    for statement in ("update audit set action = 'x'", "delete from audit"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            async with shop_scope(pool, [ours.id]) as conn:
                await conn.execute(statement)


async def test_every_table_with_a_shop_is_behind_the_wall_or_closed_to_the_web(pool: asyncpg.Pool) -> None:
    """No table that holds a shop's rows is readable for the web without the wall."""
    open_tables = await pool.fetch(
        """select c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace
            where n.nspname = 'public' and c.relkind in ('r', 'p') and not c.relrowsecurity
              and has_table_privilege('wangxin_web', c.oid, 'select')
              and exists (select 1 from pg_attribute a where a.attrelid = c.oid and a.attname = 'shop_id')"""
    )
    assert [row["relname"] for row in open_tables] == []

"""What a person needs when he comes in is looked up by key, however many others his shop has."""

from __future__ import annotations

import asyncpg

from tests.conftest import Chat
from wangxin.storage import shoppers
from wangxin.storage.threads import read_threads, threads_of_agent, threads_of_shopper


async def test_coming_in_reads_nobody_elses_rows(pool: asyncpg.Pool, chat: Chat) -> None:
    await pool.execute(
        """with known as (
             insert into shopper (shop_id, id, external_id, name)
             select $1, gen_random_uuid(), 'other' || n, '邻居' from generate_series(1, 3000) n returning shop_id, id
           ) insert into thread (shop_id, id, shopper_id) select shop_id, gen_random_uuid(), id from known""",
        chat.shop,
    )
    guest = await pool.fetchval("select id from shopper where external_id = 'other7'")
    await pool.execute("update shopper set external_id = null where id = $1", guest)
    await shoppers.merge_guest(pool, chat.shop, guest, chat.shopper)
    await pool.execute("analyze")
    async with pool.acquire() as conn:

        async def scanned() -> int:
            await conn.execute("select pg_stat_force_next_flush()")
            await conn.execute("select 1")
            found: int = await conn.fetchval(
                "select sum(seq_tup_read) from pg_stat_user_tables where relname in ('shopper', 'thread', 'receipt')"
            )
            return found

        before = await scanned()
        threads = await threads_of_shopper(conn, chat.shop, chat.shopper)
        assert [row.shopper for row in threads] == [chat.shopper, guest], "his own first, then the guest he once was"
        assert await shoppers.names(conn, [chat.shopper]) == {chat.shopper: "林晓"}
        assert len(await read_threads(conn, [(chat.shop, chat.thread)])) == 1
        assert await threads_of_agent(conn, chat.shopper, 10) == []
        assert await scanned() == before


async def test_opening_a_conversation_reads_no_other_lines(pool: asyncpg.Pool, chat: Chat) -> None:
    """Though the plan was made when nobody had written anything yet."""
    async with pool.acquire() as conn:

        async def opened(first: int, last: int) -> None:
            for seq in range(first, last):
                await conn.execute(
                    """insert into conversation (shop_id, id, thread_id, shopper_id, state, opened_at, opened_seq)
                       values ($1, gen_random_uuid(), $2, $3, 'closed', clock_timestamp(), $4)""",
                    chat.shop, chat.thread, chat.shopper, seq,
                )  # fmt: skip

        async def scanned() -> int:
            await conn.execute("select pg_stat_force_next_flush()")
            await conn.execute("select 1")
            found: int = await conn.fetchval("select seq_tup_read from pg_stat_user_tables where relname = 'entry'")
            return found

        await pool.execute("analyze entry")
        await opened(1, 10)
        await pool.execute(
            """insert into entry (shop_id, thread_id, lane, seq, at, sender_kind, sender_id, kind, body)
               select $1, $2, 0, n, clock_timestamp(), 'system', gen_random_uuid(), 'text', '{"text": "x"}'
                 from generate_series(1, 2000) n""",
            chat.shop, chat.thread,
        )  # fmt: skip
        before = await scanned()
        await opened(2_001, 2_004)
        assert await scanned() == before

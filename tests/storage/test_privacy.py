"""What is kept of a shopper: handed out whole, and erased so that no word of his stays while every figure does."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import asyncpg
import pytest

from metrics.service import Figures
from tests.conftest import Chat, Shop, make_chat
from tests.metrics.shopping import Counter
from tests.metrics.talk import ANNA, OWN
from wangxin.clock import new_id
from wangxin.model.refusals import Refusal
from wangxin.storage import entries, privacy, shoppers
from wangxin.storage.archive import Archive
from wangxin.storage.objects import Objects

WORDS = "住在杭州文三路"


async def a_life(pool: asyncpg.Pool, chat: Chat, objects: Objects, words: str) -> None:
    """A served conversation, an order, an upload, a profile, an event, a case and a remark: ``words`` in each."""
    counter = Counter(pool, chat)
    await counter.asks(words)
    await counter.wants_a_person()
    await counter.assigned(ANNA, OWN)
    await counter.replies(ANNA)
    await counter.line("agent", ANNA, "note", {"text": words}, lane="internal")
    conversation = await pool.fetchval("select conversation_id from thread where id = $1", chat.thread)
    rating = {"conversation": str(conversation), "stars": 2, "text": words, "reasons": [words]}
    await counter.line("system", entries.SYSTEM, "rating", rating)
    await counter.closed()
    media, case = new_id(), new_id()
    shop, shopper, thread = chat.shop, chat.shopper, chat.thread
    await objects.put(shop, media, "original", words.encode())
    async with pool.acquire() as conn, conn.transaction():
        await conn.execute(
            "insert into media (shop_id, id, owner_id, kind, mime, bytes, width, height, duration_ms, name,"
            " digest) values ($1, $2, $3, 'image', 'image/png', 21, 1, 1, 0, $4, '')",
            shop, media, shopper, words,
        )  # fmt: skip
        await conn.execute(
            "insert into profile (shop_id, shopper_id, city) values ($1, $2, $3)"
            " on conflict (shop_id, shopper_id) do update set city = excluded.city",
            shop,
            shopper,
            words,
        )
        await conn.execute(
            "insert into shop_order (shop_id, id, shopper_id, state, amount_fen, lines, created_at)"
            " values ($1, $2, $3, 'paid', 9900, $4, clock_timestamp())",
            shop, f"A-{shopper}", shopper, [{"title": words}],
        )  # fmt: skip
        await conn.execute(
            "insert into shop_event (shop_id, source, id, type, subject, shopper_id, at, data)"
            " values ($1, '/erp', $2, 'x', $3, $4, clock_timestamp(), $5)",
            shop, str(shopper), words, shopper, {"to": words},
        )  # fmt: skip
        await conn.execute(
            "insert into shopper_remark (shop_id, shopper_id, text, written_by, written_name)"
            " values ($1, $2, $3, $4, '')",
            shop, shopper, words, ANNA,
        )  # fmt: skip
        await conn.execute(
            "insert into aftersale (shop_id, id, thread_id, shopper_id, order_id, wants, words, note)"
            " values ($1, $2, $3, $4, $5, 'refund', $6, $6)",
            shop, case, thread, shopper, f"A-{shopper}", words,
        )  # fmt: skip
        await conn.execute(
            "insert into aftersale_step (shop_id, case_id, state, note, by_role, by_id)"
            " values ($1, $2, 'open', $3, 'agent', $4)",
            shop, case, words, ANNA,
        )  # fmt: skip
        await conn.execute(
            "insert into bot_turn (shop_id, thread_id, seq, how, said) values ($1, $2, 99, 'silent', $3)",
            shop, thread, words,
        )  # fmt: skip


async def everything(pool: asyncpg.Pool) -> dict[str, str]:
    """Every table's rows as one text."""
    tables = [row[0] for row in await pool.fetch("select tablename from pg_tables where schemaname = 'public'")]
    return {
        table: await pool.fetchval(f"select coalesce(string_agg(t::text, ' '), '') from {table} t") for table in tables
    }


def found_in(texts: dict[str, str], words: str) -> set[str]:
    return {table for table, text in texts.items() if words in text}


async def test_every_table_that_names_a_shopper_says_what_becomes_of_it_when_he_is_erased(pool: asyncpg.Pool) -> None:
    naming = {
        row[0]
        for row in await pool.fetch(
            "select distinct c.table_name from information_schema.columns c"
            " join pg_tables t on t.tablename = c.table_name and t.schemaname = 'public'"
            " where c.table_schema = 'public' and c.column_name in ('shopper_id', 'thread_id')"
        )
    }
    told = {kept.table for kept in privacy.KEPT}
    assert naming - told - privacy.UNLINED == set()
    assert all(kept.erase or kept.why or kept.table == "entry" for kept in privacy.KEPT)


async def test_an_erased_shopper_leaves_no_word_and_every_figure_as_it_was(
    pool: asyncpg.Pool, shop: Shop, tmp_path: Path
) -> None:
    objects = Objects(tmp_path)
    him, other = await make_chat(pool, shop.id, "林晓", "M1"), await make_chat(pool, shop.id, "周宁", "M2")
    await a_life(pool, him, objects, WORDS)
    await a_life(pool, other, objects, "别人的话")
    await Figures(pool).catch_up()
    figures = "select (select sum(wait_ms) from turn), sum(human_messages), max(score) from tally"
    numbered = "select thread_id, lane, seq, at from entry order by thread_id, lane, seq"
    before, numbers = await pool.fetchrow(figures), await pool.fetch(numbered)
    assert {"entry", "media", "profile", "shop_order", "shop_event", "aftersale", "bot_turn"} <= found_in(
        await everything(pool), WORDS
    )
    async with pool.acquire() as conn, conn.transaction():
        assert await privacy.find_shopper(conn, shop.id, "M1") == him.shopper
        await privacy.ask_erasing(conn, shop.id, him.shopper)
    assert await privacy.sweep(pool, objects) == 0, "hubs are given time to close his lines"
    assert await privacy.sweep(pool, objects, after_s=0) == 1
    texts = await everything(pool)
    assert found_in(texts, WORDS) == found_in(texts, "林晓") == found_in(texts, "M1") == set()
    assert found_in(texts, "别人的话") >= {"entry", "profile", "media"}
    assert [path.read_bytes() for path in tmp_path.rglob("*.original")] == ["别人的话".encode()]
    assert await pool.fetch(numbered) == numbers
    assert await pool.fetchrow(figures) == before
    assert (await Figures(pool).verify(shop.id)).differences == 0
    assert await privacy.sweep(pool, objects, after_s=0) == 0


async def test_an_erased_member_comes_back_as_a_stranger_and_an_erased_guest_not_at_all(
    pool: asyncpg.Pool, shop: Shop
) -> None:
    member, guest = await make_chat(pool, shop.id, "林晓", "M1"), await make_chat(pool, shop.id)
    async with pool.acquire() as conn, conn.transaction():
        await privacy.ask_erasing(conn, shop.id, member.shopper)
        await privacy.ask_erasing(conn, shop.id, guest.shopper)
    stranger = new_id()
    assert await shoppers.keep_member(pool, shop.id, "M1", "林晓", stranger) == stranger
    assert await shoppers.find_guest(pool, shop.id, guest.shopper) is None
    assert await privacy.gone(pool) == {member.shopper, guest.shopper}


async def test_a_guest_who_turned_out_to_be_the_member_goes_with_him(
    pool: asyncpg.Pool, shop: Shop, tmp_path: Path
) -> None:
    member, guest = await make_chat(pool, shop.id, "林晓", "M1"), await make_chat(pool, shop.id, "访客")
    await shoppers.merge_guest(pool, shop.id, guest.shopper, member.shopper)
    await entries.append(
        pool,
        [entries.Line(shop.id, guest.thread, "shopper", guest.shopper, new_id(), "text",
                      entries.body_json({"text": WORDS}), opens=new_id())],
    )  # fmt: skip
    async with pool.acquire() as conn, conn.transaction():
        handed = await privacy.hand_out(conn, shop.id, member.shopper, Archive(tmp_path))
        assert [row["body"]["text"] for row in handed["entry"] if row["kind"] == "text"] == [WORDS]
        assert set(await privacy.ask_erasing(conn, shop.id, member.shopper)) == {member.shopper, guest.shopper}
        await privacy.erase(conn, shop.id, member.shopper, Archive(tmp_path))
    assert found_in(await everything(pool), WORDS) == set()


async def test_nobody_is_erased_while_he_waits_for_a_person(pool: asyncpg.Pool, chat: Chat) -> None:
    counter = Counter(pool, chat)
    await counter.asks()
    await counter.wants_a_person()
    async with pool.acquire() as conn:
        with pytest.raises(Refusal) as refused:
            await privacy.ask_erasing(conn, chat.shop, chat.shopper)
    assert refused.value.code == "privacy.in_service"
    assert await pool.fetchval("select erase_asked_at from shopper") is None


async def test_what_is_handed_out_is_one_file_with_his_words_and_uploads_and_nobody_elses(
    pool: asyncpg.Pool, shop: Shop, tmp_path: Path
) -> None:
    objects = Objects(tmp_path / "media")
    him, other = await make_chat(pool, shop.id, "林晓", "M1"), await make_chat(pool, shop.id, "周宁", "M2")
    await a_life(pool, him, objects, WORDS)
    await a_life(pool, other, objects, "别人的话")
    async with pool.acquire() as conn:
        rows = await privacy.hand_out(conn, shop.id, him.shopper, Archive(tmp_path))
    privacy.bundle(tmp_path / "out.zip", shop.id, rows, objects)
    with zipfile.ZipFile(tmp_path / "out.zip") as archive:
        data = archive.read("data.json").decode()
        uploads = [archive.read(name) for name in archive.namelist() if name.startswith("media/")]
    assert uploads == [WORDS.encode()]
    assert "别人的话" not in data
    kept = {table for table, some in json.loads(data).items() if WORDS in json.dumps(some, ensure_ascii=False)}
    assert kept >= {"entry", "media", "profile", "shop_order", "shop_event", "aftersale", "bot_turn", "shopper_remark"}

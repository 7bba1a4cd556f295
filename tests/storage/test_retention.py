"""What is older than a shop keeps it goes into files; everything that rests on it stays as it was."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from metrics.service import Figures
from tests.conftest import Chat, Shop, make_chat, make_shop
from tests.metrics.shopping import Counter
from tests.metrics.talk import ANNA, OWN
from wangxin.backup import gapped
from wangxin.clock import new_id, now_ms
from wangxin.storage import archive as files
from wangxin.storage import entries, privacy, retention
from wangxin.storage.archive import Archive, ArchiveDamaged
from wangxin.storage.objects import Objects

DAY_MS = 86_400_000
LATER_MS = 200 * DAY_MS
"""Everything said today is older than 100 days then."""


async def a_talk(pool: asyncpg.Pool, chat: Chat, words: str = "在吗", *, ends: bool = True) -> None:
    counter = Counter(pool, chat)
    await counter.asks(words)
    await counter.wants_a_person()
    await counter.assigned(ANNA, OWN)
    await counter.replies(ANNA, f"关于{words}")
    await counter.line("agent", ANNA, "note", {"text": words}, lane="internal")
    if ends:
        await counter.closed()


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    return Archive(tmp_path)


async def keep(pool: asyncpg.Pool, shop: Shop, days: int | None = 100) -> None:
    async with pool.acquire() as conn:
        await retention.keep(conn, shop.id, days)


async def said(pool: asyncpg.Pool, chat: Chat) -> list[Any]:
    rows = await pool.fetch(
        "select e.*, e.body::text as body from entry e where thread_id = $1 order by at, lane, seq", chat.thread
    )
    return [files.row_of(row) for row in rows]


async def test_what_is_old_lies_in_files_word_for_word_and_every_figure_stays(
    pool: asyncpg.Pool, shop: Shop, archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "STEP_LINES", 7)  # a thread has eight lines: it takes two steps
    chats = [await make_chat(pool, shop.id, f"客{n}", f"M{n}") for n in range(5)]
    elsewhere = await make_chat(pool, (await make_shop(pool, "other")).id)
    for n, chat in enumerate([*chats, elsewhere]):
        await a_talk(pool, chat, f"第{n}句")
    await Figures(pool).catch_up()
    before = {chat.thread: await said(pool, chat) for chat in chats}
    figures = "select (select sum(wait_ms) from turn), sum(human_messages), count(*) from tally"
    stands = await pool.fetchrow(figures)
    assert await retention.work(pool, archive, now_ms() + LATER_MS) == {}, "a shop that set nothing keeps everything"
    await keep(pool, shop)
    assert await retention.work(pool, archive, now_ms()) == {shop.id: 0}, "nothing is old"
    moved = await retention.work(pool, archive, now_ms() + LATER_MS)
    assert moved == {shop.id: sum(len(lines) for lines in before.values())}
    assert await retention.work(pool, archive, now_ms() + LATER_MS) == {}
    assert await pool.fetchval("select count(*) from entry where shop_id = $1", shop.id) == 0
    assert await pool.fetchval("select count(*) from entry where shop_id = $1", elsewhere.shop) > 0
    async with pool.acquire() as conn:
        for chat in chats:
            assert await files.lines_of(conn, archive, shop.id, [chat.thread]) == before[chat.thread]
        filed = await retention.filed(conn, archive, shop.id)
        assert await gapped(conn) == 0
        kept = await retention.keeping(conn, shop.id)
    assert len(filed) > 5
    assert {one.wrong for one in filed} == {""}
    assert (kept.days, kept.files, kept.entries) == (100, len(filed), moved[shop.id])
    assert (
        await pool.fetchval("select count(*) from thread where shop_id = $1 and last_public is not null", shop.id) == 0
    )
    assert await pool.fetchrow(figures) == stands
    assert (await Figures(pool).verify(shop.id, archive=archive)).differences == 0
    with pytest.raises(ArchiveDamaged, match="is not there"):
        await Figures(pool).verify(shop.id)


async def test_what_is_open_or_not_read_by_the_figures_stays_and_who_comes_back_goes_on_counting(
    pool: asyncpg.Pool, shop: Shop, archive: Archive
) -> None:
    closed, opened, unread = [await make_chat(pool, shop.id) for _ in range(3)]
    await a_talk(pool, closed)
    await a_talk(pool, opened)
    await a_talk(pool, opened, "又来了", ends=False)
    await Figures(pool).catch_up()
    await a_talk(pool, unread)
    await keep(pool, shop)
    async with pool.acquire() as conn:
        found = await retention.concerned(conn, shop.id, 100, now_ms() + LATER_MS)
    assert (found.conversations, found.more) == (3, False)
    await retention.work(pool, archive, now_ms() + LATER_MS)
    assert await said(pool, closed) == []
    assert len(await said(pool, unread)) == 8
    texts = [line["body"] for line in await said(pool, opened) if line["kind"] == "text"]
    assert len(texts) == 2
    assert all("又来了" in text for text in texts)
    number = await Counter(pool, closed).asks("我又来了")
    old = await pool.fetchval("select sum(public_n) from archive_thread where thread_id = $1", closed.thread)
    assert number > old
    async with pool.acquire() as conn:
        assert await gapped(conn) == 0
        assert [line.seq for line in await entries.read_after(conn, shop.id, closed.thread, "public", 0, 99)][
            -1
        ] == number
    await Figures(pool).catch_up()
    assert (await Figures(pool).verify(shop.id, archive=archive)).differences == 0
    await retention.work(pool, archive, now_ms() + LATER_MS + DAY_MS)
    assert len(await said(pool, unread)) == 0, "the next day's walk takes it"


async def test_a_file_that_was_written_without_its_commit_is_written_again(
    pool: asyncpg.Pool, shop: Shop, archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    chat = await make_chat(pool, shop.id)
    await a_talk(pool, chat)
    await Figures(pool).catch_up()
    await keep(pool, shop)
    before = await said(pool, chat)
    async with pool.acquire() as conn:
        whole = conn.transaction()
        await whole.start()
        await retention.step(conn, archive, shop.id, now_ms() + LATER_MS)
        await whole.rollback()  # as where the process dies between the file and the commit
    assert len(list(archive.folder.rglob("*.parquet"))) == 1
    assert await said(pool, chat) == before
    await retention.work(pool, archive, now_ms() + LATER_MS)
    async with pool.acquire() as conn:
        assert [one.wrong for one in await retention.filed(conn, archive, shop.id)] == [""]
        assert await files.lines_of(conn, archive, shop.id, [chat.thread]) == before
        next(archive.folder.rglob("*.parquet")).write_bytes(b"PAR1")
        assert [one.wrong for one in await retention.filed(conn, archive, shop.id)] == ["changed"]
        with pytest.raises(ArchiveDamaged, match="not as it was written"):
            await files.lines_of(conn, archive, shop.id, [chat.thread])


async def test_an_erased_shoppers_words_go_from_the_archive_and_nobody_elses(
    pool: asyncpg.Pool, shop: Shop, archive: Archive
) -> None:
    him, other = await make_chat(pool, shop.id, "林晓", "M1"), await make_chat(pool, shop.id, "周宁", "M2")
    await a_talk(pool, him, "住在杭州文三路")
    await a_talk(pool, other, "别人的话")
    await Figures(pool).catch_up()
    await keep(pool, shop)
    await retention.work(pool, archive, now_ms() + LATER_MS)
    async with pool.acquire() as conn, conn.transaction():
        handed = await privacy.hand_out(conn, shop.id, him.shopper, archive)
        assert sum("住在杭州文三路" in str(line["body"]) for line in handed["archived"]) == 3
        assert (await privacy.summary(conn, shop.id, him.shopper))["lines"] == 6
        await privacy.ask_erasing(conn, shop.id, him.shopper)
    assert await privacy.sweep(pool, Objects(archive.folder), after_s=0) == 1
    async with pool.acquire() as conn:
        his = await files.lines_of(conn, archive, shop.id, [him.thread])
        theirs = await files.lines_of(conn, archive, shop.id, [other.thread])
        assert [one.wrong for one in await retention.filed(conn, archive, shop.id)] == [""]
    assert len(his) == len(theirs) == 8
    assert "杭州" not in str(his)
    assert "别人的话" in str(theirs)
    assert (await Figures(pool).verify(shop.id, archive=archive)).differences == 0


async def test_what_a_push_came_to_is_still_told_when_its_line_is_archived(
    pool: asyncpg.Pool, shop: Shop, archive: Archive
) -> None:
    from push.record import reports

    rule, run = new_id(), new_id()
    read, unread = await make_chat(pool, shop.id), await make_chat(pool, shop.id)
    for chat in (read, unread):
        message = new_id()
        async with pool.acquire() as conn, conn.transaction():
            line = entries.Line(shop.id, chat.thread, "push", rule, message, "text", '{"text":"上新"}')
            await entries.append(conn, [line])
            await conn.execute(
                "insert into push_delivery (shop_id, rule_id, run_key, step, shopper_id, run_id, variant, state,"
                " thread_id, msg_id) values ($1, $2, 'k', 0, $3, $4, 0, 'sent', $5, $6)",
                shop.id, rule, chat.shopper, run, chat.thread, message,
            )  # fmt: skip
    await pool.execute(
        "insert into receipt (shop_id, thread_id, party, delivered_seq, read_seq) values ($1, $2, $3, 1, 1)",
        shop.id, read.thread, read.shopper,
    )  # fmt: skip
    await Counter(pool, read).asks("有优惠吗")
    await Counter(pool, read).closed()
    await Figures(pool).catch_up()
    async with pool.acquire() as conn:
        before = await reports.response(conn, shop.id, rule)
        assert (before.delivered, before.seen, before.replied) == (1, 1, 1)
        await keep(pool, shop)
        await retention.work(pool, archive, now_ms() + LATER_MS)
        assert await pool.fetchval("select count(*) from entry") == 0
        assert await reports.response(conn, shop.id, rule) == before


async def test_the_day_is_the_shops_own(pool: asyncpg.Pool, shop: Shop) -> None:
    await keep(pool, shop)
    shanghai = 1_767_196_800_000  # 2026-01-01 00:00 in Shanghai
    async with pool.acquire() as conn:
        for ms, months in ((shanghai - 1, 31), (shanghai, 32)):
            found = await retention.concerned(conn, shop.id, 100, ms)
            first = found.before + timedelta(days=100)
            assert (first.month, first.day) == ((12, 31) if months == 31 else (1, 1))

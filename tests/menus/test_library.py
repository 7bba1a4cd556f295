"""The shop's library: what is in it, where it is used, and what becomes of an answer that carried what is gone."""

from __future__ import annotations

from uuid import UUID

from menus import publishing, record_library
from menus import record_postgres as record
from menus.check import problems
from menus.model import Draft
from tests.menus.conftest import Window
from wangxin.clock import new_id


async def film(window: Window, owner: UUID) -> UUID:
    id_ = new_id()
    await window.pool.execute(
        "insert into media (shop_id, id, owner_id, kind, mime, bytes, width, height, duration_ms, digest)"
        " values ($1, $2, $3, 'video', 'video/mp4', 9, 640, 360, 12000, '')",
        window.chat.shop, id_, owner,
    )  # fmt: skip
    return id_


def menu(media: UUID) -> Draft:
    answer = {"kind": "answer", "text": "看这段教程", "media": str(media)}
    items = [{"id": "how", "label": "使用教程", "action": answer}]
    return Draft.model_validate({"items": [*items, {"id": "p", "label": "转人工", "action": {"kind": "human"}}]})


async def test_a_film_of_the_library_comes_with_an_answer_and_is_known_where_it_is_used(window: Window) -> None:
    shop, merchant = window.chat.shop, new_id()
    mine, others = await film(window, merchant), await film(window, new_id())
    async with window.pool.acquire() as conn, conn.transaction():
        assert await record_library.add(conn, shop, mine, "怎么泡茶", merchant)
        assert not await record_library.add(conn, shop, others, "别人的", merchant), "only one's own uploads go in"
        assert [p.code for p in problems(menu(others), await publishing.known(conn, shop))] == ["item.media_gone"]
        assert problems(menu(mine), await publishing.known(conn, shop)) == []
        _, revision, _ = await publishing.draft_of(conn, shop)
        await publishing.keep(conn, shop, menu(mine), revision)
        live = await record.add_version(conn, shop, menu(mine), note="", by=merchant)
        await record.set_published(conn, shop, live.version)
        uses = [(media, use["where"], use["label"]) for media, use in await record_library.uses_in_menus(conn, shop)]
        assert uses == [(mine, "live", "使用教程"), (mine, "draft", "使用教程")]
    said = (await window.tap("how", live.version))[-2:]
    assert [line["kind"] for line in said] == ["bot_answer", "video"]
    assert (said[1]["media"], said[1]["duration_ms"]) == (str(mine), 12_000)
    # A question of the bot brings it too: to who writes, to who taps, and to the agent who is to answer.
    async with window.pool.acquire() as conn, conn.transaction():
        kept = await record_library.seen(conn, shop, mine)
        tea = record.FaqEntry(new_id(), "tea", "", ("这个茶怎么泡才好喝",), "看这段教程", media=kept)
        await record.keep_entry(conn, shop, tea)
        await record.faq_changed(conn, shop)
        assert (await record.one_entry(conn, shop, tea.id)) == tea
        used = [use for media, use in await record_library.uses_in_questions(conn, shop) if media == mine]
        assert used == [{"where": "question", "label": "这个茶怎么泡才好喝"}]
    said = await window.write("这个茶怎么泡才好喝")
    assert [(line["kind"], line.get("faq", line.get("media"))) for line in said] == [
        ("bot_answer", str(tea.id)), ("video", str(mine)),
    ]  # fmt: skip
    # Out of the library the words stay.
    async with window.pool.acquire() as conn, conn.transaction():
        assert await record_library.drop(conn, shop, mine)
    assert (await window.tap("how", live.version))[-1]["kind"] == "bot_answer"

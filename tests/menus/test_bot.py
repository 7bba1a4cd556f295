"""The bot and the menu on the real record: what a shopper sees, and who hears of it."""

from __future__ import annotations

import asyncio
import json
from uuid import UUID

import pytest

from menus.dialogue import Thresholds
from menus.service import think
from tests.conftest import Chat, make_chat
from tests.menus.conftest import Window
from wangxin.clock import new_id
from wangxin.model.refusals import Refusal
from wangxin.protocol.frames import BotAsk, ChoiceSubmit, FormSubmit, MenuTap
from wangxin.storage import entries
from wangxin.storage.entries import Line, body_json

SHIPPED = {
    "carrier": "顺丰速运",
    "parcel": "SF123456789012",
    "steps": [{"at_ms": 1_700_000_000_000, "text": "包裹正在派送"}],
}


async def test_a_plain_question_gets_the_shops_answer(window: Window) -> None:
    (answer,) = await window.write("地址填错了怎么办呀")
    assert answer["kind"] == "bot_answer"
    assert answer["by"] == "bot"
    assert "修改地址" in answer["text"]
    assert await window.state() == "bot"
    assert await window.facts("bot") == []


async def test_every_question_of_the_demo_is_answered_by_its_own_answer(window: Window) -> None:
    from menus.demo import questions

    brain = await window.bot.brains.of(window.chat.shop)
    wrong = []
    for question in questions():
        for phrasing in question["phrasings"]:
            match = brain.matcher.match(phrasing)
            if brain.entries[match.candidates[0].entry].key != question["id"] or match.confidence < 0.6:
                wrong.append((phrasing, match.confidence))
    assert wrong == []


async def test_a_greeting_is_answered_once_with_the_shops_own_words(window: Window) -> None:
    (answer,) = await window.write("你好")
    assert "森野" in answer["text"]


async def test_a_wish_for_a_person_is_granted_at_once(window: Window) -> None:
    said, event = await window.write("我要转人工")
    assert (said["kind"], event["event"]) == ("bot_answer", "handoff.requested")
    assert await window.state() == "waiting"
    assert [fact["fact"] for fact in await window.facts("dispatcher")] == ["handoff_requested"]


async def test_anger_brings_a_person(window: Window) -> None:
    await window.write("你们太过分了我要投诉")
    assert await window.state() == "waiting"


async def test_the_second_failed_turn_brings_a_person_and_a_card_of_what_was_tried(window: Window) -> None:
    (first,) = await window.write("火星上的猫会织毛衣吗")
    assert "human" in [choice["id"] for choice in first["choices"]]
    assert await window.state() == "bot"
    await window.write("我说的是那只三条腿的猫")
    assert await window.state() == "waiting"
    card = [line for line in await window.lines("internal") if line["kind"] == "note"]
    assert "火星上的猫" in card[0]["text"]


async def test_the_card_for_the_agent_tells_menu_order_product_and_likely_replies(window: Window) -> None:
    await window.order("D1", "shipped", **SHIPPED)
    await window.tap("logistics")
    card = {"product": "SY1001", "title": "轻薄立领羽绒服", "price_fen": 35_900}
    await window.write(card, kind="product")
    await window.write("尺码")
    await window.write("那只猫的尺码呢我说的是猫")
    assert await window.state() == "waiting"
    (note,) = [line for line in await window.lines("internal") if line["kind"] == "note"]
    told = note["text"].splitlines()
    assert told[0].startswith("转人工：机器人未能解答")
    assert "· 点了菜单：查物流" in told
    assert "· 发了卡片：商品 轻薄立领羽绒服" in told
    assert "· 给过候选：尺码" in told
    assert "· 最后说：那只猫的尺码呢我说的是猫" in told
    replies = [line for line in told if line.startswith("可回复：")]
    assert len(replies) == 3
    assert all("——" in line for line in replies)


async def test_an_unsure_bot_shows_three_questions_and_a_way_to_a_person(window: Window) -> None:
    (shown,) = await window.write("尺码")
    assert shown["kind"] == "suggestions"
    kinds = [choice["id"].partition(":")[0] for choice in shown["choices"]]
    assert len(kinds) == 4
    assert kinds[-1] == "human"
    _, answer = await window.choose(shown["seq"], shown["choices"][0]["id"])
    assert answer["kind"] == "bot_answer"
    assert await window.state() == "bot"


async def test_a_forms_picture_must_be_the_shoppers_own_and_stands_below_it(window: Window) -> None:
    form = (await window.tap("quality"))[-1]
    shop, shopper, other = window.chat.shop, window.chat.shopper, new_id()
    mine, theirs = new_id(), new_id()
    for media, owner in ((mine, shopper), (theirs, other)):
        await window.pool.execute(
            "insert into media (shop_id, id, owner_id, kind, mime, bytes, width, height, digest)"
            " values ($1, $2, $3, 'image', 'image/png', 9, 40, 30, '\\x00')",
            shop, media, owner,
        )  # fmt: skip
    values = {"order": "20261108-1", "what": "起球掉色", "words": "袖口"}
    for wrong in (str(theirs), "x", str(new_id())):
        frame = FormSubmit(
            thread=window.chat.thread, seq=form["seq"], values={**values, "picture": wrong}, client_msg_id=new_id()
        )
        with pytest.raises(Refusal, match=r"form\.incomplete") as refused:
            await window.do(frame)
        assert refused.value.field == "picture"
    filled = await window.fill(form["seq"], {**values, "picture": str(mine)})
    assert [line["kind"] for line in filled] == ["form_answer", "image", "bot_answer", "event"]
    assert filled[0]["labels"] == {"order": "订单号", "what": "问题类型", "words": "详细描述", "picture": "照片"}
    assert filled[0]["values"]["picture"] == "见图片"
    assert (filled[1]["media"], filled[1]["width"], filled[1]["by"]) == (str(mine), 40, "shopper")
    assert await window.state() == "waiting"


async def test_orders_of_others_are_never_shown(window: Window) -> None:
    other = await make_chat(window.pool, window.chat.shop, "周宁")
    await window.order("20261108-20001", "shipped", **SHIPPED)
    await window.pool.execute("update shop_order set shopper_id = $1", other.shopper)
    await window.order("20261108-10001", "paid")
    shown = str(await window.tap("orders")) + str(await window.tap("logistics"))
    assert "20261108-10001" in shown
    assert "20261108-20001" not in shown


async def test_a_line_is_answered_once_even_if_its_fact_comes_twice(window: Window) -> None:
    await window.write("可以开发票吗")
    before = await window.lines()
    (fact,) = await window.pool.fetch(
        "insert into outbox (shop_id, consumer, fact) select shop_id, 'bot', jsonb_build_object('fact',"
        " 'shopper_spoke', 'shop', shop_id, 'thread', thread_id, 'conversation', conversation_id, 'seq', seq,"
        " 'at_ms', 0) from entry where sender_kind = 'shopper' returning id"
    )
    assert await window.bot.follow() == 1
    assert await window.lines() == before
    assert fact is not None


async def test_a_slow_thread_holds_up_no_other_and_keeps_its_own_order(window: Window) -> None:
    other = await make_chat(window.pool, window.chat.shop, "周宁")

    async def says(chat: Chat, text: str) -> None:
        body = body_json({"text": text})
        line = Line(chat.shop, chat.thread, "shopper", chat.shopper, new_id(), "text", body, opens=new_id())
        await entries.append(window.pool, [line])

    async def answers(chat: Chat) -> list[str]:
        found = await entries.read_after(window.pool, chat.shop, chat.thread, "public", 0, 50)
        return [json.loads(e.body)["text"] for e in found if e.sender_kind == "bot"]

    await says(window.chat, "可以开发票吗")
    await says(window.chat, "地址填错了怎么办呀")
    await says(other, "可以开发票吗")
    async with window.pool.acquire() as conn:
        holding = conn.transaction()
        await holding.start()
        await conn.execute("select 1 from thread where id = $1 for update", window.chat.thread)
        following = asyncio.create_task(window.bot.follow())
        while not await answers(other):
            await asyncio.sleep(0.02)
        assert await answers(window.chat) == []
        assert not following.done()
        await holding.rollback()
    assert await following == 3
    first, second = await answers(window.chat)
    assert first == (await answers(other))[0]
    assert "修改地址" in second


async def test_the_bot_is_silent_once_a_person_is_asked_for(window: Window) -> None:
    await window.write("转人工")
    assert [line["by"] for line in await window.write("我想问下羽绒服怎么洗")] == []


async def test_who_waits_for_a_person_may_ask_the_bot_meanwhile(window: Window) -> None:
    await window.write("转人工")
    assert await window.write("怎么退货") == []
    asked = (await window.lines())[-1]["seq"]
    for _ in range(2):
        await window.do(BotAsk(thread=window.chat.thread, seq=asked))
    await window.bot.follow()
    after = [line for line in await window.lines() if line["seq"] > asked]
    assert [line["by"] for line in after] == ["bot"]
    assert await window.state() == "waiting"
    with pytest.raises(Refusal, match=r"message\.not_found"):
        await window.do(BotAsk(thread=window.chat.thread, seq=999))


async def test_only_emoji_are_answered_once_and_then_left_alone(window: Window) -> None:
    assert len(await window.write("😀😀")) == 1
    assert await window.write("👍") == []


async def test_pictures_are_not_guessed_at(window: Window) -> None:
    (answer,) = await window.write({"media": str(new_id()), "width": 1, "height": 1}, kind="image")
    assert [choice["id"] for choice in answer["choices"]] == ["human"]


async def test_where_is_my_parcel_is_answered_with_the_parcel(window: Window) -> None:
    await window.order("20261108-10001", "shipped", **SHIPPED)
    shown = await window.write("帮我看看快递走到哪儿了")
    assert "logistics" in [line["kind"] for line in shown] or "查物流" in str(shown)


async def test_a_tap_shows_label_and_answer_and_tells_push(window: Window) -> None:
    await window.order("20261108-10001", "shipped", **SHIPPED)
    opened, label, order, parcel, choices = await window.tap("logistics")
    assert opened["event"] == "conversation.opened"
    assert (label["by"], label["text"]) == ("shopper", "查物流")
    assert (order["kind"], parcel["kind"], choices["kind"]) == ("order", "logistics", "choices")
    assert parcel["parcel"] == "SF123456789012"
    assert [fact["item"] for fact in await window.facts("push")] == ["logistics"]
    assert await window.facts("bot") == []


async def test_a_tap_sent_twice_is_done_once(window: Window) -> None:
    msg = new_id()
    await window.tap("promo-faq", msg=msg)
    assert await window.tap("promo-faq", msg=msg) == []


async def test_the_person_item_asks_for_a_person(window: Window) -> None:
    await window.tap("person")
    assert await window.state() == "waiting"
    again = await window.tap("person")
    assert "已经在等待" in again[-1]["text"]


async def test_buttons_lead_on_to_answers_and_back_to_people(window: Window) -> None:
    shown = (await window.tap("ship-faq"))[-1]
    first = shown["choices"][0]
    label, answer = await window.choose(shown["seq"], first["id"])
    assert label["text"] == first["label"]
    assert answer["kind"] == "bot_answer"
    await window.choose(shown["seq"], "human")
    assert await window.state() == "waiting"


async def test_a_button_that_the_line_does_not_have_is_refused(window: Window) -> None:
    shown = (await window.tap("ship-faq"))[-1]
    with pytest.raises(Refusal, match=r"choice\.not_found"):
        await window.do(
            ChoiceSubmit(thread=window.chat.thread, seq=shown["seq"], choice="faq:x", client_msg_id=new_id())
        )


async def test_a_tap_on_what_the_menu_never_had_is_refused_and_so_is_a_form_that_is_none(window: Window) -> None:
    thread = window.chat.thread
    shown = (await window.tap("ship-faq"))[-1]
    for frame, code in (
        (MenuTap(thread=thread, menu_version=99, item="orders", client_msg_id=new_id()), "menu.unknown_version"),
        (MenuTap(thread=thread, menu_version=1, item="no-such", client_msg_id=new_id()), "menu.unknown_item"),
        (FormSubmit(thread=thread, seq=shown["seq"], values={}, client_msg_id=new_id()), "form.not_found"),
    ):
        with pytest.raises(Refusal) as refused:
            await window.do(frame)
        assert refused.value.code == code


async def test_a_return_goes_from_order_to_form_to_a_person(window: Window) -> None:
    await window.order("20261108-10002", "signed", **SHIPPED)
    choices = (await window.tap("return"))[-1]
    form = (await window.choose(choices["seq"], "return:20261108-10002"))[-1]
    assert form["kind"] == "form"
    with pytest.raises(Refusal, match=r"form\.incomplete"):
        await window.do(
            FormSubmit(thread=window.chat.thread, seq=form["seq"], values={"kind": "换尺码"}, client_msg_id=new_id())
        )
    filled = await window.fill(form["seq"], {"kind": "换尺码", "reason": "尺码不合适"})
    assert [line["kind"] for line in filled] == ["form_answer", "aftersale", "bot_answer", "event"]
    assert (filled[1]["state"], filled[1]["wants"], filled[1]["order"]) == ("open", "换尺码", "20261108-10002")
    assert await window.state() == "waiting"
    (fact,) = await window.facts("dispatcher")
    assert fact["topic"] == "售后"
    # The same order again is the same case; he may take it back, once.
    again = (await window.choose(choices["seq"], "return:20261108-10002"))[-1]
    (_, told) = await window.fill(again["seq"], {"kind": "退货退款", "reason": "不喜欢"})
    assert "还在处理中" in told["text"]
    withdraw = told["choices"][0]["id"]
    taken_back = await window.choose(told["seq"], withdraw)
    assert [(line["kind"], line.get("state")) for line in taken_back[-2:]] == [
        ("aftersale", "withdrawn"), ("bot_answer", None),
    ]  # fmt: skip
    assert "不能撤销" in (await window.choose(told["seq"], withdraw))[-1]["text"]
    states = "select array_agg(state order by at) from aftersale_step"
    assert await window.pool.fetchval(states) == ["open", "withdrawn"]


async def test_another_shoppers_thread_does_not_exist(window: Window) -> None:
    from tests.conftest import make_chat

    other = await make_chat(window.pool, window.chat.shop, "陈先生")
    with pytest.raises(Refusal, match=r"thread\.not_found"):
        await window.do(MenuTap(thread=other.thread, menu_version=1, item="orders", client_msg_id=new_id()))


async def test_other_shoppers_orders_are_never_shown(window: Window) -> None:
    from dataclasses import replace

    from tests.conftest import make_chat

    await window.order("20261108-10003", "signed", **SHIPPED)
    other = await make_chat(window.pool, window.chat.shop, "陈先生")
    stranger = Window(window.pool, other, window.bot, window.handlers)
    assert "20261108-10003" not in str(await stranger.tap("orders"))
    assert replace(stranger.actor).id != window.actor.id


async def test_a_tap_on_an_old_menu_still_works(window: Window) -> None:
    from menus import record_postgres as record
    from menus.model import Draft

    async with window.pool.acquire() as conn, conn.transaction():
        old = await record.published(conn, window.chat.shop)
        assert old is not None
        menu = await record.add_version(
            conn, window.chat.shop, Draft(items=old.items[-1:]), note="", by=window.chat.shopper
        )
        await record.set_published(conn, window.chat.shop, menu.version)
    assert (await window.tap("promo-faq", version=1))[-1]["kind"] == "suggestions"
    with pytest.raises(Refusal, match=r"menu\.unknown_version"):
        await window.tap("promo-faq", version=99)


async def test_the_card_for_the_agent_names_the_order_on_the_table(window: Window) -> None:
    await window.order("D1", "shipped", **SHIPPED)
    await window.write({"order": "D1", "state": "shipped", "amount_fen": 35_900, "lines": []}, kind="order")
    await window.write("转人工")
    (note,) = [line for line in await window.lines("internal") if line["kind"] == "note"]
    assert note["text"].splitlines() == [
        "转人工：买家要求人工",
        "· 发了卡片：订单 D1",
        "· 最后说：转人工",
        "正在看：订单 D1",
    ]


async def test_an_order_on_the_table_is_what_short_words_are_about(window: Window) -> None:
    await window.order("D1", "shipped", **SHIPPED)
    await window.order("D2", "paid")
    card = {"order": "D1", "state": "shipped", "amount_fen": 35_900, "lines": []}
    await window.write(card, kind="order")
    (parcel,) = await window.write("什么时候能到")
    assert (parcel["kind"], parcel["order"], parcel["parcel"]) == ("logistics", "D1", "SF123456789012")
    (form,) = await window.write("不想要了想退掉")
    assert (form["kind"], form["form"]) == ("form", "return:D1")
    # the order of another card takes its place; paid as it is, the warehouse is urged
    await window.write({**card, "order": "D2", "state": "paid"}, kind="order")
    (urged,) = await window.write("怎么还不发货")
    assert "已为您登记催促" in urged["text"]
    # a question of its own is answered as one, whatever order lies there
    (answer,) = await window.write("地址填错了怎么办呀")
    assert "修改地址" in answer["text"]


async def test_a_button_can_be_named_by_its_place(window: Window) -> None:
    (shown,) = await window.write("尺码")
    (answer,) = await window.write("第二个")
    entry = next(iter(shown["choices"][1:2]))
    assert (answer["kind"], f"faq:{answer['faq']}") == ("bot_answer", entry["id"])
    # a question that was deleted meanwhile is not picked any more
    (shown,) = await window.write("尺码")
    await window.pool.execute("delete from faq_entry where id = $1", UUID(shown["choices"][0]["id"][4:]))
    await window.pool.execute("update menu_desk set faq_revision = faq_revision + 1")
    (answer, *_) = await window.write("第一个")
    assert answer.get("faq") != shown["choices"][0]["id"][4:]


ODD = (
    "", " ", "好" * 4_000, "abc " * 1_000, "😀😀😀", "\u200b\u200d\ufeff", "\u202e货发时么什", 
    "'; drop table faq_entry; --", "{{ 7 * 7 }} {% for x in y %}${jndi:ldap://x}", "<script>alert(1)</script>", 
    "Où est mon colis, s'il vous plaît ?",
    "أين طلبي", "\ud83d", "1", "第九十九个", "%s %d \\x00", "？？？？",
)  # fmt: skip


async def test_bad_input_gets_a_sensible_answer_and_never_an_error(window: Window) -> None:
    brain = await window.bot.brains.of(window.chat.shop)
    for text in ODD:
        decision = await think(window.bot.brains, brain, text, [], Thresholds())
        # what a right-to-left mark turns round is still the shop's own question
        assert decision.how in ("ask", "suggest", "smalltalk", "silent", *["answer"] * ("\u202e" in text)), text
    # and through the record: each is taken up, none is set aside as broken, and the log of the bot is without a fault
    for text in ("\u202e货发时么什\u200b", "'; drop table faq_entry; --", "好" * 4_000):
        assert await window.write(text)
    assert await window.pool.fetchval("select count(*) from outbox where consumer = 'bot'") == 0

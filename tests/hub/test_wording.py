"""Words a shop blocks or replaces hold on the line, whatever client an agent writes with."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from tests.conftest import Shop
from tests.hub.conftest import House
from wangxin.app import lent_words
from wangxin.chat.said import Said, binding
from wangxin.chat.wording import Wording


async def keep(house: House, shop: UUID, wording: dict[str, Any]) -> None:
    await house.pool.execute(
        "update shop set settings = settings || jsonb_build_object('wording', $2::jsonb) where shop_id = $1",
        shop, wording,
    )  # fmt: skip


async def test_what_a_shop_blocks_is_refused_and_what_it_replaces_goes_out_replaced(house: House, shop: Shop) -> None:
    rules = [{"word": "保证治愈", "act": "block"}, {"word": "亲亲", "act": "replace", "instead": "您好"}]
    await keep(house, shop.id, {"elsewhere": "block", "words": [*rules, {"word": "便宜", "act": "warn"}]})
    said = Said(house.pool, lent_words)
    await said.refresh()
    await house.open_hub(said=said)
    shopper, thread = await house.shopper(shop)
    await shopper.say(thread, "在吗，加微信聊")
    agent = await house.agent(shop)
    line = await house.enter(agent.token)
    epoch = await house.assign(shop.id, thread, agent.id)
    await line.until("thread.update")
    for bad in ("这个保证 治愈的", "保証治愈", "加 微 信 聊"):
        refused = await line.say(thread, bad, epoch=epoch)
        assert (refused["code"], refused["retry"]) == ("message.word_blocked", "never")
    assert (await line.say(thread, "亲亲，这款很便宜", epoch=epoch))["type"] == "ack"
    assert (await line.say(thread, "还有现货", epoch=epoch))["type"] == "ack"
    gone = await line.say(thread, "亲亲", epoch=epoch)
    assert gone["type"] == "ack"
    rows = await house.pool.fetch("select body->>'text' as text from entry where sender_kind = 'agent' order by seq")
    assert [row["text"] for row in rows] == ["您好，这款很便宜", "还有现货", "您好"]
    await keep(house, shop.id, {"words": [{"word": "亲亲", "act": "replace"}]})
    await said.refresh()
    assert (await line.say(thread, "保证治愈", epoch=epoch))["type"] == "ack", "it is blocked no longer"
    assert (await line.say(thread, "亲亲", epoch=epoch))["code"] == "message.word_blocked", "nothing is left of it"


def test_what_is_only_warned_of_costs_a_line_nothing() -> None:
    assert binding(Wording()) is None
    assert binding(Wording.model_validate({"words": [{"word": "便宜"}]})) is None
    kept = binding(
        Wording.model_validate({"claim": "block", "words": [{"word": "便宜"}, {"word": "亲", "act": "block"}]})
    )
    assert kept is not None
    assert (kept.claim, kept.elsewhere, [rule.word for rule in kept.words]) == ("block", "off", ["亲"])

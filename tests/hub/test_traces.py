"""A message's trace: one, from the shopper's frame on one hub to the agent's frame on another."""

from __future__ import annotations

import asyncio

from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from tests.conftest import Shop
from tests.hub.conftest import PATIENCE_S, House
from wangxin.config import Settings
from wangxin.hub.traces import Traces, ids, traces_of


async def test_a_messages_trace_leads_from_the_shoppers_frame_to_the_agents_on_another_hub(
    house: House, shop: Shop
) -> None:
    kept = InMemorySpanExporter()
    for node in ("a", "b"):
        await house.open_hub(node, traces=Traces(node, SimpleSpanProcessor(kept)))
    xiaoyu = await house.agent(shop)
    shopper, thread = await house.shopper(shop, 0)
    await house.assign(shop.id, thread, xiaoyu.id)
    agent = await house.enter(xiaoyu.token, 1)
    ack = await shopper.say(thread, "在吗，13812345678")
    await agent.line(thread, ack["seq"])
    trace_id, first = ids(thread, "public", ack["seq"])
    async with asyncio.timeout(PATIENCE_S):
        while True:
            spans = [one for one in kept.get_finished_spans() if one.context.trace_id == trace_id]
            if len(spans) == 4:
                break
            await asyncio.sleep(0.02)
    by = {(one.name, (one.attributes or {}).get("wangxin.reader")): one for one in spans}
    root, commit = by["message.send", None], by["commit", None]
    there, here = by["message.new", "agent"], by["message.new", "shopper"]
    assert root.parent is None
    assert root.context.span_id == first
    assert {one.parent.span_id for one in (commit, there, here) if one.parent} == {first}
    assert root.start_time <= commit.start_time <= commit.end_time <= root.end_time
    assert there.resource.attributes["service.instance.id"] == "b"
    assert root.resource.attributes["service.instance.id"] == here.resource.attributes["service.instance.id"] == "a"
    assert there.attributes is not None
    assert (there.attributes["wangxin.seq"], there.attributes["wangxin.readers"]) == (ack["seq"], 1)
    assert "13812345678" not in "".join(one.to_json() for one in spans), "no words in a trace"


async def test_a_share_of_messages_is_traced_and_nothing_without_a_setting(house: House, shop: Shop) -> None:
    kept = InMemorySpanExporter()
    await house.open_hub("a", traces=Traces("a", SimpleSpanProcessor(kept), share=0.0))
    shopper, thread = await house.shopper(shop)
    assert len({ids(thread, lane, seq) for lane in ("public", "internal") for seq in (1, 2)}) == 4
    assert (await shopper.say(thread, "在吗"))["type"] == "ack"
    assert kept.get_finished_spans() == ()
    assert traces_of(Settings(), "a") is None
    made = traces_of(Settings(traces_endpoint="http://127.0.0.1:9/v1/traces"), "a")
    assert made is not None
    await asyncio.to_thread(made.close)

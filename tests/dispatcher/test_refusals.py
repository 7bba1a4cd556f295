"""A refused wish comes back to the one who had it, under his own mark and in words he can read."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path
from typing import Any, get_args, get_type_hints

import orjson
import pytest

from dispatcher import events as ev
from dispatcher.decisions import PoolSeen, Refuse, RevokeOffer
from tests.dispatcher.conftest import House
from tests.dispatcher.floor_plan import START, Driver, of, world
from wangxin.protocol import frames as fr
from wangxin.storage.hints import HINT

NEVER = ("chosen", "no_free_slot", "skill", "taken", "not_yet")
"""Verdicts and ends of offers that refuse no transfer."""
ROOT = Path(__file__).parents[2]


def codes() -> set[str]:
    """Every code with which an agent's frame can be refused here."""
    text = "".join((ROOT / "dispatcher" / f"{name}.py").read_text() for name in ("handover", "lifecycle", "intake"))
    found = set(re.findall(r'(?:Refuse|Refusal|forbidden)\([^)"]*"([a-z]+\.[a-z_]+)"', text))
    found |= {f"{noun}.not_found" for noun in re.findall(r'not_found\("([a-z]+)"\)', text)}
    pools = get_args(get_type_hints(PoolSeen)["verdict"])
    offers = get_args(get_type_hints(RevokeOffer)["reason"])
    found |= {f"transfer.{why}" for why in (*pools, *offers)} - {f"transfer.{why}" for why in NEVER}
    return found


@pytest.mark.parametrize("locale", ["zh-CN", "en", "zh-TW"])
def test_every_refusal_has_words(locale: str) -> None:
    texts = [ROOT / "frontend/src/locales" / locale / f"{area}.json" for area in ("common", "console")]
    known = {key for file in texts for key in json.loads(file.read_text())}
    assert codes() >= {"transfer.away", "assignment.stale", "seat.full", "thread.not_found"}
    assert {code for code in codes() if f"error.{code}" not in known} == set()


def test_a_wish_that_cannot_be_granted_is_refused_by_its_reason() -> None:
    d = Driver(world(own=2, gold=1, contracts=({"ends_ms": START}, {})))
    d.ready("own1", "gold1")
    d.ask("a")
    wishes: list[tuple[ev.Event, str]] = [
        (ev.OfferAnswered("a", "own1", 1, True, "r"), "offer.gone"),
        (ev.TransferAnswered("a", "gold1", True, "r"), "offer.gone"),
        (ev.TransferRequested("a", "own1", 1, to_agent="gold1", ref="r"), "transfer.no_contract"),
        (ev.Claimed("a", "own2", True, "r"), "seat.not_ready"),
        (ev.Claimed("a", "gold1", True, "r"), "claim.no_contract"),
    ]
    for wish, code in wishes:
        assert [(one.code, one.ref) for one in of(d.do(wish), Refuse)] == [(code, "r")], wish
    assert d.agent_of("a") == "own1"


async def test_a_refusal_of_the_dispatcher_names_the_frame_it_answers(house: House) -> None:
    heard: list[dict[str, Any]] = []

    async def listen() -> None:
        async with house.valkey.pubsub() as hints:
            await hints.subscribe(HINT)
            listening.set()
            async for message in hints.listen():
                if message["type"] == "message":
                    hint = orjson.loads(message["data"])
                    if hint.get("frame", {}).get("type") == "error":
                        heard.append({**hint["frame"], "to": hint["people"]})

    async def refusals() -> int:
        return len(heard)

    listening = asyncio.Event()
    ears = asyncio.create_task(listen())
    await listening.wait()
    async with house.dispatcher():
        await house.ready("own1", "yun1")
        chat = await house.chat()
        await house.ask(chat)
        await house.until(lambda: house.holder(chat), "own1")
        conversation = (await house.thread(chat))["conversation_id"]
        giver, taker = await house.actor("own1"), await house.actor("yun1")

        async def transfer(ref: str, to: str) -> None:
            await house.frame(
                giver, fr.TransferRequest(ref=ref, thread=chat.thread, epoch=1, to_agent=house.agents[to])
            )

        await house.frame(
            giver, fr.TransferRequest(ref="t1", thread=chat.thread, epoch=1, to_agent=house.agents["yun1"])
        )
        await house.frame(
            giver, fr.TransferRequest(ref="t2", thread=chat.thread, epoch=1, to_agent=house.agents["yun1"])
        )
        await house.frame(taker, fr.TransferReject(ref="x1", conversation=conversation))
        await house.frame(
            giver, fr.TransferRequest(ref="t3", thread=chat.thread, epoch=1, to_agent=house.agents["hai1"])
        )
        await house.until(refusals, 3)
    ears.cancel()
    assert [(one["code"], one["ref"]) for one in heard] == [
        ("transfer.pending", "t2"), ("transfer.refused", "t1"), ("transfer.away", "t3"),
    ]  # fmt: skip
    assert {person for one in heard for person in one["to"]} == {str(house.agents["own1"])}

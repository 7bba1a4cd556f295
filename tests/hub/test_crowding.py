"""Many lines, many frames, many messages: of one address, one person, one shop. The others go on."""

from __future__ import annotations

import asyncio
import contextlib
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from tests.conftest import Shop
from tests.hub.conftest import House
from wangxin.callers import Buckets, Callers, believed, trusting
from wangxin.clock import new_id
from wangxin.hub.commit import Committer, Pending
from wangxin.model import limits
from wangxin.model.refusals import Refusal
from wangxin.storage.entries import Line, body_json


def _line(shop: UUID) -> Line:
    return Line(shop, new_id(), "shopper", new_id(), new_id(), "text", body_json({"text": "嗯"}), opens=new_id())


def nobody(_: str) -> bool:
    return False


async def refused(house: House, **headers: str) -> tuple[int, str]:
    """(status, Retry-After) of a line that is not let in."""
    with pytest.raises(InvalidStatus) as found:
        await connect(f"ws://127.0.0.1:{house.ports[0]}/ws", additional_headers=headers)
    return found.value.response.status_code, found.value.response.headers.get("Retry-After", "")


async def test_an_address_holds_only_so_many_lines_and_those_that_never_speak_count(house: House, shop: Shop) -> None:
    hub = await house.open_hub(trusted=nobody)
    hub.doorstep.callers = Callers(nobody, 2)
    line, thread = await house.shopper(shop)
    _, silent = await asyncio.open_connection("127.0.0.1", house.ports[0])
    async with asyncio.timeout(20):
        while hub.doorstep.callers._held["127.0.0.1"] < 2:
            await asyncio.sleep(0.01)
    assert await refused(house) == (429, "10")
    assert hub.figures()["refused"] == {"address": 1}
    assert (await line.say(thread, "我还在"))["type"] == "ack"
    silent.close()
    async with asyncio.timeout(20):
        while True:
            with contextlib.suppress(InvalidStatus):
                await house.dial()
                break
            await asyncio.sleep(0.02)


async def test_behind_a_proxy_the_address_it_names_is_counted_and_a_strangers_word_is_not(
    house: House, shop: Shop
) -> None:
    trusted = trusting(["127.0.0.0/8"])
    hub = await house.open_hub(trusted=trusted)
    hub.doorstep.callers = Callers(trusted, 1)
    one = {"X-Forwarded-For": "9.9.9.9, 203.0.113.7"}
    await house.enter(house.member(shop, "m1"), headers=one)
    assert await refused(house, **one) == (429, "10")
    assert (await refused(house, **{"X-Forwarded-For": "203.0.113.7, 127.0.0.9"}))[0] == 429
    await house.enter(house.member(shop, "m2"), headers={"X-Forwarded-For": "203.0.113.8"})
    await house.enter(house.member(shop, "m3"))
    assert hub.doorstep.callers._held == {"203.0.113.7": 1, "203.0.113.8": 1}


async def test_new_lines_of_one_address_come_at_a_pace(
    house: House, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "LINES_ADDRESS", (0.01, 2))
    hub = await house.open_hub()
    one = {"X-Forwarded-For": "203.0.113.7"}
    for _ in range(2):
        await house.dial(additional_headers=one)
    assert await refused(house, **one) == (429, "10")
    assert hub.figures()["refused"] == {"pace": 1}
    await house.dial(additional_headers={"X-Forwarded-For": "203.0.113.8"})


async def test_one_person_has_one_pace_over_all_his_lines(house: House, shop: Shop) -> None:
    hub = await house.open_hub()
    first, _ = await house.shopper(shop)
    second, thread = await house.shopper(shop)
    other, his = await house.shopper(shop, external_id="m2")
    for _ in range(limits.FRAMES_BURST):
        await first.send({"type": "ping"})
    for _ in range(limits.FRAMES_BURST):
        await first.until("pong")
    slowed = await second.say(thread, "太快")
    assert slowed["code"] == "rate.exceeded"
    assert hub.figures()["slowed"] == 1
    assert (await other.say(his, "别人照常"))["type"] == "ack"
    await asyncio.sleep(slowed["retry"] / 1_000)
    assert (await second.say(thread, "慢一点"))["type"] == "ack"


async def test_a_flood_of_one_shop_leaves_room_for_the_others(
    house: House, shop: Shop, other_shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub = await house.open_hub()
    line, thread = await house.shopper(shop)
    other, theirs = await house.shopper(other_shop, external_id="m2")
    monkeypatch.setattr(limits, "SHOP_WAITING_MAX", 0)
    busy = await line.say(thread, "满了")
    assert (busy["code"], busy["retry"]) == ("shop.busy", 1_000)
    monkeypatch.undo()
    assert (await line.say(thread, "好了"))["type"] == "ack"
    assert (await other.say(theirs, "好的"))["type"] == "ack"
    assert hub.answering.committer.waiting == 0


def test_a_shops_share_is_counted_anew_with_each_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "SHOP_WAITING_MAX", 3)
    monkeypatch.setattr(limits, "APPEND_WAITING_MAX", 5)
    committer = Committer(lambda: None, lambda *_: None, lambda *_: None)

    one, two = new_id(), new_id()

    def said(shop: UUID) -> str:
        try:
            committer.submit(Pending(_line(shop), None, new_id(), ""))
        except Refusal as why:
            return why.code
        return ""

    assert [said(one) for _ in range(4)] == ["", "", "", "shop.busy"]
    assert [said(two) for _ in range(3)] == ["", "", "hub.busy"]


@settings(max_examples=100)
@given(
    gaps=st.lists(st.integers(0, 2_000), min_size=1, max_size=200),
    per_s=st.integers(1, 50),
    burst=st.integers(1, 20),
)
def test_a_bucket_gives_its_burst_and_then_what_time_gives(gaps: list[int], per_s: int, burst: int) -> None:
    bucket, now, passed = Buckets(per_s, burst), 1_000_000, 0
    for step, gap in enumerate(gaps):
        now += gap
        wait = bucket.wait_ms("a", now)
        passed += wait == 0
        if wait:
            assert Buckets(per_s, burst, _ready=bucket._ready.copy()).wait_ms("a", now + wait) == 0
        assert passed <= burst + (now - 1_000_000) * per_s / 1_000
        assert bucket.wait_ms(("other", step), now) == 0


def test_a_bucket_remembers_only_so_many() -> None:
    bucket = Buckets(1, 1, most=3)
    for n in range(10):
        assert bucket.wait_ms(n, 0) == 0
    assert list(bucket._ready) == [7, 8, 9]
    assert bucket.wait_ms(9, 0) > 0


@pytest.mark.parametrize(
    ("told", "peer", "found"),
    [
        ([], "203.0.113.7", "203.0.113.7"),
        (["1.2.3.4"], "203.0.113.7", "203.0.113.7"),
        (["1.2.3.4"], "10.1.1.1", "1.2.3.4"),
        (["6.6.6.6", "1.2.3.4", "10.2.2.2"], "10.1.1.1", "1.2.3.4"),
        (["10.9.9.9"], "10.1.1.1", "10.9.9.9"),
        (["<script>"], "10.1.1.1", "10.1.1.1"),
        ([""], "10.1.1.1", "10.1.1.1"),
    ],
)
def test_a_trusted_proxys_word_counts_from_its_right_end(told: list[str], peer: str, found: str) -> None:
    assert believed(told, peer, trusting(["10.0.0.0/8"])) == found


def test_who_is_trusted_is_an_address_a_network_or_everybody() -> None:
    trusted = trusting(["127.0.0.1", "10.0.0.0/8", "fd00::/8"])
    assert [trusted(one) for one in ("127.0.0.1", "10.3.4.5", "fd12::1", "127.0.0.2", "fe80::1%eth0", "", "x")] == [
        True, True, True, False, False, False, False
    ]  # fmt: skip
    assert trusting(["*"])("203.0.113.7")
    callers = Callers(trusted, 1)
    assert [callers.came("203.0.113.7"), callers.came("203.0.113.7"), callers.came("10.3.4.5")] == [True, False, True]
    callers.left("203.0.113.7")
    assert callers.came("203.0.113.7")

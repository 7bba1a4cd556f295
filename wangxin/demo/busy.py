"""Scripted people of the demo: the own team's agent and the shoppers who fill his places, so that overflow is seen."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from uuid import UUID

import dispatcher.demo
from wangxin import auth
from wangxin.clock import new_id, new_secret, now_ms
from wangxin.config import Settings
from wangxin.demo.shown import SLUG
from wangxin.replay.person import Person, Refused
from wangxin.storage import accounts, postgres
from wangxin.storage.sockets import hub_socket

log = logging.getLogger("wangxin.demo")

ASKS = (
    "这件羽绒服 175 身高穿什么码?", "什么时候能发货呀", "蓝色还有货吗", "可以再便宜一点吗", "面料会不会起球",
    "我再看看颜色", "满减可以叠加吗", "那我拍 L 码可以吗", "洗的时候要注意什么",
)  # fmt: skip
REPLIES = (
    "您好,这款版型标准,按平时尺码选即可。", "今天 16:00 前付款当天就能发出。", "有货的,库存充足,您放心拍。",
    "现在满 300 减 30,是最近最合适的价格了。", "面料做过抗起球处理,日常穿着没问题。", "好的,您慢慢挑,有需要随时叫我。",
)  # fmt: skip
OWN = dispatcher.demo.SEATS[0]
PAUSE_S = (8.0, 25.0)
RETRY_S = 3.0


async def shoppers(settings: Settings) -> None:
    """Run until cancelled: as many shoppers as the own agent has places, each of them talking and being answered."""
    assert settings.postgres_url is not None, "the stores are known before the demo's people come"
    pool = await postgres.open_pool(settings.postgres_url.get_secret_value(), least=1, most=2, name="demo people")
    row = await pool.fetchrow("select shop_id, token_secret from shop where slug = $1", SLUG)
    found = await accounts.find_login(pool, OWN.login)
    if row is None or found is None:
        raise RuntimeError("The demo shop is not there yet. Fill it with `wangxin demo`.")
    account, session = found[0].id, new_id()
    await accounts.open_session(pool, session, account, new_secret(), address="", device="demo")

    async def agent_token() -> str:
        return auth.sign_account(account, session, settings.signing_key(), now_ms())

    hub = f"unix:{hub_socket(settings.data, '1')}"
    async with Person(OWN.name, "agent", hub, agent_token) as agent:
        await _ready(agent)
        async with asyncio.TaskGroup() as group:
            for number in range(OWN.seats_max):
                # The last members of the list: the demo page offers the first ones to its visitors.
                group.create_task(_talk_for_ever(settings, f"m{1060 - number}", row["token_secret"], agent))
            group.create_task(_stay_ready(agent))


async def _ready(agent: Person) -> None:
    with contextlib.suppress(Refused):
        await agent.ask({"type": "agent.state", "state": "ready"})


async def _stay_ready(agent: Person) -> None:
    """Strikes or a restart may have put the seat on hold."""
    while True:
        await asyncio.sleep(5)
        if agent.seat not in ("ready", "busy"):
            await _ready(agent)


async def _talk_for_ever(settings: Settings, member: str, secret: str, agent: Person) -> None:
    chance = random.Random(member)

    async def token() -> str:
        return auth.sign_member(SLUG, member, f"顾客{member[-2:]}", "", secret, now_ms())

    hub = f"unix:{hub_socket(settings.data, '1')}"
    async with Person(member, "shopper", hub, token) as shopper:
        thread = next(iter(shopper.views))
        while True:
            try:
                await _exchange(shopper, agent, thread, chance)
            except (Refused, TimeoutError) as why:
                log.info("the demo's %s pauses (%s)", member, why)
                await asyncio.sleep(RETRY_S)


async def _exchange(shopper: Person, agent: Person, thread: UUID, chance: random.Random) -> None:
    """One question and its answer; asks for a person where nobody serves the shopper."""
    if thread not in agent.views or not agent.views[thread]["mine"]:
        await shopper.ask({"type": "human.request", "thread": str(thread)})
        await agent.until(lambda: thread in agent.views and agent.views[thread]["mine"], patience_s=30)
    await shopper.say(thread, chance.choice(ASKS))
    await asyncio.sleep(chance.uniform(3, 9))
    await agent.say(thread, chance.choice(REPLIES), epoch=int(agent.views[thread]["epoch"]))
    await asyncio.sleep(chance.uniform(*PAUSE_S))

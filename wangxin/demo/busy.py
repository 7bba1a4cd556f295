"""Scripted people of the demo: the own team's agent is kept full, and now and then a provider's agent serves someone.

Every shopper is a new member, asks a few questions that belong together, may rate and may order; orders come in as
CloudEvents. While a real person is ready at an outsourced seat, the scripted providers stay away: overflow is his.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import math
import random
from collections.abc import Coroutine, Iterator
from dataclasses import dataclass, field
from importlib import resources
from typing import Any
from uuid import UUID

import dispatcher.demo
from wangxin import auth
from wangxin.clock import monotonic_ms, new_id, new_secret, now_ms
from wangxin.config import Settings
from wangxin.demo.shown import SLUG
from wangxin.demo.talks import PLEASE_WAIT, TALKS, Talk
from wangxin.demo.till import Till
from wangxin.replay.person import Person, Refused
from wangxin.storage import accounts, postgres
from wangxin.storage.postgres import TRANSIENT, Pool
from wangxin.storage.sockets import hub_socket

log = logging.getLogger("wangxin.demo")

OWN, SHOWN, *HELPERS = dispatcher.demo.SEATS
"""The own seat; the outsourced one that visitors sign in at; those that are scripted as well."""
RETRY_S = 3.0
PAUSES: tuple[type[BaseException], ...] = (Refused, *TRANSIENT)
BRISK_MS = 30 * 60_000
"""At first everything goes quickly, so that figures are seen soon; later the demo takes its time."""
_NAMES = (resources.files("wangxin.demo") / "nicknames.txt").read_text(encoding="utf-8").split()


@dataclass(frozen=True, slots=True)
class Manner:
    """How a scripted agent works: seconds to a reply (median, spread of a log-normal), how often people buy, and how
    they rate (weights of 5, 4, 3 and 2 stars)."""

    reply_s: float
    spread: float
    buys: float
    stars: tuple[int, int, int, int]


IN_HOUSE = Manner(11.0, 0.6, 0.46, (60, 28, 8, 4))
PROVIDER = Manner(7.0, 0.5, 0.54, (68, 24, 6, 2))
NEVER_PAID = 0.08
"""Share of enquiries whose order stays unpaid."""
RATES = 0.5


@dataclass
class Stage:
    """What the scripted people share."""

    settings: Settings
    pool: Pool
    shop: UUID
    secret: str
    till: Till
    numbers: Iterator[int]
    began_ms: float = field(default_factory=monotonic_ms)
    scripted: set[UUID] = field(default_factory=set)
    left: frozenset[UUID] = frozenset()
    """Threads of scripted shoppers whom an earlier run left in the middle of a conversation."""
    door: asyncio.Lock = field(default_factory=asyncio.Lock)
    after: set[asyncio.Task[None]] = field(default_factory=set)

    @property
    def hub(self) -> str:
        return f"unix:{hub_socket(self.settings.data, '1')}"

    @property
    def pace(self) -> float:
        return 1.0 if monotonic_ms() - self.began_ms < BRISK_MS else 4.0

    async def agent(self, seat: dispatcher.demo.DemoSeat) -> Person:
        found = await accounts.find_login(self.pool, seat.login)
        if found is None:
            raise RuntimeError("The demo shop is not there yet. Fill it with `wangxin demo`.")
        account, session = found[0].id, new_id()
        await accounts.open_session(self.pool, session, account, new_secret(), address="", device="demo")

        async def token() -> str:
            return auth.sign_account(account, session, self.settings.signing_key(), now_ms())

        return Person(seat.name, "agent", self.hub, token)

    def shopper(self, chance: random.Random) -> Person:
        member, name = f"c{next(self.numbers):05}", chance.choice(_NAMES)

        async def token() -> str:
            return auth.sign_member(SLUG, member, name, "", self.secret, now_ms())

        return Person(member, "shopper", self.hub, token)

    def later(self, work: Coroutine[Any, Any, None]) -> None:
        """Goes on after the conversation that set it off."""
        task = asyncio.create_task(work)
        self.after.add(task)
        task.add_done_callback(self.after.discard)


async def shoppers(settings: Settings) -> None:
    """Run until cancelled."""
    assert settings.postgres_url is not None, "the stores are known before the demo's people come"
    pool = await postgres.open_pool(settings.postgres_url.get_secret_value(), least=1, most=2, name="demo people")
    row = await pool.fetchrow("select shop_id, token_secret from shop where slug = $1", SLUG)
    if row is None:
        raise RuntimeError("The demo shop is not there yet. Fill it with `wangxin demo`.")
    before = await pool.fetchval(
        "select count(*) from shopper where shop_id = $1 and external_id like 'c%'", row["shop_id"]
    )
    till = await Till.open(pool, settings, row["shop_id"], row["token_secret"])
    left = await pool.fetch(
        "select t.id from thread t join shopper s on s.shop_id = t.shop_id and s.id = t.shopper_id"
        " where t.shop_id = $1 and t.state <> 'closed' and s.external_id like 'c%'",
        row["shop_id"],
    )
    stage = Stage(
        settings, pool, row["shop_id"], row["token_secret"], till, itertools.count(before + 10_001),
        left=frozenset(one["id"] for one in left),
    )  # fmt: skip
    async with contextlib.AsyncExitStack() as lines, asyncio.TaskGroup() as group:
        agents = [await lines.enter_async_context(await stage.agent(seat)) for seat in (OWN, *HELPERS)]
        own, helpers = agents[0], agents[1:]
        await _set(own, "ready")
        group.create_task(_stay_ready(own))
        for agent in agents:
            group.create_task(_pass_strays_on(stage, agent))
        for _ in range(OWN.seats_max):
            group.create_task(_keep_busy(stage, agents, random.Random(str(new_id()))))
        for helper in helpers:
            await _set(helper, "hold")
            group.create_task(_serve_overflow(stage, helper, agents, random.Random(str(new_id()))))


async def _set(agent: Person, state: str) -> None:
    with contextlib.suppress(Refused):
        await agent.ask({"type": "agent.state", "state": state})


async def _stay_ready(agent: Person) -> None:
    """Strikes or a restart may have put the seat on hold."""
    while True:
        await asyncio.sleep(5)
        if agent.seat not in ("ready", "busy"):
            await _set(agent, "ready")


async def _pass_strays_on(stage: Stage, agent: Person) -> None:
    """A visitor's shopper who happens on a scripted agent goes on to where real people sign in; a scripted shopper of
    an earlier run, who will never answer, is let go."""
    to = await stage.pool.fetchval(
        "select p.id from pool p join account a on a.provider_id = p.owner_id where a.login = $1", SHOWN.login
    )

    def strays() -> list[UUID]:
        return [thread for thread, view in agent.views.items() if view["mine"] and thread not in stage.scripted]

    while True:
        await agent.until(lambda: bool(strays()), patience_s=1e9)
        for thread in strays():
            epoch = int(agent.views[thread]["epoch"])
            named = {"thread": str(thread), "epoch": epoch}
            with contextlib.suppress(Refused, TimeoutError):
                if thread in stage.left:
                    await agent.ask({"type": "conversation.close", **named})
                    continue
                await agent.say(thread, PLEASE_WAIT, epoch=epoch)
                await agent.ask({"type": "transfer.request", **named, "to_pool": str(to), "note": "自有客服已满"})
        await asyncio.sleep(RETRY_S)


async def _keep_busy(stage: Stage, agents: list[Person], chance: random.Random) -> None:
    """One place of the own agent, never empty for longer than it takes the next shopper to come."""
    while True:
        try:
            await _visit(stage, agents, chance)
        except (Refused, TimeoutError) as why:
            log.info("a place of the demo's own agent pauses (%s)", why)
            await asyncio.sleep(RETRY_S)


async def _serve_overflow(stage: Stage, helper: Person, agents: list[Person], chance: random.Random) -> None:
    """Opens a provider's seat for one shopper at a time, unless a real person sits at an outsourced seat."""
    while True:
        await asyncio.sleep(chance.uniform(4, 12) * stage.pace)
        try:
            if not await _somebody_real(stage):
                await _visit(stage, agents, chance, helper)
        except PAUSES as why:
            log.info("the demo's %s pauses (%s)", helper.party.name, why)
            await asyncio.sleep(RETRY_S)


async def _somebody_real(stage: Stage) -> bool:
    return bool(
        await stage.pool.fetchval(
            "select true from seat s join account a on a.id = s.agent_id where a.login = $1 and s.state = 'ready'",
            SHOWN.login,
        )
    )


async def _visit(stage: Stage, agents: list[Person], chance: random.Random, helper: Person | None = None) -> None:
    """One shopper from coming to going; with ``helper``, that seat is open until she has been assigned."""
    async with stage.shopper(chance) as shopper:
        thread = next(iter(shopper.views))
        stage.scripted.add(thread)
        try:
            talk = chance.choice(TALKS)
            await shopper.ask({"type": "human.request", "thread": str(thread), "topic": talk.topic})
            if helper is not None:
                async with stage.door:  # one seat open at a time, and not for long
                    await _set(helper, "ready")
                    with contextlib.suppress(TimeoutError):
                        await shopper.until(lambda: _has_somebody(shopper, thread), patience_s=20)
                    await _set(helper, "hold")
            await shopper.until(lambda: _has_somebody(shopper, thread), patience_s=300)
            agent = await _who_has(thread, agents)
            if agent is None:
                await shopper.say(thread, talk.lines[0][0])
                await asyncio.sleep(60)
            else:
                await _converse(stage, shopper, agent, thread, talk, chance)
        finally:
            stage.scripted.discard(thread)


def _has_somebody(shopper: Person, thread: UUID) -> bool:
    return bool(shopper.views[thread]["state"] == "assigned")


async def _who_has(thread: UUID, agents: list[Person]) -> Person | None:
    """The scripted agent to whom the shopper was given; None: a real person has her."""
    for _ in range(40):  # the agent's own line may be a little behind
        for agent in agents:
            if thread in agent.views and agent.views[thread]["mine"]:
                return agent
        await asyncio.sleep(0.05)
    return None


async def _converse(
    stage: Stage, shopper: Person, agent: Person, thread: UUID, talk: Talk, chance: random.Random
) -> None:
    manner = IN_HOUSE if agent.party.name == OWN.name else PROVIDER
    conversation = str(shopper.views[thread]["conversation"])
    for question, answer in talk.lines:
        await shopper.say(thread, question)
        await asyncio.sleep(chance.lognormvariate(math.log(manner.reply_s), manner.spread))
        if thread not in agent.views:
            return  # moved on by a supervisor, or by the dispatcher after a restart
        await agent.say(thread, answer, epoch=int(agent.views[thread]["epoch"]))
        await asyncio.sleep(chance.uniform(3, 9) * stage.pace)
    if talk.topic == "pre_sales" and chance.random() < manner.buys + NEVER_PAID:
        pays = chance.random() < manner.buys / (manner.buys + NEVER_PAID)
        stage.later(stage.till.rings(shopper.party.name, pays_after_s=chance.uniform(5, 40) if pays else None))
    if chance.random() < RATES:
        stars = chance.choices((5, 4, 3, 2), manner.stars)[0]
        await shopper.ask(
            {"type": "rating.submit", "thread": str(thread), "conversation": conversation, "stars": stars,
             "client_msg_id": str(new_id())}
        )  # fmt: skip
    if thread in agent.views:
        epoch = int(agent.views[thread]["epoch"])
        with contextlib.suppress(Refused):  # she may have been moved on meanwhile
            await agent.ask({"type": "conversation.close", "thread": str(thread), "epoch": epoch})

"""Dispatch over real sockets: from a shopper's wish to who serves him, and from a freed slot to the next shopper.

A real hub and a real dispatcher process, embedded stores; part of ``python -m benchmarks.dispatch``.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg

from benchmarks.measure import cpu_us, end_on_term, family, halves, percentile
from benchmarks.stage import HOST, KEY, Arrangement, Stage
from dispatcher.admin_record import add_pool, put_policy, put_seat, routing_changed
from dispatcher.model import Policy
from wangxin import auth
from wangxin.clock import new_id, now_ms
from wangxin.replay.person import Person, Refused
from wangxin.storage import accounts
from wangxin.storage.postgres import _prepare as speak_json


async def seat_agents(conn: asyncpg.Connection, shop: UUID, count: int, seats_max: int = 20) -> list[tuple[UUID, UUID]]:
    """Agents with seats of one own pool, as (account, session)."""
    pool, found = new_id(), []
    async with conn.transaction():
        await add_pool(conn, shop, pool, "自有客服", outsourced=False)
        for n in range(count):
            account, session = new_id(), new_id()
            await accounts.keep_account(
                conn, account, login=f"seat{n}", password_hash="-", role="agent", name=f"客服{n}", shops=[shop]
            )
            await accounts.open_session(conn, session, account, str(session), address="", device="")
            await put_seat(conn, shop, account, f"客服{n}", [pool], outsourced=False, seats_max=seats_max)
            found.append((account, session))
        await put_policy(conn, shop, Policy(), new_id())
        await routing_changed(conn, shop)
    return found


def token_of(token: str) -> Any:
    async def ask() -> str:
        return token

    return ask


@dataclass
class Floor:
    """Everybody is in: agents are ready, shoppers have said nothing yet."""

    agents: list[Person]
    shoppers: list[Person]
    watch: dict[str, list[int]]

    def cpu(self) -> dict[str, float]:
        return {name: cpu_us(p for pid in pids for p in family(pid)) for name, pids in self.watch.items()}


@asynccontextmanager
async def open_floor(folder: Path, shoppers: int, agents: int, seats_max: int) -> AsyncIterator[Floor]:
    """Hub, dispatcher and stores on one half of the CPUs, the people on the other."""
    end_on_term()
    server_cpus, load_cpus = halves()
    stage = Stage(Arrangement("wangxin", 1, 0, shoppers), folder, load_cpus)
    os.sched_setaffinity(0, server_cpus)
    dispatcher: subprocess.Popen[bytes] | None = None
    try:
        await stage.open(enter=False)
        conn = await asyncpg.connect(stage.postgres.url)
        await speak_json(conn)
        shop = await conn.fetchval("select shop_id from shop")
        seated = await seat_agents(conn, shop, agents, seats_max)
        await conn.close()
        environment = {
            **os.environ, "WANGXIN_POSTGRES_URL": stage.postgres.url, "WANGXIN_VALKEY_URL": stage.valkey.url,
            "WANGXIN_DATA": str(stage.folder),
        }  # fmt: skip
        with open(stage.folder / "dispatcher.log", "wb") as log:
            command = [sys.executable, "-m", "wangxin", "dispatcher"]
            dispatcher = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        os.sched_setaffinity(0, load_cpus)
        url = f"ws://{HOST}:{stage.ports[0]}/ws"
        people = [json.loads(line) for line in (stage.folder / "people.jsonl").read_text().splitlines()]
        async with AsyncExitStack() as stack:
            floor = Floor([], [], {**stage.watch(), "dispatcher": [dispatcher.pid]})
            for account, session in seated:
                token = auth.sign_account(account, session, KEY, now_ms())
                agent = await stack.enter_async_context(Person("agent", "agent", url, token_of(token)))
                await agent.ask({"type": "agent.state", "state": "ready"})
                floor.agents.append(agent)
            for person in people:
                shopper = Person("shopper", "shopper", url, token_of(person["token"]))
                floor.shoppers.append(await stack.enter_async_context(shopper))
            yield floor
    finally:
        os.sched_setaffinity(0, server_cpus | load_cpus)
        if dispatcher is not None:
            dispatcher.kill()
            dispatcher.wait()
        await stage.close()


# --- asked, assigned --------------------------------------------------------------------------------------------


async def whole_way(folder: Path, handoffs: int, per_s: float) -> dict[str, Any]:
    """Ten agents close each conversation at once. ``cpu_us`` is for a whole one: asked, assigned, closed."""
    async with open_floor(folder, handoffs, 10, 20) as floor:
        desks = [Desk(agent) for agent in floor.agents]
        before = floor.cpu()
        asking = []
        for shopper in floor.shoppers:
            asking.append(asyncio.create_task(_wait_of(shopper)))
            await asyncio.sleep(1 / per_s)
        waits = sorted(await asyncio.gather(*asking))
        for desk in desks:
            await desk.done()
        spent = {name: (us - before[name]) / handoffs for name, us in floor.cpu().items()}
    return {"handoffs": handoffs, "per_s": per_s, **_figures(waits), "cpu_us": spent}


async def freed_slot(folder: Path, shoppers: int, agents: int = 4, talk_s: float = 0.25) -> dict[str, Any]:
    """Everybody waits, each agent has one slot: from his closing of one to his frame that names the next."""
    async with open_floor(folder, shoppers, agents, 1) as floor:
        desks = [Desk(agent, talk_s) for agent in floor.agents]
        for shopper in floor.shoppers:
            await shopper.ask({"type": "human.request", "thread": str(next(iter(shopper.views)))})
        async with asyncio.timeout(60 + shoppers * (talk_s + 1) / agents):
            while sum(desk.served for desk in desks) < shoppers:
                await asyncio.sleep(0.05)
        waits = sorted(wait for desk in desks for wait in desk.waits)
    return {"shoppers": shoppers, "agents": agents, **_figures(waits)}


def _figures(waits: list[float]) -> dict[str, float]:
    return {
        "p50_ms": percentile(waits, 0.5) * 1e3, "p99_ms": percentile(waits, 0.99) * 1e3, "max_ms": waits[-1] * 1e3
    }  # fmt: skip


@dataclass
class Desk:
    """An agent who closes each conversation ``talk_s`` after he got it.

    ``waits``: seconds from a closing to the next.
    """

    agent: Person
    talk_s: float = 0.0
    served: int = 0
    waits: list[float] = field(default_factory=list)
    closed_at: float | None = None
    closing: set[asyncio.Task[None]] = field(default_factory=set)
    seen: set[tuple[str, int]] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.agent.listen(self._look)

    def _look(self, frame: dict[str, Any]) -> None:
        view = frame.get("view") or {}
        if frame["type"] != "thread.update" or view["state"] != "assigned" or not view["mine"]:
            return
        if (view["thread"], view["epoch"]) in self.seen:
            return
        self.seen.add((view["thread"], view["epoch"]))
        if self.closed_at is not None:
            self.waits.append(time.perf_counter() - self.closed_at)
            self.closed_at = None
        task = asyncio.get_running_loop().create_task(self._close(view["thread"], view["epoch"]))
        self.closing.add(task)
        task.add_done_callback(self.closing.discard)

    async def _close(self, thread: str, epoch: int) -> None:
        await asyncio.sleep(self.talk_s)
        self.closed_at = time.perf_counter()
        with contextlib.suppress(Refused):
            await self.agent.ask({"type": "conversation.close", "thread": thread, "epoch": epoch})
        self.served += 1

    async def done(self) -> None:
        while self.closing:
            await asyncio.wait(self.closing)


async def _wait_of(shopper: Person) -> float:
    """Seconds from the shopper's frame to the line that says who serves him."""
    thread = next(iter(shopper.views))
    assigned: asyncio.Future[float] = asyncio.get_running_loop().create_future()

    def look(frame: dict[str, Any]) -> None:
        body = (frame.get("entry") or {}).get("body") or {}
        if body.get("event") == "conversation.assigned" and not assigned.done():
            assigned.set_result(time.perf_counter())

    shopper.listen(look)
    began = time.perf_counter()
    await shopper.ask({"type": "human.request", "thread": str(thread)})
    return await asyncio.wait_for(assigned, 60.0) - began

"""How fast conversations find somebody: ``python -m benchmarks.dispatch [--quick] [--json]``.

First the pure core alone: events a CPU second on a floor of 1,000 agents. Then the whole way: a shopper on a websocket
asks for a person, and sees who was assigned; a real hub, a real dispatcher and embedded stores lie between.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg

from benchmarks.measure import cpu_us, end_on_term, family, halves, machine, percentile
from benchmarks.stage import HOST, KEY, Arrangement, Stage
from dispatcher import events as ev
from dispatcher.admin_record import add_pool, put_policy, put_seat, routing_changed
from dispatcher.core import Core
from dispatcher.decisions import Assign
from dispatcher.model import Contract, Policy, Pool, Routing, Seat, Shop, TopicRule
from wangxin import auth
from wangxin.clock import new_id, now_ms
from wangxin.replay.person import Person, Refused
from wangxin.storage import accounts
from wangxin.storage.postgres import _prepare as speak_json

START_MS = 1_764_000_000_000
SHOPS, OWN, PROVIDERS, HIRED, SEATS_MAX = 8, 75, 2, 200, 5
"""Eight shops with seventy-five agents each, and two providers with two hundred who serve all of them: 1,000 agents in
ten pools."""
TOPICS = tuple(TopicRule(f"topic{n:02}", priority=n % 3, target_ms=20_000 + 10_000 * (n % 4)) for n in range(25))
"""Eight shops with twenty-five topics each: 200 lines of people who wait."""
QUIET = Policy(
    first_reply_ms=None, next_reply_ms=None, park_ms=None, close_idle_ms=None, message_box_ms=None, topics=TOPICS
)


# --- the core ---------------------------------------------------------------------------------------------------


def floor() -> Routing:
    shops = [f"shop{n}" for n in range(SHOPS)]
    providers = [f"provider{n}" for n in range(PROVIDERS)]
    own = [Seat(f"{shop}/{n}", pools=(shop,), seats_max=SEATS_MAX) for shop in shops for n in range(OWN)]
    hired = [Seat(f"{one}/{n}", pools=(one,), seats_max=SEATS_MAX) for one in providers for n in range(HIRED)]
    return Routing(
        shops=tuple(Shop(shop, QUIET) for shop in shops),
        pools=(
            *(Pool(shop, "in_house", shop=shop) for shop in shops),
            *(Pool(one, "outsourced", provider=one) for one in providers),
        ),
        contracts=tuple(
            Contract(f"{shop}-{one}", 1, shop, one, (one,), rank=rank)
            for shop in shops
            for rank, one in enumerate(providers, 1)
        ),
        seats=(*own, *hired),
    )


def core_rate(busy: float, events: int, seed: int = 1) -> dict[str, float]:
    """``busy``: conversations going on or waiting, as a share of all slots."""
    chance = random.Random(seed)
    routing = floor()
    core = Core(routing)
    now = START_MS
    for seat in routing.seats:
        core.apply(ev.AgentConnected(seat.agent), now)
        core.apply(ev.SeatStateSet(seat.agent, "ready"), now)
    wanted = int(len(routing.seats) * SEATS_MAX * busy)
    going: list[str] = []
    where: dict[str, int] = {}
    asked = assigned = 0
    times: list[int] = []

    def apply(event: ev.Event) -> None:
        nonlocal assigned
        began = time.perf_counter_ns()
        made = core.apply(event, now)
        times.append(time.perf_counter_ns() - began)
        for one in made:
            if isinstance(one, Assign):
                assigned += 1
                where[one.conversation] = len(going)
                going.append(one.conversation)

    def step() -> None:
        nonlocal asked, now
        now += 10
        waiting = asked - finished - len(going)
        if len(going) + waiting < wanted:
            asked += 1
            shop, topic = f"shop{chance.randrange(SHOPS)}", chance.choice(TOPICS).topic
            apply(ev.HandoffRequested(f"c{asked:09}", shop, f"p{asked}", now, topic))
        else:
            close()

    finished = 0

    def close() -> None:
        nonlocal finished
        at = chance.randrange(len(going))
        conversation, last = going[at], going.pop()
        if last != conversation:
            going[at] = last
            where[last] = at
        del where[conversation]
        finished += 1
        apply(ev.CloseRequested(conversation))

    while asked < wanted:
        step()
    times.clear()
    assigned = 0
    began = time.process_time()
    for _ in range(events):
        step()
    took = time.process_time() - began
    ordered = sorted(times)
    return {
        "busy": busy, "events": events, "events_per_cpu_s": events / took, "assignments_per_cpu_s": assigned / took,
        "p50_us": percentile(ordered, 0.5) / 1e3, "p99_us": percentile(ordered, 0.99) / 1e3,
    }  # fmt: skip


# --- the whole way ----------------------------------------------------------------------------------------------


async def seat_agents(conn: asyncpg.Connection, shop: UUID, count: int) -> list[tuple[UUID, UUID]]:
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
            await put_seat(conn, shop, account, f"客服{n}", [pool], outsourced=False, seats_max=20)
            found.append((account, session))
        await put_policy(conn, shop, Policy(), new_id())
        await routing_changed(conn, shop)
    return found


def token_of(token: str) -> Any:
    async def ask() -> str:
        return token

    return ask


async def whole_way(folder: Path, handoffs: int, per_s: float, agents: int = 10) -> dict[str, Any]:
    """``cpu_us`` by process is for a whole conversation: asked, assigned, closed."""
    end_on_term()
    server_cpus, load_cpus = halves()
    stage = Stage(Arrangement("wangxin", 1, 0, handoffs), folder / "stage", load_cpus)
    os.sched_setaffinity(0, server_cpus)
    dispatcher: subprocess.Popen[bytes] | None = None
    waits: list[float] = []
    cpu: dict[str, float] = {}
    try:
        await stage.open(enter=False)
        conn = await asyncpg.connect(stage.postgres.url)
        await speak_json(conn)
        shop = await conn.fetchval("select shop_id from shop")
        seated = await seat_agents(conn, shop, agents)
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
            for account, session in seated:
                token = auth.sign_account(account, session, KEY, now_ms())
                agent = await stack.enter_async_context(Person("agent", "agent", url, token_of(token)))
                agent.listen(lambda frame, agent=agent: _finish(agent, frame))  # type: ignore[misc]
                await agent.ask({"type": "agent.state", "state": "ready"})
            shoppers = [
                await stack.enter_async_context(Person("shopper", "shopper", url, token_of(person["token"])))
                for person in people
            ]
            watch = {**stage.watch(), "dispatcher": [dispatcher.pid]}
            before = {name: cpu_us(p for pid in pids for p in family(pid)) for name, pids in watch.items()}
            asking = []
            for shopper in shoppers:
                asking.append(asyncio.create_task(_wait_of(shopper)))
                await asyncio.sleep(1 / per_s)
            waits = sorted(await asyncio.gather(*asking))
            while _closing:
                await asyncio.wait(_closing)
            cpu = {
                name: (cpu_us(p for pid in pids for p in family(pid)) - before[name]) / handoffs
                for name, pids in watch.items()
            }
    finally:
        if dispatcher is not None:
            dispatcher.kill()
            dispatcher.wait()
        await stage.close()
    return {
        "handoffs": handoffs, "per_s": per_s, "p50_ms": percentile(waits, 0.5) * 1e3,
        "p99_ms": percentile(waits, 0.99) * 1e3, "max_ms": waits[-1] * 1e3, "cpu_us": cpu,
    }  # fmt: skip


_closing: set[asyncio.Task[Any]] = set()


def _finish(agent: Person, frame: dict[str, Any]) -> None:
    """An agent is done with a conversation as soon as he has it, so that there is always room."""
    view = frame.get("view") or {}
    if frame["type"] == "thread.update" and view["state"] == "assigned" and view["mine"]:
        done = {"type": "conversation.close", "thread": view["thread"], "epoch": view["epoch"]}
        task = asyncio.get_running_loop().create_task(_close(agent, done))
        _closing.add(task)
        task.add_done_callback(_closing.discard)


async def _close(agent: Person, done: dict[str, Any]) -> None:
    with contextlib.suppress(Refused):  # a view may come twice: he is done with it already
        await agent.ask(done)


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


# --- telling ----------------------------------------------------------------------------------------------------


def text(found: dict[str, Any]) -> str:
    m = found["machine"]
    lines = [f"{m['cpu']}, {m['cpus']} CPUs, Python {m['python']}, load {m['load_before']} before", ""]
    for one in found["core"]:
        lines.append(
            f"core, 1,000 agents, {one['busy']:.0%} of the slots wanted: {one['events_per_cpu_s']:>9,.0f} events and"
            f" {one['assignments_per_cpu_s']:>7,.0f} assignments a CPU second; p50 {one['p50_us']:.0f}"
            f" p99 {one['p99_us']:.0f} µs"
        )
    reached = found["core"][0]["events_per_cpu_s"] >= 100_000
    lines.append(f"goal: 100,000 events a second at 1,000 agents: {'reached' if reached else 'MISSED'}")
    way = found["way"]
    lines.append(
        f"asked for a person → sees who serves him, {way['handoffs']} at {way['per_s']:.0f}/s:"
        f" p50 {way['p50_ms']:.0f} p99 {way['p99_ms']:.0f} max {way['max_ms']:.0f} ms"
    )
    spent = ", ".join(f"{name} {us:,.0f}" for name, us in way["cpu_us"].items())
    lines.append(f"CPU µs a conversation (asked, assigned, closed): {spent}")
    lines.append(f"goal: p99 at most 50 ms on idle cores: {'reached' if way['p99_ms'] <= 50 else 'MISSED'}")
    return "\n".join(lines)


def measure(quick: bool) -> dict[str, Any]:
    found: dict[str, Any] = {"machine": machine()}
    found["core"] = [core_rate(busy, 5_000 if quick else 100_000) for busy in (0.8, 1.1)]
    with tempfile.TemporaryDirectory(prefix="wx-bench-") as name:
        os.chmod(name, 0o755)
        found["way"] = asyncio.run(whole_way(Path(name), 30 if quick else 200, 5))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="5,000 events and 30 handoffs")
    parser.add_argument("--json", action="store_true", help="figures as JSON")
    asked = parser.parse_args()
    found = measure(asked.quick)
    print(json.dumps(found) if asked.json else text(found))


if __name__ == "__main__":
    main()

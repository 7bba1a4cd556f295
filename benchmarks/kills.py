"""Nothing is lost or decided twice, whoever dies: ``python -m benchmarks.kills [--kills 100] [--rate 30] [--seed 1]``.

Shoppers ask for a person at a steady rate, agents close what they have, and two dispatcher processes stand by for each
other. The one that leads is killed (kill -9) again and again, and in between frozen until the other leads (SIGSTOP,
then SIGCONT), Valkey is killed and started again, and PostgreSQL is frozen for a while. Then the record is judged: each
conversation that was asked for was given to one agent once and closed once, numbers have no gaps, and no leader wrote
after the next one had begun. Recovery is the time from the fault to the first assignment that is committed under the
next leader (Valkey: to the next assignment; PostgreSQL: with the time it stood still). Exit 1 if anything is wrong.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from uuid import UUID

from benchmarks.dispatch_way import seat_agents
from benchmarks.measure import end_on_term, family, machine, percentile
from dispatcher.intake import Intake
from dispatcher.people import agent_scope
from wangxin.clock import new_id
from wangxin.model.actor import Actor, Role
from wangxin.model.refusals import Refusal
from wangxin.protocol import frames as fr
from wangxin.storage import postgres
from wangxin.storage.embedded import EmbeddedPostgres, EmbeddedValkey
from wangxin.storage.hints import Hints
from wangxin.storage.migrate import migrate
from wangxin.storage.valkey import connect

SHOPPERS, AGENTS = 400, 10
FROZEN_S = 1.5
PATIENCE_S = 60.0
OTHERS = ("freeze", "valkey", "freeze", "postgres")
"""After every fourth kill one of these, in turn."""


class House:
    def __init__(self, folder: Path, rate: float, seed: int) -> None:
        self.folder, self.rate, self.chance = folder, rate, random.Random(seed)
        self.dispatchers: dict[str, subprocess.Popen[bytes]] = {}
        self.started = self.turn = 0
        self.asked: dict[UUID, int] = defaultdict(int)
        """Askings that were acknowledged, by thread."""
        self.recovery: dict[str, list[float]] = defaultdict(list)
        self.refused = 0

    # --- stores, people -----------------------------------------------------------------------------------------

    async def open(self) -> None:
        self.postgres = EmbeddedPostgres(self.folder, database="kills")
        self.valkey = EmbeddedValkey(self.folder)
        await asyncio.gather(self.postgres.start(), self.valkey.start())
        await migrate(self.postgres.url)
        self.pool = await postgres.open_pool(self.postgres.url, least=2, most=8, name="kills")
        self.hints = Hints(connect(self.valkey.url))
        self.intake = Intake(self.pool, self.hints)
        self.shop = new_id()
        await self.pool.execute(
            "insert into shop (shop_id, slug, name, token_secret) values ($1, 'kills', '森野', $2)", self.shop, "s" * 43
        )
        async with self.pool.acquire() as conn:
            agents = [account for account, _ in await seat_agents(conn, self.shop, AGENTS)]  # type: ignore[arg-type]
        self.agents: dict[UUID, Actor] = {}
        for agent in agents:
            scope = await agent_scope(self.pool, agent)  # type: ignore[arg-type]
            assert scope is not None
            self.agents[agent] = Actor(Role.AGENT, agent, scope.shops, scope.name)
            await self.intake.agent_here(agent, "n1")
            await self.intake.agent_state(self.agents[agent], fr.AgentStateSet(state="ready"))
        self.threads: list[tuple[UUID, Actor]] = []
        for n in range(SHOPPERS):
            shopper, thread = new_id(), new_id()
            await self.pool.execute(
                "insert into shopper (shop_id, id, name) values ($1, $2, $3)", self.shop, shopper, f"顾客{n}"
            )
            await self.pool.execute(
                "insert into thread (shop_id, id, shopper_id) values ($1, $2, $3)", self.shop, thread, shopper
            )
            self.threads.append((thread, Actor(Role.SHOPPER, shopper, frozenset({self.shop}), f"顾客{n}")))

    def close(self) -> None:
        for process in self.dispatchers.values():
            process.kill()
            process.wait()
        self.pool.terminate()
        self.postgres.stop(how="immediate")
        self.valkey.stop(how="kill")

    async def shoppers_ask(self) -> None:
        """An asking that PostgreSQL could not take is asked again: asking twice changes nothing."""
        while True:
            await asyncio.sleep(1 / self.rate)
            thread, actor = self.threads[self.turn % SHOPPERS]
            self.turn += 1
            if await self._patiently(lambda t=thread: self._state(t)) != "closed":
                continue  # he is waiting or served
            reply = await self._patiently(lambda t=thread, a=actor: self._ask(a, t))
            self.asked[thread] += 1
            await asyncio.gather(*(self.hints.wake(consumer) for consumer in reply.wake))

    async def _state(self, thread: UUID) -> Any:
        return await self.pool.fetchval("select state from thread where id = $1", thread)

    async def _ask(self, actor: Actor, thread: UUID) -> Any:
        return await self.intake.human_request(actor, fr.HumanRequest(thread=thread))

    async def agents_close(self) -> None:
        while True:
            await asyncio.sleep(0.2)
            for row in await self._patiently(self._at_hand):
                done = fr.ConversationClose(thread=row["id"], epoch=row["epoch"])
                actor = self.agents[row["agent_id"]]
                with contextlib.suppress(Refusal):  # closed meanwhile
                    await self._patiently(lambda a=actor, d=done: self.intake.conversation_close(a, d))

    async def _at_hand(self) -> Any:
        return await self.pool.fetch(
            "select id, epoch, agent_id from thread where shop_id = $1 and state = 'assigned'", self.shop
        )

    async def _patiently(self, do: Callable[[], Awaitable[Any]]) -> Any:
        while True:
            try:
                async with asyncio.timeout(10):
                    return await do()
            except postgres.TRANSIENT:
                await asyncio.sleep(0.1)

    # --- dispatchers --------------------------------------------------------------------------------------------

    def start(self) -> None:
        self.started += 1
        holder = f"d{self.started:04}"
        stores = {"WANGXIN_POSTGRES_URL": self.postgres.url, "WANGXIN_VALKEY_URL": self.valkey.url}
        with (self.folder / "dispatchers.log").open("ab") as log:
            command = [sys.executable, "-m", "tests.dispatcher.dispatcher_process", holder]
            self.dispatchers[holder] = subprocess.Popen(command, env={**os.environ, **stores}, stdout=log, stderr=log)

    async def _lease(self) -> tuple[str, int]:
        row = await self._patiently(lambda: self.pool.fetchrow("select holder, epoch from dispatch_lease"))
        return (row["holder"], row["epoch"]) if row else ("", 0)

    async def ready(self) -> tuple[str, int]:
        """(leader, epoch), once one leads and makes assignments, and another stands by."""

        async def look() -> Any:
            holder, epoch = await self._lease()
            standing = await self.pool.fetchval(
                "select count(distinct application_name) from pg_stat_activity where application_name = any($1)",
                [name for name in self.dispatchers if name != holder],
            )
            works = await self.pool.fetchval("select exists (select 1 from dispatch_journal where epoch = $1)", epoch)
            return (holder, epoch) if holder in self.dispatchers and standing and works else None

        leads: tuple[str, int] = await self._until(look)
        return leads

    async def _until(self, look: Callable[[], Awaitable[Any]]) -> Any:
        end = time.monotonic() + PATIENCE_S
        while not (seen := await self._patiently(look)):
            if time.monotonic() > end:
                raise RuntimeError(f"it did not come within {PATIENCE_S:.0f} s: {self._log()}")
            await asyncio.sleep(0.02)
        return seen

    def _log(self) -> str:
        return (self.folder / "dispatchers.log").read_text()[-3_000:]

    async def _first_after(self, at_ms: float, epoch: int) -> float:
        """Seconds from ``at_ms`` to the first assignment that a leader after ``epoch`` made."""

        async def look() -> Any:
            return await self.pool.fetchval(
                """select min(extract(epoch from a.assigned_at) * 1000)::float8 from assignment a
                    where a.assigned_at > to_timestamp($1::float8 / 1000) and exists (
                      select 1 from dispatch_journal j where j.epoch > $2 and j.at_ms > $1 and j.at_ms <=
                        extract(epoch from a.assigned_at) * 1000 and j.decisions @> '[{"type": "Assign"}]'::jsonb)""",
                at_ms, epoch,
            )  # fmt: skip

        return float((await self._until(look)) - at_ms) / 1_000

    # --- faults -------------------------------------------------------------------------------------------------

    async def kill(self) -> None:
        holder, epoch = await self.ready()
        await asyncio.sleep(self.chance.random() * 0.5)
        at_ms = time.time() * 1_000
        self.dispatchers[holder].kill()
        self.dispatchers.pop(holder).wait()
        self.start()
        self.recovery["kill -9 of the leader"].append(await self._first_after(at_ms, epoch))

    async def freeze(self) -> None:
        holder, epoch = await self.ready()
        at_ms = time.time() * 1_000
        os.kill(self.dispatchers[holder].pid, signal.SIGSTOP)
        try:
            self.recovery["freeze of the leader"].append(await self._first_after(at_ms, epoch))
        finally:
            os.kill(self.dispatchers[holder].pid, signal.SIGCONT)

        async def refused() -> bool:
            said = (self.folder / "dispatchers.log").read_text()
            return said.count("standing by") + said.count("PostgreSQL is away") > self.refused

        await self._until(refused)
        said = (self.folder / "dispatchers.log").read_text()
        self.refused = said.count("standing by") + said.count("PostgreSQL is away")

    async def lose_valkey(self) -> None:
        await self.ready()
        at_ms = time.time() * 1_000
        self.valkey.stop(how="kill", wipe=True)
        self.recovery["Valkey killed and wiped"].append(await self._first_after(at_ms, 0))
        await self.valkey.start()

    async def freeze_postgres(self) -> None:
        await self.ready()
        assert self.postgres.pid is not None
        processes = family(self.postgres.pid)
        at_ms = time.time() * 1_000
        for pid in processes:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGSTOP)
        await asyncio.sleep(FROZEN_S)
        for pid in processes:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)
        self.recovery[f"PostgreSQL frozen for {FROZEN_S} s"].append(await self._first_after(at_ms + FROZEN_S * 1e3, 0))

    async def settle(self) -> None:
        """Everybody who asked is served and gone."""
        await self._until(
            lambda: self.pool.fetchval(
                "select not exists (select 1 from thread where state <> 'closed')"
                " and not exists (select 1 from outbox where consumer = 'dispatcher')"
            )
        )


_TOLD = """select count(*) from conversation c where 1 <> (
    select count(*) from entry e where e.shop_id = c.shop_id and e.thread_id = c.thread_id and e.kind = 'event'
       and e.body @> jsonb_build_object('event', '{}', 'conversation', c.id::text))"""
JUDGED = {
    "conversations": "select count(*) from conversation",
    "not closed": "select count(*) from conversation where state <> 'closed'",
    "never given to anybody": """select count(*) from conversation c where not exists (
        select 1 from assignment a where a.shop_id = c.shop_id and a.conversation_id = c.id)""",
    "given more than once": """select count(*) from (select 1 from assignment group by shop_id, conversation_id
        having count(*) > 1) twice""",
    "still open in the books": "select count(*) from assignment where released_at is null",
    "told other than once that somebody serves him": _TOLD.format("conversation.assigned"),
    "closed other than once": _TOLD.format("conversation.closed"),
    "threads with a gap in their numbers": """select count(*) from (
        select 1 from entry group by shop_id, thread_id, lane having count(*) <> max(seq) or min(seq) <> 1) gaps""",
    "agents above their limit at any time": """select count(*) from (
        select a.agent_id, a.assigned_at, (select count(*) from assignment b where b.agent_id = a.agent_id
          and b.assigned_at <= a.assigned_at and (b.released_at is null or b.released_at > a.assigned_at)) as load
          from assignment a) l join seat s using (agent_id) where l.load > s.seats_max""",
    "leaders that wrote after the next one": """select count(*) from (
        select max(at_ms) as last, lead(min(at_ms)) over (order by epoch) as next
          from dispatch_journal group by epoch) e where last > next""",
}


async def measure(folder: Path, kills: int, rate: float, seed: int) -> dict[str, Any]:
    end_on_term()
    house = House(folder, rate, seed)
    await house.open()
    crowd: list[asyncio.Task[None]] = []
    try:
        house.start()
        house.start()
        crowd = [asyncio.create_task(house.shoppers_ask()), asyncio.create_task(house.agents_close())]
        began = time.monotonic()
        others = {"freeze": house.freeze, "valkey": house.lose_valkey, "postgres": house.freeze_postgres}
        for n in range(kills):
            await house.kill()
            if n % 4 == 3:
                await others[OTHERS[n // 4 % len(OTHERS)]]()
            for task in crowd:
                if task.done():
                    task.result()
        took = time.monotonic() - began
        crowd.pop(0).cancel()
        await house.settle()
        judged = {name: await house.pool.fetchval(query) for name, query in JUDGED.items()}
        opened = dict(await house.pool.fetch("select thread_id, count(*) from conversation group by thread_id"))
        judged["acknowledged askings that are not in the record"] = sum(
            max(0, count - opened.get(thread, 0)) for thread, count in house.asked.items()
        )
        epochs = await house.pool.fetchval("select epoch from dispatch_lease")
    finally:
        for task in crowd:
            task.cancel()
        await asyncio.gather(*crowd, return_exceptions=True)
        house.close()
    return {
        "machine": machine(), "kills": kills, "rate": rate, "seed": seed, "took_s": took,
        "asked": sum(house.asked.values()), "judged": judged, "epochs": epochs,
        "recovery_s": {name: sorted(all_) for name, all_ in house.recovery.items()},
    }  # fmt: skip


def wrong(found: dict[str, Any]) -> list[str]:
    return [name for name, count in found["judged"].items() if name != "conversations" and count]


def text(found: dict[str, Any]) -> str:
    m = found["machine"]
    lines = [
        f"{m['cpu']}, {m['cpus']} CPUs, load {m['load_before']} after",
        f"{found['kills']} kills within {found['took_s']:.0f} s, {found['asked']:,} askings at {found['rate']:.0f}/s,"
        f" seed {found['seed']}, {found['epochs']} leaders",
    ]
    for name, all_ in found["recovery_s"].items():
        lines.append(
            f"{name}, {len(all_)} times: routing again after p50 {percentile(all_, 0.5):.2f}"
            f" p99 {percentile(all_, 0.99):.2f} max {all_[-1]:.2f} s"
        )
    lines += [f"{name}: {count:,}" for name, count in found["judged"].items()]
    slow = max(all_[-1] for all_ in found["recovery_s"].values())
    lines.append(f"goal: nothing lost or doubled: {'MISSED' if wrong(found) else 'reached'}")
    lines.append(f"goal: routing resumes within 5 s: {'reached' if slow <= 5 else 'MISSED'}")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--rate", type=float, default=30, help="conversations asked for in a second")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="wx-kills-") as name:
        os.chmod(name, 0o755)
        found = asyncio.run(measure(Path(name), asked.kills, asked.rate, asked.seed))
    print(json.dumps(found) if asked.json else text(found))
    sys.exit(1 if wrong(found) else 0)


if __name__ == "__main__":
    main()

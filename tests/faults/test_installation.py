"""Each process of a running installation is killed in turn while recorded conversations go on: nobody notices much."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from dispatcher.replaying import replay
from tests.faults.crowd import PATIENCE_S
from wangxin.replay.drive import drive
from wangxin.replay.recording import Recorded, Recording, Spoken
from wangxin.replay.result import Plan
from wangxin.replay.run import judged
from wangxin.replay.stage import Stage, stage
from wangxin.replay.timing import script

SHOPPERS, PLACES = 9, 4


async def until(place: Stage, sql: str, least: int) -> None:
    """Until the record counts so many."""
    async with asyncio.timeout(PATIENCE_S):
        while await place.pool.fetchval(sql) < least:
            await asyncio.sleep(0.02)


async def spoken(place: Stage) -> int:
    return int(await place.pool.fetchval("select count(*) from entry where sender_kind in ('shopper', 'agent')"))


@pytest.mark.timeout(240)
async def test_dispatcher_worker_and_hub_are_killed_while_people_talk_and_wait(tmp_path: Path) -> None:
    dialogue = tuple(Spoken(("shopper", "agent")[n % 2], f"第{n}句", 3, n * 1_500) for n in range(6))
    recording = Recording("faults", tuple(Recorded(f"c{n}", n * 100, dialogue) for n in range(SHOPPERS)), 0)
    scripts = script(recording, seed=1, span_ms=60_000)
    plan = Plan(tmp_path, speed=2, limit=None, span_ms=60_000, own=1, outsourced=1, seats=2, seed=1)
    async with stage(plan.own, plan.outsourced, plan.seats, lambda _: None) as place:
        children = {child.name: child for child in place.supervisor.children}
        driving = asyncio.create_task(
            drive(scripts, place.shopper, place.agents, speed=plan.speed, progress=lambda _: None)
        )
        # Four have a person, the others stand in line.
        await until(place, "select count(*) from thread where state = 'assigned'", PLACES)
        await until(place, "select count(*) from thread where state = 'waiting'", SHOPPERS - PLACES)
        line = await place.pool.fetch("select id from conversation where state = 'waiting' order by handoff_at")
        for name in ("dispatcher", "worker", "hub 1"):
            victim = children[name]
            assert victim.process is not None
            victim.process.kill()
            said = await spoken(place)
            async with asyncio.timeout(PATIENCE_S):
                while not (victim.restarts and victim.running and await spoken(place) > said + 2):
                    await asyncio.sleep(0.02)
        outcome = await driving
        result = await judged(plan, place, recording, scripts, outcome)
        assert result.kept, f"{result.verdict}\n{outcome.given_up}\n{result.agreement}"
        assert outcome.finished == SHOPPERS
        assert {name: child.restarts for name, child in children.items()} == {
            "dispatcher": 1, "worker": 1, "hub 1": 1, "hub 2": 0,
        }  # fmt: skip
        states = await place.pool.fetch("select distinct state from conversation")
        assert [row["state"] for row in states] == ["closed"]
        given = await place.pool.fetch(  # in the order of the decisions
            "select (d->>'conversation')::uuid as id from dispatch_journal j,"
            " jsonb_array_elements(j.decisions) with ordinality x(d, n) where d->>'type' = 'Assign'"
            " order by j.epoch, j.seq, n"
        )
        assert [row["id"] for row in given][-len(line) :] == [row["id"] for row in line], "everybody kept his place"
        async with place.pool.acquire() as conn:
            again = await replay(conn, "main", 0, 2**53)
        assert (again.different, again.lines > SHOPPERS) == (0, True), "the journal of both leaders decides the same"

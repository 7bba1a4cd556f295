"""How fast conversations find somebody: ``python -m benchmarks.dispatch [--quick] [--json]``.

First the pure core alone: events a CPU second on a floor of 1,000 agents, ten pools and 200 lines. Then the whole way:
a shopper on a websocket asks for a person, and sees who was assigned; an agent ends a conversation, and sees the next.
A real hub, a real dispatcher and embedded stores lie between.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import os
import random
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.dispatch_way import freed_slot, whole_way
from benchmarks.measure import machine, percentile
from dispatcher import events as ev
from dispatcher.core import Core
from dispatcher.decisions import Assign, Queued
from dispatcher.model import Contract, Policy, Pool, Routing, Seat, Shop, Stage, TopicRule, Trigger

START_MS = 1_764_000_000_000
SHOPS, OWN, PROVIDERS, HIRED, SEATS_MAX = 8, 75, 2, 200, 5
"""Eight shops with seventy-five agents each, and two providers with two hundred who serve all of them: 1,000 agents in
ten pools."""
TOPICS = tuple(TopicRule(f"topic{n:02}", priority=n % 3, target_ms=20_000 + 10_000 * (n % 4)) for n in range(25))
"""Eight shops with twenty-five topics each: 200 lines of people who wait."""
TIMED = Policy(
    first_reply_ms=None, next_reply_ms=None, park_ms=None, close_idle_ms=None, message_box_ms=None, topics=TOPICS
)
"""The stages of the default policy: the second provider is asked after ten seconds only."""
AT_ONCE = replace(TIMED, stages=(Stage("own"), Stage("any", 15_000, (Trigger("no_free_slot"),))))
CASES = {"at once": (AT_ONCE, 0.8), "by stages": (TIMED, 0.8), "overload": (TIMED, 1.1)}


# --- the core ---------------------------------------------------------------------------------------------------


def floor(policy: Policy = TIMED) -> Routing:
    shops = [f"shop{n}" for n in range(SHOPS)]
    providers = [f"provider{n}" for n in range(PROVIDERS)]
    own = [Seat(f"{shop}/{n}", pools=(shop,), seats_max=SEATS_MAX) for shop in shops for n in range(OWN)]
    hired = [Seat(f"{one}/{n}", pools=(one,), seats_max=SEATS_MAX) for one in providers for n in range(HIRED)]
    return Routing(
        shops=tuple(Shop(shop, policy) for shop in shops),
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


def story(
    busy: float, events: int, policy: Policy = TIMED, seed: int = 1
) -> tuple[list[tuple[ev.Event, int]], int, list[int]]:
    """What happens on the floor, in order, with its times; how many of it fill the floor first; and ns a later event.

    ``busy``: conversations going on or waiting, as a share of all slots. It takes a core to know whom to close.
    """
    chance = random.Random(seed)
    routing = floor(policy)
    core = Core(routing)
    told: list[tuple[ev.Event, int]] = []
    going: list[str] = []
    where: dict[str, int] = {}
    times: list[int] = []
    now, asked, finished = START_MS, 0, 0

    def apply(event: ev.Event) -> None:
        told.append((event, now))
        began = time.perf_counter_ns()
        made = core.apply(event, now)
        times.append(time.perf_counter_ns() - began)
        for one in made:
            if isinstance(one, Assign):
                where[one.conversation] = len(going)
                going.append(one.conversation)

    def step() -> None:
        nonlocal asked, finished, now
        now += 10
        if asked - finished < wanted:
            asked += 1
            shop, topic = f"shop{chance.randrange(SHOPS)}", chance.choice(TOPICS).topic
            apply(ev.HandoffRequested(f"c{asked:09}", shop, f"p{asked}", now, topic))
            return
        at = chance.randrange(len(going))
        conversation, last = going[at], going.pop()
        if last != conversation:
            going[at] = last
            where[last] = at
        del where[conversation]
        finished += 1
        apply(ev.CloseRequested(conversation))

    for seat in routing.seats:
        apply(ev.AgentConnected(seat.agent))
        apply(ev.SeatStateSet(seat.agent, "ready"))
    wanted = int(len(routing.seats) * SEATS_MAX * busy)
    while asked < wanted:
        step()
    filled = len(told)
    for _ in range(events):
        step()
    return told, filled, sorted(times[filled:])


def core_rate(busy: float, events: int, policy: Policy = TIMED) -> dict[str, float]:
    """The story told again to a fresh core, which decides the same, so that the CPU time is the core's alone."""
    told, filled, times = story(busy, events, policy)
    core = Core(floor(policy))
    for event, at in told[:filled]:
        core.apply(event, at)
    rest, apply = told[filled:], core.apply
    gc.collect()
    gc.freeze()  # the story is not the core's to look through
    assigned = waits = 0
    began = time.process_time()
    for event, at in rest:
        for one in apply(event, at):
            assigned += type(one) is Assign
            waits += type(one) is Queued
    took = time.process_time() - began
    gc.unfreeze()
    return {
        "busy": busy, "waits": waits / assigned, "events": events, "events_per_cpu_s": events / took,
        "assignments_per_cpu_s": assigned / took,
        "p50_us": percentile(times, 0.5) / 1e3, "p99_us": percentile(times, 0.99) / 1e3,
    }  # fmt: skip


# --- telling ----------------------------------------------------------------------------------------------------


def text(found: dict[str, Any]) -> str:
    m = found["machine"]
    lines = [f"{m['cpu']}, {m['cpus']} CPUs, Python {m['python']}, load {m['load_before']} before", ""]
    for name, one in found["core"].items():
        lines.append(
            f"core, 1,000 agents, {one['busy']:.0%} of the slots wanted, {name}, {one['waits']:.0%} wait:"
            f" {one['events_per_cpu_s']:>9,.0f} events and"
            f" {one['assignments_per_cpu_s']:>7,.0f} assignments a CPU second; p50 {one['p50_us']:.0f}"
            f" p99 {one['p99_us']:.0f} µs"
        )
    rate = found["core"]["at once"]["events_per_cpu_s"]
    for goal in (50_000, 100_000):
        lines.append(f"goal: {goal:,} events a second at 1,000 agents: {'reached' if rate >= goal else 'MISSED'}")
    way = found["way"]
    lines.append(
        f"asked for a person → sees who serves him, {way['handoffs']} at {way['per_s']:.0f}/s:"
        f" p50 {way['p50_ms']:.0f} p99 {way['p99_ms']:.0f} max {way['max_ms']:.0f} ms"
    )
    freed = found["freed"]
    lines.append(
        f"slot freed → the next shopper's frame at the agent, {freed['shoppers']} shoppers, {freed['agents']} agents:"
        f" p50 {freed['p50_ms']:.0f} p99 {freed['p99_ms']:.0f} max {freed['max_ms']:.0f} ms"
    )
    spent = ", ".join(f"{name} {us:,.0f}" for name, us in way["cpu_us"].items())
    lines.append(f"CPU µs a conversation (asked, assigned, closed): {spent}")
    for name, one in (("asked", way), ("freed", freed)):
        lines.append(f"goal, {name}: p99 at most 50 ms on idle cores: {'reached' if one['p99_ms'] <= 50 else 'MISSED'}")
    return "\n".join(lines)


def measure(quick: bool) -> dict[str, Any]:
    found: dict[str, Any] = {"machine": machine()}
    events = 5_000 if quick else 100_000
    found["core"] = {name: core_rate(busy, events, policy) for name, (policy, busy) in CASES.items()}
    with tempfile.TemporaryDirectory(prefix="wx-bench-") as name:
        os.chmod(name, 0o755)
        found["way"] = asyncio.run(whole_way(Path(name) / "way", 30 if quick else 200, 5))
        found["freed"] = asyncio.run(freed_slot(Path(name) / "freed", 24 if quick else 200))
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

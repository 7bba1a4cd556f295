"""Routing policies on a year of real arrivals: ``WANGXIN_SHARED_DATA=… python -m benchmarks.policy_study``.

The shipped dispatcher in virtual time. Arrivals are recorded (the busiest days, times three and times five); the rest
is modelled by the parameters below, which docs/benchmarks.md published before the first run. Exit 1 if the order that
the default policy rests on does not hold: at overload, overflow "when no own slot is free" loses at most a tenth of
what a 20 s ring loses, and choosing pools by expected net value costs less at equal or better service.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from statistics import mean

from dispatcher.arrivals import People, busiest, read_counts, recorded_day, visits
from dispatcher.model import Contract, Policy, Pool, Routing, Seat, Shop, Stage, Trigger
from dispatcher.simulate import Outcome, Simulation, Visit, by_curve
from dispatcher.whatif import CURVE, Economy, Interval, figures, interval

# --- the parameters, fixed before the first run ------------------------------------------------------------------
SPEEDS = (1_300, 1_000, 700)
"""A third of every team each, in per mille of the usual speed."""
TEAMS = {"own": (18, 540, 0), "gold": (12, 520, 120), "silver": (18, 460, 80)}
"""Agents, conversion in per mille, price of a conversation in fen."""
CHATS_MAX = 5
WORK_MS = 240_000
REPLY_MS, REPLY_MORE = 10_000, 0.45
"""The first answer of an agent of usual speed without other chats, and by how much each other chat lengthens it."""
PATIENCE_MS = 60_000
ECONOMY = Economy(margin_fen=800, delay_per_mille=4, crowd_per_mille=20)
LOADS = {"x3": (3.0, 12), "x5": (5.0, 8)}
"""Recorded requests times so many, on so many of the busiest days."""
GRID_MARGINS_FEN, GRID_PRICES, GRID_PATIENCE_MS = (400, 800, 1_600), (0.5, 1.0, 2.0), (30_000, 60_000, 120_000)
THIN_MARGINS_FEN = (50, 100, 200)
"""Added after the first run, in which one policy won everywhere: where does it stop?"""
GRID_LOAD, GRID_DAYS = "x5", 4
BOOTSTRAP = 2_000

_NOW = Stage("any", 15_000, (Trigger("no_free_slot"),))
_EASY = Policy(
    stages=(Stage("own"), Stage("preferred", 15_000, (Trigger("no_free_slot"),)), Stage("any", 10_000)),
    nobody_ms=None, sticky_hold_ms=0,
)  # fmt: skip


def _ring(after_ms: int) -> tuple[Stage, ...]:
    return (Stage("own"), Stage("preferred", after_ms), Stage("any", 10_000))


@dataclass(frozen=True)
class Tried:
    policy: Policy
    chats: int = CHATS_MAX


POLICIES = {
    "A ring 60 s, round robin": Tried(replace(_EASY, stages=_ring(60_000), agent_rule="round_robin")),
    "B ring 60 s, least loaded": Tried(replace(_EASY, stages=_ring(60_000))),
    "C ring 20 s, least loaded": Tried(replace(_EASY, stages=_ring(20_000))),
    "D no free slot, least loaded": Tried(_EASY),
    "E predicted wait > 5 s, else 20 s": Tried(replace(_EASY, stages=(
        Stage("own"), Stage("preferred", 20_000, (Trigger("ewt", 5_000, 3_000),)), Stage("any", 10_000),
    ))),
    "G as D, three chats at most": Tried(_EASY, 3),
    "H as D, round robin": Tried(replace(_EASY, agent_rule="round_robin")),
    "J as D, marginal rate": Tried(replace(_EASY, agent_rule="marginal")),
    "I as D, pools by expected net value": Tried(
        replace(_EASY, stages=(Stage("own"), _NOW), pool_rule="value", margin_fen=ECONOMY.margin_fen)
    ),
}  # fmt: skip
BY_VALUE = "I as D, pools by expected net value"
IN_GRID = (
    "A ring 60 s, round robin", "C ring 20 s, least loaded", "D no free slot, least loaded",
    "E predicted wait > 5 s, else 20 s", BY_VALUE,
)  # fmt: skip
SHOWN = ("lost", "first_mean_ms", "first_p95_ms", "within", "overflow", "cost_fen", "converted", "net_fen")


def floor(tried: Tried, price: float = 1.0) -> Routing:
    seats = [
        Seat(
            f"{pool}/{n:02}", pools=(pool,), seats_max=tried.chats, ability_per_mille=SPEEDS[n % 3],
            curve_per_hour=tuple(int(SPEEDS[n % 3] * total * 3_600_000 / WORK_MS) for total in CURVE),
        )
        for pool, (agents, _, _) in TEAMS.items()
        for n in range(agents)
    ]  # fmt: skip
    return Routing(
        (Shop("s", tried.policy),),
        tuple(
            Pool(pool, "in_house" if pool == "own" else "outsourced", shop="s" if pool == "own" else None,
                 provider=None if pool == "own" else pool, convert_per_mille=convert, handle_ms=WORK_MS)
            for pool, (_, convert, _) in TEAMS.items()
        ),
        tuple(
            Contract(f"c-{pool}", 1, "s", pool, (pool,), rank=rank, price_fen=int(TEAMS[pool][2] * price))
            for rank, pool in enumerate(("gold", "silver"), 1)
        ),
        tuple(seats),
    )  # fmt: skip


def arrivals(
    counts: Mapping[str, Sequence[int]], load: str, patience_ms: int, most: int
) -> list[tuple[int, list[Visit]]]:
    """(midnight, requests) of each day."""
    scale, days = LOADS[load]
    found = []
    for date in busiest(counts, min(days, most)):
        chance = random.Random(f"{load}/{date}")
        midnight = int(datetime.fromisoformat(date).replace(tzinfo=UTC).timestamp() * 1_000)
        times = [midnight + at for at in recorded_day(counts[date], chance, scale=scale)]
        people = People(WORK_MS, patience_ms=patience_ms, exponential=True)
        found.append((midnight, visits(times, people, random.Random(f"{load}/{date}/people"))))
    return found


def day(routing: Routing, midnight: int, people: Sequence[Visit]) -> list[Outcome]:
    outcomes = Simulation(routing, by_curve(CURVE)).run(people, start_ms=midnight)
    speed = {seat.agent: seat.ability_per_mille / 1_000 for seat in routing.seats}
    for one in outcomes:
        if one.ending == "served":
            one.reply_ms = int(REPLY_MS / speed[one.agent] * (1 + REPLY_MORE * one.level))
    return outcomes


def judged(routing: Routing, outcomes: Sequence[Outcome], economy: Economy = ECONOMY) -> dict[str, float]:
    first = [one.wait_ms + one.reply_ms for one in outcomes if one.ending == "served"]
    return {**figures(outcomes, routing.pools, economy), "first_mean_ms": mean(first)}


def _table(seen: Mapping[str, Mapping[str, Sequence[float]]]) -> None:
    print("| policy | lost % | first answer, mean / p95 s | within 30 s % | outsourced % | cost, yuan a 100 | sold % |"
          " net, yuan a 100 |\n|---|---|---|---|---|---|---|---|")  # fmt: skip
    for name, rows in seen.items():
        found = {figure: interval(rows[figure]) for figure in SHOWN}
        half = {figure: (one.high - one.low) / 2 for figure, one in found.items()}

        def with_half(figure: str, by: float, digits: int, found=found, half=half) -> str:  # type: ignore[no-untyped-def]
            return f"{found[figure].mean * by:.{digits}f} ± {half[figure] * by:.{digits}f}"

        first = f"{found['first_mean_ms'].mean / 1_000:.1f} / {found['first_p95_ms'].mean / 1_000:.0f}"
        print(
            f"| {name} | {with_half('lost', 100, 2)} | {first} | {with_half('within', 100, 1)}"
            f" | {with_half('overflow', 100, 1)} | {with_half('cost_fen', 0.01, 1)} | {with_half('converted', 100, 2)}"
            f" | {with_half('net_fen', 0.01, 1)} |"
        )


def _less(seen: Mapping[str, Mapping[str, Sequence[float]]], one: str, other: str, figure: str) -> Interval:
    return interval([a - b for a, b in zip(seen[one][figure], seen[other][figure], strict=True)])


def run(counts: Mapping[str, Sequence[int]], load: str, most: int) -> dict[str, dict[str, list[float]]]:
    days = arrivals(counts, load, PATIENCE_MS, most)
    requests = sum(len(people) for _, people in days)
    print(f"\n{load}: {requests:,} requests on {len(days)} days; mean and half of the 95 % interval over days\n")
    seen: dict[str, dict[str, list[float]]] = {}
    for name, tried in POLICIES.items():
        routing = floor(tried)
        rows = [judged(routing, day(routing, *one)) for one in days]
        seen[name] = {figure: [row[figure] for row in rows] for figure in rows[0]}
    _table(seen)
    return seen


def grid(counts: Mapping[str, Sequence[int]], most: int, margins_fen: Sequence[int], title: str) -> None:
    """On which share of the grid each policy has the highest net value."""
    points: list[dict[str, list[float]]] = []
    for patience_ms in GRID_PATIENCE_MS:
        days = arrivals(counts, GRID_LOAD, patience_ms, most)
        fixed = {
            name: [day(floor(POLICIES[name]), *one) for one in days] for name in IN_GRID if name != BY_VALUE
        }  # fmt: skip
        for margin_fen in margins_fen:
            economy = replace(ECONOMY, margin_fen=margin_fen)
            for price in GRID_PRICES:
                tried = POLICIES[BY_VALUE]
                routing = floor(replace(tried, policy=replace(tried.policy, margin_fen=margin_fen)), price)
                nets = {BY_VALUE: [judged(routing, day(routing, *one), economy)["net_fen"] for one in days]}
                for name, found in fixed.items():
                    rows = [judged(routing, outcomes, economy) for outcomes in found]
                    nets[name] = [row["net_fen"] + row["cost_fen"] * (1 - price) for row in rows]
                points.append(nets)
    print(f"\n{title}: {len(points)} points ({GRID_LOAD}, {most} days each)\n\n| policy | best on |\n|---|---|")
    chance, count = random.Random(1), len(points[0][BY_VALUE])
    drawn = [[chance.randrange(count) for _ in range(count)] for _ in range(BOOTSTRAP)]
    shares = {name: sorted(_wins(points, name, picked) for picked in drawn) for name in IN_GRID}
    for name in IN_GRID:
        low, high = shares[name][int(0.025 * BOOTSTRAP)], shares[name][int(0.975 * BOOTSTRAP)]
        print(f"| {name} | {_wins(points, name, range(count)):.0%} ({low:.0%}–{high:.0%}) |")


def _wins(points: Sequence[Mapping[str, Sequence[float]]], name: str, days: Sequence[int]) -> float:
    best = [max(nets, key=lambda one, nets=nets: sum(nets[one][at] for at in days)) for nets in points]  # type: ignore[misc]
    return best.count(name) / len(best)


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--quick", action="store_true", help="two days of each, and no grid")
    quick = asked.parse_args().quick
    if "WANGXIN_SHARED_DATA" not in os.environ:
        sys.exit("WANGXIN_SHARED_DATA names the folder with arrivals/calls_6min.csv.gz")
    counts = read_counts(Path(os.environ["WANGXIN_SHARED_DATA"]) / "arrivals" / "calls_6min.csv.gz")
    most = 2 if quick else 366
    run(counts, "x3", most)
    seen = run(counts, "x5", most)
    if not quick:
        grid(counts, GRID_DAYS, GRID_MARGINS_FEN, "Grid")
        grid(counts, GRID_DAYS, THIN_MARGINS_FEN, "Thin margins")
    ring, at_once = "C ring 20 s, least loaded", "D no free slot, least loaded"
    lost = {name: mean(seen[name]["lost"]) for name in (ring, at_once)}
    cost, within = (_less(seen, BY_VALUE, at_once, figure) for figure in ("cost_fen", "within"))
    print(
        f"\nx5: at once loses {lost[at_once]:.2%}, the 20 s ring {lost[ring]:.2%}: a share of"
        f" {lost[at_once] / lost[ring]:.3f}.\nBy value less by rank: cost {cost.mean / 100:+.2f} yuan a 100"
        f" ({cost.low / 100:+.2f} to {cost.high / 100:+.2f}), within 30 s {within.mean:+.2%}"
        f" ({within.low:+.2%} to {within.high:+.2%})."
    )
    holds = lost[at_once] * 10 <= lost[ring] and cost.mean < 0 and within.mean >= 0
    print("The order holds." if holds else "The order does NOT hold.")
    sys.exit(not holds)


if __name__ == "__main__":
    main()

"""Others on the same work as ours, in one run: ``python -m benchmarks.peers [--quick] [--only WORDS] [--json]``.

Two people a conversation, one message of 60 Chinese characters on its way in each: it goes to the hub, is kept where
the system keeps anything, is acknowledged, and comes to the other side. One hub process of each kind, the servers on
one half of the CPUs, the people on the other; all take turns, round after round, and a ratio is of medians of one run.
What a peer keeps before it acknowledges stands beside it: ours keeps, numbers, deduplicates, and knows who may say
what. The first run installs the peers' packages in ``build/peers``.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import resource
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.measure import end_on_term, halves, machine, median, spread
from benchmarks.peers.stage import PEERS, NotInstalled, PeerStage, arranged, install
from benchmarks.report import server_us, worked
from benchmarks.stage import NaiveStage, Stage

OURS = "wangxin"
STAGES: dict[str, type[Stage]] = {OURS: Stage, "naive": NaiveStage, **dict.fromkeys(PEERS, PeerStage)}
DURABLE = {OURS: "committed", "naive": "committed", **{name: peer.durable for name, peer in PEERS.items()}}
GATES = {
    "Socket.IO in memory": 1.0, "Socket.IO + Valkey streams": 2.0, "Socket.IO + INSERT": 5.0,
    "python-socketio + Valkey": 6.0, "Channels, pubsub layer": 8.0, "Channels, core layer + ORM": 30.0,
}  # fmt: skip
"""How many times as many messages a second and core ours has to carry."""

Found = dict[str, Any]


async def measure(systems: list[str], conversations: int, rounds: int, seconds: float, warm_s: float) -> Found:
    end_on_term()
    server_cpus, load_cpus = halves()
    about, talked = machine(), {name: [] for name in systems}  # type: dict[str, Any], dict[str, list[Found]]
    os.sched_setaffinity(0, server_cpus)
    with tempfile.TemporaryDirectory(prefix="wx-peers-") as name:
        os.chmod(name, 0o755)
        async with contextlib.AsyncExitStack() as stack:
            stages = []
            for n, system in enumerate(systems):
                stage = STAGES[system](arranged(system, conversations), Path(name) / str(n), load_cpus)
                stack.push_async_callback(stage.close)
                await stage.open()
                stages.append(stage)
            for n in range(rounds):
                for stage in stages if n % 2 == 0 else stages[::-1]:
                    found = await stage.ask("closed", seconds=seconds, warm_s=warm_s, watch=stage.watch())
                    talked[stage.what.system].append(found)
                    print(f"  {stage.what.system}: {found['per_s']:,.0f}/s", file=sys.stderr, flush=True)
    return {"machine": about, "conversations": conversations, "rounds": talked}


def text(found: Found) -> str:
    m = found["machine"]
    lines = [
        f"{m['cpu']}, {m['cpus']} CPUs, load {m['load_before']} before; {found['conversations']:,} conversations",
        f"{'':28}{'kept before ack':>16}{'messages/s':>12}{'lowest–highest':>17}{'CPU µs':>8}{'by CPU':>9}{'gate':>6}",
    ]
    ours = _us(found["rounds"][OURS])
    for name, rounds in found["rounds"].items():
        good = worked(rounds)
        if not good:
            lines.append(f"{name:28}{DURABLE[name]:>16}   no message came through")
            continue
        ratio, gate = _us(rounds) / ours, GATES.get(name)
        says = "" if gate is None else f"{gate:>5.0f}x" + ("" if ratio >= gate else " MISSED")
        speeds = [one["per_s"] for one in good]
        lines.append(
            f"{name:28}{DURABLE[name]:>16}{median(speeds):>12,.0f}{spread(speeds):>17}{_us(rounds):>8,.0f}{ratio:>8.1f}x{says}"
        )
        if missing := sum(one["missing"] + one["broken"] for one in rounds):
            lines.append(f"{'':28}{missing:,} messages never came")
    return "\n".join(lines)


def _us(rounds: list[Found]) -> float:
    return median(server_us(one) for one in worked(rounds))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="100 conversations, three rounds of a second")
    parser.add_argument("--conversations", type=int, default=200)
    parser.add_argument("--only", default="", help="systems with these words in their name, beside ours")
    parser.add_argument("--json", action="store_true", help="every round as JSON on stdout instead of a table")
    asked = parser.parse_args()
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    try:
        install()
    except NotInstalled as why:
        sys.exit(str(why))
    systems = [OURS, *(name for name in STAGES if name != OURS and asked.only.lower() in name.lower())]
    size, rounds, seconds, warm_s = (100, 3, 1.0, 0.5) if asked.quick else (asked.conversations, 3, 3.0, 1.0)
    found = asyncio.run(measure(systems, size, rounds, seconds, warm_s))
    print(json.dumps(found) if asked.json else text(found))


if __name__ == "__main__":
    main()

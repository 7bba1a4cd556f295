"""The chat benchmark as tables: medians of rounds, their spread, ratios to the naive build, and the goals."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from benchmarks.measure import median, spread

Round = dict[str, Any]
PARTS = ("hub", "postgres", "valkey")
IDLE_LINES = 10_000
"""The goal for memory is for so many: with few, what is bought once for all weighs too much."""


def held(rate: float, found: Round) -> bool:
    """Whether the open loop kept its pace."""
    return bool(found["per_s"] >= 0.95 * rate)


def server_us(found: Round) -> float:
    return float(sum(found["cpu_us"][part] for part in PARTS))


def server_cores(found: Round) -> float:
    """How much of the CPUs the servers got: on a busy machine far less than was theirs."""
    return float(sum(found["busy"][part] for part in PARTS))


def middle(rounds: list[Round], of: Callable[[Round], float]) -> float:
    return median(of(found) for found in rounds)


def worked(rounds: list[Round]) -> list[Round]:
    """Those in which messages came through at all: an overloaded hub may have closed every line."""
    return [found for found in rounds if found["messages"]]


def text(found: dict[str, Any]) -> str:
    return "\n".join(_lines(found))


def _lines(found: dict[str, Any]) -> Iterator[str]:
    machine = found["machine"]
    yield f"{machine['cpu']}, {machine['cpus']} CPUs ({found['server_cpus']} for the servers), " \
          f"{machine['memory_gib']} GiB, Linux {machine['kernel']}, Python {machine['python']}"  # fmt: skip
    yield ", ".join(f"{name} {number}" for name, number in machine["versions"].items())
    yield f"load of the machine: {machine['load_before']} before, {machine['load_after']} after"
    for size, rounds in found["closed"].items():
        yield from _closed(int(size), rounds)
    yield from _open(found["open"])
    yield from _idle(found["idle"])
    yield from _goals(found)


def _closed(size: int, rounds: dict[str, list[Round]]) -> Iterator[str]:
    yield ""
    yield f"{size:,} conversations, one message on its way in each; CPU in µs a message"
    yield (
        f"{'':16}{'messages/s':>11}{'lowest–highest':>17}{'cores':>7}{'CPU':>7}{'hub':>6}{'PG':>6}{'Valkey':>7}{'client':>7}"
        f"{'delivery p50':>13}{'p99 ms':>8}{'ack p50':>9}{'p99 ms':>8}"
    )
    for name, all_of in rounds.items():
        each = worked(all_of)
        if not each:
            yield f"{name:16}  carried nothing"
            continue
        yield (
            f"{name:16}{middle(each, lambda r: r['per_s']):>11,.0f}{spread([r['per_s'] for r in each]):>17}"
            f"{middle(each, server_cores):>7.2f}"
            f"{middle(each, server_us):>7.0f}{_cpu(each, 'hub'):>6.0f}{_cpu(each, 'postgres'):>6.0f}"
            f"{_cpu(each, 'valkey'):>7.1f}{_cpu(each, 'client'):>7.0f}"
            f"{_ms(each, 'delivery_ms', 'p50'):>13.1f}{_ms(each, 'delivery_ms', 'p99'):>8.1f}"
            f"{_ms(each, 'ack_ms', 'p50'):>9.1f}{_ms(each, 'ack_ms', 'p99'):>8.1f}"
        )
        if len(each) < len(all_of):
            yield f"{'':16}carried nothing in {len(all_of) - len(each)} of {len(all_of)} rounds"
        yield from _faults(all_of)


def _faults(each: list[Round]) -> Iterator[str]:
    lost, gaps, broken = sum(r["missing"] for r in each), each[-1]["gaps"], each[-1]["broken"]  # the last two add up
    if lost or gaps or broken:
        yield (
            f"{'':16}not delivered within 20 s: {lost}, out of order or doubled: {gaps},"
            f" not said on closed lines: {broken}"
        )


def _cpu(each: list[Round], part: str) -> float:
    return middle(each, lambda r: float(r["cpu_us"][part]))


def _ms(each: list[Round], what: str, which: str) -> float:
    return middle(each, lambda r: float(r[what][which]))


def _open(found: dict[str, dict[int, list[Round]]]) -> Iterator[str]:
    yield ""
    yield "A fixed rate whatever comes back; latency from the moment a message was due"
    yield f"{'':16}{'rate/s':>8}{'CPU µs':>8}{'delivery p50':>14}{'p99 ms':>8}{'ack p50':>9}{'p99 ms':>8}"
    for name, rates in found.items():
        for rate, each in rates.items():
            if not each:
                continue
            if not all(held(int(rate), r) for r in each):
                yield f"{name:16}{int(rate):>8,}  not held"
                yield from _faults(each)
                continue
            yield (
                f"{name:16}{int(rate):>8,}{middle(each, server_us):>8.0f}{_ms(each, 'delivery_ms', 'p50'):>14.1f}"
                f"{_ms(each, 'delivery_ms', 'p99'):>8.1f}{_ms(each, 'ack_ms', 'p50'):>9.1f}"
                f"{_ms(each, 'ack_ms', 'p99'):>8.1f}"
            )


def _idle(found: dict[str, dict[str, float]]) -> Iterator[str]:
    yield ""
    yield "Silent lines that are logged in"
    for name, weighed in found.items():
        yield (
            f"{name:16}{weighed['lines']:>8,.0f} lines, {weighed['kib_per_line']:.1f} KiB each;"
            f" a login costs the hub {weighed['hello_hub_us']:,.0f} µs ({weighed['hellos_per_s']:,.0f} logins/s)"
        )


def _goals(found: dict[str, Any]) -> Iterator[str]:
    yield ""
    yield "Goals"
    for size, rounds in found["closed"].items():
        for name, all_of in rounds.items():
            each, plain = worked(all_of), worked(rounds[name.replace("wangxin", "naive")])
            if not name.startswith("wangxin") or not each or not plain:
                continue
            ratio = _cpu(each, "hub") / _cpu(plain, "hub")
            yield _goal(f"hub CPU beside naive, {size} conversations, {name[9:]}", ratio, 0.45, "{:.2f}x")
            ratio = middle(each, lambda r: r["per_s"]) / middle(plain, lambda r: r["per_s"])
            yield f"  {f'messages/s beside naive, {size} conversations, {name[9:]}':58}{ratio:.1f}x"
        one = worked(rounds["wangxin, 1 hub"])
        yield _goal(f"CPU of all servers, {size} conversations, µs a message", middle(one, server_us), 90, "{:.0f}")
        full = 1e6 / middle(one, server_us)
        yield _goal(f"so one core carries, {size} conversations, messages/s", full, 10_000, "{:,.0f}", most=False)
    for rate, bound in ((1_000, 20.0), (5_000, 35.0)):
        each = found["open"].get("wangxin, 1 hub", {}).get(rate, [])
        if each and all(held(rate, r) for r in each):
            yield _goal(f"delivery p99 at {rate:,}/s, ms", _ms(each, "delivery_ms", "p99"), bound, "{:.1f}")
        elif each:
            yield f"  {f'delivery p99 at {rate:,}/s, ms':58}{'not held':>9}  goal at most {bound:.1f}  MISSED"
    sizes = list(found["closed"].values())
    if len(sizes) > 1:
        growth = middle(sizes[-1]["wangxin, 1 hub"], server_us) / middle(sizes[0]["wangxin, 1 hub"], server_us)
        yield _goal("CPU a message, most conversations beside fewest", growth, 1.15, "{:.2f}x")
    if found["idle"]["wangxin"]["lines"] >= IDLE_LINES:
        yield _goal("memory of a silent line, KiB", found["idle"]["wangxin"]["kib_per_line"], 10, "{:.1f}")


def _goal(what: str, value: float, bound: float, form: str, *, most: bool = True) -> str:
    reached = value <= bound if most else value >= bound
    goal = f"goal at {'most' if most else 'least'} {form.format(bound)}"
    return f"  {what:58}{form.format(value):>9}  {goal}  {'reached' if reached else 'MISSED'}"

"""Proofs that are too long for the test suite: ``python -m benchmarks.proofs [audience|lunar|trials] [--json]``.

audience: SQL and predicate of random condition trees over random members, a million evaluations and more.
lunar: every day from 1950 to 2056 against borax and cnlunar.
trials: thousands of trials without any difference, looked at daily: how often a winner is named all the same; and of
trials with one, how often it is seen.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
from pydantic import TypeAdapter

from benchmarks.measure import machine
from push.audience.compile import count_sql, to_test
from push.audience.leaves import Moment
from push.audience.tree import Node
from push.lunar import to_lunar
from tests.conftest import make_shop
from tests.push import crowds
from wangxin.model import trials
from wangxin.storage import postgres
from wangxin.storage.embedded import EmbeddedPostgres
from wangxin.storage.migrate import migrate

NOW = datetime(2026, 11, 24, 4, tzinfo=UTC)
MEMBERS, TREES = 10_000, 120
TRIALS, LOOKS, PEOPLE_A_LOOK = 3_000, 20, 2_500
NODE: TypeAdapter[Node] = TypeAdapter(Node)


async def _audience(folder: Path) -> dict[str, Any]:
    os.chmod(folder, 0o755)
    store = EmbeddedPostgres(folder, database="proofs")
    await store.start()
    try:
        await migrate(store.url)
        pool = await postgres.open_pool(store.url, least=1, most=2, name="proofs")
        chance, wrong, matched = random.Random(1), 0, 0
        async with pool.acquire() as conn:
            shop = await make_shop(conn)
            profiles = await crowds.fill(conn, shop.id, MEMBERS, chance, NOW)
            crowd_ids = sorted({crowd for one in profiles for crowd in one.crowds})
            for _ in range(TREES):
                node: Any = NODE.validate_json(NODE.dump_json(crowds.random_tree(chance, crowd_ids, NOW)))
                moment = Moment(NOW + timedelta(hours=chance.randrange(-400, 400)), ZoneInfo("Asia/Shanghai"))
                sql, args = count_sql(shop.id, node, moment)
                test = to_test(node, moment)
                by_sql = {row[0] for row in await conn.fetch(sql.replace("count(*)", "p.shopper_id", 1), *args)}
                by_test = {one.shopper_id for one in profiles if test(one)}
                wrong += len(by_sql ^ by_test)
                matched += len(by_test)
        await pool.close()
        return {"evaluations": MEMBERS * TREES, "matched": matched, "disagreements": wrong}
    finally:
        store.stop(how="immediate")


def audience() -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="wx-proof-") as folder:
        return asyncio.run(_audience(Path(folder)))


def lunar() -> dict[str, Any]:
    import cnlunar  # type: ignore[import-untyped]
    from borax.calendars.lunardate import LunarDate  # type: ignore[import-untyped]

    day, days, wrong = date(1950, 1, 1), 0, 0
    while day.year <= 2056:
        ours = to_lunar(day)
        mine = (ours.year, ours.month, ours.day, ours.leap)
        theirs = LunarDate.from_solar(day)
        noon = cnlunar.Lunar(datetime(day.year, day.month, day.day, 12))
        for other in (
            (theirs.year, theirs.month, theirs.day, bool(theirs.leap)),
            (noon.lunarYear, noon.lunarMonth, noon.lunarDay, bool(noon.isLunarLeapMonth)),
        ):
            wrong += mine != other
        days += 1
        day += timedelta(days=1)
    return {"days": days, "libraries": 2, "disagreements": wrong}


Verdict = Callable[[list[tuple[int, int]]], Any]


def _named(rates: tuple[float, ...], chance: np.random.Generator, verdict: Verdict) -> float:
    """Share of trials in which a winner was named at one of the looks."""
    named = 0
    for _ in range(TRIALS):
        hits = np.cumsum(chance.binomial(PEOPLE_A_LOOK, rates, size=(LOOKS, len(rates))), axis=0)
        for look in range(LOOKS):
            n = PEOPLE_A_LOOK * (look + 1)
            if verdict([(int(one), n) for one in hits[look]]) is not None:
                named += 1
                break
    return named / TRIALS


def _lift(arms: list[tuple[int, int]]) -> str | None:
    (push, n), (held, m) = arms
    found = trials.lift(push, n, held, m).verdict
    return None if found == "cannot_tell" else found


def found() -> dict[str, Any]:
    chance = np.random.default_rng(7)
    return {
        "trials": TRIALS, "looks": LOOKS, "people_an_arm": PEOPLE_A_LOOK * LOOKS,
        "false_lift": _named((0.05, 0.05), chance, _lift),
        "false_best_of_2": _named((0.05,) * 2, chance, trials.best_of),
        "false_best_of_4": _named((0.05,) * 4, chance, trials.best_of),
        "seen_lift_5.0_to_5.5": _named((0.055, 0.05), chance, _lift),
        "seen_best_of_3": _named((0.05, 0.05, 0.06), chance, trials.best_of),
    }  # fmt: skip


PROOFS: dict[str, Callable[[], dict[str, Any]]] = {"audience": audience, "lunar": lunar, "trials": found}


def main() -> None:
    parser = argparse.ArgumentParser(description="Proofs that are too long for the test suite.")
    parser.add_argument("which", nargs="*", choices=[*PROOFS, []], help="all of them, if none is named")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    results: dict[str, Any] = {"machine": machine()}
    for name in asked.which or PROOFS:
        began = time.perf_counter()
        results[name] = {**PROOFS[name](), "s": round(time.perf_counter() - began, 1)}
        if not asked.json:
            print(name, results[name], flush=True)
    if asked.json:
        print(json.dumps(results))


if __name__ == "__main__":
    main()

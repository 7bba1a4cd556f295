"""A worker's process for ``benchmarks.push``: at each line of its input it does chunks until none is due, and says how
much CPU time that took it, in µs."""

from __future__ import annotations

import sys
import time

import uvloop

from push.service import Push
from wangxin.storage import postgres
from wangxin.storage.hints import Hints
from wangxin.storage.valkey import connect
from wangxin.work import PUSH_LANES


async def work(url: str, valkey_url: str, now_ms: int) -> None:
    pool = await postgres.open_pool(url, least=PUSH_LANES, most=PUSH_LANES, name="push job")
    valkey = connect(valkey_url)
    push = Push(pool, Hints(valkey), lambda: now_ms)
    print("ready", flush=True)
    for _ in sys.stdin:
        began = time.process_time()
        await push.work(lanes=PUSH_LANES)
        print((time.process_time() - began) * 1e6, flush=True)
    await valkey.aclose()
    pool.terminate()


if __name__ == "__main__":
    uvloop.run(work(sys.argv[1], sys.argv[2], int(sys.argv[3])))
